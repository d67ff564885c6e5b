package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.device.Buffer;
import java.util.Set;

/**
 * A key-value cache in the memory of a GPU: bf16, [pages][layers][keys, values][heads][positions of a page][width], so that
 * what one head of one layer needs of a page lies together.
 */
final class CudaKvCache extends Resource implements KvCache {
    private final CudaKernels kernels;
    private final KvLayout layout;
    private final int pages;
    private final Buffer elements;

    CudaKvCache(Set<Resource> books, CudaKernels kernels, KvLayout layout, int pages) {
        super(books);
        this.kernels = kernels;
        this.layout = layout;
        this.pages = pages;
        this.elements = kernels.device().allocate(2 * layout.elementsPerPage() * pages);
        kernels.stream().fill(elements, 0, (byte) 0, elements.bytes());
    }

    Buffer elements() {
        ensureOpen();
        return elements;
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
        return "cache of " + pages + " pages";
    }

    @Override
    void release() {
        kernels.forgetRecordings();
        elements.close();
    }
}
