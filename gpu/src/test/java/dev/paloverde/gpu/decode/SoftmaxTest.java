package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

class SoftmaxTest {
    @Test
    void exponentialsAreRightToFewUnitsInTheLastPlace() {
        Random random = new Random(1);
        for (int i = 0; i < 200_000; i++) {
            double x = random.nextInt(2) == 0 ? -random.nextDouble() * 700 : random.nextGaussian();
            double expected = StrictMath.exp(x);
            assertThat(Softmax.exp(x)).isCloseTo(expected, within(4 * Math.ulp(expected)));
        }
        assertThat(Softmax.exp(0)).isEqualTo(1);
        assertThat(Softmax.exp(-709)).isZero();
        assertThat(Softmax.exp(Double.NEGATIVE_INFINITY)).isZero();
        assertThat(Softmax.exp(Double.NaN)).isNaN();
    }

    @Test
    void sumsKeepNaN() {
        float[] values = new float[11];
        assertThat(Softmax.sum(values, 1, 9, 0, 1)).isEqualTo(9);
        values[9] = Float.NaN;
        assertThat(Softmax.sum(values, 1, 9, 0, 1)).isNaN();
        assertThat(Softmax.sum(values, 0, 9, 0, 1)).isEqualTo(9);
    }
}
