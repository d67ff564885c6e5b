package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Activation;
import dev.paloverde.gpu.kernels.Attention;
import dev.paloverde.gpu.kernels.HeadNorms;
import dev.paloverde.gpu.kernels.Heads;
import dev.paloverde.gpu.kernels.HostTensor;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.kernels.KvCache;
import dev.paloverde.gpu.kernels.KvLayout;
import dev.paloverde.gpu.kernels.LateAnswers;
import dev.paloverde.gpu.kernels.LateRows;
import dev.paloverde.gpu.kernels.Matrix;
import dev.paloverde.gpu.kernels.PatchLayout;
import dev.paloverde.gpu.kernels.RankedRows;
import dev.paloverde.gpu.kernels.Rotary;
import dev.paloverde.gpu.kernels.StepBatch;
import dev.paloverde.gpu.kernels.Tensor;
import dev.paloverde.gpu.kernels.TokenChooser;
import dev.paloverde.gpu.kernels.TokenProposer;
import dev.paloverde.gpu.kernels.TokenRanker;
import dev.paloverde.gpu.kernels.Weights;
import dev.paloverde.gpu.model.LanguageModel;
import dev.paloverde.gpu.model.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * A language model whose logits are a hash of all tokens before, read back through the block table from the cache that
 * they were written to. Whatever goes wrong with pages, positions or tokens gives other logits. It refuses steps that
 * break the contract of {@link StepBatch}.
 */
class HashModel implements LanguageModel {
    static final int VOCABULARY = 40;
    static final int END = 0;
    /** A sequence with this token in it has logits that are not numbers. */
    static final int POISON = 38;
    /** A sequence with this token in it breaks the step it is in. */
    static final int BREAK = 39;

    private static final long FREE_SLOT = -1;

    private final int context;
    private final int memory;
    private int stepRows;
    private HashTensor hidden;
    /** A draft is fed whatever it guesses, in the end each token there is. */
    private boolean breaks = true;

    /** What the device chose last, for steps that refer to it. */
    private int[] chosen = {};

    private TokenProposer proposer;
    /** Steps wait for it, if there is one. */
    volatile CountDownLatch gate;

    HashModel(int context) {
        this(context, context);
    }

    /** @param memory how many of the last tokens its logits depend on; with few, a greedy text repeats itself */
    HashModel(int context, int memory) {
        this.context = context;
        this.memory = memory;
    }

    /** What the device says lost it; null while it works. */
    volatile PaloverdeException fault;

    static LoadedModel loaded(int context) {
        return loaded(new HashModel(context));
    }

    static LoadedModel loaded(HashModel model) {
        return new LoadedModel(
                new HashKernels(0) {
                    @Override
                    public Optional<PaloverdeException> fault() {
                        return Optional.ofNullable(model.fault);
                    }
                },
                model,
                new ByteTokenizer(),
                new int[] {END});
    }

    /** As a device does that chooses tokens where the logits are. */
    static LoadedModel choosing(HashModel model) {
        HashKernels kernels = new HashKernels(0) {
            @Override
            public Optional<TokenChooser> chooser() {
                return Optional.of(new HashChooser(this, model));
            }

            @Override
            public Optional<TokenRanker> ranker() {
                return Optional.of(new HashRanker(this));
            }
        };
        return new LoadedModel(kernels, model, new ByteTokenizer(), new int[] {END});
    }

    /** With a draft model whose logits are this one's plus noise that is a hash of the tokens too. */
    static LoadedModel loaded(HashModel model, HashModel draft, float noise) {
        draft.breaks = false;
        return new LoadedModel(
                new HashKernels(0),
                model,
                new ByteTokenizer(),
                new int[] {END},
                new LoadedDraft(
                        new HashKernels(noise) {
                            @Override
                            public Optional<PaloverdeException> fault() {
                                return Optional.ofNullable(draft.fault);
                            }
                        },
                        draft));
    }

    /** As {@link #loaded(HashModel, HashModel, float)}, with a draft model that runs on by itself. */
    static LoadedModel proposing(HashModel model, HashModel draft, float noise) {
        return proposing(loaded(model), draft, noise);
    }

    /** With a draft model that runs on by itself. */
    static LoadedModel proposing(LoadedModel alone, HashModel draft, float noise) {
        HashKernels kernels = new HashKernels(noise) {
            @Override
            public Optional<TokenProposer> proposer() {
                return Optional.of(new HashProposer(this));
            }
        };
        draft.proposer = new HashProposer(kernels);
        draft.breaks = false;
        return new LoadedModel(
                alone.kernels(), alone.model(), alone.tokenizer(), alone.endTokens(), new LoadedDraft(kernels, draft));
    }

