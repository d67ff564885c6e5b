package dev.paloverde.gpu.device;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import jcuda.driver.CUresult;

/** What a result of the CUDA driver other than success means, and what to do about it. */
final class CudaFailure {
    // Newer than JCuda's own list; cuda.h of CUDA 13.0, CUresult.
    private static final int CONTAINED = 226;
    private static final int TENSOR_MEMORY_LEAK = 721;
    private static final int MPS_CLIENT_TERMINATED = 810;

    private CudaFailure() {}

    /**
     * {@return whether nothing works on the device any more in this process: every later call gives the same result until
     * the process ends}
     *
     * @param result a CUresult
     */
    static boolean sticky(int result) {
        return switch (result) {
            case CUresult.CUDA_ERROR_ECC_UNCORRECTABLE,
                    CUresult.CUDA_ERROR_NVLINK_UNCORRECTABLE,
                    CONTAINED,
                    CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
                    CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,
                    CUresult.CUDA_ERROR_CONTEXT_IS_DESTROYED,
                    CUresult.CUDA_ERROR_ASSERT,
                    CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR,
                    CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION,
                    CUresult.CUDA_ERROR_MISALIGNED_ADDRESS,
                    CUresult.CUDA_ERROR_INVALID_ADDRESS_SPACE,
                    CUresult.CUDA_ERROR_INVALID_PC,
                    CUresult.CUDA_ERROR_LAUNCH_FAILED,
                    TENSOR_MEMORY_LEAK,
                    CUresult.CUDA_ERROR_MPS_RPC_FAILURE,
                    MPS_CLIENT_TERMINATED,
                    CUresult.CUDA_ERROR_EXTERNAL_DEVICE,
                    CUresult.CUDA_ERROR_UNKNOWN -> true;
            default -> false;
        };
    }

    /**
     * {@return the exception for a result}
     *
     * @param result a CUresult other than success
     * @param call the driver's function, with what it was asked for
     * @param place the device it was asked of
     */
    static PaloverdeException of(int result, String call, String place) {
        return new PaloverdeException(
                code(result), place + ": " + call + " failed with " + name(result) + "; " + fix(result));
    }

    /** {@return the driver's name of a result, with its number} */
    static String name(int result) {
        String name = switch (result) {
            case CONTAINED -> "CUDA_ERROR_CONTAINED";
            case TENSOR_MEMORY_LEAK -> "CUDA_ERROR_TENSOR_MEMORY_LEAK";
            case MPS_CLIENT_TERMINATED -> "CUDA_ERROR_MPS_CLIENT_TERMINATED";
            default -> CUresult.stringFor(result);
        };
        return name.startsWith("CUDA_") ? name + " (" + result + ")" : "CUresult " + result;
    }

    private static ErrorCode code(int result) {
        return switch (result) {
            case CUresult.CUDA_ERROR_OUT_OF_MEMORY -> ErrorCode.OUT_OF_MEMORY;
            case CUresult.CUDA_ERROR_NO_DEVICE,
                    CUresult.CUDA_ERROR_INVALID_DEVICE,
                    CUresult.CUDA_ERROR_DEVICE_UNAVAILABLE,
                    CUresult.CUDA_ERROR_DEVICE_NOT_LICENSED,
                    CUresult.CUDA_ERROR_STUB_LIBRARY,
                    CUresult.CUDA_ERROR_SYSTEM_NOT_READY,
                    CUresult.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH,
                    CUresult.CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE,
                    CUresult.CUDA_ERROR_INVALID_IMAGE,
                    CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU,
                    CUresult.CUDA_ERROR_INVALID_PTX,
                    CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
                    CUresult.CUDA_ERROR_JIT_COMPILER_NOT_FOUND -> ErrorCode.DEVICE_UNAVAILABLE;
            default -> ErrorCode.ENGINE_FAILED;
        };
    }

    private static String fix(int result) {
        return switch (result) {
            case CUresult.CUDA_ERROR_OUT_OF_MEMORY ->
                "give the device less to hold, or end other processes on it (nvidia-smi lists them)";
            case CUresult.CUDA_ERROR_NO_DEVICE ->
                "the driver is there and sees no GPU: look at CUDA_VISIBLE_DEVICES, and in a container ask for GPUs"
                        + " (docker run --gpus all; a resource nvidia.com/gpu in Kubernetes)";
            case CUresult.CUDA_ERROR_INVALID_DEVICE -> "nvidia-smi -L lists the GPUs that there are";
            case CUresult.CUDA_ERROR_DEVICE_UNAVAILABLE ->
                "another process holds the GPU alone: set its compute mode to DEFAULT with nvidia-smi -c 0";
            case CUresult.CUDA_ERROR_STUB_LIBRARY ->
                "libcuda.so.1 is the stub of a CUDA toolkit: take its directory out of LD_LIBRARY_PATH";
            case CUresult.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH ->
                "libcuda.so.1 and the kernel's driver are of different versions: restart the host, or install one driver";
            case CUresult.CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE ->
                "this GPU does not run with a forward-compatible libcuda.so.1: take the cuda-compat directory out of"
                        + " LD_LIBRARY_PATH, and install a newer driver";
            case CUresult.CUDA_ERROR_SYSTEM_NOT_READY ->
                "the GPU is not ready: see that nvidia-persistenced, and on HGX hosts nvidia-fabricmanager, run";
            case CUresult.CUDA_ERROR_INVALID_IMAGE,
                    CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU,
                    CUresult.CUDA_ERROR_INVALID_PTX,
                    CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
                    CUresult.CUDA_ERROR_JIT_COMPILER_NOT_FOUND ->
                "the kernels are not built for this GPU and driver: they come of CUDA 13, whose driver is 580 or newer. Install"
                        + " that, or set device to cpu";
            case CUresult.CUDA_ERROR_INVALID_CONTEXT ->
                "the calling thread is not attached to the device: call Device.attach on it first";
            case CUresult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
                    CUresult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED,
                    CUresult.CUDA_ERROR_STREAM_CAPTURE_IMPLICIT ->
                "Stream.capture records copies, fills and kernels alone: allocate, load and wait before or after it";
            case CUresult.CUDA_ERROR_NOT_FOUND -> "the kernels and the Java code are not of the same build";
            case CUresult.CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES ->
                "a block of this size has no room for its registers or its shared memory";
            case CUresult.CUDA_ERROR_ECC_UNCORRECTABLE,
                    CUresult.CUDA_ERROR_NVLINK_UNCORRECTABLE,
                    CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR,
                    CONTAINED ->
                "the hardware failed: restart this process on another GPU, and look at nvidia-smi -q -d ECC and dmesg (Xid)";
            default ->
                sticky(result)
                        ? "the device is lost to this process: restart it. Seen again, it is a defect of a kernel; report"
                                + " it, with what compute-sanitizer says"
                        : "this is a defect of Paloverde; report it";
        };
    }
}
