// The one main loop of the matrix-product family: X[rows, k] W[outputs, k]^T, warp-specialised.
//
// A block takes kRows x kOutputs at a time. Two threads drive the copy engine: X comes through its descriptor, W, tiled
// in memory as the tensor cores want it, by plain bulk copies, both into a ring of slots of kDepth columns of tiles.
// Each consumer warpgroup owns 64 rows. Blocks are persistent, so that the ring runs on while a finished tile is
// written, and warpgroups are bound by the ring alone, so that one multiplies while another writes.
//
// Few rows: the slot holds the first 8, 16 or 32 of a warpgroup's 64 rows. The tensor cores then read what lies behind,
// in the slots' own memory: those rows' products are never used (rows of a product do not mix).
//
// Clusters: kClusterRows x kClusterOutputs blocks; those with the same rows share the copies of X among them, each
// copying a part to all (multicast), those with the same outputs the copies of W.
#pragma once

#include <cuda_bf16.h>
#include <cstdint>

#include "hopper.cuh"
#include "products.cuh"
#include "wgmma.cuh"

namespace products {

using namespace hopper;

constexpr int least(int a, int b) { return a < b ? a : b; }

// kRows: 8, 16, 32, or 64 a warpgroup. kBudget: bytes of shared memory for the ring. kScratch: bytes of it for the
// epilogue. kAlternate: two warpgroups take units in turns, so that one multiplies under the other's long epilogue.
// kNarrow: warps of 16 outputs each multiply with mma.sync, whose chain over k is the shortest in time; else warpgroups
// with wgmma.
template <int kRows_, int kOutputs_, int kDepth_, int kBudget, int kClusterRows_, int kClusterOutputs_, int kScratch_ = 0,
          bool kNarrow_ = false, bool kAlternate_ = false>
struct Shape {
    static constexpr bool kNarrow = kNarrow_;
    static constexpr bool kAlternate = kAlternate_;
    static constexpr int kRows = kRows_;
    static constexpr int kOutputs = kOutputs_;
    static constexpr int kDepth = kDepth_;
    static constexpr int kClusterRows = kClusterRows_;
    static constexpr int kClusterOutputs = kClusterOutputs_;
    static constexpr int kCluster = kClusterRows * kClusterOutputs;
    static constexpr int kWarpgroups = kRows <= 64 ? 1 : kRows / 64;
    // Two warpgroups of consumers need more registers than an even share: then a whole warpgroup gives up its own.
    static constexpr bool kHandOver = kWarpgroups == 2;
    static constexpr int kConsumers = kNarrow ? (kOutputs + 15) / 16 : kWarpgroups;  // that release a slot
    static constexpr int kConsumerWarps = kNarrow ? kConsumers : kAlternate ? 8 : 4 * kWarpgroups;
    static constexpr int kThreads = 32 * kConsumerWarps + (kHandOver ? 128 : 64);
    static constexpr int kGroupRows = least(kRows, 64);  // of a warpgroup
    static constexpr int kBoxRows = kRows < 64 ? 8 : 64;
    static constexpr int kBoxes = kRows / kBoxRows;
    static constexpr int kXTile = kRows * 128;     // 64 columns of X
    static constexpr int kWTile = kOutputs * 128;  // 64 columns of W
    static constexpr int kSlotBytes = kDepth * (kXTile + kWTile);
    static constexpr int kStages = least(kBudget / kSlotBytes, 24);
    static constexpr int kWShare = kOutputs / kClusterRows;  // rows of W that one block copies
    // A share starts at a multiple of itself, so it meets at most this many tiles of 64 rows.
    static constexpr int kPieces = kWShare % 64 == 0 ? kWShare / 64 : 64 % kWShare == 0 ? 1 : (kWShare + 56 + 63) / 64;
    // Shared memory: barriers, the ring, what the tensor cores may read beyond it, the epilogue's scratch.
    static constexpr int kFull = 0;
    static constexpr int kEmpty = kFull + 8 * kStages;
    static constexpr int kRing = 1024;
    static constexpr int kBeyond = kNarrow ? kOutputs % 16 * 128
                                   : kRows < 64 && kXTile + kDepth * kWTile < 8192 ? 8192 - kXTile - kDepth * kWTile
                                                                                   : 0;
    static constexpr int kScratch = kRing + kStages * kSlotBytes + kBeyond;
    static constexpr int kSharedBytes = kScratch + kScratch_;
    // Many rows: row blocks innermost, in sections, so that the blocks at work share rows and outputs in the L2 cache.
    // Few: outputs innermost; a block's first outputs are then known before the rows are.
    static constexpr bool kManyRows = kClusterRows > 1;
    static constexpr int kSection = 8;
    static_assert(!kAlternate || (kRows <= 64 && !kNarrow && kScratch_ % 32 == 0), "one warpgroup a unit");
    static_assert(!kNarrow || (kCluster == 1 && kRows <= 64 && kDepth % 2 == 0), "narrow shapes");
    static_assert(kOutputs % 8 == 0 && kWShare % 8 == 0, "groups of 8 rows keep the swizzle");
    static_assert(kStages >= 2 && kSharedBytes <= 232448, "a block has 227 KiB of shared memory");
};

extern __shared__ __align__(1024) char shared[];

// ---- instructions of this family alone ----

__device__ __forceinline__ void dependents_launch() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }

__device__ __forceinline__ void dependencies_wait() { asm volatile("griddepcontrol.wait;" ::: "memory"); }

__device__ __forceinline__ uint32_t cluster_rank() {
    uint32_t rank;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}

// After barrier_init_fence: every block of the cluster has made its barriers.
__device__ __forceinline__ void cluster_sync() {
    asm volatile("barrier.cluster.arrive.relaxed.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}

// One lane of a converged warp.
__device__ __forceinline__ bool elected() {
    uint32_t yes;
    asm volatile("{ .reg .pred one; elect.sync _|one, 0xFFFFFFFF; selp.u32 %0, 1, 0, one; }" : "=r"(yes));
    return yes != 0;
}

// Nothing but the end of asynchronous reads is told here; a release at cluster scope would be a fence of all memory.
__device__ __forceinline__ void barrier_arrive_at(uint32_t barrier, uint32_t block) {
    asm volatile(
        "{ .reg .b32 there;\n"
        "  mapa.shared::cluster.u32 there, %0, %1;\n"
        "  mbarrier.arrive.shared::cluster.b64 _, [there]; }" ::"r"(barrier),
        "r"(block)
        : "memory");
}

constexpr uint64_t kEvictNormal = 0x1000000000000000;

__device__ __forceinline__ void copy_bytes(
    uint32_t destination, const void* source, uint32_t bytes, uint32_t barrier, uint64_t policy) {
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, [%3], %4;" ::"r"(
            destination),
        "l"(source), "r"(bytes), "r"(barrier), "l"(policy)
        : "memory");
}

__device__ __forceinline__ void copy_bytes_to(
    uint32_t destination, const void* source, uint32_t bytes, uint32_t barrier, uint16_t blocks, uint64_t policy) {
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint "
        "[%0], [%1], %2, [%3], %4, %5;" ::"r"(destination),
        "l"(source), "r"(bytes), "r"(barrier), "h"(blocks), "l"(policy)
        : "memory");
}

__device__ __forceinline__ void copy_tile(
    uint32_t destination, const void* descriptor, uint32_t barrier, int x, int y, uint64_t policy) {
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint "
        "[%0], [%1, {%3, %4}], [%2], %5;" ::"r"(destination),
        "l"(descriptor), "r"(barrier), "r"(x), "r"(y), "l"(policy)
        : "memory");
}

__device__ __forceinline__ void copy_tile_to(
    uint32_t destination, const void* descriptor, uint32_t barrier, int x, int y, uint16_t blocks, uint64_t policy) {
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint "
        "[%0], [%1, {%3, %4}], [%2], %5, %6;" ::"r"(destination),
        "l"(descriptor), "r"(barrier), "r"(x), "r"(y), "h"(blocks), "l"(policy)
        : "memory");
}

// ---- the walk over units of work: what a cluster takes at a time ----

template <typename S>
struct Walk {
    int rows;        // at least 1
    int row_units;
    int output_units;
    int unit;
    int row;         // first row of this block's tile
    int output;      // first output of this block's tile
    uint32_t rank;   // in the cluster
    bool more;

    static __device__ __forceinline__ int output_units_of(int n) {
        constexpr int kUnit = S::kOutputs * S::kClusterOutputs;
        return (n + kUnit - 1) / kUnit;
    }