    static long extend(long hash, int token) {
        long mixed = (hash ^ token + 0x9E3779B97F4A7C15L) * 0xBF58476D1CE4E5B9L;
        mixed = (mixed ^ mixed >>> 29) * 0x94D049BB133111EBL;
        return mixed ^ mixed >>> 32;
    }

    static long hash(int... tokens) {
        long hash = 1;
        for (int token : tokens) {
            hash = extend(hash, token);
        }
        return hash & 0xFFFFFFFFFFFFL;
    }

    /** The model's law, for who wants to know it without an engine. */
    static float[] logits(int... tokens) {
        float[] logits = new float[VOCABULARY];
        fill(hash(tokens), logits, 0);
        for (int token : tokens) {
            if (token == POISON) {
                Arrays.fill(logits, Float.NaN);
            }
        }
        return logits;
    }

    /** The law of a draft model with noise. */
    static float[] draftLogits(float noise, int... tokens) {
        float[] logits = new float[VOCABULARY];
        fill(hash(tokens), logits, 0);
        disturb(hash(tokens), noise, logits, 0);
        return logits;
    }

    private static void disturb(long hash, float noise, float[] out, int from) {
        for (int token = 0; token < POISON; token++) {
            out[from + token] += noise * ((extend(hash, 5000 + token) >>> 40) * 0x1p-23f - 1);
        }
        // these stay behind all others, even among guesses
        out[from + POISON] -= 2 * noise;
        out[from + BREAK] -= 2 * noise;
    }

    private static void fill(long hash, float[] out, int from) {
        for (int token = 0; token < VOCABULARY; token++) {
            long bits = extend(hash, 1000 + token) >>> 40;
            out[from + token] = token >= POISON ? -30 : bits * 0x1p-24f * 10 - 5;
        }
    }

    static double logProbability(float[] logits, int from, int target) {
        double sum = 0;
        for (int token = 0; token < VOCABULARY; token++) {
            sum += StrictMath.exp(logits[from + token]);
        }
        return logits[from + target] - StrictMath.log(sum);
    }

    @Override
    public int vocabulary() {
        return VOCABULARY;
    }

    @Override
    public int context() {
        return context;
    }

    @Override
    public KvLayout kvLayout(int pageTokens) {
        return new KvLayout(1, 1, 2, pageTokens);
    }

    @Override
    public Matrix head() {
        return new HashHead();
    }

    @Override
    public void reserve(int rows) {
        stepRows = rows;
        hidden = new HashTensor(rows, 3);
    }

    @Override
    public Tensor forward(StepBatch batch, KvCache cache) {
        await();
        HashCache pages = (HashCache) cache;
        check(batch, pages);
        hidden.resize(batch.rows());
        int[] before = chosen;
        chosen = new int[] {};
        for (int sequence = 0; sequence < batch.sequences(); sequence++) {
            for (int row = batch.starts()[sequence]; row < batch.starts()[sequence + 1]; row++) {
                int token = batch.tokens()[row];
                pages.slot(batch.pages()[sequence], batch.positions()[row], token < 0 ? before[-1 - token] : token);
            }
        }
        for (int sequence = 0; sequence < batch.sequences(); sequence++) {
            for (int row = batch.starts()[sequence]; row < batch.starts()[sequence + 1]; row++) {
                int[] tokens = new int[batch.positions()[row] + 1];
                for (int position = 0; position < tokens.length; position++) {
                    tokens[position] = pages.slot(batch.pages()[sequence], position);
                }
                long hash = hash(Arrays.copyOfRange(tokens, Math.max(0, tokens.length - memory), tokens.length));
                boolean poisoned = Arrays.stream(tokens).anyMatch(token -> token == POISON);
                if (breaks && Arrays.stream(tokens).anyMatch(token -> token == BREAK)) {
                    throw new IllegalStateException("the device broke");
                }
                hidden.write(row, new float[] {hash >>> 24, hash & 0xFFFFFF, poisoned ? Float.NaN : 1});
            }
        }
        return hidden;
    }

    @Override
    public void extend(TokenProposer.Chain chain, KvCache cache, int[] tokens) {
        proposer.extend(this, chain, head(), batch -> forward(batch, cache), tokens);
    }

