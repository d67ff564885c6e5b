package dev.paloverde.pipelines;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PromptTemplateTest {
    private final Dataset<Row> rows = LocalSpark.session()
            .createDataFrame(
                    List.of(RowFactory.create("Why?", 3, "{x}"), RowFactory.create(null, 4, "y")),
                    new StructType().add("question", "string").add("n", "int").add("a.b", "string"));

    private List<String> rendered(String template) {
        return rows.select(PromptTemplate.parse(template).column())
                .as(Encoders.STRING())
                .collectAsList();
    }

    @Test
    void putsColumnsInTheirPlaces() {
        assertThat(rendered("Q{n}: { question }\\nA:")).containsExactly("Q3: Why?\nA:", null);
        assertThat(rendered("{a.b} \\\\ {{n}}\\t")).containsExactly("{x} \\ {n}\t", "y \\ {n}\t");
        assertThat(rendered("no columns")).containsExactly("no columns", "no columns");
        assertThat(PromptTemplate.parse("{b}{a}{b}").columns()).containsExactly("b", "a");
    }

    @Test
    void followsColumnsThatAreCarriedUnderAnotherName() {
        CarriedColumns columns = CarriedColumns.of(rows.schema(), List.of("question"));
        PromptTemplate renamed = PromptTemplate.parse("<{question}>").rename(columns);

        assertThat(renamed.columns()).containsExactly("input_question");
        assertThat(renamed).hasToString("<{question}>");
        assertThat(columns.rename(rows)
                        .select(renamed.column())
                        .as(Encoders.STRING())
                        .head())
                .isEqualTo("<Why?>");
    }

    @ParameterizedTest
    @CsvSource({"{open, position 0", "close}, position 5", "{}, position 0", "a{ {b}, position 1", "a\\q, position 1"})
    void saysWhereATemplateIsWrong(String template, String where) {
        assertThatThrownBy(() -> PromptTemplate.parse(template))
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_OPTION))
                .hasMessageContaining(where)
                .hasMessageContaining(template);
    }
}
