package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.model.LanguageModel;
import dev.paloverde.gpu.model.Tokenizer;
import java.util.Optional;

/**
 * What an engine runs. The engine closes models and kernels when it stops; the tokenizer stays open.
 *
 * @param kernels the operations the model was loaded with
 * @param model the model
 * @param tokenizer gives the text of generated tokens
 * @param endTokens ids that end a generation
 * @param draft what proposes tokens, or null
 */
record LoadedModel(Kernels kernels, LanguageModel model, Tokenizer tokenizer, int[] endTokens, LoadedDraft draft)
        implements AutoCloseable {
    LoadedModel(Kernels kernels, LanguageModel model, Tokenizer tokenizer, int[] endTokens) {
        this(kernels, model, tokenizer, endTokens, null);
    }

    /** {@return the error that lost a device that either model runs on; empty if none did} */
    Optional<PaloverdeException> fault() {
        return kernels.fault()
                .or(() -> draft == null ? Optional.empty() : draft.kernels().fault());
    }

    @Override
    public void close() {
        try (kernels;
                draft) {
            model.close();
        }
    }
}
