package dev.paloverde.pipelines.image;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.spark.sql.Row;

/** The samples of one shard, in order. Holds no more than one sample, and the hashes of the keys that it has seen. */
final class TarSamples implements Iterator<Row>, AutoCloseable {
    private static final Set<String> IMAGES = Set.of("jpg", "jpeg", "png", "gif", "webp", "bmp", "img", "image");
    private static final Set<String> CAPTIONS = Set.of("txt", "caption", "text");
    private static final String METADATA = "json";

    /** What the headers of one member may take: names and extended headers are read into memory by the tar reader. */
    private static final int HEADER_BYTES = 1 << 20;

    /** How many times its size a compressed shard may expand to: images do not shrink, captions to a tenth. */
    private static final int MOST_RATIO = 250;

    /** Below this nothing is said of a shard's expansion. */
    private static final long FREE_BYTES = 64L << 20;

    private static final int RECORD_BYTES = 512;
    private static final int BUFFER_BYTES = 1 << 16;

    private final String path;
    private final ReaderLimits limits;
    private final ArrayDeque<Row> ready = new ArrayDeque<>();
    private final Set<String> keys = new HashSet<>();
    private Counted counted;
    private TarArchiveInputStream tar;
    private Group group;
    private boolean ended;

    TarSamples(String path, ShardOpener opener, ReaderLimits limits) {
        this.path = path;
        this.limits = limits;
        InputStream raw = null;
        try {
            raw = new BufferedInputStream(opener.open(path), BUFFER_BYTES);
            String name = path.toLowerCase(Locale.ROOT);
            if (name.endsWith(".gz") || name.endsWith(".tgz")) {
                Counted packed = new Counted(raw, null);
                counted = new Counted(new GZIPInputStream(packed), packed);
            } else {
                counted = new Counted(raw, null);
            }
            tar = new TarArchiveInputStream(counted);
        } catch (IOException | RuntimeException e) {
            closeQuietly(raw);
            ended = true;
            ready.add(Samples.rejected(
                    null,
                    Samples.source(path, null, null, null, null),
                    ImageRejectReason.UNREADABLE_SHARD,
                    String.valueOf(e)));
        }
    }

    @Override
    public boolean hasNext() {
        while (ready.isEmpty() && !ended) {
            advance();
        }
        return !ready.isEmpty();
    }

