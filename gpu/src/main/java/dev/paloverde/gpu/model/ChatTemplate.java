package dev.paloverde.gpu.model;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** How conversations are written for a model: a Jinja template that came with it. Safe for any number of threads. */
public final class ChatTemplate {
    private ChatTemplate() {}

    static Stream<Path> files(Path directory) {
        return Stream.of("tokenizer_config.json", "chat_template.jinja").map(directory::resolve);
    }

    static Optional<ChatTemplate> read(Path directory) {
        return Optional.empty();
    }

    /**
     * Writes a conversation and invites the model to answer.
     *
     * @param messages at least one
     * @return text for {@link Tokenizer#encodeTemplate}, which brings its own begin token where the model wants one
     * @throws dev.paloverde.gpu.PaloverdeException TEMPLATE_FAILED if the template refuses the messages
     */
    public String prompt(List<ChatMessage> messages) {
        return render(messages, Map.of());
    }

    /**
     * Writes a conversation as it stands, with no invitation to answer.
     *
     * @param messages at least one
     * @return text for {@link Tokenizer#encodeTemplate}
     * @throws dev.paloverde.gpu.PaloverdeException TEMPLATE_FAILED if the template refuses the messages
     */
    public String transcript(List<ChatMessage> messages) {
        return render(messages, Map.of());
    }

    private String render(List<ChatMessage> messages, Map<String, Object> more) {
        throw new IllegalStateException(messages + " " + more);
    }
}
