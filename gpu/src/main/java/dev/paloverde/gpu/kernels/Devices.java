package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.device.Device;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where kernels are opened by the name of a device. */
public final class Devices {
    private static final Logger LOG = LoggerFactory.getLogger(Devices.class);

    private static final Pattern CUDA = Pattern.compile("cuda(?::(\\d{1,3}))?");

    /** Whether this JVM's log says already what {@code auto} is. */
    private static final AtomicBoolean SAID = new AtomicBoolean();

    private Devices() {}

    /**
     * Opens kernels. {@code cpu} is always there. {@code cuda} is a GPU or an error, never something else. {@code auto}
     * takes the best there is and says in the log what that was and why.
     *
     * @param device {@code auto}, {@code cpu}, {@code cuda} for the first GPU of the process, {@code cuda:1} for its second
     * @param threads CPU threads to compute with, the caller's included; at least 1
     * @return kernels that the caller closes
     * @throws PaloverdeException {@code INVALID_OPTION} for another device or fewer threads; {@code DEVICE_UNAVAILABLE}
     *     where the device asked for is not there
     */
    public static Kernels open(String device, int threads) {
        return open(device, threads, DevicePart.WHOLE);
    }

    /**
     * As {@link #open(String, int)}, on a part of a GPU. The CPU has threads to share out instead.
     *
     * @param part which
     * @throws PaloverdeException {@code INVALID_OPTION} for a part of what is no GPU, or of more multiprocessors than there
     *     are; {@code DEVICE_UNAVAILABLE} where the driver cannot share them out
     */
    public static Kernels open(String device, int threads, DevicePart part) {
        if (threads < 1) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION, "threads is " + threads + "; give at least 1 for the CPU kernels");
        }
        if (device.equals("auto")) {
            return openBest(threads, part);
        }
        if (device.equals("cpu")) {
            if (part.multiprocessors() > 0) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "draft-multiprocessors is " + part.multiprocessors()
                                + " and device cpu, which has none; set it to 0");
            }
            return openCpu(threads);
        }
        return new CudaKernels(ordinal(device), part);
    }

    /**
     * {@return the {@link Kernels#version} that a device computes with} For {@code cuda} this needs no GPU: a driver plans
     * for executors that have one.
     *
     * @param device as in {@link #open}; {@code auto} is what this host has
     */
    public static String version(String device) {
        if (device.equals("cpu")) {
            return CpuKernels.VERSION;
        }
        if (!device.equals("auto")) {
            ordinal(device);
            return CudaKernels.VERSION;
        }
        return version(resolve(device));
    }

    /**
     * {@return what {@code auto} is on this host, {@code cuda} or {@code cpu}; any other device as it is} Who plans for other
     * hosts says what it found, so that all compute on the same.
     *
     * @param device as in {@link #open}
     */
    public static String resolve(String device) {
        if (!device.equals("auto")) {
            return device;
        }
        Optional<String> obstacle = obstacle();
        obstacle.ifPresent(Devices::sayOnce);
        return obstacle.isEmpty() ? "cuda" : "cpu";
    }

    /** {@return why the first GPU cannot be used, and what to do about it; empty if it can} */
    private static Optional<String> obstacle() {
        Optional<String> obstacle = Device.obstacle();
        if (obstacle.isPresent()) {
            return obstacle;
        }
        try (Device device = Device.open(0)) {
            CudaKernels.requireKernelsFor(device);
            return Optional.empty();
        } catch (PaloverdeException e) {
            if (e.code() != ErrorCode.DEVICE_UNAVAILABLE) {
                throw e;
            }
            return Optional.of(e.getMessage());
        }
    }

    /** {@return the number in {@code cuda:1}; 0 for {@code cuda}} */
    private static int ordinal(String device) {
        Matcher matcher = CUDA.matcher(device);
        if (!matcher.matches()) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "device is \"" + device + "\"; use auto, cpu, cuda, or cuda:1 for the second GPU of the process");
        }
        return matcher.group(1) == null ? 0 : Integer.parseInt(matcher.group(1));
    }

    private static Kernels openBest(int threads, DevicePart part) {
        Optional<String> obstacle = obstacle();
        if (obstacle.isEmpty()) {
            return new CudaKernels(0, part);
        }
        sayOnce(obstacle.orElseThrow());
        return openCpu(threads);
    }

    private static void sayOnce(String obstacle) {
        if (!SAID.getAndSet(true)) {
            LOG.info("device auto: the CPU, since no GPU can be used: {}", obstacle);
        }
    }

    private static Kernels openCpu(int threads) {
        return new CpuKernels(Arithmetic.choose(), threads);
    }
}
