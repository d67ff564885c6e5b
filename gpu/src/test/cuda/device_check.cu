// Kernels for GpuCheck: each shows one thing that the device package does.
#include <cstdint>

namespace {

__device__ __forceinline__ uint64_t now() {
    uint64_t nanoseconds;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(nanoseconds));
    return nanoseconds;
}

__device__ __forceinline__ void wait_for_earlier_kernels() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

__device__ __forceinline__ void let_later_kernels_start() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

}  // namespace

extern "C" __device__ const int device_check_info[3] = {7, -1, 1 << 20};

struct Scale {
    const float* in;
    float* out;
    int32_t count;
    float factor;
};

// out = factor * in. Grid: any number of blocks, any threads.
extern "C" __global__ void device_check_scale(const __grid_constant__ Scale a) {
    let_later_kernels_start();
    wait_for_earlier_kernels();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < a.count; i += gridDim.x * blockDim.x) {
        a.out[i] = a.factor * a.in[i];
    }
}

struct Nothing {
    int32_t unused;
};

// For the cost of a launch. Grid: 1.
extern "C" __global__ void device_check_nothing(const __grid_constant__ Nothing) {}

// Fields that make a compiler pad: before `wide`, before `after`, and at the end.
struct Layout {
    float real;
    int64_t wide;
    int32_t one;
    int64_t* out;
    float last;
};

// out = the fields, and the structure's size. Grid: 1, 1 thread.
extern "C" __global__ void device_check_layout(const __grid_constant__ Layout a) {
    a.out[0] = __float_as_int(a.real);
    a.out[1] = a.wide;
    a.out[2] = a.one;
    a.out[3] = __float_as_int(a.last);
    a.out[4] = sizeof(Layout);
}

struct Shape {
    int32_t* out;
    int32_t words;
};

// out[block] = the sum of 0 to words - 1, through so many words of dynamic shared memory. 256 threads.
extern "C" __global__ void device_check_shared(const __grid_constant__ Shape a) {
    extern __shared__ int32_t words[];
    for (int i = threadIdx.x; i < a.words; i += blockDim.x) words[i] = i;
    __syncthreads();
    if (threadIdx.x == 0) {
        int32_t sum = 0;
        for (int i = 0; i < a.words; i++) sum += words[i];
        a.out[blockIdx.x] = sum;
    }
}

// out[block] = blocks of its cluster. 1 thread.
extern "C" __global__ void device_check_cluster(const __grid_constant__ Shape a) {
    uint32_t blocks = 1;
#if __CUDA_ARCH__ >= 900
    asm volatile("mov.u32 %0, %cluster_nctaid.x;" : "=r"(blocks));
#endif
    a.out[blockIdx.x] = static_cast<int32_t>(blocks);
}

struct Chain {
    int64_t* times;  // of this kernel: when it started, when it may touch what the one before wrote, when it ended
    int32_t* link;   // every kernel of the chain doubles it and adds one
    int64_t nanoseconds;
};

// Lets the next kernel start at once, works for a while, and only then doubles the link. Grid: 1, 1 thread.
extern "C" __global__ void device_check_chain(const __grid_constant__ Chain a) {
    const uint64_t start = now();
    let_later_kernels_start();
    wait_for_earlier_kernels();
    const uint64_t free = now();
    while (now() - free < static_cast<uint64_t>(a.nanoseconds)) {
    }
    *a.link = 2 * *a.link + 1;
    a.times[0] = static_cast<int64_t>(start);
    a.times[1] = static_cast<int64_t>(free);
    a.times[2] = static_cast<int64_t>(now());
}

// Lets the next kernel start and is done, without waiting for an earlier one. Grid: 1, 1 thread.
extern "C" __global__ void device_check_hasty(const __grid_constant__ Nothing) { let_later_kernels_start(); }

struct Wrong {
    int32_t* nowhere;
};

// Writes where nothing is. Grid: 1, 1 thread.
extern "C" __global__ void device_check_fault(const __grid_constant__ Wrong a) { *a.nowhere = 1; }
