// What is done to one row at a time: embedding, norms, gates, gathering. Every kernel takes one struct by value; the number
// of live rows is read from device memory, so that a recorded launch serves any number up to its grid.
#include <cuda_bf16.h>
#include <cstdint>

#include "overlap.cuh"

namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;

// The sum over a block of one number per thread: a butterfly in each warp, then the warps in ascending order.
__device__ __forceinline__ float block_sum(float value) {
    __shared__ float warps[kWarps];
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) value = __fadd_rn(value, __shfl_xor_sync(~0u, value, distance));
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
    __syncthreads();
    float total = warps[0];
#pragma unroll
    for (int warp = 1; warp < kWarps; warp++) total = __fadd_rn(total, warps[warp]);
    return total;
}

__device__ __forceinline__ float bf16_low(uint32_t pair) { return __uint_as_float(pair << 16); }
__device__ __forceinline__ float bf16_high(uint32_t pair) { return __uint_as_float(pair & 0xffff0000u); }

__device__ __forceinline__ uint32_t bf16_pair(float low, float high) {
    __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<uint32_t*>(&pair);
}

}  // namespace

// out[row] = table[tokens[row]], fp32 from the tiled bf16 layout of weight matrices. A negative token -1 - i is the one that
// was chosen at entry i. Grid: rows.
struct Embed {
    const uint4* table;  // [vocabulary, columns] tiled, 64 x 64, swizzled
    const int* tokens;   // [rows]
    const int* rows;
    float* out;          // [rows, columns]
    const int* chosen;   // by entry
    int columns;
    int tiles;           // tiles in a row of tiles: columns / 64, rounded up
};

extern "C" __global__ void __launch_bounds__(kThreads) rows_embed(const __grid_constant__ Embed p) {
    overlap::next_may_start();
    overlap::wait_for_previous();
    int row = blockIdx.x;
    if (row >= *p.rows) return;
    int token = p.tokens[row];
    if (token < 0) token = p.chosen[-1 - token];
    const uint4* tile_row = p.table + (static_cast<int64_t>(token / 64) * p.tiles) * 512 + token % 64 * 8;
    float* out = p.out + static_cast<int64_t>(row) * p.columns;
    for (int chunk = threadIdx.x; chunk * 8 < p.columns; chunk += kThreads) {
        uint4 eight = tile_row[chunk / 8 * 512 + (chunk % 8 ^ token % 8)];
        uint32_t pairs[4] = {eight.x, eight.y, eight.z, eight.w};
        if (p.columns % 4 == 0 && chunk * 8 + 8 <= p.columns) {
            float4* four = reinterpret_cast<float4*>(out + chunk * 8);
            four[0] = make_float4(bf16_low(pairs[0]), bf16_high(pairs[0]), bf16_low(pairs[1]), bf16_high(pairs[1]));
            four[1] = make_float4(bf16_low(pairs[2]), bf16_high(pairs[2]), bf16_low(pairs[3]), bf16_high(pairs[3]));
            continue;
        }
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int column = chunk * 8 + 2 * i;
            if (column < p.columns) out[column] = bf16_low(pairs[i]);
            if (column + 1 < p.columns) out[column + 1] = bf16_high(pairs[i]);
        }
    }
}

// out[row] = bf16(in[row] / sqrt(mean(in[row]^2) + epsilon) * gain). Grid: rows. The sum of squares: thread t takes the
// groups of four columns t, t + 256, ..., in ascending order; then block_sum.
struct Normalize {
    const float* in;     // [rows, columns]
    const float* gain;   // [columns]
    const int* rows;
    __nv_bfloat16* out;  // [rows, out_stride]
    int columns;
    int out_stride;
    float epsilon;
    int unused;
};

