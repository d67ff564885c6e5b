package dev.paloverde.gpu.device;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.HashMap;
import java.util.Map;
import jcuda.driver.CUresult;

/**
 * Some of a GPU's multiprocessors, set apart: what {@link Device#stream(Share)} queues runs on them alone (green contexts,
 * CUDA Driver API). Memory and kernels are those of the whole device. A process splits a GPU once for each number, and
 * keeps the parts until it ends.
 */
public final class Share {
    /** A GPU split in two. */
    public record Split(Share first, Share rest) {}

    private record Key(int ordinal, int multiprocessors) {}

    private static final Map<Key, Split> SPLITS = new HashMap<>();

    private final int ordinal;
    private final long context;
    private final int multiprocessors;

    private Share(int ordinal, long context, int multiprocessors) {
        this.ordinal = ordinal;
        this.context = context;
        this.multiprocessors = multiprocessors;
    }

    /** {@return how many multiprocessors it has} */
    public int multiprocessors() {
        return multiprocessors;
    }

    int ordinal() {
        return ordinal;
    }

    long context() {
        return context;
    }

    /** Of {@link Device#split}. */
    static Split split(Device device, int multiprocessors) {
        if (!(device.launcher() instanceof NativeLauncher)) {
            throw unsupported(device);
        }
        synchronized (SPLITS) {
            Key key = new Key(device.ordinal(), multiprocessors);
            Split known = SPLITS.get(key);
            if (known == null) {
                long[] parts = new long[4];
                int result = NativeLauncher.share(device.ordinal(), multiprocessors, parts);
                if (result == CUresult.CUDA_ERROR_NOT_SUPPORTED) {
                    throw unsupported(device);
                }
                device.check(result, "splitting off " + multiprocessors + " multiprocessors");
                known = new Split(
                        new Share(device.ordinal(), parts[0], (int) parts[1]),
                        new Share(device.ordinal(), parts[2], (int) parts[3]));
                SPLITS.put(key, known);
            }
            return known;
        }
    }

    private static PaloverdeException unsupported(Device device) {
        return new PaloverdeException(
                ErrorCode.DEVICE_UNAVAILABLE,
                "the multiprocessors of %s cannot be shared out: driver %s has no green contexts; install one for CUDA 12.5 or"
                                .formatted(device, device.driver())
                        + " newer, or let models run on the whole device");
    }
}
