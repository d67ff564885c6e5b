// Tiles of 64 rows and more: verification and prefill. A warpgroup takes 64 rows and computes with wgmma, whose chains of
// additions are those of mma.sync, bit for bit; so rows get here what they get in attention_paged_few.cuh.
//
// One persistent block, or two, per multiprocessor. Its last warp fetches work and fills a ring of tiles (64 keys, then
// their 64 values, and so on) in the 128-byte swizzle that wgmma reads, by cp.async: a page holds too few tokens for
// anything larger. The warpgroups each run one endless pipeline over all their tiles of rows: the scores of a block are
// computed beside the outputs of the block before, be that the same item's or the last of the item before, and half of the
// exponentials are taken under the latter. Warpgroups take turns at the tensor cores. The next item's queries are fetched
// while this one's are in use.
#pragma once

#include "attention_paged_arithmetic.cuh"
#include "hopper.cuh"
#include "wgmma.cuh"

namespace attention_paged {
namespace {

// What the producer tells the consumers of an item.
struct alignas(16) Record {
    int32_t row;
    int32_t position;
    int32_t first;
    int32_t count;
    int32_t slot;
    int32_t head;
    int32_t key;  // the first of the first block
    int32_t end;  // -1: there is no more work
    int32_t sequence;
    int32_t first_key;  // seen by any row
    int32_t last_key;
    uint32_t reciprocal;

    // A packed row's row of the sequence: divided by the heads of a group, `reciprocal` being 2^32 over it, rounded up.
    __device__ __forceinline__ int token(int packed) const {
        return reciprocal == 0 ? packed : __umulhi(packed, reciprocal);
    }
};

// kSectionInRegisters: the outputs of the section at hand in registers, not in shared memory.
template <int kWidth_, int kWarpgroups_, int kRing_, int kQuerySlots_, bool kSectionInRegisters_, int kBlocks>
struct Many {
    static constexpr int kWidth = kWidth_;
    static constexpr int kWarpgroups = kWarpgroups_;
    static constexpr int kRing = kRing_;                // tiles of the ring
    static constexpr int kQuerySlots = kQuerySlots_;    // 1 or 2
    static constexpr bool kSectionInRegisters = kSectionInRegisters_;
    static constexpr int kThreads = 128 * kWarpgroups + 128;
    // Registers of a thread: at the start, and when producers have given theirs to consumers. 0: they keep what they have.
    static constexpr int kRegisters = 65536 / (kBlocks * kThreads) / 8 * 8;
    static constexpr int kProducerRegisters = kRegisters > 240 ? 0 : kRegisters > 128 ? 40 : 32;
    static constexpr int kSpare = (kRegisters * (kWarpgroups + 1) - kProducerRegisters) / kWarpgroups / 8 * 8;
    static constexpr int kConsumerRegisters = kSpare > 240 ? 240 : kSpare;
    static constexpr int kGroups = 1;
    static constexpr int kTileRows = 64 * kWarpgroups;
    static constexpr int kRecords = 4;
    // Panels of 64 columns, 128 bytes a row.
    static constexpr int kPanels = (kWidth + 63) / 64;
    static constexpr int kPanelBytes = 64 * 128;
    static constexpr int kTileBytes = kPanels * kPanelBytes;
    static constexpr int kQueries = kRing * kTileBytes;
    static constexpr int kSection = kQueries + kQuerySlots * kWarpgroups * kTileBytes;
    static constexpr int kRows = kSection + (kSectionInRegisters ? 0 : kTileRows * kWidth * 4);  // their maxima and sums
    // Maxima and sums of a chunk that is being merged: in shared memory where registers are scarce.
    static constexpr bool kAsideInRegisters = kWarpgroups < 4;
    static constexpr int kRecord = kRows + (kAsideInRegisters ? 1 : 2) * kTileRows * 8;
    static constexpr int kFull = kRecord + kRecords * static_cast<int>(sizeof(Record));
    static constexpr int kEmpty = kFull + 8 * kRing;
    static constexpr int kRecordFull = kEmpty + 8 * kRing;
    static constexpr int kRecordEmpty = kRecordFull + 8 * kRecords;
    static constexpr int kSeen = kRecordEmpty + 8 * kRecords;
    static constexpr int kHold = kSeen + 8 * kWarpgroups;
    static constexpr int kShared = (kHold + 8 + 15) / 16 * 16;
    static_assert(kRing >= 4, "a block's keys and the values of the block before are in use together");
    static_assert(kShared <= 232448, "a block has 227 KiB of shared memory");
};

// What ordinary stores and cp.async wrote, wgmma reads through another proxy.
__device__ __forceinline__ void fence_for_products() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// A place of the ring, with the parity of its turn.
template <class S>
struct Place {
    uint32_t slot;
    uint32_t turn;

    __device__ __forceinline__ Place back() const {
        return slot == 0 ? Place{S::kRing - 1, turn ^ 1} : Place{slot - 1, turn};
    }

