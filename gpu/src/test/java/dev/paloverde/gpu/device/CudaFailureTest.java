package dev.paloverde.gpu.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.stream.IntStream;
import net.jqwik.api.Example;

class CudaFailureTest {
    @Example
    void namesPlaceCallResultAndFix() {
        PaloverdeException failure = CudaFailure.of(2, "cuMemAlloc of 10 bytes", "GPU 0 (NVIDIA H200)");
        assertThat(failure.code()).isEqualTo(ErrorCode.OUT_OF_MEMORY);
        assertThat(failure)
                .hasMessage(
                        "GPU 0 (NVIDIA H200): cuMemAlloc of 10 bytes failed with CUDA_ERROR_OUT_OF_MEMORY (2); give the"
                                + " device less to hold, or end other processes on it (nvidia-smi lists them)");
    }

    @Example
    void tellsWhatNoJobSurvivesFromWhatIsNotThere() {
        assertThat(code(100)).isEqualTo(ErrorCode.DEVICE_UNAVAILABLE); // no device
        assertThat(code(803)).isEqualTo(ErrorCode.DEVICE_UNAVAILABLE); // driver mismatch
        assertThat(code(209)).isEqualTo(ErrorCode.DEVICE_UNAVAILABLE); // no binary for this GPU
        assertThat(CudaFailure.of(200, "cuModuleLoadData", "GPU 0"))
                .hasMessageContaining("580 or newer"); // invalid image
        assertThat(code(200)).isEqualTo(ErrorCode.DEVICE_UNAVAILABLE);
        assertThat(code(1)).isEqualTo(ErrorCode.ENGINE_FAILED); // invalid value
        assertThat(code(700)).isEqualTo(ErrorCode.ENGINE_FAILED); // illegal address
        for (int result = 1; result < 1000; result++) {
            assertThat(code(result).scope()).isEqualTo(ErrorCode.Scope.JOB);
        }
    }

    @Example
    void knowsWhatLosesTheDeviceToTheProcess() {
        assertThat(IntStream.range(0, 1000).filter(CudaFailure::sticky))
                .containsExactly(
                        214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 806, 810, 911, 999);
        assertThat(CudaFailure.of(719, "cuStreamSynchronize", "GPU 0")).hasMessageContaining("restart it");
        assertThat(CudaFailure.of(214, "cuStreamSynchronize", "GPU 0")).hasMessageContaining("hardware", "ECC");
        assertThat(CudaFailure.of(900, "cuMemAlloc", "GPU 0")).hasMessageContaining("Stream.capture");
    }

    @Example
    void namesWhatJCudaDoesNotKnow() {
        assertThat(CudaFailure.name(226)).isEqualTo("CUDA_ERROR_CONTAINED (226)");
        assertThat(CudaFailure.name(721)).isEqualTo("CUDA_ERROR_TENSOR_MEMORY_LEAK (721)");
        assertThat(CudaFailure.name(719)).isEqualTo("CUDA_ERROR_LAUNCH_FAILED (719)");
        assertThat(CudaFailure.name(987)).isEqualTo("CUresult 987");
    }

    private static ErrorCode code(int result) {
        return CudaFailure.of(result, "a call", "GPU 0").code();
    }
}
