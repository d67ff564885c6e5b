// What epilogues of wide products share: the bias, and writing rows as bf16.
#pragma once

#include "products_pipeline.cuh"

namespace products {

// Adds the outputs' bias to accumulators.
template <int kCount>
__device__ __forceinline__ void add_bias(float (&sums)[kCount], const float* bias, int output, int n) {
    const int first = output + threadIdx.x % 4 * 2;
#pragma unroll
    for (int i = 0; i < kCount / 4; i++) {
        const int column = first + 8 * i;
        const float low = column < n ? __ldg(bias + column) : 0;
        const float high = column + 1 < n ? __ldg(bias + column + 1) : 0;
        sums[4 * i] = __fadd_rn(sums[4 * i], low);
        sums[4 * i + 1] = __fadd_rn(sums[4 * i + 1], high);
        sums[4 * i + 2] = __fadd_rn(sums[4 * i + 2], low);
        sums[4 * i + 3] = __fadd_rn(sums[4 * i + 3], high);
    }
}

// Writes a row's pairs of bf16 columns: this lane has columns first + 8 i + 2 (lane % 4) and the next in words[i].
// The whole warp takes part.
template <int kWords>
__device__ __forceinline__ void write(
    uint32_t (&words)[kWords], __nv_bfloat16* out, bool live, int first, int columns) {
    const int t = threadIdx.x % 4;
    if constexpr (kWords % 4 == 0) {
#pragma unroll
        for (int i = 0; i < kWords; i += 4) {
            uint32_t group[4] = {words[i], words[i + 1], words[i + 2], words[i + 3]};
            transpose(group);
            const int column = first + 8 * (i + t);
            if (live && column + 8 <= columns) {
                *reinterpret_cast<uint4*>(out + column) = make_uint4(group[0], group[1], group[2], group[3]);
            } else if (live) {
#pragma unroll
                for (int pair = 0; pair < 4; pair++) {
                    const __nv_bfloat162 two = reinterpret_cast<const __nv_bfloat162&>(group[pair]);
                    if (column + 2 * pair < columns) out[column + 2 * pair] = two.x;
                    if (column + 2 * pair + 1 < columns) out[column + 2 * pair + 1] = two.y;
                }
            }
        }
    } else {
#pragma unroll
        for (int i = 0; i < kWords; i++) {
            const int column = first + 8 * i + 2 * t;
            const __nv_bfloat162 two = reinterpret_cast<const __nv_bfloat162&>(words[i]);
            if (live && column + 1 < columns) {
                *reinterpret_cast<__nv_bfloat162*>(out + column) = two;
            } else if (live && column < columns) {
                out[column] = two.x;
            }
        }
    }
}

// No row of this warp is live.
__device__ __forceinline__ bool idle(const Place& place) {
    return place.row - static_cast<int>(threadIdx.x % 32 / 4) >= place.row_limit;
}

}  // namespace products
