package dev.paloverde.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.FloatBuffer;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;

class Fp8Test {
    /** Numbers of all sizes that matter, and the middles between neighbours. */
    @Provide
    Arbitrary<Float> numbers() {
        Arbitrary<Float> halves = Arbitraries.integers().between(0, 0x7d).map(code -> {
            float below = Fp8.decode((byte) (int) code);
            return below + (Fp8.decode((byte) (code + 1)) - below) / 2;
        });
        Arbitrary<Float> scaled = Arbitraries.floats()
                .between(-1, 1)
                .flatMap(unit -> Arbitraries.integers().between(-20, 12).map(power -> Math.scalb(unit, power)));
        return Arbitraries.oneOf(halves, halves.map(half -> -half), scaled, scaled.map(number -> Math.nextUp(number)));
    }

    @Property
    void roundsToTheNearestNumberAndToTheEvenCodeOfTwo(@ForAll("numbers") float number) {
        byte code = Fp8.encode(number);
        double distance = Math.abs((double) number - Fp8.decode(code));
        for (int other = 0; other < 256; other++) {
            float there = Fp8.decode((byte) other);
            if (Float.isNaN(there) || there == Fp8.decode(code)) {
                continue;
            }
            double away = Math.abs((double) number - there);
            assertThat(distance).as("%s became %s", number, Fp8.decode(code)).isLessThanOrEqualTo(away);
            if (away == distance) {
                assertThat(code & 1).as("the middle %s", number).isZero();
            }
        }
        assertThat(code < 0).isEqualTo(Float.floatToRawIntBits(number) < 0);
    }

    @Example
    void everyNumberKeepsItsCodeAndIsABf16Number() {
        for (int code = 0; code < 256; code++) {
            float number = Fp8.decode((byte) code);
            if (!Float.isNaN(number)) {
                assertThat(Fp8.encode(number)).isEqualTo((byte) code);
                assertThat(Float.floatToRawIntBits(number) & 0xffff).isZero();
            }
        }
        // tables 1 and 2 of arXiv 2209.05433
        assertThat(Fp8.decode((byte) 0x7e)).isEqualTo(448);
        assertThat(Fp8.decode((byte) 0x08)).isEqualTo(0x1p-6f);
        assertThat(Fp8.decode((byte) 0x07)).isEqualTo(7 * 0x1p-9f);
        assertThat(Fp8.decode((byte) 0x81)).isEqualTo(-0x1p-9f);
    }

    @Example
    void beyondTheLargestIsTheLargest() {
        assertThat(Fp8.encode(449)).isEqualTo((byte) 0x7e);
        assertThat(Fp8.encode(1e30f)).isEqualTo((byte) 0x7e);
        assertThat(Fp8.encode(Float.NEGATIVE_INFINITY)).isEqualTo((byte) 0xfe);
        assertThat(Fp8.decode(Fp8.encode(Float.NaN))).isNaN();
        assertThat(Fp8.encode(-0f)).isEqualTo((byte) 0x80);
    }

    /** A number loses at most half a unit of its last place: a sixteenth of it, or half the least number's scale. */
    @Property(tries = 100)
    void aRowIsCloseToWhatItWas(
            @ForAll DataType type, @ForAll @IntRange(min = 1, max = 90) int columns, @ForAll long seed) {
        Numbers source = Numbers.random(new Random(seed), type, 5, columns);
        FloatBuffer rows = new Fp8Tensor(source).rows(0, 5).asFloatBuffer();
        for (int row = 0; row < 5; row++) {
            float scale = Fp8.scale(source.values(), row * columns, columns);
            float largest = 0;
            float largestBefore = 0;
            for (int i = row * columns; i < (row + 1) * columns; i++) {
                float before = source.values()[i];
                assertThat(rows.get(i))
                        .isCloseTo(before, within(Math.max(Math.abs(before) / 15.9f, scale * 0x1.01p-10f)));
                largest = Math.max(largest, Math.abs(rows.get(i)));
                largestBefore = Math.max(largestBefore, Math.abs(before));
            }
            assertThat(largest).isCloseTo(largestBefore, within(largestBefore * 1e-6f));
        }
    }

    @Property(tries = 50)
    void aRowDoesNotDependOnThoseBesideIt(@ForAll DataType type, @ForAll long seed) {
        Fp8Tensor tensor = new Fp8Tensor(Numbers.random(new Random(seed), type, 7, 33));
        FloatBuffer all = tensor.rows(0, 7).asFloatBuffer();
        for (int row = 0; row < 7; row++) {
            assertThat(tensor.rows(row, 1).asFloatBuffer()).isEqualTo(all.slice(row * 33, 33));
        }
    }

    @Example
    void rowsOfNothingAndOfNextToNothing() {
        float[] numbers = {0, -0f, 0, 1e-43f, -3e-44f, 0, Float.MAX_VALUE, -1, 0x1p120f};
        FloatBuffer rows = new Fp8Tensor(new Numbers(DataType.F32, 3, 3, numbers))
                .rows(0, 3)
                .asFloatBuffer();
        for (int i = 0; i < 6; i++) {
            assertThat(rows.get(i)).as("number %d", i).isBetween(-1e-40f, 1e-40f);
        }
        assertThat(rows.get(6)).isCloseTo(Float.MAX_VALUE, within(Float.MAX_VALUE / 1e6f));
        assertThat(rows.get(7)).isZero();
        // 448 / 256 of the largest's 448th is 1.75, and a number of three bits
        assertThat(rows.get(8)).isCloseTo(0x1p120f, within(0x1p116f));
    }
}
