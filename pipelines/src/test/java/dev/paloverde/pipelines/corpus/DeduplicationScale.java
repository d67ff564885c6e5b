package dev.paloverde.pipelines.corpus;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Locale;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * Measures deduplication at one size, in a process of its own so that what it says of memory is of that size alone. Not a
 * test; {@code bench/cpu/deduplication.py} runs it.
 *
 * <pre>
 * make COUNT DIRECTORY [jsonl]   writes PlantedDocuments, as Parquet, or as 8 files of JSON lines for other programs
 * measure COUNT DIRECTORY        reads the Parquet; prints one JSON object without what only its caller knows
 * judge COUNT DROPPED            of keys, one a line, that another program dropped: the same figures of quality
 * </pre>
 */
final class DeduplicationScale {
    private static final PlantedDocuments DOCUMENTS = new PlantedDocuments(.4);
    private static final StructType SCHEMA =
            new StructType().add("row_key", "string").add("text", "string");
    private static final int PARTS = 8;

    private DeduplicationScale() {}

    public static void main(String[] arguments) throws IOException {
        long count = Long.parseLong(arguments[1]);
        if (arguments[0].equals("judge")) {
            try (var keys = Files.lines(Path.of(arguments[2]))) {
                System.out.println("{" + quality(count, keys.iterator()) + "}");
            }
            return;
        }
        SparkSession spark = SparkSession.builder()
                .master("local[2]")
                .config("spark.ui.enabled", "false")
                .config("spark.sql.shuffle.partitions", "32")
                .config("spark.local.dir", arguments[2] + "-spark")
                .getOrCreate();
        if (arguments[0].equals("make")) {
            make(spark, count, arguments[2], arguments.length > 3);
        } else {
            System.out.println(measure(spark, count, arguments[2]));
        }
        spark.stop();
    }

    private static void make(SparkSession spark, long count, String directory, boolean lines) {
        MapFunction<Long, Row> make = i -> RowFactory.create(PlantedDocuments.key(i), DOCUMENTS.text(i));
        Dataset<Row> documents = spark.range(0, count, 1, PARTS).map(make, Encoders.row(SCHEMA));
        if (lines) {
            documents
                    .select(functions.col("row_key").as("id"), functions.col("text"))
                    .write()
                    .json(directory);
        } else {
            documents.write().parquet(directory);
        }
    }

    private static String measure(SparkSession spark, long count, String directory) throws IOException {
        Dataset<Row> documents = spark.read().parquet(directory);
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        long processor = system.getProcessCpuTime();
        long begun = System.nanoTime();
        Dataset<Row> dropped =
                Lineage.cut(new Deduplication(MinHash.Parameters.STANDARD, Verification.none()).dropped(documents));
        dropped.count();
        double seconds = (System.nanoTime() - begun) / 1e9;
        double processorSeconds = (system.getProcessCpuTime() - processor) / 1e9;
        Iterator<Row> rows = dropped.select(Documents.KEY).toLocalIterator();
        String quality = quality(count, new Iterator<>() {
            @Override
            public boolean hasNext() {
                return rows.hasNext();
            }

            @Override
            public String next() {
                return rows.next().getString(0);
            }
        });
        return String.format(
                Locale.ROOT,
                "{\"seconds\":%.1f,\"processor_seconds\":%.1f,\"heap_limit_mb\":%d,\"heap_peak_mb\":%d,\"resident_peak_mb\":%d,%s}",
                seconds,
                processorSeconds,
                Runtime.getRuntime().maxMemory() >> 20,
                heapPeak() >> 20,
                residentPeak() >> 10,
                quality);
    }

    /**
     * {@return which share of the planted documents is among those dropped, by similarity, and how many were dropped that
     * are like no other}
     */
    private static String quality(long count, Iterator<String> dropped) {
        long[] planted = new long[PlantedDocuments.SIMILARITIES.length];
        for (long i = 1; i < count; i += 2) {
            if (DOCUMENTS.similarity(i) > 0) {
                planted[level(i)]++;
            }
        }
        long[] found = new long[planted.length];
        long strangers = 0;
        long all = 0;
        while (dropped.hasNext()) {
            // of two that are alike other programs may keep the later one
            long number = Long.parseLong(dropped.next(), 16) | 1;
            all++;
            if (number < count && DOCUMENTS.similarity(number) > 0) {
                found[level(number)]++;
            } else {
                strangers++;
            }
        }
        StringBuilder recall = new StringBuilder();
        for (int i = 0; i < planted.length; i++) {
            recall.append(String.format(
                    Locale.ROOT,
                    "%s\"%.1f\":{\"planted\":%d,\"recall\":%.4f,\"law\":%.4f}",
                    i == 0 ? "" : ",",
                    PlantedDocuments.SIMILARITIES[i],
                    planted[i],
                    (double) found[i] / Math.max(1, planted[i]),
                    MinHash.Parameters.STANDARD.probability(PlantedDocuments.SIMILARITIES[i])));
        }
        return "\"dropped\":%d,\"dropped_strangers\":%d,\"by_similarity\":{%s}".formatted(all, strangers, recall);
    }

    private static int level(long number) {
        return (int) (number / 2 % PlantedDocuments.SIMILARITIES.length);
    }

    /** {@return the sum of the most that each pool of the heap has held, which they need not have held at one time} */
    private static long heapPeak() {
        return ManagementFactory.getMemoryPoolMXBeans().stream()
                .filter(pool -> pool.getType() == MemoryType.HEAP)
                .map(MemoryPoolMXBean::getPeakUsage)
                .mapToLong(usage -> usage.getUsed())
                .sum();
    }

    private static long residentPeak() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmHWM:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElse(0);
    }
}
