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

__device__ __forceinline__ __nv_bfloat16* output_of(const Paged& a, const Merge& m, int head, int packed, int column) {
    const int at = m.first + packed;
    return static_cast<__nv_bfloat16*>(a.out) + static_cast<int64_t>(m.row + at / a.group_heads) * a.out_stride +
        (head * a.group_heads + at % a.group_heads) * a.width + column;
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
constexpr int kSections = 32;  // at once: a lane for each

struct MergeShared {
    float outputs[kSections][256];
    float maxima[kSections];
    float sums[kSections];
};

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
__device__ __forceinline__ void merge_all(const Paged& a, MergeShared& shared) {
    const int lane = threadIdx.x & 31;
    const int warp = threadIdx.x >> 5;
    const float c = __fmul_rn(a.scale, kLog2E);
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
    asm volatile("griddepcontrol.wait;" ::: "memory");
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
        const float inverse = whole.sum > 0.0f ? __frcp_rn(whole.sum) : 0.0f;
#pragma unroll
        for (int i = 0; i < kWidth / 32; i++) {
            const int column = 32 * i + lane;
            if (column < a.width) {
                *output_of(a, m, head, packed, column) = __float2bfloat16_rn(__fmul_rn(whole.at[i], inverse));
            }
        }
    }

    // Many: a block for each row, 32 sections at a time. Its warps merge chunks into sections; then, as maxima merge in
    // any order, the weights of all sections are known at once, and each column goes through the sections by itself.
    for (int w = blockIdx.x; w < plan.long_merges * rows; w += gridDim.x) {
        const Merge m = merges[a.item_capacity - 1 - w / rows];
        const int packed = w % a.slot_rows;
        if (packed >= m.count) continue;
        const int head = w % rows / a.slot_rows;
        const Partials p = partials(m, head, packed);
        float most = kNothing;  // of all sections so far
        float sum = 0.0f;
        float output = 0.0f;
        const int column = threadIdx.x % kWidth;
        const int sections = sections_of(m);
        for (int s0 = 0; s0 < sections; s0 += kSections) {
            const int here = min(kSections, sections - s0);
            __syncthreads();
            if (m.sections) {
#pragma unroll 4
                for (int i = threadIdx.x; i < kSections * kWidth; i += 32 * kMergeWarps) {
                    if (i / kWidth < here) {
                        shared.outputs[i / kWidth][i % kWidth] = p.outputs[(s0 + i / kWidth) * p.stride + i % kWidth];
                    }
                }
                if (threadIdx.x < here) {
                    const float2 ml = p.sum(s0 + threadIdx.x);
                    shared.maxima[threadIdx.x] = ml.x;
                    shared.sums[threadIdx.x] = ml.y;
                }
            } else {
                for (int s = warp; s < here; s += kMergeWarps) {
                    const int2 parts = section_parts(m, s0 + s);
                    Running<kWidth> one;
                    one.clear();
                    merge_parts(one, p, parts.x, parts.y, lane, c);
#pragma unroll
                    for (int i = 0; i < kWidth / 32; i++) shared.outputs[s][32 * i + lane] = one.at[i];
                    if (lane == 0) {
                        shared.maxima[s] = one.most;
                        shared.sums[s] = one.sum;
                    }
                }
            }
            __syncthreads();
            // Every warp computes the weights: lane s has the maximum before and after section s.
            const float own = lane < here ? shared.maxima[lane] : kNothing;
            float highest = own;
#pragma unroll
            for (int step = 1; step < 32; step *= 2) {
                const float other = __shfl_up_sync(~0u, highest, step);
                if (lane >= step) highest = fmaxf(highest, other);
            }
            const float before = __shfl_up_sync(~0u, highest, 1);
            const Weights weights(lane == 0 ? most : fmaxf(most, before), own, c);
            most = __shfl_sync(~0u, weights.most, 31);
#pragma unroll 8
            for (int s = 0; s < here; s++) {
                const float total_weight = __shfl_sync(~0u, weights.whole, s);
                const float part_weight = __shfl_sync(~0u, weights.part, s);
                output = __fmaf_rn(output, total_weight, __fmul_rn(shared.outputs[s][column], part_weight));
                sum = __fmaf_rn(sum, total_weight, __fmul_rn(shared.sums[s], part_weight));
            }
        }
        if (threadIdx.x < kWidth && column < a.width) {
            const float inverse = sum > 0.0f ? __frcp_rn(sum) : 0.0f;
            *output_of(a, m, head, packed, column) = __float2bfloat16_rn(__fmul_rn(output, inverse));
        }
    }
}

}  // namespace
}  // namespace attention_paged
