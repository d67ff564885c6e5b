package dev.paloverde.gpu.kernels;

import java.util.Arrays;

/**
 * Attention and its gradients as their formulas say, in double precision, one row after the other: what the kernels of
 * {@code attention_forward*.cu} and {@code attention_backward*.cu} are written to, with the masks, capped scores and sinks
 * that those have.
 *
 * <p>For a query q of a head, over the keys k that it sees:
 *
 * <pre>
 * score(k) = scale q k, or softcap tanh(scale q k / softcap)
 * LSE      = log(sum of exp(score(k)) + exp(sink))
 * out      = sum of exp(score(k) - LSE) v(k)
 * </pre>
 *
 * Gradients are those of FlashAttention-2 (arXiv 2307.08691, section 3.1), times the slope of the cap; that of a sink is
 * minus the sum over its rows of {@code exp(sink - LSE) out dOut}.
 */
final class AttentionReference {
    private AttentionReference() {}

    /**
     * How many there are of what. Heads of queries share heads of keys, neighbours first.
     *
     * @param width numbers in a query or key of a head
     * @param valueWidth numbers in a value of a head
     */
    record Shape(int queries, int keys, int heads, int keyHeads, int width, int valueWidth) {
        private int query(int row, int head) {
            return (row * heads + head) * width;
        }

        private int key(int position, int head) {
            return (position * keyHeads + head / (heads / keyHeads)) * width;
        }

        private int value(int position, int head) {
            return (position * keyHeads + head / (heads / keyHeads)) * valueWidth;
        }

        private int output(int row, int head) {
            return (row * heads + head) * valueWidth;
        }

        private int sum(int row, int head) {
            return head * queries + row;
        }
    }

    /** Which keys a query sees: those from {@link #first} up to, and without, {@link #end}. */
    interface Sight {
        int first(int query);

        int end(int query);

        /**
         * {@return a window around the key that stands where the query does, the last query at the last key}
         *
         * @param left keys before it, {@link Integer#MAX_VALUE} for all
         * @param right keys after it, 0 for a causal mask
         */
        static Sight window(Shape shape, int left, int right) {
            long shift = (long) shape.keys() - shape.queries();
            return new Sight() {
                @Override
                public int first(int query) {
                    return (int) Math.max(0, query + shift - left);
                }

                @Override
                public int end(int query) {
                    return (int) Math.max(0, Math.min(shape.keys(), query + shift + right + 1));
                }
            };
        }
    }

    /**
     * From products to weights.
     *
     * @param scale factor of the products
     * @param softcap what scores stay below, 0 for no cap
     * @param sinks a score for each head of queries that has no value; empty for none
     */
    record Rule(double scale, double softcap, float[] sinks) {
        Rule(double scale) {
            this(scale, 0, new float[0]);
        }

        private double score(double product) {
            return softcap == 0 ? scale * product : softcap * Math.tanh(scale * product / softcap);
        }

        /** Of the score, by the product. */
        private double slope(double product) {
            if (softcap == 0) {
                return scale;
            }
            double tanh = Math.tanh(scale * product / softcap);
            return scale * (1 - tanh * tanh);
        }

        private double sink(int head) {
            return sinks.length == 0 ? Double.NEGATIVE_INFINITY : sinks[head];
        }
    }

    /**
     * What attention gives.
     *
     * @param values [queries][heads][valueWidth]; zeros for a query that sees nothing
     * @param sums the LSE, [heads][queries]; for a query that sees nothing the sink, or minus infinity
     */
    record Output(double[] values, double[] sums) {}

    /** Of queries, keys, values and sinks, laid out as these are. */
    record Gradients(double[] queries, double[] keys, double[] values, double[] sinks) {}

