package dev.paloverde.gpu.decode.speculate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

class SpeedModelTest {
    @Test
    void tokensOfARoundAreTheGeometricSum() {
        assertThat(SpeedModel.tokensPerRound(0.8, 7)).isCloseTo((1 - Math.pow(0.8, 8)) / 0.2, within(1e-12));
        assertThat(SpeedModel.tokensPerRound(1, 7)).isEqualTo(8);
        assertThat(SpeedModel.tokensPerRound(0, 7)).isEqualTo(1);
    }

    /** SSD over SD at equal E is (1 + T_SD) / (1 + (1 - p) T_SD): 1.36 at T_SD = .5, p = .8, and 1.54 at 1, .7. */
    @Test
    void theAdvantageIsThatOfTheCorollary() {
        assertThat(SpeedModel.ahead(0.8, 4, 4, 1, 0.5, 1) / SpeedModel.speculative(4, 0.5))
                .isCloseTo(1.3636, within(1e-4));
        assertThat(SpeedModel.ahead(0.7, 4, 4, 0.6, 1, 1) / SpeedModel.speculative(4, 1))
                .isCloseTo(1.5385, within(1e-4));
        assertThat(SpeedModel.ahead(0, 4, 4, 1, 0.5, 1)).isEqualTo(SpeedModel.speculative(4, 0.5));
    }

    /** The formula for batches is what happens when rounds are played. */
    @Test
    void playedRoundsTakeAsLong() {
        Random random = new Random(3);
        int sequences = 4;
        double tokens = 0;
        double time = 0;
        for (int round = 0; round < 400_000; round++) {
            boolean allHit = true;
            for (int i = 0; i < sequences; i++) {
                boolean hit = random.nextDouble() < 0.85;
                allHit &= hit;
                tokens += hit ? 4.5 : 3;
            }
            time += allHit ? 1.2 : 1 + 0.7;
        }
        assertThat(tokens / sequences / time)
                .isCloseTo(SpeedModel.ahead(0.85, 4.5, 3, 1.2, 0.7, sequences), within(0.005));
    }
}
