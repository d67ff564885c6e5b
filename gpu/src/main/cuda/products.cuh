// What the host hands to the kernels of the matrix-product family, and how it picks one.
//
//   out[rows, n] = X[rows, k] W[n, k]^T, bf16 operands, fp32 accumulation
//
// Every output element is one chain of tensor-core products over k in ascending steps of 16, in every kernel of the
// family, so a row's bits depend on that row, the weights and n alone: not on the kernel, the rows beside it or the
// grid.
//
// Operands
//   X  bf16 row-major [capacity, ld], 16-byte aligned, ld a multiple of 64. Columns from the true number of inputs up to
//      k (the next multiple of 64) hold zeros. Rows at and beyond the current count may hold anything. Kernels read it
//      through `map`: 256 bytes, 128-byte aligned, in device memory, written once by products_describe. The launch that
//      follows products_describe must be plain (not programmatic).
//   W  bf16 in 64 x 64 tiles, n and k padded to multiples of 64 with zeros; products_tile writes it. Tile (n / 64, k / 64)
//      starts at element ((n / 64) * (k_padded / 64) + k / 64) * 4096; in it, row r is at byte 128 r, and 16-byte chunk c
//      of the row at chunk c ^ (r & 7). 128-byte aligned.
//      Gated: rows 16 i .. 16 i + 7 are rows 8 i .. 8 i + 7 of the gate, rows 16 i + 8 .. 16 i + 15 the same rows of up; both
//      have a multiple of 8 rows.
//
// Kernels: products_<epilogue>_r<R>_n<N>, parameter Products
//   store   out bf16 [rows, ld_out] = X W^T + bias
//   add     out fp32 [rows, ld_out] += X W^T + bias (one addition to memory; subnormal results become zero)
//   gated   out bf16 [rows, ld_out], n / 2 columns, = silu(gate) * up; n counts gate and up together
//   logits  out fp32 [rows, ld_out] = X W^T + bias
// Columns at and beyond n (n / 2) are not written. ld_out is a multiple of 8; out is 16-byte aligned.
//   R  8, 16, 32, 64, 128: any rows, meant for rows <= R; 256: for more.
//   N  outputs of a unit of work (of R rows; some shapes are others of the same size).
// The module's array products_catalog holds {entries, then 8 ints an entry}:
//   {epilogue (0 store, 1 add, 2 gated, 3 logits, 4 score, 5 choose), R, N, blocks of a cluster, threads of a block,
//    bytes of dynamic shared memory, 0, 0}
// Which entry to take, given the greatest number of rows of the launch (or of the graph) and P multiprocessors: among
// those of the epilogue, the least R that holds the rows (the greatest if none does); among those the least, the lower
// N on a tie, of
//   ceil(ceil(rows / R) * (R == 256 ? 2 : 1) * ceil(n / N) / P) * (N + 16)
// in integers: rounds of units times what a unit costs. Any other entry gives the same bits.
//
// Launch: grid P / cluster * cluster (clusters are compiled in; fewer blocks work too, in multiples of the cluster), the
// dynamic shared memory allowed by cuFuncSetAttribute first. The count of rows is read from device memory, so that a
// graph can be replayed with other counts: more rows than R are computed as well (slower), none is allowed.
//
// Programmatic dependent launch: weights are fetched before griddepcontrol.wait, all else is touched after it.
//
// Head (in products_head, all else in products): products_score_r<R>_n<N>, products_choose_r<R>_n<N>, each followed by
// its products_*_finish with the same parameter:
//   grid: blocks of rows (one row each, blocks at and beyond *rows return), 128 threads, no dynamic shared memory.
// score has one entry in the catalog and is taken for any number of rows. choose has entries as above. Both take the log-softmax over blocks of 128 tokens in the same order: for the same token they give
// the same bits.
//
// products_describe: grid 1, 32 threads, parameter Describe. products_tile: any grid of 256 threads (a block takes
// tiles of 64 x 64 in turn; ceil(rows / 64) * k / 64 of them), parameter Tile.
#pragma once

