package dev.paloverde.data.picture;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriter;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/** Pictures as files. */
final class Encoding {
    private static final int GIF_COLORS = 256;

    private Encoding() {}

    static byte[] png(BufferedImage picture) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (MemoryCacheImageOutputStream stream = new MemoryCacheImageOutputStream(bytes)) {
            if (!ImageIO.write(picture, "png", stream)) {
                throw new IOException("This Java has no writer for PNG; it needs the module java.desktop");
            }
        }
        return bytes.toByteArray();
    }

    /**
     * An animated GIF that runs again and again. Its colors are the {@value #GIF_COLORS} most frequent of all frames; a
     * pixel of another color gets the nearest of them.
     *
     * @param hundredths how long a frame is shown, in hundredths of a second
     */
    static byte[] gif(List<BufferedImage> frames, int hundredths) throws IOException {
        IndexColorModel colors = frequentColors(frames);
        Map<Integer, Integer> nearest = new HashMap<>();
        ImageWriter writer = ImageIO.getImageWritersByFormatName("gif").next();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (MemoryCacheImageOutputStream stream = new MemoryCacheImageOutputStream(bytes)) {
            writer.setOutput(stream);
            writer.prepareWriteSequence(null);
            for (BufferedImage frame : frames) {
                BufferedImage indexed = indexed(frame, colors, nearest);
                IIOMetadata metadata = writer.getDefaultImageMetadata(new ImageTypeSpecifier(indexed), null);
                describe(metadata, hundredths);
                writer.writeToSequence(new IIOImage(indexed, null, metadata), null);
            }
            writer.endWriteSequence();
        } finally {
            writer.dispose();
        }
        return bytes.toByteArray();
    }

    private static void describe(IIOMetadata metadata, int hundredths) throws IOException {
        String format = metadata.getNativeMetadataFormatName();
        IIOMetadataNode root = new IIOMetadataNode(format);
        IIOMetadataNode control = new IIOMetadataNode("GraphicControlExtension");
        control.setAttribute("disposalMethod", "none");
        control.setAttribute("userInputFlag", "FALSE");
        control.setAttribute("transparentColorFlag", "FALSE");
        control.setAttribute("transparentColorIndex", "0");
        control.setAttribute("delayTime", Integer.toString(hundredths));
        root.appendChild(control);
        IIOMetadataNode application = new IIOMetadataNode("ApplicationExtension");
        application.setAttribute("applicationID", "NETSCAPE");
        application.setAttribute("authenticationCode", "2.0");
        application.setUserObject(new byte[] {1, 0, 0});
        IIOMetadataNode applications = new IIOMetadataNode("ApplicationExtensions");
        applications.appendChild(application);
        root.appendChild(applications);
        metadata.mergeTree(format, root);
    }

    private static IndexColorModel frequentColors(List<BufferedImage> frames) {
        Map<Integer, Integer> counts = new HashMap<>();
        for (BufferedImage frame : frames) {
            for (int y = 0; y < frame.getHeight(); y++) {
                for (int x = 0; x < frame.getWidth(); x++) {
                    counts.merge(frame.getRGB(x, y) & 0xFFFFFF, 1, Integer::sum);
                }
            }
        }
        int[] colors = counts.entrySet().stream()
                .sorted(Map.Entry.<Integer, Integer>comparingByValue(Comparator.reverseOrder())
                        .thenComparing(Map.Entry.comparingByKey()))
                .limit(GIF_COLORS)
                .mapToInt(Map.Entry::getKey)
                .toArray();
        byte[] reds = new byte[GIF_COLORS];
        byte[] greens = new byte[GIF_COLORS];
        byte[] blues = new byte[GIF_COLORS];
        for (int color = 0; color < colors.length; color++) {
            reds[color] = (byte) (colors[color] >> 16);
            greens[color] = (byte) (colors[color] >> 8);
            blues[color] = (byte) colors[color];
        }
        return new IndexColorModel(8, GIF_COLORS, reds, greens, blues);
    }

    private static BufferedImage indexed(BufferedImage frame, IndexColorModel colors, Map<Integer, Integer> nearest) {
        BufferedImage indexed =
                new BufferedImage(frame.getWidth(), frame.getHeight(), BufferedImage.TYPE_BYTE_INDEXED, colors);
        for (int y = 0; y < frame.getHeight(); y++) {
            for (int x = 0; x < frame.getWidth(); x++) {
                int rgb = frame.getRGB(x, y) & 0xFFFFFF;
                int index = nearest.computeIfAbsent(rgb, color -> nearest(colors, color));
                indexed.getRaster().setSample(x, y, 0, index);
            }
        }
        return indexed;
    }

    private static int nearest(IndexColorModel colors, int rgb) {
        int best = 0;
        int shortest = Integer.MAX_VALUE;
        for (int index = 0; index < GIF_COLORS; index++) {
            int red = colors.getRed(index) - (rgb >> 16 & 0xFF);
            int green = colors.getGreen(index) - (rgb >> 8 & 0xFF);
            int blue = colors.getBlue(index) - (rgb & 0xFF);
            int distance = red * red + green * green + blue * blue;
            if (distance < shortest) {
                shortest = distance;
                best = index;
            }
        }
        return best;
    }
}
