package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.device.Buffer;
import java.nio.ByteBuffer;

/** Cosines and sines of one {@link Rotary} in the memory of a GPU, for the positions seen so far. */
final class CudaRotary implements AutoCloseable {
    private static final int FEWEST_POSITIONS = 8192;

    private final CudaKernels kernels;
    private final RotaryTable table;
    private final int half;
    private Buffer cosines;
    private Buffer sines;
    private int positions;

    CudaRotary(CudaKernels kernels, Rotary rotary) {
        this.kernels = kernels;
        this.table = new RotaryTable(rotary);
        this.half = rotary.frequencies().length;
    }

    Rotary rotary() {
        return table.rotary();
    }

    /** {@return half the width of what is turned} */
    int half() {
        return half;
    }

    /** Makes the table reach to a position. */
    void reach(int position) {
        if (position < positions) {
            return;
        }
        kernels.forgetRecordings();
        kernels.staging().synchronize();
        close();
        int target = Math.max(FEWEST_POSITIONS, Math.multiplyExact(2, Integer.highestOneBit(Math.max(1, position))));
        table.reach(target - 1);
        cosines = send(table.cosines(), target * half);
        sines = send(table.sines(), target * half);
        positions = target;
    }

    private Buffer send(float[] numbers, int count) {
        Buffer buffer = kernels.device().allocate(4L * count);
        int most = (int) (kernels.staging().capacity() / 4);
        for (int first = 0; first < count; first += most) {
            CudaStaging.Piece piece = kernels.staging().piece(4 * Math.min(most, count - first));
            ByteBuffer bytes = piece.bytes();
            bytes.asFloatBuffer().put(numbers, first, bytes.capacity() / 4);
            piece.send(buffer, 4L * first);
        }
        return buffer;
    }

    Buffer cosines() {
        return cosines;
    }

    Buffer sines() {
        return sines;
    }

    @Override
    public void close() {
        if (cosines != null) {
            cosines.close();
            sines.close();
            cosines = null;
            sines = null;
        }
    }
}
