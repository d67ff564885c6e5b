package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
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
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.spark.unsafe.types.UTF8String;

/** Continues prompts. */
final class GenerateRows implements RowFunction<Generation> {
    private final TextEngine engine;
    private final Settings settings;
    private final Sampling sampling;
    private final ChatTemplate template;

    GenerateRows(TextEngine engine, Settings settings) {
        this.engine = engine;
        this.settings = settings;
        this.sampling = sampling(settings, engine.directory().generationDefaults());
        if (settings.value(Settings.PROMPT_STYLE) == Settings.PromptStyle.CHAT) {
            this.template = engine.directory()
                    .chatTemplate()
                    .orElseThrow(() -> new PaloverdeException(
                            ErrorCode.UNSUPPORTED_MODEL,
                            "prompt-style is chat and the model in %s has no chat template; set prompt-style=plain, or"
                                            .formatted(engine.directory().path())
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
    public List<Object> read(VectorSchemaRoot batch, int row) {
        return Collections.singletonList(Inputs.bytes(batch.getVector(0), row));
    }

    @Override
    public Submitted<Generation> submit(RowKey key, List<Object> inputs) {
        String text = Inputs.text(inputs.get(0), "the prompt", settings);
        int limit = engine.context() - 1;
        int[] tokens = template == null ? plain(text) : chat(text);
        boolean truncated = tokens.length > limit;
        if (truncated) {
            if (settings.value(Settings.ON_TOO_LONG) == Settings.OnTooLong.ERROR) {
                throw Inputs.tooLong(
                        "the prompt",
                        tokens.length,
                        limit,
                        "set on-too-long=truncate to keep its end, or shorten it");
            }
            // leave room for what is asked for, but never more than half of the context
            int room = Math.max(engine.context() - sampling.maxTokens(), engine.context() / 2);
            tokens = template == null ? cutPlain(tokens, room) : cutChat(text, tokens.length, room);
        }
        return new Submitted<>(
                engine.engine().generate(new GenerationRequest(key, tokens, sampling)),
                tokens.length,
                truncated,
                null);
    }

    private int[] plain(String text) {
        return TextEngine.concat(
                engine.prefix(settings), engine.tokenizer().encode(text));
    }

    private int[] cutPlain(int[] tokens, int room) {
        int[] prefix = engine.prefix(settings);
        int kept = Math.max(1, room - prefix.length);
        return TextEngine.concat(prefix, Arrays.copyOfRange(tokens, tokens.length - kept, tokens.length));
    }

    private int[] chat(String text) {
        List<ChatMessage> messages = new ArrayList<>();
        String system = settings.value(Settings.SYSTEM_PROMPT);
        if (!system.isEmpty()) {
            messages.add(new ChatMessage("system", system));
        }
        messages.add(new ChatMessage("user", text));
        return engine.tokenizer().encodeTemplate(template.prompt(messages));
    }

    /** Cuts the user's text, not the conversation around it. */
    private int[] cutChat(String text, int length, int room) {
        int[] content = engine.tokenizer().encode(text);
        int excess = length - room;
        for (int attempt = 0; attempt < 4 && excess > 0 && excess < content.length; attempt++) {
            content = Arrays.copyOfRange(content, excess, content.length);
            int[] tokens = chat(engine.tokenizer().decode(content));
            excess = tokens.length - room;
            if (excess <= 0) {
                return tokens;
            }
        }
        throw Inputs.tooLong(
                "the conversation around the prompt", length - content.length, room, "shorten the system-prompt");
    }

    @Override
    public Object[] write(Submitted<Generation> row, Generation answer) {
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
