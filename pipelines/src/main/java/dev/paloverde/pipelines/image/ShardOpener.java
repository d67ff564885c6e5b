package dev.paloverde.pipelines.image;

import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;

/** How tasks open files. Who runs a pipeline knows file systems; the pipeline does not. */
@FunctionalInterface
public interface ShardOpener extends Serializable {
    /**
     * Opens a file from its beginning.
     *
     * @param path as it was given to the reader
     * @return closed by the caller
     */
    InputStream open(String path) throws IOException;
}
