package dev.paloverde.gpu.kernels;

import java.util.Set;

/**
 * Pages on the heap. A page holds, for each layer, its keys as {@code [head][width][pageTokens]}, so that the scores of
 * neighbouring positions lie along SIMD lanes, and then its values as {@code [head][pageTokens][width]}, so that the
 * components of an output do.
 */
final class CpuKvCache extends Resource implements KvCache {
    /** An array cannot hold all of a large one, and a heap in regions likes small arrays better. */
    private static final int MOST_ELEMENTS_PER_BLOCK = 1 << 22;

    private final KvLayout layout;
    private final int pages;
    private final int pageElements;
    private final int headElements;
    private final int pagesPerBlock;
    private float[][] blocks;

    CpuKvCache(Set<Resource> books, KvLayout layout, int pages) {
        super(books);
        this.layout = layout;
        this.pages = pages;
        pageElements = Math.toIntExact(layout.elementsPerPage());
        headElements = layout.width() * layout.pageTokens();
        pagesPerBlock = Math.max(1, MOST_ELEMENTS_PER_BLOCK / pageElements);
        blocks = new float[(pages + pagesPerBlock - 1) / pagesPerBlock][];
        for (int block = 0; block < blocks.length; block++) {
            blocks[block] = new float[Math.min(pagesPerBlock, pages - block * pagesPerBlock) * pageElements];
        }
    }

    /** {@return the block that has the page} */
    float[] block(int page) {
        ensureOpen();
        return blocks[page / pagesPerBlock];
    }

    /** {@return where in its block a head's keys [width][pageTokens] begin} */
    int keys(int page, int layer, int head) {
        return page % pagesPerBlock * pageElements + (2 * layer * layout.heads() + head) * headElements;
    }

    /** {@return where in its block a head's values [pageTokens][width] begin} */
    int values(int page, int layer, int head) {
        return keys(page, layer, head) + layout.heads() * headElements;
    }

    void copyPage(int from, int to, int tokens) {
        float[] source = block(from);
        float[] target = block(to);
        for (int layer = 0; layer < layout.layers(); layer++) {
            for (int head = 0; head < layout.heads(); head++) {
                for (int i = 0; i < layout.width(); i++) {
                    System.arraycopy(
                            source,
                            keys(from, layer, head) + i * layout.pageTokens(),
                            target,
                            keys(to, layer, head) + i * layout.pageTokens(),
                            tokens);
                }
                System.arraycopy(
                        source, values(from, layer, head), target, values(to, layer, head), tokens * layout.width());
            }
        }
    }

    @Override
    public KvLayout layout() {
        return layout;
    }

    @Override
    public int pages() {
        return pages;
    }

    @Override
    String describe() {
        return "key-value cache of " + pages + " pages of " + layout.pageTokens();
    }

    @Override
    void release() {
        blocks = null;
    }
}
