// What an encoder does to one row at a time that a decoder does not: cutting images into patches, norms with means. Every
// kernel takes one struct by value; the number of live rows is read from device memory.
#include <cuda_bf16.h>
#include <cstdint>

#include "overlap.cuh"

namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kHeld = 16;  // groups of four columns that a lane keeps in registers: rows of up to 2048

// The sum over a warp of one number per lane: a butterfly, so that all lanes have the same.
__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) value = __fadd_rn(value, __shfl_xor_sync(~0u, value, distance));
    return value;
}

__device__ __forceinline__ uint32_t bf16_pair(float low, float high) {
    __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<uint32_t*>(&pair);
}

}  // namespace

// out[row] = bf16((in[row] - mean) / sqrt(variance + epsilon) * gain + bias). Grid: rows / 8, rounded up; a warp has a row.
// Sums: lane l takes the groups of four columns l, l + 32, ..., in ascending order; then warp_sum.
struct Normalize {
    const float* in;     // [rows, columns], columns a multiple of 4
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
    const int row = blockIdx.x * kWarps + threadIdx.x / 32;
    if (row >= *p.rows) return;
    const int lane = threadIdx.x % 32;
    const int groups = p.columns / 4;
    const float4* const in = reinterpret_cast<const float4*>(p.in + static_cast<int64_t>(row) * p.columns);
    float4 held[kHeld];
#pragma unroll
    for (int i = 0; i < kHeld; i++) {
        const int group = lane + 32 * i;
        held[i] = group < groups ? in[group] : make_float4(0, 0, 0, 0);
    }
    float sum = 0;
    const auto add = [&](const float4& four) {
        sum = __fadd_rn(__fadd_rn(__fadd_rn(__fadd_rn(sum, four.x), four.y), four.z), four.w);
    };
#pragma unroll
    for (int i = 0; i < kHeld; i++) {
        if (lane + 32 * i < groups) add(held[i]);
    }
    for (int group = lane + 32 * kHeld; group < groups; group += 32) add(in[group]);
    const float mean = __fdiv_rn(warp_sum(sum), p.columns);
    float squares = 0;
    const auto center = [&](float4& four) {
        four.x = __fsub_rn(four.x, mean);
        four.y = __fsub_rn(four.y, mean);
        four.z = __fsub_rn(four.z, mean);
        four.w = __fsub_rn(four.w, mean);
    };
    const auto square = [&](const float4& four) {
        squares = __fmaf_rn(four.x, four.x, squares);
        squares = __fmaf_rn(four.y, four.y, squares);
        squares = __fmaf_rn(four.z, four.z, squares);
        squares = __fmaf_rn(four.w, four.w, squares);
    };
#pragma unroll
    for (int i = 0; i < kHeld; i++) {
        center(held[i]);
        if (lane + 32 * i < groups) square(held[i]);
    }
    for (int group = lane + 32 * kHeld; group < groups; group += 32) {
        float4 four = in[group];
        center(four);
        square(four);
    }
    const float factor = __frsqrt_rn(__fadd_rn(__fdiv_rn(warp_sum(squares), p.columns), p.epsilon));
    uint2* const out = reinterpret_cast<uint2*>(p.out + static_cast<int64_t>(row) * p.out_stride);
    const auto write = [&](int group, const float4& four) {
        const float4 gain = __ldg(reinterpret_cast<const float4*>(p.gain) + group);
        const float4 bias = __ldg(reinterpret_cast<const float4*>(p.bias) + group);
        out[group] = make_uint2(bf16_pair(__fmaf_rn(__fmul_rn(four.x, factor), gain.x, bias.x),
                                          __fmaf_rn(__fmul_rn(four.y, factor), gain.y, bias.y)),
                                bf16_pair(__fmaf_rn(__fmul_rn(four.z, factor), gain.z, bias.z),
                                          __fmaf_rn(__fmul_rn(four.w, factor), gain.w, bias.w)));
    };
#pragma unroll
    for (int i = 0; i < kHeld; i++) {
        if (lane + 32 * i < groups) write(lane + 32 * i, held[i]);
    }
    for (int group = lane + 32 * kHeld; group < groups; group += 32) {
        float4 four = in[group];
        center(four);
        write(group, four);
    }
}

// Images into rows of patches: row i * sequence + prefix + j is patch j of image i, patches row by row from the top left;
// what is not of a patch becomes zero. Grid: rows.
struct Cut {
    const uint8_t* samples;      // [images, height, width, 3]
    const __nv_bfloat16* table;  // [3, 256] what a sample of a channel becomes
    const int* rows;             // images * sequence
    __nv_bfloat16* out;          // [rows, stride]
    int width;
    int height;
    int side;                    // of a patch, in pixels
    int prefix;                  // rows of an image before its patches
    int sequence;                // rows of an image
    int stride;                  // even
    int channels_last;           // a patch is [side, side, 3]; else [3, side, side]
    int unused;
};

extern "C" __global__ void __launch_bounds__(kThreads) encoder_cut(const __grid_constant__ Cut p) {
    overlap::next_may_start();
    overlap::wait_for_previous();
    const int row = blockIdx.x;
    if (row >= *p.rows) return;
    const int image = row / p.sequence;
    const int patch = row - image * p.sequence - p.prefix;
    const int across = p.width / p.side;
    const int numbers = patch < 0 ? 0 : 3 * p.side * p.side;
    const int top = patch / across * p.side;
    const int left = patch % across * p.side;
    const uint8_t* const samples = p.samples + 3 * ((static_cast<int64_t>(image) * p.height + top) * p.width + left);
    __nv_bfloat16* const out = p.out + static_cast<int64_t>(row) * p.stride;
    const auto number = [&](int column) {
        if (column >= numbers) return __float2bfloat16_rn(0.0f);
        int channel;
        int pixel;
        if (p.channels_last) {
            pixel = column / 3;
            channel = column - 3 * pixel;
        } else {
            channel = column / (p.side * p.side);
            pixel = column - channel * p.side * p.side;
        }
        const int y = pixel / p.side;
        const int x = pixel - y * p.side;
        return __ldg(p.table + 256 * channel + __ldg(samples + 3 * (y * p.width + x) + channel));
    };
    for (int column = 2 * threadIdx.x; column < p.stride; column += 2 * kThreads) {
        __nv_bfloat162 pair;
        pair.x = number(column);
        pair.y = number(column + 1);
        *reinterpret_cast<__nv_bfloat162*>(out + column) = pair;
    }
}
