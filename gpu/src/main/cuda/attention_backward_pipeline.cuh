// Attention backward for Hopper (sm_90a): dQ, dK and dV; attention_backward.cuh has the formulas and the launches.
//
// One persistent block per multiprocessor takes one block of 128 keys of one head at a time and walks through the tiles
// of queries that see any of them, for every head of queries that shares the keys. Warpgroup 0 drives the copy engine:
// its first warp fetches work and streams queries and gradients of the output through rings of shared-memory slots; two
// more carry finished shares of dQ to their sums in global memory. The other two warpgroups own 64 keys each. They
// compute S^T = K Q^T and dP^T = V dO^T, so that P^T and dS^T are where dV += P^T dO and dK += dS^T Q want them, in
// registers; only dS goes through shared memory, where both warpgroups meet for dQ = dS K. The exponentials of a step run
// beside dP^T, dS beside dV; dQ is put down beside dK, or beside the next step's S^T (kAhead).
//
// dK and dV of a key are one chain of sums over queries, head after head, whatever the grid.
//
// Sources: FlashAttention-2 (arXiv 2307.08691) for the formulas, FlashAttention-3 (arXiv 2407.08608) for the roles of
// warps and the transposed products, FlashAttention-4 (arXiv 2603.05451) for turns at dQ.

// attention_backward.cu has the plain kernels, attention_backward_softcap.cu those for capped scores.
#pragma once

#include "attention_backward.cuh"
#include "attention_backward_ends.cuh"
#include "hopper.cuh"
#include "wgmma.cuh"
#include "wgmma_backward.cuh"

using namespace hopper;

namespace attention {

// Compile-time shape of a kernel.
template <typename ElementType, int kHead_, int kRows_, bool kAhead_, bool kHalf_, bool kSoftcap_ = false>
struct BackwardShape {
    using Element = ElementType;
    static constexpr int kHead = kHead_;
    static constexpr int kRows = kRows_;  // queries of a tile
    static constexpr int kBlockKeys = 128;
    static constexpr bool kAhead = kAhead_;  // a step's scores are computed under the step before
    static constexpr bool kHalf = kHalf_;    // dS by products of 16-bit numbers; else of P as it is before it is rounded
    static constexpr bool kSoftcap = kSoftcap_;  // scores are softcap * tanh(scale Q K^T / softcap)
    static constexpr int kQuerySlots = 2;
    static constexpr int kGradientSlots = 2;
    static constexpr int kSumSlots = 2;  // each has a warp that empties it
    static constexpr int kThreads = 384;
    static constexpr int kPanels = (kHead + 63) / 64;
    static constexpr int kKeyPanelBytes = kBlockKeys * 128;
    static constexpr int kKeyBytes = kPanels * kKeyPanelBytes;
    static constexpr int kQueryPanelBytes = kRows * 128;
    static constexpr int kQueryBytes = kPanels * kQueryPanelBytes;
    static constexpr int kStatisticBytes = 2 * 4 * kRows;
    static constexpr int kScorePanelBytes = kRows * 128;  // dS: 64 keys a panel
    static constexpr int kSumBytes = kRows * kPanels * 64 * 4;
    // A warpgroup's half of the work for dQ: 64 x 64, rows or columns of the tile.
    static constexpr bool kSplitRows = kRows == 128;
    static __device__ __forceinline__ int sum_row(int group) { return kSplitRows ? 64 * group : 0; }
    static __device__ __forceinline__ int sum_column(int group) { return kSplitRows ? 0 : 64 * group; }
    static_assert(kRows * kPanels == 128, "each warpgroup has 64 x 64 of dQ");
    static_assert(kHead % 32 == 0, "rows are stored 32 columns at a time");
    static_assert(kHalf || !kAhead, "the next scores are where P was");
    static_assert(!kSoftcap || !(kHalf || kAhead), "capped scores stay where they are");
    // Shared memory: barriers, records, statistics, tiles.
    static constexpr int kKeysFull = 0;
    static constexpr int kValuesFull = 8;
    static constexpr int kKeysEmpty = 16;
    static constexpr int kScoresEmpty = 24;
    static constexpr int kSumsFull = 32;
    static constexpr int kSumsEmpty = kSumsFull + 16;
    static constexpr int kIdle = kSumsEmpty + 16;
    static constexpr int kQueriesFull = kIdle + 8;
    static constexpr int kQueriesEmpty = kQueriesFull + 8 * kQuerySlots;
    static constexpr int kGradientsFull = kQueriesEmpty + 8 * kQuerySlots;
    static constexpr int kGradientsEmpty = kGradientsFull + 8 * kGradientSlots;
    static constexpr int kSteps = 256;    // what a step's queries are: int2 for each slot
    static constexpr int kCaps = kSteps + 8 * kQuerySlots;  // what `cap` multiplies with, and what is left to do after it
    static constexpr int kRecords = 320;  // of blocks of keys
    static constexpr int kStatistics = 640;
    static constexpr int kKeys = (kStatistics + kQuerySlots * kStatisticBytes + 1023) / 1024 * 1024;
    static constexpr int kValues = kKeys + kKeyBytes;
    static constexpr int kQueries = kValues + kKeyBytes;
    static constexpr int kGradients = kQueries + kQuerySlots * kQueryBytes;
    static constexpr int kScores = kGradients + kGradientSlots * kQueryBytes;
    static constexpr int kSums = kScores + 2 * kScorePanelBytes;
    static constexpr int kSharedBytes = kSums + kSumSlots * kSumBytes;
    static constexpr int kConsumerRegisters = 240;
    static constexpr int kProducerRegisters = 24;
    static_assert(kGradientsEmpty + 8 * kGradientSlots <= kSteps && kCaps + 8 <= kRecords, "room");
    static_assert(kSharedBytes <= 232448, "a block has 227 KiB of shared memory");
};

// What the producer tells the others about a block of keys.
struct alignas(16) Record {
    int32_t sequence;  // -1: no more work
    int32_t kv_head;
    int32_t block;
    int32_t length_q;
    int32_t length_k;
    int32_t start_q;
    int32_t start_k;
    int32_t start_visible;  // of the first query in `visible`
    int32_t first;          // tiles of queries first, .., first + count - 1 see some of the keys
    int32_t count;
    int32_t begin;   // the tile to begin with
    int32_t stride;  // 1 or -1: to the next tile
    int32_t group_first;  // blocks of keys group_first, .., group_last are at work side by side
    int32_t group_last;
    int32_t lag;  // where every query sees every key: tiles between neighbours of the group
    int32_t passed;     // with starts_k: blocks of the sequences before, times heads
    int32_t phase_end;  // number, in the order of work, of the first block that is in another group and section
    int32_t reserved[3];
};
constexpr int kRecordSlots = 4;
static_assert(kRecordSlots * sizeof(Record) <= 320, "between the steps and the statistics");

struct Interval {
    int32_t first;
    int32_t end;
};

// The keys that query `row` may see.
__device__ __forceinline__ Interval visible(const BackwardArguments& a, const Record& record, int row) {
    row = min(row, record.length_q - 1);
    if (a.visible != nullptr) {
        const int2 interval = __ldg(a.visible + record.start_visible + row);
        return {max(interval.x, 0), min(interval.y, record.length_k)};
    }
    const int key = row + record.length_k - record.length_q;
    return {max(key - a.window_left, 0), min(key + a.window_right + 1, record.length_k)};
}

// The blocks of keys that take part in a tile's dQ are first_block(..), .., last_block(..): at least one, so that dQ gets
// written, and neither falls from one tile to the next.
template <typename S>
__device__ __forceinline__ int first_block(const BackwardArguments& a, const Record& record, int row) {
    return min(visible(a, record, row).first, record.length_k - 1) / S::kBlockKeys;
}

template <typename S>
__device__ __forceinline__ int last_block(const BackwardArguments& a, const Record& record, int row) {
    return max(max(visible(a, record, row + S::kRows - 1).end - 1, 0) / S::kBlockKeys, first_block<S>(a, record, row));
}

extern __shared__ __align__(1024) char shared[];

__device__ __forceinline__ uint32_t shared_offset(int offset) { return shared_address(shared) + offset; }

template <typename S>
__device__ __forceinline__ Record& record_of(uint32_t number) {
    return reinterpret_cast<Record*>(shared + S::kRecords)[number % kRecordSlots];
}

// A position in a ring of slots, with the parity of the current turn.
template <int kSlots>
struct Ring {
    uint32_t slot = 0;
    uint32_t turn = 0;
    __device__ __forceinline__ void advance() {
        if (++slot == kSlots) {
            slot = 0;
            turn ^= 1;
        }
    }
};

// Makes this thread's writes to shared memory visible to the copy engine and the tensor cores.
__device__ __forceinline__ void publish_shared() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// ---------------------------------------------------------------------------------------------------------------------
// Producer
// ---------------------------------------------------------------------------------------------------------------------

__device__ __forceinline__ void copy_bytes(uint32_t destination, const void* source, uint32_t bytes, uint32_t barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                     destination),
                 "l"(source), "r"(bytes), "r"(barrier)
                 : "memory");
}

