package dev.paloverde.jobs;

import org.apache.spark.sql.api.java.UDF2;

/** A function of the user's, as a score of captions: a hundredth for each character; nothing without a caption. */
public final class CaptionLength implements UDF2<byte[], String, Double> {
    private static final long serialVersionUID = 1L;

    @Override
    public Double call(byte[] image, String caption) {
        return image == null || caption == null ? null : caption.length() / 100.0;
    }
}
