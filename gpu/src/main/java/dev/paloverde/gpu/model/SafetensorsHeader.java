package dev.paloverde.gpu.model;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What a safetensors file says is in it: 8 bytes of length, little-endian, that many bytes of JSON, then the numbers.
 * Whoever wrote the file may lie, so every number is held against the file before anything is done with it: the header
 * fits in the file, shapes and types make up the lengths claimed, and the tensors cover the data without hole or overlap,
 * so that no byte means two things and none means nothing.
 *
 * @param dataStart where the numbers begin, in bytes from the start of the file
 * @param entries tensors by name
 * @see <a href="https://github.com/huggingface/safetensors#format">the format</a>
 */
record SafetensorsHeader(long dataStart, Map<String, Entry> entries) {
    static final int LENGTH_BYTES = 8;

    /** As the reference implementation has it. */
    static final long MOST_HEADER_BYTES = 100_000_000;

    private static final int MOST_TENSORS = 200_000;
    private static final int MOST_DIMENSIONS = 16;
    private static final int LONGEST_NAME = 1_024;

    /**
     * One tensor.
     *
     * @param type name of the type of its numbers
     * @param shape extents, the slowest first; empty for a scalar
     * @param begin first byte, counted from {@link #dataStart}
     * @param end one past the last
     */
    record Entry(String type, List<Long> shape, long begin, long end) {}

    /**
     * Reads the header of a file, streaming: memory is taken for the tensors found, not for the length claimed.
     *
     * @throws PaloverdeException MODEL_CORRUPT, with the file and the value that is wrong
     */
    static SafetensorsHeader read(FileChannel channel, Path file) throws IOException {
        return new Reader(file, channel.size()).read(channel);
    }

    /** Bits of one number by type, as the format lists them; 0 for a type that it does not. */
    private static int bits(String type) {
        return switch (type) {
            case "F4" -> 4;
            case "F6_E2M3", "F6_E3M2" -> 6;
            case "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ" -> 8;
            case "I16", "U16", "F16", "BF16" -> 16;
            case "I32", "U32", "F32" -> 32;
            case "I64", "U64", "F64", "C64" -> 64;
            default -> 0;
        };
    }

    private record Reader(Path file, long size) {
        SafetensorsHeader read(FileChannel channel) throws IOException {
            if (size < LENGTH_BYTES) {
                throw corrupt("it has %,d bytes, too few for a header".formatted(size));
            }
            ByteBuffer buffer = ByteBuffer.allocate(LENGTH_BYTES).order(ByteOrder.LITTLE_ENDIAN);
            while (buffer.hasRemaining() && channel.read(buffer, buffer.position()) >= 0) {
                // until all are there
            }
            long length = buffer.getLong(0);
            if (length < 2 || length > MOST_HEADER_BYTES || length > size - LENGTH_BYTES) {
                throw corrupt("it claims a header of %s bytes and has %,d bytes; at most %,d are read"
                        .formatted(Long.toUnsignedString(length), size, MOST_HEADER_BYTES));
            }
            Map<String, Entry> entries;
            try (InputStream in = new ChannelInput(channel, LENGTH_BYTES, LENGTH_BYTES + length);
                    JsonParser parser = ModelJson.STRICT.createParser(in)) {
                entries = entries(parser);
            } catch (IOException e) {
                throw ModelJson.malformed(file, e);
            }
            long dataStart = LENGTH_BYTES + length;
            requireCover(entries, size - dataStart);
            return new SafetensorsHeader(dataStart, Map.copyOf(entries));
        }

