// The output projection for Hopper (sm_90a), fused with what is wanted of its logits, which are never in memory: the
// log-probability of a given token (score), or a token drawn and its log-probability (choose). Tokens are taken in
// blocks of 128; each leaves a small record a row, and a second kernel merges the records of a row in their order.
//
// Choosing is Gumbel-max (Maddison, Tarlow and Minka, arXiv 1411.0030, section 2) over counter-based noise
// (Philox4x32-10: Salmon, Moraes, Dror and Shaw, SC'11). Every token's noise is drawn; logarithms are first taken in
// single precision with a bound on their error, and again in double for tokens that the bound leaves in the race: the
// result is that of comparing doubles throughout.

#include "noise.cuh"
#include "products_pipeline.cuh"
#include "products_write.cuh"

namespace products {

constexpr int kBlock = 128;  // tokens of a record
constexpr unsigned kAll = 0xFFFFFFFF;

__device__ __forceinline__ float power_of_e(float x) {
    float power;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(__fmul_rn(x, 1.44269504088896341f)));
    return power;
}

__device__ __forceinline__ float log_base_2(float x) {
    float log;
    asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(log) : "f"(x));
    return log;
}

// Of one row over one block: 16 bytes.
struct alignas(16) Softmax {
    float max;
    float sum;  // of exp(logit - max)
    int best;   // token of the largest logit, lowest on a tie
    int flag;   // a logit is not finite
};

// What the draw leaves of one row over one block: 16 bytes.
struct alignas(16) Drawn {
    float about;  // the greatest logit / temperature + noise, to within half of margin(about)
    int token;    // that of the greatest, lowest on a tie
    float logit;  // its logit
};

struct alignas(16) ChooseRecord {
    Drawn drawn;
    Softmax softmax;
};

// Reduces the 32 logits of row half `kHalfRow` that this lane holds of the block whose accumulators start at kFirst,
// then those of its group of four lanes, which share the row: every lane of the group gets the result.
template <int kFirst, int kHalfRow, int kCount>
__device__ __forceinline__ Softmax softmax_of(const float (&sums)[kCount], int output, int n) {
    const int first = output + threadIdx.x % 4 * 2;
    const bool whole = output + kBlock <= n;
    float max = -INFINITY;
    float nothing = 0;  // NaN once a logit is not finite
#pragma unroll
    for (int i = 0; i < 16; i++) {
#pragma unroll
        for (int j = 0; j < 2; j++) {
            const float logit = sums[kFirst + 4 * i + 2 * kHalfRow + j];
            if (whole || first + 8 * i + j < n) {
                max = fmaxf(max, logit);
                nothing = __fmaf_rn(logit, 0.0f, nothing);
            }
        }
    }
    max = fmaxf(max, __shfl_xor_sync(kAll, max, 1));
    max = fmaxf(max, __shfl_xor_sync(kAll, max, 2));
    float parts[2] = {0, 0};
    int best = 0x7FFFFFFF;
#pragma unroll
    for (int i = 15; i >= 0; i--) {
#pragma unroll
        for (int j = 1; j >= 0; j--) {
            const float logit = sums[kFirst + 4 * i + 2 * kHalfRow + j];
            if (whole || first + 8 * i + j < n) {
                parts[j] = __fadd_rn(parts[j], power_of_e(__fsub_rn(logit, max)));
                if (logit == max) best = first + 8 * i + j;
            }
        }
    }
    float sum = __fadd_rn(parts[0], parts[1]);
    sum = __fadd_rn(sum, __shfl_xor_sync(kAll, sum, 1));
    sum = __fadd_rn(sum, __shfl_xor_sync(kAll, sum, 2));
    best = min(best, __shfl_xor_sync(kAll, best, 1));
    best = min(best, __shfl_xor_sync(kAll, best, 2));
    int flag = nothing == 0 ? 0 : 1;
    flag |= __shfl_xor_sync(kAll, flag, 1);
    flag |= __shfl_xor_sync(kAll, flag, 2);
    return {max, sum, best, flag};
}

__host__ __device__ constexpr int blocks_of(int n) { return (n + kBlock - 1) / kBlock; }

// ---- score ----

struct ScoreEpilogue {
    const Score& a;