    __device__ __forceinline__ Walk(int rows_, int n) : rows(rows_ < 1 ? 1 : rows_), output_units(output_units_of(n)) {
        constexpr int kUnit = S::kRows * S::kClusterRows;
        row_units = (rows + kUnit - 1) / kUnit;
        rank = S::kCluster == 1 ? 0 : cluster_rank();
        unit = blockIdx.x / S::kCluster;
        find();
    }

    __device__ __forceinline__ void next() {
        unit += gridDim.x / S::kCluster;
        find();
    }

    __device__ __forceinline__ void find() {
        more = unit < row_units * output_units;
        int row_unit;
        int output_unit;
        if constexpr (S::kManyRows) {
            const int section = unit / (S::kSection * output_units);
            const int left = unit - section * S::kSection * output_units;
            const int width = min(S::kSection, row_units - section * S::kSection);
            output_unit = left / max(width, 1);
            row_unit = section * S::kSection + left - output_unit * width;
        } else {
            row_unit = unit / output_units;
            output_unit = unit - row_unit * output_units;
        }
        row = (row_unit * S::kClusterRows + static_cast<int>(rank % S::kClusterRows)) * S::kRows;
        output = (output_unit * S::kClusterOutputs + static_cast<int>(rank / S::kClusterRows)) * S::kOutputs;
    }
};

// ---- producers: one warp for W, one for X, uniform throughout so that addresses live in uniform registers ----

// A position in the ring, with the parity that tells whether its slot is empty.
template <typename S>
struct Slot {
    uint32_t stage = 0;
    uint32_t turn = 1;  // the first wait for an empty slot returns at once
    __device__ __forceinline__ void advance() {
        if (++stage == S::kStages) {
            stage = 0;
            turn ^= 1;
        }
    }
};

template <typename S>
struct WeightProducer {
    const char* w;
    uint32_t base;
    int tiles;   // of 64 columns
    int padded;  // outputs, padded
    int rank;

    static constexpr uint64_t kPolicy = S::kManyRows ? kEvictNormal : kEvictFirst;

    // The part of the share in one tile of 64 rows: where it starts in W's first column of tiles, where in the slot,
    // bytes.
    const char* source[S::kPieces];
    uint32_t target[S::kPieces];
    int bytes[S::kPieces];
    int slot_bytes;  // of W that a column of tiles brings to this block

    __device__ __forceinline__ void choose(int output) {
        slot_bytes = max(0, min(S::kOutputs, padded - output)) * 128;
        const int share = output + (rank % S::kClusterRows) * S::kWShare;
#pragma unroll
        for (int i = 0; i < S::kPieces; i++) {
            const int from = max(share, (share / 64 + i) * 64);
            const int to = min(min(share + S::kWShare, padded), (share / 64 + i + 1) * 64);
            source[i] = w + static_cast<int64_t>(from / 64) * tiles * 8192 + from % 64 * 128;
            target[i] = (from - output) * 128;
            bytes[i] = (to - from) * 128;
        }
    }

    // Announces and starts the copies of the next `count` columns of tiles.
    __device__ __forceinline__ void fetch(uint32_t stage, int count) {
        const uint32_t full = base + S::kFull + 8 * stage;
        const uint32_t slot = base + S::kRing + stage * S::kSlotBytes + S::kDepth * S::kXTile;
        if (elected()) {
            barrier_arrive_expecting(full, count * slot_bytes);
            if (count == S::kDepth) {
                copies<true>(slot, full, count);
            } else {
                copies<false>(slot, full, count);
            }
        }
        __syncwarp();
#pragma unroll
        for (int i = 0; i < S::kPieces; i++) source[i] += S::kDepth * 8192;
    }

    template <bool kWhole>
    __device__ __forceinline__ void copies(uint32_t slot, uint32_t full, int count) const {
        if (S::kPieces == 1 && bytes[0] <= 0) return;
#pragma unroll
        for (int depth = 0; depth < S::kDepth; depth++) {
            if (!kWhole && depth >= count) break;
#pragma unroll
            for (int i = 0; i < S::kPieces; i++) {
                if (S::kPieces > 1 && bytes[i] <= 0) continue;
                const uint32_t to = slot + depth * S::kWTile + target[i];
                if constexpr (S::kClusterRows == 1) {
                    copy_bytes(to, source[i] + depth * 8192, bytes[i], full, kPolicy);
                } else {
                    constexpr uint32_t kColumn = (1 << S::kClusterRows) - 1;
                    const uint16_t blocks = kColumn << rank / S::kClusterRows * S::kClusterRows;
                    copy_bytes_to(to, source[i] + depth * 8192, bytes[i], full, blocks, kPolicy);
                }
            }
        }
    }
};

