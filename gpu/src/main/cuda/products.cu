// Matrix products for Hopper (sm_90a) with what follows them, fused: store as bf16, add to the residual, gate, logits;
// and the two kernels that prepare operands. products.cuh says what each takes, products_pipeline.cuh has the main
// loop.

#include <cuda_fp16.h>

#include "products_gate.cuh"
#include "products_pipeline.cuh"
#include "products_write.cuh"

namespace products {

// An output's sum with its bias.
__device__ __forceinline__ float with_bias(const Products& a, float sum, int output) {
    return a.bias != nullptr ? __fadd_rn(sum, __ldg(a.bias + output)) : sum;
}

// Each epilogue takes a warpgroup's tile, or, from narrow kernels, a row's sums for `output` and output + 8 (`both`).
struct Store {
    const Products& a;

    __device__ __forceinline__ void finish_narrow(int row, int output, float low, float high, bool both) const {
        __nv_bfloat16* const out = static_cast<__nv_bfloat16*>(a.out) + static_cast<int64_t>(row) * a.ld_out + output;
        if (output < a.n) out[0] = __float2bfloat16_rn(with_bias(a, low, output));
        if (both && output + 8 < a.n) out[8] = __float2bfloat16_rn(with_bias(a, high, output + 8));
    }

    template <typename S>
    __device__ __forceinline__ void finish(float (&sums)[S::kOutputs / 2], const Place& place) const {
        if (idle(place)) return;
        if (a.bias != nullptr) add_bias(sums, a.bias, place.output, a.n);
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int row = place.row + 8 * half;
            uint32_t words[S::kOutputs / 8];
#pragma unroll
            for (int i = 0; i < S::kOutputs / 8; i++) words[i] = pack(sums[4 * i + 2 * half], sums[4 * i + 2 * half + 1]);
            write(words, static_cast<__nv_bfloat16*>(a.out) + static_cast<int64_t>(row) * a.ld_out, row < place.row_limit,
                  place.output, a.n);
        }
    }
};

struct Gated {
    const Products& a;

    __device__ __forceinline__ void finish_narrow(int row, int output, float low, float high, bool) const {
        if (output >= a.n) return;
        const int column = output / 16 * 8 + output % 8;
        static_cast<__nv_bfloat16*>(a.out)[static_cast<int64_t>(row) * a.ld_out + column] =
            __float2bfloat16_rn(gate(with_bias(a, low, output), with_bias(a, high, output + 8)));
    }

    template <typename S>
    __device__ __forceinline__ void finish(float (&sums)[S::kOutputs / 2], const Place& place) const {
        static_assert(S::kOutputs % 16 == 0, "gate and up of a column are in one tile of work");
        if (idle(place)) return;
        if (a.bias != nullptr) add_bias(sums, a.bias, place.output, a.n);
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int row = place.row + 8 * half;
            uint32_t words[S::kOutputs / 16];
#pragma unroll
            for (int i = 0; i < S::kOutputs / 16; i++) {
                const int at = 8 * i + 2 * half;
                words[i] = pack(gate(sums[at], sums[at + 4]), gate(sums[at + 1], sums[at + 5]));
            }
            write(words, static_cast<__nv_bfloat16*>(a.out) + static_cast<int64_t>(row) * a.ld_out, row < place.row_limit,
                  place.output / 2, a.n / 2);
        }
    }
};

struct Add {
    const Products& a;

    __device__ __forceinline__ void finish_narrow(int row, int output, float low, float high, bool both) const {
        float* const out = static_cast<float*>(a.out) + static_cast<int64_t>(row) * a.ld_out + output;
        if (output < a.n) {
            asm volatile("red.relaxed.gpu.global.add.f32 [%0], %1;" ::"l"(out), "f"(with_bias(a, low, output)) : "memory");
        }
        if (both && output + 8 < a.n) {
            asm volatile("red.relaxed.gpu.global.add.f32 [%0], %1;" ::"l"(out + 8), "f"(with_bias(a, high, output + 8))
                         : "memory");
        }
    }

