// Exponentials and conversions of attention forward.
#pragma once

#include "attention_elements.cuh"

#include <cstdint>

namespace attention {

__device__ __forceinline__ float exp2_unit(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// 2^x for x <= 0 on the multiply-add units (FlashAttention-4's software exponential): the integer part goes into the
// exponent bits, a cubic takes the fraction; relative error below 8.8e-5. Below -127 it gives 0, and so it does for
// NaN. The saturating product does the clamping: y = (x + 127) / 128 in [0, 1].
__device__ __forceinline__ float exp2_polynomial(float x) {
    constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it leaves the integer in the low bits
    float y;
    float rounded;
    asm("fma.rn.ftz.sat.f32 %0, %1, %2, %3;" : "=f"(y) : "f"(x), "f"(1.0f / 128), "f"(127.0f / 128));
    asm("fma.rm.ftz.f32 %0, %1, %2, %3;" : "=f"(rounded) : "f"(y), "f"(128.0f), "f"(kMagic - 127));
    const float fraction = fmaf(y, 128.0f, (kMagic - 127) - rounded);
    float p = fmaf(0.077119089663028717f, fraction, 0.227564394474029541f);
    p = fmaf(p, fraction, 0.695146143436431885f);
    p = fmaf(p, fraction, 1.0f);
    return __int_as_float(__float_as_int(p) + (__float_as_int(rounded) << 23));
}

}  // namespace attention