template <typename S>
__device__ __forceinline__ void produce_weights(const void* w, const int* rows, int k, int n) {
    WeightProducer<S> p{static_cast<const char*>(w), shared_address(shared), k / 64, (n + 63) / 64 * 64,
                        S::kCluster == 1 ? 0 : static_cast<int>(cluster_rank())};
    Slot<S> slot;
    int tile = 0;
    // What can be fetched before it is known how many rows there are: the ring's first turn of the first unit.
    bool begun = false;
    if constexpr (!S::kManyRows) {
        const int unit = blockIdx.x / S::kCluster;
        begun = unit < Walk<S>::output_units_of(n);
        if (begun) {
            p.choose((unit * S::kClusterOutputs + p.rank / S::kClusterRows) * S::kOutputs);
            for (int stage = 0; stage < S::kStages && tile < p.tiles; stage++, tile += S::kDepth) {
                p.fetch(stage, min(S::kDepth, p.tiles - tile));
                slot.advance();
            }
        }
    }
    dependencies_wait();
    for (Walk<S> walk(*rows, n); walk.more; walk.next()) {
        if (!begun) {
            p.choose(walk.output);
            tile = 0;
        }
        begun = false;
        for (; tile < p.tiles; tile += S::kDepth) {
            barrier_wait(p.base + S::kEmpty + 8 * slot.stage, slot.turn);
            p.fetch(slot.stage, min(S::kDepth, p.tiles - tile));
            slot.advance();
        }
    }
    if constexpr (S::kCluster > 1) {
        // A block stays until its neighbours have said all they have to say to its barriers.
        for (int i = 0; i < S::kStages; i++) {
            barrier_wait(p.base + S::kEmpty + 8 * slot.stage, slot.turn);
            slot.advance();
        }
    }
}

// The copies of X for a slot; `before` counts those of earlier slots: the blocks that share rows take turns.
template <typename S, bool kWhole>
__device__ __forceinline__ void copies_of_rows(const Walk<S>& walk, const void* descriptor, uint32_t slot, uint32_t full,
                                               int tile, int count, int boxes, uint32_t before) {
    constexpr uint64_t kPolicy = S::kManyRows ? kEvictNormal : kEvictLast;
#pragma unroll
    for (int depth = 0; depth < S::kDepth; depth++) {
        if (!kWhole && depth >= count) break;
#pragma unroll
        for (int box = 0; box < S::kBoxes; box++) {
            if (!kWhole && box >= boxes) break;
            const uint32_t to = slot + depth * S::kXTile + box * S::kBoxRows * 128;
            const int x = (tile + depth) * 64;
            const int y = walk.row + box * S::kBoxRows;
            if constexpr (S::kClusterOutputs == 1) {
                copy_tile(to, descriptor, full, x, y, kPolicy);
            } else {
                constexpr bool kSameTurns = S::kDepth * S::kBoxes % S::kClusterOutputs == 0;
                const uint32_t turn = depth * S::kBoxes + box + (kSameTurns ? 0 : before);
                if (turn % S::kClusterOutputs != walk.rank / S::kClusterRows) continue;
                constexpr uint32_t kRow = S::kClusterOutputs == 2
                                              ? 1 | 1 << S::kClusterRows
                                              : 1 | 1 << S::kClusterRows | 1 << 2 * S::kClusterRows | 1 << 3 * S::kClusterRows;
                const uint16_t blocks = kRow << walk.rank % S::kClusterRows;
                copy_tile_to(to, descriptor, full, x, y, blocks, kPolicy);
            }
        }
    }
}

