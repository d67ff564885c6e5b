package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;

/**
 * Whether and how tokens are guessed ahead and verified many at a time. With the rule {@link Rule#COUPLED} nothing here
 * changes a result; with {@link Rule#REJECTION} results are others, with the same law.
 *
 * @param strategy what is done ahead
 * @param drafter who guesses
 * @param tokens how many tokens are proposed to a sequence in a round, from 1 to 64
 * @param fanOut for {@link Strategy#SSD}: guesses of an outcome for each number of accepted tokens, on average; 0 to 64
 * @param spread how the guesses of a round are shared out
 * @param fallback what is proposed where no guess was right
 * @param pace whether speculation has to pay
 * @param rule when a proposed token is accepted
 * @param residual what weights of guessed recovery tokens are multiplied with in the drafter's law, from 0 to 1 (C of
 *     Kumar, Dao and May, arXiv 2603.03251, Definition 14); only for {@link Rule#REJECTION}; 1 leaves the law alone
 */
public record Speculation(
        Strategy strategy,
        Drafting drafter,
        int tokens,
        int fanOut,
        Spread spread,
        Fallback fallback,
        Pace pace,
        Rule rule,
        double residual) {
    /** What is done ahead. */
    public enum Strategy {
        /** Nothing: a token a step. */
        AUTOREGRESSIVE,
        /** Tokens are proposed, then verified together (Leviathan, Kalman and Matias, arXiv 2211.17192). */
        SPECULATIVE,
        /** While tokens are verified, the next ones are proposed for the likely outcomes (arXiv 2603.03251). */
        SSD
    }

    /** Who guesses. */
    public enum Drafting {
        /** A smaller model with the same vocabulary. */
        MODEL,
        /** What followed the same words earlier in prompt and output. */
        LOOKUP,
        /** Whichever of the two was right more often lately, sequence by sequence. */
        BOTH
    }

    /** How guesses are shared out among the numbers of tokens that can be accepted. */
    public enum Spread {
        /** To each as many as make a right guess most likely, by measured acceptance and misses. */
        GEOMETRIC,
        /** To each the same number. */
        UNIFORM
    }

    /** What is proposed where no guess was right. */
    public enum Fallback {
        /** Whichever of the others gives more tokens in a second, by measured costs. */
        MEASURED,
        /** What the drafter says now, while the target waits. */
        DRAFT,
        /** What a lookup finds, which takes no time. */
        LOOKUP
    }

    /** Whether speculation has to pay. */
    public enum Pace {
        /** It is done where measured costs say that it pays, and tried now and then where they do not. */
        MEASURED,
        /** It is always done. */
        ALWAYS
    }

    /** When a proposed token is accepted. */
    public enum Rule {
        /** When it is the token that decoding without speculation would choose, which it gives in any case. */
        COUPLED,
        /** With probability min(1, p / q), else replaced by one of the residual law (arXiv 2211.17192, section 2.3). */
        REJECTION
    }

    /** @throws PaloverdeException {@code INVALID_OPTION} if a value is outside its range */
    public Speculation {
        require(tokens >= 1 && tokens <= 64, "speculation-tokens", tokens, "from 1 to 64");
        require(fanOut >= 0 && fanOut <= 64, "fan-out", fanOut, "from 0 to 64");
        require(residual >= 0 && residual <= 1, "residual", residual, "from 0 to 1");
    }

    private static void require(boolean valid, String name, Object value, String range) {
        if (!valid) {
            throw new PaloverdeException(ErrorCode.INVALID_OPTION, name + " is " + value + "; it must be " + range);
        }
    }

    /** A token a step. */
    public static Speculation none() {
        return of(Strategy.AUTOREGRESSIVE, Drafting.LOOKUP);
    }

    /** Five tokens a round, three guesses for each outcome's length, the coupled rule, where it pays. */
    public static Speculation of(Strategy strategy, Drafting drafter) {
        return new Speculation(
                strategy, drafter, 5, 3, Spread.GEOMETRIC, Fallback.MEASURED, Pace.MEASURED, Rule.COUPLED, 1);
    }

    /** {@return the same with another number of tokens in a round} */
    public Speculation tokens(int count) {
        return new Speculation(strategy, drafter, count, fanOut, spread, fallback, pace, rule, residual);
    }

    /** {@return the same with other guesses of outcomes} */
    public Speculation fanOut(int guesses, Spread shared) {
        return new Speculation(strategy, drafter, tokens, guesses, shared, fallback, pace, rule, residual);
    }

    /** {@return the same with another fallback} */
    public Speculation fallback(Fallback other) {
        return new Speculation(strategy, drafter, tokens, fanOut, spread, other, pace, rule, residual);
    }

    /** {@return the same at another pace} */
    public Speculation pace(Pace other) {
        return new Speculation(strategy, drafter, tokens, fanOut, spread, fallback, other, rule, residual);
    }

    /** {@return the same with the rule of rejection} */
    public Speculation rejection(double factor) {
        return new Speculation(strategy, drafter, tokens, fanOut, spread, fallback, pace, Rule.REJECTION, factor);
    }

    /** {@return whether results are others than those without speculation} */
    public boolean changesResults() {
        return strategy != Strategy.AUTOREGRESSIVE && rule == Rule.REJECTION;
    }

    /** {@return whether it needs a second model} */
    public boolean needsDraftModel() {
        return strategy != Strategy.AUTOREGRESSIVE && drafter != Drafting.LOOKUP;
    }
}