constexpr uint64_t kEvictNormal = 0x1000000000000000;

// Where a walk through the steps of a block of keys stands: heads of queries in ascending order, and for each its tiles,
// once around.
struct Walk {
    int head;  // among those that share the keys
    int tile;

    __device__ __forceinline__ void advance(const Record& record) {
        tile += record.stride;
        if (static_cast<uint32_t>(tile - record.first) >= record.count) {
            tile = record.stride > 0 ? record.first : record.first + record.count - 1;
        }
        if (tile == record.begin) head++;
    }
};

// The number of a step's tile of queries, in tensors [heads][tiles].
template <typename S>
__device__ __forceinline__ int place(const BackwardArguments& a, const Record& record, const Walk& walk) {
    const int head = record.kv_head * (a.heads / a.kv_heads) + walk.head;
    return head * a.tiles + first_tile<S::kRows>(a, record.sequence, record.start_q) + walk.tile;
}

// It has few registers: what one step tells the next is in the records, and `settle` keeps the compiler from reading
// ahead.
template <typename S>
struct BackwardProducer {
    const BackwardArguments& a;
    uint32_t number = 0;  // of steps so far

    static __device__ __forceinline__ void settle() { asm volatile("" ::: "memory"); }

    // Finds block of keys number `index` in the order of work and writes its record; false when there is none. Order:
    // sections of heads, groups of blocks, blocks of the group, heads of the section.
    __device__ __forceinline__ bool find(int index, const Record& before, Record& record) {
        int blocks;
        record.passed = 0;
        if (a.starts_k == nullptr) {
            blocks = (a.tokens_k + S::kBlockKeys - 1) / S::kBlockKeys;
            if (index >= blocks * a.batch * a.kv_heads) return false;
        } else {
            int sequence = before.sequence;
            int passed = before.passed;
            while (true) {
                if (sequence >= a.batch) return false;
                blocks = (span(a.starts_k, 0, sequence).length + S::kBlockKeys - 1) / S::kBlockKeys;
                if (index < passed + blocks * a.kv_heads) break;
                passed += blocks * a.kv_heads;
                sequence++;
            }
            index -= passed;
            record.sequence = sequence;
            record.passed = passed;
        }
        settle();
        {
            const int section = index / (a.section * blocks);
            index -= section * a.section * blocks;
            const int heads = a.starts_k == nullptr ? a.batch * a.kv_heads : a.kv_heads;
            const int width = min(a.section, heads - section * a.section);
            const int together = max(1, min(a.together, gridDim.x / a.section));
            const int place = index / width;
            record.group_first = place / together * together;
            record.group_last = min(record.group_first + together, blocks) - 1;
            // Whoever has his turn early is early at work.
            record.block = a.rotation != 0 ? place : record.group_first + record.group_last - place;
            record.phase_end = record.passed + section * a.section * blocks + (record.group_last + 1) * width;
            const int head = section * a.section + index % width;
            if (a.starts_k == nullptr) record.sequence = head / a.kv_heads;
            record.kv_head = head % a.kv_heads;
        }
        settle();
        const Span keys = span(a.starts_k, a.tokens_k, record.sequence);
        record.start_k = keys.start;
        record.length_k = keys.length;
        settle();
        const Span queries = span(a.starts_q, a.tokens_q, record.sequence);
        record.start_q = queries.start;
        record.length_q = queries.length;
        record.start_visible = a.starts_q != nullptr ? queries.start : record.sequence * a.tokens_q;
        settle();
        // The first tile whose last block is not before this one, and the first whose first block is behind it.
        int low = 0;
#pragma unroll 1
        for (int side = 0; side < 2; side++) {
            int high = (record.length_q + S::kRows - 1) / S::kRows;
            while (low < high) {
                settle();
                const int middle = (low + high) / 2;
                const bool before = side == 0 ? last_block<S>(a, record, middle * S::kRows) < record.block
                                              : first_block<S>(a, record, middle * S::kRows) <= record.block;
                if (before) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            if (side == 0) record.first = low;
        }
        settle();
        record.count = low - record.first;
        if (a.rotation >= 0) {
            // Neighbours so far apart that all fit in.
            record.lag = min(a.rotation, record.count / (record.group_last - record.group_first + 1));
            record.begin = record.first + record.lag * (record.group_last - record.block);
            record.stride = 1;
        } else {
            record.begin = record.first + max(record.count - 1, 0);
            record.stride = -1;
        }
        return true;
    }

    __device__ __forceinline__ void load_panels(uint32_t destination, uint32_t panel_bytes, const void* map, uint32_t full,
                                                int token, int head, uint64_t policy) {
#pragma unroll
        for (int panel = 0; panel < S::kPanels; panel++) {
            copy_tile_3d(destination + panel * panel_bytes, map, full, panel * 64, token, head, policy);
        }
    }

    // Queries of step `number + ahead` with their statistics, and which warpgroups' keys are seen whole.
    __device__ __forceinline__ void load_queries(const Record& record, const Walk& walk, int ahead) {
        const uint32_t slot = (number + ahead) % S::kQuerySlots;
        const int row = walk.tile * S::kRows;
        int whole = 0;
        {
            const int end = visible(a, record, row).end;
            settle();
            const int first = visible(a, record, row + S::kRows - 1).first;
            const int key = record.block * S::kBlockKeys;
            if (first <= key && end >= key + 64) whole = 1;
            if (first <= key + 64 && end >= key + 128) whole |= 2;
        }
        settle();
        barrier_wait(shared_offset(S::kQueriesEmpty) + 8 * slot, (number + ahead) / S::kQuerySlots % 2 ^ 1);
        reinterpret_cast<int2*>(shared + S::kSteps)[slot] = make_int2(whole, row);
        const uint32_t full = shared_offset(S::kQueriesFull) + 8 * slot;
        barrier_arrive_expecting(full, S::kQueryBytes + S::kStatisticBytes);
        load_panels(shared_offset(S::kQueries) + slot * S::kQueryBytes, S::kQueryPanelBytes,
                    descriptor(a, record.sequence, Mapped::kQueries), full, row,
                    record.kv_head * (a.heads / a.kv_heads) + walk.head, kEvictNormal);
        settle();
        copy_bytes(shared_offset(S::kStatistics) + slot * S::kStatisticBytes,
                   a.statistics + static_cast<int64_t>(place<S>(a, record, walk)) * (2 * S::kRows), S::kStatisticBytes,
                   full);
        settle();
    }

    __device__ __forceinline__ void load_gradients(const Record& record, const Walk& walk) {
        const uint32_t slot = number % S::kGradientSlots;
        const uint32_t full = shared_offset(S::kGradientsFull) + 8 * slot;
        barrier_wait(shared_offset(S::kGradientsEmpty) + 8 * slot, number / S::kGradientSlots % 2 ^ 1);
        barrier_arrive_expecting(full, S::kQueryBytes);
        load_panels(shared_offset(S::kGradients) + slot * S::kQueryBytes, S::kQueryPanelBytes,
                    descriptor(a, record.sequence, Mapped::kGradients), full, walk.tile * S::kRows,
                    record.kv_head * (a.heads / a.kv_heads) + walk.head, kEvictNormal);
        settle();
    }

    __device__ __forceinline__ void load_keys(const Record& record) {
#pragma unroll
        for (int which = 0; which < 2; which++) {
            const uint32_t full = shared_offset(which == 0 ? S::kKeysFull : S::kValuesFull);
            barrier_arrive_expecting(full, S::kKeyBytes);
            load_panels(shared_offset(which == 0 ? S::kKeys : S::kValues), S::kKeyPanelBytes,
                        descriptor(a, record.sequence, which == 0 ? Mapped::kKeys : Mapped::kValues), full,
                        record.block * S::kBlockKeys, record.kv_head, kEvictFirst);
            settle();
        }
    }

    // The next number in the order of work. Who holds a block of a group while still at another of the same group might
    // wait for himself: then this one has to be finished first, unless the group is all given out.
    __device__ __forceinline__ int take(const Record& record, uint32_t block) {
        uint32_t* const counter = static_cast<uint32_t*>(a.descriptors);
        while (static_cast<int>(gridDim.x + *static_cast<volatile uint32_t*>(counter)) < record.phase_end &&
               !barrier_test(shared_offset(S::kIdle), block % 2)) {
        }
        return gridDim.x + atomicAdd(counter, 1u);
    }

    __device__ __forceinline__ void run() {
        int index = blockIdx.x;
        record_of<S>(kRecordSlots - 1).sequence = 0;
        record_of<S>(kRecordSlots - 1).passed = 0;
        for (uint32_t block = 0;; block++) {
            Record& record = record_of<S>(block);
            if (!find(index, record_of<S>(block + kRecordSlots - 1), record)) {
                record.sequence = -1;
                barrier_wait(shared_offset(S::kKeysEmpty), block % 2 ^ 1);
                barrier_arrive(shared_offset(S::kKeysFull));
                break;
            }
#pragma unroll
            for (int i = 0; i < 4; i++) descriptor_acquire(descriptor(a, record.sequence, static_cast<Mapped>(i)));
            settle();
            Walk walk = {0, record.begin};
            int left = record.count * (a.heads / a.kv_heads);
            if (left > 0) load_queries(record, walk, 0);
            barrier_wait(shared_offset(S::kKeysEmpty), block % 2 ^ 1);
            load_keys(record);
#pragma unroll 1
            for (; left > 0; left--) {
                load_gradients(record, walk);
                walk.advance(record);
                if (left > 1) load_queries(record, walk, 1);
                number++;
            }
            index = take(record, block);
        }
        // The last block to leave clears the counters for the next launch.
        uint32_t* const counter = static_cast<uint32_t*>(a.descriptors);
        __threadfence();
        if (atomicInc(counter + 1, gridDim.x - 1) == gridDim.x - 1) *counter = 0;
    }
};

// ---------------------------------------------------------------------------------------------------------------------
// Carriers of dQ
// ---------------------------------------------------------------------------------------------------------------------

__device__ __forceinline__ int load_acquire(const int32_t* address) {
    int value;
    asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(value) : "l"(address) : "memory");
    return value;
}

