package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

class SuffixIndexTest {
    @Property(tries = 300)
    void findsTheLongestSuffixThatOccursEarlierAndWhatFollowedIt(
            @ForAll long seed, @ForAll @IntRange(min = 1, max = 12) int kinds) {
        Random random = new Random(seed);
        int[] text = random.ints(1 + random.nextInt(120), 0, kinds).toArray();
        SuffixIndex index = new SuffixIndex();
        for (int length = 1; length <= text.length; length++) {
            index.add(text[length - 1]);
            int longest = 0;
            while (longest < length - 1 && occursEarlier(text, length, longest + 1)) {
                longest++;
            }
            assertThat(index.length()).isEqualTo(length);
            assertThat(index.matched()).isEqualTo(longest);
            int[] continuation = index.continuation(5);
            if (longest == 0) {
                assertThat(continuation).isEmpty();
                continue;
            }
            // some earlier occurrence goes on like this
            boolean found = false;
            for (int end = longest; end < length && !found; end++) {
                found = matches(text, length, longest, end) && Arrays.equals(follow(text, length, end), continuation);
            }
            assertThat(found).isTrue();
        }
    }

    private static boolean occursEarlier(int[] text, int length, int suffix) {
        for (int end = suffix; end < length; end++) {
            if (matches(text, length, suffix, end)) {
                return true;
            }
        }
        return false;
    }

    private static boolean matches(int[] text, int length, int suffix, int end) {
        return Arrays.equals(text, end - suffix, end, text, length - suffix, length);
    }

    private static int[] follow(int[] text, int length, int end) {
        int[] tokens = new int[5];
        for (int i = 0; i < 5; i++) {
            tokens[i] = end + i < length ? text[end + i] : tokens[end + i - length];
        }
        return tokens;
    }
}
