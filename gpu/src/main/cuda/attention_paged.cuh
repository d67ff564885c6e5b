// Attention over a paged cache of keys and values: what the host hands to the kernels, and what a result is.
//
// A step is five kernels: `attention_plan` once (once for each distinct window), then in each layer
// `attention_prepare`, `attention_paged_<width>_<tile>` and `attention_paged_merge`; `attention_copy_page` when pages
// are shared. Each takes one of the structs below by value as its only parameter. Pointers come first, then 4-byte
// fields; offsets are asserted. All pointers are device pointers, 16-byte aligned unless stated.
//
// Decode (one row a sequence), verification (a few) and prefill (any number) are the same operation and may share a
// step. Grids may be any size and stay as they are when a captured graph is replayed with other sequences: what varies
// is read from device memory.
//
// What a result is. Every row stands on its own: its bits depend on its query, the keys and values it sees and their
// positions, the window and the scale; not on other rows, sequences, page numbers, the kernel (tile), the grid, or the
// plan. Keys go by absolute position in chunks of 256, chunks in sections of 2048.
//   * A chunk starts with maximum m = -inf, sum l = 0, output o = 0 and takes blocks of 64 keys in order:
//     s = q.k by mma m16n8k16 or wgmma k16 (bf16 in, fp32 accumulator; the same bits), width in ascending steps of 16;
//     -inf where not seen;
//     r = max(m, max s); if r - m, times c = scale * log2(e), exceeds 8: f = ex2(-(r - m) * c), o *= f, m = r; else f = 1;
//     p = ex2(fma(s, c, -(m * c))); o adds bf16(p) v by mma m16n8k16, keys in ascending steps of 16.
//     l is kept as four sums, one for each lane of a quad: of a block's p at 8 j + 2 (lane % 4) + {0, 1}, j ascending,
//     from zero, joined by l = fma(l, f, sum); added up as (0+1) + (2+3) when the chunk ends.
//   * Merging (m, l, o) into (M, L, O): R = max(M, m), a = ex2((M - R) * c), b = ex2((m - R) * c), O = fma(O, a, o * b),
//     L alike, M = R. Chunks merge in ascending order into their section, sections in ascending order into the whole.
//   * out = bf16(O * (1 / L)).
// A key that is not seen adds p = 0, and a block, chunk or section without any seen key merges as the identity, so
// leaving it out changes no bit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace attention_paged {

constexpr int kBlockKeys = 64;
constexpr int kChunkKeys = 256;
constexpr int kSectionKeys = 2048;
constexpr int32_t kNoWindow = 0x7fffffff;

// attention_plan: one block of 1024 threads. Lays out the work of the attention kernels for this step.
//
// Rows of sequence i are starts[i] to starts[i + 1], starts[0] = 0; row r is at positions[r], one more than the row
// before it in its sequence. Their keys and values stand (or will, after attention_prepare) at these positions in
// the pages table[i * table_stride + position / page_tokens].
struct Plan {
    const int32_t* sequences;  // [1]: how many sequences there are; 0 is allowed
    const int32_t* starts;     // [sequences + 1]
    const int32_t* positions;  // [rows]
    const int32_t* table;      // [sequences][table_stride]: page numbers
    int32_t* pages;            // out [rows]: the page of each row's own position; null: not written
    void* plan;                // out: 64 + 64 * item_capacity bytes
    int32_t table_stride;
    int32_t page_tokens;    // a power of two, at least 16
    int32_t group_heads;    // query heads for each key head, 1 to 16
    int32_t key_heads;
    int32_t window;         // a row at p sees p - window + 1 to p; kNoWindow: all up to p
    int32_t tile_rows;      // 16, 64, 128 or 256: the kernel that will run
    int32_t groups;         // blocks of that kernel times its groups in a block (its info)
    int32_t slot_rows;      // tiles with more rows than this are not split over groups; at most tile_rows
    int32_t slot_capacity;  // most partial results of one key head; any even number >= 0, the plan keeps within it
    int32_t item_capacity;  // at least sequences + rows * group_heads / tile_rows + slot_capacity, for the most of each
};
static_assert(sizeof(Plan) == 88, "the host lays this out by hand");

// attention_paged_<W>_<T>, W the smallest of 32, 64, 96, 128, 256 that holds the width, T (tile_rows of the plan) 16, 64 or the
// large one: 256 for W = 64, 128 for W = 96 and 128. Any T computes any step, with the same bits. T = 16 is made for at most
// 16 / group_heads rows a sequence, T = 64 for more, the large one for prefill: sequences that fill it, and enough tiles for
// all multiprocessors. Launch processors * info[3] blocks, of the module's int attention_paged_<W>_<T>_info[4]: threads of a
// block, bytes of dynamic shared memory, groups of a block, blocks that fit a multiprocessor.
//
// What is split is decode and verification, where whole tiles would leave groups idle: slot_rows is group_heads times
// the rows of such sequences, at most tile_rows. 1024 slots serve; with fewer, less is split.
//
// Scratch, in floats: slot_capacity * key_heads * slot_rows * (W + 2) + groups * T * (W + 8).
struct Paged {
    const void* query;         // bf16 [rows][query_stride]: heads * width from the pointer on
    const void* cache;         // bf16, layout below
    const int32_t* table;      // as the plan's
    const uint64_t* visible;   // [rows], bit i: the row sees the key at its own position - i (i < 64; bit 0 is itself);
                               // keys further back are seen as ever. Null: all bits set. For trees of drafted tokens.
    const void* plan;          // its counters change while a kernel runs
    float* scratch;
    void* out;                 // bf16 [rows][out_stride]: heads * width
    int32_t query_stride;      // elements, a multiple of 8
    int32_t out_stride;        // elements, a multiple of 2
    int32_t table_stride;
    int32_t page_tokens;
    int32_t layer;
    int32_t layers;
    int32_t key_heads;
    int32_t group_heads;
    int32_t width;             // a multiple of 8, at most 256
    int32_t window;            // as the plan's
    int32_t slot_rows;         // as the plan's
    int32_t slot_capacity;     // as the plan's
    int32_t item_capacity;     // as the plan's
    float scale;               // times q.k; positive
};
static_assert(sizeof(Paged) == 112 && offsetof(Paged, query_stride) == 56, "the host lays this out by hand");

