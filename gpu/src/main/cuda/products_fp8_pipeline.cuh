// The main loop of products whose weights are e4m3 numbers (8 bits), X[rows, k] W[outputs, k]^T: what products_pipeline.cuh
// does with bf16 weights, with the same producer of X and the same chain over k.
//
// Every e4m3 number is a bf16 number, so that the products are those of a bf16 W, to the bit. A warp has 16 outputs; it
// takes their codes from shared memory as they lie, and makes of them the registers from which the tensor cores read a
// matrix: by mma.sync, 8 rows of X at a time (narrow), or by wgmma, four warps and all rows of the slot at once. Both
// compute W X^T: outputs are the rows of the accumulators.
#pragma once

#include "products_fp8.cuh"
#include "products_gate.cuh"
#include "products_pipeline.cuh"
#include "wgmma_register_rows.cuh"

namespace products {

// kRows: multiples of 8 up to 64 (narrow: up to 32), 128, 256. kOutputs: 16 a warp; wide: 64 a warpgroup. kDepth: columns
// of tiles in a slot. kBudget: bytes of shared memory for the ring.
template <int kRows_, int kOutputs_, int kDepth_, int kBudget, bool kNarrow_>
struct ShapeFp8 {
    static constexpr bool kNarrow = kNarrow_;
    static constexpr int kRows = kRows_;
    static constexpr int kOutputs = kOutputs_;
    static constexpr int kDepth = kDepth_;
    static constexpr int kClusterRows = 1;
    static constexpr int kClusterOutputs = 1;
    static constexpr int kCluster = 1;
    static constexpr int kStrips = kOutputs / 16;
    static constexpr int kConsumers = kStrips;  // warps, each of which releases a slot
    // Two warpgroups of many sums need more registers than an even share: then a whole warpgroup gives up its own.
    static constexpr bool kHandOver = !kNarrow && kRows == 256 && kOutputs == 128;
    static constexpr int kThreads = 32 * kConsumers + (kHandOver ? 128 : 64);
    static constexpr int kBoxRows = kRows < 64 ? 8 : 64;
    static constexpr int kBoxes = kRows / kBoxRows;
    static constexpr int kXTile = kRows * 128;  // 64 columns of X
    static constexpr int kStrip = kDepth * kStripBytes;
    static constexpr int kSlotBytes = kDepth * kXTile + kStrips * kStrip;
    static constexpr int kStages = least(kBudget / kSlotBytes, 24);
    static constexpr int kFull = 0;
    static constexpr int kEmpty = kFull + 8 * kStages;
    static constexpr int kRing = 1024;
    static constexpr int kSharedBytes = kRing + kStages * kSlotBytes;
    static constexpr bool kManyRows = kRows == 256;  // row blocks innermost, as in Shape
    static constexpr int kSection = 8;
    static_assert(kOutputs % (kNarrow ? 16 : 64) == 0, "whole warps, whole warpgroups");
    static_assert(kDepth % 2 == 0 || (kDepth == 1 && !kNarrow), "tiles take turns in two sets of registers");
    static_assert(kRows % kBoxRows == 0 && (!kNarrow || kRows <= 32), "rows");
    static_assert(kStages >= 2 && kSharedBytes <= 232448, "a block has 227 KiB of shared memory");
};

// ---- producer of W ----

template <typename S>
__device__ __forceinline__ void produce_strips(const void* w, const int* rows, int k, int n) {
    const uint32_t base = shared_address(shared);
    const int tiles = k / 64;
    const int strips = (n + 15) / 16;
    const int64_t strip_bytes = static_cast<int64_t>(tiles) * kStripBytes;
    constexpr uint64_t kPolicy = S::kNarrow ? kEvictFirst : kEvictNormal;
    const char* source = nullptr;
    int live = 0;
    Slot<S> slot;
    int tile = 0;
    const auto choose = [&](int output) {
        source = static_cast<const char*>(w) + output / 16 * strip_bytes;
        live = min(S::kStrips, strips - output / 16);
        tile = 0;
    };
    const auto fetch = [&]() {
        const int count = min(S::kDepth, tiles - tile);
        const uint32_t full = base + S::kFull + 8 * slot.stage;
        const uint32_t to = base + S::kRing + slot.stage * S::kSlotBytes + S::kDepth * S::kXTile;
        if (elected()) {
            barrier_arrive_expecting(full, live * count * kStripBytes);
#pragma unroll
            for (int strip = 0; strip < S::kStrips; strip++) {
                if (strip >= live) break;
                copy_bytes(to + strip * S::kStrip, source + strip * strip_bytes, count * kStripBytes, full, kPolicy);
            }
        }
        __syncwarp();
        source += S::kStrip;
        tile += S::kDepth;
        slot.advance();
    };
    // What can be fetched before it is known how many rows there are: the ring's first turn of the first unit.
    const bool begun = !S::kManyRows && blockIdx.x < Walk<S>::output_units_of(n);
    if (begun) {
        choose(blockIdx.x * S::kOutputs);
        for (int stage = 0; stage < S::kStages && tile < tiles; stage++) fetch();
    }
    dependencies_wait();
    bool first = begun;
    for (Walk<S> walk(*rows, n); walk.more; walk.next()) {
        if (!first) choose(walk.output);
        first = false;
        while (tile < tiles) {
            barrier_wait(base + S::kEmpty + 8 * slot.stage, slot.turn);
            fetch();
        }
    }
}

// ---- consumers ----

// Where a warp is in the ring.
template <typename S>
struct Cursor {
    uint32_t base = 0;
    uint32_t stage = 0;
    uint32_t turn = 0;

