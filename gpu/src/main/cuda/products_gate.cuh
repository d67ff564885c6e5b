// What products of all weights do with their sums: rounding in pairs, and the gate.
#pragma once

#include <cuda_bf16.h>
#include <cstdint>

namespace products {

__device__ __forceinline__ uint32_t pack(float low, float high) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return reinterpret_cast<const uint32_t&>(pair);
}

// silu(gate) * up, silu(x) = x / (1 + exp(-x)); written out so that no kernel contracts it otherwise.
__device__ __forceinline__ float gate(float gate, float up) {
    float power;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(__fmul_rn(gate, -1.44269504088896341f)));
    float inverse;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(__fadd_rn(1.0f, power)));
    return __fmul_rn(__fmul_rn(gate, inverse), up);
}

}  // namespace products
