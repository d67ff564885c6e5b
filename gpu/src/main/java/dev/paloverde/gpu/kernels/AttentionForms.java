package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Which kernel of attention takes what: the table of {@code attention.cuh}. The number of keys in a block decides the last
 * bits of a result, so there are two ways to choose: one kernel for a head size, whatever else there is, or the fastest.
 */
final class AttentionForms {
    /**
     * A system property: {@code true} lets GPUs of capability 100 take the kernels that are compiled for them, which have
     * never been run.
     */
    static final String UNTRIED_PROPERTY = "paloverde.cuda.untried-attention";

    /** From so many keys on, larger tiles are the faster ones, at head size 64 or where queries see keys causally. */
    private static final int MANY_KEYS = 8192;

    /** The same where every query sees every key. */
    private static final int MANY_KEYS_SEEN_WHOLE = 2048;

    /** One form for a head size, by the sizes of a query and of a value. */
    private static final Map<String, String> STEADY = Map.of(
            "64x64", "d64_r256_k64",
            "96x96", "d96_r192_k96",
            "128x128", "d128_r128_k128",
            "192x128", "d192x128_r128_k112",
            "256x256", "d256_r128_k80");

    /** More of them, for bf16 and without extras alone. */
    private static final Map<String, String> PLAIN = Map.of("72x72", "d72_r256_k64");

    /** As {@link #STEADY}, for GPUs of capability 100. */
    private static final Map<String, String> UNTRIED = Map.of("64x64", "d64_r256_k128", "128x128", "d128_r256_k128");

    /** Sizes of heads whose queries and values are equally wide. */
    private static final TreeMap<Integer, Integer> WIDTHS =
            new TreeMap<>(Map.of(64, 64, 72, 72, 96, 96, 128, 128, 256, 256));

    private static final int BLACKWELL = 100;

    private AttentionForms() {}

    /** What numbers queries, keys and values are. */
    enum Element {
        BF16,
        FP16
    }

    /** What a kernel does beyond {@code softmax(scale Q K^T) V}. */
    enum Extra {
        NONE(""),
        /** Scores are {@code softcap tanh(scale Q K^T / softcap)}. */
        SOFTCAP("_softcap"),
        /** Every head of queries has one more score, without a value. */
        SINKS("_sinks");

        private final String ending;

        Extra(String ending) {
            this.ending = ending;
        }
    }

    /** Which keys queries see. */
    enum Sight {
        ALL,
        CAUSAL,
        INTERVALS
    }

    /**
     * A kernel.
     *
     * @param family the family it is in
     * @param kernel its name
     */
    record Form(String family, String kernel) {}

    /** {@return the least width of heads that there is a kernel for and that is not less, or 0 where there is none} */
    static int width(int width) {
        Integer found = WIDTHS.ceilingKey(width);
        return found == null ? 0 : found;
    }

    /** {@return the widest heads that there is a kernel for} */
    static int mostWidth() {
        return WIDTHS.lastKey();
    }

    /**
     * {@return the kernel of a head size that gives the same bits whatever a step has in it}
     *
     * @param queryWidth numbers in a query or key of a head
     * @param valueWidth numbers in a value of a head
     * @param capability of the GPU, 90 for 9.0
     * @throws PaloverdeException {@code DEVICE_UNAVAILABLE} where there is none for the GPU, or none that has been run
     */
    static Form steady(Element element, int queryWidth, int valueWidth, Extra extra, int capability) {
        String widths = queryWidth + "x" + valueWidth;
        if (capability == BLACKWELL) {
            return untried(element, widths, extra);
        }
        boolean plain = element == Element.BF16 && extra == Extra.NONE && PLAIN.containsKey(widths);
        String form = plain ? PLAIN.get(widths) : STEADY.get(widths);
        if (form == null) {
            throw Shapes.wrong("heads of %d and %d numbers, where the kernels have %s"
                    .formatted(queryWidth, valueWidth, new TreeMap<>(STEADY).keySet()));
        }
        return named("attention_forward" + extra.ending, element, form);
    }

    /**
     * {@return the fastest plain kernel on GPUs of capability 90, by {@code bench/h200/attention-forward.jsonl}}
     *
     * @param keys of the longest sequence
     */
    static Form fastest(Element element, int queryWidth, int valueWidth, Sight sight, int keys) {
        Form steady = steady(element, queryWidth, valueWidth, Extra.NONE, 90);
        if (queryWidth == 64 && keys >= MANY_KEYS) {
            return named(steady.family(), element, "d64_r192_k112");
        }
        boolean wide = sight == Sight.ALL && keys >= MANY_KEYS_SEEN_WHOLE || sight == Sight.CAUSAL && keys >= MANY_KEYS;
        return queryWidth == 128 && wide ? named(steady.family(), element, "d128_r192_k80") : steady;
    }

    private static Form untried(Element element, String widths, Extra extra) {
        String form = UNTRIED.get(widths);
        if (form == null || element != Element.BF16 || extra != Extra.NONE) {
            throw new PaloverdeException(
                    ErrorCode.DEVICE_UNAVAILABLE,
                    "on GPUs of capability 100 there is attention for bf16 and heads of 64 and 128 numbers alone, not for "
                            + element + ", heads of " + widths + ", extra " + extra + "; use another GPU");
        }
        if (!Boolean.getBoolean(UNTRIED_PROPERTY)) {
            throw new PaloverdeException(
                    ErrorCode.DEVICE_UNAVAILABLE,
                    "attention for GPUs of capability 100 has been compiled and never run; set -D" + UNTRIED_PROPERTY
                            + "=true to run it, or use another GPU");
        }
        return named("attention_forward_sm100", element, form);
    }

    private static Form named(String family, Element element, String form) {
        return new Form(family, family + "_" + element.name().toLowerCase(Locale.ROOT) + "_" + form);
    }
}
