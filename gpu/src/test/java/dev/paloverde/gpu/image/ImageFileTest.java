package dev.paloverde.gpu.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriter;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;
import javax.imageio.stream.MemoryCacheImageOutputStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import org.junit.jupiter.api.Test;

/** Image files of every format, whole and damaged. */
class ImageFileTest {
    /** A WebP file of 5 x 3 pixels without loss, all (200, 100, 50), as Pillow wrote it. */
    private static final String WEBP = "UklGRh4AAABXRUJQVlA4TBEAAAAvBIAAAAdQsiJXpv+BiOh/AAA=";

    @Test
    void decodesFormatsWithoutLoss() throws IOException {
        for (String format : List.of("png", "bmp")) {
            BufferedImage image = noise(BufferedImage.TYPE_INT_RGB, 23, 17);
            ImageFile file = ImageFile.open(write(image, format), ImageLimits.STANDARD);
            assertThat(file.width()).isEqualTo(23);
            assertThat(file.height()).isEqualTo(17);
            assertThat(file.frames()).isEqualTo(1);
            Picture picture = file.decode();
            for (int y = 0; y < 17; y++) {
                for (int x = 0; x < 23; x++) {
                    int color = picture.sample(x, y, 0) << 16 | picture.sample(x, y, 1) << 8 | picture.sample(x, y, 2);
                    assertThat(color).isEqualTo(image.getRGB(x, y) & 0xffffff);
                }
            }
        }
    }

    @Test
    void decodesWebp() {
        Picture picture = ImageFile.open(Base64.getDecoder().decode(WEBP), ImageLimits.STANDARD)
                .decode();
        assertThat(picture.width()).isEqualTo(5);
        assertThat(picture.height()).isEqualTo(3);
        for (int i = 0; i < 15; i++) {
            assertThat(new int[] {
                        picture.sample(i % 5, i / 5, 0),
                        picture.sample(i % 5, i / 5, 1),
                        picture.sample(i % 5, i / 5, 2)
                    })
                    .containsExactly(200, 100, 50);
        }
    }

    /** What getRGB would do to grey is a gamma of its own. */
    @Test
    void takesGreyAsItStandsAndDropsTransparency() throws IOException {
        BufferedImage grey = new BufferedImage(16, 16, BufferedImage.TYPE_BYTE_GRAY);
        for (int i = 0; i < 256; i++) {
            grey.getRaster().setSample(i % 16, i / 16, 0, i);
        }
        Picture picture =
                ImageFile.open(write(grey, "png"), ImageLimits.STANDARD).decode();
        for (int i = 0; i < 256; i++) {
            assertThat(picture.sample(i % 16, i / 16, i % 3)).isEqualTo(i);
        }
        BufferedImage clear = new BufferedImage(2, 1, BufferedImage.TYPE_INT_ARGB);
        clear.setRGB(0, 0, 0x00112233);
        clear.setRGB(1, 0, 0x80ff8001);
        Picture dropped =
                ImageFile.open(write(clear, "png"), ImageLimits.STANDARD).decode();
        assertThat(dropped.rgb()).containsExactly(0x11, 0x22, 0x33, 0xff, 0x80, 1);
        BufferedImage deep = new BufferedImage(1, 1, BufferedImage.TYPE_USHORT_GRAY);
        deep.getRaster().setSample(0, 0, 0, 0xabcd);
        assertThat(ImageFile.open(write(deep, "png"), ImageLimits.STANDARD)
                        .decode()
                        .sample(0, 0, 1))
                .isEqualTo(0xab);
    }

    @Test
    void decodesJpegCloseToWhatWasWritten() throws IOException {
        BufferedImage smooth = new BufferedImage(40, 30, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < 1200; i++) {
            smooth.setRGB(i % 40, i / 40, (i % 40 * 6) << 16 | (i / 40 * 8) << 8 | 90);
        }
        Picture picture =
                ImageFile.open(write(smooth, "jpg"), ImageLimits.STANDARD).decode();
        for (int i = 0; i < 1200; i++) {
            assertThat(Math.abs(picture.sample(i % 40, i / 40, 0) - i % 40 * 6)).isLessThan(16);
            assertThat(Math.abs(picture.sample(i % 40, i / 40, 1) - i / 40 * 8)).isLessThan(16);
        }
    }

