package dev.paloverde.pipelines;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.constraints.UniqueElements;
import org.apache.spark.sql.types.StructType;

class CarriedColumnsTest {
    private static final List<String> NAMES = List.of(
            "id", "text", "status", "input_status", "input_input_status", "input_text", "INPUT_TEXT2", "row_key");

    private static StructType schema(List<String> names) {
        StructType schema = new StructType();
        for (String name : names) {
            schema = schema.add(name, "string");
        }
        return schema;
    }

    @Example
    void whatCollidesMovesAside() {
        CarriedColumns columns =
                CarriedColumns.of(schema(List.of("id", "Status", "input_status")), List.of("status", "row_key"));

        assertThat(columns.names()).containsExactly("id", "input_input_Status", "input_status");
        assertThat(columns.renamed()).containsExactly(java.util.Map.entry("Status", "input_input_Status"));
        assertThat(columns.carriedAs("STATUS")).isEqualTo("input_input_Status");
    }

    @Property
    void allNamesAreUniqueAndNoneIsReserved(
            @ForAll @Size(min = 1, max = 6) @UniqueElements List<@IntRange(min = 0, max = 7) Integer> input,
            @ForAll @Size(min = 1, max = 4) @UniqueElements List<@IntRange(min = 0, max = 7) Integer> taken) {
        List<String> reserved = taken.stream().map(NAMES::get).toList();

        CarriedColumns columns =
                CarriedColumns.of(schema(input.stream().map(NAMES::get).toList()), reserved);

        Set<String> lower = columns.names().stream()
                .map(name -> name.toLowerCase(Locale.ROOT))
                .collect(Collectors.toSet());
        assertThat(lower).hasSize(input.size());
        assertThat(lower)
                .doesNotContainAnyElementsOf(reserved.stream()
                        .map(name -> name.toLowerCase(Locale.ROOT))
                        .toList());
    }
}
