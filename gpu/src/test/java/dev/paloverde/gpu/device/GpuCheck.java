package dev.paloverde.gpu.device;

import com.sun.management.ThreadMXBean;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * Tries the device package on a real GPU, without Maven, JUnit or network:
 *
 * <pre>{@code java -cp gpu/target/classes:gpu/target/test-classes:lib/* dev.paloverde.gpu.device.GpuCheck}</pre>
 *
 * One line for each check; the exit status is the number of those that failed. {@code GpuCheckTest} runs it where there is a
 * GPU.
 */
public final class GpuCheck {
    private static final int THREADS = 256;

    private interface Check {
        /** {@return what was seen, for the report} */
        String run() throws Exception;
    }

    private GpuCheck() {}

    /**
     * Runs all checks, or in a child process one half of a check.
     *
     * @param arguments nothing, or the name of the half
     */
    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 1) {
            switch (arguments[0]) {
                case "fault" -> faultInThisProcess();
                case "scale" -> scaleInThisProcess();
                default -> throw new IllegalArgumentException(arguments[0]);
            }
            return;
        }
        System.exit(run());
    }

    /** {@return how many checks failed} */
    static int run() {
        Map<String, Check> checks = new LinkedHashMap<>();
        checks.put("device", GpuCheck::device);
        checks.put("copies", GpuCheck::copies);
        checks.put("launch", GpuCheck::launch);
        checks.put("structure as nvcc lays it out", GpuCheck::layout);
        checks.put("shared memory", GpuCheck::sharedMemory);
        checks.put("clusters", GpuCheck::clusters);
        checks.put("events", GpuCheck::events);
        checks.put("graph", GpuCheck::graph);
        checks.put("failure while recording", GpuCheck::failureWhileRecording);
        checks.put("overlapping launches", GpuCheck::overlapping);
        checks.put("a kernel that does not wait", GpuCheck::hasty);
        checks.put("code compiled by the driver", GpuCheck::compiledByTheDriver);
        checks.put("threads", GpuCheck::threads);
        checks.put("out of memory", GpuCheck::outOfMemory);
        checks.put("leak", GpuCheck::leak);
        checks.put("attention family", GpuCheck::attention);
        checks.put("processes at once", GpuCheck::processes);
        checks.put("fault", GpuCheck::fault);
        checks.put("cost of a launch", GpuCheck::launchCost);
        checks.put("bandwidth", GpuCheck::bandwidth);
        int failed = 0;
        for (Map.Entry<String, Check> check : checks.entrySet()) {
            long start = System.nanoTime();
            String outcome;
            try {
                outcome = "ok      " + check.getKey() + ": " + check.getValue().run();
            } catch (Exception | AssertionError e) {
                failed++;
                outcome = "FAILED  " + check.getKey() + ": " + e;
                e.printStackTrace(System.out);
            }
            System.out.printf(Locale.ROOT, "%s (%.2f s)%n", outcome, (System.nanoTime() - start) / 1e9);
        }
        System.out.println(failed == 0 ? "all well" : failed + " failed");
        return failed;
    }

    private static String device() {
        ensure(Device.obstacle().isEmpty(), "obstacle", Device.obstacle());
        fails(ErrorCode.DEVICE_UNAVAILABLE, "this process sees", () -> Device.open(Device.count()));
        try (Device device = Device.open(0)) {
            ensure(device.multiprocessors() > 0, "multiprocessors", device.multiprocessors());
            ensure(device.capability() >= 80, "capability", device.capability());
            ensure(device.freeBytes() > 0 && device.freeBytes() <= device.totalBytes(), "free", device.freeBytes());
            ensure(device.runs("device_check"), "runs", "device_check");
            return device + " of " + Device.count() + ", capability " + device.capability() + ", "
                    + device.multiprocessors() + " multiprocessors, driver " + device.driver() + ", "
                    + device.launcher().getClass().getSimpleName();
        }
    }

    private static String copies() {
        int bytes = (1 << 20) + 3;
        try (Device device = Device.open(0);
                Stream stream = device.stream();
                Buffer first = device.allocate(bytes);
                Buffer second = device.allocate(2L * bytes);
                HostBuffer in = device.pinned(bytes);
                HostBuffer out = device.pinned(bytes)) {
            ensure(first.address() % 256 == 0 && second.address() % 256 == 0, "alignment", first.address());
            ensure(
                    first.slice(5).address() == first.address() + 5,
                    "address",
                    first.slice(5).address());
            byte[] expected = new byte[bytes];
            new Random(1).nextBytes(expected);
            in.view().put(0, expected);
            stream.copyIn(in, 0, first, 0, bytes);
            stream.copy(first, 7, second.slice(100), 11, bytes - 7);
            stream.copyOut(second, 111, out, 7, bytes - 7);
            stream.copyOut(first.slice(0, 7), 0, out, 0, 7);
            stream.synchronize();
            byte[] seen = new byte[bytes];
            out.view().get(0, seen);
            ensure(Arrays.equals(seen, expected), "bytes", bytes);
            stream.fill(first, 3, (byte) 0x5a, 4);
            stream.copyOut(first, 0, out, 0, 8);
            stream.synchronize();
            for (int i = 0; i < 8; i++) {
                byte wanted = i >= 3 && i < 7 ? 0x5a : expected[i];
                ensure(out.view().get(i) == wanted, "filled byte", i);
            }
            fails(ErrorCode.INTERNAL, "not within", () -> stream.copyIn(in, 4, first, 0, bytes - 3));
            fails(ErrorCode.INTERNAL, "not within", () -> stream.fill(first, bytes, (byte) 0, 1));
            first.slice(8).close();
            stream.copy(first, 0, second, 0, 8);
            stream.synchronize();
            return bytes + " bytes there, about and back";
        }
    }

    private static String launch() {
        try (Device device = Device.open(0);
                Stream stream = device.stream();
                Module module = device.module("device_check")) {
            ensure(List.of(7, -1, 1 << 20).equals(boxed(module.integers("device_check_info"))), "info", "");
            Kernel kernel = module.kernel("device_check_scale");
            ensure(kernel == module.kernel("device_check_scale"), "kernel", "not the same");
            ensure(kernel.registers() > 0 && kernel.localBytes() == 0, "registers", kernel.registers());
            fails(ErrorCode.ENGINE_FAILED, "device_check_scale", () -> module.kernel("device_check_nope"));
            fails(
                    ErrorCode.INTERNAL,
                    "takes a structure of 24 bytes, and was given 16",
                    () -> stream.launch(
                            kernel, 1, 1, 1, THREADS, new Arguments().wide(0).wide(0)));
            scale(device, stream, new NativeLauncher(), kernel);
            scale(device, stream, new Launcher(), kernel); // the way through JCuda
            return kernel.registers() + " registers, both ways of launching";
        }
    }

    private static void scale(Device device, Stream stream, Launcher launcher, Kernel kernel) {
        int count = 100_000;
        try (Buffer in = device.allocate(4L * count + 16);
                Buffer out = device.allocate(4L * count);
                HostBuffer host = device.pinned(4L * count)) {
            for (int i = 0; i < count; i++) {
                host.view().putFloat(4 * i, i);
            }
            stream.copyIn(host, 0, in, 16, host.bytes());
            Arguments arguments =
                    new Arguments().pointer(in, 16).pointer(out).integer(count).real(0.5f);
            int result = launcher.launch(stream, kernel, 64, 1, 1, THREADS, arguments);
            ensure(result == 0, "launch", result);
            arguments.clear().wide(0).wide(0).integer(0).real(0); // copied by the launch
            stream.copyOut(out, 0, host, 0, host.bytes());
            stream.synchronize();
            for (int i = 0; i < count; i++) {
                ensure(host.view().getFloat(4 * i) == 0.5f * i, "number", i);
            }
        }
    }

    private static String layout() {
        try (Device device = Device.open(0);
                Stream stream = device.stream();
                Module module = device.module("device_check");
                Buffer out = device.allocate(40);
                HostBuffer host = device.pinned(40)) {
            Arguments arguments = new Arguments()
                    .real(1.5f)
                    .wide(-7_000_000_000L)
                    .integer(-3)
                    .pointer(out)
                    .real(-0.25f);
            stream.launch(module.kernel("device_check_layout"), 1, 1, 1, 1, arguments);
            stream.copyOut(out, 0, host, 0, 40);
            stream.synchronize();
            long[] seen = new long[5];
            host.view().asLongBuffer().get(seen);
            long[] wanted = {
                Float.floatToIntBits(1.5f), -7_000_000_000L, -3, Float.floatToIntBits(-0.25f), arguments.bytes()
            };
            ensure(Arrays.equals(seen, wanted), "fields", Arrays.toString(seen));
            return arguments.bytes() + " bytes";
        }
    }

    private static String sharedMemory() {
        int words = 40_000;
        try (Device device = Device.open(0);
                Stream stream = device.stream();
                Module module = device.module("device_check");
                Buffer out = device.allocate(8);
                HostBuffer host = device.pinned(8)) {
            Kernel kernel = module.kernel("device_check_shared").dynamicShared(4 * words);
            int resident = kernel.maxResidentBlocks(THREADS, 4 * words);
            ensure(resident == 1, "resident blocks", resident);
            stream.launch(kernel, 2, 1, 1, THREADS, new Arguments().pointer(out).integer(words));
            stream.copyOut(out, 0, host, 0, 8);
            stream.synchronize();
            int sum = words / 2 * (words - 1);
            ensure(
                    host.view().getInt(0) == sum && host.view().getInt(4) == sum,
                    "sum",
                    host.view().getInt(0));
            fails(ErrorCode.ENGINE_FAILED, "300000 bytes of shared memory", () -> kernel.dynamicShared(300_000));
            return 4 * words + " bytes, " + resident + " block a multiprocessor";
        }
    }

    private static String clusters() {
        try (Device device = Device.open(0);
                Stream stream = device.stream();
                Module module = device.module("device_check");
                Buffer out = device.allocate(32);
                HostBuffer host = device.pinned(32)) {
            Kernel kernel = module.kernel("device_check_cluster");
            if (!device.overlaps()) {
                fails(ErrorCode.DEVICE_UNAVAILABLE, "clusters", () -> kernel.cluster(4));
                return "not on this device, and it says so";
            }
            kernel.cluster(4);
            stream.launch(kernel, 8, 1, 1, 1, new Arguments().pointer(out).integer(0));
            stream.copyOut(out, 0, host, 0, 32);
            stream.synchronize();
            ensure(
                    host.view().getInt(0) == 4 && host.view().getInt(28) == 4,
                    "blocks",
                    host.view().getInt(0));
            return "4 blocks each";
        }
    }

    private static String events() {
        try (Device device = Device.open(0);
                Stream first = device.stream();
                Stream second = device.stream();
                Module module = device.module("device_check");
                Buffer work = device.allocate(64);
                HostBuffer host = device.pinned(8);
                Event done = device.event();
                Event start = device.timer();
                Event end = device.timer()) {
            ensure(done.reached(), "an event never set", "not reached");
            first.fill(work, 0, (byte) 0, 64);
            first.record(start);
            Arguments arguments =
                    new Arguments().pointer(work).pointer(work, 32).wide(20_000_000);
            first.launch(module.kernel("device_check_chain"), 1, 1, 1, 1, arguments);
            first.record(end);
            first.record(done);
            ensure(!done.reached(), "event", "reached too early");
            second.await(done);
            second.copyOut(work, 32, host, 0, 4);
            second.synchronize();
            ensure(
                    host.view().getInt(0) == 1,
                    "copy behind an event of another stream",
                    host.view().getInt(0));
            ensure(done.reached(), "event", "not reached");
            end.synchronize();
            float milliseconds = end.millisecondsSince(start);
            ensure(milliseconds >= 19 && milliseconds < 200, "milliseconds", milliseconds);
            return String.format(Locale.ROOT, "20 ms took %.2f ms", milliseconds);
        }
    }

    private static String graph() {
        int count = 1000;
        int length = 20;
        try (Device device = Device.open(0);
                Stream stream = device.stream();
                Module module = device.module("device_check");
                Buffer numbers = device.allocate(4 * count);
                HostBuffer host = device.pinned(4 * count)) {
            Kernel kernel = module.kernel("device_check_scale");
            Arguments arguments = new Arguments();
            try (Graph graph = stream.capture(() -> {
                stream.copyIn(host, 0, numbers, 0, host.bytes());
                for (int i = 0; i < length; i++) {
                    arguments
                            .clear()
                            .pointer(numbers)
                            .pointer(numbers)
                            .integer(count)
                            .real(i % 2 == 0 ? 4 : 0.5f);
                    if (i < length / 2) {
                        stream.launch(kernel, 4, 1, 1, THREADS, arguments);
                    } else {
                        stream.launchOverlapping(kernel, 4, 1, 1, THREADS, arguments);
                    }
                }
                stream.copyOut(numbers, 0, host, 0, host.bytes());
            })) {
                for (int round = 0; round < 3; round++) {
                    for (int i = 0; i < count; i++) {
                        host.view().putFloat(4 * i, i + round);
                    }
                    stream.launch(graph);
                    stream.synchronize();
                    for (int i = 0; i < count; i++) {
                        ensure(host.view().getFloat(4 * i) == (i + round) * 1024f, "number", i);
                    }
                }
            }
            return length + " kernels, replayed with other numbers";
        }
    }

    private static String failureWhileRecording() {
        try (Device device = Device.open(0);
                Stream stream = device.stream();
                Buffer numbers = device.allocate(64)) {
            fails(
                    ErrorCode.INTERNAL,
                    "not within",
                    () -> stream.capture(() -> {
                        stream.fill(numbers, 0, (byte) 1, 64);
                        stream.fill(numbers, 0, (byte) 1, 65);
                    }));
            PaloverdeException waiting = fails(
                    ErrorCode.ENGINE_FAILED, "CUDA_ERROR_STREAM_CAPTURE", () -> stream.capture(stream::synchronize));
            fails(
                    ErrorCode.ENGINE_FAILED,
                    "CUDA_ERROR_STREAM_CAPTURE",
                    () -> stream.capture(() -> device.allocate(1).close()));
            stream.fill(numbers, 0, (byte) 1, 64);
            stream.synchronize();
            ensure(!device.faulted(), "fault", "");
            ensure(
                    device.openResources().equals(List.of("buffer of 64 bytes", "stream")),
                    "open",
                    device.openResources());
            return "the stream goes on after: " + waiting.getMessage();
        }
    }

    private static String overlapping() {
        try (Device device = Device.open(0);
                Stream stream = device.stream();
                Module module = device.module("device_check")) {
            Kernel kernel = module.kernel("device_check_chain");
            int kernels = 10;
            Chain plain = chain(device, stream, kernel, kernels, false, false);
            Chain overlapping = chain(device, stream, kernel, kernels, true, false);
            Chain recorded = chain(device, stream, kernel, kernels, true, true);
            for (Chain chain : List.of(plain, overlapping, recorded)) {
                ensure(chain.link == (1 << kernels) - 1, "link", chain.link);
                ensure(chain.early == 0, "kernels that did not wait", chain.early);
            }
            ensure(plain.overlapped == 0, "overlapped plainly", plain.overlapped);
            if (device.overlaps()) {
                ensure(overlapping.overlapped == kernels - 1, "overlapped", overlapping.overlapped);
                ensure(recorded.overlapped == kernels - 1, "overlapped in a graph", recorded.overlapped);
            }
            return "of " + (kernels - 1) + " kernels started before the one ahead had ended: plain " + plain.overlapped
                    + ", overlapping " + overlapping.overlapped + ", in a graph " + recorded.overlapped;
        }
    }

    /** What a chain of kernels left: the link, how many started early, how many went on before they might. */
    private record Chain(int link, int overlapped, int early) {}

    private static Chain chain(
            Device device, Stream stream, Kernel kernel, int kernels, boolean overlap, boolean record) {
        try (Buffer memory = device.allocate(24L * kernels + 8);
                HostBuffer host = device.pinned(memory.bytes())) {
            Arguments arguments = new Arguments();
            Runnable queue = () -> {
                for (int i = 0; i < kernels; i++) {
                    arguments
                            .clear()
                            .pointer(memory, 24L * i)
                            .pointer(memory, 24L * kernels)
                            .wide(100_000);
                    if (overlap) {
                        stream.launchOverlapping(kernel, 1, 1, 1, 1, arguments);
                    } else {
                        stream.launch(kernel, 1, 1, 1, 1, arguments);
                    }
                }
            };
            stream.fill(memory, 0, (byte) 0, memory.bytes());
            stream.synchronize();
            if (record) {
                try (Graph graph = stream.capture(queue)) {
                    stream.launch(graph);
                    stream.synchronize();
                }
            } else {
                queue.run();
            }
            stream.copyOut(memory, 0, host, 0, memory.bytes());
            stream.synchronize();
            ByteBuffer view = host.view();
            int overlapped = 0;
            int early = 0;
            for (int i = 1; i < kernels; i++) {
                long endBefore = view.getLong(24 * (i - 1) + 16);
                overlapped += view.getLong(24 * i) < endBefore ? 1 : 0;
                early += view.getLong(24 * i + 8) < endBefore ? 1 : 0;
            }
            return new Chain(view.getInt(24 * kernels), overlapped, early);
        }
    }

    /** What a kernel does to the one behind it by ending without having waited; nothing is promised, so nothing can fail. */
    private static String hasty() {
        int rounds = 20;
        int early = 0;
        try (Device device = Device.open(0);
                Stream stream = device.stream();
                Module module = device.module("device_check");
                Buffer memory = device.allocate(64);
                HostBuffer host = device.pinned(64)) {
            Kernel chain = module.kernel("device_check_chain");
            Kernel hasty = module.kernel("device_check_hasty");
            Arguments arguments = new Arguments();
            for (int round = 0; round < rounds; round++) {
                stream.fill(memory, 0, (byte) 0, 64);
                stream.synchronize();
                arguments.clear().pointer(memory).pointer(memory, 48).wide(1_000_000);
                stream.launchOverlapping(chain, 1, 1, 1, 1, arguments);
                stream.launchOverlapping(hasty, 1, 1, 1, 1, arguments.clear().integer(0));
                arguments.clear().pointer(memory, 24).pointer(memory, 48).wide(0);
                stream.launchOverlapping(chain, 1, 1, 1, 1, arguments);
                stream.copyOut(memory, 0, host, 0, 64);
                stream.synchronize();
                early += host.view().getLong(24 + 8) < host.view().getLong(16) ? 1 : 0;
            }
        }
        return "in " + early + " of " + rounds
                + " rounds the kernel behind it did not wait for the one before it either";
    }

    private static String compiledByTheDriver() throws Exception {
        ProcessBuilder builder = child("scale");
        builder.environment().put("CUDA_FORCE_PTX_JIT", "1");
        builder.environment().put("CUDA_CACHE_DISABLE", "1");
        Commands.Outcome outcome = Commands.outcome(builder.start());
        ensure(outcome.status() == 0, "child", outcome.output());
        return "compute_80 runs";
    }

    private static String threads() throws InterruptedException {
        try (Device device = Device.open(0);
                Module module = device.module("device_check")) {
            List<Throwable> failures = new ArrayList<>();
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                Thread thread = new Thread(() -> {
                    device.attach();
                    try (Stream stream = device.stream()) {
                        for (int round = 0; round < 20; round++) {
                            scale(device, stream, device.launcher(), module.kernel("device_check_scale"));
                        }
                    }
                });
                thread.setUncaughtExceptionHandler((of, failure) -> {
                    synchronized (failures) {
                        failures.add(failure);
                    }
                });
                threads.add(thread);
                thread.start();
            }
            for (Thread thread : threads) {
                thread.join();
            }
            ensure(failures.isEmpty(), "failures", failures);
            ensure(device.openResources().size() == 1, "open", device.openResources());
            return threads.size() + " at once";
        }
    }

    private static String outOfMemory() {
        try (Device device = Device.open(0)) {
            long asked = device.totalBytes() + (1L << 30);
            PaloverdeException refused = fails(
                    ErrorCode.OUT_OF_MEMORY, "cuMemAlloc of " + asked + " bytes where ", () -> device.allocate(asked));
            long before = device.freeBytes();
            List<Buffer> all = new ArrayList<>();
            try {
                while (true) {
                    all.add(device.allocate(4L << 30));
                }
            } catch (PaloverdeException e) {
                ensure(e.code() == ErrorCode.OUT_OF_MEMORY, "code", e.code());
            }
            int buffers = all.size();
            all.forEach(Buffer::close);
            ensure(buffers > 0, "buffers", buffers);
            ensure(device.openResources().isEmpty(), "open", device.openResources());
            ensure(Math.abs(device.freeBytes() - before) < (64L << 20), "free", device.freeBytes());
            fails(ErrorCode.INTERNAL, "0 bytes", () -> device.allocate(0));
            return buffers + " times 4 GiB fit; " + refused.getMessage();
        }
    }

    private static String leak() {
        Device device = Device.open(0);
        Buffer buffer = device.allocate(4096);
        device.stream();
        device.event();
        PaloverdeException leak = fails(ErrorCode.INTERNAL, "[buffer of 4096 bytes, event, stream]", device::close);
        device.close();
        fails(ErrorCode.INTERNAL, "used after it was closed", buffer::address);
        fails(ErrorCode.INTERNAL, "used after it was closed", device::freeBytes);
        buffer.close();
        try (Device again = Device.open(0);
                Device twice = Device.open(0);
                Buffer one = again.allocate(1);
                Buffer two = twice.allocate(1)) {
            ensure(one.address() != two.address(), "addresses", one.address());
        }
        return leak.getMessage();
    }

    private static String attention() {
        try (Device device = Device.open(0)) {
            if (!device.runs("attention_forward")) {
                fails(ErrorCode.DEVICE_UNAVAILABLE, "is built for [sm_90a]", () -> device.module("attention_forward"));
                return "not on this device, and it says so";
            }
            long start = System.nanoTime();
            try (Module module = device.module("attention_forward")) {
                String name = "attention_forward_bf16_d128_r128_k128";
                int[] info = module.integers(name + "_info");
                Kernel kernel = module.kernel(name).dynamicShared(info[1]);
                int resident = kernel.maxResidentBlocks(info[0], info[1]);
                ensure(resident == 1, "resident blocks", resident);
                ensure(kernel.localBytes() == 0, "local bytes", kernel.localBytes());
                return String.format(
                        Locale.ROOT,
                        "%d threads, %d bytes of shared memory, %d registers, loaded in %.1f ms",
                        info[0],
                        info[1],
                        kernel.registers(),
                        (System.nanoTime() - start) / 1e6);
            }
        }
    }

    private static String processes() throws Exception {
        Path temporary = Files.createTempDirectory("gpu-check-");
        List<Process> children = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            children.add(child("scale", "-Djava.io.tmpdir=" + temporary).start());
        }
        for (Process child : children) {
            Commands.Outcome outcome = Commands.outcome(child);
            ensure(outcome.status() == 0, "child", outcome.output());
        }
        try (java.util.stream.Stream<Path> left = Files.list(temporary)) {
            List<Path> files = left.filter(
                            path -> !path.getFileName().toString().startsWith("hsperf"))
                    .toList();
            ensure(files.isEmpty(), "left behind", files);
        }
        return children.size() + " processes with one directory for temporary files";
    }

    private static void scaleInThisProcess() {
        try (Device device = Device.open(0);
                Stream stream = device.stream();
                Module module = device.module("device_check")) {
            scale(device, stream, device.launcher(), module.kernel("device_check_scale"));
        }
    }

    private static String fault() throws Exception {
        Commands.Outcome outcome = Commands.outcome(child("fault").start());
        ensure(outcome.status() == 0, "child", outcome.output());
        scaleInThisProcess(); // a fault is one process's own
        return outcome.output()
                .lines()
                .filter(line -> line.startsWith("fault: "))
                .findFirst()
                .orElseThrow();
    }

    private static void faultInThisProcess() {
        Device device = Device.open(0);
        Stream stream = device.stream();
        Buffer buffer = device.allocate(16);
        Module module = device.module("device_check");
        List<String> heard = new ArrayList<>();
        device.onFault(() -> heard.add("before"));
        ensure(!device.faulted(), "faulted", "before the fault");
        stream.launch(module.kernel("device_check_fault"), 1, 1, 1, 1, new Arguments().wide(16));
        PaloverdeException fault =
                fails(ErrorCode.ENGINE_FAILED, "CUDA_ERROR_ILLEGAL_ADDRESS (700)", stream::synchronize);
        ensure(device.faulted() && device.fault().orElseThrow() == fault, "faulted", device.fault());
        device.onFault(() -> heard.add("after"));
        fails(ErrorCode.ENGINE_FAILED, "CUDA_ERROR_ILLEGAL_ADDRESS", stream::synchronize);
        fails(ErrorCode.ENGINE_FAILED, "CUDA_ERROR_ILLEGAL_ADDRESS", () -> device.allocate(1));
        ensure(heard.equals(List.of("before", "after")), "heard", heard);
        buffer.close();
        device.close();
        System.out.println("fault: " + fault.getMessage());
    }

    private static String launchCost() {
        try (Device device = Device.open(0);
                Stream stream = device.stream();
                Module module = device.module("device_check")) {
            Kernel kernel = module.kernel("device_check_nothing");
            Arguments arguments = new Arguments();
            Launcher jcuda = new Launcher();
            Runnable plain =
                    () -> stream.launch(kernel, 1, 1, 1, 32, arguments.clear().integer(1));
            Runnable overlapping = () -> stream.launchOverlapping(
                    kernel, 1, 1, 1, 32, arguments.clear().integer(1));
            Runnable throughJCuda = () ->
                    jcuda.launch(stream, kernel, 1, 1, 1, 32, arguments.clear().integer(1));
            StringBuilder report = new StringBuilder();
            report.append("plain ").append(cost(stream, plain));
            report.append("; overlapping ").append(cost(stream, overlapping));
            report.append("; through JCuda ").append(cost(stream, throughJCuda));
            for (Runnable kind : List.of(plain, overlapping)) {
                int nodes = 200;
                try (Graph graph = stream.capture(() -> {
                    for (int i = 0; i < nodes; i++) {
                        kind.run();
                    }
                })) {
                    double best = Double.MAX_VALUE;
                    for (int round = 0; round < 20; round++) {
                        long start = System.nanoTime();
                        stream.launch(graph);
                        stream.synchronize();
                        best = Math.min(best, (System.nanoTime() - start) / 1e3 / nodes);
                    }
                    report.append(String.format(
                            Locale.ROOT, "; graph %s %.2f us a node", kind == plain ? "plain" : "overlapping", best));
                }
            }
            return report.toString();
        }
    }

    private static String cost(Stream stream, Runnable launch) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long self = Thread.currentThread().getId();
        int launches = 20_000;
        double best = Double.MAX_VALUE;
        long garbage = 0;
        for (int round = 0; round < 5; round++) {
            long before = threads.getThreadAllocatedBytes(self);
            long start = System.nanoTime();
            for (int i = 0; i < launches; i++) {
                launch.run();
            }
            best = Math.min(best, (System.nanoTime() - start) / 1e3 / launches);
            garbage = threads.getThreadAllocatedBytes(self) - before;
            stream.synchronize();
        }
        return String.format(Locale.ROOT, "%.2f us, %.1f bytes of garbage", best, (double) garbage / launches);
    }

    private static String bandwidth() {
        long bytes = 256L << 20;
        try (Device device = Device.open(0);
                Stream stream = device.stream();
                Buffer first = device.allocate(bytes);
                Buffer second = device.allocate(bytes);
                HostBuffer host = device.pinned(bytes);
                Event start = device.timer();
                Event end = device.timer()) {
            Map<String, Runnable> copies = new LinkedHashMap<>();
            copies.put("in", () -> stream.copyIn(host, 0, first, 0, bytes));
            copies.put("out", () -> stream.copyOut(first, 0, host, 0, bytes));
            copies.put("within (read and written)", () -> stream.copy(first, 0, second, 0, bytes));
            copies.put("fill", () -> stream.fill(first, 0, (byte) 1, bytes));
            List<String> report = new ArrayList<>();
            copies.forEach((name, copy) -> {
                float best = Float.MAX_VALUE;
                for (int round = 0; round < 5; round++) {
                    stream.record(start);
                    copy.run();
                    stream.record(end);
                    stream.synchronize();
                    best = Math.min(best, end.millisecondsSince(start));
                }
                double moved = name.startsWith("within") ? 2 * bytes : bytes;
                report.add(String.format(Locale.ROOT, "%s %.1f GB/s", name, moved / best / 1e6));
            });
            return String.join(", ", report);
        }
    }

    private static ProcessBuilder child(String half, String... options) {
        return new ProcessBuilder(Commands.java(GpuCheck.class, List.of(options), half)).redirectErrorStream(true);
    }

    private static List<Integer> boxed(int[] values) {
        return Arrays.stream(values).boxed().toList();
    }

    private static void ensure(boolean condition, String what, Object seen) {
        if (!condition) {
            throw new AssertionError(what + ": " + seen);
        }
    }

    private static PaloverdeException fails(ErrorCode code, String part, Runnable call) {
        try {
            call.run();
        } catch (PaloverdeException e) {
            ensure(e.code() == code && e.getMessage().contains(part), "another failure, not " + code + " " + part, e);
            return e;
        }
        throw new AssertionError("did not fail with " + code + ": " + part);
    }
}