#include <cstddef>
#include <cstdint>

namespace products {

// Parameter of store, add, gated, logits, and of those with e4m3 weights (products_fp8.cuh).
struct Products {
    const void* map;    // of X
    const void* w;
    const float* bias;  // fp32 [n] (gated: interleaved as W), 8-byte aligned, or null
    void* out;
    const int* rows;    // one int in device memory
    int k;              // padded
    int n;              // true outputs
    int ld_out;         // elements
    int reserved;
    const float* scales;  // of products_fp8; else null
};
static_assert(sizeof(Products) == 64 && offsetof(Products, k) == 40 && offsetof(Products, scales) == 56,
              "the host lays this out by hand");

// Log-probability of a given token of each row, and the likeliest token.
struct Score {
    const void* map;
    const void* w;
    const float* bias;           // fp32 [n] or null
    const int* rows;
    const int* targets;          // [rows]; outside [0, n): log_probability becomes 0
    void* workspace;             // 16 * rows * (ceil(n / 128) + 1) bytes for the greatest number of rows, 16-byte aligned
    float* log_probability;      // [rows] natural log of softmax(logits)[target]
    int* best;                   // [rows] token of the largest logit, lowest id on a tie; or null
    int* flags;                  // [rows] 1 where a logit is NaN or infinite, else 0
    int k;
    int n;
    int reserved[4];
};
static_assert(sizeof(Score) == 96 && offsetof(Score, k) == 72, "the host lays this out by hand");

// What a row draws its token with.
struct Draw {
    float temperature;  // 0: the token of the largest logit, lowest id on a tie
    int position;       // counter words: token, position, purpose, stream; key words: key0, key1
    int purpose;
    int stream;
    int key0;
    int key1;
    int reserved[2];
};
static_assert(sizeof(Draw) == 32, "the host lays this out by hand");

// Token that maximises logit / temperature + Gumbel noise, lowest id on a tie, and its log-probability under
// softmax(logits). The compared value is (double) logit / (double) temperature - log(-log(u)) in double, u = ((first
// two Philox words >> 12) + 0.5) 2^-52. CUDA's double log may differ from StrictMath's in the last bit; the noise is
// the same otherwise.
struct Choose {
    const void* map;
    const void* w;
    const float* bias;
    const int* rows;
    const Draw* draws;       // [rows], 16-byte aligned
    void* workspace;         // 32 * rows * ceil(n / 128) bytes for the greatest number of rows, 16-byte aligned
    int* tokens;             // [rows]
    float* log_probability;  // [rows]
    int* flags;              // [rows] 1 where a logit is NaN or infinite, else 0
    int k;
    int n;
    int* remembered;         // [rows] the tokens once more, or null
    int reserved[2];
};
static_assert(sizeof(Choose) == 96 && offsetof(Choose, k) == 72, "the host lays this out by hand");

// Writes the 256 bytes of `map` for X.
struct Describe {
    void* map;
    const void* x;
    int columns;   // k, a multiple of 64
    int capacity;  // rows, at least 1
    int ld;        // elements
    int reserved;
};
static_assert(sizeof(Describe) == 32, "the host lays this out by hand");

// Rows of a row-major matrix into W, rounded to bf16 to nearest even. Columns from `columns` to k become zero; rows
// beyond the last one do not (clear W first where n is no multiple of 64).
struct Tile {
    const void* source;  // [rows, ld], element-aligned
    void* w;             // whole W
    int* flag;           // becomes 1 where a value is NaN or infinite (in bf16), else stays; or null
    int64_t ld;          // elements
    int rows;            // of this source
    int columns;         // true inputs
    int first;           // row of the matrix (placement 1, 2: of the gate or of up) that source row 0 is
    int k;               // padded
    int type;            // 0 bf16, 1 fp16, 2 fp32
    int placement;       // 0 plain, 1 gate, 2 up
};
static_assert(sizeof(Tile) == 56, "the host lays this out by hand");

}  // namespace products
