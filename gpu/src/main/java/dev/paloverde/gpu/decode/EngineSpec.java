package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Quantization;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Which engine: equal specifications share one.
 *
 * @param model a local directory, as Hugging Face lays them out
 * @param device {@code cpu}, {@code cuda} or {@code auto}
 * @param threads CPU threads that the kernels may use, at least 1
 * @param options limits
 * @param speculation whether tokens are guessed ahead
 * @param draft the model that guesses, where there is one
 * @param quantization what becomes of the model's weights; those of the draft stay as they are
 */
public record EngineSpec(
        Path model,
        String device,
        int threads,
        EngineOptions options,
        Speculation speculation,
        Optional<DraftSpec> draft,
        Quantization quantization) {
    /** @throws PaloverdeException {@code INVALID_OPTION} if there are no threads, or no draft model where one is needed */
    public EngineSpec {
        if (threads < 1) {
            throw new PaloverdeException(ErrorCode.INVALID_OPTION, "threads is " + threads + "; it must be at least 1");
        }
        if (speculation.strategy() == Speculation.Strategy.AUTOREGRESSIVE) {
            // settings of strategies that are not used make no other engine
            speculation = Speculation.none();
        }
        if (speculation.needsDraftModel() != draft.isPresent()) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    draft.isPresent()
                            ? "draft-model is %s, and nothing asks it: strategy is %s and drafter %s"
                                    .formatted(draft.get().model(), speculation.strategy(), speculation.drafter())
                            : "strategy is %s and drafter %s, and there is no draft-model; name one with the same tokenizer,"
                                            .formatted(speculation.strategy(), speculation.drafter())
                                    + " or set drafter=lookup");
        }
        if (draft.isPresent()
                && draft.get().multiprocessors() > 0
                && speculation.strategy() != Speculation.Strategy.SSD) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "draft-multiprocessors is %d and strategy %s, where one model computes at a time; set strategy=ssd, or 0"
                            .formatted(draft.get().multiprocessors(), speculation.strategy()));
        }
    }

    /** Without quantization. */
    public EngineSpec(
            Path model,
            String device,
            int threads,
            EngineOptions options,
            Speculation speculation,
            Optional<DraftSpec> draft) {
        this(model, device, threads, options, speculation, draft, Quantization.NONE);
    }

    /** Without speculation and quantization. */
    public EngineSpec(Path model, String device, int threads, EngineOptions options) {
        this(model, device, threads, options, Speculation.none(), Optional.empty());
    }

    /** {@return the same with other weights} */
    public EngineSpec with(Quantization other) {
        return new EngineSpec(model, device, threads, options, speculation, draft, other);
    }

    /** {@return the same with speculation by a draft model} */
    public EngineSpec with(Speculation other, Path draftModel) {
        return with(other, new DraftSpec(draftModel));
    }

    /** {@return the same with speculation by a draft model} */
    public EngineSpec with(Speculation other, DraftSpec draftModel) {
        return new EngineSpec(model, device, threads, options, other, Optional.of(draftModel), quantization);
    }

    /** {@return the same with speculation that needs no second model} */
    public EngineSpec with(Speculation other) {
        return new EngineSpec(model, device, threads, options, other, Optional.empty(), quantization);
    }

    /** The best device there is, all processors, default limits. */
    public static EngineSpec of(Path model) {
        return new EngineSpec(model, "auto", Runtime.getRuntime().availableProcessors(), EngineOptions.defaults());
    }

    /** {@return the same, with the one path that all ways of writing the directory come to} */
    EngineSpec canonical() {
        Optional<DraftSpec> drafting =
                draft.map(spec -> new DraftSpec(real(spec.model()), spec.device(), spec.multiprocessors()));
        return new EngineSpec(real(model), device, threads, options, speculation, drafting, quantization);
    }

    private static Path real(Path directory) {
        try {
            return directory.toRealPath();
        } catch (IOException e) {
            // opening it will say what is wrong with it
            return directory.toAbsolutePath().normalize();
        }
    }
}
