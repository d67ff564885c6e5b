package dev.paloverde.pipelines.image;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.sql.Row;

/** The frames of one film that are shown at a rate, in order, and what is wrong with it at their end. */
final class FilmFrames implements Iterator<Row>, AutoCloseable {
    private final String key;
    private final String path;
    private final Films films;
    private String caption;
    private long bytes;
    private FilmCopier.Copy copy;
    private FilmDecoder decoder;
    private int position;
    private Row next;

    FilmFrames(String key, String path, String captionPath, ShardOpener opener, FilmCopier copier, Films films) {
        this.key = key;
        this.path = path;
        this.films = films;
        try {
            if (captionPath != null && !readCaption(captionPath, opener)) {
                return;
            }
            copy = copier.copy(path, films.filmBytes());
            bytes = copy.bytes();
            if (bytes > films.filmBytes()) {
                reject(
                        ImageRejectReason.MEMBER_TOO_LARGE,
                        "more than the %,d bytes allowed".formatted(films.filmBytes()));
                return;
            }
            decoder = FilmDecoder.open(copy.path(), films.images());
            advance();
        } catch (FileNotFoundException e) {
            reject(ImageRejectReason.UNREADABLE_SHARD, "the file is gone: " + e);
        } catch (FilmDecoder.TooLarge e) {
            reject(ImageRejectReason.IMAGE_TOO_LARGE, e.getMessage());
        } catch (IOException | RuntimeException e) {
            reject(ImageRejectReason.UNREADABLE_SHARD, "no film that can be opened: " + e);
        }
    }

    @Override
    public boolean hasNext() {
        return next != null;
    }

    @Override
    public Row next() {
        if (next == null) {
            throw new NoSuchElementException();
        }
        Row frame = next;
        next = null;
        if (decoder != null) {
            try {
                advance();
            } catch (FilmDecoder.TooLarge e) {
                reject(ImageRejectReason.IMAGE_TOO_LARGE, e.getMessage());
            } catch (IOException | RuntimeException e) {
                reject(ImageRejectReason.TRUNCATED_SHARD, String.valueOf(e));
            }
        }
        return frame;
    }

    private void advance() throws IOException {
        if (position == Films.MOST_FRAMES) {
            reject(
                    ImageRejectReason.TRUNCATED_SHARD,
                    "%,d frames are read, and no more of one film".formatted(Films.MOST_FRAMES));
            return;
        }
        FilmDecoder.Shown shown = decoder.shownAt(position / films.framesPerSecond());
        if (shown == null) {
            if (decoder.damage() != null) {
                reject(
                        ImageRejectReason.TRUNCATED_SHARD,
                        "%,d frames are read; %s".formatted(position, decoder.damage()));
            }
            close();
            return;
        }
        next = Samples.read(key, position++, shown.png(), caption, null, source(shown.frame()));
    }

    private boolean readCaption(String from, ShardOpener opener) throws IOException {
        int most = films.limits().captionBytes();
        byte[] read;
        try (InputStream in = opener.open(from)) {
            read = in.readNBytes(most == Integer.MAX_VALUE ? most : most + 1);
        }
        caption = read.length > most ? null : Samples.text(read);
        if (caption == null) {
            reject(
                    read.length > most ? ImageRejectReason.CAPTION_TOO_LARGE : ImageRejectReason.INVALID_CAPTION,
                    read.length > most ? "more than the %,d bytes allowed".formatted(most) : "not UTF-8");
        }
        return caption != null;
    }

    private void reject(ImageRejectReason reason, String detail) {
        next = Samples.rejected(key, source(null), reason, detail);
        close();
    }

    private Row source(Integer frame) {
        return Samples.source(path, null, 0L, bytes, frame);
    }

    @Override
    public void close() {
        if (decoder != null) {
            decoder.close();
            decoder = null;
        }
        if (copy != null) {
            copy.close();
            copy = null;
        }
    }
}
