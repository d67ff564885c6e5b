package dev.paloverde.gpu.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.Random;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that say how the camera was held, by what the standard says of their rows and columns. */
class OrientationTest {
    /** A WebP file of 5 x 3 pixels without loss, as Pillow wrote it. */
    private static final String WEBP = "UklGRh4AAABXRUJQVlA4TBEAAAAvBIAAAAdQsiJXpv+BiOh/AAA=";

    /** Where the first row and the first column of the file are when one looks at the scene, by the number from 1. */
    private static final String[] SIDES = {
        "top left", "top right", "bottom right", "bottom left", "left top", "right top", "right bottom", "left bottom"
    };

    private static final int WIDTH = 5;
    private static final int HEIGHT = 3;

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
    void turnsPicturesUpright(int number) throws IOException {
        for (ByteOrder order : new ByteOrder[] {ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN}) {
            BufferedImage image = noise();
            ImageFile file = ImageFile.open(png(image, tiff(number, order)), ImageLimits.STANDARD);
            Picture upright = file.decode();
            boolean turned = number > 4;
            assertThat(file.width()).isEqualTo(upright.width()).isEqualTo(turned ? HEIGHT : WIDTH);
            assertThat(file.height()).isEqualTo(upright.height()).isEqualTo(turned ? WIDTH : HEIGHT);
            String[] sides = SIDES[number - 1].split(" ");
            for (int row = 0; row < HEIGHT; row++) {
                for (int column = 0; column < WIDTH; column++) {
                    int[] place = {0, 0};
                    place(sides[0], row, upright, place);
                    place(sides[1], column, upright, place);
                    assertThat(color(upright, place[0], place[1]))
                            .as("row %d, column %d", row, column)
                            .isEqualTo(image.getRGB(column, row) & 0xffffff);
                }
            }
        }
    }

