package dev.paloverde.pipelines.corpus;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.text.Normalizer;
import java.util.HexFormat;

/** How the documents of a corpus are known: a key each, and their text. */
public final class Documents {
    /** The column with a document's key, a string of ASCII characters; no two documents have the same. */
    public static final String KEY = "row_key";

    /** The column with its text, a string. */
    public static final String TEXT = "text";

    private static final int KEY_BYTES = 16;

    private Documents() {}

    /**
     * {@return a key of what a text says, the same for texts that differ only in Unicode composition and in white space:
     * 128 bits of the SHA-256 of its form NFC, white space at its ends removed and elsewhere made one space}
     */
    static String contentKey(String text) {
        String composed = Normalizer.isNormalized(text, Normalizer.Form.NFC)
                ? text
                : Normalizer.normalize(text, Normalizer.Form.NFC);
        StringBuilder spaced = new StringBuilder(composed.length());
        boolean space = false;
        for (int i = 0; i < composed.length(); i++) {
            char c = composed.charAt(i);
            if (Character.isWhitespace(c) || Character.isSpaceChar(c)) {
                space = true;
            } else {
                if (space && !spaced.isEmpty()) {
                    spaced.append(' ');
                }
                space = false;
                spaced.append(c);
            }
        }
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256")
                    .digest(spaced.toString().getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest, 0, KEY_BYTES);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