    __device__ __forceinline__ void await() const { barrier_wait(base + S::kFull + 8 * stage, turn); }

    __device__ __forceinline__ void release(uint32_t slot) const {
        __syncwarp();
        if (threadIdx.x % 32 == 0) barrier_arrive(base + S::kEmpty + 8 * slot);
    }

    // Address of a tile's X.
    __device__ __forceinline__ uint32_t rows(int depth) const {
        return base + S::kRing + stage * S::kSlotBytes + depth * S::kXTile;
    }

    // Of this lane's codes.
    __device__ __forceinline__ uint32_t codes(int depth) const {
        return base + S::kRing + stage * S::kSlotBytes + S::kDepth * S::kXTile + threadIdx.x / 32 * S::kStrip +
               depth * kStripBytes + threadIdx.x % 32 * 16;
    }

    __device__ __forceinline__ Cursor next() const {
        const bool last = stage + 1 == S::kStages;
        return {base, last ? 0 : stage + 1, turn ^ static_cast<uint32_t>(last)};
    }
};

// Codes of 64 columns (16 outputs of a warp), and what the tensor cores take for them: of each step of 16 columns the four
// registers of a 16 x 16 matrix.
struct Codes {
    uint32_t words[8];

    __device__ __forceinline__ void load(uint32_t address) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                         : "=r"(words[4 * half]), "=r"(words[4 * half + 1]), "=r"(words[4 * half + 2]),
                           "=r"(words[4 * half + 3])
                         : "r"(address + 512 * half)
                         : "memory");
        }
    }

    __device__ __forceinline__ void step(uint32_t* w, int step) const {
        w[0] = near_columns(words[2 * step]);
        w[1] = near_columns(words[2 * step + 1]);
        w[2] = far_columns(words[2 * step]);
        w[3] = far_columns(words[2 * step + 1]);
    }
};

// While a tile is multiplied with, the next one is unpacked, a step after each product, and the codes of the one after it
// are on their way. Consumers walk spans of whole slots so, and what is left otherwise.

