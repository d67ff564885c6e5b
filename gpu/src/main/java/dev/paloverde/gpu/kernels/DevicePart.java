package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;

/**
 * Which part of a GPU kernels run on, and whether another model computes at the same time.
 *
 * @param role whose kernels they are
 * @param multiprocessors how many are set apart for the draft model, the rest being the other's; 0 where both use all
 */
public record DevicePart(Role role, int multiprocessors) {
    /** Who else there is. */
    public enum Role {
        /** Nobody, or one that computes at other times. */
        MODEL,
        /** A draft model. */
        TARGET,
        /** The model that verifies; the draft model's kernels, being small, go first. */
        DRAFT
    }

    /** All there is. */
    public static final DevicePart WHOLE = new DevicePart(Role.MODEL, 0);

    /** @throws PaloverdeException {@code INVALID_OPTION} for fewer than 0 multiprocessors */
    public DevicePart {
        if (multiprocessors < 0) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "draft-multiprocessors is " + multiprocessors + "; it is 0 for all, or how many are the draft's");
        }
    }
}
