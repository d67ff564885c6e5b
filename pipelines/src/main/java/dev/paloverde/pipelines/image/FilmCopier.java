package dev.paloverde.pipelines.image;

import java.io.IOException;
import java.io.Serializable;

/**
 * How tasks get a film as a file of their own disk, in which a decoder can move about. Who runs a pipeline knows file systems;
 * the pipeline does not.
 */
@FunctionalInterface
public interface FilmCopier extends Serializable {
    /** A file that is deleted when it is closed. */
    interface Copy extends AutoCloseable {
        /** {@return where it is} */
        String path();

        /** {@return its bytes} */
        long bytes();

        @Override
        void close();
    }

    /**
     * Copies a file.
     *
     * @param path as it was given to the reader
     * @param most a longer file is copied up to one byte more than this
     * @return closed by the caller
     */
    Copy copy(String path, long most) throws IOException;
}
