package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SsdModelTest {
    private final ByteArrayOutputStream said = new ByteArrayOutputStream();

    @TempDir
    Path directory;

    private int run(String... arguments) {
        PrintStream out = new PrintStream(said, true, StandardCharsets.UTF_8);
        return Main.run(new Terminal(out, out, false), arguments);
    }

    private String said() {
        return said.toString(StandardCharsets.UTF_8);
    }

    /** At T = .5 and p = .8 the advantage over speculative decoding is (1 + T) / (1 + (1 - p) T) = 1.3636. */
    @Test
    void saysTheSpeedsOfTheTheorem() {
        assertThat(run("ssd-model", "--tokens-per-round", "3", "--draft", "0.5", "--hit-rate", "0.8"))
                .isZero();
        assertThat(said())
                .containsPattern("speculative +2\\.0000 +1\\.0000")
                .containsPattern("ssd +2\\.7273 +1\\.3636");
    }

    @Test
    void readsWhatWasMeasured() throws IOException {
        Path file = Files.writeString(directory.resolve("measured.jsonl"), """
                {"bench":"sd-vs-ar","case":{"batch":1},"hit_rate":0,"T_b":0.5,"ratio":2}
                {"bench":"ssd-vs-ar","case":{"batch":2},"hit_rate":0.5,"E_hit":4,"E_miss":2,"T_p":1.5,"T_b":1,"ratio":1.7}
                """);
        assertThat(run("ssd-model", "--measured", file.toString())).as(said()).isZero();
        // (.5 * 4 + .5 * 2) / (.25 * 1.5 + .75 * 2)
        assertThat(said()).containsPattern("ssd-vs-ar +2 .* 1\\.6000 +1\\.7000").doesNotContain("sd-vs-ar  1");
    }

    @Test
    void drawsALineForEachCostOfDrafting() throws IOException {
        Path file = directory.resolve("plot.png");
        assertThat(run("ssd-model", "--plot", file.toString())).isZero();
        BufferedImage image = ImageIO.read(file.toFile());
        int drawn = 0;
        for (int y = 0; y < image.getHeight(); y++) {
            for (int x = 0; x < image.getWidth(); x++) {
                int color = image.getRGB(x, y);
                int red = color >> 16 & 0xff;
                int green = color >> 8 & 0xff;
                int blue = color & 0xff;
                // colours, and not the greys of axes and letters
                int spread = Math.max(red, Math.max(green, blue)) - Math.min(red, Math.min(green, blue));
                drawn += spread > 80 ? 1 : 0;
            }
        }
        assertThat(drawn).isGreaterThan(4 * 600);
    }

    @Test
    void refusesWhatCannotBe() {
        assertThat(run("ssd-model", "--hit-rate", "1.5")).isEqualTo(ExitCode.USAGE.status());
        assertThat(said()).contains("hit-rate is 1.5; it must be from 0 to 1");
        assertThat(run("ssd-model", "--measured", directory.resolve("none").toString()))
                .isEqualTo(ExitCode.INPUT.status());
    }
}
