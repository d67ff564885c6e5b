package dev.paloverde.gpu.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatTemplateTest {
    private static final String SIMPLE =
            "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}"
                    + "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}{% if extra %}{{ extra }}{% endif %}";
    private static final List<ChatMessage> HELLO = List.of(new ChatMessage("user", "Hello"));

    @TempDir
    Path directory;

    @Test
    void readsTheTokenizerConfiguration() {
        configuration().put("chat_template", SIMPLE);
        ChatTemplate template = written().orElseThrow();
        assertThat(template.prompt(HELLO)).isEqualTo("<|begin|>[user] Hello<|end|>[assistant]");
        assertThat(template.transcript(HELLO)).isEqualTo("<|begin|>[user] Hello<|end|>");
        assertThat(template.prompt(HELLO, Map.of("extra", "!"))).isEqualTo("<|begin|>[user] Hello<|end|>[assistant]!");
    }

    @Test
    void prefersTheFileOfItsOwn() throws IOException {
        configuration().put("chat_template", "from the configuration");
        Files.writeString(directory.resolve("chat_template.jinja"), "from the file");
        assertThat(written().orElseThrow().prompt(HELLO)).isEqualTo("from the file");
    }

    @Test
    void takesTheDefaultAmongSeveral() {
        var list = configuration().putArray("chat_template");
        list.addObject().put("name", "tool_use").put("template", "tools");
        list.addObject().put("name", "default").put("template", "default");
        assertThat(written().orElseThrow().prompt(HELLO)).isEqualTo("default");
    }

    @Test
    void saysWhichThereAreWhenNoneIsDefault() {
        configuration().putArray("chat_template").addObject().put("name", "rag").put("template", "x");
        assertThatThrownBy(this::written)
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNSUPPORTED_MODEL))
                .hasMessageContaining("[rag]");
    }

    @Test
    void isAbsentWhereTheModelHasNone() {
        assertThat(ChatTemplate.read(directory)).isEmpty();
        configuration().put("bos_token", "<s>");
        assertThat(written()).isEmpty();
    }

    @Test
    void refusesMessagesRowByRow() {
        configuration().put("chat_template", "{{ raise_exception('users only') if messages[0].role != 'user' }}ok");
        ChatTemplate template = written().orElseThrow();
        assertThat(template.prompt(HELLO)).isEqualTo("ok");
        assertFails(() -> template.prompt(List.of(new ChatMessage("robot", "beep"))), "users only");
        assertFails(() -> template.prompt(List.of()), "no messages");
    }

    @Test
    void treatsMessagesAsTextAndNotAsTemplates() {
        configuration().put("chat_template", SIMPLE);
        assertThat(written().orElseThrow().transcript(List.of(new ChatMessage("user", "{{ bos_token }}{% x %}"))))
                .isEqualTo("<|begin|>[user] {{ bos_token }}{% x %}<|end|>");
    }

    @Test
    void writesTenMegabytes() {
        configuration().put("chat_template", SIMPLE);
        String text = "x".repeat(10_000_000);
        assertThat(written().orElseThrow().transcript(List.of(new ChatMessage("user", text))))
                .hasSize(text.length() + "<|begin|>[user] <|end|>".length());
    }

    private final ObjectNode configuration = TestTokenizer.JSON
            .createObjectNode()
            .put("bos_token", "<|begin|>")
            .set("eos_token", TestTokenizer.JSON.createObjectNode().put("content", "<|end|>"));

    private ObjectNode configuration() {
        return configuration;
    }

    private java.util.Optional<ChatTemplate> written() {
        TestTokenizer.write(directory.resolve("tokenizer_config.json"), configuration);
        return ChatTemplate.read(directory);
    }

    private static void assertFails(org.assertj.core.api.ThrowableAssert.ThrowingCallable call, String reason) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.TEMPLATE_FAILED))
                .hasMessageContaining(reason);
    }
}
