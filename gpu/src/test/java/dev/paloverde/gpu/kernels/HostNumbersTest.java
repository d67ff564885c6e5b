package dev.paloverde.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

class HostNumbersTest {
    private static float bf16(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    @Property
    void roundsToTheNearestBf16AndToTheEvenOneOfTwo(@ForAll int bits) {
        float number = Float.intBitsToFloat(bits);
        if (Float.isNaN(number) || Float.isInfinite(number)) {
            return;
        }
        short rounded = HostNumbers.floatToBf16(number);
        // the two neighbours: the number cut off, and the next one away from zero
        short below = (short) (bits >>> 16);
        short above = (short) (below + 1);
        double toBelow = Math.abs((double) number - bf16(below));
        // what comes after the largest number rounds to infinity as if it were 2^128
        double next = Float.isInfinite(bf16(above)) ? Math.copySign(0x1p128, number) : bf16(above);
        double toAbove = Math.abs(number - next);
        if (toBelow < toAbove) {
            assertThat(rounded).isEqualTo(below);
        } else if (toAbove < toBelow) {
            assertThat(rounded).isEqualTo(above);
        } else {
            assertThat(rounded).isEqualTo((below & 1) == 0 ? below : above);
        }
    }

    @Example
    void keepsWhatIsNoNumber() {
        assertThat(bf16(HostNumbers.floatToBf16(Float.NaN))).isNaN();
        assertThat(bf16(HostNumbers.floatToBf16(Float.intBitsToFloat(0x7f800001))))
                .isNaN();
        assertThat(bf16(HostNumbers.floatToBf16(Float.NEGATIVE_INFINITY))).isEqualTo(Float.NEGATIVE_INFINITY);
        assertThat(bf16(HostNumbers.floatToBf16(Float.MAX_VALUE))).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(HostNumbers.floatToBf16(-0f)).isEqualTo((short) 0x8000);
    }

    @Property
    void halvesAreExact(@ForAll short half) {
        float number = HostNumbers.halfToFloat(half);
        int exponent = half >>> 10 & 31;
        int fraction = half & 0x3ff;
        if (exponent == 31) {
            assertThat(Float.isNaN(number) || Float.isInfinite(number)).isTrue();
            return;
        }
        double expected = exponent == 0 ? fraction * 0x1p-24 : (1024 + fraction) * Math.pow(2, exponent - 25);
        assertThat((double) Math.abs(number)).isEqualTo(expected);
        assertThat(Float.floatToRawIntBits(number) < 0).isEqualTo(half < 0);
    }
}