__device__ __forceinline__ void store_release(int32_t* address, int value) {
    asm volatile("st.release.gpu.global.s32 [%0], %1;" ::"l"(address), "r"(value) : "memory");
}

__device__ __forceinline__ void await_turn(const int32_t* turn, int rank) {
#ifdef HOPPER_WATCHDOG
    for (long spins = 0; load_acquire(turn) != rank; spins++) {
        if (spins > 4000000) __trap();
    }
#else
    while (load_acquire(turn) != rank) {
    }
#endif
}

// How many blocks of keys have their turn at a tile before this one.
template <typename S>
__device__ __forceinline__ int turn_of(const BackwardArguments& a, const Record& record, int tile) {
    if (a.rotation > 0) {
        const int size = record.group_last - record.group_first + 1;
        // Of the group's blocks, this one is the first to come to the tile, then those behind it, around.
        const int first = record.lag == 0 ? 0 : max(size - 1 - tile / record.lag, 0);
        const int mine = record.block - record.group_first - first;
        return record.group_first + (mine < 0 ? mine + size : mine);
    }
    const int low = first_block<S>(a, record, tile * S::kRows);
    if (a.rotation < 0) return record.block - low;
    const int high = last_block<S>(a, record, tile * S::kRows);
    return max(record.group_first - low, 0) + min(record.group_last, high) - record.block;
}

