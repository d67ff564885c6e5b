package dev.paloverde.gpu.model;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.DataType;
import dev.paloverde.gpu.kernels.HostTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** One safetensors file, its header checked, its numbers mapped into memory piece by piece as they are asked for. */
final class SafetensorsFile implements AutoCloseable {
    /** Pieces of a tensor that are mapped at once, in bytes; a single mapping ends at 2 GiB. */
    private static final long PIECE_BYTES = 1L << 30;

    private final Path file;
    private final FileChannel channel;
    private final SafetensorsHeader header;
    private final long pieceBytes;

    private SafetensorsFile(Path file, FileChannel channel, SafetensorsHeader header, long pieceBytes) {
        this.file = file;
        this.channel = channel;
        this.header = header;
        this.pieceBytes = pieceBytes;
    }

    static SafetensorsFile open(Path file) {
        return open(file, PIECE_BYTES);
    }

    /** As {@link #open(Path)}, with pieces of another size, so that small files can be read in several. */
    static SafetensorsFile open(Path file, long pieceBytes) {
        FileChannel channel = null;
        try {
            channel = FileChannel.open(file, StandardOpenOption.READ);
            return new SafetensorsFile(file, channel, SafetensorsHeader.read(channel, file), pieceBytes);
        } catch (IOException e) {
            closeQuietly(channel);
            throw ModelJson.unreadable(file, e);
        } catch (RuntimeException e) {
            closeQuietly(channel);
            throw e;
        }
    }

    Path path() {
        return file;
    }

    Set<String> names() {
        return header.entries().keySet();
    }

    /**
     * A tensor as rows and columns: a vector is one row.
     *
     * @return empty if the file has none of that name
     * @throws PaloverdeException UNSUPPORTED_MODEL if its numbers are not floating-point, or it is not a matrix or vector
     */
    Optional<HostTensor> tensor(String name) {
        SafetensorsHeader.Entry entry = header.entries().get(name);
        if (entry == null) {
            return Optional.empty();
        }
        DataType type = type(name, entry);
        List<Long> shape = entry.shape();
        long rows = shape.size() == 2 ? shape.get(0) : 1;
        long columns = shape.isEmpty() ? 0 : shape.get(shape.size() - 1);
        if (shape.isEmpty()
                || shape.size() > 2
                || rows > Integer.MAX_VALUE
                || columns > Integer.MAX_VALUE / type.bytes()) {
            throw new PaloverdeException(
                    ErrorCode.UNSUPPORTED_MODEL,
                    "%s: tensor '%s' has the shape %s; Paloverde reads vectors, and matrices with rows below 2 GiB"
                            .formatted(file, name, shape));
        }
        return Optional.of(new MappedTensor(name, type, (int) rows, (int) columns, header.dataStart() + entry.begin()));
    }

    /**
     * A tensor of any shape as the matrix that its numbers are in row-major order.
     *
     * @return empty if the file has none of that name, or it does not have {@code rows * columns} numbers
     * @throws PaloverdeException UNSUPPORTED_MODEL if its numbers are not floating-point
     */
    Optional<HostTensor> reshaped(String name, int rows, int columns) {
        SafetensorsHeader.Entry entry = header.entries().get(name);
        if (entry == null) {
            return Optional.empty();
        }
        long numbers = 1;
        for (long side : entry.shape()) {
            // the header's check of sizes keeps this in range
            numbers *= side;
        }
        DataType type = type(name, entry);
        return numbers == (long) rows * columns
                ? Optional.of(new MappedTensor(name, type, rows, columns, header.dataStart() + entry.begin()))
                : Optional.empty();
    }

    private DataType type(String name, SafetensorsHeader.Entry entry) {
        return switch (entry.type()) {
            case "F32" -> DataType.F32;
            case "F16" -> DataType.F16;
            case "BF16" -> DataType.BF16;
            default ->
                throw new PaloverdeException(
                        ErrorCode.UNSUPPORTED_MODEL,
                        "%s: tensor '%s' is %s; Paloverde reads F32, F16 and BF16: use an unquantised model"
                                .formatted(file, name, entry.type()));
        };
    }

    /** Closes the file. What was mapped stays readable until it is garbage. */
    @Override
    public void close() {
        closeQuietly(channel);
    }

    private static void closeQuietly(FileChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            // it was only read
        }
    }

    private final class MappedTensor implements HostTensor {
        private final String name;
        private final DataType type;
        private final int rows;
        private final int columns;
        private final long offset;
        private final int pieceRows;
        private final ByteBuffer[] pieces;

        MappedTensor(String name, DataType type, int rows, int columns, long offset) {
            this.name = name;
            this.type = type;
            this.rows = rows;
            this.columns = columns;
            this.offset = offset;
            pieceRows = (int) Math.max(1, Math.min(rows, pieceBytes / Math.max(1, rowBytes())));
            pieces = new ByteBuffer[rows / pieceRows + 1];
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public DataType type() {
            return type;
        }

        @Override
        public int rows() {
            return rows;
        }

        @Override
        public int columns() {
            return columns;
        }

        @Override
        public synchronized ByteBuffer rows(int first, int count) {
            if (first < 0 || count < 0 || first > rows - count) {
                throw new IndexOutOfBoundsException(
                        "rows %d to %d of %s, which has %d".formatted(first, (long) first + count, name, rows));
            }
            int piece = first / pieceRows;
            int start = piece * pieceRows;
            if (first + count > Math.min(rows, (long) start + pieceRows)) {
                return map(first, count);
            }
            if (pieces[piece] == null) {
                pieces[piece] = map(start, Math.min(pieceRows, rows - start));
            }
            return pieces[piece]
                    .slice(Math.toIntExact((first - start) * rowBytes()), Math.toIntExact(count * rowBytes()))
                    .order(ByteOrder.LITTLE_ENDIAN);
        }

        private long rowBytes() {
            return (long) columns * type.bytes();
        }

        private ByteBuffer map(int first, int count) {
            try {
                return channel.map(FileChannel.MapMode.READ_ONLY, offset + first * rowBytes(), count * rowBytes())
                        .order(ByteOrder.LITTLE_ENDIAN);
            } catch (IOException e) {
                throw ModelJson.unreadable(file, e);
            }
        }
    }
}