    __device__ __forceinline__ void advance() {
        if (++slot == S::kRing) {
            slot = 0;
            turn ^= 1;
        }
    }
};

// ---- producers: a warp that fetches work, one that copies keys, one that copies values ----

__device__ __forceinline__ uint32_t record_parity(int number, int records) { return number / records & 1; }

// Work is taken as it comes, the longest items of a sequence first; a record is written while the item two before is at work.
template <class S>
__device__ __forceinline__ void take_work(const Paged& a, uint32_t shared, unsigned char* memory) {
    PlanHeader& plan = *static_cast<PlanHeader*>(const_cast<void*>(a.plan));
    const int works = plan.items * a.key_heads;
    int work = blockIdx.x;
    for (int number = 0;; number++) {
        if (number >= 3) {
            hopper::barrier_wait(
                shared + S::kRecordEmpty + 8 * ((number - 3) % S::kRecords), record_parity(number - 3, S::kRecords));
        }
        Record& record = reinterpret_cast<Record*>(memory + S::kRecord)[number % S::kRecords];
        record.end = -1;
        if (work < works) {
            const Item* const item = items(a.plan) + work / a.key_heads;
            record.head = work % a.key_heads;
            record.slot = item->slot;
            record.sequence = item->sequence;
            record.row = item->row;
            const int position = item->position;
            const int first = item->first;
            const int count = item->count;
            record.position = position;
            record.first = first;
            record.count = count;
            const int least = position + first / a.group_heads;
            const int last_key = position + (first + count - 1) / a.group_heads;
            const int first_key = least >= a.window ? least - a.window + 1 : 0;
            record.first_key = first_key;
            record.last_key = last_key;
            record.key = max(item->first_chunk * kChunkKeys, first_key & -kBlockKeys);
            record.end = min(item->end_chunk * kChunkKeys, (last_key & -kBlockKeys) + kBlockKeys);
            record.reciprocal = a.group_heads > 1 ? 0xffffffffu / a.group_heads + 1 : 0;
        }
        hopper::barrier_arrive(shared + S::kRecordFull + 8 * (number % S::kRecords));
        if (work >= works) break;
        work = gridDim.x + atomicAdd(&plan.taken, 1);
    }
    // The last block to leave clears the counters for the next layer.
    __threadfence();
    if (atomicInc(reinterpret_cast<uint32_t*>(&plan.left), gridDim.x - 1) == gridDim.x - 1) plan.taken = 0;
}

template <class S>
__device__ __forceinline__ void produce(const Paged& a, uint32_t shared, const unsigned char* memory, bool values, int lane) {
    constexpr int kPieces = S::kWidth / 8;
    // Where a whole number of keys fits a copy by all lanes, a lane has the same columns of every kStep-th key.
    constexpr int kStep = 32 % kPieces == 0 ? 32 / kPieces : 0;
    constexpr int kCopyStep = kStep > 0 ? kStep : 1;
    const int page_shift = 31 - __clz(a.page_tokens);
    const uint32_t value_bytes = 2u * a.key_heads * a.page_tokens * a.width;
    const uint32_t page_bytes = 2u * a.layers * value_bytes;
    Place<S> place = {0, 1};  // all places are free
    if (values) place.advance();
    // Tiles whose copies are under way. What cp.async wrote, wgmma reads through another proxy: the writer has to fence, so
    // a tile is announced when its copies are known to be complete, two tiles later, or when there is nothing else to do.
    Place<S> next_complete = place;
    int under_way = 0;
    const auto announce = [&]() {
        fence_for_products();
        __syncwarp();
        if (lane == 0) hopper::barrier_arrive(shared + S::kFull + 8 * next_complete.slot);
        next_complete.advance();
        next_complete.advance();
        under_way--;
    };
    const auto await = [&](uint32_t barrier, uint32_t parity) {
        if (under_way > 0 && !__all_sync(~0u, hopper::barrier_test(barrier, parity))) {
            copies_wait<0>();
            while (under_way > 0) announce();
        }
        hopper::barrier_wait(barrier, parity);
    };
    for (int number = 0;; number++) {
        await(shared + S::kRecordFull + 8 * (number % S::kRecords), record_parity(number, S::kRecords));
        const Record& r = reinterpret_cast<const Record*>(memory + S::kRecord)[number % S::kRecords];
        if (r.end < 0) break;
        const int32_t* const table = a.table + static_cast<int64_t>(r.sequence) * a.table_stride;
        const unsigned char* const from = static_cast<const unsigned char*>(a.cache) +
            (static_cast<int64_t>(a.layer * 2 + values) * a.key_heads + r.head) * a.page_tokens * a.width * 2;
        // A lane has one of 32 pages from `base` on, and of the 32 after.
        const auto find = [&](int page) {
            return table[min(max(page, r.first_key >> page_shift), r.last_key >> page_shift)];
        };
        int base = r.key >> page_shift;
        int pages = find(base + lane);
        int pages_after = find(base + 32 + lane);
#pragma unroll 1
        for (int block = r.key; block < r.end; block += kBlockKeys) {
            if ((block >> page_shift) - base >= 32) {
                base += 32;
                pages = pages_after;
                pages_after = find(base + 32 + lane);
            }
            const bool inner =
                kStep > 0 && a.width == S::kWidth && block >= r.first_key && block + kBlockKeys - 1 <= r.last_key;
            await(shared + S::kEmpty + 8 * place.slot, place.turn);
            uint32_t tile = shared + place.slot * S::kTileBytes;
#pragma unroll 1
            for (int at = block; at < block + kBlockKeys; at += 16) {
                const int page = __shfl_sync(~0u, pages, (at >> page_shift) - base);
                const unsigned char* const source = from + static_cast<uint64_t>(page_bytes) * static_cast<uint32_t>(page) +
                    static_cast<uint32_t>((at & (a.page_tokens - 1)) * a.width * 2);
                if (inner) {
                    const int token = lane / kPieces;
                    const int piece = lane % kPieces;
                    const unsigned char* const these = source + lane * 16;
                    const uint32_t to = tile + piece / 8 * S::kPanelBytes + token * 128;
#pragma unroll
                    for (int i = 0; i < 16; i += kCopyStep) {
                        copy_16(to + i * 128 + ((piece ^ (token + i)) & 7) * 16, these + i * S::kWidth * 2, 16);
                    }
                } else if (values || (at <= r.last_key && at + 15 >= r.first_key)) {
                    // Keys that no row sees may be anything; such values are zeros, for their weights are.
#pragma unroll 1
                    for (int i = lane; i < 16 * kPieces; i += 32) {
                        const int token = i / kPieces;
                        const int piece = i % kPieces;
                        const bool there = piece * 8 < a.width && at + token >= r.first_key && at + token <= r.last_key;
                        copy_16(
                            tile + piece / 8 * S::kPanelBytes + token * 128 + ((piece ^ token) & 7) * 16,
                            there ? source + (token * a.width + piece * 8) * 2
                                  : static_cast<const unsigned char*>(a.cache),
                            there ? 16 : 0);
                    }
                }
                tile += 2048;
            }
            copies_commit();
            place.advance();
            place.advance();
            if (++under_way > 2) {
                copies_wait<2>();
                announce();
            }
        }
        __syncwarp();
        if (lane == 0) hopper::barrier_arrive(shared + S::kRecordEmpty + 8 * (number % S::kRecords));
    }
    copies_wait<0>();
    while (under_way > 0) announce();
}

// ---- consumers ----

// The two rows of a thread: maxima and sums.
struct Rows {
    float most[2];
    float sum[2];

