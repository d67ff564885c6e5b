package dev.paloverde.gpu.kernels;

/**
 * What one page of a paged key-value cache holds.
 *
 * @param layers layers of the model
 * @param heads key-value heads of a layer
 * @param width dimension of a head
 * @param pageTokens positions in a page
 */
public record KvLayout(int layers, int heads, int width, int pageTokens) {
    /** {@return numbers in a page, keys and values of all layers together} */
    public long elementsPerPage() {
        return 2L * layers * heads * width * pageTokens;
    }
}
