package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.model.LanguageModel;
import dev.paloverde.gpu.model.Tokenizer;

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

    @Override
    public void close() {
        try (kernels;
                draft) {
            model.close();
        }
    }
}