        private Map<String, Entry> entries(JsonParser parser) throws IOException {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw corrupt("its header is not a JSON object");
            }
            Map<String, Entry> entries = new HashMap<>();
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String name = parser.currentName();
                if (name.length() > LONGEST_NAME) {
                    throw corrupt("a tensor has a name of %,d characters; at most %,d are read"
                            .formatted(name.length(), LONGEST_NAME));
                }
                if (parser.nextToken() != JsonToken.START_OBJECT) {
                    throw corrupt("the entry of '%s' is not a JSON object".formatted(name));
                }
                if (name.equals("__metadata__")) {
                    parser.skipChildren();
                    continue;
                }
                entries.put(name, entry(parser, name));
                if (entries.size() > MOST_TENSORS) {
                    throw corrupt("it has more than %,d tensors".formatted(MOST_TENSORS));
                }
            }
            if (parser.nextToken() != null) {
                throw corrupt("something follows the JSON object in its header");
            }
            return entries;
        }

        private Entry entry(JsonParser parser, String name) throws IOException {
            String type = null;
            List<Long> shape = null;
            List<Long> offsets = null;
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String key = parser.currentName();
                JsonToken value = parser.nextToken();
                switch (key) {
                    case "dtype" -> {
                        if (value != JsonToken.VALUE_STRING || bits(parser.getText()) == 0) {
                            throw corrupt("tensor '%s' has the unknown dtype %s".formatted(name, shown(parser)));
                        }
                        type = parser.getText();
                    }
                    case "shape" -> shape = numbers(parser, name, key);
                    case "data_offsets" -> offsets = numbers(parser, name, key);
                    default -> parser.skipChildren();
                }
            }
            if (type == null || shape == null || offsets == null || offsets.size() != 2) {
                throw corrupt("tensor '%s' lacks a dtype, a shape or two data_offsets".formatted(name));
            }
            long begin = offsets.get(0);
            long end = offsets.get(1);
            long bits = bits(type);
            try {
                for (long extent : shape) {
                    bits = Math.multiplyExact(bits, extent);
                }
            } catch (ArithmeticException e) {
                throw corrupt("tensor '%s' has the shape %s, more than any file can hold".formatted(name, shape));
            }
            if (end < begin || bits % 8 != 0 || end - begin != bits / 8) {
                throw corrupt("tensor '%s' has data_offsets %s, %,d bytes, but %s of shape %s takes %,d"
                        .formatted(name, offsets, end - begin, type, shape, bits / 8));
            }
            return new Entry(type, shape, begin, end);
        }

        private List<Long> numbers(JsonParser parser, String name, String key) throws IOException {
            if (parser.currentToken() != JsonToken.START_ARRAY) {
                throw corrupt("tensor '%s': %s is not a list".formatted(name, key));
            }
            List<Long> numbers = new ArrayList<>();
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                boolean whole = parser.currentToken() == JsonToken.VALUE_NUMBER_INT
                        && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER;
                if (!whole || parser.getLongValue() < 0 || numbers.size() == MOST_DIMENSIONS) {
                    throw corrupt("tensor '%s': %s has %s at place %d; it must be up to %d whole numbers from 0"
                            .formatted(name, key, shown(parser), numbers.size(), MOST_DIMENSIONS));
                }
                numbers.add(parser.getLongValue());
            }
            return List.copyOf(numbers);
        }

        /** One after the other, from the first byte of the data to its last. */
        private void requireCover(Map<String, Entry> entries, long dataBytes) {
            List<Map.Entry<String, Entry>> ordered = new ArrayList<>(entries.entrySet());
            ordered.sort(Comparator.<Map.Entry<String, Entry>>comparingLong(
                            e -> e.getValue().begin())
                    .thenComparingLong(e -> e.getValue().end()));
            long covered = 0;
            for (Map.Entry<String, Entry> tensor : ordered) {
                Entry entry = tensor.getValue();
                if (entry.end() > dataBytes) {
                    throw corrupt("tensor '%s' ends at byte %,d of the data, and there are %,d; the file is cut short"
                            .formatted(tensor.getKey(), entry.end(), dataBytes));
                }
                if (entry.begin() != covered) {
                    throw corrupt(
                            "tensor '%s' begins at byte %,d of the data, and the one before it ends at %,d; they %s"
                                    .formatted(
                                            tensor.getKey(),
                                            entry.begin(),
                                            covered,
                                            entry.begin() < covered ? "overlap" : "leave a hole"));
                }
                covered = entry.end();
            }
            if (covered != dataBytes) {
                throw corrupt(
                        "its tensors end at byte %,d of the data, and there are %,d".formatted(covered, dataBytes));
            }
        }

        private static String shown(JsonParser parser) throws IOException {
            String text = String.valueOf(parser.getText());
            return text.length() > 50 ? text.substring(0, 50) + "..." : text;
        }

        private PaloverdeException corrupt(String what) {
            return new PaloverdeException(
                    ErrorCode.MODEL_CORRUPT,
                    "%s is not a sound safetensors file: %s; download it again".formatted(file, what));
        }
    }

    /** Bytes of a part of a file. */
    private static final class ChannelInput extends InputStream {
        private final FileChannel channel;
        private final long end;
        private long position;

        ChannelInput(FileChannel channel, long start, long end) {
            this.channel = channel;
            this.position = start;
            this.end = end;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 255;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            int wanted = (int) Math.min(length, end - position);
            if (wanted <= 0) {
                return length == 0 ? 0 : -1;
            }
            int read = channel.read(ByteBuffer.wrap(bytes, offset, wanted), position);
            position += Math.max(read, 0);
            return read;
        }
    }

    @Override
    public String toString() {
        return "SafetensorsHeader[%,d tensors %s]"
                .formatted(
                        entries.size(),
                        Arrays.toString(entries.keySet().stream().limit(10).toArray()));
    }
}