    /** 30,000 x 30,000 pixels in a few hundred bytes. */
    @Test
    void refusesABombBeforeDecodingIt() throws IOException {
        byte[] bomb = png(30_000, 30_000, new byte[1]);
        assertThat(bomb.length).isLessThan(200);
        assertCode(bomb, ErrorCode.IMAGE_TOO_LARGE, "30,000 x 30,000");
        byte[] whole = write(noise(BufferedImage.TYPE_INT_RGB, 20, 20), "png");
        assertThatThrownBy(() -> ImageFile.open(whole, new ImageLimits(399, 1)))
                .hasMessageContaining("more than the 399 allowed");
        assertThat(ImageFile.open(whole, new ImageLimits(400, 1)).decode().width())
                .isEqualTo(20);
        assertThatThrownBy(() -> ImageFile.open(gif(9, 5, 10), new ImageLimits(100, 8)))
                .hasMessageContaining("more than the 8 frames");
        // sides whose product passes 2^63 nowhere, and passes 2^32
        assertCode(png(Integer.MAX_VALUE, Integer.MAX_VALUE, new byte[1]), ErrorCode.IMAGE_TOO_LARGE, "2,147,483,647");
    }

    @Test
    void refusesWhatIsNoImage() {
        for (byte[] bytes : List.of(new byte[0], new byte[100], "hello, this is a text of some length".getBytes())) {
            assertCode(bytes, ErrorCode.INVALID_IMAGE, "not a JPEG, PNG, GIF, WebP or BMP");
        }
    }

