package dev.paloverde.gpu.vision;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.model.VisionModel;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Which vision engine: equal specifications share one.
 *
 * @param model a local directory, as Hugging Face lays them out
 * @param device {@code cpu}, {@code cuda}, {@code cuda:1}, or {@code auto}
 * @param threads CPU threads that the kernels may use, at least 1
 * @param stepImages the most images of one step; 0 for what suits the device
 * @param latents what comes out
 */
public record VisionSpec(Path model, String device, int threads, int stepImages, VisionModel.Latents latents) {
    /** @throws PaloverdeException {@code INVALID_OPTION} if there are no threads, or fewer than no images */
    public VisionSpec {
        if (threads < 1 || stepImages < 0) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "threads is %d and the images of a step are %d; give at least 1 thread, and 0 images or more"
                            .formatted(threads, stepImages));
        }
    }

    /** {@return the same, with the one path that all ways of writing the directory come to} */
    VisionSpec canonical() {
        try {
            return new VisionSpec(model.toRealPath(), device, threads, stepImages, latents);
        } catch (IOException e) {
            // opening it will say what is wrong with it
            return new VisionSpec(model.toAbsolutePath().normalize(), device, threads, stepImages, latents);
        }
    }
}
