package dev.paloverde.jobs;

import dev.paloverde.pipelines.image.FilmCopier;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Copies files of any file system that Hadoop's configuration knows to the temporary directory, in tasks. */
final class HadoopCopier implements FilmCopier {
    private static final long serialVersionUID = 1L;
    private static final int BUFFER_BYTES = 1 << 16;

    private final HadoopOpener opener;

    HadoopCopier(HadoopOpener opener) {
        this.opener = opener;
    }

    @Override
    public Copy copy(String path, long most) throws IOException {
        Path copy = Files.createTempFile("paloverde-film-", ".film");
        try (InputStream in = opener.open(path);
                OutputStream out = Files.newOutputStream(copy)) {
            byte[] buffer = new byte[BUFFER_BYTES];
            long bytes = 0;
            while (bytes <= most) {
                int read = in.read(buffer, 0, (int) Math.min(buffer.length, most + 1 - bytes));
                if (read < 0) {
                    break;
                }
                out.write(buffer, 0, read);
                bytes += read;
            }
            return new Copied(copy, bytes);
        } catch (IOException | RuntimeException e) {
            Files.deleteIfExists(copy);
            throw e;
        }
    }

    private record Copied(Path file, long bytes) implements Copy {
        @Override
        public String path() {
            return file.toString();
        }

        @Override
        public void close() {
            try {
                Files.deleteIfExists(file);
            } catch (IOException e) {
                // the system clears such files in its own time
            }
        }
    }
}
