// Matrix products with e4m3 weights for Hopper (sm_90a): store as bf16, add to the residual, gate; and the kernel that makes
// such weights. products_fp8.cuh says what each takes, products_fp8_pipeline.cuh has the main loop.

#include <cuda_fp16.h>

#include "products_fp8_pipeline.cuh"

namespace products {

__device__ __forceinline__ float number(const Quantize& a, int64_t at) {
    switch (a.type) {
        case 0:
            return __bfloat162float(__ldg(static_cast<const __nv_bfloat16*>(a.source) + at));
        case 1:
            return __half2float(__ldg(static_cast<const __half*>(a.source) + at));
        default:
            return __ldg(static_cast<const float*>(a.source) + at);
    }
}

// The codes of two numbers, the first in the lower byte: rounded to nearest even, no larger than 448.
__device__ __forceinline__ uint32_t codes_of(float first, float second) {
    uint16_t pair;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(second), "f"(first));
    return pair;
}

// A warp takes a row at a time.
extern "C" __global__ void __launch_bounds__(256) products_quantize(const __grid_constant__ Quantize a) {
    dependencies_wait();
    const int lane = threadIdx.x % 32;
    bool bad = false;
    for (int row = blockIdx.x * 8 + threadIdx.x / 32; row < a.rows; row += gridDim.x * 8) {
        float largest = 0;
#pragma unroll 1
        for (int column = lane; column < a.columns; column += 32) {
            const float size = fabsf(number(a, row * a.ld + column));
            bad |= !isfinite(size);
            largest = fmaxf(largest, size);
        }
        for (int other = 16; other > 0; other /= 2) {
            largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFF, largest, other));
        }
        // Rows of zeros, and of numbers so small that their scale would be subnormal.
        const float scale = fmaxf(__fdiv_rn(largest, 448.0f), 1.17549435e-38f);
        const int of_matrix = a.first + row;
        const int target = a.placement == 0 ? of_matrix : of_matrix / 8 * 16 + of_matrix % 8 + (a.placement == 2 ? 8 : 0);
        if (lane == 0) a.scales[target] = scale;
        const auto scaled = [&](int column) {
            return column < a.columns ? __fdiv_rn(number(a, row * a.ld + column), scale) : 0.0f;
        };
        const int pair = lane % 4;
#pragma unroll 1
        for (int step = lane / 4; step < a.k / 16; step += 8) {
            const int column = 16 * step + 2 * pair;
            const uint32_t near = codes_of(scaled(column), scaled(column + 1));
            const uint32_t far = codes_of(scaled(column + 8), scaled(column + 9));
            const uint32_t word = woven(near & 0xFF, far & 0xFF) | woven(near >> 8, far >> 8) << 16;
            *reinterpret_cast<uint32_t*>(static_cast<char*>(a.w) + word_of(target, a.k / 64, step, pair)) = word;
        }
    }
    if (a.flag != nullptr && bad) *a.flag = 1;
}

constexpr int kHalf = 104 << 10;   // ring of a block that leaves room for one of the next kernel's beside it
constexpr int kWhole = 225 << 10;  // ring of a block that has the multiprocessor to itself

template <int kRows, int kOutputs, int kDepth, int kBudget>
using Strips = ShapeFp8<kRows, kOutputs, kDepth, kBudget, true>;
template <int kRows, int kOutputs, int kDepth, int kBudget>
using Wide = ShapeFp8<kRows, kOutputs, kDepth, kBudget, false>;

}  // namespace products

using products::kHalf;
using products::kWhole;

// Kernels by epilogue, R, N, what a unit takes (a tile of 64 columns; besides; in clocks), and their shapes; where the clocks
// are from is in bench/h200/products.md.
#define PRODUCTS_FORMS(KERNEL, name, type, code)                             \
    KERNEL(name, type, code, 8, 16, 172, 1489, Strips<8, 16, 4, kHalf>)      \
    KERNEL(name, type, code, 8, 32, 179, 1777, Strips<8, 32, 4, kHalf>)      \
    KERNEL(name, type, code, 8, 48, 188, 1908, Strips<8, 48, 4, kHalf>)      \
    KERNEL(name, type, code, 8, 64, 194, 2321, Strips<8, 64, 4, kHalf>)      \
    KERNEL(name, type, code, 8, 128, 350, 2694, Strips<8, 128, 2, kHalf>)    \
    KERNEL(name, type, code, 16, 16, 184, 2223, Strips<16, 16, 4, kHalf>)    \
    KERNEL(name, type, code, 16, 32, 196, 2409, Strips<16, 32, 4, kHalf>)    \
    KERNEL(name, type, code, 16, 64, 212, 2335, Wide<16, 64, 4, kHalf>)      \
    KERNEL(name, type, code, 16, 128, 382, 3419, Wide<16, 128, 2, kHalf>)    \
    KERNEL(name, type, code, 32, 64, 264, 2297, Wide<32, 64, 4, kHalf>)      \
    KERNEL(name, type, code, 64, 64, 269, 3693, Wide<64, 64, 2, kWhole>)     \
    KERNEL(name, type, code, 64, 128, 415, 4998, Wide<64, 128, 2, kWhole>)   \
    KERNEL(name, type, code, 128, 64, 358, 4421, Wide<128, 64, 2, kWhole>)   \
    KERNEL(name, type, code, 128, 128, 592, 6092, Wide<128, 128, 2, kWhole>) \
    KERNEL(name, type, code, 256, 128, 1123, 9965, Wide<256, 128, 1, kWhole>)

#define PRODUCTS_KERNEL(name, type, code, r, outputs, tile, rest, ...)                                                  \
    extern "C" __global__ void __launch_bounds__(products::__VA_ARGS__::kThreads, 1)                                    \
        products_##name##_fp8_r##r##_n##outputs(const __grid_constant__ products::Products a) {                         \
        products::run_fp8<products::__VA_ARGS__, products::type>(a);                                                    \
    }
#define PRODUCTS_ENTRY(name, type, code, r, outputs, tile, rest, ...) \
    {code, r, outputs, 1, products::__VA_ARGS__::kThreads, products::__VA_ARGS__::kSharedBytes, tile, rest},
#define PRODUCTS_ALL(KERNEL)                  \
    PRODUCTS_FORMS(KERNEL, store, StoreFp8, 0) \
    PRODUCTS_FORMS(KERNEL, add, AddFp8, 1)     \
    PRODUCTS_FORMS(KERNEL, gated, GatedFp8, 2)

#include "products_catalog.cuh"