    private void await() {
        CountDownLatch latch = gate;
        if (latch != null) {
            try {
                latch.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    private void check(StepBatch batch, HashCache cache) {
        if (batch.rows() > stepRows || batch.rows() == 0 || batch.starts()[batch.sequences()] != batch.rows()) {
            throw new IllegalStateException("a step of " + batch.rows() + " rows, room for " + stepRows);
        }
        Set<Long> written = new HashSet<>();
        for (int sequence = 0; sequence < batch.sequences(); sequence++) {
            int first = batch.starts()[sequence];
            for (int row = first; row < batch.starts()[sequence + 1]; row++) {
                int position = batch.positions()[row];
                if (position != batch.positions()[first] + row - first || position >= context) {
                    throw new IllegalStateException("position " + position + " in row " + row);
                }
                int page = batch.pages()[sequence][position / cache.layout.pageTokens()];
                if (!written.add((long) page * cache.layout.pageTokens() + position % cache.layout.pageTokens())) {
                    throw new IllegalStateException("two rows write to page " + page);
                }
            }
        }
    }

    @Override
    public void close() {}

    /** Token ids are bytes where they can be; texts of generated tokens have characters that straddle tokens. */
    static final class ByteTokenizer implements Tokenizer {
        private static final byte[][] PIECES = new byte[VOCABULARY][];

        static {
            byte[] umlaut = "ä".getBytes(StandardCharsets.UTF_8);
            for (int token = 0; token < VOCABULARY; token++) {
                PIECES[token] = switch (token) {
                    case END -> new byte[0];
                    case 1 -> new byte[] {umlaut[0]};
                    case 2 -> new byte[] {umlaut[1]};
                    case 3 -> " ".getBytes(StandardCharsets.UTF_8);
                    default ->
                        String.valueOf((char) ('a' + (token - 4) % 6))
                                .repeat(1 + token % 3)
                                .getBytes(StandardCharsets.UTF_8);
                };
            }
        }

        @Override
        public int[] encode(String text) {
            throw new UnsupportedOperationException();
        }

        @Override
        public int[] encodeTemplate(String rendered) {
            throw new UnsupportedOperationException();
        }

        @Override
        public int[] prefix() {
            return new int[0];
        }

        @Override
        public String decode(int[] tokens) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            for (int token : tokens) {
                bytes.writeBytes(PIECES[token]);
            }
            return bytes.toString(StandardCharsets.UTF_8);
        }

        @Override
        public int vocabulary() {
            return VOCABULARY;
        }

        @Override
        public boolean isSpecial(int token) {
            return token == END;
        }

        @Override
        public void close() {}
    }

    private static final class HashHead implements Matrix {
        @Override
        public int rows() {
            return VOCABULARY;
        }

        @Override
        public int columns() {
            return 3;
        }

        @Override
        public long bytes() {
            return 0;
        }

        @Override
        public void close() {}
    }

    private static final class HashTensor implements Tensor {
        private final float[] values;
        private final int capacity;
        private final int columns;
        private int rows;

        HashTensor(int capacity, int columns) {
            this.capacity = capacity;
            this.columns = columns;
            values = new float[capacity * columns];
        }

        @Override
        public int capacity() {
            return capacity;
        }

        @Override
        public int rows() {
            return rows;
        }

        @Override
        public int columns() {
            return columns;
        }

        @Override
        public void resize(int count) {
            if (count > capacity) {
                throw new IllegalArgumentException(count + " rows of " + capacity);
            }
            rows = count;
            Arrays.fill(values, -7);
        }

        @Override
        public float[] read(int row) {
            return Arrays.copyOfRange(values, row * columns, (row + 1) * columns);
        }

        @Override
        public void write(int row, float[] numbers) {
            System.arraycopy(numbers, 0, values, row * columns, columns);
        }

        @Override
        public void close() {}
    }

    private static final class HashCache implements KvCache {
        private final KvLayout layout;
        private final long[] slots;

        HashCache(KvLayout layout, int pages) {
            this.layout = layout;
            slots = new long[pages * layout.pageTokens()];
            Arrays.fill(slots, FREE_SLOT);
        }

        void slot(int[] pages, int position, int token) {
            slots[pages[position / layout.pageTokens()] * layout.pageTokens() + position % layout.pageTokens()] = token;
        }

        int slot(int[] pages, int position) {
            long token =
                    slots[pages[position / layout.pageTokens()] * layout.pageTokens() + position % layout.pageTokens()];
            if (token == FREE_SLOT) {
                throw new IllegalStateException("position " + position + " was never written");
            }
            return (int) token;
        }

        @Override
        public KvLayout layout() {
            return layout;
        }

        @Override
        public int pages() {
            return slots.length / layout.pageTokens();
        }

        @Override
        public void close() {}
    }

    /** Says what {@link TokenChooser} says, in the plainest way. */
    private record HashChooser(HashKernels kernels, HashModel model) implements TokenChooser {
        @Override
        public int rows() {
            return 5;
        }

        @Override
        public LateAnswers choose(Tensor hidden, Matrix head, Draws draws, int first) {
            int[] tokens = new int[hidden.rows()];
            float[] logProbabilities = new float[hidden.rows()];
            float[] logits = new float[hidden.rows() * VOCABULARY];
            kernels.logits(hidden, head, logits);
            for (int row = 0; row < hidden.rows(); row++) {
                int from = row * VOCABULARY;
                double best = Double.NEGATIVE_INFINITY;
                for (int token = 0; token < VOCABULARY; token++) {
                    double value = value(logits, from, draws, row, token);
                    if (value > best) {
                        best = value;
                        tokens[row] = token;
                    }
                }
                logProbabilities[row] = (float) logProbability(logits, from, tokens[row]);
            }
            model.chosen = Arrays.copyOf(model.chosen, first + tokens.length);
            System.arraycopy(tokens, 0, model.chosen, first, tokens.length);
            return new Late(tokens, logProbabilities);
        }

        /** Nothing is read before it was waited for, nor after it was closed. */
        private static final class Late implements LateAnswers {
            private final int[] tokens;
            private final float[] logProbabilities;
            private boolean there;

            Late(int[] tokens, float[] logProbabilities) {
                this.tokens = tokens;
                this.logProbabilities = logProbabilities;
            }

            @Override
            public void await() {
                there = true;
            }

            @Override
            public int token(int row) {
                requireThere();
                return tokens[row];
            }

            @Override
            public float logProbability(int row) {
                requireThere();
                return logProbabilities[row];
            }

            private void requireThere() {
                if (!there) {
                    throw new IllegalStateException("an answer that is not there");
                }
            }

            @Override
            public void close() {
                there = false;
            }
        }

        static double value(float[] logits, int from, Draws draws, int row, int token) {
            float temperature = draws.temperatures()[row];
            return temperature == 0
                    ? logits[from + token]
                    : logits[from + token] / (double) temperature
                            + RowNoise.gumbel(Philox.bits(
                                    token,
                                    draws.positions()[row],
                                    draws.purpose(),
                                    draws.streams()[row],
                                    draws.keys0()[row],
                                    draws.keys1()[row]));
        }
    }

    /** Says what {@link TokenProposer} says, in the plainest way: step by step, with all logits. */
    private record HashProposer(HashKernels kernels) implements TokenProposer {
        @Override
        public int candidateRows() {
            return 3;
        }

        @Override
        public int chainSequences() {
            return 4;
        }

        @Override
        public void candidates(Tensor hidden, Matrix head, TokenChooser.Draws draws, int count, int[] tokens) {
            float[] logits = new float[hidden.rows() * VOCABULARY];
            kernels.logits(hidden, head, logits);
            for (int row = 0; row < hidden.rows(); row++) {
                int from = row * VOCABULARY;
                int of = row;
                boolean numbers = !Float.isNaN(logits[from + 7]);
                int[] ranked = IntStream.range(0, VOCABULARY)
                        .boxed()
                        .sorted(Comparator.comparingDouble(token -> -HashChooser.value(logits, from, draws, of, token)))
                        .mapToInt(token -> numbers ? token : -1)
                        .toArray();
                System.arraycopy(ranked, 0, tokens, row * count, count);
            }
        }

        @Override
        public void extend(Object key, Chain chain, Matrix head, Function<StepBatch, Tensor> model, int[] tokens) {
            StepBatch batch = chain.batch();
            int sequences = batch.sequences();
            TokenChooser.Draws draws = chain.draws();
            for (int step = 0; step < chain.steps(); step++) {
                Tensor hidden = model.apply(batch);
                Tensor ends = new HashTensor(sequences, hidden.columns());
                ends.resize(sequences);
                int[] starts = new int[sequences + 1];
                int[] next = new int[sequences];
                int[] positions = new int[sequences];
                for (int s = 0; s < sequences; s++) {
                    int row = batch.starts()[s + 1] - 1;
                    ends.write(s, hidden.read(row));
                    starts[s + 1] = s + 1;
                    next[s] = batch.tokens()[row];
                    positions[s] = batch.positions()[row];
                }
                int[] best = new int[sequences];
                candidates(ends, head, draws, 1, best);
                for (int s = 0; s < sequences; s++) {
                    tokens[step * sequences + s] = best[s];
                    if (positions[s] < chain.last()[s]) {
                        next[s] = best[s] < 0 ? 0 : best[s];
                        positions[s]++;
                        draws.positions()[s]++;
                    }
                }
                batch = new StepBatch(next, positions, starts, batch.pages());
            }
        }
    }

    /** Ranks few tokens, so that they are often too few. */
    private record HashRanker(HashKernels kernels) implements TokenRanker {
        @Override
        public int rows() {
            return 3;
        }

        @Override
        public RankedRows rank(Tensor hidden, Matrix head, Asks asks) {
            float[] logits = new float[hidden.rows() * VOCABULARY];
            kernels.logits(hidden, head, logits);
            return new PlainRanks(logits, VOCABULARY, 12, asks);
        }
    }

    private static class HashKernels extends Kernels {
        private final float noise;

        HashKernels(float noise) {
            this.noise = noise;
        }

        @Override
        public String version() {
            return "hash-1";
        }

        @Override
        public String description() {
            return "hash of the tokens before";
        }

        @Override
        public Tensor tensor(int capacity, int columns) {
            return new HashTensor(capacity, columns);
        }

        @Override
        public KvCache cache(KvLayout layout, int pages) {
            return new HashCache(layout, pages);
        }

        @Override
        public void gather(Tensor in, int[] rows, Tensor out) {
            for (int i = 0; i < rows.length; i++) {
                out.write(i, in.read(rows[i]));
            }
        }

        @Override
        public void logits(Tensor hidden, Matrix head, float[] out) {
            for (int row = 0; row < hidden.rows(); row++) {
                float[] state = hidden.read(row);
                long hash = (long) state[0] << 24 | (long) state[1];
                fill(hash, out, row * VOCABULARY);
                disturb(hash, noise, out, row * VOCABULARY);
                if (Float.isNaN(state[2])) {
                    out[row * VOCABULARY + 7] = Float.NaN;
                }
            }
        }

        @Override
        public void logProbabilities(Tensor hidden, Matrix head, int[] targets, float[] logProbabilities, int[] best) {
            float[] logits = new float[hidden.rows() * VOCABULARY];
            logits(hidden, head, logits);
            for (int row = 0; row < hidden.rows(); row++) {
                int from = row * VOCABULARY;
                logProbabilities[row] = (float) logProbability(logits, from, targets[row]);
                best[row] = 0;
                for (int token = 1; token < VOCABULARY; token++) {
                    if (logits[from + token] > logits[from + best[row]]) {
                        best[row] = token;
                    }
                }
            }
        }

        @Override
        public void copyPage(KvCache cache, int from, int to, int tokens) {
            HashCache pages = (HashCache) cache;
            int pageTokens = pages.layout.pageTokens();
            Arrays.fill(pages.slots, to * pageTokens, (to + 1) * pageTokens, FREE_SLOT);
            System.arraycopy(pages.slots, from * pageTokens, pages.slots, to * pageTokens, tokens);
        }

        @Override
        public Matrix matrix(List<HostTensor> parts) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Weights weights(List<HostTensor> parts) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void embed(Matrix table, int[] tokens, Tensor out) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void normalize(Tensor in, Weights gain, float epsilon, Tensor out) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void multiply(Tensor in, Matrix weight, Weights bias, Tensor out) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void multiplyAdd(Tensor in, Matrix weight, Weights bias, Tensor residual) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void appendRotated(
                KvCache cache,
                int layer,
                Heads queries,
                Heads keys,
                Heads values,
                HeadNorms norms,
                Rotary rotary,
                StepBatch batch) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void attend(Heads queries, KvCache cache, int layer, Attention attention, StepBatch batch, Tensor out) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void multiplyGated(Tensor in, Matrix weight, Weights bias, Tensor out) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void cut(List<byte[]> images, PatchLayout layout, Tensor out) {
            throw new UnsupportedOperationException();
        }

        @Override
        public LateRows fetch(Tensor rows) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void normalizeCentered(Tensor in, Weights gain, Weights bias, float epsilon, Tensor out) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void multiplyActivated(Tensor in, Matrix weight, Weights bias, Activation activation, Tensor out) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void attendWithin(Heads queries, Heads keys, Heads values, float scale, int[] starts, Tensor out) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void close() {}
    }
}
