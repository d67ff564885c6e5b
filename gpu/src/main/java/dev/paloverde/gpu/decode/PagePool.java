package dev.paloverde.gpu.decode;

/**
 * Which pages of the cache are free, and how many sequences use each of the others. Pages are handed out lowest id
 * first after a start, then last freed first.
 */
final class PagePool {
    private final int[] references;
    private final int[] free;
    private int freeCount;
    private int peak;

    PagePool(int pages) {
        references = new int[pages];
        free = new int[pages];
        freeCount = pages;
        for (int i = 0; i < pages; i++) {
            free[i] = pages - 1 - i;
        }
    }

    /** {@return the number of pages in all} */
    int size() {
        return references.length;
    }

    int free() {
        return freeCount;
    }

    int inUse() {
        return references.length - freeCount;
    }

    /** {@return the most pages that were in use at once} */
    int peak() {
        return peak;
    }

    /** {@return a page with one reference; there must be a free one} */
    int allocate() {
        if (freeCount == 0) {
            throw new IllegalStateException("no page of " + references.length + " is free");
        }
        int page = free[--freeCount];
        references[page] = 1;
        peak = Math.max(peak, inUse());
        return page;
    }

    /** Adds a reference to a page in use. */
    void share(int page) {
        requireInUse(page);
        references[page]++;
    }

    /** Drops a reference; the last one frees the page. */
    void release(int page) {
        requireInUse(page);
        if (--references[page] == 0) {
            free[freeCount++] = page;
        }
    }

    private void requireInUse(int page) {
        if (references[page] == 0) {
            throw new IllegalStateException("page " + page + " is not in use");
        }
    }
}
