package dev.paloverde.udfs.sql;

import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.arrow.BatchFunction;
import dev.paloverde.udfs.image.ImageFunction;
import dev.paloverde.udfs.text.TextFunction;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * The SQL function of an operation: {@code llm_generate}, {@code llm_score}, {@code llm_choose}, {@code llm_embed},
 * {@code image_embed}.
 */
record ModelFunction(Operation operation) implements BatchFunctionFactory {
    private static final String STANDARD = """

            The struct also has row_key STRING (a hash of the inputs), receipt STRING (a hash of model, kernels and
            options), status STRING (ok, truncated or error), error_code STRING and error_message STRING.
            options - a constant map of option names to values, map('model', '/models/mine') for instance; every option
            can also be set for the session as spark.paloverde.<option>.""";

    static List<ModelFunction> all() {
        return Arrays.stream(Operation.values()).map(ModelFunction::new).toList();
    }

    @Override
    public String name() {
        return operation.sqlName();
    }

    @Override
    public List<Argument> arguments() {
        return operation == Operation.CHOOSE ? List.of(Argument.TEXT, Argument.TEXTS) : List.of(Argument.TEXT);
    }

    @Override
    public String usage() {
        return switch (operation) {
            case GENERATE -> "_FUNC_(prompt [, options]) - Continues a prompt with a language model.";
            case SCORE -> "_FUNC_(text [, options]) - Says how likely a text is to a language model.";
            case CHOOSE ->
                "_FUNC_(context, choices [, options]) - Says how likely each continuation of a context is to a"
                        + " language model.";
            case EMBED -> "_FUNC_(text [, options]) - Turns a text into a vector with a language model.";
            case EMBED_IMAGE ->
                "_FUNC_(image [, options]) - Turns an image into a latent for each of its patches with a vision model.";
        };
    }

    @Override
    public String details() {
        return switch (operation) {
                    case GENERATE -> """
                prompt - a STRING or BINARY of UTF-8. Returns a struct: text STRING, finish_reason STRING (stop, length or
                context), prompt_tokens INT, generated_tokens INT, log_probability DOUBLE (sum of natural logarithms).""";
                    case SCORE -> """
                text - a STRING or BINARY of UTF-8; one longer than the window is scored in windows, never cut. Returns a
                struct: log_probability DOUBLE (sum of natural logarithms), tokens INT, bytes BIGINT, perplexity DOUBLE,
                bits_per_byte DOUBLE, windows INT, greedy_tokens INT (tokens that were the most likely), and with the
                option token-log-probabilities token_log_probabilities ARRAY<FLOAT>.""";
                    case CHOOSE -> """
                context - a STRING or BINARY of UTF-8, computed once for all choices.
                choices - an ARRAY<STRING> of continuations. Returns a struct: log_probabilities ARRAY<DOUBLE> (sums of
                natural logarithms), tokens ARRAY<INT>, best INT (from 0, the most likely), best_normalized INT (the most
                likely per byte of UTF-8).""";
                    case EMBED -> """
                text - a STRING or BINARY of UTF-8. Returns a struct: embedding ARRAY<FLOAT>, tokens INT.""";
                    case EMBED_IMAGE -> """
                image - a BINARY of a JPEG, PNG, GIF, WebP or BMP file. Returns a struct: latents ARRAY<FLOAT> (tokens * width
                numbers, patch by patch from the top left), tokens INT, width INT. The option model names a SigLIP or DINOv2
                directory; without it the latents are the pixels of the patches.""";
                }
                + STANDARD;
    }

    @Override
    public BatchFunction create(Map<String, String> options, Map<String, String> session) {
        Settings settings = Settings.resolve(operation, options, session);
        return operation == Operation.EMBED_IMAGE ? new ImageFunction(settings) : new TextFunction(operation, settings);
    }
}
