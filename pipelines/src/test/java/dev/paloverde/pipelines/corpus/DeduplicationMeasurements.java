package dev.paloverde.pipelines.corpus;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.storage.StorageLevel;

/**
 * Measures deduplication: precision and recall over 20,000 documents with planted near-duplicates against the Jaccard
 * similarities of all pairs, and documents a second of processor time as documents grow from 10,000 to 100,000. Appends
 * JSON lines to the file that is its argument; {@code paloverde.commit} is the commit they are of. Not a test.
 */
final class DeduplicationMeasurements {
    private static final StructType DOCUMENTS =
            new StructType().add("row_key", "string").add("text", "string");
    private static final int QUALITY_DOCUMENTS = 20_000;

    private DeduplicationMeasurements() {}

    public static void main(String[] arguments) throws IOException {
        Path results = Path.of(arguments[0]);
        SparkSession spark = SparkSession.builder()
                .master("local[2]")
                .config("spark.ui.enabled", "false")
                .config("spark.sql.shuffle.partitions", "8")
                .getOrCreate();
        quality(spark, results, Verification.none());
        quality(spark, results, Verification.of(Verification.Method.EXACT, .75));
        Map<Integer, Double> rates = new HashMap<>();
        rate(spark, 10_000);
        for (int documents : new int[] {10_000, 30_000, 100_000}) {
            rates.put(documents, rate(spark, documents));
            write(
                    results,
                    "\"bench\":\"deduplication-rate\",\"case\":{\"documents\":%d,\"words\":%d,\"bands\":14,\"rows\":8,\"near_duplicates\":0.2},\"ours\":%.0f,\"unit\":\"documents per second of processor time\",\"ratio_to_10k\":%.3f"
                            .formatted(
                                    documents,
                                    PlantedDocuments.WORDS,
                                    rates.get(documents),
                                    rates.get(documents) / rates.get(10_000)));
        }
        spark.stop();
    }

    private static Dataset<Row> documents(SparkSession spark, int count, double alike) {
        PlantedDocuments planted = new PlantedDocuments(alike);
        MapFunction<Long, Row> make = i -> RowFactory.create(PlantedDocuments.key(i), planted.text(i));
        return spark.range(0, count, 1, 8).map(make, Encoders.row(DOCUMENTS)).persist(StorageLevel.DISK_ONLY());
    }

    private static void quality(SparkSession spark, Path results, Verification verification) throws IOException {
        Dataset<Row> documents = documents(spark, QUALITY_DOCUMENTS, 1);
        MinHash sets = new MinHash(MinHash.Parameters.STANDARD);
        Map<String, long[]> texts = new HashMap<>();
        Iterator<Row> rows = documents.toLocalIterator();
        while (rows.hasNext()) {
            Row row = rows.next();
            texts.put(row.getString(0), sets.set(Words.of(row.getString(1))));
        }
        Map<Set<String>, Double> similar = similar(texts);
        Map<String, String> dropped =
                LocalSpark.map(new Deduplication(MinHash.Parameters.STANDARD, verification).dropped(documents));
        long right = dropped.entrySet().stream()
                .filter(entry -> similar.getOrDefault(Set.of(entry.getKey(), entry.getValue()), 0.0) >= .495)
                .count();
        long above = dropped.entrySet().stream()
                .filter(entry -> similar.getOrDefault(Set.of(entry.getKey(), entry.getValue()), 0.0) >= .75)
                .count();
        StringBuilder recall = new StringBuilder();
        for (double level : PlantedDocuments.SIMILARITIES) {
            List<Set<String>> pairs = similar.entrySet().stream()
                    .filter(entry -> Math.abs(entry.getValue() - level) < .01)
                    .map(Map.Entry::getKey)
                    .toList();
            long found = pairs.stream()
                    .filter(pair -> pair.stream().anyMatch(key -> pair.contains(dropped.getOrDefault(key, ""))))
                    .count();
            recall.append("%s\"%.1f\":{\"pairs\":%d,\"found\":%d,\"recall\":%.4f,\"law\":%.4f}"
                    .formatted(
                            recall.isEmpty() ? "" : ",",
                            level,
                            pairs.size(),
                            found,
                            (double) found / pairs.size(),
                            MinHash.Parameters.STANDARD.probability(level)));
        }
        write(
                results,
                "\"bench\":\"deduplication-quality\",\"case\":{\"documents\":%d,\"bands\":14,\"rows\":8,\"verify\":\"%s\",\"similarity\":%s},\"dropped\":%d,\"precision_at_0.5\":%.4f,\"precision_at_0.75\":%.4f,\"by_similarity\":{%s}"
                        .formatted(
                                QUALITY_DOCUMENTS,
                                verification.method(),
                                verification.similarity(),
                                dropped.size(),
                                (double) right / dropped.size(),
                                (double) above / dropped.size(),
                                recall));
        documents.unpersist();
    }

    /** {@return the similarity of all pairs that have an n-gram in common; of all others it is 0} */
    private static Map<Set<String>, Double> similar(Map<String, long[]> texts) {
        Map<Long, List<String>> holders = new HashMap<>();
        texts.forEach((key, set) -> Arrays.stream(set)
                .forEach(ngram ->
                        holders.computeIfAbsent(ngram, n -> new ArrayList<>(2)).add(key)));
        Set<Set<String>> pairs = new HashSet<>();
        for (List<String> keys : holders.values()) {
            IntStream.range(1, keys.size())
                    .forEach(i -> IntStream.range(0, i).forEach(j -> pairs.add(Set.of(keys.get(i), keys.get(j)))));
        }
        Map<Set<String>, Double> similar = new HashMap<>();
        for (Set<String> pair : pairs) {
            Iterator<String> keys = pair.iterator();
            similar.put(pair, MinHash.jaccard(texts.get(keys.next()), texts.get(keys.next())));
        }
        return similar;
    }

    private static double rate(SparkSession spark, int count) {
        Dataset<Row> documents = documents(spark, count, .4);
        documents.count();
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        long begun = system.getProcessCpuTime();
        new Deduplication(MinHash.Parameters.STANDARD, Verification.none())
                .dropped(documents)
                .count();
        double seconds = (system.getProcessCpuTime() - begun) / 1e9;
        documents.unpersist();
        return count / seconds;
    }

    private static void write(Path results, String fields) throws IOException {
        String line = "{%s,\"device\":\"cpu, local[2]\",\"commit\":\"%s\",\"date\":\"%s\"}%n"
                .formatted(fields, System.getProperty("paloverde.commit", ""), LocalDate.now(ZoneOffset.UTC));
        System.out.print(String.format(Locale.ROOT, "%s", line));
        Files.writeString(results, line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }
}