    template <int kFirst, int kHalfRow, int kCount>
    __device__ __forceinline__ void row(const float (&sums)[kCount], const Place& place, int output) const {
        const Softmax softmax = softmax_of<kFirst, kHalfRow>(sums, output, a.n);
        const int row = place.row + 8 * kHalfRow;
        if (row >= place.row_limit) return;
        Softmax* const records = static_cast<Softmax*>(a.workspace) + static_cast<int64_t>(row) * (blocks_of(a.n) + 1);
        if (threadIdx.x % 4 == 0) records[output / kBlock] = softmax;
        const int target = a.targets[row] - output;
        if (target >= 0 && target < kBlock && target % 8 / 2 == threadIdx.x % 4 && target + output < a.n) {
            float logit = 0;
#pragma unroll
            for (int i = 0; i < 32; i++) {
                if (target / 8 == i / 2 && target % 2 == i % 2) logit = sums[kFirst + 4 * (i / 2) + 2 * kHalfRow + i % 2];
            }
            records[blocks_of(a.n)].max = logit;
        }
    }

    template <typename S>
    __device__ __forceinline__ void finish(float (&sums)[S::kOutputs / 2], const Place& place) const {
        static_assert(S::kOutputs == 2 * kBlock, "two records");
        if (place.row - static_cast<int>(threadIdx.x % 32 / 4) >= place.row_limit) return;
        if (a.bias != nullptr) add_bias(sums, a.bias, place.output, a.n);
        row<0, 0>(sums, place, place.output);
        row<0, 1>(sums, place, place.output);
        if (place.output + kBlock < a.n) {
            row<64, 0>(sums, place, place.output + kBlock);
            row<64, 1>(sums, place, place.output + kBlock);
        }
    }
};

// ---- choose ----

// -log(-log(u)) where u lies `distance` from 1 (`upper`) or from 0, the nearer. Near u = 1, where log(u) is small, it
// is had by its series. lg2.approx is off by 2^-22 at most.
__device__ __forceinline__ float gumbel_about(bool upper, float distance) {
    const float series = distance * (1 + distance * (0.5f + distance * (0.33333334f + distance * 0.25f)));
    const float logarithm = -0.69314718f * log_base_2(upper ? 1 - distance : distance);
    return -0.69314718f * log_base_2(upper && distance < 0.015625f ? series : logarithm);
}

// gumbel(bits) to within 2e-4 by the upper word alone, which gives the distance to 1.2e-4 of itself; not at an end.
__device__ __forceinline__ float gumbel_about(uint64_t bits) {
    const uint32_t word = static_cast<uint32_t>(bits >> 32);
    const bool upper = word >> 31 != 0;
    return gumbel_about(upper, __fmaf_rn(__uint2float_rn(upper ? ~word : word), 0x1p-32f, 0x1p-33f));
}

__device__ __forceinline__ bool at_an_end(uint64_t bits) {
    const uint32_t word = static_cast<uint32_t>(bits >> 32);
    return word + 4096 < 8192;
}

__device__ __forceinline__ float gumbel_about_at_an_end(uint64_t bits) {
    const bool upper = bits >> 63 != 0;
    return gumbel_about(upper, __fmaf_rn(__ull2float_rn((upper ? ~bits : bits) >> 12), 0x1p-52f, 0x1p-53f));
}

// The greatest of a warp's values; not a number if one of them is none.
__device__ __forceinline__ float highest(float value) {
    const int bits = __float_as_int(value);
    const int most = __reduce_max_sync(kAll, bits ^ (bits >> 31 & 0x7FFFFFFF));
    return __int_as_float(most ^ (most >> 31 & 0x7FFFFFFF));
}

// Twice what the single-precision value of a token near the best may be off; generous.
__device__ __forceinline__ float margin(float best) { return 1e-3f + 2e-6f * (fabsf(best) + 40); }

constexpr int kScratchRow = kBlock + 4;  // floats; rows of the scratch do not meet in one bank

struct ChooseEpilogue {
    const Choose& a;

    // Rows of logits over one block, by a warp: leaves the token that wins there. Two rows at a time: their chains of
    // dependent instructions fill each other's gaps.
    __device__ __forceinline__ void draw(const float* logits, int row, int limit, int output) const {
        constexpr int kTogether = 2;
        const int lane = threadIdx.x % 32;
        float temperature[kTogether];
        float about[kTogether][4];
        uint64_t bits[kTogether][4];
        bool ends = false;
#pragma unroll
        for (int r = 0; r < kTogether; r++) temperature[r] = row + 4 * r < limit ? a.draws[row + 4 * r].temperature : 0;
        if (temperature[0] == 0 && temperature[1] == 0) return;
#pragma unroll
        for (int r = 0; r < kTogether; r++) {
            const Draw& d = a.draws[row + 4 * r < limit ? row + 4 * r : row];
#pragma unroll
            for (int i = 0; i < 4; i++) {
                bits[r][i] = philox(output + lane + 32 * i, d.position, d.purpose, d.stream, d.key0, d.key1);
                about[r][i] = gumbel_about(bits[r][i]);
                ends |= at_an_end(bits[r][i]);
            }
        }
        if (ends) {
#pragma unroll
            for (int r = 0; r < kTogether; r++) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    if (at_an_end(bits[r][i])) about[r][i] = gumbel_about_at_an_end(bits[r][i]);
                }
            }
        }
        float best[kTogether];