// attention_paged_merge: 256 threads a block, any grid (it does nothing where the plan split nothing). Takes the same
// Paged parameter as the attention kernel before it.

// The cache: element ((((page * layers + layer) * 2 + values) * key_heads + head) * page_tokens + token) * width + column,
// values 0 for keys and 1 for values.

// attention_prepare: 256 threads a block, any grid. For each row: optional RMS norm of each query and key head
// (x * rsqrt(mean(x^2) + epsilon) * gain), optional rotation of their first rotary_width components (i pairs with
// i + rotary_width / 2), queries written in place, keys and values appended to their pages. fp32 from the bf16
// inputs, rounded once.
struct Prepare {
    const int32_t* rows;       // [1]: how many rows there are
    const int32_t* positions;  // [rows]: where keys and values go
    const int32_t* pages;      // [rows]: from the plan
    const int32_t* rotary_positions;  // [rows]: the row of cosine and sine; null: positions
    void* query;               // bf16 [rows][query_stride], in and out
    const void* key;           // bf16 [rows][key_stride]: key_heads * width
    const void* value;         // bf16 [rows][value_stride]: key_heads * width
    void* cache;
    const float* query_gain;   // [width]; null: no norm
    const float* key_gain;     // [width]; null: no norm
    const float* cosine;       // [positions][rotary_width / 2]; null: no rotation
    const float* sine;
    int32_t query_stride;      // elements, multiples of 8
    int32_t key_stride;
    int32_t value_stride;
    int32_t query_heads;
    int32_t key_heads;
    int32_t width;             // a multiple of 8, at most 256
    int32_t rotary_width;      // a multiple of 8, at most width
    int32_t page_tokens;
    int32_t layer;
    int32_t layers;
    float epsilon;
    int32_t reserved;
};
static_assert(sizeof(Prepare) == 144 && offsetof(Prepare, query_stride) == 96, "the host lays this out by hand");

// attention_copy_page: 256 threads a block, any grid. Copies the first tokens of one page to another, in all layers.
struct CopyPage {
    void* cache;
    int32_t source;
    int32_t destination;
    int32_t tokens;            // at most page_tokens
    int32_t page_tokens;
    int32_t layers;
    int32_t key_heads;
    int32_t width;
    int32_t reserved;
};
static_assert(sizeof(CopyPage) == 40, "the host lays this out by hand");

// ---- the plan, as the kernels read it: a header of 64 bytes, item_capacity items, item_capacity merges ----

struct PlanHeader {
    int32_t items;
    int32_t short_merges;  // of at most kShortMerge partial results; at the front of the merges
    int32_t long_merges;   // at the back, the last first
    int32_t taken;         // while a kernel of large tiles runs: what its blocks have taken beyond their first work
    int32_t left;          // and how many of them found nothing more to take
    int32_t reserved[11];
};
static_assert(sizeof(PlanHeader) == 64, "the items follow");

constexpr int kShortMerge = 16;

// What one group does for one key head. A tile is `count` of the packed rows of a sequence from `first` on; packed row i
// is query head i % group_heads of row i / group_heads.
struct alignas(16) Item {
    int32_t sequence;
    int32_t row;          // the first row of the sequence
    int32_t position;     // and where it stands
    int32_t first;
    int32_t count;
    int32_t first_chunk;  // chunks of keys, the last excluded
    int32_t end_chunk;
    int32_t slot;         // where the partial result goes; -1: the item has all chunks and writes `out`
};
static_assert(sizeof(Item) == 32, "two 16-byte reads");

struct alignas(16) Merge {
    int32_t row;
    int32_t first;
    int32_t count;
    int32_t slot;      // of the first partial result
    int32_t slots;
    int32_t unit;      // chunk or section of the first partial result
    int32_t sections;  // 1: partial results are of sections; 0: of chunks
    int32_t reserved;
};
static_assert(sizeof(Merge) == 32, "two 16-byte reads");

__device__ __forceinline__ const PlanHeader& header(const void* plan) { return *static_cast<const PlanHeader*>(plan); }

__device__ __forceinline__ Item* items(void* plan) {
    return reinterpret_cast<Item*>(static_cast<char*>(plan) + sizeof(PlanHeader));
}

__device__ __forceinline__ const Item* items(const void* plan) {
    return reinterpret_cast<const Item*>(static_cast<const char*>(plan) + sizeof(PlanHeader));
}

}  // namespace attention_paged
