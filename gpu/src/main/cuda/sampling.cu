// What a law that is cut off needs of a row of logits: its sums, and the tokens of the largest logits in order. The host
// ends the choice with them (top-k, top-p, min-p, penalties), so that a row's few thousand bytes leave the device and not
// its vocabulary. Every kernel takes one struct by value; the number of live rows is read from device memory.
#include <cmath>
#include <cstdint>

#include "noise.cuh"
#include "overlap.cuh"

namespace {

constexpr int kThreads = 1024;
constexpr int kWarps = kThreads / 32;
constexpr int kRanks = 1024;  // tokens that are ranked
constexpr int kBins = 2048;
constexpr uint32_t kAll = ~0u;

// How a row is to be looked at.
struct Ask {
    float temperature;  // of mass and draw; 0: no mass
    float penalty;      // divides positive and multiplies negative logits of tokens seen; 1: none
    int seen_first;     // in the list of tokens seen
    int seen_count;
    products::Draw draw;
    int drawn;  // whether the token of the largest (double) logit / temperature + noise is wanted
    int reserved[3];
};
static_assert(sizeof(Ask) == 64, "the host lays this out by hand");

// What is found. Then come, kRanks of each: tokens, their logits after the penalty, their logits before.
struct Found {
    double sum;     // of exp(logit - largest), before the penalty
    double mass;    // of exp((logit - highest) / temperature), after it
    float largest;  // logit before the penalty
    float highest;  // and after
    int flag;       // 1 where a logit is NaN, or the largest is infinite
    int drawn;      // token, or -1
};
static_assert(sizeof(Found) == 32, "the host reads this by hand");

// One for each block; every thread gets the result, the same whatever the order in which threads come.
template <typename Number, typename Unite>
__device__ __forceinline__ Number of_block(Number mine, Number* parts, const Unite& unite) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) mine = unite(mine, __shfl_xor_sync(kAll, mine, step));
    __syncthreads();
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = mine;
    __syncthreads();
    mine = parts[threadIdx.x % 32];
#pragma unroll
    for (int step = 16; step > 0; step /= 2) mine = unite(mine, __shfl_xor_sync(kAll, mine, step));
    return mine;
}

// Unsigned numbers that rise with the value; both zeros alike.
__device__ __forceinline__ uint32_t rising(float value) {
    const uint32_t bits = __float_as_uint(__fadd_rn(value, 0.0f));
    return bits ^ (static_cast<uint32_t>(static_cast<int32_t>(bits) >> 31) | 0x80000000u);
}

}  // namespace

// Grid: rows. Dynamic shared memory: a bit for each token, in whole words.
struct Rank {
    const float* logits;  // [rows, stride]
    const Ask* asks;      // [rows]
    const int* seen;      // tokens; a row's are distinct
    char* out;            // [rows] of Found and its lists
    const int* rows;
    int stride;
    int n;  // tokens of the vocabulary
};
static_assert(sizeof(Rank) == 48, "the host lays this out by hand");