    __device__ __forceinline__ void clear() {
        most[0] = most[1] = kNothing;
        sum[0] = sum[1] = 0.0f;
    }
};

// Merges maxima and sums; the weights of the outputs come back.
struct RowWeights {
    Weights first;
    Weights second;

    __device__ __forceinline__ RowWeights(Rows& rows, const Rows& part, float c)
        : first(rows.most[0], part.most[0], c), second(rows.most[1], part.most[1], c) {
        rows.most[0] = first.most;
        rows.most[1] = second.most;
        rows.sum[0] = first.merge(rows.sum[0], part.sum[0]);
        rows.sum[1] = second.merge(rows.sum[1], part.sum[1]);
    }

    // Of a piece of four, the first two are the first row's. `total` before, and the part's in place.
    __device__ __forceinline__ void merge(const float4& total, float* part) const {
        part[0] = first.merge(total.x, part[0]);
        part[1] = first.merge(total.y, part[1]);
        part[2] = second.merge(total.z, part[2]);
        part[3] = second.merge(total.w, part[3]);
    }
};

// What a thread has of 16 rows (rows lane / 4 and lane / 4 + 8 of its warp's), by columns 8 j + 2 (lane % 4) + {0, 1}: element
// 4 j + e, e = 0, 1 of the first row and 2, 3 of the second. In memory: piece j at memory[j * 128].
template <class S>
struct Consumer {
    static constexpr int kOutputs = S::kWidth / 2;
    static constexpr int kPieces = kOutputs / 4;
    static constexpr int kScores = kBlockKeys / 2;
    static constexpr int kHalf = kScores / 2;
    static constexpr int kTurnBarrier = 1;   // of the first warpgroup
    static constexpr int kQueryBarrier = 1 + S::kWarpgroups;

    const Paged& a;
    uint32_t shared;
    unsigned char* memory;  // the same, as the compiler sees it
    int group;
    bool leads;             // lane 0 of its warp
    float c;

    int number;       // of the item
    Place<S> place;   // of the next keys
    bool live;        // whether `weights` wait for the values one place before
    int accumulate;   // whether `outputs` holds anything of the weights' chunk
    bool section_empty;
    bool whole_empty;
    float scores[kScores];
    float outputs[kOutputs];
    uint32_t weights[kScores / 2];
    Rows rows;
    Rows aside;
    float section[S::kSectionInRegisters ? kOutputs : 4];

