// Norm and rotation of heads, a few lanes each: what attention_prepare and the decoding step do to new queries and keys.
#pragma once

#include <cuda_bf16.h>

#include "attention_paged.cuh"

namespace attention_paged {
namespace {

// Eight components of a head: of the lanes that share a head, lane l has those from 8 l on. A width of at most 256 is at most
// 32 lanes; a narrower head takes fewer, a power of two, and a warp has several heads.
struct Components {
    float at[8];

    __device__ __forceinline__ void read(const __nv_bfloat16* from) {
        const uint4 bits = *reinterpret_cast<const uint4*>(from);
        const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
        for (int i = 0; i < 4; i++) {
            at[2 * i] = __uint_as_float(words[i] << 16);
            at[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
        }
    }

    __device__ __forceinline__ void write(__nv_bfloat16* to) const {
        uint4 bits;
        uint32_t* const words = &bits.x;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const __nv_bfloat162 both = __floats2bfloat162_rn(at[2 * i], at[2 * i + 1]);
            words[i] = reinterpret_cast<const uint32_t&>(both);
        }
        *reinterpret_cast<uint4*>(to) = bits;
    }
};

// Component i of the head pairs with i + rotary_width / 2. Where that half is a multiple of 8, a lane's pairs are all in
// one other lane; else (rotary widths 8, 24, ...) each is fetched by itself. All lanes of a warp call this together; `span`
// lanes share a head. `inverse_width` is 1 / width, rounded to nearest.
__device__ __forceinline__ void normalize_and_rotate(
    Components& x, const Prepare& a, const float* gain, bool rotates, int lane, int span, bool there, int rotary_position,
    float inverse_width) {
    const int half = a.rotary_width / 2;
    const int lanes = half / 8;
    const bool turned = a.cosine != nullptr && rotates && 8 * lane < a.rotary_width;
    const int64_t row = static_cast<int64_t>(rotary_position) * half;
    float other[8];
    float cosine[8] = {};
    float sine[8] = {};
    if (half % 8 == 0 && turned) {  // on their way together with x
        const int64_t angle = row + 8 * (lane < lanes ? lane : lane - lanes);
#pragma unroll
        for (int i = 0; i < 8; i += 4) {
            *reinterpret_cast<float4*>(cosine + i) = *reinterpret_cast<const float4*>(a.cosine + angle + i);
            *reinterpret_cast<float4*>(sine + i) = *reinterpret_cast<const float4*>(a.sine + angle + i);
        }
    }
    if (a.query_gain != nullptr || a.key_gain != nullptr) {
        float sum = 0.0f;
#pragma unroll
        for (int i = 0; i < 8; i++) sum = __fmaf_rn(x.at[i], x.at[i], sum);
        for (int step = span / 2; step > 0; step /= 2) sum = __fadd_rn(sum, __shfl_xor_sync(~0u, sum, step));
        const float factor = rsqrtf(__fmaf_rn(sum, inverse_width, a.epsilon));
        if (there && gain != nullptr) {
#pragma unroll
            for (int i = 0; i < 8; i++) x.at[i] = __fmul_rn(__fmul_rn(x.at[i], factor), gain[8 * lane + i]);
        }
    }
    if (a.cosine == nullptr) return;
    if (half % 8 == 0) {
        const int source = lane < lanes ? lane + lanes : lane - lanes;
#pragma unroll
        for (int i = 0; i < 8; i++) other[i] = __shfl_sync(~0u, x.at[i], source, span);
    } else {  // half = 4 more than a multiple of 8: lanes l and l + half / 8 or the next one
#pragma unroll
        for (int i = 0; i < 8; i++) {
            const int component = 8 * lane + i;
            const int source = component < half ? (i < 4 ? lane + lanes : lane + lanes + 1)
                                                : (i < 4 ? lane - lanes - 1 : lane - lanes);
            // The partner is component + half or - half: 4 further in its lane.
            other[i] = __shfl_sync(~0u, x.at[(i + 4) % 8], source, span);
            if (turned) {
                cosine[i] = a.cosine[row + (component < half ? component : component - half)];
                sine[i] = a.sine[row + (component < half ? component : component - half)];
            }
        }
    }
    if (turned) {
#pragma unroll
        for (int i = 0; i < 8; i++) {
            // x cos - y sin for the first of a pair, y cos + x sin for the second.
            const float crossed = __fmul_rn(other[i], sine[i]);
            x.at[i] = __fmaf_rn(x.at[i], cosine[i], 8 * lane + i < half ? -crossed : crossed);
        }
    }
}

}  // namespace
}  // namespace attention_paged
