package dev.paloverde.gpu.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Devices;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Native libraries in processes of their own, with no driver, with drivers that lack something, and all at once. */
class NativeLibrariesTest {
    /** A driver on a host without a GPU; of CUDA 11.7, which knows nothing of cuLaunchKernelEx. */
    private static final String OLD_DRIVER = """
            int cuInit(unsigned int flags) { return flags == 0 ? 100 : 1; }
            int cuDriverGetVersion(int *version) { *version = 11070; return 0; }
            """;

    /** A newer one, which prints what it is asked to launch, as NVIDIA's own header declares it. */
    private static final String TALKING_DRIVER = """
            #include <cuda.h>
            #include <stdio.h>
            CUresult CUDAAPI cuInit(unsigned int flags) { return CUDA_ERROR_NO_DEVICE; }
            CUresult CUDAAPI cuDriverGetVersion(int *version) { *version = 13000; return CUDA_SUCCESS; }
            CUresult CUDAAPI cuLaunchKernelEx(const CUlaunchConfig *c, CUfunction f, void **parameters, void **extra) {
                printf("grid %u %u %u block %u %u %u shared %u stream %llx function %llx argument %d extra %d attributes",
                       c->gridDimX, c->gridDimY, c->gridDimZ, c->blockDimX, c->blockDimY, c->blockDimZ,
                       c->sharedMemBytes, (unsigned long long)c->hStream, (unsigned long long)f, *(int *)parameters[0],
                       extra != NULL);
                for (unsigned int i = 0; i < c->numAttrs; i++) {
                    const CUlaunchAttribute *a = &c->attrs[i];
                    if (a->id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION)
                        printf(" overlapping %d", a->value.programmaticStreamSerializationAllowed);
                    else if (a->id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
                        printf(" cluster %u %u %u", a->value.clusterDim.x, a->value.clusterDim.y, a->value.clusterDim.z);
                    else
                        printf(" unknown %d", (int)a->id);
                }
                printf("\\n");
                fflush(stdout);
                return CUDA_SUCCESS;
            }
            CUresult CUDAAPI cuDeviceGet(CUdevice *device, int ordinal) { *device = 100 + ordinal; return CUDA_SUCCESS; }
            CUresult CUDAAPI cuDeviceGetDevResource(CUdevice device, CUdevResource *all, CUdevResourceType type) {
                all->type = type;
                all->sm.smCount = 132;
                return device == 101 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
            }
            CUresult CUDAAPI cuDevSmResourceSplitByCount(CUdevResource *groups, unsigned int *count,
                    const CUdevResource *all, CUdevResource *rest, unsigned int flags, unsigned int least) {
                if (*count != 1 || flags != 0 || all->type != CU_DEV_RESOURCE_TYPE_SM) return CUDA_ERROR_INVALID_VALUE;
                groups[0].type = rest->type = CU_DEV_RESOURCE_TYPE_SM;
                groups[0].sm.smCount = (least + 7) / 8 * 8;
                rest->sm.smCount = all->sm.smCount - groups[0].sm.smCount;
                return CUDA_SUCCESS;
            }
            CUresult CUDAAPI cuDevResourceGenerateDesc(CUdevResourceDesc *d, CUdevResource *parts, unsigned int count) {
                *d = (CUdevResourceDesc)(size_t)(parts[0].sm.smCount + 1000 * count);
                return CUDA_SUCCESS;
            }
            CUresult CUDAAPI cuGreenCtxCreate(CUgreenCtx *context, CUdevResourceDesc d, CUdevice device, unsigned int f) {
                *context = (CUgreenCtx)((size_t)d + 100000);
                return f == CU_GREEN_CTX_DEFAULT_STREAM ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
            }
            CUresult CUDAAPI cuGreenCtxStreamCreate(CUstream *stream, CUgreenCtx context, unsigned int flags, int priority) {
                *stream = (CUstream)((size_t)context + 1000000 * priority);
                return flags == CU_STREAM_NON_BLOCKING ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
            }
            CUresult CUDAAPI cuFuncGetParamInfo(CUfunction f, size_t index, size_t *offset, size_t *size) {
                const size_t parameters = (size_t)f;
                if (index >= parameters) return CUDA_ERROR_INVALID_VALUE;
                *offset = 0;
                *size = 24;
                return CUDA_SUCCESS;
            }
            """;

    private static final Path CUDA = Path.of("/usr/local/cuda/include");

    @TempDir
    Path directory;

