package dev.paloverde.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.device.Device;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Example;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

class DevicesTest {
    @Example
    void opensTheCpu() {
        try (Kernels kernels = Devices.open("cpu", 2);
                Kernels auto = Devices.open("auto", 1)) {
            assertThat(kernels.version()).isEqualTo("cpu-fp32-1");
            assertThat(kernels.description()).startsWith("CPU, fp32, ").endsWith(", 2 threads");
            if (Device.obstacle().isPresent()) {
                assertThat(auto.version()).isEqualTo("cpu-fp32-1");
                assertThat(auto.description()).endsWith(", 1 thread");
            }
        }
    }

    @Example
    void neverFallsBackFromCuda() {
        if (Device.obstacle().isPresent()) {
            assertFails(
                    () -> Devices.open("cuda", 1), ErrorCode.DEVICE_UNAVAILABLE, "no GPU can be used", "device to cpu");
        }
        assertFails(() -> Devices.open("cuda:999", 1), ErrorCode.DEVICE_UNAVAILABLE, "GPU");
    }

    @Example
    void plansForGpusWithoutOne() {
        assertThat(Devices.version("cuda")).isEqualTo(Devices.version("cuda:3")).startsWith("cuda-bf16-");
        assertThat(Devices.version("cpu")).isEqualTo("cpu-fp32-1");
        assertFails(() -> Devices.version("gpu"), ErrorCode.INVALID_OPTION, "\"gpu\"");
    }

    @Example
    void settlesWhatAutoIs() {
        assertThat(Devices.resolve("auto")).isIn("cpu", "cuda");
        if (Device.obstacle().isPresent()) {
            assertThat(Devices.resolve("auto")).isEqualTo("cpu");
        }
        assertThat(Devices.version("auto")).isEqualTo(Devices.version(Devices.resolve("auto")));
        assertThat(Devices.resolve("cuda:2")).isEqualTo("cuda:2");
    }

    @Example
    void refusesWhatItDoesNotKnow() {
        assertFails(() -> Devices.open("tpu", 1), ErrorCode.INVALID_OPTION, "\"tpu\"", "auto, cpu, cuda");
        assertFails(() -> Devices.open("cuda:", 1), ErrorCode.INVALID_OPTION, "\"cuda:\"");
        assertFails(() -> Devices.open("cpu", 0), ErrorCode.INVALID_OPTION, "threads is 0");
    }

    @Example
    void keepsBooksOfWhatIsOpen() {
        CpuKernels kernels = (CpuKernels) Devices.open("cpu", 1);
        Tensor tensor = kernels.tensor(4, 8);
        Matrix matrix = kernels.matrix(List.of(Numbers.random(new Random(0), DataType.F32, 3, 5)));
        assertThat(kernels.unclosed()).containsExactly("matrix of 3 x 5", "tensor of 4 x 8");
        matrix.close();
        matrix.close();
        assertThat(kernels.unclosed()).containsExactly("tensor of 4 x 8");
        kernels.close();
        assertThat(kernels.unclosed()).isEmpty();
        assertFails(() -> tensor.read(0), ErrorCode.INTERNAL, "tensor of 4 x 8 is used after it was closed");
    }

    @Example
    void namesShapesThatDoNotFit() {
        try (Kernels kernels = Devices.open("cpu", 1);
                Tensor in = kernels.tensor(2, 6);
                Tensor out = kernels.tensor(2, 3);
                Matrix matrix = kernels.matrix(List.of(Numbers.random(new Random(0), DataType.F32, 3, 5)));
                KvCache cache = kernels.cache(new KvLayout(1, 1, 4, 16), 2)) {
            in.resize(2);
            out.resize(2);
            assertFails(
                    () -> kernels.multiply(in, matrix, null, out),
                    ErrorCode.INTERNAL,
                    "columns of the input: 6, where inputs of the weight: 5");
            assertFails(
                    () -> kernels.embed(matrix, new int[] {0, 3}, out),
                    ErrorCode.INTERNAL,
                    "columns of the output: 3, where columns of the table: 5");
            assertFails(() -> in.resize(3), ErrorCode.INTERNAL, "cannot have 3 rows");
            assertFails(() -> kernels.copyPage(cache, 0, 2, 1), ErrorCode.INTERNAL, "page 2 is not among the 2");
            StepBatch gap = new StepBatch(new int[2], new int[] {0, 2}, new int[] {0, 2}, new int[][] {{0}});
            Heads heads = new Heads(in, 0, 1, 4);
            assertFails(
                    () -> ((CpuKernels) kernels).append(cache, 0, heads, heads, gap),
                    ErrorCode.INTERNAL,
                    "row: 2, where",
                    "neighbour");
        }
    }

    @Example
    void refusesTokensThatTheEmbeddingDoesNotHave() {
        try (Kernels kernels = Devices.open("cpu", 1);
                Tensor out = kernels.tensor(1, 5);
                Matrix table = kernels.matrix(List.of(Numbers.random(new Random(0), DataType.F32, 3, 5)))) {
            out.resize(1);
            assertFails(
                    () -> kernels.embed(table, new int[] {3}, out),
                    ErrorCode.TOKENIZER_MISMATCH,
                    "token 3 is not among the 3");
        }
    }

    @Example
    void saysHowMuchMemoryIsMissing() {
        try (Kernels kernels = Devices.open("cpu", 1)) {
            long pages = Runtime.getRuntime().maxMemory() / (1 << 20) + 1;
            assertFails(
                    () -> kernels.cache(new KvLayout(16, 8, 64, 16), (int) pages),
                    ErrorCode.OUT_OF_MEMORY,
                    "a key-value cache of " + pages + " pages",
                    "-Xmx");
        }
    }

    private static void assertFails(ThrowingCallable call, ErrorCode code, String... parts) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(code))
                .hasMessageContainingAll(parts);
    }
}
