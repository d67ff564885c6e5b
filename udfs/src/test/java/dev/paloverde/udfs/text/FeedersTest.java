package dev.paloverde.udfs.text;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class FeedersTest {
    @Test
    void theFirstIsWhoBeganBeforeAllThatHaveRowsLeft() {
        Feeders feeders = new Feeders();
        Object early = new Object();
        Object late = new Object();
        Object last = new Object();
        assertThat(feeders.isFirst(early)).isFalse();
        feeders.join(early);
        feeders.join(late);
        feeders.join(last);
        feeders.join(early);
        assertThat(feeders.isFirst(early)).isTrue();
        assertThat(feeders.isFirst(late)).isFalse();

        feeders.leave(late);
        feeders.leave(early);
        assertThat(feeders.isFirst(last)).isTrue();

        feeders.join(early);
        assertThat(feeders.isFirst(early))
                .as("it comes again, after who stayed")
                .isFalse();
        feeders.leave(last);
        feeders.leave(last);
        assertThat(feeders.isFirst(early)).isTrue();
    }
}
