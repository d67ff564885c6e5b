package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.kernels.KvCache;
import dev.paloverde.gpu.kernels.StepBatch;
import dev.paloverde.gpu.kernels.Tensor;
import dev.paloverde.gpu.kernels.TokenChooser;
import dev.paloverde.gpu.kernels.TokenProposer;
import dev.paloverde.gpu.model.LanguageModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Runs a draft model over branches. Its cache has a page for each page of the engine's, under the same number, so that a
 * sequence has one block table for both; the pages behind those are scratch. Used by one thread at a time.
 */
final class DraftModel implements AutoCloseable {
    /** Numbers in a block of logits: 4 MiB of them. */
    private static final int LOGITS = 1 << 20;

    /** Takes the logits of a row: those of the token at {@code position + 1}. */
    interface Reader {
        void read(Branch branch, int position, float[] logits, int from);
    }

    /** Takes the tokens that would be chosen most readily after a row, best first; none where there is no softmax. */
    interface Ranker {
        void rank(Branch branch, int position, int[] tokens);
    }

    /** A branch that has more rows to compute goes step by step first. */
    private static final int CHAIN_ROWS = 16;

    private final LoadedDraft draft;
    private final LanguageModel model;
    private final KvCache cache;
    private final int pageTokens;
    private final int stepRows;
    private final int blockRows;
    private final Tensor gathered;
    private final float[] logits;
    private final Sampler sampler;
    private final TokenProposer proposer;
    /** One at a time: the drafter's thread a step, or the engine's thread a row. */
    private final ReentrantLock lock = new ReentrantLock(true);

    private final Tensor recalled;
    private final float[] recalledLogits;
    private int current;

    /**
     * @param pageTokens positions in a page
     * @param pages of the cache, scratch included
     * @param stepRows the most rows of a forward step
     */
    DraftModel(LoadedDraft draft, int pageTokens, int pages, int stepRows) {
        this.draft = draft;
        this.model = draft.model();
        this.pageTokens = pageTokens;
        this.stepRows = stepRows;
        this.blockRows = Math.max(1, Math.min(LOGITS / model.vocabulary(), stepRows));
        model.reserve(stepRows);
        this.logits = new float[blockRows * model.vocabulary()];
        this.sampler = new Sampler(model.vocabulary());
        this.proposer = draft.kernels().proposer().orElse(null);
        int rankedRows = proposer == null ? 0 : Math.min(stepRows, proposer.candidateRows());
        this.gathered = draft.kernels()
                .tensor(Math.max(blockRows, rankedRows), model.head().columns());
        this.recalled = draft.kernels().tensor(1, model.head().columns());
        this.recalledLogits = new float[model.vocabulary()];
        this.cache = draft.kernels().cache(model.kvLayout(pageTokens), pages);
    }

    /** {@return the most positions a branch may have} */
    int context() {
        return model.context();
    }

    Sampler sampler() {
        return sampler;
    }

    int pageTokens() {
        return pageTokens;
    }

    /** Copies the first positions of pages to other pages. */
    void copyPages(int[] from, int[] to, int[] tokens) {
        draft.kernels().copyPages(cache, from, to, tokens);
    }

    /**
     * Computes what is not computed of each branch, and lets the reader have the logits of its rows from a position on, in
     * order. What the reader appends is not computed by this call.
     *
     * @param branches each with pages for all its tokens
     * @param readFrom the first position to be read of each, or more than its last for none
     */
    void advance(List<Branch> branches, int[] readFrom, Reader reader) {
        advance(branches, ends(branches), readFrom, (hidden, slots) -> read(hidden, slots, reader));
    }

    /**
     * As {@link #advance}, for branches that are {@link #proposes by itself}: lets the ranker have the tokens that would be
     * chosen most readily.
     *
     * @param count how many of each row, at most 256
     */
    void rank(List<Branch> branches, int[] readFrom, int count, Ranker ranker) {
        int wanted = Math.min(count, model.vocabulary());
        advance(branches, ends(branches), readFrom, (hidden, slots) -> rank(hidden, slots, wanted, ranker));
    }

