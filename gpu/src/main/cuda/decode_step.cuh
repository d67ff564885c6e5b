// A step of decoding with few rows, all layers of it, in one launch: what the host hands over, and how the kernel works.
//
// With few rows a step takes what its weights take to come from memory, if nothing holds them up. Between separate kernels
// memory stands still: while one ends and the next begins, while a norm, a rotation or attention runs. Here one block on each
// multiprocessor goes through the whole step. One warp of it, the producer, streams the block's share of all weights, in the
// order in which they will be used, through one ring in shared memory; it waits for nothing but room, and for copies not to
// be too many at a time. Eight warps consume: where they wait for other blocks, or compute what needs no weights, the ring fills.
//
// The phases of a layer, with a barrier of all blocks between them:
//   1. norm of the residual; queries, keys and values       every block norms all rows for itself
//   2. attention: units of chunks (attention_paged.cuh)     whoever has a unit rotates its queries, and the new keys in it,
//                                                           which it stores; partial results go to memory
//   3. (merging, where there is much of it, spread over the blocks; else every block merges all for itself)
//   4. output projection, added to the residual
//   5. norm; gate and up, gated
//   6. down, added to the residual
// After the last, the first blocks norm a row each. What does not depend on the phase before is fetched before its barrier:
// gains, the next layer's row of the table, keys and values of earlier steps.
//
// Bits are those of the kernels that do the same one by one: a norm has the tree of rows_normalize, a product one chain of
// m16n8k16 over ascending inputs, attention the chunks and merges of attention_paged.cuh. Which path a row takes changes
// nothing. DecoderProbe compares the two.
//
// Products. Sixteen outputs (a strip of a tile of W, 2 KiB for 64 inputs) are one chain, of one warp. A block has
// consecutive strips, at most eight at a time; a slot of the ring has the next tiles of all of them. X is in shared memory, the
// rows that are live, in tiles of 64 columns with the swizzle of W; as much as fits, then more of it.
//
// Barriers. All blocks are resident: the launch is cooperative, one block a multiprocessor. A counter in global memory counts
// arrivals of the launch; there are two, used by turns, and a launch clears the one that the next will use (it ran out with the
// launch before). So a recorded launch can be replayed, and launches that share a barrier's memory follow one another in a
// stream. Two steps on one device cannot hold each other up half resident: the driver starts a cooperative launch only where
// all of it fits.
#pragma once

#include <cstddef>
#include <cstdint>

namespace decode_step {

constexpr int kMostRows = 8;

// A layer's weights, in device memory. Matrices as products.cuh says, biases may be null, gains of heads too.
struct Layer {
    const float* attention_gain;        // [hidden]
    const void* query_key_value;        // [(query_heads + 2 key_heads) width, hidden]
    const float* query_key_value_bias;
    const float* query_gain;            // [width]
    const float* key_gain;              // [width]
    const void* output;                 // [hidden, query_heads width]
    const float* output_bias;
    const float* feed_forward_gain;     // [hidden]
    const void* gate_up;                // [2 intermediate, hidden], gated
    const float* gate_up_bias;
    const void* down;                   // [hidden, intermediate]
    const float* down_bias;
    int32_t window;
    float scale;
    float head_epsilon;
    int32_t reserved[5];
};
static_assert(sizeof(Layer) == 128 && offsetof(Layer, window) == 96, "the host lays this out by hand");

// Parameter of decode_step_<W>, W the least of 64, 128, 256 that holds the width. Grid: one block for each multiprocessor,
// launched cooperatively; threads and dynamic shared memory as decode_step_info says.
struct Step {
    const Layer* layers;
    const float* gain;          // [hidden], of the last norm
    const int32_t* rows;        // [1]: 0 to 8
    const int32_t* sequences;   // [1]
    const int32_t* positions;   // [rows]
    const int32_t* starts;      // [sequences + 1]
    const int32_t* table;       // [sequences][table_stride]
    const float* cosine;        // [positions][rotary_width / 2]
    const float* sine;
    void* cache;
    float* residual;            // [rows, hidden], in: embeddings
    void* projected;            // bf16 [8, projected_stride], what the phases hand on
    void* attended;             // bf16 [8, attended_stride]
    void* gated;                // bf16 [8, gated_stride]
    void* normed;               // bf16 [8, normed_stride], out
    float* scratch;             // scratch_units * 16 * (width + 2) floats: partial results
    uint32_t* barrier;          // 384 bytes, zeroed before the first launch: epoch, and two counters 128 bytes apart
    int32_t layer_count;
    int32_t hidden;             // a multiple of 8
    int32_t query_heads;
    int32_t key_heads;
    int32_t width;              // a multiple of 8
    int32_t rotary_width;       // a multiple of 8
    int32_t intermediate;       // a multiple of 8
    int32_t page_tokens;
    int32_t table_stride;
    int32_t projected_stride;   // elements
    int32_t attended_stride;
    int32_t gated_stride;
    int32_t normed_stride;
    int32_t scratch_units;      // at least 16 for each block, and for each of 8 tiles and each key head the sections of a table
    float epsilon;
    int32_t reserved;
};
static_assert(sizeof(Step) == 200 && offsetof(Step, layer_count) == 136, "the host lays this out by hand");

}  // namespace decode_step