    /** A row or column of the file lies so far from the side that the first one is at. */
    private static void place(String side, int distance, Picture upright, int[] place) {
        switch (side) {
            case "left" -> place[0] = distance;
            case "right" -> place[0] = upright.width() - 1 - distance;
            case "top" -> place[1] = distance;
            default -> place[1] = upright.height() - 1 - distance;
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
    void findsItInJpegAndWebp(int number) throws IOException {
        BufferedImage image = new BufferedImage(16, 8, BufferedImage.TYPE_INT_RGB);
        image.setRGB(0, 0, 0xffffff);
        ByteArrayOutputStream plain = new ByteArrayOutputStream();
        ImageIO.write(image, "jpg", plain);
        byte[] tiff = tiff(number, ByteOrder.LITTLE_ENDIAN);
        byte[] jpeg = jpeg(plain.toByteArray(), tiff);
        assertThat(Orientation.of(ImageFormat.JPEG, jpeg)).isEqualTo(Orientation.values()[number - 1]);
        Picture upright = ImageFile.open(jpeg, ImageLimits.STANDARD).decode();
        assertThat(upright.width()).isEqualTo(number > 4 ? 8 : 16);
        byte[] webp = webp(tiff);
        assertThat(Orientation.of(ImageFormat.WEBP, webp)).isEqualTo(Orientation.values()[number - 1]);
    }

    @Example
    void takesNothingElseForIt() throws IOException {
        for (int number : new int[] {0, 9, 0xffff}) {
            byte[] file = png(noise(), tiff(number, ByteOrder.BIG_ENDIAN));
            assertThat(Orientation.of(ImageFormat.PNG, file)).isEqualTo(Orientation.NORMAL);
        }
        assertThat(Orientation.of(ImageFormat.PNG, png(noise(), new byte[0]))).isEqualTo(Orientation.NORMAL);
        assertThat(Orientation.of(ImageFormat.WEBP, Base64.getDecoder().decode(WEBP)))
                .isEqualTo(Orientation.NORMAL);
    }

    /** Damaged Exif data says nothing: whatever stands in it, the picture is there. */
    @Property(tries = 300)
    void survivesDamage(@ForAll @IntRange(min = 0, max = 40) int length, @ForAll long seed) throws IOException {
        Random random = new Random(seed);
        byte[] tiff = Arrays.copyOf(tiff(6, ByteOrder.LITTLE_ENDIAN), length);
        for (int i = random.nextInt(6); i > 0 && length > 0; i--) {
            tiff[random.nextInt(length)] = (byte) random.nextInt(256);
        }
        Picture picture =
                ImageFile.open(png(noise(), tiff), ImageLimits.STANDARD).decode();
        assertThat(picture.width() * picture.height()).isEqualTo(WIDTH * HEIGHT);
    }

    private static int color(Picture picture, int x, int y) {
        return picture.sample(x, y, 0) << 16 | picture.sample(x, y, 1) << 8 | picture.sample(x, y, 2);
    }

    private static BufferedImage noise() {
        BufferedImage image = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_INT_RGB);
        Random random = new Random(3);
        for (int i = 0; i < WIDTH * HEIGHT; i++) {
            image.setRGB(i % WIDTH, i / WIDTH, random.nextInt(1 << 24));
        }
        return image;
    }

    /** A directory of two entries, the second of which is the orientation. */
    private static byte[] tiff(int number, ByteOrder order) {
        ByteBuffer tiff = ByteBuffer.allocate(38).order(order);
        tiff.put((order == ByteOrder.LITTLE_ENDIAN ? "II" : "MM").getBytes(StandardCharsets.ISO_8859_1));
        tiff.putShort((short) 42).putInt(8).putShort((short) 2);
        tiff.putShort((short) 0x0100)
                .putShort((short) 3)
                .putInt(1)
                .putShort((short) 5)
                .putShort((short) 0);
        tiff.putShort((short) 0x0112)
                .putShort((short) 3)
                .putInt(1)
                .putShort((short) number)
                .putShort((short) 0);
        return tiff.array();
    }

    /** With a chunk behind the head. */
    private static byte[] png(BufferedImage image, byte[] tiff) throws IOException {
        ByteArrayOutputStream plain = new ByteArrayOutputStream();
        ImageIO.write(image, "png", plain);
        byte[] file = plain.toByteArray();
        int head = 8 + 25;
        ByteBuffer chunk = ByteBuffer.allocate(12 + tiff.length);
        chunk.putInt(tiff.length)
                .put("eXIf".getBytes(StandardCharsets.ISO_8859_1))
                .put(tiff);
        CRC32 checksum = new CRC32();
        checksum.update(chunk.array(), 4, 4 + tiff.length);
        chunk.putInt((int) checksum.getValue());
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(file, 0, head);
        out.write(chunk.array());
        out.write(file, head, file.length - head);
        return out.toByteArray();
    }

    /** With a segment behind the one that ImageIO begins with. */
    private static byte[] jpeg(byte[] file, byte[] tiff) {
        int head = 4 + (ByteBuffer.wrap(file).getShort(4) & 0xffff);
        ByteBuffer out = ByteBuffer.allocate(file.length + 10 + tiff.length);
        out.put(file, 0, head).putShort((short) 0xffe1).putShort((short) (8 + tiff.length));
        out.put("Exif\0\0".getBytes(StandardCharsets.ISO_8859_1)).put(tiff);
        return out.put(file, head, file.length - head).array();
    }

    /** With a chunk at the end. */
    private static byte[] webp(byte[] tiff) {
        byte[] file = Base64.getDecoder().decode(WEBP);
        ByteBuffer out = ByteBuffer.allocate(file.length + 8 + tiff.length).order(ByteOrder.LITTLE_ENDIAN);
        out.put(file)
                .put("EXIF".getBytes(StandardCharsets.ISO_8859_1))
                .putInt(tiff.length)
                .put(tiff);
        return out.putInt(4, out.capacity() - 8).array();
    }
}