extern "C" __global__ void __launch_bounds__(kThreads, 1) sampling_rank(const __grid_constant__ Rank p) {
    extern __shared__ uint32_t seen[];
    __shared__ double doubles[32];
    __shared__ float floats[32];
    __shared__ int counts[32];
    __shared__ int histogram[kBins];
    __shared__ uint64_t ranked[kRanks];
    __shared__ int found[3];  // the bin, how many are above it, how many are in it
    overlap::next_may_start();
    overlap::wait_for_previous();
    if (blockIdx.x >= *p.rows) return;
    const int thread = threadIdx.x;
    const int lane = thread % 32;
    const float* const logits = p.logits + static_cast<int64_t>(blockIdx.x) * p.stride;
    const Ask& ask = p.asks[blockIdx.x];
    const bool penalised = ask.penalty != 1 && ask.seen_count > 0;
    const auto add = [](double a, double b) { return __dadd_rn(a, b); };
    const auto more = [](float a, float b) { return fmaxf(a, b); };

    if (penalised) {
        for (int word = thread; word * 32 < p.n; word += kThreads) seen[word] = 0;
        __syncthreads();
        for (int i = thread; i < ask.seen_count; i += kThreads) {
            const int token = p.seen[ask.seen_first + i];
            if (token >= 0 && token < p.n) atomicOr(&seen[token / 32], 1u << token % 32);
        }
        __syncthreads();
    }
    const auto after = [&](int token, float logit) {
        if (!penalised || (seen[token / 32] >> token % 32 & 1) == 0) return logit;
        return logit > 0 ? __fdiv_rn(logit, ask.penalty) : __fmul_rn(logit, ask.penalty);
    };

    float largest = -INFINITY;
    float highest = -INFINITY;
    bool nothing = false;
    for (int token = thread; token < p.n; token += kThreads) {
        const float logit = logits[token];
        nothing |= isnan(logit);
        largest = fmaxf(largest, logit);
        highest = fmaxf(highest, after(token, logit));
    }
    largest = of_block(largest, floats, more);
    highest = of_block(highest, floats, more);
    const bool flag = __syncthreads_or(nothing) != 0 || isinf(largest);

    double sum = 0;
    double mass = 0;
    const double temperature = ask.temperature;
    for (int token = thread; token < p.n; token += kThreads) {
        const float logit = logits[token];
        sum = __dadd_rn(sum, exp(__dsub_rn(logit, largest)));
        if (temperature > 0) mass = __dadd_rn(mass, exp(__ddiv_rn(__dsub_rn(after(token, logit), highest), temperature)));
    }
    sum = of_block(sum, doubles, add);
    mass = of_block(mass, doubles, add);

    // The number of the last that is ranked, digit by digit.
    const int wanted = min(kRanks, p.n);
    uint32_t last = 0;
    uint32_t known = 0;  // bits of `last`
    int left = wanted;
    for (int shift = 21; shift >= 0; shift = shift == 21 ? 10 : shift - 10) {
        const uint32_t digit = shift == 0 ? 0x3FF : 0x7FF;
        for (int bin = thread; bin < kBins; bin += kThreads) histogram[bin] = 0;
        __syncthreads();
        for (int token = thread; token < p.n; token += kThreads) {
            const uint32_t key = rising(after(token, logits[token]));
            if ((key & known) == last) atomicAdd(&histogram[key >> shift & digit], 1);
        }
        __syncthreads();
        if (thread < 32) {
            constexpr int kEach = kBins / 32;
            int mine = 0;
            for (int i = 0; i < kEach; i++) mine += histogram[lane * kEach + i];
            int through = mine;  // of this lane's bins and those above
#pragma unroll
            for (int step = 1; step < 32; step *= 2) {
                const int other = __shfl_down_sync(kAll, through, step);
                if (lane + step < 32) through += other;
            }
            if (through >= left && through - mine < left) {
                int above = through - mine;
                int bin = lane * kEach + kEach - 1;
                while (above + histogram[bin] < left) above += histogram[bin--];
                found[0] = bin;
                found[1] = above;
                found[2] = histogram[bin];
            }
        }
        __syncthreads();
        last |= static_cast<uint32_t>(found[0]) << shift;
        known |= digit << shift;
        left -= found[1];
        if (shift == 0) break;
    }

    // Those above it, in any order, then of its equals as many as are left, the lowest first.
    const bool all_equals = found[2] == left;
    ranked[thread] = 0;
    if (thread == 0) counts[0] = 0;
    __syncthreads();
    const auto entry = [](uint32_t key, int token) { return static_cast<uint64_t>(key) << 32 | ~static_cast<uint32_t>(token); };
    for (int token = thread; token < p.n; token += kThreads) {
        const uint32_t key = rising(after(token, logits[token]));
        if (key > last || (all_equals && key == last)) ranked[atomicAdd(&counts[0], 1)] = entry(key, token);
    }
    __syncthreads();
    if (!all_equals) {
        int placed = wanted - left;
        for (int first = 0; placed < wanted && first < p.n; first += kThreads) {
            const int token = first + thread;
            const bool equal = token < p.n && rising(after(token, logits[token])) == last;
            const uint32_t mates = __ballot_sync(kAll, equal);
            if (lane == 0) counts[thread / 32] = __popc(mates);
            __syncthreads();
            int before = __popc(mates & ((1u << lane) - 1));
            int together = 0;
            for (int warp = 0; warp < kWarps; warp++) {
                if (warp < thread / 32) before += counts[warp];
                together += counts[warp];
            }
            if (equal && placed + before < wanted) ranked[placed + before] = entry(last, token);
            placed += together;
            __syncthreads();
        }
    }
    __syncthreads();
    for (int size = 2; size <= kRanks; size *= 2) {
        for (int distance = size / 2; distance > 0; distance /= 2) {
            const int other = thread ^ distance;
            if (other > thread) {
                const uint64_t a = ranked[thread];
                const uint64_t b = ranked[other];
                if ((thread & size) == 0 ? a < b : a > b) {
                    ranked[thread] = b;
                    ranked[other] = a;
                }
            }
            __syncthreads();
        }
    }

    int drawn = -1;
    if (ask.drawn != 0 && temperature > 0) {
        double value = -INFINITY;
        int best = 0x7FFFFFFF;
        const products::Draw d = ask.draw;
        for (int token = thread; token < p.n; token += kThreads) {
            const double mine = __dadd_rn(
                __ddiv_rn(after(token, logits[token]), temperature),
                products::gumbel(products::philox(token, d.position, d.purpose, d.stream, d.key0, d.key1)));
            if (mine > value) {
                value = mine;
                best = token;
            }
        }
        const double most = of_block(value, doubles, [](double a, double b) { return fmax(a, b); });
        const int candidate = value == most ? best : 0x7FFFFFFF;
        __syncthreads();
        drawn = of_block(candidate, counts, [](int a, int b) { return min(a, b); });
    }

    char* const out = p.out + static_cast<int64_t>(blockIdx.x) * (sizeof(Found) + 12 * kRanks);
    if (thread == 0) *reinterpret_cast<Found*>(out) = {sum, mass, largest, highest, flag, drawn};
    if (thread < wanted) {
        const int token = static_cast<int>(~static_cast<uint32_t>(ranked[thread]));
        int* const tokens = reinterpret_cast<int*>(out + sizeof(Found));
        float* const laid = reinterpret_cast<float*>(tokens + kRanks);
        const float logit = logits[token];
        tokens[thread] = token;
        laid[thread] = after(token, logit);
        laid[kRanks + thread] = logit;
    }
}
