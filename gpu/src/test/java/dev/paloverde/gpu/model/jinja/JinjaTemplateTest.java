package dev.paloverde.gpu.model.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Templates and snippets against what transformers made of them, which {@code src/test/recipes/templates.py} wrote down.
 */
class JinjaTemplateTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final JsonNode EXPECTED = read();

    static Stream<Named<JsonNode>> templates() {
        return stream(EXPECTED.path("templates"))
                .map(node -> Named.of(
                        "%s, %s, %s"
                                .formatted(
                                        node.path("template").asText(), node.path("conversation"), node.path("more")),
                        node));
    }

    static Stream<Named<JsonNode>> snippets() {
        return stream(EXPECTED.path("snippets"))
                .map(node -> Named.of(node.path("source").asText(), node));
    }

    @ParameterizedTest
    @MethodSource("templates")
    void printsWhatTransformersPrints(JsonNode node) throws IOException {
        Map<String, Object> variables = new HashMap<>(map(EXPECTED.path("tokens")));
        variables.putAll(map(node.path("more")));
        variables.put(
                "messages",
                value(EXPECTED.path("conversations")
                        .path(node.path("conversation").asText())));
        variables.computeIfPresent("tools", (key, value) -> value(EXPECTED.path("tools")));
        check(source(node.path("template").asText()), variables, node);
    }

    @ParameterizedTest
    @MethodSource("snippets")
    void printsWhatPythonPrints(JsonNode node) {
        Map<String, Object> variables = new HashMap<>(map(EXPECTED.path("tokens")));
        variables.putAll(map(EXPECTED.path("data")));
        check(node.path("source").asText(), variables, node);
    }

    @Test
    void knowsNoDate() throws IOException {
        Map<String, Object> variables = Map.of(
                "messages",
                List.of(Map.of("role", "user", "content", "Hi")),
                "bos_token",
                "",
                "add_generation_prompt",
                true);
        assertThat(JinjaTemplate.parse(source("headers.jinja")).render(variables))
                .contains("The day is 01 Jan 2025.");
        assertThatThrownBy(() -> render("{{ strftime_now('%d') }}"))
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.TEMPLATE_FAILED))
                .hasMessageContaining("'strftime_now' is undefined");
    }

    @Test
    void endsWhateverTheTemplateDoes() {
        for (String source : List.of(
                "{% for a in range(1000000) %}{% for b in range(1000000) %}{% endfor %}{% endfor %}",
                "{{ range(100000000) }}",
                "{{ 'a' * 1000000000 }}",
                "{{ [0] * 1000000000 }}",
                "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
                "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(64) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
                "{% set ns = namespace(x=[1]) %}{% for i in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
                "{% set ns = namespace(x=[1]) %}{% for i in range(64) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
                "{% set ns = namespace(x=[1]) %}{% for i in range(30) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
                "{% set ns = namespace(x='ab') %}{% for i in range(64) %}{% set ns.x = ns.x.replace('a', 'aaaaaaaaaa') %}{% endfor %}",
                "{% set ns = namespace(x='ab') %}{% for i in range(64) %}{% set ns.x = ns.x.join([ns.x, ns.x, ns.x]) %}{% endfor %}",
                "{% set ns = namespace(x='{0}{0}') %}{% for i in range(64) %}{% set ns.x = ns.x.format(ns.x) %}{% endfor %}",
                "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
                "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
                "{{ 'a'.zfill(1000000000) }}",
                "{{ 'a' | indent(1000000000, true) }}",
                "{{ 2 ** 1000000 }}",
                "{{ 9223372036854775807 + 1 }}",
                "{% for i in range(1000000) %}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                        + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{% endfor %}",
                "{{ 1" + " + 1".repeat(200_000) + " }}",
                "{{ x" + ".x".repeat(400_000) + " }}")) {
            assertThatThrownBy(() -> render(source))
                    .as(source.substring(0, Math.min(80, source.length())))
                    .isInstanceOfSatisfying(
                            PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.TEMPLATE_FAILED));
        }
    }

    @Test
    void refusesWhatIsNestedTooDeeply() {
        for (String source : List.of(
                "{{ " + "(".repeat(10_000) + "1" + ")".repeat(10_000) + " }}",
                "{{ " + "[".repeat(10_000) + "1" + "]".repeat(10_000) + " }}",
                "{{ " + "not ".repeat(10_000) + "1 }}",
                "{{ " + "-".repeat(10_000) + "1 }}",
                "{% if x %}".repeat(10_000),
                "{{ 1" + " if 1 else 2".repeat(10_000) + " }}",
                "x".repeat(2_000_000))) {
            assertThatThrownBy(() -> JinjaTemplate.parse(source))
                    .isInstanceOfSatisfying(
                            PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNSUPPORTED_MODEL));
        }
    }

    @Test
    void saysWhereATemplateIsWrong() {
        assertThatThrownBy(() -> JinjaTemplate.parse("a\n{# c\n #}\n{% include 'x' %}"))
                .hasMessageContaining("line 4")
                .hasMessageContaining("'include'");
    }

    @Test
    void cannotChangeWhatItIsGiven() {
        List<String> list = List.of("a");
        assertThat(JinjaTemplate.parse("{% set list = list + ['b'] %}{{ list }}")
                        .render(Map.of("list", list)))
                .isEqualTo("['a', 'b']");
    }

    /** Cut anywhere and stitched to any other place, a template renders or is refused; nothing else happens. */
    @Property(tries = 500)
    void survivesMutation(
            @ForAll @IntRange(max = 5_000) int cut, @ForAll @IntRange(max = 5_000) int resume, @ForAll int which)
            throws IOException {
        List<String> names = List.of(
                "headers.jinja", "instructed.jinja", "macros.jinja", "marked.jinja", "thinking.jinja", "turns.jinja");
        String source = source(names.get(Math.floorMod(which, names.size())));
        String mutated = source.substring(0, Math.min(cut, source.length()))
                + source.substring(Math.min(resume, source.length()));
        Map<String, Object> variables = new HashMap<>(map(EXPECTED.path("tokens")));
        variables.put("messages", value(EXPECTED.path("conversations").path("turns")));
        try {
            JinjaTemplate.parse(mutated).render(variables);
        } catch (PaloverdeException e) {
            assertThat(e.code()).isIn(ErrorCode.TEMPLATE_FAILED, ErrorCode.UNSUPPORTED_MODEL);
        }
    }

    private static void check(String source, Map<String, Object> variables, JsonNode node) {
        if (node.has("expected")) {
            assertThat(JinjaTemplate.parse(source).render(variables))
                    .isEqualTo(node.path("expected").asText());
        } else {
            assertThatThrownBy(() -> JinjaTemplate.parse(source).render(variables))
                    .as(node.path("error").asText())
                    .isInstanceOf(PaloverdeException.class);
        }
    }

    private static String render(String source) {
        return JinjaTemplate.parse(source).render(Map.of());
    }

    private static String source(String name) throws IOException {
        try (InputStream in = JinjaTemplateTest.class.getResourceAsStream("/templates/" + name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static JsonNode read() {
        try (InputStream in = JinjaTemplateTest.class.getResourceAsStream("/templates/expected.json")) {
            return JSON.readTree(in);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Stream<JsonNode> stream(JsonNode list) {
        return StreamSupport.stream(list.spliterator(), false);
    }

    private static Object value(JsonNode node) {
        return JSON.convertValue(node, Object.class);
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> map(JsonNode node) {
        return JSON.convertValue(node, Map.class);
    }
}
