package dev.paloverde.gpu.decode;

import java.util.Arrays;

/**
 * What to propose to sequences whose outcome was not guessed, when the others of the batch have their proposals: what the
 * drafter says now, for which all wait, or what a lookup finds, for which none does. By measured costs: the drafter's
 * where {@code (others E + missed E_draft) / (verify + draft)} is more than {@code (others E + missed E_lookup) / verify}.
 */
final class FallbackChoice {
    private static final double NEW = 0.1;
    /** One in so many choices is the one that seems worse, to know what it costs now. */
    private static final int CHOICES_TO_TRIAL = 48;
    /** What the drafter takes is the median of so many: recording a step, which happens once, takes many times as long. */
    private static final int RECENT = 5;

    private final Speculation.Fallback fallback;
    private double draftTokens = 3;
    private double lookupTokens = 1.5;
    private double tokensWithout = 3;
    private final long[] recent = new long[RECENT];
    private int drafts;
    private double verifyNanos;
    private int choices;

    FallbackChoice(Speculation speculation) {
        this.fallback =
                speculation.rule() == Speculation.Rule.REJECTION ? Speculation.Fallback.DRAFT : speculation.fallback();
    }

    /**
     * Whether the drafter is to be asked.
     *
     * @param missed how many sequences have no proposal
     * @param others how many have one
     */
    boolean draft(int missed, int others) {
        if (fallback != Speculation.Fallback.MEASURED) {
            return fallback == Speculation.Fallback.DRAFT;
        }
        double otherTokens = others * tokensWithout;
        boolean better = verifyNanos == 0
                || drafts < RECENT
                || (otherTokens + missed * draftTokens) * verifyNanos
                        > (otherTokens + missed * lookupTokens) * (verifyNanos + draftNanos());
        return (++choices % CHOICES_TO_TRIAL == 0) != better;
    }

    /** Takes down how long the drafter took. */
    void drafted(long nanos) {
        recent[drafts++ % RECENT] = nanos;
    }

    private long draftNanos() {
        long[] sorted = recent.clone();
        Arrays.sort(sorted);
        return sorted[RECENT / 2];
    }

    /** Takes down how long a step took. */
    void verified(long nanos) {
        verifyNanos = verifyNanos == 0 ? nanos : verifyNanos + NEW * (nanos - verifyNanos);
    }

    /** Takes down how many tokens a round brought that began without a fallback. */
    void broughtWithout(int tokens) {
        tokensWithout += NEW * (tokens - tokensWithout);
    }

    /** Takes down how many tokens a round brought that began with a fallback. */
    void brought(boolean draft, int tokens) {
        if (draft) {
            draftTokens += NEW * (tokens - draftTokens);
        } else {
            lookupTokens += NEW * (tokens - lookupTokens);
        }
    }
}