    // Read anew each time rather than kept in registers.
    struct Thread {
        int index;

        __device__ __forceinline__ Thread() { asm volatile("mov.u32 %0, %%tid.x;" : "=r"(index)); }
        __device__ __forceinline__ int quad() const { return index % 4; }
        __device__ __forceinline__ int in_warp() const { return index % 32; }
        __device__ __forceinline__ int warp() const { return index / 32 % 4; }
        // The first of its two rows of the tile; the other one is 8 below.
        __device__ __forceinline__ int row() const { return index / 32 * 16 + index % 32 / 4; }
    };

    __device__ __forceinline__ const Record& record(int of) const {
        return reinterpret_cast<const Record*>(memory + S::kRecord)[of % S::kRecords];
    }

    __device__ __forceinline__ void record_wait(int of) const {
        hopper::barrier_wait(shared + S::kRecordFull + 8 * (of % S::kRecords), of / S::kRecords % 2);
    }

    __device__ __forceinline__ void record_release(int of) const {
        if (leads) hopper::barrier_arrive(shared + S::kRecordEmpty + 8 * (of % S::kRecords));
    }

    __device__ __forceinline__ void wait(const Place<S>& p) const {
        hopper::barrier_wait(shared + S::kFull + 8 * p.slot, p.turn);
    }

    __device__ __forceinline__ void release(const Place<S>& p) const {
        if (leads) hopper::barrier_arrive(shared + S::kEmpty + 8 * p.slot);
    }

    __device__ __forceinline__ void my_turn() const {
        if constexpr (S::kWarpgroups > 1) hopper::named_barrier_sync(kTurnBarrier + group, 256);
    }

    __device__ __forceinline__ void next_turn() const {
        if constexpr (S::kWarpgroups > 1) {
            hopper::named_barrier_arrive(kTurnBarrier + (group + 1 == S::kWarpgroups ? 0 : group + 1), 256);
        }
    }

    // Blocks of keys from x to y are seen whole by all of the warpgroup's rows: nothing needs hiding.
    __device__ __forceinline__ int2* seen_whole() const { return reinterpret_cast<int2*>(memory + S::kSeen) + group; }

    __device__ __forceinline__ bool hides(int key) const {
        const int2 seen = *seen_whole();
        return key < seen.x || key + kBlockKeys - 1 > seen.y;
    }

    __device__ __forceinline__ uint32_t queries(int of) const {
        return S::kQueries + (of % S::kQuerySlots * S::kWarpgroups + group) * S::kTileBytes;
    }

    // Starts copying the queries of an item, each warp its own 16 rows.
    __device__ __forceinline__ void fetch_queries(int of) const {
        // Everybody's scores of the item that had them before are done.
        hopper::named_barrier_sync(kQueryBarrier + group, 128);
        record_wait(of);
        const Record& r = record(of);
        if (r.end < 0) return;
        constexpr int kRowPieces = S::kWidth / 8;
        const Thread thread;
#pragma unroll 1
        for (int i = thread.in_warp(); i < 16 * kRowPieces; i += 32) {
            const int row = thread.warp() * 16 + i / kRowPieces;
            const int piece = i % kRowPieces;
            const int packed = group * 64 + row;
            const bool there = packed < r.count && piece * 8 < a.width;
            const int at = r.first + (there ? packed : 0);
            copy_16(
                shared + queries(of) + piece / 8 * S::kPanelBytes + row * 128 + ((piece ^ row) & 7) * 16,
                static_cast<const __nv_bfloat16*>(a.query) + row_offset(r, at, a.query_stride) + (there ? piece * 8 : 0),
                there ? 16 : 0);
        }
        copies_commit();
    }

    // Of a packed row's head, in queries or results.
    __device__ __forceinline__ int64_t row_offset(const Record& r, int packed, int stride) const {
        const int token = r.token(packed);
        return static_cast<int64_t>(r.row + token) * stride +
            ((r.head - token) * a.group_heads + packed) * a.width;
    }

    __device__ __forceinline__ void issue_scores(uint32_t key_slot) {
        const hopper::Operand q(shared + queries(number), 0);
        const hopper::Operand k(shared + key_slot * S::kTileBytes, 0);
#pragma unroll
        for (int step = 0; step < S::kWidth / 16; step++) {
            const int offset = step / 4 * S::kPanelBytes + step % 4 * 32;
            hopper::SharedShared<__nv_bfloat16, kBlockKeys>::run(scores, q.at(offset), k.at(offset), step > 0);
        }
    }

