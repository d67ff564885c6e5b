package dev.paloverde.jobs;

import dev.paloverde.data.ContentIndex;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** Copies a folder of the class path to disk, by its index. */
final class SampleFiles {
    private SampleFiles() {}

    /**
     * @param folder name of the folder on the class path, ending in a slash
     * @param directory where its files go; those that are there are replaced
     * @return the directory
     */
    static Path unpack(String folder, Path directory) throws IOException {
        String index;
        try (InputStream in = open(folder + ContentIndex.FILE_NAME)) {
            index = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
        for (ContentIndex.Entry entry : ContentIndex.parse(index).entries()) {
            Path file = directory.resolve(entry.path()).normalize();
            if (!file.startsWith(directory.normalize())) {
                throw new IOException("the index of " + folder + " names a file outside of it: " + entry.path());
            }
            Files.createDirectories(file.getParent());
            try (InputStream in = open(folder + entry.path())) {
                Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
            }
        }
        return directory;
    }

    private static InputStream open(String resource) throws IOException {
        InputStream found = SampleFiles.class.getClassLoader().getResourceAsStream(resource);
        if (found == null) {
            throw new FileNotFoundException("the class path lacks " + resource);
        }
        return found;
    }
}
