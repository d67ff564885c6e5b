// What an encoder does to one row at a time that a decoder does not: norms with means, activations without gates. Every
// kernel takes one struct by value; the number of live rows is read from device memory.
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
    __syncthreads();  // nobody reads the sum before this one any more
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
    __syncthreads();
    float total = warps[0];
#pragma unroll
    for (int warp = 1; warp < kWarps; warp++) total = __fadd_rn(total, warps[warp]);
    return total;
}

}  // namespace

// out[row] = bf16((in[row] - mean) / sqrt(variance + epsilon) * gain + bias). Grid: rows. Sums: thread t takes columns t,
// t + 256, ..., in ascending order; then block_sum.
struct Normalize {
    const float* in;     // [rows, columns]
    const float* gain;   // [columns]
    const float* bias;   // [columns]
    const int* rows;
    __nv_bfloat16* out;  // [rows, out_stride]
    int columns;
    int out_stride;
    float epsilon;
    int unused;
};

extern "C" __global__ void __launch_bounds__(kThreads) encoder_normalize(const __grid_constant__ Normalize p) {
    overlap::next_may_start();
    overlap::wait_for_previous();
    const int row = blockIdx.x;
    if (row >= *p.rows) return;
    const float* in = p.in + static_cast<int64_t>(row) * p.columns;
    __nv_bfloat16* out = p.out + static_cast<int64_t>(row) * p.out_stride;
    float sum = 0;
    for (int column = threadIdx.x; column < p.columns; column += kThreads) sum = __fadd_rn(sum, in[column]);
    const float mean = __fdiv_rn(block_sum(sum), p.columns);
    float squares = 0;
    for (int column = threadIdx.x; column < p.columns; column += kThreads) {
        const float centered = __fsub_rn(in[column], mean);
        squares = __fmaf_rn(centered, centered, squares);
    }
    const float factor = __frsqrt_rn(__fadd_rn(__fdiv_rn(block_sum(squares), p.columns), p.epsilon));
    for (int column = threadIdx.x; column < p.columns; column += kThreads) {
        const float scaled = __fmul_rn(__fsub_rn(in[column], mean), factor);
        out[column] = __float2bfloat16_rn(__fmaf_rn(scaled, p.gain[column], p.bias[column]));
    }
}

// values[row] = activation(values[row]), in place. Grid: rows.
struct Activate {
    __nv_bfloat16* values;  // [rows, stride]
    const int* rows;
    int columns;
    int stride;
};

template <typename Function>
__device__ __forceinline__ void activate(const Activate& p, Function function) {
    overlap::next_may_start();
    overlap::wait_for_previous();
    const int row = blockIdx.x;
    if (row >= *p.rows) return;
    __nv_bfloat16* values = p.values + static_cast<int64_t>(row) * p.stride;
    for (int column = threadIdx.x; column < p.columns; column += kThreads)
        values[column] = __float2bfloat16_rn(function(__bfloat162float(values[column])));
}

// x Phi(x)
extern "C" __global__ void __launch_bounds__(kThreads) encoder_gelu(const __grid_constant__ Activate p) {
    activate(p, [](float x) {
        return __fmul_rn(__fmul_rn(0.5f, x), __fadd_rn(1.0f, erff(__fmul_rn(x, 0.70710678f))));
    });
}

// 0.5 x (1 + tanh(z)) = x / (1 + exp(-2 z)), z = sqrt(2 / pi) (x + 0.044715 x^3)
extern "C" __global__ void __launch_bounds__(kThreads) encoder_gelu_tanh(const __grid_constant__ Activate p) {
    activate(p, [](float x) {
        const float inner = __fmul_rn(1.59576912f, __fmaf_rn(__fmul_rn(__fmul_rn(0.044715f, x), x), x, x));
        return __fdividef(x, __fadd_rn(1.0f, __expf(-inner)));
    });
}
