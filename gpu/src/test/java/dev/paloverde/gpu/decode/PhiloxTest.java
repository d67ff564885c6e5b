package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class PhiloxTest {
    /** The vectors for philox4x32 with 10 rounds in the known-answer file of Random123, the authors' library. */
    @Test
    void givesThePublishedAnswers() {
        assertThat(Philox.block(0, 0, 0, 0, 0, 0)).containsExactly(0x6627e8d5L, 0xe169c58dL, 0xbc57ac4cL, 0x9b00dbd8L);
        assertThat(Philox.block(-1, -1, -1, -1, -1, -1))
                .containsExactly(0x408f276dL, 0x41c83b0eL, 0xa20bc7c6L, 0x6d5451fdL);
        assertThat(Philox.block(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0))
                .containsExactly(0xd16cfe09L, 0x94fdccebL, 0x5001e420L, 0x24126ea1L);
    }

    @Property(tries = 200)
    void lanesAreBlocks(
            @ForAll int first,
            @ForAll int counter1,
            @ForAll int counter2,
            @ForAll int counter3,
            @ForAll int key0,
            @ForAll int key1,
            @ForAll @IntRange(min = 1, max = 70) int count) {
        Philox.Lanes lanes = new Philox.Lanes(70);
        Philox.bits(lanes, first, count, counter1, counter2, counter3, key0, key1);
        for (int lane = 0; lane < count; lane++) {
            assertThat(lanes.c0[lane]).isEqualTo(Philox.bits(first + lane, counter1, counter2, counter3, key0, key1));
        }
    }
}
