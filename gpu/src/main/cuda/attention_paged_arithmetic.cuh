// Instructions and arithmetic that the kernels of attention over a paged cache share. See attention_paged.cuh.
#pragma once

#include <cmath>

#include <cuda_bf16.h>

#include "attention_paged.cuh"

namespace attention_paged {
namespace {

// ---- instructions ----

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// 16 bytes from global to shared memory; zeros where `bytes` is 0.
__device__ __forceinline__ void copy_16(uint32_t destination, const void* source, int bytes) {
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(destination), "l"(source), "r"(bytes)
                 : "memory");
}

__device__ __forceinline__ void copies_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// This thread arrives when its copies so far are complete; it counts among the arrivals the barrier expects.
__device__ __forceinline__ void copies_arrive(uint32_t barrier) {
    asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(barrier) : "memory");
}

template <int kPending>
__device__ __forceinline__ void copies_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], uint32_t address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

__device__ __forceinline__ void load_matrices_transposed(uint32_t (&r)[4], uint32_t address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

__device__ __forceinline__ void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ __forceinline__ float power_of_two(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

__device__ __forceinline__ uint32_t pack(float low, float high) {
    const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
    return reinterpret_cast<const uint32_t&>(both);
}

constexpr float kNothing = -INFINITY;
constexpr float kLog2E = 1.4426950408889634f;
constexpr float kLeastRise = 8.0f;  // of the maximum, in powers of two, for it to move

// ---- merging ----

// How much the two sides of a merge weigh; the maximum of both goes to `most`.
struct Weights {
    float most;
    float whole;
    float part;

    __device__ __forceinline__ Weights(float m, float part_m, float c) {
        most = fmaxf(m, part_m);
        const float from = most == kNothing ? 0.0f : most;
        whole = power_of_two(__fmul_rn(__fsub_rn(m, from), c));
        part = power_of_two(__fmul_rn(__fsub_rn(part_m, from), c));
    }

    __device__ __forceinline__ float merge(float total, float value) const {
        return __fmaf_rn(total, whole, __fmul_rn(value, part));
    }
};

}  // namespace
}  // namespace attention_paged