    @Override
    public Row next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        return ready.remove();
    }

    /** Reads one member. */
    private void advance() {
        String member = null;
        long offset = counted.count();
        try {
            counted.allow(HEADER_BYTES);
            long header = (offset + RECORD_BYTES - 1) / RECORD_BYTES * RECORD_BYTES;
            TarArchiveEntry entry = tar.getNextEntry();
            counted.allow(Long.MAX_VALUE);
            if (entry == null) {
                if (counted.count() < header + RECORD_BYTES) {
                    // cut between two members, which the tar reader takes for the end
                    throw new EOFException("there is no end-of-archive record");
                }
                endGroup();
                end();
                return;
            }
            member = entry.getName();
            offset = counted.count();
            read(entry, member, offset);
            drain();
        } catch (IOException | RuntimeException e) {
            // the sample that was being read is not whole
            ImageRejectReason reason = ImageRejectReason.TRUNCATED_SHARD;
            ready.add(Samples.rejected(
                    group == null ? null : group.key,
                    Samples.source(path, member, offset, null, null),
                    reason,
                    "the shard is damaged or ends at byte %,d: %s".formatted(counted.count(), e)));
            group = null;
            end();
        }
    }

    /** So that what the next header takes can be bounded by itself. */
    private void drain() throws IOException {
        byte[] buffer = new byte[BUFFER_BYTES];
        while (tar.read(buffer) >= 0) {
            Thread.onSpinWait();
        }
    }

    private void read(TarArchiveEntry entry, String member, long offset) throws IOException {
        if (entry.isDirectory()) {
            return;
        }
        Row source = Samples.source(path, member, offset, entry.getSize(), null);
        if (!entry.isFile() || entry.isSymbolicLink() || entry.isLink() || isUnsafe(member)) {
            ready.add(Samples.rejected(
                    null, source, ImageRejectReason.UNSAFE_MEMBER, "a link, a device, or a path out of the shard"));
            return;
        }
        int slash = member.lastIndexOf('/');
        int dot = member.indexOf('.', slash + 1);
        // no name, no extension: not a part of a sample
        if (dot <= slash + 1) {
            return;
        }
        String key = member.substring(0, dot);
        String extension = member.substring(dot + 1).toLowerCase(Locale.ROOT);
        if (group == null || !group.key.equals(key)) {
            endGroup();
            group = new Group(key, source);
            if (!keys.add(key)) {
                group.reject(ImageRejectReason.DUPLICATE_KEY, "the shard has this key a second time", source);
            }
        }
        String kind = extension.substring(extension.lastIndexOf('.') + 1);
        boolean image = IMAGES.contains(kind);
        if (!image && !CAPTIONS.contains(kind) && !kind.equals(METADATA)) {
            return;
        }
        int limit = image ? limits.imageBytes() : limits.captionBytes();
        if (entry.getSize() > limit) {
            group.reject(
                    image ? ImageRejectReason.MEMBER_TOO_LARGE : ImageRejectReason.CAPTION_TOO_LARGE,
                    "%,d bytes, more than the %,d allowed".formatted(entry.getSize(), limit),
                    source);
            return;
        }
        byte[] bytes = tar.readNBytes((int) entry.getSize());
        if (bytes.length < entry.getSize()) {
            throw new IOException("%,d of %,d bytes of %s are there".formatted(bytes.length, entry.getSize(), member));
        }
        group.add(image, kind.equals(METADATA), bytes, source);
    }

    private static boolean isUnsafe(String member) {
        if (member.startsWith("/") || member.contains("\\") || member.indexOf('\0') >= 0) {
            return true;
        }
        for (String part : member.split("/", -1)) {
            if (part.equals("..")) {
                return true;
            }
        }
        return false;
    }

    private void endGroup() {
        if (group != null) {
            ready.add(group.row());
            group = null;
        }
    }

    private void end() {
        ended = true;
        close();
    }

    @Override
    public void close() {
        closeQuietly(tar);
        closeQuietly(counted);
    }

    private static void closeQuietly(InputStream stream) {
        try {
            if (stream != null) {
                stream.close();
            }
        } catch (IOException e) {
            // it was only read
        }
    }

    /** The members of one sample so far. */
    private static final class Group {
        private final String key;
        private final Row first;
        private byte[] image;
        private Row imageSource;
        private String caption;
        private String metadata;
        private ImageRejectReason reason;
        private String detail;
        private Row culprit;

        Group(String key, Row first) {
            this.key = key;
            this.first = first;
        }

        void reject(ImageRejectReason why, String what, Row where) {
            if (reason == null) {
                reason = why;
                detail = what;
                culprit = where;
                image = null;
            }
        }

        void add(boolean isImage, boolean isMetadata, byte[] bytes, Row source) {
            if (reason != null) {
                return;
            }
            String text = isImage ? null : Samples.text(bytes);
            if (isImage ? image != null : isMetadata ? metadata != null : caption != null) {
                reject(ImageRejectReason.DUPLICATE_KEY, "the sample has this part twice", source);
            } else if (isImage) {
                image = bytes;
                imageSource = source;
            } else if (text == null) {
                reject(ImageRejectReason.INVALID_CAPTION, "not UTF-8", source);
            } else if (isMetadata) {
                metadata = text;
            } else {
                caption = text;
            }
        }

        Row row() {
            if (reason == null && image == null) {
                reject(ImageRejectReason.NO_IMAGE, "no member of the sample is an image", first);
            }
            return reason != null
                    ? Samples.rejected(key, culprit, reason, detail)
                    : Samples.read(key, 0, image, caption, metadata, imageSource);
        }
    }

    /** Counts bytes, and gives no more than are allowed. */
    private static final class Counted extends InputStream {
        private final InputStream in;
        private final Counted packed;
        private long count;
        private long end = Long.MAX_VALUE;

        /** @param packed what is expanded here; null if nothing is */
        Counted(InputStream in, Counted packed) {
            this.in = in;
            this.packed = packed;
        }

        long count() {
            return count;
        }

        void allow(long bytes) {
            end = bytes > Long.MAX_VALUE - count ? Long.MAX_VALUE : count + bytes;
        }

        private void check() throws IOException {
            if (count >= end) {
                throw new IOException("the headers of a member take more than %,d bytes".formatted(HEADER_BYTES));
            }
            if (packed != null && count > FREE_BYTES && count / MOST_RATIO > packed.count()) {
                throw new IOException("it expands to more than %d times its size, %,d bytes so far, and is left at that"
                        .formatted(MOST_RATIO, count));
            }
        }

        @Override
        public int read() throws IOException {
            check();
            int one = in.read();
            count += one < 0 ? 0 : 1;
            return one;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            check();
            int read = in.read(bytes, offset, (int) Math.min(length, end - count));
            count += Math.max(0, read);
            return read;
        }

        @Override
        public void close() throws IOException {
            in.close();
        }
    }

    /** {@return the rows of a whole shard, for small ones} */
    static List<Row> all(String path, ShardOpener opener, ReaderLimits limits) {
        List<Row> rows = new ArrayList<>();
        try (TarSamples samples = new TarSamples(path, opener, limits)) {
            samples.forEachRemaining(rows::add);
        }
        return rows;
    }
}
