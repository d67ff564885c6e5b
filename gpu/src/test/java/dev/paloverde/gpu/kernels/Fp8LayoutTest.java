package dev.paloverde.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/**
 * What {@code products_fp8.cuh} says of addresses and bits, done on the CPU: what the kernel that quantizes writes,
 * warps read back as the registers of a 16 x 16 matrix.
 */
class Fp8LayoutTest {
    private static final int STRIP_BYTES = 1024;

    /** As {@code word_of}. */
    private static int wordOf(int output, int tiles, int step, int pair) {
        return (output / 16 * tiles + step / 4) * STRIP_BYTES
                + step % 4 / 2 * 512
                + (output % 8 * 4 + pair) * 16
                + step % 2 * 8
                + output % 16 / 8 * 4;
    }

    /** As {@code woven}. */
    private static int woven(int near, int far) {
        return (near & 0x80) << 8 | (near & 0x7f) << 4 | (far & 0x70) << 8 | (far & 0x80) << 4 | far & 0x0f;
    }

    /** As {@code lifted}: one of the two bf16 numbers of a register. */
    private static float lifted(int pair, int upper) {
        return Float.intBitsToFloat((upper == 0 ? pair << 16 : pair) & 0xffff0000) * 0x1p120f;
    }

    private static int near(int word) {
        return word & 0x87f087f0;
    }

    private static int far(int word) {
        return word << 4 & 0x80f080f0 | word >>> 4 & 0x07000700;
    }

    @Example
    void everyPairOfCodesComesOutOfAWord() {
        for (int near = 0; near < 256; near++) {
            for (int far = 0; far < 256; far++) {
                int half = woven(near, far);
                assertThat(half).isBetween(0, 0xffff);
                // the other half's bits must not run over
                for (int other : new int[] {0, 0xffff}) {
                    assertNumber(near, lifted(near(half | other << 16), 0));
                    assertNumber(far, lifted(far(half | other << 16), 0));
                    assertNumber(near, lifted(near(half << 16 | other), 1));
                    assertNumber(far, lifted(far(half << 16 | other), 1));
                }
            }
        }
    }

    private static void assertNumber(int code, float number) {
        if ((code & 0x7f) != 0x7f) {
            assertThat(Float.floatToRawIntBits(number)).isEqualTo(Float.floatToRawIntBits(Fp8.decode((byte) code)));
        }
    }

    @Property(tries = 30)
    void everyWordHasAPlaceOfItsOwn(
            @ForAll @IntRange(min = 1, max = 6) int strips, @ForAll @IntRange(min = 1, max = 5) int tiles) {
        BitSet taken = new BitSet();
        for (int output = 0; output < 16 * strips; output++) {
            for (int step = 0; step < 4 * tiles; step++) {
                for (int pair = 0; pair < 4; pair++) {
                    int word = wordOf(output, tiles, step, pair);
                    assertThat(word % 4).isZero();
                    assertThat(taken.get(word / 4)).isFalse();
                    taken.set(word / 4);
                }
            }
        }
        assertThat(taken.cardinality()).isEqualTo(strips * tiles * STRIP_BYTES / 4);
        assertThat(taken.length()).isEqualTo(taken.cardinality());
    }

    /** The matrix A of {@code mma.m16n8k16}, as the PTX manual draws it: what each lane has in its four registers. */
    @Property(tries = 20)
    void aWarpReadsTheMatrixThatTheTensorCoresTake(
            @ForAll @IntRange(min = 1, max = 4) int strips,
            @ForAll @IntRange(min = 1, max = 3) int tiles,
            @ForAll long seed) {
        Random random = new Random(seed);
        int columns = 64 * tiles;
        byte[] codes = new byte[16 * strips * columns];
        for (int i = 0; i < codes.length; i++) {
            codes[i] = Fp8.encode((float) random.nextGaussian() * 30);
        }
        int[] memory = new int[strips * tiles * STRIP_BYTES / 4];
        for (int output = 0; output < 16 * strips; output++) {
            for (int step = 0; step < 4 * tiles; step++) {
                for (int pair = 0; pair < 4; pair++) {
                    int at = output * columns + 16 * step + 2 * pair;
                    memory[wordOf(output, tiles, step, pair) / 4] = woven(codes[at] & 0xff, codes[at + 8] & 0xff)
                            | woven(codes[at + 1] & 0xff, codes[at + 9] & 0xff) << 16;
                }
            }
        }
        for (int strip = 0; strip < strips; strip++) {
            for (int tile = 0; tile < tiles; tile++) {
                for (int lane = 0; lane < 32; lane++) {
                    int[] words = new int[8];
                    for (int half = 0; half < 2; half++) {
                        int from = ((strip * tiles + tile) * STRIP_BYTES + half * 512 + lane * 16) / 4;
                        System.arraycopy(memory, from, words, 4 * half, 4);
                    }
                    for (int step = 0; step < 4; step++) {
                        int[] registers = {
                            near(words[2 * step]),
                            near(words[2 * step + 1]),
                            far(words[2 * step]),
                            far(words[2 * step + 1])
                        };
                        for (int i = 0; i < 8; i++) {
                            int row = 16 * strip + lane / 4 + (i / 2 % 2 == 1 ? 8 : 0);
                            int column = 64 * tile + 16 * step + lane % 4 * 2 + i % 2 + (i / 4 == 1 ? 8 : 0);
                            assertThat(lifted(registers[i / 2], i % 2))
                                    .isEqualTo(Fp8.decode(codes[row * columns + column]));
                        }
                    }
                }
            }
        }
    }
}