    __device__ __forceinline__ void issue_outputs(uint32_t value_slot) {
        const hopper::Operand v(shared + value_slot * S::kTileBytes, S::kPanelBytes);
#pragma unroll
        for (int step = 0; step < kBlockKeys / 16; step++) {
            hopper::RegisterShared<__nv_bfloat16, S::kWidth>::run(
                outputs, weights[4 * step], weights[4 * step + 1], weights[4 * step + 2], weights[4 * step + 3],
                v.at(step * 2048), step > 0 ? 1 : accumulate);
        }
    }

    // Hides what a row does not see of the block of keys at `key`.
    __device__ __forceinline__ void mask(const Record& r, int key) {
        const Thread thread;
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int packed = thread.row() + h * 8;
            const int to = packed < r.count ? r.position + r.token(r.first + packed) : -1;
            // From `first` to `last`, counted from the thread's first key on.
            const int last = to - key - 2 * thread.quad();
            const int first = (to >= a.window ? to - a.window + 1 : 0) - key - 2 * thread.quad();
            if (a.visible == nullptr && first <= 0) {
#pragma unroll
                for (int i = 0; i < kScores; i++) {
                    if ((i >> 1 & 1) == h) scores[i] = i / 4 * 8 + (i & 1) <= last ? scores[i] : kNothing;
                }
                continue;
            }
            // Bit i: the key i after the thread's first.
            uint64_t bits = last < 0 ? 0 : ~0ull >> (63 - min(last, 63));
            if (a.visible != nullptr && last >= 0 && last < 127) {
                bits = __brevll(a.visible[r.row + to - r.position]);
                bits = last < 63 ? bits >> (63 - last) : bits << (last - 63) | ((1ull << (last - 63)) - 1);
            }
            bits &= first > 63 ? 0 : ~0ull << max(first, 0);
            const uint32_t halves[2] = {static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32)};
#pragma unroll
            for (int i = 0; i < kScores; i++) {
                if ((i >> 1 & 1) == h) scores[i] = halves[i / 16] >> (i / 4 % 4 * 8 + (i & 1)) & 1 ? scores[i] : kNothing;
            }
        }
    }

    // Moves the maxima that the scores outgrow, each row's by itself; tells whether any of the warp's did, and then by what
    // factor. Of a row's four lanes none needs to know the others' scores as long as nothing moves.
    __device__ __forceinline__ bool move(float (&factor)[2]) {
        float most[2] = {kNothing, kNothing};
#pragma unroll
        for (int i = 0; i < kScores; i += 4) {
            most[0] = fmaxf(most[0], fmaxf(scores[i], scores[i + 1]));
            most[1] = fmaxf(most[1], fmaxf(scores[i + 2], scores[i + 3]));
        }
        bool rises = false;
#pragma unroll
        for (int h = 0; h < 2; h++) rises |= __fmul_rn(__fsub_rn(most[h], rows.most[h]), c) > kLeastRise;
        if (!__any_sync(~0u, rises)) return false;
#pragma unroll
        for (int h = 0; h < 2; h++) {
            most[h] = fmaxf(most[h], rows.most[h]);
            most[h] = fmaxf(most[h], __shfl_xor_sync(~0u, most[h], 1));
            most[h] = fmaxf(most[h], __shfl_xor_sync(~0u, most[h], 2));
            const float rise = __fmul_rn(__fsub_rn(most[h], rows.most[h]), c);
            factor[h] = rise > kLeastRise ? power_of_two(-rise) : 1.0f;
            rows.most[h] = rise > kLeastRise ? most[h] : rows.most[h];
        }
        return true;
    }

    // Exponentials in place of the scores from kFrom to kTo.
    template <int kFrom, int kTo>
    __device__ __forceinline__ void exponentials(const float (&base)[2], float (&sum)[2]) {
#pragma unroll
        for (int i = kFrom; i < kTo; i++) {
            const int h = i >> 1 & 1;
            scores[i] = power_of_two(__fmaf_rn(scores[i], c, base[h]));
            sum[h] = i == 0 || i == 2 ? scores[i] : __fadd_rn(sum[h], scores[i]);
        }
    }

    template <int kFrom, int kTo>
    __device__ __forceinline__ void to_weights() {
#pragma unroll
        for (int i = kFrom / 2; i < kTo / 2; i++) weights[i] = pack(scores[2 * i], scores[2 * i + 1]);
    }

    // ptxas moves the wait for a product ahead of arithmetic, but not ahead of a store: what needs the exponentials so far is
    // stored where nobody reads.
    __device__ __forceinline__ void hold(const float (&sum)[2]) {
        hopper::pin(scores);
        asm volatile("st.volatile.shared.v2.f32 [%0], {%1, %2};" ::"r"(shared + S::kHold), "f"(sum[0]), "f"(sum[1]) : "memory");
    }

    __device__ __forceinline__ float4* section_memory() const {
        const Thread thread;
        return reinterpret_cast<float4*>(memory + S::kSection) + thread.index / 128 * (64 * S::kWidth / 4) + thread.index % 128;
    }

