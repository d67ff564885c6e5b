package dev.paloverde.pipelines.packing;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Attention;
import dev.paloverde.gpu.model.ModelConfiguration;
import java.math.BigInteger;

/**
 * The floating point operations of training a model on sequences once, forward and backward, a multiplication and an
 * addition being two. A matrix product with w weights takes 2 w a position forward, and twice that backward, for the
 * gradients of its input and of its weights: 6 w (Kaplan et al., "Scaling Laws for Neural Language Models", 2020, section
 * 2.1; Hoffmann et al., "Training Compute-Optimal Large Language Models", 2022, appendix F). Of a model with L layers,
 * width d, H query heads and G key-value heads of width h, feed-forward width f and vocabulary V:
 *
 * <pre>
 * linear    = 6 N (text + visual)      N = L (d H h + 2 d G h + H h d + 3 d f)
 * attention = 12 L H h K               K = sum over positions of how many positions each sees
 * head      = 6 V d text + 6 (2 z d) visual
 * </pre>
 *
 * Attention is exact for packed documents: queries times keys and weights times values take 2 H h each for a pair of
 * positions that see each other, forward, and twice that backward; pairs in different documents take nothing. Text pays
 * for the output projection, latents of width z for being projected in and out. Not counted are what is not a matrix
 * product (norms, activations, softmax, rotations, the look-up of embeddings) and recomputation.
 *
 * @param model whose it is
 * @param parameters weights of the layers' matrix products, N
 * @param embeddingParameters weights of the embedding, and of the output projection if that is another
 * @param linear operations of the layers' matrix products
 * @param attention operations of attention
 * @param head operations of what is before the first and after the last layer
 * @param total all three
 * @param padding operations of the layers' matrix products on positions that hold nothing, which are not in the total
 */
public record FlopLedger(
        String model,
        long parameters,
        long embeddingParameters,
        BigInteger linear,
        BigInteger attention,
        BigInteger head,
        BigInteger total,
        BigInteger padding) {

    /** Width of the latents of SigLIP 2 So400m, where nobody says. */
    public static final int STANDARD_LATENT_WIDTH = 1152;

    /**
     * What sequences hold.
     *
     * @param text positions that hold tokens
     * @param visual positions that hold latents
     * @param attended over all positions, how many positions each sees
     * @param padding positions that hold nothing
     */
    public record Totals(long text, long visual, long attended, long padding) {}

    /**
     * Works out a ledger.
     *
     * @param model name of the model
     * @param configuration its shape
     * @param context positions of the sequences
     * @param totals what they hold
     * @param latentWidth width of the latents
     * @throws PaloverdeException {@code INVALID_OPTION} if the model's attention sees less than the context
     */
    public static FlopLedger of(
            String model, ModelConfiguration configuration, int context, Totals totals, int latentWidth) {
        for (int window : configuration.windows()) {
            if (window != Attention.UNLIMITED && window < context) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "the ledger of %s cannot be worked out: a layer of it sees %d positions of %d"
                                .formatted(model, window, context));
            }
        }
        long hidden = configuration.hidden();
        long queries = (long) configuration.queryHeads() * configuration.headWidth();
        long keys = (long) configuration.keyValueHeads() * configuration.headWidth();
        long layers = configuration.layers();
        long parameters = layers * hidden * (2 * queries + 2 * keys + 3L * configuration.intermediate());
        long vocabulary = configuration.vocabulary() * hidden;
        BigInteger linear = product(6, parameters, Math.addExact(totals.text(), totals.visual()));
        BigInteger attention = product(12, layers * queries, totals.attended());
        BigInteger head =
                product(6, vocabulary, totals.text()).add(product(6, 2L * latentWidth * hidden, totals.visual()));
        return new FlopLedger(
                model,
                parameters,
                configuration.tiedEmbeddings() ? vocabulary : 2 * vocabulary,
                linear,
                attention,
                head,
                linear.add(attention).add(head),
                product(6, parameters, totals.padding()));
    }

    private static BigInteger product(long first, long second, long third) {
        return BigInteger.valueOf(first).multiply(BigInteger.valueOf(second)).multiply(BigInteger.valueOf(third));
    }
}
