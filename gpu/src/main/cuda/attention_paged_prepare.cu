// Before a layer's attention: norm and rotation of the new rows' queries and keys, their keys and values into the cache; and
// the copying of pages. See attention_paged.cuh.
#include <cuda_bf16.h>

#include "attention_paged.cuh"

namespace attention_paged {
namespace {

constexpr int kWarps = 8;

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
// lanes share a head.
__device__ __forceinline__ void normalize_and_rotate(
    Components& x, const Prepare& a, const float* gain, bool rotates, int lane, int span, bool there, int rotary_position) {
    if (a.query_gain != nullptr || a.key_gain != nullptr) {
        float sum = 0.0f;
#pragma unroll
        for (int i = 0; i < 8; i++) sum = __fmaf_rn(x.at[i], x.at[i], sum);
        for (int step = span / 2; step > 0; step /= 2) sum = __fadd_rn(sum, __shfl_xor_sync(~0u, sum, step));
        const float factor = rsqrtf(__fmaf_rn(sum, __frcp_rn(static_cast<float>(a.width)), a.epsilon));
        if (there && gain != nullptr) {
#pragma unroll
            for (int i = 0; i < 8; i++) x.at[i] = __fmul_rn(__fmul_rn(x.at[i], factor), gain[8 * lane + i]);
        }
    }
    if (a.cosine == nullptr) return;
    const int half = a.rotary_width / 2;
    const int lanes = half / 8;
    const bool turned = rotates && 8 * lane < a.rotary_width;
    const int64_t row = static_cast<int64_t>(rotary_position) * half;
    float other[8], cosine[8], sine[8];
    if (half % 8 == 0) {
        const int source = lane < lanes ? lane + lanes : lane - lanes;
#pragma unroll
        for (int i = 0; i < 8; i++) other[i] = __shfl_sync(~0u, x.at[i], source, span);
        if (turned) {
            const int64_t angle = row + 8 * (lane < lanes ? lane : lane - lanes);
#pragma unroll
            for (int i = 0; i < 8; i += 4) {
                *reinterpret_cast<float4*>(cosine + i) = *reinterpret_cast<const float4*>(a.cosine + angle + i);
                *reinterpret_cast<float4*>(sine + i) = *reinterpret_cast<const float4*>(a.sine + angle + i);
            }
        }
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

using namespace attention_paged;

// A part of a warp for each head of queries, of keys and of values of a row: the least power of two of lanes that holds it.
extern "C" __global__ void __launch_bounds__(32 * kWarps, 4) attention_prepare(const __grid_constant__ Prepare a) {
    const int span = a.width <= 8 ? 1 : 1 << (32 - __clz((a.width - 1) / 8));
    const int lane = threadIdx.x & (span - 1);
    const bool reads = 8 * lane < a.width;
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
    asm volatile("griddepcontrol.wait;" ::: "memory");
    const int heads = a.query_heads + 2 * a.key_heads;
    const int works = *a.rows * heads;
    const int together = blockDim.x / span;
    // whole warps go round together, since they exchange components
    const int rounds = (works + gridDim.x * together - 1) / (gridDim.x * together);
    for (int round = 0; round < rounds; round++) {
        const int w = (round * gridDim.x + blockIdx.x) * together + threadIdx.x / span;
        const bool there = reads && w < works;
        const int row = w < works ? w / heads : 0;
        const int head = w < works ? w % heads : 0;
        const bool is_query = head < a.query_heads;
        const bool is_value = head >= a.query_heads + a.key_heads;
        const int key_head = is_query ? 0 : (head - a.query_heads) % a.key_heads;
        const int position = a.positions[row];
        const __nv_bfloat16* from;
        if (is_query) {
            from = static_cast<const __nv_bfloat16*>(a.query) + static_cast<int64_t>(row) * a.query_stride + head * a.width;
        } else if (is_value) {
            from = static_cast<const __nv_bfloat16*>(a.value) + static_cast<int64_t>(row) * a.value_stride + key_head * a.width;
        } else {
            from = static_cast<const __nv_bfloat16*>(a.key) + static_cast<int64_t>(row) * a.key_stride + key_head * a.width;
        }
        Components x = {};
        if (there) x.read(from + 8 * lane);
        const int rotary = a.rotary_positions != nullptr ? a.rotary_positions[row] : position;
        normalize_and_rotate(
            x, a, is_query ? a.query_gain : is_value ? nullptr : a.key_gain, !is_value, lane, span, there, rotary);
        if (!there) continue;
        if (is_query) {
            x.write(const_cast<__nv_bfloat16*>(from) + 8 * lane);
        } else {
            x.write(
                static_cast<__nv_bfloat16*>(a.cache) +
                (((static_cast<int64_t>(a.pages[row]) * a.layers + a.layer) * 2 + is_value) * a.key_heads + key_head) *
                    a.page_tokens * a.width +
                (position & (a.page_tokens - 1)) * a.width + 8 * lane);
        }
    }
}

extern "C" __global__ void __launch_bounds__(32 * kWarps) attention_copy_page(const __grid_constant__ CopyPage a) {
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
    asm volatile("griddepcontrol.wait;" ::: "memory");
    // Pieces of 16 bytes; a head's tokens are contiguous.
    const int pieces = a.tokens * a.width / 8;
    const int64_t head_pieces = static_cast<int64_t>(a.page_tokens) * a.width / 8;
    const int64_t heads = static_cast<int64_t>(a.layers) * 2 * a.key_heads;
    uint4* const cache = static_cast<uint4*>(a.cache);
    for (int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; i < heads * pieces;
         i += static_cast<int64_t>(gridDim.x) * blockDim.x) {
        const int64_t head = i / pieces;
        const int64_t piece = i % pieces;
        cache[(a.destination * heads + head) * head_pieces + piece] =
            cache[(a.source * heads + head) * head_pieces + piece];
    }
}
