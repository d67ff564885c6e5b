package dev.paloverde.gpu.decode;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Pages of the drafter's cache that belong to no sequence, for branches that live for a round. */
final class ScratchPages {
    private final PagePool pool;
    private final int first;
    private final int pageTokens;
    private final List<Integer> taken = new ArrayList<>();
    private final List<Copy> copies = new ArrayList<>();

    private record Copy(int from, int to, int tokens) {}

    /**
     * @param first the id of the first scratch page
     * @param count how many there are
     */
    ScratchPages(int first, int count, int pageTokens) {
        this.pool = new PagePool(count);
        this.first = first;
        this.pageTokens = pageTokens;
    }

    /**
     * Gives a branch its block table: the trunk's full pages, a copy of the partly filled one, which {@link #fill} makes,
     * and empty ones.
     *
     * @param trunk the trunk's pages, computed up to the branch's first own token
     * @param more how many positions it will have besides those it has
     * @return whether there were enough
     */
    boolean give(Branch branch, int[] trunk, int more) {
        int from = branch.computed();
        int shared = from / pageTokens;
        int own = (branch.length() - 1 + more + pageTokens - 1) / pageTokens - shared;
        if (own > pool.free()) {
            return false;
        }
        int[] table = Arrays.copyOf(trunk, shared + own);
        for (int i = shared; i < table.length; i++) {
            int page = pool.allocate();
            taken.add(page);
            table[i] = first + page;
        }
        if (from % pageTokens > 0) {
            copies.add(new Copy(trunk[shared], table[shared], from % pageTokens));
        }
        branch.pages(table);
        return true;
    }

    /** Copies what the branches share of partly filled pages. */
    void fill(DraftModel model) {
        model.copyPages(
                copies.stream().mapToInt(Copy::from).toArray(),
                copies.stream().mapToInt(Copy::to).toArray(),
                copies.stream().mapToInt(Copy::tokens).toArray());
        copies.clear();
    }

    /** Takes all pages back. */
    void clear() {
        taken.forEach(pool::release);
        taken.clear();
    }

    /** {@return pages that branches have now} */
    int inUse() {
        return pool.inUse();
    }
}
