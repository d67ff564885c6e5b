// The instructions of Blackwell's fifth-generation tensor cores (sm_100a) that the kernels stand on: tensor memory, matrix
// products whose sums live there, and the barriers that say when they are done. Facts are those of the PTX ISA, section
// "TensorCore 5th Generation Family Instructions" (tcgen05). Nothing here has ever run: it has been compiled only.
#pragma once

#include <cstdint>

namespace blackwell {

// Tensor memory: 128 lanes of 512 columns of 32 bits. An address has the lane in its upper half, the column in its lower.
// A warp reaches the 32 lanes from 32 * (its index % 4) on, and no others.
constexpr uint32_t kColumns = 512;

// One whole warp asks for all columns; their address appears in shared memory. It also gives them back, when all is done.
__device__ __forceinline__ void memory_take(uint32_t place) {
    asm volatile("tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [%0], %1;" ::"r"(place), "n"(kColumns)
                 : "memory");
    asm volatile("tcgen05.relinquish_alloc_permit.cta_group::1.sync.aligned;" ::: "memory");
}

__device__ __forceinline__ void memory_give(uint32_t address) {
    asm volatile("tcgen05.dealloc.cta_group::1.sync.aligned.b32 %0, %1;" ::"r"(address), "n"(kColumns) : "memory");
}

// Between a barrier and operations on tensor memory: those of this thread before, for whoever waits at the barrier; those
// of the threads that were waited for, before this thread's own.
__device__ __forceinline__ void before_barrier() { asm volatile("tcgen05.fence::before_thread_sync;" ::: "memory"); }
__device__ __forceinline__ void after_barrier() { asm volatile("tcgen05.fence::after_thread_sync;" ::: "memory"); }

// ---- matrix products, begun by one thread ----

// Shared-memory operand with rows of 128 bytes in the 128-byte swizzle, on 1024-byte boundaries; groups of 8 rows are 1024
// bytes apart. `panel_bytes` is the distance between 64-column panels; it counts for transposed operands only. Bits: address
// / 16 from 0, leading offset / 16 from 16, stride offset / 16 from 32, the constant 1 from 46, 2 for the swizzle from 61.
struct Operand {
    uint32_t low;

    __device__ __forceinline__ Operand(uint32_t address, uint32_t panel_bytes)
        : low((address >> 4) | (panel_bytes >> 4) << 16) {}

    // The operand this many bytes further on.
    __device__ __forceinline__ uint64_t at(uint32_t bytes) const {
        constexpr uint32_t kHigh = 1024 >> 4 | 1u << 14 | 2u << 29;
        return static_cast<uint64_t>(low + (bytes >> 4)) | static_cast<uint64_t>(kHigh) << 32;
    }
};

// What a product of kind::f16 is like: fp32 sums (1 from bit 4), bf16 operands (1 from 7 and from 10), whether B is
// transposed (16), N / 8 from 17, M / 16 from 24.
__host__ __device__ constexpr uint32_t product_of_bf16(int m, int n, bool transposed) {
    return 1u << 4 | 1u << 7 | 1u << 10 | static_cast<uint32_t>(transposed) << 16 | static_cast<uint32_t>(n / 8) << 17 |
           static_cast<uint32_t>(m / 16) << 24;
}

// D[128, N] = A[128, 16] B[16, N] (+ D), D in tensor memory (row: lane, column: column), A and B in shared memory.
__device__ __forceinline__ void multiply_shared(uint32_t d, uint64_t a, uint64_t b, uint32_t product, bool accumulate) {
    asm volatile("{ .reg .pred p; setp.ne.b32 p, %4, 0; "
                 "tcgen05.mma.cta_group::1.kind::f16 [%0], %1, %2, %3, p; }" ::"r"(d),
                 "l"(a), "l"(b), "r"(product), "r"(static_cast<uint32_t>(accumulate))
                 : "memory");
}

// The same with A in tensor memory: two numbers of 16 bits in each column, 16 in eight columns.
__device__ __forceinline__ void multiply_memory(uint32_t d, uint32_t a, uint64_t b, uint32_t product, bool accumulate) {
    asm volatile("{ .reg .pred p; setp.ne.b32 p, %4, 0; "
                 "tcgen05.mma.cta_group::1.kind::f16 [%0], [%1], %2, %3, p; }" ::"r"(d),
                 "r"(a), "l"(b), "r"(product), "r"(static_cast<uint32_t>(accumulate))
                 : "memory");
}

// An arrival at an mbarrier when all products that this thread has begun are done.
__device__ __forceinline__ void arrive_when_done(uint32_t barrier) {
    asm volatile("tcgen05.commit.cta_group::1.mbarrier::arrive::one.shared::cluster.b64 [%0];" ::"r"(barrier) : "memory");
}

// ---- between registers and tensor memory: thread t of a warp has lane t, register i column i; whole warps ----

// Begins to load 32 columns: the registers may be read after `loads_wait` and `pin`.
__device__ __forceinline__ void load_columns(uint32_t (&x)[32], uint32_t address) {
    asm volatile("tcgen05.ld.sync.aligned.32x32b.x32.b32 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, [%32];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3]), "=r"(x[4]), "=r"(x[5]), "=r"(x[6]), "=r"(x[7]), "=r"(x[8]), "=r"(x[9]), "=r"(x[10]), "=r"(x[11]), "=r"(x[12]), "=r"(x[13]), "=r"(x[14]), "=r"(x[15]), "=r"(x[16]), "=r"(x[17]), "=r"(x[18]), "=r"(x[19]), "=r"(x[20]), "=r"(x[21]), "=r"(x[22]), "=r"(x[23]), "=r"(x[24]), "=r"(x[25]), "=r"(x[26]), "=r"(x[27]), "=r"(x[28]), "=r"(x[29]), "=r"(x[30]), "=r"(x[31])
                 : "r"(address)
                 : "memory");
}

__device__ __forceinline__ void store_columns(uint32_t address, const uint32_t (&x)[32]) {
    asm volatile("tcgen05.st.sync.aligned.32x32b.x32.b32 [%32], {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31};" ::
                 "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(x[4]), "r"(x[5]), "r"(x[6]), "r"(x[7]), "r"(x[8]), "r"(x[9]), "r"(x[10]), "r"(x[11]), "r"(x[12]), "r"(x[13]), "r"(x[14]), "r"(x[15]), "r"(x[16]), "r"(x[17]), "r"(x[18]), "r"(x[19]), "r"(x[20]), "r"(x[21]), "r"(x[22]), "r"(x[23]), "r"(x[24]), "r"(x[25]), "r"(x[26]), "r"(x[27]), "r"(x[28]), "r"(x[29]), "r"(x[30]), "r"(x[31]), "r"(address)
                 : "memory");
}

// This thread's loads and stores, respectively, are done when these return.
__device__ __forceinline__ void loads_wait() { asm volatile("tcgen05.wait::ld.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void stores_wait() { asm volatile("tcgen05.wait::st.sync.aligned;" ::: "memory"); }

}  // namespace blackwell