#pragma unroll
        for (int r = 0; r < kTogether; r++) {
            const float inverse = __fdividef(1.0f, temperature[r]);
            best[r] = -INFINITY;
#pragma unroll
            for (int i = 0; i < 4; i++) {
                about[r][i] = __fmaf_rn(logits[4 * r * kScratchRow + lane + 32 * i], inverse, about[r][i]);
                if (output + lane + 32 * i >= a.n) about[r][i] = -INFINITY;
                best[r] = fmaxf(best[r], about[r][i]);
            }
            best[r] = highest(best[r]);
        }
#pragma unroll
        for (int r = 0; r < kTogether; r++) {
            if (temperature[r] == 0) continue;
            settle(logits + 4 * r * kScratchRow, row + 4 * r, output, about[r], best[r]);
        }
    }

    // `about`: this lane's values of the row, `best`: the greatest of the warp's.
    __device__ __forceinline__ void settle(
        const float* logits, int row, int output, const float (&about)[4], float best) const {
        const int lane = threadIdx.x % 32;
        const float line = best - margin(best);
        int mine = -1;  // the first of this lane's tokens that may win
        bool alone = true;
#pragma unroll
        for (int i = 3; i >= 0; i--) {
            if (!(about[i] < line)) {  // also where the line is no number
                alone = mine < 0;
                mine = i;
            }
        }
        const uint32_t able = __ballot_sync(kAll, mine >= 0);
        if (__popc(able) > 1 || !__all_sync(kAll, alone)) {  // rarely: doubles decide
            double value = -INFINITY;
            int token = 0x7FFFFFFF;
#pragma unroll 1
            for (int i = mine; i >= 0 && i < 4; i++) {
                if (output + lane + 32 * i >= a.n) break;
                const double candidate = exact(a.draws[row], logits[lane + 32 * i], output + lane + 32 * i);
                if (candidate > value) {  // this lane's tokens come in ascending order
                    value = candidate;
                    token = lane + 32 * i;
                }
            }
#pragma unroll
            for (int step = 16; step > 0; step /= 2) {
                const double other_value = __shfl_xor_sync(kAll, value, step);
                const int other_token = __shfl_xor_sync(kAll, token, step);
                if (other_value > value || (other_value == value && other_token < token)) {
                    value = other_value;
                    token = other_token;
                }
            }
            if (token == 0x7FFFFFFF) {  // logits that are not numbers
                if (lane == 0) record(row, output).drawn = {-INFINITY, token, 0};
                return;
            }
            mine = token % 32 == lane ? token / 32 : -1;
        }
        if (mine >= 0) record(row, output).drawn = {best, output + lane + 32 * mine, logits[lane + 32 * mine]};
    }

    __device__ __forceinline__ ChooseRecord& record(int row, int output) const {
        return static_cast<ChooseRecord*>(a.workspace)[static_cast<int64_t>(row) * blocks_of(a.n) + output / kBlock];
    }

    template <typename S, int kFirst, int kCount>
    __device__ __forceinline__ void block(float (&sums)[kCount], const Place& place, int output) const {
        const Softmax upper = softmax_of<kFirst, 0>(sums, output, a.n);
        const Softmax lower = softmax_of<kFirst, 1>(sums, output, a.n);
        const int warpgroup = threadIdx.x / 128;
        const int warp = threadIdx.x % 128 / 32;
        const int in_warp = threadIdx.x % 32 / 4;
        const int first_row = place.row - in_warp - 16 * warp;  // of the warpgroup
        float* const scratch = reinterpret_cast<float*>(shared + S::kScratch) + warpgroup * S::kGroupRows * kScratchRow;
        const auto keep = [&](int row, int half, const Softmax& softmax) {
            if (row >= place.row_limit) return;
            if (threadIdx.x % 4 == 0) record(row, output).softmax = softmax;
            float* const to = scratch + (row - first_row) * kScratchRow + threadIdx.x % 4 * 2;
#pragma unroll
            for (int i = 0; i < 16; i++) {
                *reinterpret_cast<float2*>(to + 8 * i) =
                    make_float2(sums[kFirst + 4 * i + 2 * half], sums[kFirst + 4 * i + 2 * half + 1]);
            }
        };
        keep(place.row, 0, upper);
        keep(place.row + 8, 1, lower);
        named_barrier_sync(1 + warpgroup, 128);
        for (int row = first_row + warp; row < place.row_limit; row += 8) {
            draw(scratch + (row - first_row) * kScratchRow, row, place.row_limit, output);
        }
        named_barrier_sync(1 + warpgroup, 128);
    }

    template <typename S>
    __device__ __forceinline__ void finish(float (&sums)[S::kOutputs / 2], const Place& place) const {
        if (a.bias != nullptr) add_bias(sums, a.bias, place.output, a.n);
        block<S, 0>(sums, place, place.output);
        if constexpr (S::kOutputs == 2 * kBlock) {
            if (place.output + kBlock < a.n) block<S, 64>(sums, place, place.output + kBlock);
        }
    }
};