    template <typename S>
    __device__ __forceinline__ void finish(float (&sums)[S::kOutputs / 2], const Place& place) const {
        if (idle(place)) return;
        if (a.bias != nullptr) add_bias(sums, a.bias, place.output, a.n);
        // The additions are made in the L2 cache: nobody waits for the old values. Of two neighbouring lanes one takes
        // four columns of the upper row, the other four of the lower.
        const int odd = threadIdx.x % 2;
        const int row = place.row + 8 * odd;
        float* const out = static_cast<float*>(a.out) + static_cast<int64_t>(row) * a.ld_out;
#pragma unroll
        for (int i = 0; i < S::kOutputs / 8; i++) {
            const int column = place.output + 8 * i + threadIdx.x % 4 / 2 * 4;
            const float other0 = __shfl_xor_sync(0xFFFFFFFF, odd ? sums[4 * i] : sums[4 * i + 2], 1);
            const float other1 = __shfl_xor_sync(0xFFFFFFFF, odd ? sums[4 * i + 1] : sums[4 * i + 3], 1);
            const float four[4] = {odd ? other0 : sums[4 * i], odd ? other1 : sums[4 * i + 1],
                                   odd ? sums[4 * i + 2] : other0, odd ? sums[4 * i + 3] : other1};
            if (row >= place.row_limit) continue;
            if (column + 4 <= a.n) {
                asm volatile("red.relaxed.gpu.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(out + column), "f"(four[0]),
                             "f"(four[1]), "f"(four[2]), "f"(four[3])
                             : "memory");
            } else {
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    if (column + j < a.n) {
                        asm volatile("red.relaxed.gpu.global.add.f32 [%0], %1;" ::"l"(out + column + j), "f"(four[j])
                                     : "memory");
                    }
                }
            }
        }
    }
};

struct Logits {
    const Products& a;

    template <typename S>
    __device__ __forceinline__ void finish(float (&sums)[S::kOutputs / 2], const Place& place) const {
        if (idle(place)) return;
        if (a.bias != nullptr) add_bias(sums, a.bias, place.output, a.n);
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int row = place.row + 8 * half;
            if (row >= place.row_limit) continue;
            float* const out = static_cast<float*>(a.out) + static_cast<int64_t>(row) * a.ld_out;
#pragma unroll
            for (int i = 0; i < S::kOutputs / 8; i++) {
                const int column = place.output + 8 * i + threadIdx.x % 4 * 2;
                if (column + 1 < a.n) {
                    *reinterpret_cast<float2*>(out + column) =
                        make_float2(sums[4 * i + 2 * half], sums[4 * i + 2 * half + 1]);
                } else if (column < a.n) {
                    out[column] = sums[4 * i + 2 * half];
                }
            }
        }
    }
};

template <typename S, typename Epilogue>
__device__ __forceinline__ void run(const Products& a) {
    run<S>(Epilogue{a}, a.map, a.w, a.rows, a.k, a.n);
}

// ---- operands ----

// A descriptor of bf16 [rows, columns] with `stride` bytes between rows: boxes of 64 columns and `box` rows, 128-byte
// swizzle. The whole warp takes part.
__device__ __forceinline__ void describe(uint64_t* scratch, const Describe& a, int box, char* map) {
    const uint32_t lane = threadIdx.x;
    const uint32_t at = shared_address(scratch);
    if (lane < 16) scratch[lane] = 0;
    __syncwarp();
    if (lane == 0) {
        asm volatile("tensormap.replace.tile.global_address.shared::cta.b1024.b64 [%0], %1;" ::"r"(at), "l"(a.x) : "memory");
        asm volatile("tensormap.replace.tile.rank.shared::cta.b1024.b32 [%0], 1;" ::"r"(at) : "memory");
        asm volatile("tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%0], 0, 64;" ::"r"(at) : "memory");
        asm volatile("tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%0], 1, %1;" ::"r"(at), "r"(box) : "memory");
        asm volatile("tensormap.replace.tile.global_dim.shared::cta.b1024.b32 [%0], 0, %1;" ::"r"(at), "r"(a.columns)
                     : "memory");
        asm volatile("tensormap.replace.tile.global_dim.shared::cta.b1024.b32 [%0], 1, %1;" ::"r"(at), "r"(a.capacity)
                     : "memory");
        asm volatile("tensormap.replace.tile.global_stride.shared::cta.b1024.b64 [%0], 0, %1;" ::"r"(at),
                     "l"(2 * static_cast<int64_t>(a.ld))
                     : "memory");
        asm volatile("tensormap.replace.tile.element_stride.shared::cta.b1024.b32 [%0], 0, 1;" ::"r"(at) : "memory");
        asm volatile("tensormap.replace.tile.element_stride.shared::cta.b1024.b32 [%0], 1, 1;" ::"r"(at) : "memory");
        asm volatile("tensormap.replace.tile.elemtype.shared::cta.b1024.b32 [%0], 10;" ::"r"(at) : "memory");
        asm volatile("tensormap.replace.tile.interleave_layout.shared::cta.b1024.b32 [%0], 0;" ::"r"(at) : "memory");
        asm volatile("tensormap.replace.tile.swizzle_mode.shared::cta.b1024.b32 [%0], 3;" ::"r"(at) : "memory");
        asm volatile("tensormap.replace.tile.fill_mode.shared::cta.b1024.b32 [%0], 0;" ::"r"(at) : "memory");
    }
    __syncwarp();
    asm volatile(
        "tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.gpu.sync.aligned [%0], [%1], 128;" ::"l"(map),
        "r"(at)
        : "memory");
    __syncwarp();
}