// One thread for each slot of finished dQ. A record stays as it is until the block after the next one is on its way, and
// that needs this thread's arrival at the next.
template <typename S>
struct Carrier {
    const BackwardArguments& a;
    uint32_t slot;

    __device__ __forceinline__ void run() {
        uint32_t number = 0;
        for (uint32_t block = 0;; block++) {
            barrier_wait(shared_offset(S::kKeysFull), block % 2);
            const Record& record = record_of<S>(block);
            if (record.sequence < 0) break;
            barrier_arrive(shared_offset(S::kKeysEmpty));
            Walk walk = {0, record.begin};
#pragma unroll 1
            for (int left = record.count * (a.heads / a.kv_heads); left > 0; left--, number++) {
                if (number % S::kSumSlots == slot) carry(record, walk, number / S::kSumSlots % 2);
                walk.advance(record);
            }
            barrier_arrive(shared_offset(S::kIdle));
        }
        asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
    }

    __device__ __forceinline__ void carry(const Record& record, const Walk& walk, uint32_t parity) {
        const int rank = turn_of<S>(a, record, walk.tile);
        const int number = place<S>(a, record, walk);
        if (!a.any_order) {
            await_turn(a.turns + number, rank);
            asm volatile("fence.proxy.async;" ::: "memory");
        }
        barrier_wait(shared_offset(S::kSumsFull) + 8 * slot, parity);
        const uint32_t source = shared_offset(S::kSums) + slot * S::kSumBytes;
        float* const destination = a.sums + static_cast<int64_t>(number) * (S::kSumBytes / 4);
        if (rank == 0 && !a.any_order) {
            asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(destination), "r"(source),
                         "r"(S::kSumBytes)
                         : "memory");
        } else {
            asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%0], [%1], %2;" ::"l"(destination),
                         "r"(source), "r"(S::kSumBytes)
                         : "memory");
        }
        asm volatile("cp.async.bulk.commit_group;" ::: "memory");
        asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
        barrier_arrive(shared_offset(S::kSumsEmpty) + 8 * slot);
        if (!a.any_order) {
            asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
            asm volatile("fence.proxy.async;" ::: "memory");
            store_release(a.turns + number, rank + 1);
        }
    }
};