// ---- merging a row's records ----

// All 128 threads get the result; `of` gives record i.
template <typename Records>
__device__ __forceinline__ Softmax merge(int blocks, const Records& of) {
    __shared__ Softmax parts[4];
    const int lane = threadIdx.x % 32;
    const int warp = threadIdx.x / 32;
    Softmax all = {-INFINITY, 0, 0x7FFFFFFF, 0};
    for (int i = threadIdx.x; i < blocks; i += 128) {
        const Softmax one = of(i);
        if (one.max > all.max) all.best = one.best;
        all.max = fmaxf(all.max, one.max);
        all.flag |= one.flag;
    }
    const auto unite = [&](float max, int best, int flag) {
        if (max > all.max || (max == all.max && best < all.best)) all.best = best;
        all.max = fmaxf(all.max, max);
        all.flag |= flag;
    };
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
        unite(__shfl_xor_sync(kAll, all.max, step), __shfl_xor_sync(kAll, all.best, step),
              __shfl_xor_sync(kAll, all.flag, step));
    }
    if (lane == 0) parts[warp] = all;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 4; i++) unite(parts[i].max, parts[i].best, parts[i].flag);
    for (int i = threadIdx.x; i < blocks; i += 128) {
        const Softmax one = of(i);
        all.sum = __fmaf_rn(one.sum, power_of_e(__fsub_rn(one.max, all.max)), all.sum);
    }
#pragma unroll
    for (int step = 16; step > 0; step /= 2) all.sum = __fadd_rn(all.sum, __shfl_xor_sync(kAll, all.sum, step));
    __syncthreads();
    if (lane == 0) parts[warp].sum = all.sum;
    __syncthreads();
    all.sum = __fadd_rn(__fadd_rn(parts[0].sum, parts[1].sum), __fadd_rn(parts[2].sum, parts[3].sum));
    return all;
}

__device__ __forceinline__ float log_probability(float logit, const Softmax& all) {
    return static_cast<float>(static_cast<double>(logit) - static_cast<double>(all.max) -
                              log(static_cast<double>(all.sum)));
}

extern "C" __global__ void __launch_bounds__(128) products_score_finish(const __grid_constant__ Score a) {
    dependents_launch();
    dependencies_wait();
    const int row = blockIdx.x;
    if (row >= *a.rows) return;
    const int blocks = blocks_of(a.n);
    const Softmax* const records = static_cast<const Softmax*>(a.workspace) + static_cast<int64_t>(row) * (blocks + 1);
    const Softmax all = merge(blocks, [&](int i) { return records[i]; });
    if (threadIdx.x != 0) return;
    const int target = a.targets[row];
    a.log_probability[row] = target >= 0 && target < a.n ? log_probability(records[blocks].max, all) : 0;
    if (a.best != nullptr) a.best[row] = all.best < a.n ? all.best : 0;
    a.flags[row] = all.flag;
}