    /**
     * {@return attention}
     *
     * @param queries [queries][heads][width]
     * @param keys [keys][keyHeads][width]
     * @param values [keys][keyHeads][valueWidth]
     */
    static Output forward(Shape shape, Sight sight, Rule rule, float[] queries, float[] keys, float[] values) {
        double[] out = new double[shape.queries() * shape.heads() * shape.valueWidth()];
        double[] sums = new double[shape.heads() * shape.queries()];
        for (int head = 0; head < shape.heads(); head++) {
            for (int row = 0; row < shape.queries(); row++) {
                double[] products = products(shape, sight, queries, keys, row, head);
                double sum = logarithm(rule, products, head);
                sums[shape.sum(row, head)] = sum;
                int first = sight.first(row);
                int target = shape.output(row, head);
                for (int i = 0; i < products.length; i++) {
                    double weight = Math.exp(rule.score(products[i]) - sum);
                    int source = shape.value(first + i, head);
                    for (int column = 0; column < shape.valueWidth(); column++) {
                        out[target + column] += weight * values[source + column];
                    }
                }
            }
        }
        return new Output(out, sums);
    }

    /**
     * {@return the gradients of a loss}
     *
     * @param gradient the loss's by the output, laid out as it is
     */
    static Gradients backward(
            Shape shape, Sight sight, Rule rule, float[] queries, float[] keys, float[] values, double[] gradient) {
        Output forward = forward(shape, sight, rule, queries, keys, values);
        double[] byQueries = new double[queries.length];
        double[] byKeys = new double[keys.length];
        double[] byValues = new double[values.length];
        double[] bySinks = new double[rule.sinks().length];
        for (int head = 0; head < shape.heads(); head++) {
            for (int row = 0; row < shape.queries(); row++) {
                double[] products = products(shape, sight, queries, keys, row, head);
                double sum = forward.sums()[shape.sum(row, head)];
                int first = sight.first(row);
                int query = shape.query(row, head);
                int output = shape.output(row, head);
                double all = 0;
                for (int column = 0; column < shape.valueWidth(); column++) {
                    all += gradient[output + column] * forward.values()[output + column];
                }
                for (int i = 0; i < products.length; i++) {
                    double weight = Math.exp(rule.score(products[i]) - sum);
                    int value = shape.value(first + i, head);
                    double byWeight = 0;
                    for (int column = 0; column < shape.valueWidth(); column++) {
                        byWeight += gradient[output + column] * values[value + column];
                        byValues[value + column] += weight * gradient[output + column];
                    }
                    double byProduct = weight * (byWeight - all) * rule.slope(products[i]);
                    int key = shape.key(first + i, head);
                    for (int column = 0; column < shape.width(); column++) {
                        byQueries[query + column] += byProduct * keys[key + column];
                        byKeys[key + column] += byProduct * queries[query + column];
                    }
                }
                if (bySinks.length > 0) {
                    bySinks[head] -= Math.exp(rule.sink(head) - sum) * all;
                }
            }
        }
        return new Gradients(byQueries, byKeys, byValues, bySinks);
    }

    /** Of a query and the keys that it sees. */
    private static double[] products(Shape shape, Sight sight, float[] queries, float[] keys, int row, int head) {
        int first = sight.first(row);
        double[] products = new double[Math.max(0, sight.end(row) - first)];
        int query = shape.query(row, head);
        for (int i = 0; i < products.length; i++) {
            int key = shape.key(first + i, head);
            for (int column = 0; column < shape.width(); column++) {
                products[i] += (double) queries[query + column] * keys[key + column];
            }
        }
        return products;
    }

    private static double logarithm(Rule rule, double[] products, int head) {
        double sink = rule.sink(head);
        double high =
                Math.max(sink, Arrays.stream(products).map(rule::score).max().orElse(Double.NEGATIVE_INFINITY));
        if (high == Double.NEGATIVE_INFINITY) {
            return high;
        }
        double sum = Math.exp(sink - high);
        for (double product : products) {
            sum += Math.exp(rule.score(product) - high);
        }
        return high + Math.log(sum);
    }
}