    __device__ __forceinline__ float4 section_piece(const float4* in_memory, int j) const {
        if constexpr (S::kSectionInRegisters) {
            return make_float4(section[4 * j], section[4 * j + 1], section[4 * j + 2], section[4 * j + 3]);
        } else {
            return in_memory[j * 128];
        }
    }

    // All four lanes of a row write and read the same.
    __device__ __forceinline__ float2* section_rows() const {
        return reinterpret_cast<float2*>(memory + S::kRows) + Thread().row();
    }

    // The outputs of all sections so far and, behind them, maxima and sums.
    __device__ __forceinline__ float4* whole() const {
        const Thread thread;
        return reinterpret_cast<float4*>(
                   a.scratch + static_cast<int64_t>(a.slot_capacity) * a.key_heads * a.slot_rows * (S::kWidth + 2)) +
            (static_cast<int64_t>(blockIdx.x) * S::kWarpgroups + thread.index / 128) * (64 * (S::kWidth + 8) / 4) +
            thread.index % 128;
    }

    __device__ __forceinline__ float4 output_piece(int j) const {
        return make_float4(outputs[4 * j], outputs[4 * j + 1], outputs[4 * j + 2], outputs[4 * j + 3]);
    }

    // The chunk's maxima and sums are complete: `rows` starts afresh.
    __device__ __forceinline__ void set_aside() {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            rows.sum[h] = __fadd_rn(rows.sum[h], __shfl_xor_sync(~0u, rows.sum[h], 1));
            rows.sum[h] = __fadd_rn(rows.sum[h], __shfl_xor_sync(~0u, rows.sum[h], 2));
        }
        if constexpr (S::kAsideInRegisters) {
            aside = rows;
        } else {
            float2* const chunk = section_rows() + S::kTileRows;
            chunk[0] = make_float2(rows.most[0], rows.sum[0]);
            chunk[8] = make_float2(rows.most[1], rows.sum[1]);
        }
        rows.clear();
    }

    // Pieces read all at once would take more registers than there are.
    __device__ __forceinline__ static void part_loads(int j) {
        if (S::kWidth > 128 && j % 4 == 3) __threadfence_block();
    }

    __device__ __forceinline__ static Rows load(const float2* of) {
        const float2 first = of[0];
        const float2 second = of[8];
        return {{first.x, second.x}, {first.y, second.y}};
    }

    // The chunk that was set aside: into its section, and that, where it is complete, into the whole or, with it, out.
    __device__ __forceinline__ void finish(bool item_ends, bool section_ends) {
        float2* const saved = section_rows();
        Rows done = S::kAsideInRegisters ? aside : load(saved + S::kTileRows);
        float4* const in_memory = section_memory();
        if (!section_empty) {
            Rows all = load(saved);
            const RowWeights w(all, done, c);
            done = all;
#pragma unroll
            for (int j = 0; j < kPieces; j++) {
                w.merge(section_piece(in_memory, j), outputs + 4 * j);
                part_loads(j);
            }
        }
        section_empty = item_ends || section_ends;
        if (!section_empty) {
            saved[0] = make_float2(done.most[0], done.sum[0]);
            saved[8] = make_float2(done.most[1], done.sum[1]);
#pragma unroll
            for (int j = 0; j < kPieces; j++) {
                if constexpr (S::kSectionInRegisters) {
#pragma unroll
                    for (int e = 0; e < 4; e++) section[4 * j + e] = outputs[4 * j + e];
                } else {
                    in_memory[j * 128] = output_piece(j);
                }
            }
            return;
        }
        if (!whole_empty || !item_ends) {
            float4* const so_far = whole();
            if (!whole_empty) {
                const float4 r = so_far[kPieces * 128];
                Rows all = {{r.x, r.y}, {r.z, r.w}};
                const RowWeights w(all, done, c);
                done = all;
#pragma unroll
                for (int j = 0; j < kPieces; j++) {
                    w.merge(so_far[j * 128], outputs + 4 * j);
                    part_loads(j);
                }
            }
            if (!item_ends) {
                so_far[kPieces * 128] = make_float4(done.most[0], done.most[1], done.sum[0], done.sum[1]);
#pragma unroll
                for (int j = 0; j < kPieces; j++) so_far[j * 128] = output_piece(j);
            }
        }
        whole_empty = item_ends;
        if (item_ends) {
            store(record(number - 1), done);
            __syncwarp();
            record_release(number - 1);
        }
    }

    __device__ __forceinline__ void store(const Record& r, const Rows& done) {
        const Thread thread;
        const int quad = thread.quad();
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int packed = thread.row() + h * 8;
            const bool there = packed < r.count;
            if (r.slot >= 0) {
                if (!there) continue;
                float* const partial =
                    a.scratch + (static_cast<int64_t>(r.slot) * a.key_heads + r.head) * a.slot_rows * (S::kWidth + 2);
#pragma unroll
                for (int j = 0; j < kPieces; j++) {
                    *reinterpret_cast<float2*>(partial + packed * S::kWidth + 8 * j + 2 * quad) =
                        make_float2(outputs[4 * j + 2 * h], outputs[4 * j + 2 * h + 1]);
                }
                if (quad == 0) {
                    *reinterpret_cast<float2*>(partial + a.slot_rows * S::kWidth + packed * 2) =
                        make_float2(done.most[h], done.sum[h]);
                }
                continue;
            }
            const float inverse = done.sum[h] > 0.0f ? __frcp_rn(done.sum[h]) : 0.0f;
            __nv_bfloat16* const out =
                static_cast<__nv_bfloat16*>(a.out) + row_offset(r, r.first + packed, a.out_stride);
#pragma unroll
            for (int i = 0; i < kPieces / 4; i++) {
                // Of four times 8 columns, lane t of the quad has 2 t and the next of each, and leaves with those of the
                // t-th.
                uint32_t own[4];
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    own[j] = pack(
                        __fmul_rn(outputs[16 * i + 4 * j + 2 * h], inverse),
                        __fmul_rn(outputs[16 * i + 4 * j + 2 * h + 1], inverse));
                }
                const bool odd = quad & 1;
                const bool upper = quad & 2;
                const uint32_t x0 = __shfl_xor_sync(~0u, odd ? own[0] : own[1], 1);
                const uint32_t x1 = __shfl_xor_sync(~0u, odd ? own[2] : own[3], 1);
                const uint32_t a0 = odd ? x0 : own[0];
                const uint32_t a1 = odd ? own[1] : x0;
                const uint32_t b0 = odd ? x1 : own[2];
                const uint32_t b1 = odd ? own[3] : x1;
                const uint32_t y0 = __shfl_xor_sync(~0u, upper ? a0 : b0, 2);
                const uint32_t y1 = __shfl_xor_sync(~0u, upper ? a1 : b1, 2);
                const int column = 32 * i + 8 * quad;
                if (there && column < a.width) {
                    *reinterpret_cast<uint4*>(out + column) =
                        upper ? make_uint4(y0, y1, b0, b1) : make_uint4(a0, a1, y0, y1);
                }
            }
        }
    }

    // One block of keys. Takes from the ring its keys, and the values of the block before it, be that of this item or of
    // the one before (none: a product is made of anything and never used). Leaves its own values to the next step.
    // kInner: a block that all rows see, not the first of its chunk. Else:
    // A block that is not `wanted`, for the warpgroup's rows do not see it, only brings the block before to its end, which is
    // its item's last; and there may be no such block at all.
    template <bool kInner>
    __device__ __forceinline__ void step(int key, bool entering, bool leaving, bool wanted, bool none) {
        const bool chunk_begins = !kInner && (entering || key % kChunkKeys == 0);
        Place<S> keys = place;
        if (!kInner && none) keys = place.back();
        if (kInner || !none || live) wait(keys);
        const Place<S> before = kInner || live ? place.back() : keys;
        const bool values_there = hopper::barrier_test(shared + S::kFull + 8 * before.slot, before.turn);
        if (kInner || !none) my_turn();
        hopper::pin(scores);
        hopper::pin(weights);
        hopper::pin(outputs);
        hopper::products_fence();
        issue_scores(keys.slot);
        hopper::products_commit();
        if ((kInner || live) && !values_there) wait(before);
        hopper::products_fence();
        issue_outputs(before.slot);
        hopper::products_commit();
        if (kInner || !none) next_turn();
        hopper::products_wait<1>();
        hopper::pin(scores);
        if (kInner || !none) release(keys);
        if (!kInner && S::kQuerySlots == 1 && leaving) fetch_queries(number + 1);
        if (!kInner && wanted && hides(key)) mask(record(number), key);
        if (chunk_begins) set_aside();
        float factor[2] = {1.0f, 1.0f};
        const bool moved = move(factor);
        float sum[2];
        float base[2];
#pragma unroll
        for (int h = 0; h < 2; h++) base[h] = rows.most[h] == kNothing ? 0.0f : -__fmul_rn(rows.most[h], c);
        exponentials<0, kHalf>(base, sum);
        hold(sum);
        hopper::products_wait<0>();
        hopper::pin(outputs);
        hopper::pin(weights);
        hopper::pin(scores);
        if (kInner || live) release(before);
        to_weights<0, kHalf>();
        exponentials<kHalf, kScores>(base, sum);
        to_weights<kHalf, kScores>();
#pragma unroll
        for (int h = 0; h < 2; h++) rows.sum[h] = __fmaf_rn(rows.sum[h], factor[h], sum[h]);
        if (chunk_begins) {
            if (live) finish(entering, key % kSectionKeys == 0);
        } else if (__builtin_expect(moved, false)) {
#pragma unroll
            for (int i = 0; i < kOutputs; i++) outputs[i] = __fmul_rn(outputs[i], factor[i >> 1 & 1]);
        }
        accumulate = !chunk_begins;
        if (!kInner) {
            live = wanted;
            if (none) return;
        }
        place.advance();
        if (!kInner && !wanted) {
            rows.clear();
            wait(place);
            release(place);
        }
        place.advance();
        if (!kInner && S::kQuerySlots == 2 && entering && wanted) fetch_queries(number + 1);
    }

    __device__ __forceinline__ void run() {
        place = {0, 0};
        live = false;
        accumulate = 0;
        section_empty = true;
        whole_empty = true;
        rows.clear();
#pragma unroll
        for (int i = 0; i < kScores; i++) scores[i] = 0.0f;
#pragma unroll
        for (int i = 0; i < kScores / 2; i++) weights[i] = 0;
#pragma unroll
        for (int i = 0; i < kOutputs; i++) outputs[i] = 0.0f;
        if (group == S::kWarpgroups - 1) next_turn();  // the first warpgroup may go
        int skipped = 0;  // blocks that this warpgroup's rows do not see
        fetch_queries(0);
        for (number = 0;; number++) {
            record_wait(number);
            const Record& r = record(number);
            const bool ends = r.end < 0;
            int from = r.key;
            int end = r.end;
            int2 seen = {};
            if (ends) {
                from = end;
            } else {
                const int packed = group * 64;
                const int least = r.position + r.token(r.first + packed);
                const int most = r.position + r.token(r.first + min(packed + 64, r.count) - 1);
                const int first = least >= a.window ? least - a.window + 1 : 0;
                const int last = most >= a.window ? most - a.window + 1 : 0;
                const int to = packed + 64 > r.count ? -1 : a.visible != nullptr ? least - 64 : least;
                seen = make_int2(last, to);
                if (packed >= r.count) {
                    from = end;
                } else if (r.slot < 0) {  // a partial result is wanted of all rows
                    from = max(from, first & -kBlockKeys);
                    end = min(end, (most & -kBlockKeys) + kBlockKeys);
                }
                skipped += (from - r.key) / kBlockKeys;
            }
            if (!live && number > 0) record_release(number - 1);
            copies_wait<0>();
            fence_for_products();
            hopper::named_barrier_sync(kQueryBarrier + group, 128);
            *seen_whole() = seen;
            if (!ends && end == from) fetch_queries(number + 1);
            bool none = ends && live && skipped == 0;
            bool entering = true;
            int key = from;
#pragma unroll 1
            while (none || skipped > 0 || key < end) {
                if (!entering && key % kChunkKeys != 0 && !hides(key) &&
                    (S::kQuerySlots == 2 || key + kBlockKeys < end)) {
                    step<true>(key, false, false, true, false);
                    key += kBlockKeys;
                    continue;
                }
                const bool wanted = !none && skipped == 0;
                step<false>(key, entering, wanted && key + kBlockKeys >= end, wanted, none);
                none = false;
                if (wanted) {
                    key += kBlockKeys;
                    entering = false;
                } else {
                    skipped--;
                }
            }
            if (ends) break;
            skipped = (record(number).end - end) / kBlockKeys;
        }
    }
};