template <typename S, typename Epilogue>
__device__ __forceinline__ void consume_wide(const Epilogue& epilogue, const int* rows, int k, int n) {
    const int tiles = k / 64;
    constexpr int kSpan = S::kDepth == 1 ? 2 : S::kDepth;
    const int spans = tiles / kSpan;
    Cursor<S> at{shared_address(shared)};
    dependencies_wait();
    const int live = *rows;
    for (Walk<S> walk(live, n); walk.more; walk.next()) {
        float sums[S::kRows / 2];
#pragma unroll
        for (int i = 0; i < S::kRows / 2; i++) sums[i] = 0;
        uint32_t w[2][16];
        Codes codes[2];
        const auto multiply = [&](const Operand& x, int step, const uint32_t (&now)[16]) {
            products_fence();
            RegisterRows<S::kRows>::run(sums, now[4 * step], now[4 * step + 1], now[4 * step + 2], now[4 * step + 3],
                                        x.at(32 * step));
            products_commit();
        };
        if (spans > 0) {
            at.await();
            codes[0].load(at.codes(0));
            const Cursor<S> second = S::kDepth == 1 ? at.next() : at;
            if (S::kDepth == 1) second.await();
            codes[1].load(second.codes(1 % S::kDepth));
#pragma unroll
            for (int step = 0; step < 4; step++) codes[0].step(w[0] + 4 * step, step);
        }
        int left_behind = -1;  // a slot whose products may still run
        for (int span = 0; span < spans; span++) {
            // The slots of the span's tiles and of the two after them.
            Cursor<S> slots[(kSpan + 1) / S::kDepth + 1];
            slots[0] = at;
#pragma unroll
            for (int i = 1; i <= (kSpan + 1) / S::kDepth; i++) slots[i] = slots[i - 1].next();
#pragma unroll
            for (int tile = 0; tile < kSpan; tile++) {
                // After the last span nothing follows: what is loaded then is not used.
                const Cursor<S>& later = slots[(tile + 2) / S::kDepth];
                if ((tile + 2) % S::kDepth == 0 && (tile + 2 < kSpan || span + 1 < spans)) later.await();
                codes[tile % 2].load(later.codes((tile + 2) % S::kDepth));
                const Operand x(slots[tile / S::kDepth].rows(tile % S::kDepth), 0);
#pragma unroll
                for (int step = 0; step < 4; step++) {
                    multiply(x, step, w[tile % 2]);
                    // The products of the tile before, whose registers are written to now, are over.
                    products_wait<3>();
                    codes[(tile + 1) % 2].step(w[(tile + 1) % 2] + 4 * step, step);
                }
                if (tile > 0 && tile % S::kDepth == 0) at.release(slots[(tile - 1) / S::kDepth].stage);
                if (tile == 0 && left_behind >= 0) at.release(left_behind);
            }
            left_behind = slots[(kSpan - 1) / S::kDepth].stage;
            at = slots[kSpan / S::kDepth];
        }
        products_wait<0>();
        if (left_behind >= 0) at.release(left_behind);
        pin(sums);
        for (int left = tiles - spans * kSpan; left > 0; left -= S::kDepth) {
            at.await();
#pragma unroll 1
            for (int depth = 0; depth < min(left, S::kDepth); depth++) {
                codes[0].load(at.codes(depth));
#pragma unroll
                for (int step = 0; step < 4; step++) codes[0].step(w[0] + 4 * step, step);
                const Operand x(at.rows(depth), 0);
#pragma unroll
                for (int step = 0; step < 4; step++) multiply(x, step, w[0]);
                products_wait<0>();
                pin(sums);
            }
            at.release(at.stage);
            at = at.next();
        }
        epilogue.template finish<S>(sums, walk, min(live, walk.row + S::kRows));
    }
}

// X of 64 columns in a warp's registers.
template <typename S>
struct Rows {
    uint32_t x[S::kRows / 8][2][4];

    __device__ __forceinline__ void load(uint32_t address) {
#pragma unroll
        for (int group = 0; group < S::kRows / 8; group++) {
#pragma unroll
            for (int half = 0; half < 2; half++) load_matrices(x[group][half], (address + 1024 * group) ^ 64 * half);
        }
    }

    // A step of 16 columns.
    __device__ __forceinline__ void multiply(float (&sums)[S::kRows / 8][4], const uint32_t* w, int step) const {
#pragma unroll
        for (int group = 0; group < S::kRows / 8; group++) {
            float(&d)[4] = sums[group];
            asm volatile(
                "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                "{%0, %1, %2, %3};"
                : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                : "r"(w[0]), "r"(w[1]), "r"(w[2]), "r"(w[3]), "r"(x[group][step / 2][step % 2 * 2]),
                  "r"(x[group][step / 2][step % 2 * 2 + 1]));
        }
    }
};