    /** Cut at every 97th byte: an error of the row, and never a picture that a decoder has filled in. */
    @Test
    void refusesAFileThatEndsTooEarly() throws IOException {
        byte[] lossy = write(noise(BufferedImage.TYPE_INT_RGB, 64, 64), "jpg");
        byte[] bmp = write(noise(BufferedImage.TYPE_INT_RGB, 64, 64), "bmp");
        byte[] png = write(noise(BufferedImage.TYPE_INT_RGB, 64, 64), "png");
        for (byte[] file : List.of(lossy, png, gif(6, 64, 10), bmp)) {
            for (int length = 0; length < file.length - 8; length += 97) {
                byte[] cut = Arrays.copyOf(file, length);
                assertThat(catchThrowable(
                                () -> ImageFile.open(cut, ImageLimits.STANDARD).decode()))
                        .as("%d of %d bytes of %s", length, file.length, ImageFormat.of(file))
                        .isInstanceOfSatisfying(
                                PaloverdeException.class,
                                e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_IMAGE));
            }
        }
    }

    /** Anything may be wrong with a file; nothing but a coded error may come of it. */
    @Property(tries = 400, shrinking = ShrinkingMode.OFF)
    void survivesDamage(@ForAll Random random) throws IOException {
        BufferedImage image = noise(BufferedImage.TYPE_INT_RGB, 1 + random.nextInt(40), 1 + random.nextInt(40));
        byte[] file = switch (random.nextInt(5)) {
            case 0 -> write(image, "png");
            case 1 -> write(image, "jpg");
            case 2 -> write(image, "bmp");
            case 3 -> gif(1 + random.nextInt(5), 1 + random.nextInt(30), random.nextInt(60));
            default -> Base64.getDecoder().decode(WEBP);
        };
        for (int i = 0; i <= random.nextInt(12); i++) {
            file[random.nextInt(Math.min(file.length, random.nextBoolean() ? 64 : file.length))] =
                    (byte) random.nextInt(256);
        }
        try {
            ImageFile opened = ImageFile.open(file, new ImageLimits(10_000, 50));
            assertThat((long) opened.width() * opened.height()).isBetween(1L, 10_000L);
            assertThat(opened.decode().rgb()).hasSize(3 * opened.width() * opened.height());
            assertThat(opened.sample(1_000)).isNotEmpty();
        } catch (PaloverdeException e) {
            assertThat(e.code()).isIn(ErrorCode.INVALID_IMAGE, ErrorCode.IMAGE_TOO_LARGE);
        }
    }

    @Test
    void samplesAnAnimationByItsTime() throws IOException {
        // 7 frames of 0.4 s: at 0, 1 and 2 s frames 0, 2 and 5 are shown
        ImageFile file = ImageFile.open(gif(7, 8, 40), ImageLimits.STANDARD);
        assertThat(file.frames()).isEqualTo(7);
        assertThat(file.sample(1_000).stream().map(picture -> picture.sample(0, 0, 0)))
                .containsExactly(0, 2 * 20, 5 * 20);
        assertThat(file.sample(400)).hasSize(7);
        // frames without a time last for a tenth of a second
        assertThat(ImageFile.open(gif(11, 8, 0), ImageLimits.STANDARD).sample(1_000))
                .hasSize(2);
        assertThat(file.decode().rgb()).isEqualTo(file.sample(1_000).get(0).rgb());
    }

    private static void assertCode(byte[] bytes, ErrorCode code, String message) {
        assertThatThrownBy(() -> ImageFile.open(bytes, ImageLimits.STANDARD).decode())
                .hasMessageContaining(message)
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(code));
    }

    private static BufferedImage noise(int type, int width, int height) {
        Random random = new Random(width * 31L + height);
        BufferedImage image = new BufferedImage(width, height, type);
        for (int i = 0; i < width * height; i++) {
            image.setRGB(i % width, i / width, random.nextInt());
        }
        return image;
    }

    private static byte[] write(BufferedImage image, String format) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        assertThat(ImageIO.write(image, format, out)).isTrue();
        return out.toByteArray();
    }

    /** An animation whose frame i is grey 20 i, each shown for so many hundredths of a second. */
    private static byte[] gif(int frames, int side, int hundredths) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ImageWriter writer = ImageIO.getImageWritersByFormatName("gif").next();
        try (MemoryCacheImageOutputStream stream = new MemoryCacheImageOutputStream(out)) {
            writer.setOutput(stream);
            writer.prepareWriteSequence(null);
            for (int i = 0; i < frames; i++) {
                BufferedImage image = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
                for (int p = 0; p < side * side; p++) {
                    image.setRGB(p % side, p / side, 0x010101 * (20 * i));
                }
                IIOMetadata metadata =
                        writer.getDefaultImageMetadata(ImageTypeSpecifier.createFromRenderedImage(image), null);
                IIOMetadataNode root = (IIOMetadataNode) metadata.getAsTree("javax_imageio_gif_image_1.0");
                IIOMetadataNode control = (IIOMetadataNode)
                        root.getElementsByTagName("GraphicControlExtension").item(0);
                control.setAttribute("delayTime", String.valueOf(hundredths));
                control.setAttribute("disposalMethod", "none");
                metadata.setFromTree("javax_imageio_gif_image_1.0", root);
                writer.writeToSequence(new IIOImage(image, null, metadata), null);
            }
            writer.endWriteSequence();
        } finally {
            writer.dispose();
        }
        return out.toByteArray();
    }

    /** A PNG file that claims sides. */
    private static byte[] png(int width, int height, byte[] data) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(new byte[] {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'});
        chunk(
                out,
                "IHDR",
                ByteBuffer.allocate(13)
                        .putInt(width)
                        .putInt(height)
                        .put(new byte[] {8, 2, 0, 0, 0})
                        .array());
        Deflater deflater = new Deflater();
        deflater.setInput(data);
        deflater.finish();
        byte[] packed = new byte[100];
        chunk(out, "IDAT", Arrays.copyOf(packed, deflater.deflate(packed)));
        deflater.end();
        chunk(out, "IEND", new byte[0]);
        return out.toByteArray();
    }

    private static void chunk(ByteArrayOutputStream out, String type, byte[] data) throws IOException {
        byte[] named = ByteBuffer.allocate(4 + data.length)
                .put(type.getBytes())
                .put(data)
                .array();
        CRC32 check = new CRC32();
        check.update(named);
        out.write(ByteBuffer.allocate(4).putInt(data.length).array());
        out.write(named);
        out.write(ByteBuffer.allocate(4).putInt((int) check.getValue()).array());
    }
}