template <class S>
__device__ __forceinline__ void attend_many(const Paged& a) {
    extern __shared__ __align__(1024) unsigned char tiles_shared[];
    const uint32_t shared = hopper::shared_address(tiles_shared);
    if ((shared & 1023) != 0) __trap();  // the swizzle counts from 1024-byte addresses
    if (threadIdx.x == 0) {
        for (int i = 0; i < S::kRing; i++) {
            hopper::barrier_init(shared + S::kFull + 8 * i, 1);
            hopper::barrier_init(shared + S::kEmpty + 8 * i, 4 * S::kWarpgroups);
        }
        for (int i = 0; i < S::kRecords; i++) {
            hopper::barrier_init(shared + S::kRecordFull + 8 * i, 1);
            hopper::barrier_init(shared + S::kRecordEmpty + 8 * i, 4 * S::kWarpgroups + 2);
        }
        hopper::barrier_init_fence();
    }
    __syncthreads();
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
    asm volatile("griddepcontrol.wait;" ::: "memory");
    const int lane = threadIdx.x & 31;
    const int warp = __shfl_sync(~0u, threadIdx.x / 32, 0);
    if (warp >= 4 * S::kWarpgroups) {
        if constexpr (S::kProducerRegisters > 0) hopper::registers_give<S::kProducerRegisters>();
        const int producer = warp - 4 * S::kWarpgroups;
        if (producer < 2) {
            produce<S>(a, shared, tiles_shared, producer == 1, lane);
        } else if (producer == 2 && lane == 0) {
            take_work<S>(a, shared, tiles_shared);
        }
    } else {
        if constexpr (S::kProducerRegisters > 0) hopper::registers_take<S::kConsumerRegisters>();
        Consumer<S> consumer{a, shared, tiles_shared};
        consumer.group = warp / 4;
        consumer.leads = lane == 0;
        consumer.c = __fmul_rn(a.scale, kLog2E);
        consumer.run();
    }
}

}  // namespace
}  // namespace attention_paged
