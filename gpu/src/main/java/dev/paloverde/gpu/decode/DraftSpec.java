package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.nio.file.Path;

/**
 * Which model guesses, and where it runs.
 *
 * @param model a local directory, as Hugging Face lays them out
 * @param device as that of {@link EngineSpec}: another GPU, perhaps; empty for the same
 * @param multiprocessors how many of a GPU that both models use are set apart for this one; 0 where both use all
 */
public record DraftSpec(Path model, String device, int multiprocessors) {
    /** @throws PaloverdeException {@code INVALID_OPTION} for fewer than 0 multiprocessors, or for some of another device */
    public DraftSpec {
        if (multiprocessors < 0) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "draft-multiprocessors is " + multiprocessors + "; it is 0 for all, or how many are the draft's");
        }
        if (multiprocessors > 0 && !device.isEmpty()) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "draft-multiprocessors is %d and draft-device %s: where the draft model has a device of its own, there is"
                                    .formatted(multiprocessors, device)
                            + " nothing to share out; set one of the two");
        }
    }

    /** On the other model's device, all of it. */
    public DraftSpec(Path model) {
        this(model, "", 0);
    }
}
