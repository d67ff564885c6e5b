package dev.paloverde.gpu.model;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;

/** The identity of a set of files: their names and what is in them, and nothing about where or when. */
final class Fingerprint {
    private static final int BUFFER_BYTES = 1 << 20;

    private Fingerprint() {}

    /**
     * @param files all there
     * @return SHA-256 over the files in the order of their names: each one's name in UTF-8, a zero byte, its length in
     *     8 bytes big-endian, its bytes; 64 lowercase hexadecimal digits
     */
    static String of(List<Path> files) {
        MessageDigest digest = sha256();
        byte[] buffer = new byte[BUFFER_BYTES];
        files.stream()
                .sorted(Comparator.comparing(file -> file.getFileName().toString()))
                .forEach(file -> add(digest, file, buffer));
        return HexFormat.of().formatHex(digest.digest());
    }

    private static void add(MessageDigest digest, Path file, byte[] buffer) {
        try (InputStream in = Files.newInputStream(file)) {
            digest.update(file.getFileName().toString().getBytes(StandardCharsets.UTF_8));
            digest.update((byte) 0);
            digest.update(ByteBuffer.allocate(Long.BYTES).putLong(0, Files.size(file)));
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                digest.update(buffer, 0, read);
            }
        } catch (IOException e) {
            throw ModelJson.unreadable(file, e);
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