template <typename S, typename Epilogue>
__device__ __forceinline__ void consume_strip(const Epilogue& epilogue, const int* rows, int k, int n) {
    const int tiles = k / 64;
    const int slots = tiles / S::kDepth;
    const int lane = threadIdx.x % 32;
    // Rows for ldmatrix; chunks of a row are swizzled by the row.
    const uint32_t x_lane = lane % 8 * 128 + (lane / 8 ^ lane % 8) * 16;
    Cursor<S> at{shared_address(shared)};
    dependencies_wait();
    const int live = *rows;
    for (Walk<S> walk(live, n); walk.more; walk.next()) {
        float sums[S::kRows / 8][4];
#pragma unroll
        for (int i = 0; i < S::kRows / 8; i++) {
#pragma unroll
            for (int j = 0; j < 4; j++) sums[i][j] = 0;
        }
        uint32_t w[2][16];
        Codes codes[2];
        Rows<S> x[2];
        if (slots > 0) {
            at.await();
            codes[0].load(at.codes(0));
            codes[1].load(at.codes(1));
            x[0].load(at.rows(0) + x_lane);
#pragma unroll
            for (int step = 0; step < 4; step++) codes[0].step(w[0] + 4 * step, step);
        }
        for (int slot = 0; slot < slots; slot++) {
            const Cursor<S> next = at.next();
#pragma unroll
            for (int depth = 0; depth < S::kDepth; depth++) {
                const int now = depth % 2;
                const int then = (depth + 1) % 2;
                x[now].multiply(sums, w[now], 0);
                // Of the last slot nothing follows: what is loaded then is not used.
                if (depth + 2 == S::kDepth && slot + 1 < slots) next.await();
                codes[now].load(depth + 2 < S::kDepth ? at.codes(depth + 2) : next.codes(depth + 2 - S::kDepth));
                x[then].load((depth + 1 < S::kDepth ? at.rows(depth + 1) : next.rows(0)) + x_lane);
                codes[then].step(w[then], 0);
                x[now].multiply(sums, w[now] + 4, 1);
                codes[then].step(w[then] + 4, 1);
                x[now].multiply(sums, w[now] + 8, 2);
                codes[then].step(w[then] + 8, 2);
                x[now].multiply(sums, w[now] + 12, 3);
                codes[then].step(w[then] + 12, 3);
            }
            at.release(at.stage);
            at = next;
        }
        if (tiles % S::kDepth != 0) {
            at.await();
#pragma unroll 1
            for (int depth = 0; depth < tiles % S::kDepth; depth++) {
                codes[0].load(at.codes(depth));
                x[0].load(at.rows(depth) + x_lane);
#pragma unroll
                for (int step = 0; step < 4; step++) codes[0].step(w[0] + 4 * step, step);
#pragma unroll
                for (int step = 0; step < 4; step++) x[0].multiply(sums, w[0] + 4 * step, step);
            }
            at.release(at.stage);
            at = at.next();
        }
        // This lane has outputs lane / 4 and 8 more of the warp's 16, and of each eight rows 2 * (lane % 4) and the
        // next.
        const int limit = min(live, walk.row + S::kRows);
        const int output = walk.output + threadIdx.x / 32 * 16 + lane / 4;
#pragma unroll
        for (int group = 0; group < S::kRows / 8; group++) {
            const int row = walk.row + 8 * group + lane % 4 * 2;
            if (row < limit) epilogue.finish_narrow(row, output, sums[group][0], sums[group][2]);
            if (row + 1 < limit) epilogue.finish_narrow(row + 1, output, sums[group][1], sums[group][3]);
        }
    }
}

// ---- epilogues: of narrow kernels a row's sums for `output` and output + 8, of wide ones a warp's tile ----

// What an output's sum becomes.
__device__ __forceinline__ float finished(const Products& a, float sum, int output) {
    sum = __fmul_rn(sum, __ldg(a.scales + output));
    return a.bias != nullptr ? __fadd_rn(sum, __ldg(a.bias + output)) : sum;
}