extern "C" __global__ void __launch_bounds__(kThreads) rows_normalize(const __grid_constant__ Normalize p) {
    overlap::next_may_start();
    int row = blockIdx.x;
    overlap::wait_for_previous();
    if (row >= *p.rows) return;
    const float* in = p.in + static_cast<int64_t>(row) * p.columns;
    __nv_bfloat16* out = p.out + static_cast<int64_t>(row) * p.out_stride;
    float sum = 0;
    if (p.columns % 4 == 0) {
        for (int group = threadIdx.x; group * 4 < p.columns; group += kThreads) {
            float4 x = reinterpret_cast<const float4*>(in)[group];
            sum = __fmaf_rn(x.x, x.x, sum);
            sum = __fmaf_rn(x.y, x.y, sum);
            sum = __fmaf_rn(x.z, x.z, sum);
            sum = __fmaf_rn(x.w, x.w, sum);
        }
        float factor = __frsqrt_rn(__fadd_rn(__fdiv_rn(block_sum(sum), p.columns), p.epsilon));
        for (int group = threadIdx.x; group * 4 < p.columns; group += kThreads) {
            float4 x = reinterpret_cast<const float4*>(in)[group];
            float4 g = reinterpret_cast<const float4*>(p.gain)[group];
            uint2 packed;
            packed.x = bf16_pair(__fmul_rn(__fmul_rn(x.x, factor), g.x), __fmul_rn(__fmul_rn(x.y, factor), g.y));
            packed.y = bf16_pair(__fmul_rn(__fmul_rn(x.z, factor), g.z), __fmul_rn(__fmul_rn(x.w, factor), g.w));
            reinterpret_cast<uint2*>(out)[group] = packed;
        }
    } else {
        for (int column = threadIdx.x; column < p.columns; column += kThreads) sum = __fmaf_rn(in[column], in[column], sum);
        float factor = __frsqrt_rn(__fadd_rn(__fdiv_rn(block_sum(sum), p.columns), p.epsilon));
        for (int column = threadIdx.x; column < p.columns; column += kThreads)
            out[column] = __float2bfloat16_rn(__fmul_rn(__fmul_rn(in[column], factor), p.gain[column]));
    }
}

// out[i] = in[indices[i]]. Grid: rows of out.
struct Gather {
    const uint4* in;     // bf16 [.., stride]
    const int* indices;  // [rows]
    const int* rows;
    uint4* out;          // bf16 [rows, stride]
    int stride;          // a multiple of 8
    int unused;
};

extern "C" __global__ void __launch_bounds__(kThreads) rows_gather(const __grid_constant__ Gather p) {
    overlap::next_may_start();
    overlap::wait_for_previous();
    int row = blockIdx.x;
    if (row >= *p.rows) return;
    int chunks = p.stride / 8;
    const uint4* from = p.in + static_cast<int64_t>(p.indices[row]) * chunks;
    uint4* to = p.out + static_cast<int64_t>(row) * chunks;
    for (int chunk = threadIdx.x; chunk < chunks; chunk += kThreads) to[chunk] = from[chunk];
}

// out[row] = silu(in[row][0..f)) * in[row][f..2f): the gate that products apply themselves where they can. Grid: rows.
struct Gate {
    const __nv_bfloat16* in;  // [rows, in_stride]
    const int* rows;
    __nv_bfloat16* out;       // [rows, out_stride]
    int columns;              // f
    int in_stride;
    int out_stride;
    int unused;
};

extern "C" __global__ void __launch_bounds__(kThreads) rows_gate(const __grid_constant__ Gate p) {
    overlap::next_may_start();
    overlap::wait_for_previous();
    int row = blockIdx.x;
    if (row >= *p.rows) return;
    const __nv_bfloat16* in = p.in + static_cast<int64_t>(row) * p.in_stride;
    __nv_bfloat16* out = p.out + static_cast<int64_t>(row) * p.out_stride;
    for (int column = threadIdx.x; column < p.columns; column += kThreads) {
        float gate = __bfloat162float(in[column]);
        float up = __bfloat162float(in[p.columns + column]);
        float silu = __fdividef(gate, __fadd_rn(1.0f, __expf(-gate)));
        out[column] = __float2bfloat16_rn(__fmul_rn(silu, up));
    }
}
