// Matrix products for Hopper (sm_90a) with an activation without a gate, as encoders have them: out bf16 [rows, ld_out] =
// activation(X W^T + bias), rounded once. products.cuh says what they take; they are wide forms alone, since an image is
// hundreds of rows. The activation is written out, so that no form contracts it otherwise than another.

#include "products_gate.cuh"
#include "products_pipeline.cuh"
#include "products_write.cuh"

namespace products {

// x Phi(x), Phi by the error function.
struct Exact {
    static __device__ __forceinline__ float of(float x) {
        return __fmul_rn(__fmul_rn(0.5f, x), __fadd_rn(1.0f, erff(__fmul_rn(x, 0.70710678f))));
    }
};

// 0.5 x (1 + tanh z), z = sqrt(2 / pi) (x + 0.044715 x^3), with the tanh of the special-function unit: off by 2^-11 at most,
// which is 2^-12 x, and a quarter of the step of bf16 numbers from 0.5 x to x. An exponential and a division take the unit
// twice, and it is what this epilogue waits for.
struct Tanh {
    static __device__ __forceinline__ float of(float x) {
        constexpr float kLinear = 0.797884561f;  // sqrt(2 / pi)
        constexpr float kCubic = 0.0356774081f;  // 0.044715 times that
        const float z = __fmul_rn(x, __fmaf_rn(kCubic, __fmul_rn(x, x), kLinear));
        float tanh;
        asm("tanh.approx.f32 %0, %1;" : "=f"(tanh) : "f"(z));
        const float half = __fmul_rn(0.5f, x);
        return __fmaf_rn(half, tanh, half);
    }
};

template <typename Function>
struct Activated {
    const Products& a;

    template <typename S>
    __device__ __forceinline__ void finish(float (&sums)[S::kOutputs / 2], const Place& place) const {
        if (idle(place)) return;
        if (a.bias != nullptr) add_bias(sums, a.bias, place.output, a.n);
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int row = place.row + 8 * half;
            uint32_t words[S::kOutputs / 8];
#pragma unroll
            for (int i = 0; i < S::kOutputs / 8; i++) {
                const int at = 4 * i + 2 * half;
                words[i] = pack(Function::of(sums[at]), Function::of(sums[at + 1]));
            }
            write(words, static_cast<__nv_bfloat16*>(a.out) + static_cast<int64_t>(row) * a.ld_out, row < place.row_limit,
                  place.output, a.n);
        }
    }
};

constexpr int kWhole = 225 << 10;  // ring of a block that has the multiprocessor to itself
template <int kOutputs>
using Many = Shape<128, kOutputs, 1, kWhole, 2, 1>;  // two blocks share the copies of W
template <int kOutputs>
using Square = Shape<64, kOutputs, 2, kWhole, 2, 1>;  // likewise; half the rows, twice the outputs, fewer bytes

}  // namespace products

// Kernels by epilogue, R, N, and their shapes: those of products.cu.
#define ACTIVATED(KERNEL, name, type, code)         \
    KERNEL(name, type, code, 256, 32, Square<64>)   \
    KERNEL(name, type, code, 256, 48, Square<96>)   \
    KERNEL(name, type, code, 256, 64, Many<64>)     \
    KERNEL(name, type, code, 256, 96, Many<96>)     \
    KERNEL(name, type, code, 256, 128, Many<128>)   \
    KERNEL(name, type, code, 256, 192, Many<192>)   \
    KERNEL(name, type, code, 256, 224, Many<224>)   \
    KERNEL(name, type, code, 256, 256, Many<256>)

#define PRODUCTS_KERNEL(name, type, code, r, outputs, shape)                                                       \
    extern "C" __global__ void __cluster_dims__(products::shape::kCluster)                                         \
        __launch_bounds__(products::shape::kThreads, 1)                                                            \
            products_##name##_r##r##_n##outputs(const __grid_constant__ products::Products a) {                    \
        products::run<products::shape>(products::Activated<products::type>{a}, a.map, a.w, a.rows, a.k, a.n);      \
    }
#define PRODUCTS_ENTRY(name, type, code, r, outputs, shape)                              \
    {code, r, outputs, products::shape::kCluster, products::shape::kThreads,             \
     products::shape::kSharedBytes, 0, 0},
#define PRODUCTS_ALL(KERNEL)           \
    ACTIVATED(KERNEL, gelu, Exact, 6)  \
    ACTIVATED(KERNEL, gelu_tanh, Tanh, 7)

#include "products_catalog.cuh"