// Words of 8 x 8 pairs' halves: lane 4 r + t had of matrix row r columns 2 t and 2 t + 1, and gets of column r rows 2 t
// and 2 t + 1.
__device__ __forceinline__ uint32_t turned(uint32_t word) {
    uint32_t out;
    asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(out) : "r"(word));
    return out;
}

// Writes two neighbouring bf16 columns.
__device__ __forceinline__ void write_pair(__nv_bfloat16* out, uint32_t word, int column, int columns) {
    if (column + 1 < columns) {
        *reinterpret_cast<uint32_t*>(out + column) = word;
    } else if (column < columns) {
        out[column] = reinterpret_cast<const __nv_bfloat162&>(word).x;
    }
}

// What follows a sum, for the two outputs that a lane has.
struct Finish {
    float scale[2];
    float bias[2];
    bool with_bias;

    __device__ __forceinline__ Finish(const Products& a, int output) : with_bias(a.bias != nullptr) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            const bool there = output + 8 * i < a.n;
            scale[i] = there ? __ldg(a.scales + output + 8 * i) : 0;
            bias[i] = there && with_bias ? __ldg(a.bias + output + 8 * i) : 0;
        }
    }

    __device__ __forceinline__ float of(float sum, int which) const {
        const float scaled = __fmul_rn(sum, scale[which]);
        return with_bias ? __fadd_rn(scaled, bias[which]) : scaled;
    }
};

template <typename S>
__device__ __forceinline__ int output_of_lane(const Walk<S>& walk) {
    return walk.output + threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
}

struct StoreFp8 {
    const Products& a;

    __device__ __forceinline__ void finish_narrow(int row, int output, float low, float high) const {
        __nv_bfloat16* const out = static_cast<__nv_bfloat16*>(a.out) + static_cast<int64_t>(row) * a.ld_out + output;
        if (output < a.n) out[0] = __float2bfloat16_rn(finished(a, low, output));
        if (output + 8 < a.n) out[8] = __float2bfloat16_rn(finished(a, high, output + 8));
    }

    template <typename S>
    __device__ __forceinline__ void finish(float (&sums)[S::kRows / 2], const Walk<S>& walk, int limit) const {
        const int output = output_of_lane(walk);
        const Finish finish(a, output);
        const int column = output - threadIdx.x % 32 / 4 + threadIdx.x % 4 * 2;
#pragma unroll
        for (int i = 0; i < S::kRows / 8; i++) {
            if (walk.row + 8 * i >= limit) break;
            const int row = walk.row + 8 * i + threadIdx.x % 32 / 4;
            __nv_bfloat16* const out = static_cast<__nv_bfloat16*>(a.out) + static_cast<int64_t>(row) * a.ld_out;
#pragma unroll
            for (int which = 0; which < 2; which++) {
                const uint32_t word = turned(pack(finish.of(sums[4 * i + 2 * which], which),
                                                  finish.of(sums[4 * i + 2 * which + 1], which)));
                if (row < limit) write_pair(out, word, column + 8 * which, a.n);
            }
        }
    }
};

struct GatedFp8 {
    const Products& a;

    __device__ __forceinline__ void finish_narrow(int row, int output, float low, float high) const {
        if (output >= a.n) return;
        const int column = output / 16 * 8 + output % 8;
        static_cast<__nv_bfloat16*>(a.out)[static_cast<int64_t>(row) * a.ld_out + column] =
            __float2bfloat16_rn(gate(finished(a, low, output), finished(a, high, output + 8)));
    }

    template <typename S>
    __device__ __forceinline__ void finish(float (&sums)[S::kRows / 2], const Walk<S>& walk, int limit) const {
        const int output = output_of_lane(walk);
        const Finish finish(a, output);
        const int column = output / 16 * 8 + threadIdx.x % 4 * 2;
#pragma unroll
        for (int i = 0; i < S::kRows / 8; i++) {
            if (walk.row + 8 * i >= limit) break;
            const int row = walk.row + 8 * i + threadIdx.x % 32 / 4;
            const uint32_t word = turned(pack(gate(finish.of(sums[4 * i], 0), finish.of(sums[4 * i + 2], 1)),
                                              gate(finish.of(sums[4 * i + 1], 0), finish.of(sums[4 * i + 3], 1))));
            if (row < limit) {
                write_pair(static_cast<__nv_bfloat16*>(a.out) + static_cast<int64_t>(row) * a.ld_out, word, column,
                           a.n / 2);
            }
        }
    }
};

