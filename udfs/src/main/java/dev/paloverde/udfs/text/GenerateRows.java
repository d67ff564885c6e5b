package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.Engine;
import dev.paloverde.gpu.decode.Generation;
import dev.paloverde.gpu.decode.GenerationRequest;
import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.gpu.decode.Sampling;
import dev.paloverde.gpu.model.ChatMessage;
import dev.paloverde.gpu.model.ChatTemplate;
import dev.paloverde.gpu.model.GenerationDefaults;
import dev.paloverde.udfs.Settings;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import org.apache.spark.unsafe.types.UTF8String;

/** Continues prompts. */
final class GenerateRows implements RowFunction<int[], Generation> {
    private final TextModel model;
    private final Settings settings;
    private final Sampling sampling;
    private final ChatTemplate template;

    GenerateRows(TextModel model, Settings settings) {
        this.model = model;
        this.settings = settings;
        this.sampling = sampling(settings, model.directory().generationDefaults());
        if (settings.value(Settings.PROMPT_STYLE) == Settings.PromptStyle.CHAT) {
            this.template = model.directory()
                    .chatTemplate()
                    .orElseThrow(() -> new PaloverdeException(
                            ErrorCode.UNSUPPORTED_MODEL,
                            "prompt-style is chat and the model in %s has no chat template; set prompt-style=plain, or"
                                            .formatted(model.directory().path())
                                    + " add chat_template.jinja"));
        } else {
            this.template = null;
        }
    }

    static Sampling sampling(Settings settings, GenerationDefaults model) {
        boolean own = settings.value(Settings.SAMPLING_DEFAULTS) == Settings.SamplingDefaults.GREEDY;
        return new Sampling(
                settings.value(Settings.MAX_TOKENS),
                own || settings.isSet(Settings.TEMPERATURE)
                        ? settings.value(Settings.TEMPERATURE).floatValue()
                        : model.temperature(),
                own || settings.isSet(Settings.TOP_K) ? settings.value(Settings.TOP_K) : model.topK(),
                own || settings.isSet(Settings.TOP_P)
                        ? settings.value(Settings.TOP_P).floatValue()
                        : model.topP(),
                own || settings.isSet(Settings.MIN_P)
                        ? settings.value(Settings.MIN_P).floatValue()
                        : model.minP(),
                own || settings.isSet(Settings.REPETITION_PENALTY)
                        ? settings.value(Settings.REPETITION_PENALTY).floatValue()
                        : model.repetitionPenalty(),
                settings.value(Settings.STOP),
                settings.value(Settings.IGNORE_END),
                settings.value(Settings.SEED));
    }

    @Override
    public Prepared<int[]> prepare(List<?> inputs) {
        String text = Inputs.text(inputs.get(0), "the prompt", settings);
        int limit = model.context() - 1;
        int[] tokens = template == null ? plain(text) : chat(text);
        if (tokens.length == 0) {
            throw new PaloverdeException(ErrorCode.EMPTY_INPUT, "the prompt has no tokens");
        }
        boolean truncated = tokens.length > limit;
        if (truncated) {
            if (settings.value(Settings.ON_TOO_LONG) == Settings.OnTooLong.ERROR) {
                throw Inputs.tooLong(
                        "the prompt", tokens.length, limit, "set on-too-long=truncate to keep its end, or shorten it");
            }
            // leave room for what is asked for, but never more than half of the context
            int room = Math.max(model.context() - sampling.maxTokens(), model.context() / 2);
            tokens = template == null ? cutPlain(tokens, room) : cutChat(text, tokens.length, room);
        }
        return new Prepared<>(tokens, tokens.length, truncated);
    }

    private int[] plain(String text) {
        return TextModel.concat(model.prefix(settings), model.tokenizer().encode(text));
    }

    private int[] cutPlain(int[] tokens, int room) {
        int[] prefix = model.prefix(settings);
        int kept = Math.max(1, room - prefix.length);
        return TextModel.concat(prefix, Arrays.copyOfRange(tokens, tokens.length - kept, tokens.length));
    }

    private int[] chat(String text) {
        List<ChatMessage> messages = new ArrayList<>();
        String system = settings.value(Settings.SYSTEM_PROMPT);
        if (!system.isEmpty()) {
            messages.add(new ChatMessage("system", system));
        }
        messages.add(new ChatMessage("user", text));
        return model.tokenizer().encodeTemplate(template.prompt(messages));
    }

    /** Cuts the user's text, not the conversation around it. */
    private int[] cutChat(String text, int length, int room) {
        int[] content = model.tokenizer().encode(text);
        int excess = length - room;
        for (int attempt = 0; attempt < 4 && excess > 0 && excess < content.length; attempt++) {
            content = Arrays.copyOfRange(content, excess, content.length);
            int[] tokens = chat(model.tokenizer().decode(content));
            excess = tokens.length - room;
            if (excess <= 0) {
                return tokens;
            }
        }
        throw Inputs.tooLong(
                "the conversation around the prompt", length - content.length, room, "shorten the system-prompt");
    }

    @Override
    public CompletableFuture<Generation> submit(Engine engine, RowKey key, int[] question) {
        return engine.generate(new GenerationRequest(key, question, sampling));
    }

    @Override
    public Object[] write(Prepared<int[]> row, Generation answer) {
        return new Object[] {
            UTF8String.fromString(answer.text()),
            UTF8String.fromString(answer.finish().name().toLowerCase(Locale.ROOT)),
            row.tokensIn(),
            answer.tokens().length,
            answer.logProbability()
        };
    }

    @Override
    public int columns() {
        return 5;
    }

    @Override
    public int tokensOut(Generation answer) {
        return answer.tokens().length;
    }
}
