package dev.paloverde.gpu.device;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One GPU, as this process uses it. It gives out memory, queues, kernels and marks, each {@link AutoCloseable}, and keeps
 * books of them: closing a device that something is left of closes that too, and then fails, naming it.
 *
 * <p>A thread calls {@link #attach} once before it uses what the device gave. The device itself serves any number of
 * threads, a {@link Stream} one at a time.
 *
 * <p>Some errors leave the device without use for this process: a kernel that wrote where nothing is, memory that is
 * broken. The device is then {@link #faulted}; every later call fails, and only a new process has it back. Who can start
 * one, listens with {@link #onFault}.
 */
public final class Device implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Device.class);
    private static final double GIBIBYTE = 1 << 30;

    /** The device that a thread is attached to. */
    private static final ThreadLocal<Device> ATTACHED = new ThreadLocal<>();

    private final int ordinal;
    private final CUdevice device;
    private final CUcontext context;
    private final String name;
    private final int multiprocessors;
    private final int capability;
    private final long totalBytes;
    private final Launcher launcher;
    private final Set<Resource> books = ConcurrentHashMap.newKeySet();
    private final List<Runnable> listeners = new ArrayList<>();
    private volatile PaloverdeException fault;
    private volatile boolean closed;

    private Device(int ordinal, CUdevice device, CUcontext context) {
        this.ordinal = ordinal;
        this.device = device;
        this.context = context;
        this.name = name(device);
        this.multiprocessors = attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
        this.capability = 10 * attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
                + attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
        long[] total = new long[1];
        check(JCudaDriver.cuDeviceTotalMem(total, device), "cuDeviceTotalMem");
        this.totalBytes = total[0];
        this.launcher = Launcher.choose();
        if (launcher.overlaps() && !overlaps()) {
            LOG.info("{}: kernels run strictly one after another; they overlap on GPUs of capability 90 or more", this);
        }
    }

    /**
     * {@return why this process cannot use a GPU, and what to do about it; empty if it can} The first call looks for the
     * driver, later ones remember.
     */
    public static Optional<String> obstacle() {
        return Optional.ofNullable(Driver.find().obstacle());
    }

    /**
     * {@return how many GPUs this process sees, at least 1}
     *
     * @throws PaloverdeException {@code DEVICE_UNAVAILABLE} if there is no driver or no GPU
     */
    public static int count() {
        return Driver.find().devices();
    }

    /**
     * Opens a GPU: makes its context, or joins the one that this process has, and attaches the calling thread.
     *
     * @param ordinal from 0, in the order that CUDA_VISIBLE_DEVICES gives
     * @return the device, which the caller closes
     * @throws PaloverdeException {@code DEVICE_UNAVAILABLE} if there is no driver or no such GPU
     */
    public static Device open(int ordinal) {
        int count = count();
        if (ordinal < 0 || ordinal >= count) {
            throw new PaloverdeException(
                    ErrorCode.DEVICE_UNAVAILABLE,
                    "GPU " + ordinal + " was asked for, and this process sees " + count + ", counted from 0; look at"
                            + " CUDA_VISIBLE_DEVICES, and at nvidia-smi -L");
        }
        CUdevice device = new CUdevice();
        first(JCudaDriver.cuDeviceGet(device, ordinal), "cuDeviceGet", ordinal);
        CUcontext context = new CUcontext();
        first(JCudaDriver.cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain", ordinal);
        try {
            first(JCudaDriver.cuCtxSetCurrent(context), "cuCtxSetCurrent", ordinal);
            ATTACHED.remove();
            return new Device(ordinal, device, context);
        } catch (RuntimeException e) {
            JCudaDriver.cuDevicePrimaryCtxRelease(device);
            throw e;
        }
    }

    /** Makes this the calling thread's device, until the thread attaches to another. Again: nothing. */
    public void attach() {
        if (closed) {
            throw new PaloverdeException(ErrorCode.INTERNAL, this + " is used after it was closed; close it later");
        }
        if (ATTACHED.get() != this) {
            check(JCudaDriver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
            ATTACHED.set(this);
        }
    }

    /** {@return what the vendor calls it} */
    public String name() {
        return name;
    }

    /** {@return its number in this process, from 0} */
    public int ordinal() {
        return ordinal;
    }

    /** {@return how many multiprocessors it has} */
    public int multiprocessors() {
        return multiprocessors;
    }

    /** {@return its compute capability: 90 for 9.0} */
    public int capability() {
        return capability;
    }

    /** {@return its memory} */
    public long totalBytes() {
        return totalBytes;
    }

    /** {@return what is free of its memory now, other processes' use counted in} */
    public long freeBytes() {
        attach();
        long[] free = new long[1];
        check(JCudaDriver.cuMemGetInfo(free, new long[1]), "cuMemGetInfo");
        return free[0];
    }

    /** {@return versions of its driver and of the CUDA that speaks: "580.95.05, CUDA 13.0"} */
    public String driver() {
        return Driver.version();
    }

    /**
     * {@return whether a family's kernels are built for this GPU}
     *
     * @param family as in {@link #module}
     * @throws PaloverdeException {@code ENGINE_FAILED} if there is no such family
     */
    public boolean runs(String family) {
        return KernelFamily.read(family).runsOn(capability);
    }

    /**
     * Allocates memory; what it holds is not defined.
     *
     * @param bytes at least 1
     * @return memory aligned to 256 bytes, which the caller closes
     * @throws PaloverdeException {@code OUT_OF_MEMORY} if there is not so much in one piece
     */
    public Buffer allocate(long bytes) {
        ensurePositive(bytes);
        attach();
        Buffer.Pointer pointer = new Buffer.Pointer();
        int result = JCudaDriver.cuMemAlloc(pointer, bytes);
        if (result == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
            throw failure(
                    result,
                    "cuMemAlloc of " + bytes + " bytes where " + freeBytes() + " of " + totalBytes + " are free");
        }
        check(result, "cuMemAlloc");
        return register(new Buffer(this, pointer, bytes));
    }

    /**
     * Allocates memory of the host that is pinned.
     *
     * @param bytes 1 to 2^31 - 1, what a {@link java.nio.ByteBuffer} can show
     * @return the memory, which the caller closes
     * @throws PaloverdeException {@code OUT_OF_MEMORY} if the host does not give so much
     */
    public HostBuffer pinned(long bytes) {
        ensurePositive(bytes);
        if (bytes > Integer.MAX_VALUE) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL,
                    "a pinned buffer of " + bytes + " bytes is more than " + Integer.MAX_VALUE + "; take several");
        }
        attach();
        Pointer pointer = new Pointer();
        int result = JCudaDriver.cuMemHostAlloc(pointer, bytes, JCudaDriver.CU_MEMHOSTALLOC_PORTABLE);
        if (result == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
            throw new PaloverdeException(
                    ErrorCode.OUT_OF_MEMORY,
                    this + ": the host gives no " + bytes
                            + " bytes of pinned memory (cuMemHostAlloc); give the container or"
                            + " the host more memory, or lift its limit on locked memory (ulimit -l)");
        }
        check(result, "cuMemHostAlloc");
        return register(new HostBuffer(this, pointer));
    }

    /** {@return a new queue, which waits for no other; the caller closes it} */
    public Stream stream() {
        attach();
        Stream.Handle stream = new Stream.Handle();
        check(JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING), "cuStreamCreate");
        return register(new Stream(this, stream));
    }

    /** {@return a new queue whose kernels go before those of others where both wait; the caller closes it} */
    public Stream urgentStream() {
        attach();
        int[] highest = new int[1];
        check(JCudaDriver.cuCtxGetStreamPriorityRange(new int[1], highest), "cuCtxGetStreamPriorityRange");
        Stream.Handle stream = new Stream.Handle();
        check(
                JCudaDriver.cuStreamCreateWithPriority(stream, CUstream_flags.CU_STREAM_NON_BLOCKING, highest[0]),
                "cuStreamCreateWithPriority");
        return register(new Stream(this, stream));
    }

    /** {@return a new queue whose kernels run on a share of this device alone; the caller closes it} */
    public Stream stream(Share share) {
        if (share.ordinal() != ordinal) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL, "a share of GPU " + share.ordinal() + " used on " + this + "; split this one");
        }
        attach();
        Stream.Handle stream = new Stream.Handle();
        check(NativeLauncher.shareStream(share.context(), 0, stream), "cuGreenCtxStreamCreate");
        return register(new Stream(this, stream));
    }

    /**
     * Shares the multiprocessors out.
     *
     * @param share how many the first part has at least, from 1 to less than there are; the driver rounds up
     * @return the two parts, the same for the same number
     * @throws PaloverdeException {@code DEVICE_UNAVAILABLE} where the driver is too old; {@code INVALID_OPTION} if nothing
     *     would be left
     */
    public Share.Split split(int share) {
        if (share < 1 || share >= multiprocessors) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    share + " multiprocessors cannot be split off " + this + ", which has " + multiprocessors);
        }
        attach();
        return Share.split(this, share);
    }

    /** {@return a new mark for a stream's queue; the caller closes it} */
    public Event event() {
        return event(CUevent_flags.CU_EVENT_DISABLE_TIMING);
    }

    /** {@return a new mark that threads wait for asleep: some microseconds later, and no core is busy meanwhile} */
    public Event quietEvent() {
        return event(CUevent_flags.CU_EVENT_DISABLE_TIMING | CUevent_flags.CU_EVENT_BLOCKING_SYNC);
    }

    /** {@return a new mark that remembers when it was reached, for {@link Event#millisecondsSince}; the caller closes it} */
    public Event timer() {
        return event(CUevent_flags.CU_EVENT_DEFAULT);
    }

    private Event event(int flags) {
        attach();
        CUevent event = new CUevent();
        check(JCudaDriver.cuEventCreate(event, flags), "cuEventCreate");
        return register(new Event(this, event));
    }

    /**
     * Loads a family of kernels.
     *
     * @param family the name of its source in {@code gpu/src/main/cuda}, without the ending
     * @return the kernels, which the caller closes
     * @throws PaloverdeException {@code DEVICE_UNAVAILABLE} if they are not built for this GPU; {@code ENGINE_FAILED} if
     *     there is no such family
     */
    public Module module(String family) {
        KernelFamily kernels = KernelFamily.read(family);
        if (!kernels.runsOn(capability)) {
            throw new PaloverdeException(
                    ErrorCode.DEVICE_UNAVAILABLE,
                    "kernel family " + family + " is built for " + kernels.targets() + ", and " + this
                            + " is of capability " + capability + "; use another GPU, or set device to cpu");
        }
        attach();
        CUmodule module = new CUmodule();
        check(JCudaDriver.cuModuleLoadData(module, kernels.binary()), "cuModuleLoadData(" + family + ")");
        return register(new Module(this, kernels, module));
    }

    /** {@return whether the device is lost to this process} */
    public boolean faulted() {
        return fault != null;
    }

    /** {@return the error that lost the device to this process; empty as long as it works} */
    public Optional<PaloverdeException> fault() {
        return Optional.ofNullable(fault);
    }

    /**
     * Has something done when the device is lost to this process: once, on the thread that finds out, before the error is
     * thrown there; now, if it is lost already.
     *
     * @param listener short, and throws nothing
     */
    public void onFault(Runnable listener) {
        synchronized (listeners) {
            if (fault == null) {
                listeners.add(listener);
                return;
            }
        }
        listener.run();
    }

    /** {@return what is open of this device, each by what it is and its size, in order} */
    public List<String> openResources() {
        return books.stream().map(Resource::describe).sorted().toList();
    }

    /**
     * Gives the GPU back, and all that is open of it. Again: nothing.
     *
     * @throws PaloverdeException {@code INTERNAL} if something was open; all is given back nevertheless
     */
    @Override
    public void close() {
        synchronized (books) {
            if (closed) {
                return;
            }
            List<String> left = openResources();
            if (fault == null) {
                attach();
                note(JCudaDriver.cuCtxSynchronize(), "cuCtxSynchronize");
            }
            // graphs and streams before what they use
            List<Resource> open = new ArrayList<>(books);
            open.sort(Comparator.comparing((Resource resource) -> !(resource instanceof Graph))
                    .thenComparing(resource -> !(resource instanceof Stream)));
            for (Resource resource : open) {
                try {
                    resource.close();
                } catch (PaloverdeException e) {
                    LOG.warn("closing {} of {}: {}", resource.describe(), this, e.getMessage());
                }
            }
            closed = true;
            JCudaDriver.cuCtxSetCurrent(new CUcontext());
            ATTACHED.remove();
            note(JCudaDriver.cuDevicePrimaryCtxRelease(device), "cuDevicePrimaryCtxRelease");
            if (!left.isEmpty() && fault == null) {
                throw new PaloverdeException(
                        ErrorCode.INTERNAL, this + " is closed before what it gave out, which is closed now: " + left);
            }
        }
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "GPU %d (%s, %.1f GiB)", ordinal, name, totalBytes / GIBIBYTE);
    }

    /** {@return whether kernels can be launched to overlap, and in clusters} */
    boolean overlaps() {
        return capability >= 90 && launcher.overlaps();
    }

    Launcher launcher() {
        return launcher;
    }

    /** Puts something on the books. */
    <R extends Resource> R register(R resource) {
        books.add(resource);
        return resource;
    }

    /** Strikes something off the books and gives it back to the driver. */
    void takeBack(Resource resource) {
        if (!books.remove(resource)) {
            return; // a view
        }
        if (fault != null) {
            return; // the driver gives everything back when the process ends
        }
        attach();
        int result = resource.release();
        if (result != CUresult.CUDA_SUCCESS) {
            throw failure(result, "closing " + resource.describe());
        }
    }

    /** Throws what a result means, unless it is success. */
    void check(int result, String call) {
        if (result != CUresult.CUDA_SUCCESS) {
            throw failure(result, call);
        }
    }

    /** {@return what a result other than success means; the device is lost from here on if it means that} */
    PaloverdeException failure(int result, String call) {
        PaloverdeException failure = CudaFailure.of(result, call, toString());
        if (CudaFailure.sticky(result)) {
            List<Runnable> told;
            synchronized (listeners) {
                if (fault != null) {
                    return failure;
                }
                fault = failure;
                told = List.copyOf(listeners);
            }
            LOG.error("{}", failure.getMessage());
            for (Runnable listener : told) {
                try {
                    listener.run();
                } catch (RuntimeException e) {
                    LOG.error("a listener to faults of {} failed", this, e);
                }
            }
        }
        return failure;
    }

    private void note(int result, String call) {
        if (result != CUresult.CUDA_SUCCESS && fault == null) {
            LOG.warn("{}", failure(result, call).getMessage());
        }
    }

    private static void first(int result, String call, int ordinal) {
        if (result != CUresult.CUDA_SUCCESS) {
            throw CudaFailure.of(result, call, "GPU " + ordinal);
        }
    }

    private static void ensurePositive(long bytes) {
        if (bytes < 1) {
            throw new PaloverdeException(ErrorCode.INTERNAL, bytes + " bytes cannot be allocated; ask for 1 or more");
        }
    }

    private int attribute(int attribute) {
        int[] value = new int[1];
        check(JCudaDriver.cuDeviceGetAttribute(value, attribute, device), "cuDeviceGetAttribute");
        return value[0];
    }

    private static String name(CUdevice device) {
        byte[] bytes = new byte[256];
        JCudaDriver.cuDeviceGetName(bytes, bytes.length, device);
        String name = new String(bytes, StandardCharsets.US_ASCII);
        int end = name.indexOf('\0');
        return end < 0 ? name : name.substring(0, end);
    }
}
