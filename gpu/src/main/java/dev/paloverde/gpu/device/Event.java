package dev.paloverde.gpu.device;

import jcuda.driver.CUevent;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/**
 * A mark in a stream's queue: {@link Stream#record} sets it, and it is reached when all work queued before is done.
 * {@link Device#event} gives it; the caller closes it.
 */
public final class Event extends Resource {
    private final CUevent event;

    Event(Device device, CUevent event) {
        super(device);
        this.event = event;
    }

    /** {@return whether it is reached, or was never set} */
    public boolean reached() {
        ensureOpen();
        int result = JCudaDriver.cuEventQuery(event);
        if (result == CUresult.CUDA_ERROR_NOT_READY) {
            return false;
        }
        device().check(result, "cuEventQuery");
        return true;
    }

    /** Waits until it is reached. */
    public void synchronize() {
        ensureOpen();
        device().check(JCudaDriver.cuEventSynchronize(event), "cuEventSynchronize");
    }

    /**
     * {@return the time from another mark to this one in milliseconds, to half a microsecond; both are reached, and of
     * {@link Device#timer}}
     */
    public float millisecondsSince(Event earlier) {
        ensureOpen();
        earlier.ensureOpen();
        float[] milliseconds = new float[1];
        device().check(JCudaDriver.cuEventElapsedTime(milliseconds, earlier.event, event), "cuEventElapsedTime");
        return milliseconds[0];
    }

    CUevent handle() {
        ensureOpen();
        return event;
    }

    @Override
    String describe() {
        return "event";
    }

    @Override
    int release() {
        return JCudaDriver.cuEventDestroy(event);
    }
}
