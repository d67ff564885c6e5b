package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Which engine: equal specifications share one.
 *
 * @param model a local directory, as Hugging Face lays them out
 * @param device {@code cpu}, {@code cuda} or {@code auto}
 * @param threads CPU threads that the kernels may use, at least 1
 * @param options limits
 */
public record EngineSpec(Path model, String device, int threads, EngineOptions options) {
    /** @throws PaloverdeException {@code INVALID_OPTION} if there are no threads */
    public EngineSpec {
        if (threads < 1) {
            throw new PaloverdeException(ErrorCode.INVALID_OPTION, "threads is " + threads + "; it must be at least 1");
        }
    }

    /** The best device there is, all processors, default limits. */
    public static EngineSpec of(Path model) {
        return new EngineSpec(model, "auto", Runtime.getRuntime().availableProcessors(), EngineOptions.defaults());
    }

    /** {@return the same, with the one path that all ways of writing the directory come to} */
    EngineSpec canonical() {
        Path real;
        try {
            real = model.toRealPath();
        } catch (IOException e) {
            // opening it will say what is wrong with it
            real = model.toAbsolutePath().normalize();
        }
        return new EngineSpec(real, device, threads, options);
    }
}
