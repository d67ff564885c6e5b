package dev.paloverde.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import net.jqwik.api.Example;
import org.assertj.core.api.Assumptions;

class ArithmeticTest {
    @Example
    void exponentialIsAccurate() {
        double worst = 0;
        for (float x = -103.5f; x < 88.72f; x += 0.00013f) {
            double exact = StrictMath.exp(x);
            double error = Math.abs(Arithmetic.exp(x) - exact) / Math.ulp((float) exact);
            worst = Math.max(worst, error);
        }
        assertThat(worst).isLessThan(1.1);
    }

    @Example
    void exponentialKeepsItsEnds() {
        assertThat(Arithmetic.exp(0f)).isEqualTo(1f);
        assertThat(Arithmetic.exp(-0f)).isEqualTo(1f);
        assertThat(Arithmetic.exp(Float.NEGATIVE_INFINITY)).isEqualTo(0f);
        assertThat(Arithmetic.exp(-Float.MAX_VALUE)).isEqualTo(0f);
        assertThat(Arithmetic.exp(-103.97f)).isEqualTo(Float.MIN_VALUE);
        assertThat(Arithmetic.exp(-104f)).isEqualTo(0f);
        assertThat(Arithmetic.exp(88.72f)).isFinite();
        assertThat(Arithmetic.exp(88.73f)).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(Arithmetic.exp(Float.POSITIVE_INFINITY)).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(Arithmetic.exp(Float.NaN)).isNaN();
        assertThat(Arithmetic.exp(Float.MIN_VALUE)).isEqualTo(1f);
    }

    /** The whole of binary32 in steps, ends included, through both implementations. */
    @Example
    void exponentialsAgreeEverywhere() {
        Arithmetic plain = new PlainArithmetic();
        Arithmetic best = Arithmetic.best();
        float[] values = new float[4096];
        int bits = 0;
        for (long start = 0; start < 1L << 32; start += 4096L * 4001) {
            for (int i = 0; i < values.length; i++) {
                values[i] = Float.intBitsToFloat(bits);
                bits += 4001;
            }
            float[] first = values.clone();
            float[] second = values.clone();
            plain.exponentials(first, 0, values.length, 0.5f, new float[16], 0);
            best.exponentials(second, 0, values.length, 0.5f, new float[16], 0);
            assertThat(second).isEqualTo(first);
        }
    }

    /** From the first call, plain, to the last, SIMD: the results stay what they are. */
    @Example
    void warmingTakesOverUnnoticed() throws InterruptedException {
        Arithmetic best = Arithmetic.best();
        Assumptions.assumeThat(best).isNotInstanceOf(PlainArithmetic.class);
        WarmingArithmetic warming = new WarmingArithmetic(new PlainArithmetic(), best);
        float[] in = Numbers.normal(new Random(1), 8 * 100);
        float[] panel = Numbers.normal(new Random(2), 100 * 32);
        float[] expected = new float[8 * 32];
        new PlainArithmetic().accumulate(8, in, 0, panel, 0, 32, 100, 32, expected, 0, 32);
        long start = System.nanoTime();
        while (warming.taken() == 0) {
            assertThat(System.nanoTime() - start).isLessThan(50_000_000_000L);
            float[] sums = new float[8 * 32];
            warming.accumulate(8, in, 0, panel, 0, 32, 100, 32, sums, 0, 32);
            assertThat(sums).isEqualTo(expected);
            Thread.sleep(5);
        }
        float[] sums = new float[8 * 32];
        warming.accumulate(8, in, 0, panel, 0, 32, 100, 32, sums, 0, 32);
        assertThat(sums).isEqualTo(expected);
        assertThat(warming.taken()).isOne();
    }

    @Example
    void numbersThatAreNoneComeThrough() {
        for (Arithmetic arithmetic : new Arithmetic[] {new PlainArithmetic(), Arithmetic.best()}) {
            for (int length : new int[] {1, 5, 16, 37, 64}) {
                for (int where = 0; where < length; where++) {
                    float[] values = Numbers.normal(new Random(where), length);
                    values[where] = Float.NaN;
                    assertThat(arithmetic.scaleAndMax(values, 0, length, 1f)).isNaN();
                    float[] partials = new float[16];
                    arithmetic.addSquares(values, 0, length, partials);
                    assertThat(Arithmetic.total(partials, 0)).isNaN();
                    values[where] = Float.POSITIVE_INFINITY;
                    assertThat(arithmetic.scaleAndMax(values, 0, length, 2f)).isEqualTo(Float.POSITIVE_INFINITY);
                }
            }
            float[] none = new float[20];
            Arrays.fill(none, Float.NEGATIVE_INFINITY);
            assertThat(arithmetic.scaleAndMax(none, 0, 20, 1f)).isEqualTo(Float.NEGATIVE_INFINITY);
        }
    }

    @Example
    void halfPrecisionIsExact() {
        assertThat(HostNumbers.halfToFloat((short) 0x3c00)).isEqualTo(1f);
        assertThat(HostNumbers.halfToFloat((short) 0xc000)).isEqualTo(-2f);
        assertThat(HostNumbers.halfToFloat((short) 0x7bff)).isEqualTo(65504f);
        assertThat(HostNumbers.halfToFloat((short) 0x0001)).isEqualTo(0x1p-24f);
        assertThat(HostNumbers.halfToFloat((short) 0x83ff)).isEqualTo(-1023 * 0x1p-24f);
        assertThat(HostNumbers.halfToFloat((short) 0x0400)).isEqualTo(0x1p-14f);
        assertThat(HostNumbers.halfToFloat((short) 0xfc00)).isEqualTo(Float.NEGATIVE_INFINITY);
        assertThat(HostNumbers.halfToFloat((short) 0x7e00)).isNaN();
        assertThat(Float.floatToRawIntBits(HostNumbers.halfToFloat((short) 0x8000)))
                .isEqualTo(Float.floatToRawIntBits(-0f));
    }
}
