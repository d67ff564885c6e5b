// What the host hands to the backward of attention, and what its three kernels share.
//
// Gradients of out = softmax(scale Q K^T) V, row by row over the keys the row may see:
//   P = exp(scale Q K^T - LSE), dV = P^T dO, dP = dO V^T, D = rowsum(out dO), dS = P (dP - D),
//   dQ = scale dS K, dK = scale dS^T Q.
// Three launches on one stream, the same Arguments for each:
//   NAME_prepare   grid (heads, tiles + batch), 128 threads: D and the LSE as the products want them, turns, descriptors
//   NAME           grid: at most one block per multiprocessor, NAME_info[0] threads, NAME_info[1] bytes of shared memory
//   NAME_finish    grid (heads, tiles), 256 threads: dQ from its fp32 sums
//
// With capped scores, softcap * tanh(scale Q K^T / softcap) in the place of scale Q K^T, dS has the slope of the cap in it:
// kernels of their own, attention_backward_softcap_.., for head sizes 96 and 128. Sinks need nothing: they are in `out` and `lse`, and
// dsink = -sum over the head's rows of exp(sink - LSE) D.
//
// Kernels: head sizes 64, 96 and 128. Settings that bench/h200/attention-backward.jsonl bears out: `rotation` -1, `section` 16,
// or 32 where not every query sees every key and tokens_k <= 4096; `together` is then of no account.
//
// The sum of dQ over keys: a block of the grid works through the queries for one block of keys, and adds its share of dQ
// to sums in global memory. Unless `any_order`, the blocks of keys take turns at each tile of queries in a fixed order, so
// that a rerun gives the same bits, on any grid and whatever else there is to do; else they add as they come.
//
// The order: a head's blocks of keys form groups of `together`, in ascending order, and so do the turns of groups. The
// blocks of a group are at work side by side and should never meet at a tile, so the order within a group is that in which
// they come along if all begin at once. Where later keys are seen by later queries (`rotation` 0), a block begins with the
// first queries that see its keys: the last block of the group comes first. Where all queries see all keys, neighbours
// begin `rotation` tiles apart, the last block of the group with the first tile, and go around. With `rotation` -1 all
// begin with the last tile and go down, and turns are in ascending order; groups have no meaning then.
#pragma once

#include <cstddef>
#include <cstdint>

namespace attention {

// One by-value kernel parameter of 392 bytes. Strides count elements. A tensor is [batch][token][head][column] under its
// strides, columns contiguous, every stride a multiple of 16 bytes; `lse` is the forward's, [batch][head][token].
// Sequences of different lengths, masks and kUnlimited: as for the forward, in attention.cuh.
struct BackwardArguments {
    const void* q;
    const void* k;
    const void* v;
    const void* out;
    const void* d_out;
    const float* lse;
    void* dq;
    void* dk;
    void* dv;
    const int32_t* starts_q;
    const int32_t* starts_k;
    const int2* visible;
    void* descriptors;  // 128 + 512 * batch bytes, 128-byte aligned: counters, then descriptors of Q, dO, K, V
    int32_t* turns;     // [heads][tiles]
    float* statistics;  // [heads][tiles][2][rows]: -log2(e) * LSE, D
    float* sums;        // [heads][tiles][rows * padded head size]: dQ, in the order of the registers it comes from
    int64_t q_batch, q_token, q_head;
    int64_t k_batch, k_token, k_head;
    int64_t v_batch, v_token, v_head;
    int64_t out_batch, out_token, out_head;
    int64_t d_out_batch, d_out_token, d_out_head;
    int64_t dq_batch, dq_token, dq_head;
    int64_t dk_batch, dk_token, dk_head;
    int64_t dv_batch, dv_token, dv_head;
    int64_t lse_batch, lse_head;
    int32_t batch;
    int32_t heads;
    int32_t kv_heads;
    int32_t tokens_q;
    int32_t tokens_k;
    int32_t tiles;  // of NAME_info[2] queries: batch * ceil(tokens_q / rows); with starts_q, all tokens / rows + batch
    int32_t window_left;
    int32_t window_right;
    int32_t section;   // heads of keys that are worked on side by side; their sums of dQ should fit the L2 cache
    int32_t together;  // blocks of keys in a group; section * together must not exceed the grid, else they are fewer
    int32_t rotation;  // 0 unless every query sees every key
    int32_t any_order;
    float scale;
    float softcap;  // above 0; read by the kernels for capped scores alone
};
static_assert(sizeof(BackwardArguments) == 392, "the host lays this out by hand");
static_assert(offsetof(BackwardArguments, q_batch) == 128 && offsetof(BackwardArguments, lse_batch) == 320, "offsets");
static_assert(offsetof(BackwardArguments, batch) == 336 && offsetof(BackwardArguments, scale) == 384, "offsets");

constexpr int kDescriptorBytes = 128;
enum class Mapped { kQueries, kGradients, kKeys, kValues };

__device__ __forceinline__ char* descriptor(const BackwardArguments& a, int sequence, Mapped tensor) {
    return static_cast<char*>(a.descriptors) +
           kDescriptorBytes * (1 + 4 * static_cast<int64_t>(sequence) + static_cast<int>(tensor));
}

struct Span {
    int32_t start;   // first token; 0 where sequences are equally long
    int32_t length;
};

__device__ __forceinline__ Span span(const int32_t* starts, int tokens, int sequence) {
    if (starts == nullptr) return {0, tokens};
    const int start = __ldg(starts + sequence);
    return {start, __ldg(starts + sequence + 1) - start};
}

// Number of the sequence's first tile of queries. With starts_q some numbers belong to no tile.
template <int kRows>
__device__ __forceinline__ int first_tile(const BackwardArguments& a, int sequence, int start_q) {
    return a.starts_q == nullptr ? sequence * ((a.tokens_q + kRows - 1) / kRows) : start_q / kRows + sequence;
}

// A tile by its number: its sequence, and its place there.
struct QueryTile {
    int32_t sequence;
    int32_t row;  // first query
    Span queries;
};

// False: no tile has this number.
template <int kRows>
__device__ __forceinline__ bool find_tile(const BackwardArguments& a, int number, QueryTile& tile) {
    if (a.starts_q == nullptr) {
        const int each = (a.tokens_q + kRows - 1) / kRows;
        tile.sequence = number / each;
        tile.queries = {0, a.tokens_q};
        tile.row = (number - tile.sequence * each) * kRows;
        return true;
    }
    int low = 0;  // the last sequence whose first tile is not behind this one
    int high = a.batch - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (__ldg(a.starts_q + middle) / kRows + middle <= number) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    tile.sequence = low;
    tile.queries = span(a.starts_q, 0, low);
    tile.row = (number - first_tile<kRows>(a, low, tile.queries.start)) * kRows;
    return tile.row < tile.queries.length;
}

}  // namespace attention