// ---------------------------------------------------------------------------------------------------------------------
// Consumers
// ---------------------------------------------------------------------------------------------------------------------

__device__ __forceinline__ float exp2_unit(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

template <typename S>
struct BackwardConsumer {
    using Element = typename S::Element;
    static constexpr int kScores = S::kRows / 2;  // registers of 64 keys x kRows queries
    static constexpr int kOutputs = S::kHead / 2;

    const BackwardArguments& a;

    // Steps so far; says which slots a step uses, and the parity of their turn. Registers are scarce: what can be had from
    // this or from the thread's index is not kept.
    uint32_t number = 0;

    // Of this warpgroup's keys and a tile of queries, transposed: thread t of a warp has keys t / 4 and t / 4 + 8 of the
    // warp's 16, and queries 8i + 2 (t % 4), + 1.
    float scores[kScores];    // S^T, then P^T
    float products[kScores];  // dP^T
    uint32_t weights[kScores / 2];
    uint32_t slopes[kScores / 2];
    float dq[32];
    float dk[kOutputs];
    float dv[kOutputs];

    static __device__ __forceinline__ int thread_of_block() {
        int index;
        asm volatile("mov.u32 %0, %%tid.x;" : "=r"(index));
        return index;
    }

    static __device__ __forceinline__ int thread() { return thread_of_block() % 128; }

    // Which 64 keys this warpgroup has.
    static __device__ __forceinline__ int group() { return thread_of_block() / 128 - 1; }

    static __device__ __forceinline__ int quad_lane() { return thread() % 4; }

    static __device__ __forceinline__ int key_in_group() {
        const int t = thread();
        return t / 32 * 16 + t % 32 / 4;
    }

    static __device__ __forceinline__ void release(uint32_t barrier) {
        if (thread() % 32 == 0) barrier_arrive(barrier);
    }

    // Barriers of a ring of slots, and what lies in them, for a step.
    template <int kSlots>
    static __device__ __forceinline__ uint32_t parity(uint32_t step) {
        return step / kSlots % 2;
    }

    __device__ __forceinline__ uint32_t queries() const {
        return shared_offset(S::kQueries) + number % S::kQuerySlots * S::kQueryBytes;
    }

    __device__ __forceinline__ uint32_t gradients() const {
        return shared_offset(S::kGradients) + number % S::kGradientSlots * S::kQueryBytes;
    }

    // out = left right^T: this warpgroup's keys and a tile of queries.
    static __device__ __forceinline__ void begin_scores(float (&out)[kScores], int left, uint32_t right) {
        const Operand x(shared_offset(left) + group() * 8192, 0);
        const Operand y(right, 0);
#pragma unroll
        for (int step = 0; step < S::kHead / 16; step++) {
            const int panel = step / 4;
            const int inner = 32 * (step % 4);
            SharedShared<Element, S::kRows>::run(out, x.at(panel * S::kKeyPanelBytes + inner),
                                                 y.at(panel * S::kQueryPanelBytes + inner), step > 0);
        }
        products_commit();
    }

    // out += left right, left from registers.
    static __device__ __forceinline__ void begin_outputs(float (&out)[kOutputs], const uint32_t (&left)[kScores / 2],
                                                         uint32_t right, int accumulate) {
        const Operand b(right, S::kQueryPanelBytes);
#pragma unroll
        for (int step = 0; step < S::kRows / 16; step++) {
            RegisterShared<Element, S::kHead>::run(out, left[4 * step], left[4 * step + 1], left[4 * step + 2],
                                                   left[4 * step + 3], b.at(step * 2048), step > 0 ? 1 : accumulate);
        }
        products_commit();
    }

    // dQ: this warpgroup's rows or columns, over all keys of the block.
    __device__ __forceinline__ void begin_dq() {
        const Operand s(shared_offset(S::kScores) + (S::kSplitRows ? group() * 8192 : 0), 0);
        const Operand k(shared_offset(S::kKeys) + (S::kSplitRows ? 0 : group() * S::kKeyPanelBytes), S::kKeyPanelBytes);
#pragma unroll
        for (int step = 0; step < S::kBlockKeys / 16; step++) {
            SharedTransposed<Element, 64>::run(dq, s.at(step / 4 * S::kScorePanelBytes + 32 * (step % 4)),
                                               k.at(step * 2048), step > 0);
        }
        products_commit();
    }

    __device__ __forceinline__ void mask(const Record& record, int row) {
        const int key = record.block * S::kBlockKeys + 64 * group() + key_in_group();
        const int query = row + 2 * quad_lane();
        if (a.visible == nullptr) {
            const uint32_t width = a.window_left + a.window_right;
#pragma unroll
            for (int r = 0; r < 2; r++) {
                // A key sees queries key - shift - window_right .. key - shift + window_left.
                const uint32_t offset =
                    key + 8 * r < record.length_k
                        ? key + 8 * r - (record.length_k - record.length_q) + a.window_left - query
                        : 0x80000000u - query;
#pragma unroll
                for (int i = 0; i < kScores / 4; i++) {
#pragma unroll
                    for (int e = 0; e < 2; e++) {
                        float& score = scores[4 * i + 2 * r + e];
                        score = offset - (8 * i + e) <= width ? score : -INFINITY;
                    }
                }
            }
            return;
        }
#pragma unroll
        for (int i = 0; i < kScores / 4; i++) {
#pragma unroll
            for (int e = 0; e < 2; e++) {
                const Interval keys = visible(a, record, query + 8 * i + e);
                const uint32_t width = max(keys.end - keys.first, 0);
#pragma unroll
                for (int r = 0; r < 2; r++) {
                    float& score = scores[4 * i + 2 * r + e];
                    score = static_cast<uint32_t>(key + 8 * r - keys.first) < width ? score : -INFINITY;
                }
            }
        }
    }

    // This thread's share of a statistic (0: LSE, 1: D): of queries 8i + 2 (t % 4), + 1.
    __device__ __forceinline__ const float2* statistics(int which) const {
        return reinterpret_cast<const float2*>(shared + S::kStatistics + number % S::kQuerySlots * S::kStatisticBytes) +
               which * (S::kRows / 2) + quad_lane();
    }

    // One of the two factors of capped scores, read anew each time rather than kept in a register.
    static __device__ __forceinline__ float cap_factor(int which) {
        float factor;
        asm volatile("ld.shared.f32 %0, [%1];" : "=f"(factor) : "r"(shared_offset(S::kCaps) + 4 * which));
        return factor;
    }

    // A score becomes r = -1 / (1 + exp 2y), y = scale Q K^T / softcap: tanh y = 1 + 2 r. The constant is in the statistics.
    __device__ __forceinline__ void cap() {
        if constexpr (S::kSoftcap) {
            const float factor = cap_factor(0);
#pragma unroll
            for (int i = 0; i < kScores; i++) {
                const float exponential = exp2_unit(scores[i] * factor);
                asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(scores[i]) : "f"(-1.0f - exponential));
            }
        }
    }

    // P^T, and as an operand. With capped scores what `cap` made of them stays, for dS^T.
    __device__ __forceinline__ void to_weights(float scale_log2) {
        const float2* const logarithms = statistics(0);
        if constexpr (S::kSoftcap) scale_log2 = cap_factor(1);
#pragma unroll
        for (int i = 0; i < kScores / 4; i++) {
            const float2 l = logarithms[4 * i];
            float* const s = scores + 4 * i;
#pragma unroll
            for (int j = 0; j < 4; j += 2) {
                const float even = exp2_unit(fmaf(s[j], scale_log2, l.x));
                const float odd = exp2_unit(fmaf(s[j + 1], scale_log2, l.y));
                weights[2 * i + j / 2] = pack<Element>(even, odd);
                if constexpr (!S::kSoftcap) {
                    s[j] = even;
                    s[j + 1] = odd;
                }
            }
        }
    }

    // dS^T as an operand.
    __device__ __forceinline__ void to_slopes() {
        const float2* const deltas = statistics(1);
#pragma unroll
        for (int i = 0; i < kScores / 4; i++) {
            const float2 d = deltas[4 * i];
#pragma unroll
            for (int r = 0; r < 2; r++) {
                const int pair = 2 * i + r;
                const float low = products[2 * pair] - d.x;
                const float high = products[2 * pair + 1] - d.y;
                if constexpr (S::kSoftcap) {
                    // Times the slope of the cap, 1 - tanh^2 y = -4 r (1 + r). A key that is not seen has a weight of 0.
                    using Pairs = typename Pair<Element>::Type;
                    const float2 weight = widen(reinterpret_cast<const Pairs&>(weights[pair]));
                    const float even = fmaxf(scores[2 * pair], -1.0f);
                    const float odd = fmaxf(scores[2 * pair + 1], -1.0f);
                    slopes[pair] = pack<Element>(weight.x * low * (-4.0f * even * (1.0f + even)),
                                                 weight.y * high * (-4.0f * odd * (1.0f + odd)));
                } else if constexpr (S::kHalf) {
                    using Pairs = typename Pair<Element>::Type;
                    const uint32_t difference = pack<Element>(low, high);
                    const Pairs slope = __hmul2(reinterpret_cast<const Pairs&>(weights[pair]),
                                                reinterpret_cast<const Pairs&>(difference));
                    slopes[pair] = reinterpret_cast<const uint32_t&>(slope);
                } else {
                    slopes[pair] = pack<Element>(scores[2 * pair] * low, scores[2 * pair + 1] * high);
                }
            }
        }
    }

    // dS into shared memory, a row for each query.
    __device__ __forceinline__ void put_slopes() {
        const int t = thread();
        const int matrix = t % 32 / 8;
        const int row = t % 8;
        const uint32_t base = shared_offset(S::kScores) + group() * S::kScorePanelBytes + (8 * (matrix / 2) + row) * 128 +
                              ((2 * (t / 32) + matrix % 2) ^ row) * 16;
#pragma unroll
        for (int i = 0; i < kScores / 8; i++) {
            asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(base + i * 2048),
                         "r"(slopes[4 * i]), "r"(slopes[4 * i + 1]), "r"(slopes[4 * i + 2]), "r"(slopes[4 * i + 3])
                         : "memory");
        }
    }

    __device__ __forceinline__ void put_dq() {
        const uint32_t slot = number % S::kSumSlots;
        barrier_wait(shared_offset(S::kSumsEmpty) + 8 * slot, parity<S::kSumSlots>(number) ^ 1);
        const uint32_t base = shared_offset(S::kSums) + slot * S::kSumBytes + group() * 16384 + thread() * 16;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(base + i * 2048), "f"(dq[4 * i]),
                         "f"(dq[4 * i + 1]), "f"(dq[4 * i + 2]), "f"(dq[4 * i + 3])
                         : "memory");
        }
        publish_shared();
        __syncwarp();
        release(shared_offset(S::kSumsFull) + 8 * slot);
    }

    __device__ __forceinline__ void await_queries(uint32_t step) {
        barrier_wait(shared_offset(S::kQueriesFull) + 8 * (step % S::kQuerySlots), parity<S::kQuerySlots>(step));
    }

    __device__ __forceinline__ void begin_scores_of(uint32_t step) {
        pin(scores);
        products_fence();
        begin_scores(scores, S::kKeys, shared_offset(S::kQueries) + step % S::kQuerySlots * S::kQueryBytes);
    }

    // One tile of queries. With kAhead its S^T is there already, and it leaves with that of the next. After the last tile
    // there is none: then S^T is of whatever lies in the slot, and nobody looks at it. (ptxas keeps products running side
    // by side only where none is begun on a condition, and none runs from one turn of the loop into the next.)
    __device__ __forceinline__ void step(const Record& record, int accumulate, bool more, float scale_log2) {
        if constexpr (!S::kAhead) {
            await_queries(number);
            begin_scores_of(number);
        }
        barrier_wait(shared_offset(S::kGradientsFull) + 8 * (number % S::kGradientSlots),
                     parity<S::kGradientSlots>(number));
        pin(products);
        products_fence();
        begin_scores(products, S::kValues, gradients());
        if constexpr (!S::kAhead) {
            products_wait<1>();  // S^T
            pin(scores);
        }
        cap();
        const int2 tile = reinterpret_cast<const int2*>(shared + S::kSteps)[number % S::kQuerySlots];
        if (__builtin_expect((tile.x >> group() & 1) == 0, false)) mask(record, tile.y);
        to_weights(scale_log2);
        pin(weights);
        pin(dv);
        products_fence();
        begin_outputs(dv, weights, gradients(), accumulate);
        products_wait<1>();  // dP^T
        pin(products);
        to_slopes();
        if constexpr (S::kAhead) {
            pin(slopes);
            pin(dk);
            products_fence();
            begin_outputs(dk, slopes, queries(), accumulate);
        }
        barrier_wait(shared_offset(S::kScoresEmpty), number % 2 ^ 1);
        put_slopes();
        publish_shared();
        named_barrier_sync(1, 256);
        if constexpr (S::kAhead) {
            products_wait<1>();  // dV
            pin(dv);
            pin(weights);
            pin(dq);
            products_fence();
            begin_dq();
            if (more) await_queries(number + 1);
            begin_scores_of(number + 1);
            products_wait<1>();  // dK, dQ
            pin(dq);
            pin(dk);
            pin(slopes);
            release(shared_offset(S::kQueriesEmpty) + 8 * (number % S::kQuerySlots));
        } else {
            pin(slopes);
            pin(dq);
            pin(dk);
            products_fence();
            begin_dq();
            begin_outputs(dk, slopes, queries(), accumulate);
            products_wait<1>();  // dV, dQ
            pin(dq);
            pin(dv);
            pin(weights);
        }
        release(shared_offset(S::kScoresEmpty));
        release(shared_offset(S::kGradientsEmpty) + 8 * (number % S::kGradientSlots));
        put_dq();
        if constexpr (S::kAhead) {
            products_wait<0>();
            pin(scores);
        } else {
            products_wait<0>();  // dK
            pin(dk);
            pin(slopes);
            release(shared_offset(S::kQueriesEmpty) + 8 * (number % S::kQuerySlots));
        }
    }

    // A gradient's 64 rows of keys.
    __device__ __forceinline__ void store(const Record& record, void* to, int64_t batch, int64_t token, int64_t head,
                                          const float (&values)[kOutputs], float scale, bool any) {
        const int key = record.block * S::kBlockKeys + 64 * group() + key_in_group();
        const int quad = quad_lane();
        Element* const base = static_cast<Element*>(to) + record.sequence * batch + record.kv_head * head +
                              (static_cast<int64_t>(record.start_k) + key) * token + 8 * quad;
#pragma unroll
        for (int r = 0; r < 2; r++) {
#pragma unroll
            for (int i = 0; i < S::kHead / 32; i++) {
                uint32_t own[4];
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    const float low = values[16 * i + 4 * j + 2 * r];
                    const float high = values[16 * i + 4 * j + 2 * r + 1];
                    own[j] = any ? pack<Element>(low * scale, high * scale) : 0;
                }
                const uint4 whole = gather_row(own, quad);
                if (key + 8 * r < record.length_k) *reinterpret_cast<uint4*>(base + 8 * r * token + 32 * i) = whole;
            }
        }
    }

    __device__ __forceinline__ void run() {
        const float scale_log2 = a.scale * 1.4426950408889634f;
        for (uint32_t block = 0;; block++) {
            barrier_wait(shared_offset(S::kKeysFull), block % 2);
            const Record& record = record_of<S>(block);
            if (record.sequence < 0) break;
            const int steps = record.count * (a.heads / a.kv_heads);
            barrier_wait(shared_offset(S::kValuesFull), block % 2);
            if (S::kAhead && steps > 0) {
                await_queries(number);
                begin_scores_of(number);
                products_wait<0>();
                pin(scores);
            }
#pragma unroll 1
            for (int i = 0; i < steps; i++) {
                step(record, i, i + 1 < steps, scale_log2);
                number++;
            }
            release(shared_offset(S::kKeysEmpty));
            store(record, a.dv, a.dv_batch, a.dv_token, a.dv_head, dv, 1.0f, steps > 0);
            store(record, a.dk, a.dk_batch, a.dk_token, a.dk_head, dk, a.scale, steps > 0);
        }
    }
};

