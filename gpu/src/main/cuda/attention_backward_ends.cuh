// What runs before and after the products of the backward of attention.
#pragma once

#include "attention_backward.cuh"
#include "attention_elements.cuh"
#include "hopper.cuh"

namespace attention {

__device__ __forceinline__ float2 widen(__nv_bfloat162 pair) { return __bfloat1622float2(pair); }
__device__ __forceinline__ float2 widen(__half2 pair) { return __half22float2(pair); }

// 32 columns of a row, 8 with each thread of a quad: thread t holds columns 2t and 2t + 1 of four groups of 8 and leaves
// with group t whole.
__device__ __forceinline__ uint4 gather_row(const uint32_t (&own)[4], int quad) {
    const bool odd = quad & 1;
    const bool upper = quad & 2;
    const uint32_t x0 = __shfl_xor_sync(0xffffffff, odd ? own[0] : own[1], 1);
    const uint32_t x1 = __shfl_xor_sync(0xffffffff, odd ? own[2] : own[3], 1);
    const uint32_t a0 = odd ? x0 : own[0];
    const uint32_t a1 = odd ? own[1] : x0;
    const uint32_t b0 = odd ? x1 : own[2];
    const uint32_t b1 = odd ? own[3] : x1;
    const uint32_t y0 = __shfl_xor_sync(0xffffffff, upper ? a0 : b0, 2);
    const uint32_t y1 = __shfl_xor_sync(0xffffffff, upper ? a1 : b1, 2);
    return upper ? make_uint4(y0, y1, b0, b1) : make_uint4(a0, a1, y0, y1);
}

// ---- descriptors: four for every sequence, so that the copy engine itself stops at its end ----

struct Source {
    const void* base;
    int64_t batch, token, head;
};

__device__ __forceinline__ void write_descriptor(uint32_t scratch, const Source& source, const void* nowhere, int columns,
                                                 Span tokens, int sequence, int heads, int box_tokens,
                                                 char* destination) {
    if (threadIdx.x % 32 == 0) {
        const uint64_t s = scratch;
        const bool any = tokens.length > 0;
        const void* const base =
            any ? static_cast<const char*>(source.base) + 2 * (sequence * source.batch + tokens.start * source.token)
                : nowhere;
        asm volatile("tensormap.replace.tile.global_address.shared::cta.b1024.b64 [%0], %1;" ::"l"(s), "l"(base));
        asm volatile("tensormap.replace.tile.rank.shared::cta.b1024.b32 [%0], %1;" ::"l"(s), "r"(2));
        asm volatile("tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%0], 0, %1;" ::"l"(s), "r"(64));
        asm volatile("tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%0], 1, %1;" ::"l"(s), "r"(box_tokens));
        asm volatile("tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%0], 2, %1;" ::"l"(s), "r"(1));
        asm volatile("tensormap.replace.tile.global_dim.shared::cta.b1024.b32 [%0], 0, %1;" ::"l"(s), "r"(columns));
        asm volatile("tensormap.replace.tile.global_dim.shared::cta.b1024.b32 [%0], 1, %1;" ::"l"(s),
                     "r"(any ? tokens.length : 1));
        asm volatile("tensormap.replace.tile.global_dim.shared::cta.b1024.b32 [%0], 2, %1;" ::"l"(s), "r"(heads));
        asm volatile("tensormap.replace.tile.global_stride.shared::cta.b1024.b64 [%0], 0, %1;" ::"l"(s),
                     "l"(2 * source.token));
        asm volatile("tensormap.replace.tile.global_stride.shared::cta.b1024.b64 [%0], 1, %1;" ::"l"(s),
                     "l"(2 * source.head));
        asm volatile("tensormap.replace.tile.element_stride.shared::cta.b1024.b32 [%0], 0, %1;" ::"l"(s), "r"(1));
        asm volatile("tensormap.replace.tile.element_stride.shared::cta.b1024.b32 [%0], 1, %1;" ::"l"(s), "r"(1));
        asm volatile("tensormap.replace.tile.element_stride.shared::cta.b1024.b32 [%0], 2, %1;" ::"l"(s), "r"(1));
        asm volatile("tensormap.replace.tile.elemtype.shared::cta.b1024.b32 [%0], 10;" ::"l"(s));  // 2-byte elements
        asm volatile("tensormap.replace.tile.interleave_layout.shared::cta.b1024.b32 [%0], 0;" ::"l"(s));
        asm volatile("tensormap.replace.tile.swizzle_mode.shared::cta.b1024.b32 [%0], 3;" ::"l"(s));  // 128 bytes
        asm volatile("tensormap.replace.tile.fill_mode.shared::cta.b1024.b32 [%0], 0;" ::"l"(s));     // zeros
    }
    __syncwarp();
    asm volatile(
        "tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.gpu.sync.aligned [%0], [%1], 128;" ::"l"(
            destination),
        "l"(static_cast<uint64_t>(scratch))
        : "memory");
}

// ---- before ----

// Block (head, number): the statistics of a tile of queries; blocks (0, tiles + sequence): the descriptors of a sequence,
// a warp for each tensor. 128 threads.
template <typename S>
__device__ __forceinline__ void backward_prepare(const BackwardArguments& a) {
    const int head = blockIdx.x;
    const int number = blockIdx.y;
    if (number >= a.tiles) {
        if (head != 0) return;
        __shared__ alignas(128) uint64_t scratch[4][16];
        const int sequence = number - a.tiles;
        const int warp = threadIdx.x / 32;
        const int lane = threadIdx.x % 32;
        if (lane < 16) scratch[warp][lane] = 0;
        __syncwarp();
        const bool keys = warp >= 2;
        const Source source = warp == 0   ? Source{a.q, a.q_batch, a.q_token, a.q_head}
                              : warp == 1 ? Source{a.d_out, a.d_out_batch, a.d_out_token, a.d_out_head}
                              : warp == 2 ? Source{a.k, a.k_batch, a.k_token, a.k_head}
                                          : Source{a.v, a.v_batch, a.v_token, a.v_head};
        write_descriptor(hopper::shared_address(scratch[warp]), source, a.descriptors, S::kHead,
                         keys ? span(a.starts_k, a.tokens_k, sequence) : span(a.starts_q, a.tokens_q, sequence),
                         sequence, keys ? a.kv_heads : a.heads, keys ? S::kBlockKeys : S::kRows,
                         descriptor(a, sequence, static_cast<Mapped>(warp)));
        if (sequence == 0 && threadIdx.x == 0) {
            uint32_t* const counters = static_cast<uint32_t*>(a.descriptors);
            counters[0] = counters[1] = 0;
        }
        return;
    }
    const int64_t place = static_cast<int64_t>(head) * a.tiles + number;
    if (threadIdx.x == 0) a.turns[place] = 0;
    QueryTile tile;
    if (!find_tile<S::kRows>(a, number, tile)) return;

    using Element = typename S::Element;
    using Pairs = typename Pair<Element>::Type;
    constexpr int kLanes = S::kHead / 8 <= 8 ? 8 : S::kHead / 8 <= 16 ? 16 : 32;  // threads of a row
    constexpr int kAtOnce = 128 / kLanes;
    const int lane = threadIdx.x % kLanes;
    const Element* const out = static_cast<const Element*>(a.out) + tile.sequence * a.out_batch + head * a.out_head +
                               (static_cast<int64_t>(tile.queries.start) + tile.row) * a.out_token + 8 * lane;
    const Element* const gradient = static_cast<const Element*>(a.d_out) + tile.sequence * a.d_out_batch +
                                    head * a.d_out_head +
                                    (static_cast<int64_t>(tile.queries.start) + tile.row) * a.d_out_token + 8 * lane;
    const float* const lse = a.lse + tile.sequence * a.lse_batch + head * a.lse_head + tile.queries.start + tile.row;
    float* const statistics = a.statistics + place * 2 * S::kRows;
#pragma unroll
    for (int top = 0; top < S::kRows; top += 8 * kAtOnce) {
        uint4 x[8];
        uint4 y[8];
#pragma unroll
        for (int i = 0; i < 8; i++) {
            const int row = top + i * kAtOnce + threadIdx.x / kLanes;
            x[i] = y[i] = make_uint4(0, 0, 0, 0);
            if (row < S::kRows && tile.row + row < tile.queries.length && 8 * lane < S::kHead) {
                x[i] = *reinterpret_cast<const uint4*>(out + row * a.out_token);
                y[i] = *reinterpret_cast<const uint4*>(gradient + row * a.d_out_token);
            }
        }
#pragma unroll
        for (int i = 0; i < 8; i++) {
            const int row = top + i * kAtOnce + threadIdx.x / kLanes;
            const Pairs* const xs = reinterpret_cast<const Pairs*>(&x[i]);
            const Pairs* const ys = reinterpret_cast<const Pairs*>(&y[i]);
            float sum = 0;
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const float2 p = widen(xs[j]);
                const float2 r = widen(ys[j]);
                sum = fmaf(p.x, r.x, fmaf(p.y, r.y, sum));
            }
#pragma unroll
            for (int step = kLanes / 2; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffff, sum, step);
            if (lane == 0 && row < S::kRows) {
                const bool inside = tile.row + row < tile.queries.length;
                float logarithm = inside ? lse[row] : -INFINITY;
                if constexpr (S::kSoftcap) logarithm -= a.softcap;  // what `cap` leaves out of every score
                // A row that sees nothing, or is none, gets weights 2^-inf.
                statistics[row] = logarithm == -INFINITY ? -INFINITY : -1.4426950408889634f * logarithm;
                statistics[S::kRows + row] = sum;
            }
        }
    }
    if (a.any_order) {
        float4* const sums = reinterpret_cast<float4*>(a.sums + place * (S::kSumBytes / 4));
        for (int i = threadIdx.x; i < S::kSumBytes / 16; i += 128) sums[i] = make_float4(0, 0, 0, 0);
    }
}

