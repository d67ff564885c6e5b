// The merging of partial results of chunks or sections that several blocks computed. See attention_paged.cuh.
#pragma once

#include "attention_paged_arithmetic.cuh"

namespace attention_paged {
namespace {

// One row of a merge: its partial results stand `stride` floats apart.
struct Partials {
    const float* outputs;
    const float* sums;  // maximum and sum
    int64_t stride;

    __device__ __forceinline__ float2 sum(int i) const {
        return *reinterpret_cast<const float2*>(sums + i * stride);
    }
};

template <int kWidth>
__device__ __forceinline__ void store(
    const Paged& a, const Merge& m, int head, int packed, int lane, const float (&o)[kWidth / 32], float l) {
    const float inverse = l > 0.0f ? __frcp_rn(l) : 0.0f;
    const int at = m.first + packed;
    __nv_bfloat16* const out = static_cast<__nv_bfloat16*>(a.out) +
        static_cast<int64_t>(m.row + at / a.group_heads) * a.out_stride +
        (head * a.group_heads + at % a.group_heads) * a.width;
#pragma unroll
    for (int i = 0; i < kWidth / 32; i++) {
        const int column = 32 * i + lane;
        if (column < a.width) out[column] = __float2bfloat16_rn(__fmul_rn(o[i], inverse));
    }
}

template <int kWidth>
struct Running {
    float most;
    float sum;
    float at[kWidth / 32];

    __device__ __forceinline__ void clear() {
        most = kNothing;
        sum = 0.0f;
#pragma unroll
        for (int i = 0; i < kWidth / 32; i++) at[i] = 0.0f;
    }

    __device__ __forceinline__ void merge(const Running& part, float c) {
        const Weights w(most, part.most, c);
        most = w.most;
        sum = w.merge(sum, part.sum);
#pragma unroll
        for (int i = 0; i < kWidth / 32; i++) at[i] = w.merge(at[i], part.at[i]);
    }
};

constexpr int kSectionChunks = kSectionKeys / kChunkKeys;
constexpr int kMergeWarps = 8;

// Partial results [from, to), all of one section when they are of chunks, merged in order into `into`.
template <int kWidth>
__device__ __forceinline__ void merge_parts(
    Running<kWidth>& into, const Partials& p, int from, int to, int lane, float c) {
#pragma unroll 1
    for (int i0 = from; i0 < to; i0 += kSectionChunks) {
        Running<kWidth> parts[kWidth <= 128 ? kSectionChunks : kSectionChunks / 2];
        constexpr int kAtOnce = sizeof(parts) / sizeof(parts[0]);
#pragma unroll
        for (int half = 0; half < kSectionChunks / kAtOnce; half++) {
            const int base = i0 + half * kAtOnce;
#pragma unroll
            for (int i = 0; i < kAtOnce; i++) {
                if (base + i < to) {
                    const float2 ml = p.sum(base + i);
                    parts[i].most = ml.x;
                    parts[i].sum = ml.y;
#pragma unroll
                    for (int e = 0; e < kWidth / 32; e++) {
                        parts[i].at[e] = p.outputs[(base + i) * p.stride + 32 * e + lane];
                    }
                } else {
                    parts[i].clear();
                }
            }
#pragma unroll
            for (int i = 0; i < kAtOnce; i++) {
                if (base + i < to) into.merge(parts[i], c);
            }
        }
    }
}

// The partial results of section number `index` of the merge.
__device__ __forceinline__ int2 section_parts(const Merge& m, int index) {
    if (m.sections) return make_int2(index, index + 1);
    const int section = m.unit / kSectionChunks + index;
    return make_int2(
        max(section * kSectionChunks - m.unit, 0), min((section + 1) * kSectionChunks - m.unit, m.slots));
}

__device__ __forceinline__ int sections_of(const Merge& m) {
    return m.sections ? m.slots : (m.unit + m.slots - 1) / kSectionChunks - m.unit / kSectionChunks + 1;
}

template <int kWidth>
__device__ __forceinline__ void merge_all(const Paged& a) {
    __shared__ float section[kMergeWarps][kWidth + 2];
    const int lane = threadIdx.x & 31;
    const int warp = threadIdx.x >> 5;
    const float c = __fmul_rn(a.scale, kLog2E);
    asm volatile("griddepcontrol.wait;" ::: "memory");
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
    const PlanHeader& plan = header(a.plan);
    const Merge* const merges = reinterpret_cast<const Merge*>(items(a.plan) + a.item_capacity);
    const auto partials = [&](const Merge& m, int head, int packed) {
        Partials p;
        p.stride = static_cast<int64_t>(a.key_heads) * a.slot_rows * (kWidth + 2);
        const float* const base = a.scratch + m.slot * p.stride + static_cast<int64_t>(head) * a.slot_rows * (kWidth + 2);
        p.outputs = base + packed * kWidth;
        p.sums = base + a.slot_rows * kWidth + packed * 2;
        return p;
    };

    // Few partial results: a warp for each row.
    const int rows = a.key_heads * a.slot_rows;
    for (int w = blockIdx.x * kMergeWarps + warp; w < plan.short_merges * rows; w += gridDim.x * kMergeWarps) {
        const Merge m = merges[w / rows];
        const int packed = w % a.slot_rows;
        if (packed >= m.count) continue;
        const int head = w % rows / a.slot_rows;
        const Partials p = partials(m, head, packed);
        Running<kWidth> whole;
        whole.clear();
        const int sections = sections_of(m);
        for (int s = 0; s < sections; s++) {
            const int2 parts = section_parts(m, s);
            Running<kWidth> one;
            one.clear();
            merge_parts(one, p, parts.x, parts.y, lane, c);
            whole.merge(one, c);
        }
        store<kWidth>(a, m, head, packed, lane, whole.at, whole.sum);
    }

    // Many: a block for each row, a warp for each section, eight sections at a time.
    for (int w = blockIdx.x; w < plan.long_merges * rows; w += gridDim.x) {
        const Merge m = merges[a.item_capacity - 1 - w / rows];
        const int packed = w % a.slot_rows;
        if (packed >= m.count) continue;
        const int head = w % rows / a.slot_rows;
        const Partials p = partials(m, head, packed);
        Running<kWidth> whole;
        whole.clear();
        const int sections = sections_of(m);
        for (int s0 = 0; s0 < sections; s0 += kMergeWarps) {
            Running<kWidth> one;
            one.clear();
            if (s0 + warp < sections) {
                const int2 parts = section_parts(m, s0 + warp);
                merge_parts(one, p, parts.x, parts.y, lane, c);
            }
            __syncthreads();
            if (lane == 0) {
                section[warp][kWidth] = one.most;
                section[warp][kWidth + 1] = one.sum;
            }
#pragma unroll
            for (int i = 0; i < kWidth / 32; i++) section[warp][32 * i + lane] = one.at[i];
            __syncthreads();
            if (warp == 0) {
                for (int s = 0; s < min(kMergeWarps, sections - s0); s++) {
                    one.most = section[s][kWidth];
                    one.sum = section[s][kWidth + 1];
#pragma unroll
                    for (int i = 0; i < kWidth / 32; i++) one.at[i] = section[s][32 * i + lane];
                    whole.merge(one, c);
                }
            }
        }
        if (warp == 0) store<kWidth>(a, m, head, packed, lane, whole.at, whole.sum);
    }
}

}  // namespace
}  // namespace attention_paged
