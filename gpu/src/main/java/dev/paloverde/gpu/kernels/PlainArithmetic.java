package dev.paloverde.gpu.kernels;

/** The inner loops in plain Java: the reference, and what runs where the Vector API is not there. */
final class PlainArithmetic extends Arithmetic {
    @Override
    String description() {
        return "plain Java";
    }

    @Override
    void accumulate(
            int rows,
            float[] left,
            int leftOffset,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            int width,
            float[] sums,
            int sumOffset,
            int sumStride) {
        for (int r = 0; r < rows; r++) {
            int sum = sumOffset + r * sumStride;
            int k = 0;
            for (; k + 4 <= depth; k += 4) {
                int x = leftOffset + k * rows + r;
                int p = panelOffset + k * stride;
                accumulateFour(
                        left[x],
                        left[x + rows],
                        left[x + 2 * rows],
                        left[x + 3 * rows],
                        panel,
                        p,
                        stride,
                        width,
                        sums,
                        sum);
            }
            for (; k < depth; k++) {
                accumulateOne(left[leftOffset + k * rows + r], panel, panelOffset + k * stride, width, sums, sum);
            }
        }
    }

    private static void accumulateFour(
            float x0,
            float x1,
            float x2,
            float x3,
            float[] panel,
            int p0,
            int stride,
            int width,
            float[] sums,
            int sum) {
        int p1 = p0 + stride;
        int p2 = p1 + stride;
        int p3 = p2 + stride;
        for (int j = 0; j < width; j++) {
            float s = Math.fma(x0, panel[p0 + j], sums[sum + j]);
            s = Math.fma(x1, panel[p1 + j], s);
            s = Math.fma(x2, panel[p2 + j], s);
            sums[sum + j] = Math.fma(x3, panel[p3 + j], s);
        }
    }

    private static void accumulateOne(float x, float[] panel, int p, int width, float[] sums, int sum) {
        for (int j = 0; j < width; j++) {
            sums[sum + j] = Math.fma(x, panel[p + j], sums[sum + j]);
        }
    }

    @Override
    void accumulate(
            int rows,
            float[] left,
            int leftOffset,
            short[] panel,
            int panelOffset,
            int stride,
            int depth,
            int width,
            float[] sums,
            int sumOffset,
            int sumStride) {
        float[] widened = new float[width];
        for (int k = 0; k < depth; k++) {
            widen(panel, panelOffset + k * stride, widened, 0, width);
            for (int r = 0; r < rows; r++) {
                accumulateOne(left[leftOffset + k * rows + r], widened, 0, width, sums, sumOffset + r * sumStride);
            }
        }
    }

    @Override
    void accumulateRows(
            int rows,
            float[] left,
            int leftOffset,
            int leftStride,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            int width,
            float[] sums,
            int sumOffset,
            int sumStride) {
        for (int r = 0; r < rows; r++) {
            // one row is packed as it is
            accumulate(
                    1,
                    left,
                    leftOffset + r * leftStride,
                    panel,
                    panelOffset,
                    stride,
                    depth,
                    width,
                    sums,
                    sumOffset + r * sumStride,
                    sumStride);
        }
    }

    @Override
    void widen(short[] from, int fromOffset, float[] to, int toOffset, int length) {
        for (int i = 0; i < length; i++) {
            to[toOffset + i] = Float.intBitsToFloat(from[fromOffset + i] << 16);
        }
    }

    @Override
    void addSquares(float[] values, int offset, int length, float[] partials) {
        for (int i = 0; i < length; i++) {
            float value = values[offset + i];
            partials[i % PARTIALS] = Math.fma(value, value, partials[i % PARTIALS]);
        }
    }

    @Override
    void scale(float[] in, int inOffset, float factor, float[] gain, float[] out, int outOffset, int length) {
        for (int i = 0; i < length; i++) {
            out[outOffset + i] = in[inOffset + i] * factor * gain[i];
        }
    }

    @Override
    float scaleAndMax(float[] values, int offset, int length, float factor) {
        float max = Float.NEGATIVE_INFINITY;
        for (int i = offset; i < offset + length; i++) {
            values[i] *= factor;
            max = Math.max(max, values[i]);
        }
        return max;
    }

    @Override
    void exponentials(float[] values, int offset, int length, float shift, float[] partials, int partialOffset) {
        for (int i = 0; i < length; i++) {
            float value = exp(values[offset + i] - shift);
            values[offset + i] = value;
            partials[partialOffset + i % PARTIALS] += value;
        }
    }

    @Override
    void swiGlu(float[] in, int gateOffset, int upOffset, float[] out, int outOffset, int length) {
        for (int i = 0; i < length; i++) {
            out[outOffset + i] = swiGlu(in[gateOffset + i], in[upOffset + i]);
        }
    }

    static float swiGlu(float gate, float up) {
        return gate / (1f + exp(-gate)) * up;
    }
}
