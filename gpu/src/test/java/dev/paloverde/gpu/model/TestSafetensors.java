package dev.paloverde.gpu.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.paloverde.gpu.kernels.DataType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Writes safetensors files, sound ones and others. */
final class TestSafetensors {
    private final Map<String, byte[]> data = new LinkedHashMap<>();
    private final ObjectNode header = TestTokenizer.JSON.createObjectNode();

    TestSafetensors tensor(String name, DataType type, int[] shape, byte[] bytes) {
        int begin = data.values().stream().mapToInt(b -> b.length).sum();
        ObjectNode entry = header.putObject(name).put("dtype", type.name());
        for (int extent : shape) {
            entry.withArray("shape").add(extent);
        }
        if (shape.length == 0) {
            entry.putArray("shape");
        }
        entry.putArray("data_offsets").add(begin).add(begin + bytes.length);
        data.put(name, bytes);
        return this;
    }

    TestSafetensors floats(String name, int[] shape, float... values) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        return tensor(name, DataType.F32, shape, bytes.array());
    }

    ObjectNode header() {
        return header;
    }

    byte[] data() {
        ByteBuffer all = ByteBuffer.allocate(
                data.values().stream().mapToInt(b -> b.length).sum());
        data.values().forEach(all::put);
        return all.array();
    }

    byte[] bytes() {
        return bytes(header.toString(), data());
    }

    void write(Path file) {
        write(file, bytes());
    }

    static byte[] bytes(String header, byte[] data) {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(8 + json.length + data.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(json.length)
                .put(json)
                .put(data)
                .array();
    }

    static void write(Path file, byte[] bytes) {
        try {
            Files.write(file, bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
