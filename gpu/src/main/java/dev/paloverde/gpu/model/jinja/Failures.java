package dev.paloverde.gpu.model.jinja;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;

/** What goes wrong with templates. */
final class Failures {
    private Failures() {}

    /** While it is rendered: the row's own failure. */
    static PaloverdeException failed(String reason) {
        return new PaloverdeException(
                ErrorCode.TEMPLATE_FAILED, "the model's chat template refuses these messages: " + reason);
    }

    /** While it is parsed: no row can use it. */
    static PaloverdeException unsupported(int line, String reason) {
        return new PaloverdeException(
                ErrorCode.UNSUPPORTED_MODEL,
                "line %d of the model's chat template: %s; give prompts that are written out instead of messages"
                        .formatted(line, reason));
    }
}
