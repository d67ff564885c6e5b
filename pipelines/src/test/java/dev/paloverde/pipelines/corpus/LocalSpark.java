package dev.paloverde.pipelines.corpus;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/** Documents in the one session that the tests of this module share. */
final class LocalSpark {
    private static final StructType DOCUMENTS =
            new StructType().add("row_key", "string").add("text", "string");

    private LocalSpark() {}

    static SparkSession session() {
        return dev.paloverde.pipelines.LocalSpark.session();
    }

    static Dataset<Row> documents(Map<String, String> texts, int partitions) {
        List<Row> rows = new ArrayList<>();
        texts.forEach((key, text) -> rows.add(RowFactory.create(key, text)));
        return session().createDataFrame(rows, DOCUMENTS).repartition(partitions);
    }

    /** {@return the second column by the first, which has no value twice} */
    static Map<String, String> map(Dataset<Row> rows) {
        Map<String, String> map = new TreeMap<>();
        for (Row row : rows.collectAsList()) {
            if (map.put(row.getString(0), row.getString(1)) != null) {
                throw new AssertionError("twice: " + row);
            }
        }
        return map;
    }
}