struct AddFp8 {
    const Products& a;

    __device__ __forceinline__ void finish_narrow(int row, int output, float low, float high) const {
        float* const out = static_cast<float*>(a.out) + static_cast<int64_t>(row) * a.ld_out + output;
        if (output < a.n) {
            asm volatile("red.relaxed.gpu.global.add.f32 [%0], %1;" ::"l"(out), "f"(finished(a, low, output)) : "memory");
        }
        if (output + 8 < a.n) {
            asm volatile("red.relaxed.gpu.global.add.f32 [%0], %1;" ::"l"(out + 8), "f"(finished(a, high, output + 8))
                         : "memory");
        }
    }

    template <typename S>
    __device__ __forceinline__ void finish(float (&sums)[S::kRows / 2], const Walk<S>& walk, int limit) const {
        const int output = output_of_lane(walk);
        const Finish finish(a, output);
        const int first = output - threadIdx.x % 32 / 4 + threadIdx.x % 4 * 2;
#pragma unroll
        for (int i = 0; i < S::kRows / 8; i++) {
            if (walk.row + 8 * i >= limit) break;
            const int row = walk.row + 8 * i + threadIdx.x % 32 / 4;
            float* const out = static_cast<float*>(a.out) + static_cast<int64_t>(row) * a.ld_out;
#pragma unroll
            for (int which = 0; which < 2; which++) {
                // Numbers are turned in halves of 16 bits.
                const uint32_t upper = __float_as_uint(finish.of(sums[4 * i + 2 * which], which));
                const uint32_t lower = __float_as_uint(finish.of(sums[4 * i + 2 * which + 1], which));
                const uint32_t low = turned(__byte_perm(upper, lower, 0x5410));
                const uint32_t high = turned(__byte_perm(upper, lower, 0x7632));
                const float here = __uint_as_float(__byte_perm(low, high, 0x5410));
                const float next = __uint_as_float(__byte_perm(low, high, 0x7632));
                const int column = first + 8 * which;
                if (row >= limit) continue;
                if (column + 1 < a.n) {
                    asm volatile("red.relaxed.gpu.global.add.v2.f32 [%0], {%1, %2};" ::"l"(out + column), "f"(here),
                                 "f"(next)
                                 : "memory");
                } else if (column < a.n) {
                    asm volatile("red.relaxed.gpu.global.add.f32 [%0], %1;" ::"l"(out + column), "f"(here) : "memory");
                }
            }
        }
    }
};

template <typename S, typename Epilogue>
__device__ __forceinline__ void run_fp8(const Products& a) {
    dependents_launch();
    if (threadIdx.x == 0) {
        const uint32_t base = shared_address(shared);
        for (int i = 0; i < S::kStages; i++) {
            barrier_init(base + S::kFull + 8 * i, 2);
            barrier_init(base + S::kEmpty + 8 * i, S::kConsumers);
        }
        barrier_init_fence();
    }
    __syncthreads();
    const int warp = __shfl_sync(0xFFFFFFFF, threadIdx.x / 32, 0);
    if (warp >= S::kConsumers) {
        if constexpr (S::kHandOver) registers_give<56>();
        if (warp == S::kConsumers) {
            produce_strips<S>(a.w, a.rows, a.k, a.n);
        } else if (warp == S::kConsumers + 1) {
            produce_rows<S>(a.map, a.rows, a.k, a.n);
        }
    } else {
        if constexpr (S::kHandOver) registers_take<224>();
        if constexpr (S::kNarrow) {
            consume_strip<S>(Epilogue{a}, a.rows, a.k, a.n);
        } else {
            consume_wide<S>(Epilogue{a}, a.rows, a.k, a.n);
        }
    }
}

}  // namespace products
