package dev.paloverde.pipelines.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.image.ImageFile;
import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.gpu.image.Resampling;
import dev.paloverde.gpu.image.Resizer;
import dev.paloverde.pipelines.LocalSpark;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.constraints.IntRange;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;

/** Perceptual hashes against another implementation, and the search against all pairs. */
class ImageDuplicatesTest {
    private static final StructType IMAGES =
            new StructType().add(ImageDuplicates.DIGEST, "string").add(ImageDuplicates.HASH, "long");

    @Test
    void hashesAsPillowAndNumpyDo() throws IOException {
        JsonNode cases;
        try (InputStream in = ImageDuplicatesTest.class.getResourceAsStream("/perceptual-hashes.json")) {
            cases = new ObjectMapper().readTree(in).path("cases");
        }
        assertThat(cases.size()).isEqualTo(12);
        for (JsonNode one : cases) {
            byte[] png = Base64.getDecoder().decode(one.path("png").textValue());
            long hash =
                    PerceptualHash.of(ImageFile.open(png, ImageLimits.STANDARD).decode());
            assertThat("%016x".formatted(hash)).isEqualTo(one.path("hash").textValue());
        }
    }

    /** Half the size, another format, twice the size: within the standard distance; other pictures: far from it. */
    @Test
    void whatLooksAlikeIsNear() {
        for (int seed = 0; seed < 20; seed++) {
            long hash = hash(Shards.encode(Shards.picture(200, 160, seed), "png"));
            assertThat(Long.bitCount(hash ^ hash(Shards.encode(Shards.picture(200, 160, seed), "jpg"))))
                    .isLessThanOrEqualTo(ImageDuplicates.STANDARD.distance());
            var picture = ImageFile.open(Shards.encode(Shards.picture(200, 160, seed), "png"), ImageLimits.STANDARD)
                    .decode();
            long half = PerceptualHash.of(Resizer.resize(picture, 100, 80, Resampling.BICUBIC));
            assertThat(Long.bitCount(hash ^ half)).isLessThanOrEqualTo(ImageDuplicates.STANDARD.distance());
            for (int other = 0; other < seed; other++) {
                assertThat(Long.bitCount(hash ^ hash(Shards.encode(Shards.picture(200, 160, other), "png"))))
                        .isGreaterThan(8);
            }
        }
    }

    private static long hash(byte[] file) {
        return PerceptualHash.of(ImageFile.open(file, ImageLimits.STANDARD).decode());
    }

    @Property(tries = 3, shrinking = ShrinkingMode.OFF)
    void findsAllPairsAndNoOthers(
            @ForAll @IntRange(min = 0, max = ImageDuplicates.MOST_DISTANCE) int distance, @ForAll long seed) {
        Random random = new Random(seed);
        Map<String, Long> hashes = new TreeMap<>();
        List<Long> known = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            long hash = random.nextLong();
            if (i % 3 > 0) {
                hash = known.get(random.nextInt(known.size()));
                for (int bit = random.nextInt(distance + 3); bit > 0; bit--) {
                    hash ^= 1L << random.nextInt(64);
                }
            }
            known.add(hash);
            hashes.put("%064x".formatted(random.nextLong() >>> 1), hash);
        }
        Map<String, String> expected = bruteForce(hashes, distance);
        List<Row> rows = new ArrayList<>();
        hashes.forEach((digest, hash) -> rows.add(RowFactory.create(digest, hash)));
        // some images more than once
        rows.addAll(rows.subList(0, 20));
        for (int partitions : new int[] {1, 5}) {
            Collections.shuffle(rows, random);
            Dataset<Row> images =
                    LocalSpark.session().createDataFrame(rows, IMAGES).repartition(partitions);
            Map<String, String> found = new TreeMap<>();
            for (Row row : new ImageDuplicates(distance).clusters(images).collectAsList()) {
                assertThat(found.put(row.getString(0), row.getString(1))).isNull();
            }
            assertThat(found).isEqualTo(expected);
        }
    }

    @Test
    void refusesDistancesThatItCannotSearch() {
        for (int distance : new int[] {-1, 12, 64}) {
            assertThatThrownBy(() -> new ImageDuplicates(distance))
                    .isInstanceOf(PaloverdeException.class)
                    .hasMessageContaining("0 to 11");
        }
    }

    private static Map<String, String> bruteForce(Map<String, Long> hashes, int distance) {
        List<String> digests = new ArrayList<>(hashes.keySet());
        Map<String, Set<String>> components = new HashMap<>();
        digests.forEach(digest -> components.put(digest, new TreeSet<>(Set.of(digest))));
        for (String one : digests) {
            for (String other : digests) {
                if (Long.bitCount(hashes.get(one) ^ hashes.get(other)) <= distance
                        && components.get(one) != components.get(other)) {
                    Set<String> both = components.get(one);
                    both.addAll(components.get(other));
                    both.forEach(member -> components.put(member, both));
                }
            }
        }
        Map<String, String> least = new TreeMap<>();
        components.forEach((digest, members) -> {
            String first = members.iterator().next();
            if (!first.equals(digest)) {
                least.put(digest, first);
            }
        });
        return least;
    }
}