template <typename S>
__device__ __forceinline__ void produce_rows(const void* map, const int* rows, int k, int n) {
    constexpr int kBoxBytes = S::kBoxRows * 128;
    const uint32_t base = shared_address(shared);
    const int tiles = k / 64;
    const void* const descriptor = static_cast<const char*>(map) + (S::kBoxRows == 64 ? 0 : 128);
    descriptor_acquire(descriptor);
    asm volatile("prefetch.tensormap [%0];" ::"l"(descriptor) : "memory");
    dependencies_wait();
    Slot<S> slot;
    uint32_t copies = 0;  // so far
    for (Walk<S> walk(*rows, n); walk.more; walk.next()) {
        const int live = min(S::kRows, walk.rows - walk.row);
        const int boxes = live <= 0 ? 0 : (live + S::kBoxRows - 1) / S::kBoxRows;  // the others hold no live row
        for (int tile = 0; tile < tiles; tile += S::kDepth) {
            const int count = min(S::kDepth, tiles - tile);
            const uint32_t full = base + S::kFull + 8 * slot.stage;
            const uint32_t to = base + S::kRing + slot.stage * S::kSlotBytes;
            barrier_wait(base + S::kEmpty + 8 * slot.stage, slot.turn);
            if (elected()) {
                barrier_arrive_expecting(full, count * boxes * kBoxBytes);
                if (count == S::kDepth && boxes == S::kBoxes) {
                    copies_of_rows<S, true>(walk, descriptor, to, full, tile, count, boxes, copies);
                } else {
                    copies_of_rows<S, false>(walk, descriptor, to, full, tile, count, boxes, copies);
                }
            }
            __syncwarp();
            copies += S::kDepth * S::kBoxes;
            slot.advance();
        }
    }
}

// ---- consumer ----

// What an epilogue is told: this thread's accumulators hold rows `row` and `row + 8`, of each eight outputs from
// `output` on numbers 2 * (lane % 4) and the next.
struct Place {
    int row;
    int output;
    int rows;       // live rows
    int row_limit;  // rows of the warpgroup that the slot holds end here
};

template <typename S, typename Epilogue>
__device__ __forceinline__ void consume(const Epilogue& epilogue, const int* rows, int k, int n) {
    const int warpgroup = S::kWarpgroups == 1 ? 0 : __shfl_sync(0xFFFFFFFF, threadIdx.x / 128, 0);
    const int thread = threadIdx.x % 128;
    const uint32_t base = shared_address(shared);
    const int tiles = k / 64;
    dependencies_wait();
    const int live = *rows;
    int stage = 0;
    uint32_t turn = 0;
    const auto release = [&](int slot) {
        const uint32_t empty = base + S::kEmpty + 8 * slot;
        if constexpr (S::kCluster == 1) {
            if (thread == 0) barrier_arrive(empty);
        } else {
            if (thread < S::kCluster) barrier_arrive_at(empty, thread);
        }
    };
    // Alternating warpgroups pass over each other's slots. Named barriers keep their products in order: a wait for a
    // slot is right only once all earlier fillings of it are complete.
    constexpr uint32_t kTurns = 4;
    const int group = S::kAlternate ? __shfl_sync(0xFFFFFFFF, threadIdx.x / 128, 0) : 0;
    bool others = group != 0;
    if (S::kAlternate && others) named_barrier_arrive(kTurns, 256);
    for (Walk<S> walk(live, n); walk.more; walk.next()) {
        if constexpr (S::kAlternate) {
            others = !others;
            if (!others) {
                const uint32_t next = stage + (tiles + S::kDepth - 1) / S::kDepth;
                turn ^= next / S::kStages & 1;
                stage = next % S::kStages;
                continue;
            }
            named_barrier_sync(kTurns + group, 256);
        }
        float sums[S::kOutputs / 2];
#pragma unroll
        for (int i = 0; i < S::kOutputs / 2; i++) sums[i] = 0;
        int last = -1;
        const auto multiply = [&](uint32_t slot, int depth) {
            const Operand x(slot + depth * S::kXTile + warpgroup * 8192, 0);
            const Operand w(slot + S::kDepth * S::kXTile + depth * S::kWTile, 0);
#pragma unroll
            for (int step = 0; step < 4; step++) {
                SharedShared<__nv_bfloat16, S::kOutputs>::run(sums, x.at(32 * step), w.at(32 * step), 1);
            }
        };
        int tile = 0;
        for (; tile + S::kDepth <= tiles; tile += S::kDepth) {
            barrier_wait(base + S::kFull + 8 * stage, turn);
            const uint32_t slot = base + S::kRing + stage * S::kSlotBytes;
            products_fence();
#pragma unroll
            for (int depth = 0; depth < S::kDepth; depth++) multiply(slot, depth);
            products_commit();
            products_wait<1>();
            if (last >= 0) release(last);
            last = stage;
            if (++stage == S::kStages) {
                stage = 0;
                turn ^= 1;
            }
        }
        products_wait<0>();
        if (last >= 0) release(last);
        pin(sums);
        if (S::kDepth > 1 && tile < tiles) {  // a slot that is not full
            barrier_wait(base + S::kFull + 8 * stage, turn);
            const uint32_t slot = base + S::kRing + stage * S::kSlotBytes;
#pragma unroll 1
            for (int depth = 0; depth < tiles - tile; depth++) {
                products_fence();
                multiply(slot, depth);
                products_commit();
                products_wait<0>();
                pin(sums);
            }
            release(stage);
            if (++stage == S::kStages) {
                stage = 0;
                turn ^= 1;
            }
        }
        if constexpr (S::kAlternate) named_barrier_arrive(kTurns + 1 - group, 256);
        const int row = walk.row + warpgroup * 64;
        epilogue.template finish<S>(
            sums, Place{row + thread / 32 * 16 + thread % 32 / 4, walk.output, live, min(live, row + S::kGroupRows)});
    }
}

