package dev.paloverde.gpu.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.DataType;
import dev.paloverde.gpu.kernels.HostTensor;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFileTest {
    @TempDir
    Path directory;

    @Test
    void readsMatricesAndVectors() {
        Path file = directory.resolve("model.safetensors");
        new TestSafetensors()
                .floats("matrix", new int[] {2, 3}, 1, 2, 3, 4, 5, 6)
                .floats("vector", new int[] {2}, 7, 8)
                .write(file);
        try (SafetensorsFile read = SafetensorsFile.open(file)) {
            HostTensor matrix = read.tensor("matrix").orElseThrow();
            assertThat(matrix.rows()).isEqualTo(2);
            assertThat(matrix.columns()).isEqualTo(3);
            assertThat(floats(matrix.rows(1, 1))).containsExactly(4, 5, 6);
            HostTensor vector = read.tensor("vector").orElseThrow();
            assertThat(vector.rows()).isEqualTo(1);
            assertThat(floats(vector.rows(0, 1))).containsExactly(7, 8);
            assertThat(read.tensor("other")).isEmpty();
        }
    }

    @Test
    void staysReadableAfterItIsClosed() {
        Path file = directory.resolve("model.safetensors");
        new TestSafetensors().floats("a", new int[] {2}, 1, 2).write(file);
        SafetensorsFile read = SafetensorsFile.open(file);
        ByteBuffer rows = read.tensor("a").orElseThrow().rows(0, 1);
        read.close();
        assertThat(floats(rows)).containsExactly(1, 2);
    }

    @Test
    void readsAcrossTheEndOfAPiece() {
        Path file = directory.resolve("model.safetensors");
        float[] values = new float[21];
        for (int i = 0; i < values.length; i++) {
            values[i] = i;
        }
        new TestSafetensors().floats("a", new int[] {7, 3}, values).write(file);
        for (int piece : new int[] {1, 12, 13, 24, 60, 84, 1000}) {
            try (SafetensorsFile read = SafetensorsFile.open(file, piece)) {
                HostTensor tensor = read.tensor("a").orElseThrow();
                for (int first = 0; first <= 7; first++) {
                    for (int count = 0; count <= 7 - first; count++) {
                        assertThat(floats(tensor.rows(first, count)))
                                .containsExactly(Arrays.copyOfRange(values, 3 * first, 3 * (first + count)));
                    }
                }
            }
        }
    }

    @Test
    void readsTensorsBeyondTwoGibibytes() throws IOException {
        Path file = directory.resolve("model.safetensors");
        long rows = 600_000;
        long columns = 2_000;
        long bytes = rows * columns * 2;
        String header = "{\"big\":{\"dtype\":\"BF16\",\"shape\":[%d,%d],\"data_offsets\":[0,%d]}}"
                .formatted(rows, columns, bytes);
        TestSafetensors.write(file, TestSafetensors.bytes(header, new byte[0]));
        try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
            long data = sparse.length();
            sparse.setLength(data + bytes);
            sparse.seek(data + bytes - 2);
            sparse.write(new byte[] {(byte) 0x80, 0x3f});
        }
        try (SafetensorsFile read = SafetensorsFile.open(file)) {
            HostTensor tensor = read.tensor("big").orElseThrow();
            ByteBuffer last = tensor.rows((int) rows - 2, 2);
            assertThat(last.remaining()).isEqualTo(8_000);
            assertThat(last.getShort(7_998)).isEqualTo((short) 0x3f80);
            assertThat(tensor.rows(0, 500_000).remaining()).isEqualTo(2_000_000_000);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "1",
                "{",
                "{}x",
                "{} {}",
                "{\"a\":1}",
                "{\"a\":{}}",
                "{\"__metadata__\":1}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}",
                "{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":null,\"shape\":[1],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":\"1\",\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807,9223372036854775807],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,99999999999999999999]}}",
                "{\"a\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,0]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[3,4]}}",
            })
    void refusesHeadersThatLie(String header) {
        assertCorrupt(TestSafetensors.bytes(header, new byte[4]));
    }

    @Test
    void refusesLengthsThatLie() {
        byte[] sound = new TestSafetensors().floats("a", new int[] {1}, 1).bytes();
        for (long length : new long[] {
            0, 1, -1, Long.MIN_VALUE, Long.MAX_VALUE, 100_000_001, sound.length - 8 + 1, sound.length, Integer.MAX_VALUE
        }) {
            byte[] bytes = sound.clone();
            ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length);
            assertCorrupt(bytes);
        }
        assertCorrupt(new byte[0]);
        assertCorrupt(new byte[7]);
        assertCorrupt(Arrays.copyOf(sound, sound.length - 1));
        assertCorrupt(Arrays.copyOf(sound, sound.length + 1));
    }

    @Test
    void refusesDepthAndNamesWithoutEnd() {
        assertCorrupt(TestSafetensors.bytes("{\"a\":" + "[".repeat(100_000), new byte[0]));
        assertCorrupt(TestSafetensors.bytes("{\"__metadata__\":" + "{\"a\":".repeat(100_000), new byte[0]));
        assertCorrupt(TestSafetensors.bytes("{\"" + "a".repeat(1_000_000) + "\":{}}", new byte[0]));
        assertCorrupt(TestSafetensors.bytes("{\"a\":{\"dtype\":\"" + "F".repeat(10_000_000) + "\"}}", new byte[0]));
        assertCorrupt(TestSafetensors.bytes(
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[" + "1".repeat(100_000) + "],\"data_offsets\":[0,4]}}",
                new byte[4]));
    }

    @Test
    void refusesBytesThatAreNoText() {
        byte[] header = "{\"a\":{}}".getBytes(StandardCharsets.UTF_8);
        header[2] = (byte) 0xff;
        byte[] bytes = ByteBuffer.allocate(16)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(8)
                .put(header)
                .array();
        assertCorrupt(bytes);
    }

    @Test
    void readsMetadataEmptyTensorsAndPadding() {
        Path file = directory.resolve("model.safetensors");
        String header = "{\"__metadata__\":{\"format\":\"pt\"},"
                + "\"b\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[4,4]},"
                + "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                + "\"i\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[4,12]},"
                + "\"f8\":{\"dtype\":\"F8_E4M3\",\"shape\":[2,2,1],\"data_offsets\":[12,16]}}      ";
        TestSafetensors.write(file, TestSafetensors.bytes(header, new byte[16]));
        try (SafetensorsFile read = SafetensorsFile.open(file)) {
            assertThat(read.names()).containsExactlyInAnyOrder("a", "b", "i", "f8");
            assertThat(read.tensor("b").orElseThrow().rows(0, 0).remaining()).isZero();
            for (String name : List.of("i", "f8")) {
                assertThatThrownBy(() -> read.tensor(name))
                        .isInstanceOfSatisfying(
                                PaloverdeException.class,
                                e -> assertThat(e.code()).isEqualTo(ErrorCode.UNSUPPORTED_MODEL))
                        .hasMessageContaining("'" + name + "'");
            }
        }
    }

    @Test
    void findsNumbersThatAreNone() {
        Random random = new Random(7);
        for (DataType type : DataType.values()) {
            for (int length = 1; length < 40; length++) {
                ByteBuffer bytes = ByteBuffer.allocate(length * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
                for (int i = 0; i < length; i++) {
                    put(bytes, type, i, finite(random, type));
                }
                assertThat(FiniteScan.firstNotFinite(bytes, type)).isEqualTo(-1);
                int at = random.nextInt(length);
                put(bytes, type, at, random.nextBoolean() ? exponent(type) : exponent(type) | random.nextInt());
                assertThat(FiniteScan.firstNotFinite(bytes, type)).isEqualTo(at * type.bytes());
            }
        }
    }

    private static int exponent(DataType type) {
        return switch (type) {
            case F32 -> 0x7f80_0000;
            case F16 -> 0x7c00;
            case BF16 -> 0x7f80;
        };
    }

    private static int finite(Random random, DataType type) {
        while (true) {
            int bits = random.nextInt();
            if ((bits & exponent(type)) != exponent(type)) {
                return bits;
            }
        }
    }

    private static void put(ByteBuffer bytes, DataType type, int at, int bits) {
        if (type == DataType.F32) {
            bytes.putInt(4 * at, bits);
        } else {
            bytes.putShort(2 * at, (short) bits);
        }
    }

    private void assertCorrupt(byte[] bytes) {
        Path file = directory.resolve("model.safetensors");
        TestSafetensors.write(file, bytes);
        assertThatThrownBy(() -> SafetensorsFile.open(file).close())
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_CORRUPT))
                .hasMessageContaining(file.toString())
                .hasMessageContaining("download it again");
    }

    private static float[] floats(ByteBuffer bytes) {
        float[] values = new float[bytes.remaining() / 4];
        bytes.asFloatBuffer().get(values);
        return values;
    }

    /** What is written is read; what was damaged is refused or read, and nothing else happens. */
    static class AnyFile {
        private static Path file;

        @BeforeContainer
        static void create() throws IOException {
            file = Files.createTempFile("any", ".safetensors");
        }

        @AfterContainer
        static void delete() throws IOException {
            Files.delete(file);
        }

        @Provide
        Arbitrary<int[]> shapes() {
            return Arbitraries.integers()
                    .between(0, 9)
                    .array(int[].class)
                    .ofMinSize(1)
                    .ofMaxSize(2);
        }

        @Property(tries = 200)
        void roundTrips(
                @ForAll("tensors") @Size(max = 5) List<Tensor> tensors,
                @ForAll @IntRange(min = 1, max = 100) int piece) {
            TestSafetensors written = new TestSafetensors();
            for (int i = 0; i < tensors.size(); i++) {
                Tensor tensor = tensors.get(i);
                written.tensor("é " + i, tensor.type, tensor.shape, tensor.bytes);
            }
            written.write(file);
            try (SafetensorsFile read = SafetensorsFile.open(file, piece)) {
                assertThat(read.names()).hasSize(tensors.size());
                for (int i = 0; i < tensors.size(); i++) {
                    HostTensor tensor = read.tensor("é " + i).orElseThrow();
                    assertThat(tensor.type()).isEqualTo(tensors.get(i).type);
                    byte[] bytes = new byte[tensors.get(i).bytes.length];
                    tensor.rows(0, tensor.rows()).get(bytes);
                    assertThat(bytes).isEqualTo(tensors.get(i).bytes);
                }
            }
        }

        @Property(tries = 1000)
        void survivesMutation(
                @ForAll @IntRange(max = 260) int at, @ForAll byte value, @ForAll @IntRange(max = 300) int length) {
            byte[] bytes = new TestSafetensors()
                    .floats("first", new int[] {2, 3}, 1, 2, 3, 4, 5, 6)
                    .floats("second", new int[] {4}, 1, 2, 3, 4)
                    .bytes();
            bytes[Math.min(at, bytes.length - 1)] = value;
            TestSafetensors.write(file, Arrays.copyOf(bytes, Math.min(bytes.length, bytes.length + 30 - length / 10)));
            openAndReadAll();
        }

        @Property(tries = 500)
        void survivesAnyHeader(@ForAll("headers") String header) {
            TestSafetensors.write(file, TestSafetensors.bytes(header, new byte[24]));
            openAndReadAll();
        }

        private static void openAndReadAll() {
            try (SafetensorsFile read = SafetensorsFile.open(file)) {
                for (String name : read.names()) {
                    HostTensor tensor = read.tensor(name).orElseThrow();
                    long size = (long) tensor.rows()
                            * tensor.columns()
                            * tensor.type().bytes();
                    assertThat(tensor.rows(0, tensor.rows()).remaining()).isEqualTo((int) size);
                }
            } catch (PaloverdeException e) {
                assertThat(e.code()).isIn(ErrorCode.MODEL_CORRUPT, ErrorCode.UNSUPPORTED_MODEL);
                assertThat(e).hasMessageContaining(file.toString());
            }
        }

        @Provide
        Arbitrary<List<Tensor>> tensors() {
            Arbitrary<Tensor> tensor = Combinators.combine(
                            Arbitraries.of(DataType.class), shapes(), Arbitraries.longs())
                    .as((type, shape, seed) -> {
                        byte[] bytes =
                                new byte[type.bytes() * Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
                        new Random(seed).nextBytes(bytes);
                        return new Tensor(type, shape, bytes);
                    });
            return tensor.list();
        }

        @Provide
        Arbitrary<String> headers() {
            Arbitrary<String> numbers = Arbitraries.of(
                    "0",
                    "1",
                    "2",
                    "4",
                    "8",
                    "24",
                    "-1",
                    "1e9",
                    "9223372036854775807",
                    "18446744073709551615",
                    "null",
                    "\"4\"",
                    "[]",
                    "{}");
            Arbitrary<String> lists = numbers.list().ofMaxSize(4).map(list -> "[" + String.join(",", list) + "]");
            Arbitrary<String> types = Arbitraries.of(
                    "\"F32\"", "\"BF16\"", "\"F16\"", "\"U8\"", "\"F4\"", "\"\"", "0", "null", "\"I64\"");
            Arbitrary<String> entries = Combinators.combine(
                            Arbitraries.of("a", "b", "__metadata__"), types, lists, lists)
                    .as((name, type, shape, offsets) -> "\"%s\":{\"dtype\":%s,\"shape\":%s,\"data_offsets\":%s}"
                            .formatted(name, type, shape, offsets));
            return entries.list().ofMaxSize(3).map(list -> "{" + String.join(",", list) + "}");
        }

        /** One to write. */
        record Tensor(DataType type, int[] shape, byte[] bytes) {}
    }
}