    /** What the processes of these tests run. */
    static final class Probe {
        private Probe() {}

        /** @param arguments what to try */
        public static void main(String[] arguments) {
            switch (arguments[0]) {
                case "cpu" -> {
                    Devices.open("cpu", 1).close();
                    System.out.println("done");
                }
                case "obstacle" -> System.out.println(Device.obstacle().orElse("none"));
                case "open" -> {
                    try {
                        Device.open(0).close();
                    } catch (PaloverdeException e) {
                        System.out.println(e.code() + ": " + e.getMessage());
                    }
                }
                case "launcher" -> {
                    Driver.find();
                    System.out.println(Launcher.choose().getClass().getSimpleName());
                }
                case "launch" -> {
                    Driver.find();
                    System.out.println(Launcher.choose().getClass().getSimpleName());
                    long address = new Arguments().integer(77).address();
                    System.out.println(NativeLauncher.launchKernel(0xabc, 2, 3, 4, 5, 6, 0xdef, address, 1, false));
                    System.out.println(NativeLauncher.launchKernel(0xabc, 2, 3, 4, 5, 6, 0xdef, address, 1, true));
                    System.out.println(NativeLauncher.launchKernel(0xabc, 8, 1, 1, 5, 6, 0xdef, address, 8, true));
                    for (long parameters = 0; parameters < 3; parameters++) {
                        System.out.println("parameters " + NativeLauncher.parameterBytes(parameters));
                    }
                }
                case "share" -> {
                    Driver.find();
                    Launcher.choose();
                    long[] parts = new long[4];
                    System.out.println(NativeLauncher.share(1, 12, parts) + " " + Arrays.toString(parts));
                    dev.paloverde.gpu.device.Stream.Handle handle = new dev.paloverde.gpu.device.Stream.Handle();
                    if (parts[0] != 0) {
                        System.out.println(NativeLauncher.shareStream(parts[2], 3, handle) + " " + handle.address());
                    }
                }
                default -> throw new IllegalArgumentException(arguments[0]);
            }
        }
    }

    @Test
    void nothingOfJCudaIsLoadedForTheCpu() throws Exception {
        Commands.Outcome outcome = Commands.outcome(start("cpu", null, List.of("-Xlog:class+load")));
        assertThat(outcome.status()).as(outcome.output()).isZero();
        assertThat(outcome.output())
                .contains("done", "dev.paloverde.gpu.kernels.CpuKernels")
                .doesNotContain("jcuda.", "dev.paloverde.gpu.device.Driver", "libJCuda");
    }