extern "C" __global__ void __launch_bounds__(128) products_choose_finish(const __grid_constant__ Choose a) {
    dependents_launch();
    dependencies_wait();
    const int row = blockIdx.x;
    if (row >= *a.rows) return;
    const int blocks = blocks_of(a.n);
    const ChooseRecord* const records = static_cast<const ChooseRecord*>(a.workspace) + static_cast<int64_t>(row) * blocks;
    const Softmax all = merge(blocks, [&](int i) { return records[i].softmax; });
    Drawn drawn = {0, all.best, all.max};
    if (a.draws[row].temperature != 0) {
        // First how high the values go, then the doubles of those that come near.
        __shared__ float peaks[4];
        __shared__ double values[4];
        __shared__ Drawn parts[4];
        const Draw d = a.draws[row];
        float peak = -INFINITY;
        for (int i = threadIdx.x; i < blocks; i += 128) peak = fmaxf(peak, records[i].drawn.about);
#pragma unroll
        for (int step = 16; step > 0; step /= 2) peak = fmaxf(peak, __shfl_xor_sync(kAll, peak, step));
        if (threadIdx.x % 32 == 0) peaks[threadIdx.x / 32] = peak;
        __syncthreads();
        peak = fmaxf(fmaxf(peaks[0], peaks[1]), fmaxf(peaks[2], peaks[3]));
        const float line = peak - margin(peak);
        double value = -INFINITY;
        drawn = {0, 0x7FFFFFFF, 0};
        const auto unite = [&](double other, int token, float logit) {
            if (other > value || (other == value && token < drawn.token)) {
                value = other;
                drawn = {0, token, logit};
            }
        };
        for (int i = threadIdx.x; i < blocks; i += 128) {
            const Drawn one = records[i].drawn;
            if (!(one.about < line)) unite(exact(d, one.logit, one.token), one.token, one.logit);
        }
#pragma unroll
        for (int step = 16; step > 0; step /= 2) {
            unite(__shfl_xor_sync(kAll, value, step), __shfl_xor_sync(kAll, drawn.token, step),
                  __shfl_xor_sync(kAll, drawn.logit, step));
        }
        if (threadIdx.x % 32 == 0) {
            values[threadIdx.x / 32] = value;
            parts[threadIdx.x / 32] = drawn;
        }
        __syncthreads();
#pragma unroll
        for (int i = 0; i < 4; i++) unite(values[i], parts[i].token, parts[i].logit);
    }
    if (threadIdx.x != 0) return;
    const int token = drawn.token >= 0 && drawn.token < a.n ? drawn.token : 0;
    a.tokens[row] = token;
    if (a.remembered != nullptr) a.remembered[row] = token;
    a.log_probability[row] = log_probability(drawn.logit, all);
    a.flags[row] = all.flag;
}

constexpr int kHalf = 104 << 10;
constexpr int kWhole = 225 << 10;
constexpr int kRowBytes = 4 * kScratchRow;

}  // namespace products

using products::kHalf;
using products::kWhole;
using products::kRowBytes;

// Kernels by R, N; then the shape: rows of a block, outputs, depth, ring bytes, cluster rows, cluster outputs, scratch.
#define PRODUCTS_HEAD(KERNEL)                                                                                           \
    KERNEL(score, Score, ScoreEpilogue, 4, 256, 256, 128, 256, 1, kWhole, 2, 1)                                         \
    KERNEL(choose, Choose, ChooseEpilogue, 5, 8, 128, 8, 128, 1, kHalf, 1, 1, 8 * kRowBytes)                            \
    KERNEL(choose, Choose, ChooseEpilogue, 5, 64, 128, 64, 128, 1, 150 << 10, 1, 2, 128 * kRowBytes, false, true)       \
    KERNEL(choose, Choose, ChooseEpilogue, 5, 256, 128, 64, 128, 1, 150 << 10, 2, 1, 128 * kRowBytes, false, true)

#define PRODUCTS_KERNEL(name, type, epilogue, code, r, outputs, height, ...)                                   \
    extern "C" __global__ void __cluster_dims__(products::Shape<height, __VA_ARGS__>::kCluster)                \
        __launch_bounds__(products::Shape<height, __VA_ARGS__>::kThreads, 1)                                   \
            products_##name##_r##r##_n##outputs(const __grid_constant__ products::type a) {                  \
        products::run<products::Shape<height, __VA_ARGS__>>(products::epilogue{a}, a.map, a.w, a.rows, a.k, a.n); \
    }
#define PRODUCTS_ENTRY(name, type, epilogue, code, r, outputs, height, ...) \
    {code, r, outputs, products::Shape<height, __VA_ARGS__>::kCluster,      \
     products::Shape<height, __VA_ARGS__>::kThreads, products::Shape<height, __VA_ARGS__>::kSharedBytes, 0, 0},
#define PRODUCTS_ALL(KERNEL) PRODUCTS_HEAD(KERNEL)

#include "products_catalog.cuh"
