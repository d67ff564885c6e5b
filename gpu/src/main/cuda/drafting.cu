// Drafting where the logits are: which tokens could be chosen next, and steps that follow one another without the host.
// Every kernel takes one struct by value; the number of live rows is read from device memory.
#include <cmath>
#include <cstdint>

#include "noise.cuh"
#include "overlap.cuh"

namespace {

using products::Draw;

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kEach = 8;  // tokens of a thread
constexpr int kSlice = kThreads * kEach;
constexpr int kNone = 0x7FFFFFFF;

struct Candidate {
    double value;
    int token;
};

__device__ __forceinline__ bool before(const Candidate& a, const Candidate& b) {
    return a.value > b.value || (a.value == b.value && a.token < b.token);
}

// The best that any thread of the block has; every thread gets it. `round` is how often it was called before.
__device__ __forceinline__ Candidate best_of_block(Candidate mine, int round) {
    __shared__ Candidate parts[2][kWarps];
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
        const Candidate other = {__shfl_xor_sync(~0u, mine.value, step), __shfl_xor_sync(~0u, mine.token, step)};
        if (before(other, mine)) mine = other;
    }
    if (threadIdx.x % 32 == 0) parts[round % 2][threadIdx.x / 32] = mine;
    __syncthreads();
#pragma unroll
    for (int warp = 0; warp < kWarps; warp++) {
        if (before(parts[round % 2][warp], mine)) mine = parts[round % 2][warp];
    }
    return mine;
}

}  // namespace

// Of each row the tokens of the greatest (double) logit / temperature + noise, of the greatest logit where the
// temperature is 0; best first, the lowest id first on a tie.
struct Candidates {
    const float* logits;  // [rows, ld]
    const Draw* draws;    // [rows]
    const int* rows;
    double* values;       // workspace: [rows, slices, count]
    int* ids;             // workspace: [rows, slices, count]
    int* tokens;          // [rows, count]; all -1 for a row with a logit that is not finite
    int n;                // tokens of the vocabulary, at least count
    int ld;
    int count;            // at most 256
    int slices;           // of 2048 tokens, at most 256
};
static_assert(sizeof(Candidates) == 64, "the host lays this out by hand");

// Grid: slices, rows. The best of each slice.
extern "C" __global__ void __launch_bounds__(kThreads) drafting_candidates(const __grid_constant__ Candidates a) {
    overlap::next_may_start();
    overlap::wait_for_previous();
    const int row = blockIdx.y;
    if (row >= *a.rows) return;
    const Draw draw = a.draws[row];
    const float* const logits = a.logits + static_cast<int64_t>(row) * a.ld;
    const int first = blockIdx.x * kSlice + threadIdx.x;
    double values[kEach];
    bool finite = true;
#pragma unroll
    for (int i = 0; i < kEach; i++) {
        const int token = first + i * kThreads;
        values[i] = -INFINITY;
        if (token >= a.n) continue;
        const float logit = logits[token];
        finite &= isfinite(logit);
        values[i] = draw.temperature == 0 ? logit : products::exact(draw, logit, token);
    }
    const int64_t out = (static_cast<int64_t>(row) * a.slices + blockIdx.x) * a.count;
    if (__syncthreads_or(!finite)) {
        if (threadIdx.x == 0) a.ids[out] = -1;
        return;
    }
    for (int place = 0; place < a.count; place++) {
        Candidate mine = {-INFINITY, kNone};
#pragma unroll
        for (int i = 0; i < kEach; i++) {
            const Candidate one = {values[i], first + i * kThreads};
            if (one.value > -INFINITY && before(one, mine)) mine = one;
        }
        const Candidate best = best_of_block(mine, place);
        if (threadIdx.x == 0) {
            a.values[out + place] = best.value;
            a.ids[out + place] = best.token;
        }
#pragma unroll
        for (int i = 0; i < kEach; i++) {
            if (first + i * kThreads == best.token) values[i] = -INFINITY;
        }
    }
}

// Grid: rows. Merges the slices' lists: each is in order, so that only their heads compete.
extern "C" __global__ void __launch_bounds__(kThreads) drafting_candidates_finish(const __grid_constant__ Candidates a) {
    overlap::next_may_start();
    overlap::wait_for_previous();
    const int row = blockIdx.x;
    if (row >= *a.rows) return;
    const int64_t list = (static_cast<int64_t>(row) * a.slices + threadIdx.x) * a.count;
    const bool there = threadIdx.x < a.slices;
    int* const tokens = a.tokens + static_cast<int64_t>(row) * a.count;
    if (__syncthreads_or(there && a.ids[list] < 0)) {
        for (int place = threadIdx.x; place < a.count; place += kThreads) tokens[place] = -1;
        return;
    }
    int taken = 0;
    for (int place = 0; place < a.count; place++) {
        Candidate mine = {-INFINITY, kNone};
        if (there && taken < a.count) mine = {a.values[list + taken], a.ids[list + taken]};
        const Candidate best = best_of_block(mine, place);
        if (best.token == mine.token) taken++;
        if (threadIdx.x == 0) tokens[place] = best.token;
    }
}

// What was chosen becomes the next step's row, one position on; where a row may not go further, its step stays as it is:
// computed again it gives the same bits.
struct Follow {
    const int* rows;
    const int* chosen;  // [rows]
    const int* flags;   // [rows] not 0 where there was nothing to choose from
    const int* last;    // [rows] the last position that a step may have
    int* tokens;        // [rows] of the step
    int* positions;     // [rows] of the step
    Draw* draws;        // [rows] for the position behind the step's
    int* out;           // [rows] chosen tokens for the host, -1 where there was none
};
static_assert(sizeof(Follow) == 64, "the host lays this out by hand");

// Grid: enough threads for the rows.
extern "C" __global__ void __launch_bounds__(kThreads) drafting_follow(const __grid_constant__ Follow a) {
    overlap::next_may_start();
    overlap::wait_for_previous();
    const int row = blockIdx.x * kThreads + threadIdx.x;
    if (row >= *a.rows) return;
    const int token = a.chosen[row];
    a.out[row] = a.flags[row] == 0 ? token : -1;
    if (a.positions[row] < a.last[row]) {
        a.tokens[row] = token;
        a.positions[row]++;
        a.draws[row].position++;
    }
}

// Copies the first tokens of pages to other pages of the same cache.
struct CopyPages {
    void* cache;
    const int* copies;  // [count, 3]: from, to, tokens
    int page_tokens;
    int heads;          // of all layers, keys and values
    int width;
    int unused;
};
static_assert(sizeof(CopyPages) == 32, "the host lays this out by hand");

// Grid: any, count.
extern "C" __global__ void __launch_bounds__(kThreads) drafting_copy_pages(const __grid_constant__ CopyPages a) {
    overlap::next_may_start();
    overlap::wait_for_previous();
    const int* const copy = a.copies + 3 * blockIdx.y;
    const int64_t from = copy[0];
    const int64_t to = copy[1];
    // pieces of 16 bytes; a head's tokens are contiguous
    const int pieces = copy[2] * a.width / 8;
    const int64_t head_pieces = static_cast<int64_t>(a.page_tokens) * a.width / 8;
    uint4* const cache = static_cast<uint4*>(a.cache);
    for (int i = blockIdx.x * kThreads + threadIdx.x; i < a.heads * pieces; i += gridDim.x * kThreads) {
        const int head = i / pieces;
        cache[(to * a.heads + head) * head_pieces + i % pieces] = cache[(from * a.heads + head) * head_pieces + i % pieces];
    }
}
