package dev.paloverde.gpu.decode;

import java.util.Arrays;

/** The laws that proposed tokens were drawn from, for who has to decide whether to take them. */
interface DraftLaw {
    /** {@return the probability that the token proposed at an index had} */
    double chance(int index);

    /**
     * The law at an index.
     *
     * @param token that was proposed
     * @param seen the tokens of prompt and output before it
     * @param out [vocabulary] probabilities
     */
    void fill(int index, int token, SeenTokens seen, double[] out);

    /** The law of who would propose nothing else. */
    DraftLaw CERTAIN = new DraftLaw() {
        @Override
        public double chance(int index) {
            return 1;
        }

        @Override
        public void fill(int index, int token, SeenTokens seen, double[] out) {
            Arrays.fill(out, 0);
            out[token] = 1;
        }
    };
}
