package dev.paloverde.gpu.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.Locale;
import javax.imageio.ImageReader;
import javax.imageio.spi.ImageReaderSpi;
import org.junit.jupiter.api.Test;

/** A runtime whose JPEG library lacks libjpeg once lost threads to an Error instead of rows to a code. */
class ReadersTest {
    /** Fails as the platform's reader does on such a host. */
    private static final class Unlinked extends ImageReaderSpi {
        @Override
        public boolean canDecodeInput(Object source) {
            return false;
        }

        @Override
        public ImageReader createReaderInstance(Object extension) {
            throw new UnsatisfiedLinkError("libjavajpeg.so: libjpeg.so.62: cannot open shared object file");
        }

        @Override
        public String getDescription(Locale locale) {
            return "";
        }
    }

    @Test
    void saysWhatARuntimeLacks() {
        assertThatThrownBy(() -> Readers.open(new Unlinked()))
                .hasMessageContaining("libjpeg.so.62")
                .hasMessageContaining("libjpeg62-turbo")
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INTERNAL));
    }
}