extern "C" __global__ void __launch_bounds__(32) products_describe(const __grid_constant__ Describe a) {
    __shared__ alignas(128) uint64_t scratch[2][16];
    dependencies_wait();
    describe(scratch[0], a, 64, static_cast<char*>(a.map));
    describe(scratch[1], a, 8, static_cast<char*>(a.map) + 128);
}

__device__ __forceinline__ __nv_bfloat16 element(const Tile& a, int64_t at) {
    switch (a.type) {
        case 0:
            return __ldg(static_cast<const __nv_bfloat16*>(a.source) + at);
        case 1:
            return __float2bfloat16_rn(__half2float(__ldg(static_cast<const __half*>(a.source) + at)));
        default:
            return __float2bfloat16_rn(__ldg(static_cast<const float*>(a.source) + at));
    }
}

extern "C" __global__ void __launch_bounds__(256) products_tile(const __grid_constant__ Tile a) {
    dependencies_wait();
    const int tiles = a.k / 64;
    const int64_t all = static_cast<int64_t>((a.rows + 63) / 64) * tiles;
    bool bad = false;
    for (int64_t tile = blockIdx.x; tile < all; tile += gridDim.x) {
        const int top = static_cast<int>(tile / tiles) * 64;
        const int column_tile = static_cast<int>(tile % tiles);
        // A thread moves two chunks of eight columns; eight neighbours move a row's 64 columns.
#pragma unroll
        for (int part = 0; part < 2; part++) {
            const int row = top + threadIdx.x / 8 + 32 * part;
            const int chunk = threadIdx.x % 8;
            if (row >= a.rows) continue;
            alignas(16) __nv_bfloat16 values[8];
#pragma unroll
            for (int i = 0; i < 8; i++) {
                const int column = column_tile * 64 + 8 * chunk + i;
                values[i] = column < a.columns ? element(a, row * a.ld + column) : __float2bfloat16_rn(0.0f);
                bad |= !isfinite(__bfloat162float(values[i]));
            }
            const int of_matrix = a.first + row;
            const int target =
                a.placement == 0 ? of_matrix : of_matrix / 8 * 16 + of_matrix % 8 + (a.placement == 2 ? 8 : 0);
            char* const to = static_cast<char*>(a.w) +
                             (static_cast<int64_t>(target / 64) * tiles + column_tile) * 8192 + target % 64 * 128 +
                             (chunk ^ (target & 7)) * 16;
            *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(values);
        }
    }
    if (a.flag != nullptr && bad) *a.flag = 1;
}

constexpr int kHalf = 104 << 10;   // ring of a block that leaves room for one of the next kernel's beside it
constexpr int kWhole = 225 << 10;  // ring of a block that has the multiprocessor to itself

template <int kRows, int kOutputs, int kDepth, int kBudget>
using Narrow = Shape<kRows, kOutputs, kDepth, kBudget, 1, 1, 0, true>;
template <int kRows, int kOutputs, int kDepth, int kBudget>
using Few = Shape<kRows, kOutputs, kDepth, kBudget, 1, 1>;
template <int kRows, int kOutputs>
using Shared = Shape<kRows, kOutputs, 1, kWhole, 1, 2>;  // two blocks share the copies of X
template <int kOutputs, int kDepth>
using Many = Shape<128, kOutputs, kDepth, kWhole, 2, 1>;  // two blocks share the copies of W
template <int kOutputs>
using Square = Shape<64, kOutputs, 2, kWhole, 2, 1>;  // likewise; half the rows, twice the outputs, fewer bytes

}  // namespace products

using products::kHalf;
using products::kWhole;

