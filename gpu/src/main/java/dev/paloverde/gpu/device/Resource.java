package dev.paloverde.gpu.device;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;

/** What a {@link Device} hands out: it is on the device's books until closed, and refuses use afterwards. */
abstract class Resource implements AutoCloseable {
    private final Device device;
    private volatile boolean closed;

    Resource(Device device) {
        this.device = device;
    }

    /** {@return the device it belongs to} */
    final Device device() {
        return device;
    }

    /** {@return what it is, with its size, for messages} */
    abstract String describe();

    /** {@return the driver's result of giving it back, on a thread that is attached to the device} */
    abstract int release();

    final void ensureOpen() {
        if (closed) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL, describe() + " is used after it was closed; close it later");
        }
    }

    /** Gives it back to the device. Again: nothing. Any thread may close what no other thread uses. */
    @Override
    public final void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        device.takeBack(this);
    }

    @Override
    public final String toString() {
        return describe();
    }
}