// ---- narrow consumer ----

__device__ __forceinline__ void load_matrices(uint32_t (&words)[4], uint32_t address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address)
                 : "memory");
}

// What 64 columns of W (16 outputs) and X (kRows rows) are in a warp's registers.
template <typename S>
struct Fragments {
    uint32_t w[4][4];
    uint32_t x[S::kRows / 8][2][4];

    // `w_at`, `x_at`: this lane's addresses in the tiles.
    __device__ __forceinline__ void load(uint32_t w_at, uint32_t x_at) {
#pragma unroll
        for (int step = 0; step < 4; step++) load_matrices(w[step], w_at ^ 32 * step);
#pragma unroll
        for (int group = 0; group < S::kRows / 8; group++) {
#pragma unroll
            for (int half = 0; half < 2; half++) load_matrices(x[group][half], (x_at + 1024 * group) ^ 64 * half);
        }
    }

    // Steps kFirst .. kFirst + kCount - 1 of the four of 16 columns.
    template <int kFirst, int kCount>
    __device__ __forceinline__ void multiply(float (&sums)[S::kRows / 8][4]) const {
#pragma unroll
        for (int step = kFirst; step < kFirst + kCount; step++) {
#pragma unroll
            for (int group = 0; group < S::kRows / 8; group++) {
                float(&d)[4] = sums[group];
                asm volatile(
                    "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                    "{%0, %1, %2, %3};"
                    : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                    : "r"(w[step][0]), "r"(w[step][1]), "r"(w[step][2]), "r"(w[step][3]),
                      "r"(x[group][step / 2][step % 2 * 2]), "r"(x[group][step / 2][step % 2 * 2 + 1]));
            }
        }
    }
};