// ---------------------------------------------------------------------------------------------------------------------

template <typename S>
__device__ __forceinline__ void backward(const BackwardArguments& a) {
    if ((shared_address(shared) & 1023) != 0) __trap();  // the swizzle counts from 1024-byte addresses
    if (threadIdx.x == 0) {
        barrier_init(shared_offset(S::kKeysFull), 1);
        barrier_init(shared_offset(S::kValuesFull), 1);
        barrier_init(shared_offset(S::kKeysEmpty), 8 + S::kSumSlots);
        barrier_init(shared_offset(S::kScoresEmpty), 8);
        barrier_init(shared_offset(S::kIdle), S::kSumSlots);
        for (int i = 0; i < S::kSumSlots; i++) {
            barrier_init(shared_offset(S::kSumsFull) + 8 * i, 8);
            barrier_init(shared_offset(S::kSumsEmpty) + 8 * i, 1);
        }
        for (int i = 0; i < S::kQuerySlots; i++) {
            barrier_init(shared_offset(S::kQueriesFull) + 8 * i, 1);
            barrier_init(shared_offset(S::kQueriesEmpty) + 8 * i, 8);
        }
        for (int i = 0; i < S::kGradientSlots; i++) {
            barrier_init(shared_offset(S::kGradientsFull) + 8 * i, 1);
            barrier_init(shared_offset(S::kGradientsEmpty) + 8 * i, 8);
        }
        if constexpr (S::kSoftcap) {
            constexpr float kTwice = 2 * 1.4426950408889634f;
            *reinterpret_cast<float2*>(shared + S::kCaps) = make_float2(kTwice * a.scale / a.softcap, kTwice * a.softcap);
        }
        barrier_init_fence();
    }
    __syncthreads();

    const int warpgroup = __shfl_sync(0xffffffff, threadIdx.x / 128, 0);
    if (warpgroup == 0) {
        registers_give<S::kProducerRegisters>();
        const int warp = __shfl_sync(0xffffffff, threadIdx.x / 32, 0);
        if (threadIdx.x % 32 == 0) {
            if (warp == 0) {
                BackwardProducer<S> producer{a};
                producer.run();
            } else if (warp <= S::kSumSlots) {
                Carrier<S> carrier{a, static_cast<uint32_t>(warp - 1)};
                carrier.run();
            }
        }
    } else {
        registers_take<S::kConsumerRegisters>();
        BackwardConsumer<S> consumer{a};
        consumer.run();
    }
}

}  // namespace attention

// info: threads, bytes of dynamic shared memory, queries of a tile, bytes of a tile's sums.
#define ATTENTION_BACKWARD(name, ...)                                                                                 \
    extern "C" __global__ void __launch_bounds__(128)                                                                 \
        name##_prepare(const __grid_constant__ attention::BackwardArguments a) {                                      \
        attention::backward_prepare<attention::BackwardShape<__VA_ARGS__>>(a);                                        \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(attention::BackwardShape<__VA_ARGS__>::kThreads, 1)                  \
        name(const __grid_constant__ attention::BackwardArguments a) {                                                \
        attention::backward<attention::BackwardShape<__VA_ARGS__>>(a);                                                \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        name##_finish(const __grid_constant__ attention::BackwardArguments a) {                                       \
        attention::backward_finish<attention::BackwardShape<__VA_ARGS__>>(a);                                         \
    }                                                                                                                 \
    extern "C" __device__ const int name##_info[4] = {                                                                \
        attention::BackwardShape<__VA_ARGS__>::kThreads, attention::BackwardShape<__VA_ARGS__>::kSharedBytes,         \
        attention::BackwardShape<__VA_ARGS__>::kRows, attention::BackwardShape<__VA_ARGS__>::kSumBytes};
