package dev.paloverde.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.MemoryCacheImageInputStream;

/** Decoded pictures. Encoded ones may differ from one Java platform to the next. */
public final class Pixels {
    private Pixels() {}

    /** All frames of a PNG or GIF. */
    public static List<BufferedImage> decode(byte[] file) throws IOException {
        try (MemoryCacheImageInputStream stream = new MemoryCacheImageInputStream(new ByteArrayInputStream(file))) {
            ImageReader reader = ImageIO.getImageReaders(stream).next();
            try {
                reader.setInput(stream);
                List<BufferedImage> frames = new ArrayList<>();
                for (int frame = 0; frame < reader.getNumImages(true); frame++) {
                    frames.add(reader.read(frame));
                }
                return frames;
            } finally {
                reader.dispose();
            }
        }
    }

    /** 0xRRGGBB of each pixel, row by row. */
    public static int[] rgb(BufferedImage picture) {
        int[] pixels = picture.getRGB(0, 0, picture.getWidth(), picture.getHeight(), null, 0, picture.getWidth());
        for (int at = 0; at < pixels.length; at++) {
            pixels[at] &= 0xFFFFFF;
        }
        return pixels;
    }

    static void assertSame(String name, byte[] first, byte[] second) throws IOException {
        List<BufferedImage> frames = decode(first);
        List<BufferedImage> others = decode(second);
        assertThat(frames).as(name).isNotEmpty().hasSameSizeAs(others);
        for (int frame = 0; frame < frames.size(); frame++) {
            assertThat(frames.get(frame).getWidth()).isEqualTo(others.get(frame).getWidth());
            assertThat(rgb(frames.get(frame))).as("%s, frame %d", name, frame).isEqualTo(rgb(others.get(frame)));
        }
    }
}
