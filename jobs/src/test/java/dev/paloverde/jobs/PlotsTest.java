package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PlotsTest {
    @TempDir
    Path directory;

    @Test
    void longerBarsForLargerValues() throws IOException {
        BufferedImage small = bars("small.png", 0.08, 0.09);
        BufferedImage large = bars("large.png", 0.08, 14.8);

        assertThat(small.getWidth()).isEqualTo(large.getWidth());
        assertThat(pixels(large, true)).as("the target's bars are the same").isPositive();
        assertThat(share(large)).as("the draft's share of all bars").isGreaterThan(share(small) + 0.1);
    }

    private BufferedImage bars(String name, double target, double draft) throws IOException {
        File file = directory.resolve(name).toFile();
        Map<String, Double> targets = new LinkedHashMap<>(Map.of("stories", target));
        Plots.bars(file.toPath(), "title", "unit", targets, Map.of("stories", draft));
        return ImageIO.read(file);
    }

    private static double share(BufferedImage image) {
        int target = pixels(image, true);
        int draft = pixels(image, false);
        return draft / (double) (target + draft);
    }

    /** Counts red pixels (the target's) or olive ones (the draft's). */
    private static int pixels(BufferedImage image, boolean red) {
        int count = 0;
        for (int y = 0; y < image.getHeight(); y++) {
            for (int x = 0; x < image.getWidth(); x++) {
                int color = image.getRGB(x, y);
                int r = color >> 16 & 0xff;
                int g = color >> 8 & 0xff;
                int b = color & 0xff;
                if (red ? r > 200 && g < 150 : r > 120 && r < 200 && g > 120 && b < 60) {
                    count++;
                }
            }
        }
        return count;
    }
}
