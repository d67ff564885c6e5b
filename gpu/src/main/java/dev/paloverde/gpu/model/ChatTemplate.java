package dev.paloverde.gpu.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.model.jinja.JinjaTemplate;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * How conversations are written for a model: a Jinja template that came with it. It sees what transformers gives one:
 * {@code messages}, {@code add_generation_prompt}, {@code tools} and {@code documents} (none), and the names of the special
 * tokens. It does not see the date, so that a row is the same on every day: templates that ask for it where they may write
 * the one they have built in. Safe for any number of threads.
 */
public final class ChatTemplate {
    private static final String FILE = "chat_template.jinja";
    private static final String KEY = "chat_template";
    private static final String DEFAULT = "default";
    private static final long MOST_BYTES = 1L << 20;

    private final JinjaTemplate template;
    private final Map<String, String> specialTokens;

    private ChatTemplate(JinjaTemplate template, Map<String, String> specialTokens) {
        this.template = template;
        this.specialTokens = specialTokens;
    }

    static Stream<Path> files(Path directory) {
        return Stream.of(SpecialTokens.CONFIGURATION, FILE).map(directory::resolve);
    }

    /** The template of a model: {@code chat_template.jinja}, else what {@code tokenizer_config.json} says. */
    static Optional<ChatTemplate> read(Path directory) {
        return ModelJson.textIfPresent(directory.resolve(FILE), MOST_BYTES)
                .or(() -> configured(directory.resolve(SpecialTokens.CONFIGURATION)))
                .map(source -> new ChatTemplate(JinjaTemplate.parse(source), SpecialTokens.byRole(directory)));
    }

    /** A template, or several with names, of which the default one counts. */
    private static Optional<String> configured(Path file) {
        Optional<JsonNode> configuration = ModelJson.readIfPresent(file);
        if (configuration.isEmpty() || !configuration.get().hasNonNull(KEY)) {
            return Optional.empty();
        }
        JsonNode value = configuration.get().get(KEY);
        if (value.isTextual()) {
            return Optional.of(value.textValue());
        }
        List<String> names = new ArrayList<>();
        for (JsonNode named : value) {
            names.add(named.path("name").asText());
            if (named.path("name").asText().equals(DEFAULT)
                    && named.path("template").isTextual()) {
                return Optional.of(named.path("template").textValue());
            }
        }
        throw new PaloverdeException(
                ErrorCode.UNSUPPORTED_MODEL,
                "%s has the chat templates %s and none called '%s'; put the one to use into %s beside it"
                        .formatted(file, names, DEFAULT, FILE));
    }

    /**
     * Writes a conversation and invites the model to answer.
     *
     * @param messages at least one
     * @return text for {@link Tokenizer#encodeTemplate}, which brings its own begin token where the model wants one
     * @throws PaloverdeException TEMPLATE_FAILED if the template refuses the messages
     */
    public String prompt(List<ChatMessage> messages) {
        return prompt(messages, Map.of());
    }

    /**
     * As {@link #prompt(List)}, with variables of the template's own, such as {@code enable_thinking}.
     *
     * @param variables strings, booleans, numbers, lists and maps
     */
    public String prompt(List<ChatMessage> messages, Map<String, ?> variables) {
        Map<String, Object> all = new HashMap<>(variables);
        all.put("add_generation_prompt", true);
        return render(messages, all);
    }

    /**
     * Writes a conversation as it stands, with no invitation to answer.
     *
     * @param messages at least one
     * @return text for {@link Tokenizer#encodeTemplate}
     * @throws PaloverdeException TEMPLATE_FAILED if the template refuses the messages
     */
    public String transcript(List<ChatMessage> messages) {
        Map<String, Object> all = new HashMap<>();
        all.put("add_generation_prompt", false);
        return render(messages, all);
    }

    private String render(List<ChatMessage> messages, Map<String, Object> more) {
        if (messages.isEmpty()) {
            throw new PaloverdeException(
                    ErrorCode.TEMPLATE_FAILED, "there are no messages; a conversation has at least one");
        }
        Map<String, Object> variables = new HashMap<>(specialTokens);
        variables.put("tools", null);
        variables.put("documents", null);
        variables.put("messages", messages.stream().map(ChatTemplate::fields).toList());
        variables.putAll(more);
        return template.render(variables);
    }

    private static Map<String, Object> fields(ChatMessage message) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("role", message.role());
        fields.put("content", message.content());
        return fields;
    }
}