// ---- after ----

// Block (head, number): dQ of a tile of queries. 256 threads, each with the registers of the thread that summed them.
template <typename S>
__device__ __forceinline__ void backward_finish(const BackwardArguments& a) {
    const int head = blockIdx.x;
    QueryTile tile;
    if (!find_tile<S::kRows>(a, blockIdx.y, tile)) return;
    using Element = typename S::Element;
    const int group = threadIdx.x / 128;
    const int thread = threadIdx.x % 128;
    const int quad = thread % 4;
    const bool any = span(a.starts_k, a.tokens_k, tile.sequence).length > 0;
    const float4* const sums = reinterpret_cast<const float4*>(
        a.sums + (static_cast<int64_t>(head) * a.tiles + blockIdx.y) * (S::kSumBytes / 4)) + group * 1024 + thread;
    const int row = tile.row + S::sum_row(group) + thread / 32 * 16 + thread % 32 / 4;
    const int column = S::sum_column(group);
    Element* const dq = static_cast<Element*>(a.dq) + tile.sequence * a.dq_batch + head * a.dq_head +
                        (static_cast<int64_t>(tile.queries.start) + row) * a.dq_token + column + 8 * quad;
    float4 parts[8];
#pragma unroll
    for (int i = 0; i < 8; i++) parts[i] = any ? sums[128 * i] : make_float4(0, 0, 0, 0);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        uint32_t upper[4];
        uint32_t lower[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const float4 part = parts[4 * half + i];
            upper[i] = pack<Element>(part.x * a.scale, part.y * a.scale);
            lower[i] = pack<Element>(part.z * a.scale, part.w * a.scale);
        }
        const uint4 first = gather_row(upper, quad);
        const uint4 second = gather_row(lower, quad);
        if (column + 32 * half < S::kHead) {
            if (row < tile.queries.length) *reinterpret_cast<uint4*>(dq + 32 * half) = first;
            if (row + 8 < tile.queries.length) *reinterpret_cast<uint4*>(dq + 8 * a.dq_token + 32 * half) = second;
        }
    }
}

}  // namespace attention
