package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.model.LanguageModel;

/**
 * A model that proposes tokens. The engine closes model and kernels when it stops.
 *
 * @param kernels operations of its own, since it may run beside the model that verifies
 * @param model the model
 */
record LoadedDraft(Kernels kernels, LanguageModel model) implements AutoCloseable {
    @Override
    public void close() {
        try (kernels) {
            model.close();
        }
    }
}
