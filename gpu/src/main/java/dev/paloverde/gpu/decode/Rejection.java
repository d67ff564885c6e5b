package dev.paloverde.gpu.decode;

/**
 * The rule of Leviathan, Kalman and Matias (arXiv 2211.17192, section 2.3): a token x proposed by a law q is taken with
 * probability {@code min(1, p(x) / q(x))}, and else replaced by one of the law {@code max(p - q, 0)}, normalised. What comes
 * out has the law p, whatever q is. Proposing, taking and replacing use independent random numbers. Used by one thread.
 */
final class Rejection {
    private final Sampler sampler;
    private final double[] target;
    private final double[] draft;

    Rejection(int vocabulary) {
        this.sampler = new Sampler(vocabulary);
        this.target = new double[vocabulary];
        this.draft = new double[vocabulary];
    }

    /**
     * Takes or replaces a proposed token.
     *
     * @param logits the target's, from {@code from}; as before on return
     * @param position the position that the token will have
     * @param proposed the token
     * @param law that it was drawn from
     * @param index of the token in the proposal
     */
    int choose(
            float[] logits,
            int from,
            Sampling sampling,
            RowNoise noise,
            SeenTokens seen,
            int position,
            int proposed,
            DraftLaw law,
            int index) {
        sampler.law(logits, from, sampling, seen, target);
        return choose(target, noise, position, proposed, law, index, seen);
    }

    /** As above, by the target's law. */
    int choose(
            double[] probabilities,
            RowNoise noise,
            int position,
            int proposed,
            DraftLaw law,
            int index,
            SeenTokens seen) {
        double uniform = noise.uniform(RowNoise.Purpose.ACCEPT, position);
        if (uniform * law.chance(index) < probabilities[proposed]) {
            return proposed;
        }
        law.fill(index, proposed, seen, draft);
        double mass = 0;
        for (int token = 0; token < draft.length; token++) {
            draft[token] = Math.max(0, probabilities[token] - draft[token]);
            mass += draft[token];
        }
        // nothing is left only where rounding has made two equal laws different
        double[] left = mass > 0 ? draft : probabilities;
        return draw(left, noise.uniform(RowNoise.Purpose.RESIDUAL, position));
    }

    /**
     * The token of a law that a uniform number stands for: the first up to which the law has this share of its mass.
     *
     * @param law weights, not all of them zero
     */
    static int draw(double[] law, double uniform) {
        double mass = 0;
        for (double weight : law) {
            mass += weight;
        }
        double left = uniform * mass;
        int last = 0;
        for (int token = 0; token < law.length; token++) {
            if (law[token] > 0) {
                last = token;
                left -= law[token];
                if (left < 0) {
                    return token;
                }
            }
        }
        return last;
    }
}