    private static int[] ends(List<Branch> branches) {
        return branches.stream().mapToInt(Branch::length).toArray();
    }

    /** What is done with the hidden states of a step, of which some rows are wanted. */
    private interface Rows {
        void read(Tensor hidden, List<Slot> slots);
    }

    private void advance(List<Branch> branches, int[] ends, int[] readFrom, Rows reader) {
        int next = 0;
        while (next < ends.length) {
            List<Branch> inStep = new ArrayList<>();
            List<Slot> wanted = new ArrayList<>();
            int[] counts = new int[ends.length - next];
            int rows = 0;
            int from = next;
            while (next < ends.length && rows < stepRows) {
                Branch branch = branches.get(next);
                int count = Math.min(stepRows - rows, ends[next] - branch.computed());
                if (count > 0) {
                    counts[inStep.size()] = count;
                    inStep.add(branch);
                    for (int i = 0; i < count; i++) {
                        if (branch.computed() + i >= readFrom[next]) {
                            wanted.add(new Slot(branch, branch.computed() + i, rows + i));
                        }
                    }
                    rows += count;
                }
                if (branch.computed() + count < ends[next]) {
                    break;
                }
                next++;
            }
            if (rows > 0) {
                lock.lock();
                try {
                    reader.read(model.forward(batch(inStep, counts, rows), cache), wanted);
                } finally {
                    lock.unlock();
                }
            } else if (next == from) {
                return;
            }
        }
    }

    /** {@return whether the device lets a branch of a sequence grow by itself} */
    boolean proposes(GenerationSequence sequence) {
        return proposer != null && sequence.plain();
    }

    /**
     * Lets branches grow by what the model would choose, up to a token that ends the sequence, without their logits or
     * tokens passing through the host. All of them are {@link #proposes by themselves}.
     *
     * @param branches each with pages for what it gets but the last token
     * @param wanted how many tokens for each, at least 1
     */
    void extend(List<Branch> branches, int[] wanted) {
        int most = Math.min(CHAIN_ROWS, stepRows);
        int[] ends = new int[wanted.length];
        int[] nothing = new int[wanted.length];
        for (int i = 0; i < ends.length; i++) {
            Branch branch = branches.get(i);
            ends[i] = branch.length() - branch.computed() > most ? branch.length() - 1 : branch.computed();
            nothing[i] = Integer.MAX_VALUE;
        }
        advance(branches, ends, nothing, (hidden, slots) -> {});
        int first = 0;
        while (first < wanted.length) {
            int rows = 0;
            int end = first;
            while (end < wanted.length
                    && end - first < proposer.chainSequences()
                    && rows + pending(branches.get(end)) <= stepRows) {
                rows += pending(branches.get(end++));
            }
            chain(branches.subList(first, end), Arrays.copyOfRange(wanted, first, end), rows);
            first = end;
        }
    }

    private static int pending(Branch branch) {
        return branch.length() - branch.computed();
    }

    private void chain(List<Branch> branches, int[] wanted, int rows) {
        int size = wanted.length;
        int steps = Arrays.stream(wanted).max().orElseThrow();
        int[] last = new int[size];
        TokenChooser.Draws draws = draws(size);
        for (int i = 0; i < size; i++) {
            Branch branch = branches.get(i);
            last[i] = branch.length() + wanted[i] - 2;
            draw(draws, i, branch, branch.length());
        }
        int[] tokens = new int[steps * size];
        lock.lock();
        try {
            int[] counts = branches.stream().mapToInt(DraftModel::pending).toArray();
            model.extend(new TokenProposer.Chain(batch(branches, counts, rows), last, steps, draws), cache, tokens);
        } finally {
            lock.unlock();
        }
        for (int i = 0; i < size; i++) {
            Branch branch = branches.get(i);
            boolean going = true;
            for (int step = 0; going && step < wanted[i]; step++) {
                int token = tokens[step * size + i];
                if (token < 0) {
                    break;
                }
                if (step > 0) {
                    branch.advance(1);
                }
                branch.append(token);
                going = !branch.sequence().ends(token);
            }
        }
    }

