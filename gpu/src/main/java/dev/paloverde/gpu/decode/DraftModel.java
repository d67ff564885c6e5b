package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.kernels.KvCache;
import dev.paloverde.gpu.kernels.StepBatch;
import dev.paloverde.gpu.kernels.Tensor;
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

    private final LoadedDraft draft;
    private final LanguageModel model;
    private final KvCache cache;
    private final int pageTokens;
    private final int stepRows;
    private final int blockRows;
    private final Tensor gathered;
    private final float[] logits;
    private final Sampler sampler;
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
        this.gathered = draft.kernels().tensor(blockRows, model.head().columns());
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

    /** Copies the first positions of a page to another page. */
    void copyPage(int from, int to, int tokens) {
        draft.kernels().copyPage(cache, from, to, tokens);
    }

    /**
     * Computes what is not computed of each branch, and lets the reader have the logits of its rows from a position on, in
     * order. What the reader appends is not computed by this call.
     *
     * @param branches each with pages for all its tokens
     * @param readFrom the first position to be read of each, or more than its last for none
     */
    void advance(List<Branch> branches, int[] readFrom, Reader reader) {
        int[] ends = branches.stream().mapToInt(Branch::length).toArray();
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
                    Tensor hidden = forward(inStep, counts, rows);
                    read(hidden, wanted, reader);
                } finally {
                    lock.unlock();
                }
            } else if (next == from) {
                return;
            }
        }
    }

    private record Slot(Branch branch, int position, int row) {}

    private Tensor forward(List<Branch> branches, int[] counts, int rows) {
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
        return model.forward(new StepBatch(tokens, positions, starts, pages), cache);
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
