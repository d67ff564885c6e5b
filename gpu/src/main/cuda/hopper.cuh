// The few Hopper instructions the kernels stand on, one function each: barriers in shared memory, the bulk tensor copy
// engine, warpgroup matrix products, register hand-over. sm_90a only. The matrix products themselves are in wgmma.cuh.
#pragma once

#include <cstdint>

namespace hopper {

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// ---- mbarrier: counts arrivals and bytes, flips a phase when both are complete ----

__device__ __forceinline__ void barrier_init(uint32_t barrier, uint32_t arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

__device__ __forceinline__ void barrier_init_fence() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ __forceinline__ void barrier_arrive(uint32_t barrier) {
    asm volatile("mbarrier.arrive.release.cta.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

// Arrives once and announces that the copy engine will deliver this many bytes in the current phase.
__device__ __forceinline__ void barrier_arrive_expecting(uint32_t barrier, uint32_t bytes) {
    asm volatile("mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
                 : "memory");
}

__device__ __forceinline__ bool barrier_try_wait(uint32_t barrier, uint32_t parity) {
    uint32_t complete;
    asm volatile(
        "{ .reg .pred done;\n"
        "  mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 done, [%1], %2;\n"
        "  selp.u32 %0, 1, 0, done; }"
        : "=r"(complete)
        : "r"(barrier), "r"(parity)
        : "memory");
    return complete != 0;
}

// Asks without waiting.
__device__ __forceinline__ bool barrier_test(uint32_t barrier, uint32_t parity) {
    uint32_t complete;
    asm volatile(
        "{ .reg .pred done;\n"
        "  mbarrier.test_wait.parity.acquire.cta.shared::cta.b64 done, [%1], %2;\n"
        "  selp.u32 %0, 1, 0, done; }"
        : "=r"(complete)
        : "r"(barrier), "r"(parity)
        : "memory");
    return complete != 0;
}

__device__ __forceinline__ void barrier_wait(uint32_t barrier, uint32_t parity) {
#ifdef HOPPER_WATCHDOG
    // Development builds: a wait that never ends stops the kernel.
    for (long spins = 0; !barrier_try_wait(barrier, parity); spins++) {
        if (spins > 20000000) __trap();
    }
#else
    while (!barrier_try_wait(barrier, parity)) {
    }
#endif
}

// ---- named barriers: the ping-pong between consumer warpgroups ----

__device__ __forceinline__ void named_barrier_sync(uint32_t name, uint32_t threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(name), "r"(threads) : "memory");
}

__device__ __forceinline__ void named_barrier_arrive(uint32_t name, uint32_t threads) {
    asm volatile("bar.arrive %0, %1;" ::"r"(name), "r"(threads) : "memory");
}

// ---- the bulk tensor copy engine ----

// Makes a descriptor that another kernel or thread wrote into global memory visible to the copy engine.
__device__ __forceinline__ void descriptor_acquire(const void* descriptor) {
    asm volatile("fence.proxy.tensormap::generic.acquire.gpu [%0], 128;" ::"l"(descriptor) : "memory");
}

// L2 policies, as createpolicy.fractional makes them for all of an access.
constexpr uint64_t kEvictFirst = 0x12F0000000000000;
constexpr uint64_t kEvictLast = 0x14F0000000000000;

__device__ __forceinline__ void copy_tile_3d(
    uint32_t destination, const void* descriptor, uint32_t barrier, int x, int y, int z, uint64_t policy) {
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint "
        "[%0], [%1, {%3, %4, %5}], [%2], %6;" ::"r"(destination),
        "l"(descriptor), "r"(barrier), "r"(x), "r"(y), "r"(z), "l"(policy)
        : "memory");
}

// ---- warpgroup matrix products ----

// Shared-memory operand with rows of 128 bytes in the 128-byte swizzle; groups of 8 rows are 1024 bytes apart.
// `panel_bytes` is the distance between 64-column panels; the engine reads it for transposed operands only.
struct Operand {
    uint32_t low;

    __device__ __forceinline__ Operand(uint32_t address, uint32_t panel_bytes)
        : low((address >> 4) | (panel_bytes >> 4) << 16) {}

    // The operand this many bytes further on.
    __device__ __forceinline__ uint64_t at(uint32_t bytes) const {
        return static_cast<uint64_t>(low + (bytes >> 4)) | static_cast<uint64_t>(1024 >> 4 | 1u << 30) << 32;
    }
};

__device__ __forceinline__ void products_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

__device__ __forceinline__ void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

template <int kPending>
__device__ __forceinline__ void products_wait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

// Keeps the compiler from moving reads and writes of registers across an asynchronous product's start or end.
template <int kCount>
__device__ __forceinline__ void pin(float (&registers)[kCount]) {
#pragma unroll
    for (int i = 0; i < kCount; i++) asm volatile("" : "+f"(registers[i])::"memory");
}

template <int kCount>
__device__ __forceinline__ void pin(uint32_t (&registers)[kCount]) {
#pragma unroll
    for (int i = 0; i < kCount; i++) asm volatile("" : "+r"(registers[i])::"memory");
}

// ---- registers ----

template <int kRegisters>
__device__ __forceinline__ void registers_take() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

template <int kRegisters>
__device__ __forceinline__ void registers_give() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

}  // namespace hopper
