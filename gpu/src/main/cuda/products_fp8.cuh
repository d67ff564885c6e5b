// What the host hands to products whose weights are e4m3 numbers (8 bits), how these lie in memory, and what becomes of
// their codes in a register.
//
//   out[rows, n] = X[rows, k] W[n, k]^T * scales, then as products.cuh says of store, add and gated
//
// Every e4m3 number is a bf16 number, and so it is multiplied with: the sums are those of the bf16 kernels with a W of the
// same numbers, to the bit, and a row's bits depend on that row, the weights and n alone.
//
// Kernels: products_<epilogue>_fp8_r<R>_n<N>, parameter Products with scales: fp32 [n], what an output's sum is multiplied
// with before its bias. X, launches and dependent launches are as in products.cuh; no clusters. The module's array
// products_catalog has entries
//   {epilogue (0 store, 1 add, 2 gated), R, N, 1, threads of a block, bytes of dynamic shared memory, tile, rest}
// tile and rest are clocks that a unit of R rows and N outputs takes: for every 64 columns, and besides. Which entry to
// take for a number of rows and P multiprocessors: least, the first on a tie, is
//   ceil(ceil(rows / R) * ceil(n / N) / P) * (k / 64 * tile + rest)
//
// products_quantize: any grid of 256 threads (a warp takes a row at a time), parameter Quantize.
//
// W [n, k], n padded to a multiple of 64, k to one of 64, is cut into strips of 16 outputs and tiles of 64 columns: 1 KiB
// a tile, a strip's tiles one behind the other, strips one behind the other. A tile is in the order in which a warp's lanes
// read it: 16 bytes a lane, twice. In a step of 16 columns, lane 4 r + t has of outputs r and r + 8 one word each, the
// word of columns 2 t, 2 t + 1 (near) and 2 t + 8, 2 t + 9 (far): what the tensor cores want in its four registers. Words
// of steps 0 and 1 are a lane's first 16 bytes, those of 2 and 3 the second, 512 bytes on.
//
// Half a word (16 bits; the lower one is of the even columns) has the codes of a near and a far number, bit by bit where
// the fewest instructions make bf16 numbers of them:
//   15 sign of near | 14-12 upper exponent bits of far | 11 sign of far | 10-4 exponent and mantissa of near
//   | 3-0 lowest exponent bit and mantissa of far
// An e4m3 code's seven lower bits, at bits 10-4 of a bf16 number, are the number times 2^-120 (subnormal ones as well).
#pragma once

#include <cstdint>

#include "products.cuh"

namespace products {

// Rows of a row-major matrix into a W of e4m3 numbers and their scales: scale = max|row| / 448 (at least 2^-126), codes of
// row / scale, rounded to nearest even. Columns from `columns` to k become zero; rows beyond the last one do not.
struct Quantize {
    const void* source;  // [rows, ld], element-aligned
    void* w;             // whole W
    float* scales;       // of the whole W, in the order of its rows
    int* flag;           // becomes 1 where a value is NaN or infinite, else stays; or null
    int64_t ld;          // elements
    int rows;            // as in Tile
    int columns;
    int first;
    int k;
    int type;
    int placement;
};
static_assert(sizeof(Quantize) == 64, "the host lays this out by hand");

constexpr int kStripBytes = 1024;  // of a tile of 16 outputs and 64 columns

// Half a word.
__device__ __forceinline__ uint32_t woven(uint32_t near, uint32_t far) {
    return (near & 0x80) << 8 | (near & 0x7F) << 4 | (far & 0x70) << 8 | (far & 0x80) << 4 | (far & 0x0F);
}

// Where the word of an output and columns 16 step + 2 pair and so on lies; `tiles` of 64 columns.
__device__ __forceinline__ int64_t word_of(int output, int tiles, int step, int pair) {
    return (static_cast<int64_t>(output / 16) * tiles + step / 4) * kStripBytes + step % 4 / 2 * 512 +
           (output % 8 * 4 + pair) * 16 + step % 2 * 8 + output % 16 / 8 * 4;
}

// Times 2^120, exactly; of two bf16 numbers.
__device__ __forceinline__ uint32_t lifted(uint32_t pair) {
    uint32_t out;
    asm("mul.rn.bf16x2 %0, %1, %2;" : "=r"(out) : "r"(pair), "r"(0x7B807B80));
    return out;
}

// The two near numbers of a word as bf16, and the two far ones.
__device__ __forceinline__ uint32_t near_columns(uint32_t word) { return lifted(word & 0x87F087F0); }

__device__ __forceinline__ uint32_t far_columns(uint32_t word) {
    return lifted((word << 4 & 0x80F080F0) | (word >> 4 & 0x07000700));
}

}  // namespace products