    @Test
    void aMissingDriverIsNamedWithItsFix() {
        assumeTrue(Device.obstacle().isPresent(), "there is a GPU here");
        assumeTrue(Device.obstacle().orElseThrow().contains("libcuda.so.1 is not there"), "there is a driver here");
        assertThat(Device.obstacle().orElseThrow())
                .contains("install the NVIDIA driver", "nvidia-smi", "docker run --gpus all", "set device to cpu")
                .hasLineCount(1);
        assertThatThrownBy(() -> Device.open(0))
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.DEVICE_UNAVAILABLE))
                .hasMessageContaining("no GPU can be used: libcuda.so.1 is not there");
        assertThatThrownBy(Device::count)
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.DEVICE_UNAVAILABLE));
    }

    @Test
    void aDriverWithoutAGpuIsNamedWithItsFix() throws Exception {
        Path driver = driver(OLD_DRIVER);
        assertThat(Commands.outcome(start("open", driver, List.of())).output())
                .isEqualTo("DEVICE_UNAVAILABLE: no GPU can be used: the NVIDIA driver: cuInit failed with"
                        + " CUDA_ERROR_NO_DEVICE (100); the driver is there and sees no GPU: look at CUDA_VISIBLE_DEVICES,"
                        + " and in a container ask for GPUs (docker run --gpus all; a resource nvidia.com/gpu in"
                        + " Kubernetes)\n");
    }

    /** JCuda itself unpacks to a fixed name and takes what lies there for whole. */
    @Test
    void processesOnOneHostDoNotDisturbOneAnother() throws Exception {
        Path driver = Commands.found("gcc") ? driver(OLD_DRIVER) : null;
        Path temporary = Files.createDirectory(directory.resolve("temporary"));
        Path half = temporary.resolve("libJCudaDriver-12.6.0-linux-x86_64.so");
        Files.writeString(half, "half a library");
        List<Process> processes = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            processes.add(start("obstacle", driver, List.of("-Djava.io.tmpdir=" + temporary)));
        }
        String expected = driver != null ? "CUDA_ERROR_NO_DEVICE" : "libcuda.so.1 is not there";
        for (Process process : processes) {
            Commands.Outcome outcome = Commands.outcome(process);
            assertThat(outcome.status()).as(outcome.output()).isZero();
            if (driver != null || Device.obstacle().isPresent()) {
                assertThat(outcome.output()).contains(expected);
            }
        }
        assertThat(half).hasContent("half a library");
        try (Stream<Path> left = Files.list(temporary)) {
            assertThat(left.filter(path -> !path.getFileName().toString().startsWith("hsperfdata")))
                    .containsExactly(half);
        }
    }

    @Test
    void aDirectoryThatCannotBeWrittenIsNamed() throws Exception {
        Path nowhere = directory.resolve("nowhere");
        assertThat(Commands.outcome(start("obstacle", null, List.of("-Djava.io.tmpdir=" + nowhere)))
                        .output())
                .contains("cannot be unpacked to " + nowhere, "set -Djava.io.tmpdir");
    }

    @Test
    void anOldDriverLaunchesThroughJCudaAndSaysWhy() throws Exception {
        Commands.Outcome outcome = Commands.outcome(start("launcher", driver(OLD_DRIVER), List.of()));
        assertThat(outcome.output())
                .contains(
                        "\nLauncher\n",
                        "WARN dev.paloverde.gpu.device.Launcher - kernels run strictly one after another",
                        "CUDA 11.7) has no cuLaunchKernelEx; install driver 520 or newer");
    }

    /** The structures that launch.c declares, against NVIDIA's header. */
    @Test
    void theDriverUnderstandsWhatWeLaunch() throws Exception {
        assumeTrue(Files.exists(CUDA.resolve("cuda.h")), "needs cuda.h");
        Commands.Outcome outcome = Commands.outcome(start("launch", driver(TALKING_DRIVER), List.of()));
        String launch = "grid 2 3 4 block 5 1 1 shared 6 stream def function abc argument 77 extra 0 attributes";
        assertThat(outcome.output().lines())
                .containsExactly(
                        "NativeLauncher",
                        launch,
                        "0",
                        launch + " overlapping 1",
                        "0",
                        launch.replace("grid 2 3 4", "grid 8 1 1") + " overlapping 1 cluster 8 1 1",
                        "0",
                        "parameters 0",
                        "parameters 24",
                        "parameters -1");
    }

    /** As launch.c declares the parts of a GPU, against NVIDIA's header. */
    @Test
    void theDriverUnderstandsHowWeShareOutAGpu() throws Exception {
        assumeTrue(Files.exists(CUDA.resolve("cuda.h")), "needs cuda.h");
        assertThat(Commands.outcome(start("share", driver(TALKING_DRIVER), List.of()))
                        .output()
                        .lines())
                .containsExactly("0 [101016, 16, 101116, 116]", "0 3101116");
    }

    @Test
    void aDriverWithoutGreenContextsSaysSo() throws Exception {
        String old = TALKING_DRIVER.replace("cuGreenCtxStreamCreate", "cuSomethingElse");
        assumeTrue(Files.exists(CUDA.resolve("cuda.h")), "needs cuda.h");
        assertThat(Commands.outcome(start("share", driver(old), List.of()))
                        .output()
                        .lines())
                .containsExactly("801 [0, 0, 0, 0]");
    }

    private Path driver(String source) throws Exception {
        assumeTrue(Commands.found("gcc"), "needs gcc");
        Path place = Files.createDirectories(directory.resolve("driver"));
        Path file = Files.writeString(directory.resolve("driver.c"), source);
        Commands.Outcome compiled = Commands.run(
                "gcc",
                "-shared",
                "-fPIC",
                "-I" + CUDA,
                "-Wl,-soname,libcuda.so.1",
                "-o",
                place.resolve("libcuda.so.1").toString(),
                file.toString());
        assertThat(compiled.status()).as(compiled.output()).isZero();
        return place;
    }

    private static Process start(String what, Path driver, List<String> options) throws IOException {
        ProcessBuilder builder =
                new ProcessBuilder(Commands.java(Probe.class, options, what)).redirectErrorStream(true);
        if (driver != null) {
            builder.environment().put("LD_LIBRARY_PATH", driver.toString());
        }
        return builder.start();
    }
}
