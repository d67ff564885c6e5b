package dev.paloverde.gpu.image;

import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.DataBufferByte;
import java.awt.image.IndexColorModel;
import java.awt.image.PixelInterleavedSampleModel;
import java.awt.image.Raster;

/** Samples of decoded images. ImageIO's own conversion is avoided: it would apply gamma to grey and colour profiles to all. */
final class Rasters {
    private Rasters() {}

    static Picture rgb(BufferedImage image) {
        int width = image.getWidth();
        int height = image.getHeight();
        byte[] rgb = new byte[3 * width * height];
        ColorModel colors = image.getColorModel();
        Raster raster = image.getRaster();
        int bands = raster.getNumBands();
        int bits = colors.getComponentSize(0);
        if (colors instanceof IndexColorModel palette) {
            int[] row = new int[width];
            for (int y = 0; y < height; y++) {
                raster.getSamples(0, y, width, 1, 0, row);
                for (int x = 0; x < width; x++) {
                    put(rgb, y * width + x, palette.getRGB(Math.min(row[x], palette.getMapSize() - 1)));
                }
            }
        } else if (bits == 8
                && !isOther(colors)
                && raster.getSampleModel() instanceof PixelInterleavedSampleModel model
                && raster.getDataBuffer() instanceof DataBufferByte data) {
            interleaved(raster, model, data, rgb);
        } else if (bits >= 8 && bits <= 16 && !isOther(colors)) {
            int[] row = new int[width * bands];
            int shift = bits - 8;
            for (int y = 0; y < height; y++) {
                raster.getPixels(0, y, width, 1, row);
                for (int x = 0; x < width; x++) {
                    int to = 3 * (y * width + x);
                    for (int channel = 0; channel < 3; channel++) {
                        rgb[to + channel] = (byte) (row[x * bands + (bands < 3 ? 0 : channel)] >> shift);
                    }
                }
            }
        } else {
            int[] row = new int[width];
            for (int y = 0; y < height; y++) {
                image.getRGB(0, y, width, 1, row, 0, width);
                for (int x = 0; x < width; x++) {
                    put(rgb, y * width + x, row[x]);
                }
            }
        }
        return new Picture(width, height, rgb);
    }

    /** What most files become: bytes pixel by pixel, in whatever order. */
    private static void interleaved(Raster raster, PixelInterleavedSampleModel model, DataBufferByte data, byte[] rgb) {
        byte[] in = data.getData();
        int[] bands = model.getBandOffsets();
        int red = bands[0];
        int green = bands[bands.length < 3 ? 0 : 1];
        int blue = bands[bands.length < 3 ? 0 : 2];
        int step = model.getPixelStride();
        int to = 0;
        for (int y = 0; y < raster.getHeight(); y++) {
            int at = data.getOffset()
                    + (y - raster.getSampleModelTranslateY()) * model.getScanlineStride()
                    - raster.getSampleModelTranslateX() * step;
            for (int x = 0; x < raster.getWidth(); x++) {
                rgb[to] = in[at + red];
                rgb[to + 1] = in[at + green];
                rgb[to + 2] = in[at + blue];
                to += 3;
                at += step;
            }
        }
    }

    /** {@return whether samples are neither grey nor red, green and blue} */
    private static boolean isOther(ColorModel colors) {
        int type = colors.getColorSpace().getType();
        return type != ColorSpace.TYPE_RGB && type != ColorSpace.TYPE_GRAY;
    }

    static void put(byte[] rgb, int pixel, int color) {
        rgb[3 * pixel] = (byte) (color >> 16);
        rgb[3 * pixel + 1] = (byte) (color >> 8);
        rgb[3 * pixel + 2] = (byte) color;
    }
}
