package dev.paloverde.gpu.image;

import com.twelvemonkeys.imageio.plugins.jpeg.JPEGImageReaderSpi;
import com.twelvemonkeys.imageio.plugins.webp.WebPImageReaderSpi;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.Locale;
import java.util.Map;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.event.IIOReadWarningListener;
import javax.imageio.spi.IIORegistry;
import javax.imageio.spi.ImageReaderSpi;

/**
 * The readers of ImageIO: TwelveMonkeys' for JPEG and WebP, the platform's for the rest. They are asked for by class and not
 * by what a class loader happens to list, so that all executors decode alike.
 */
final class Readers {
    private static final Map<ImageFormat, ImageReaderSpi> PROVIDERS = providers();

    private Readers() {}

    private static Map<ImageFormat, ImageReaderSpi> providers() {
        ImageIO.setUseCache(false);
        Map<ImageFormat, ImageReaderSpi> providers = new EnumMap<>(ImageFormat.class);
        IIORegistry registry = IIORegistry.getDefaultInstance();
        for (ImageFormat format : new ImageFormat[] {ImageFormat.PNG, ImageFormat.GIF, ImageFormat.BMP}) {
            Iterator<ImageReader> readers =
                    ImageIO.getImageReadersByFormatName(format.name().toLowerCase(Locale.ROOT));
            while (readers.hasNext()) {
                ImageReaderSpi provider = readers.next().getOriginatingProvider();
                if (provider.getClass().getName().startsWith("com.sun.imageio.")) {
                    providers.put(format, provider);
                }
            }
        }
        // registering gives them the platform's reader, which the JPEG one asks for the pixels
        JPEGImageReaderSpi jpeg = new JPEGImageReaderSpi();
        registry.registerServiceProvider(jpeg, ImageReaderSpi.class);
        providers.put(ImageFormat.JPEG, jpeg);
        providers.put(ImageFormat.WEBP, new WebPImageReaderSpi());
        return providers;
    }

    /** {@return a new reader, which the caller disposes of} */
    static ImageReader of(ImageFormat format) {
        ImageReaderSpi provider = PROVIDERS.get(format);
        if (provider == null) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL, "this Java runtime has no reader for %s; use a full JDK".formatted(format));
        }
        return open(provider);
    }

    static ImageReader open(ImageReaderSpi provider) {
        try {
            return provider.createReaderInstance();
        } catch (IOException e) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL, "no reader from %s: %s".formatted(provider.getClass(), e), e);
        } catch (LinkageError e) {
            throw unlinked(e);
        }
    }

    /** {@return what there is to say where the native half of a reader is not whole, and no file of its format can be read} */
    static PaloverdeException unlinked(LinkageError cause) {
        return new PaloverdeException(
                ErrorCode.INTERNAL,
                ("this Java runtime cannot load its image library (%s); install what that needs (Debian's OpenJDK: libjpeg62-turbo"
                                + " and liblcms2-2), or use another JDK 17")
                        .formatted(cause),
                cause);
    }

    /** {@return the first image; a reader that warns of missing data has filled it with something} */
    static BufferedImage whole(ImageReader reader) throws IOException {
        StringBuilder warnings = new StringBuilder();
        IIOReadWarningListener listener =
                (source, warning) -> warnings.append(warning).append("; ");
        reader.addIIOReadWarningListener(listener);
        BufferedImage image = reader.read(0);
        String said = warnings.toString().toLowerCase(Locale.ROOT);
        if (said.contains("premature")
                || said.contains("truncated")
                || said.contains("end of file")
                || said.contains("corrupt")) {
            throw new IOException(warnings.toString());
        }
        return image;
    }
}
