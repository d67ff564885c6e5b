package dev.paloverde.pipelines.image;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.Serializable;

/**
 * What a reader takes into memory at most.
 *
 * @param imageBytes of an encoded image
 * @param captionBytes of a caption, and of metadata, in UTF-8
 */
public record ReaderLimits(int imageBytes, int captionBytes) implements Serializable {
    /** 64 MiB an image, 64 KiB a caption. */
    public static final ReaderLimits STANDARD = new ReaderLimits(64 << 20, 64 << 10);

    /** Checks them. */
    public ReaderLimits {
        if (imageBytes < 1 || captionBytes < 0) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "limits of %d bytes an image and %d a caption; give at least 1 and 0"
                            .formatted(imageBytes, captionBytes));
        }
    }
}