template <typename S, typename Epilogue>
__device__ __forceinline__ void consume_narrow(const Epilogue& epilogue, const int* rows, int k, int n) {
    const int warp = __shfl_sync(0xFFFFFFFF, threadIdx.x / 32, 0);
    const int lane = threadIdx.x % 32;
    const uint32_t ring = shared_address(shared) + S::kRing;
    const uint32_t barriers = shared_address(shared);
    const int tiles = k / 64;
    // Addresses of rows for ldmatrix; chunks of a row are swizzled by the row.
    const uint32_t w_at = ring + S::kDepth * S::kXTile + (16 * warp + lane % 16) * 128 + (lane / 16 ^ lane % 8) * 16;
    const uint32_t x_at = ring + lane % 8 * 128 + (lane / 8 ^ lane % 8) * 16;
    dependencies_wait();
    const int live = *rows;
    uint32_t stage = 0;
    uint32_t turn = 0;
    const auto await = [&]() { barrier_wait(barriers + S::kFull + 8 * stage, turn); };
    const auto advance = [&]() {
        if (++stage == S::kStages) {
            stage = 0;
            turn ^= 1;
        }
    };
    const auto release = [&](uint32_t slot) {
        __syncwarp();
        if (lane == 0) barrier_arrive(barriers + S::kEmpty + 8 * slot);
    };
    for (Walk<S> walk(live, n); walk.more; walk.next()) {
        float sums[S::kRows / 8][4];
#pragma unroll
        for (int i = 0; i < S::kRows / 8; i++) {
#pragma unroll
            for (int j = 0; j < 4; j++) sums[i][j] = 0;
        }
        Fragments<S> fragments[2];
        int tile = 0;
        if (tile + S::kDepth <= tiles) {
            await();
            fragments[0].load(w_at + stage * S::kSlotBytes, x_at + stage * S::kSlotBytes);
        }
        for (; tile + S::kDepth <= tiles; tile += S::kDepth) {
            const uint32_t here = stage;
#pragma unroll
            for (int depth = 0; depth < S::kDepth; depth++) {
                // Between the products, which wait for each other, the next fragments are fetched.
                const Fragments<S>& these = fragments[depth % 2];
                these.template multiply<0, 1>(sums);
                if (depth + 1 < S::kDepth) {
                    these.template multiply<1, 1>(sums);
                    fragments[(depth + 1) % 2].load(w_at + here * S::kSlotBytes + (depth + 1) * S::kWTile,
                                                    x_at + here * S::kSlotBytes + (depth + 1) * S::kXTile);
                } else {
                    advance();
                    const bool more = tile + 2 * S::kDepth <= tiles;
                    if (more) await();
                    these.template multiply<1, 1>(sums);
                    if (more) fragments[0].load(w_at + stage * S::kSlotBytes, x_at + stage * S::kSlotBytes);
                }
                these.template multiply<2, 2>(sums);
            }
            release(here);
        }
        if (tile < tiles) {  // a slot that is not full
            await();
#pragma unroll 1
            for (int depth = 0; depth < tiles - tile; depth++) {
                fragments[0].load(w_at + stage * S::kSlotBytes + depth * S::kWTile,
                                  x_at + stage * S::kSlotBytes + depth * S::kXTile);
                fragments[0].template multiply<0, 4>(sums);
            }
            release(stage);
            advance();
        }
        // This lane has outputs lane / 4 and 8 more of the warp's 16, and of each eight rows 2 * (lane % 4) and the
        // next.
        const int limit = min(live, walk.row + S::kRows);
        const int output = walk.output + 16 * warp + lane / 4;
        const bool both = S::kOutputs % 16 == 0 || warp + 1 < S::kConsumers;
#pragma unroll
        for (int group = 0; group < S::kRows / 8; group++) {
            const int row = walk.row + 8 * group + lane % 4 * 2;
            if (row < limit) epilogue.finish_narrow(row, output, sums[group][0], sums[group][2], both);
            if (row + 1 < limit) epilogue.finish_narrow(row + 1, output, sums[group][1], sums[group][3], both);
        }
    }
}

template <typename S, typename Epilogue>
__device__ __forceinline__ void run(
    const Epilogue& epilogue, const void* map, const void* w, const int* rows, int k, int n) {
    dependents_launch();
    if (threadIdx.x == 0) {
        const uint32_t base = shared_address(shared);
        for (int i = 0; i < S::kStages; i++) {
            barrier_init(base + S::kFull + 8 * i, 2);
            barrier_init(base + S::kEmpty + 8 * i, S::kConsumers * S::kCluster);
        }
        barrier_init_fence();
    }
    if constexpr (S::kCluster == 1) {
        __syncthreads();
    } else {
        cluster_sync();
    }
    const int warp = __shfl_sync(0xFFFFFFFF, threadIdx.x / 32, 0);
    if (warp >= S::kConsumerWarps) {
        if constexpr (S::kHandOver) registers_give<56>();
        if (warp == S::kConsumerWarps) {
            produce_weights<S>(w, rows, k, n);
        } else if (warp == S::kConsumerWarps + 1) {
            produce_rows<S>(map, rows, k, n);
        }
    } else {
        if constexpr (S::kHandOver) registers_take<224>();
        if constexpr (S::kNarrow) {
            consume_narrow<S>(epilogue, rows, k, n);
        } else {
            consume<S>(epilogue, rows, k, n);
        }
    }
}

// Sixteen bytes a lane instead of four: in each group of four lanes, word i of lane t becomes word t of lane i.
__device__ __forceinline__ void transpose(uint32_t (&words)[4]) {
    const int t = threadIdx.x % 4;
#pragma unroll
    for (int i = 0; i < 4; i += 2) {
        const uint32_t other = __shfl_xor_sync(0xFFFFFFFF, t & 1 ? words[i] : words[i + 1], 1);
        (t & 1 ? words[i] : words[i + 1]) = other;
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const uint32_t other = __shfl_xor_sync(0xFFFFFFFF, t & 2 ? words[i] : words[i + 2], 2);
        (t & 2 ? words[i] : words[i + 2]) = other;
    }
}

}  // namespace products