// Kernels by epilogue, R, N, and their shapes; how they were chosen is in bench/h200/products.md.
#define PRODUCTS_EVEN(KERNEL, name, type, code)                    \
    KERNEL(name, type, code, 8, 16, Few<8, 16, 4, kHalf>)          \
    KERNEL(name, type, code, 8, 32, Narrow<8, 32, 4, kHalf>)       \
    KERNEL(name, type, code, 8, 48, Narrow<8, 48, 4, kWhole>)      \
    KERNEL(name, type, code, 8, 64, Narrow<8, 64, 2, kWhole>)      \
    KERNEL(name, type, code, 16, 16, Few<16, 16, 4, kHalf>)        \
    KERNEL(name, type, code, 16, 32, Narrow<16, 32, 4, kHalf>)     \
    KERNEL(name, type, code, 16, 48, Few<16, 48, 2, kHalf>)        \
    KERNEL(name, type, code, 16, 64, Few<16, 64, 2, kWhole>)       \
    KERNEL(name, type, code, 32, 16, Few<32, 16, 4, kWhole>)       \
    KERNEL(name, type, code, 32, 32, Few<32, 32, 4, kWhole>)       \
    KERNEL(name, type, code, 32, 48, Few<32, 48, 2, kWhole>)       \
    KERNEL(name, type, code, 32, 64, Few<32, 64, 2, kWhole>)       \
    KERNEL(name, type, code, 64, 16, Few<64, 16, 4, kWhole>)       \
    KERNEL(name, type, code, 64, 32, Few<64, 32, 4, kWhole>)       \
    KERNEL(name, type, code, 64, 48, Few<64, 48, 2, kWhole>)       \
    KERNEL(name, type, code, 64, 64, Few<64, 64, 2, kWhole>)       \
    KERNEL(name, type, code, 64, 128, Shared<64, 128>)             \
    KERNEL(name, type, code, 64, 224, Shared<64, 224>)             \
    KERNEL(name, type, code, 128, 16, Few<128, 16, 2, kWhole>)     \
    KERNEL(name, type, code, 128, 32, Few<128, 32, 2, kWhole>)     \
    KERNEL(name, type, code, 128, 48, Few<128, 48, 2, kWhole>)     \
    KERNEL(name, type, code, 128, 64, Few<128, 64, 1, kWhole>)     \
    KERNEL(name, type, code, 128, 128, Few<128, 128, 1, kWhole>)   \
    KERNEL(name, type, code, 128, 224, Shared<128, 224>)           \
    KERNEL(name, type, code, 256, 32, Square<64>)                  \
    KERNEL(name, type, code, 256, 64, Many<64, 1>)                 \
    KERNEL(name, type, code, 256, 96, Many<96, 1>)                 \
    KERNEL(name, type, code, 256, 128, Many<128, 1>)               \
    KERNEL(name, type, code, 256, 192, Many<192, 1>)               \
    KERNEL(name, type, code, 256, 224, Many<224, 1>)               \
    KERNEL(name, type, code, 256, 256, Many<256, 1>)

#define PRODUCTS_PLAIN(KERNEL, name, type, code)                   \
    PRODUCTS_EVEN(KERNEL, name, type, code)                        \
    KERNEL(name, type, code, 8, 24, Few<8, 24, 4, kHalf>)          \
    KERNEL(name, type, code, 16, 24, Few<16, 24, 4, kHalf>)        \
    KERNEL(name, type, code, 32, 24, Few<32, 24, 4, kWhole>)       \
    KERNEL(name, type, code, 64, 24, Few<64, 24, 4, kWhole>)       \
    KERNEL(name, type, code, 256, 48, Square<96>)

#define PRODUCTS_LOGITS(KERNEL, name, type, code)                  \
    KERNEL(name, type, code, 8, 128, Few<8, 128, 1, kHalf>)        \
    KERNEL(name, type, code, 64, 128, Shared<64, 128>)             \
    KERNEL(name, type, code, 256, 256, Many<256, 1>)

#define PRODUCTS_KERNEL(name, type, code, r, outputs, ...)                                             \
    extern "C" __global__ void __cluster_dims__(products::__VA_ARGS__::kCluster)                       \
        __launch_bounds__(products::__VA_ARGS__::kThreads, 1)                                          \
            products_##name##_r##r##_n##outputs(const __grid_constant__ products::Products a) {        \
        products::run<products::__VA_ARGS__, products::type>(a);                                       \
    }
#define PRODUCTS_ENTRY(name, type, code, r, outputs, ...)                                              \
    {code, r, outputs, products::__VA_ARGS__::kCluster, products::__VA_ARGS__::kThreads,               \
     products::__VA_ARGS__::kSharedBytes, 0, 0},
#define PRODUCTS_ALL(KERNEL)                 \
    PRODUCTS_PLAIN(KERNEL, store, Store, 0)  \
    PRODUCTS_PLAIN(KERNEL, add, Add, 1)      \
    PRODUCTS_EVEN(KERNEL, gated, Gated, 2)     \
    PRODUCTS_LOGITS(KERNEL, logits, Logits, 3)

#include "products_catalog.cuh"
