package dev.paloverde.jobs;

import dev.paloverde.gpu.PaloverdeException;
import java.util.Optional;

/** What a failure means, wherever it began. */
final class Failures {
    private Failures() {}

    /** {@return the coded failure that is at the bottom of a failure, if one is} */
    static Optional<PaloverdeException> coded(Throwable failure) {
        Throwable at = failure;
        for (int depth = 0; at != null && depth < 50; depth++) {
            if (at instanceof PaloverdeException coded) {
                return Optional.of(coded);
            }
            at = at.getCause();
        }
        return Optional.empty();
    }

    static ExitCode exitCode(Throwable failure) {
        return coded(failure).map(coded -> ExitCode.of(coded.code())).orElse(ExitCode.INTERNAL);
    }
}