    private static TokenChooser.Draws draws(int size) {
        return new TokenChooser.Draws(
                new float[size],
                new int[size],
                new int[size],
                new int[size],
                new int[size],
                RowNoise.Purpose.TOKEN.ordinal());
    }

    private static void draw(TokenChooser.Draws draws, int index, Branch branch, int position) {
        draws.temperatures()[index] = branch.sampling().temperature();
        draws.positions()[index] = position;
        branch.noise().key(draws, index);
    }

    private record Slot(Branch branch, int position, int row) {}

    private static StepBatch batch(List<Branch> branches, int[] counts, int rows) {
        int[] tokens = new int[rows];
        int[] positions = new int[rows];
        int[] starts = new int[branches.size() + 1];
        int[][] pages = new int[branches.size()][];
        int row = 0;
        for (int i = 0; i < pages.length; i++) {
            Branch branch = branches.get(i);
            starts[i] = row;
            pages[i] = branch.pages();
            for (int j = 0; j < counts[i]; j++) {
                positions[row] = branch.computed();
                tokens[row] = branch.token(branch.computed());
                branch.advance(1);
                row++;
            }
        }
        starts[pages.length] = row;
        return new StepBatch(tokens, positions, starts, pages);
    }

    private void read(Tensor hidden, List<Slot> wanted, Reader reader) {
        for (int first = 0; first < wanted.size(); first += blockRows) {
            List<Slot> block = wanted.subList(first, Math.min(wanted.size(), first + blockRows));
            gathered.resize(block.size());
            draft.kernels().gather(hidden, block.stream().mapToInt(Slot::row).toArray(), gathered);
            draft.kernels().logits(gathered, model.head(), logits);
            for (int i = 0; i < block.size(); i++) {
                Slot slot = block.get(i);
                current = i;
                reader.read(slot.branch(), slot.position(), logits, i * model.vocabulary());
            }
        }
    }

    private void rank(Tensor hidden, List<Slot> wanted, int count, Ranker ranker) {
        int most = Math.min(gathered.capacity(), proposer.candidateRows());
        for (int first = 0; first < wanted.size(); first += most) {
            List<Slot> block = wanted.subList(first, Math.min(wanted.size(), first + most));
            gathered.resize(block.size());
            draft.kernels().gather(hidden, block.stream().mapToInt(Slot::row).toArray(), gathered);
            TokenChooser.Draws draws = draws(block.size());
            for (int i = 0; i < block.size(); i++) {
                draw(draws, i, block.get(i).branch(), block.get(i).position() + 1);
            }
            int[] tokens = new int[block.size() * count];
            proposer.candidates(gathered, model.head(), draws, count, tokens);
            for (int i = 0; i < block.size(); i++) {
                int[] ranked = Arrays.copyOfRange(tokens, i * count, (i + 1) * count);
                ranker.rank(block.get(i).branch(), block.get(i).position(), ranked[0] < 0 ? new int[0] : ranked);
            }
        }
    }

    /** {@return the hidden state of the row that is being read} */
    float[] state() {
        return gathered.read(current);
    }

    /** {@return the logits of a hidden state, bit for bit as they were read; valid until the next call} */
    float[] recall(float[] state) {
        lock.lock();
        try {
            recalled.resize(1);
            recalled.write(0, state);
            draft.kernels().logits(recalled, model.head(), recalledLogits);
            return recalledLogits;
        } finally {
            lock.unlock();
        }
    }

    int vocabulary() {
        return model.vocabulary();
    }

    /** {@return the last position of each branch, to be given as what is to be read} */
    static int[] lastPositions(List<Branch> branches) {
        int[] last = new int[branches.size()];
        Arrays.setAll(last, i -> branches.get(i).length() - 1);
        return last;
    }

    @Override
    public void close() {
        try (cache;
                recalled) {
            gathered.close();
        }
    }
}
