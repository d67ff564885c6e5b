// Tiles of 64 or 128 rows: verification and prefill. A warpgroup takes 64 rows and computes with wgmma, whose chains of
// additions are those of mma.sync, bit for bit; so rows get here what they get in attention_paged_few.cuh. Producer warps
// fill a ring of tiles (64 keys, then their 64 values, and so on) in the 128-byte swizzle that wgmma reads, by cp.async:
// a page holds too few tokens for anything larger. The scores of a block are computed beside the outputs of the block before.
#pragma once

#include "attention_paged_arithmetic.cuh"
#include "hopper.cuh"
#include "wgmma.cuh"

namespace attention_paged {
namespace {

template <int kWidth_, int kGroups_, int kRing_, int kBlocks>
struct Many {
    static constexpr int kWidth = kWidth_;
    static constexpr int kWarpgroups = kGroups_;
    static constexpr int kRing = kRing_;  // tiles of the ring, an even number: keys have the even ones
    static constexpr int kProducers = 4;  // warps, 16 keys of a tile each
    static constexpr int kThreads = 128 * kWarpgroups + 32 * kProducers;
    // Registers of a thread: at the start, and when producers have given theirs to consumers. 0: they keep what they have.
    static constexpr int kRegisters = 65536 / (kBlocks * kThreads) / 8 * 8;
    static constexpr int kProducerRegisters = kRegisters > 240 ? 0 : 56;
    static constexpr int kSpare = (kRegisters * (kWarpgroups + 1) - kProducerRegisters) / kWarpgroups / 8 * 8;
    static constexpr int kConsumerRegisters = kSpare > 240 ? 240 : kSpare;
    static constexpr int kGroups = 1;
    static constexpr int kTileRows = 64 * kWarpgroups;
    // Whether the scores of a block run beside the outputs of the block before: it takes registers.
    static constexpr bool kOverlap = kWidth <= 128;
    // Panels of 64 columns, 128 bytes a row.
    static constexpr int kPanels = (kWidth + 63) / 64;
    static constexpr int kPanelBytes = 64 * 128;
    static constexpr int kTileBytes = kPanels * kPanelBytes;
    static constexpr int kQueries = kRing * kTileBytes;
    static constexpr int kSection = kQueries + kWarpgroups * kTileBytes;  // the outputs of the section at hand
    static constexpr int kFull = kSection + kTileRows * kWidth * 4;
    static constexpr int kEmpty = kFull + 8 * kRing;
    static constexpr int kShared = kEmpty + 8 * kRing;
    static_assert(kRing % 2 == 0 && kRing >= 4, "keys and values alternate, two blocks at a time");
};

// What ordinary stores and cp.async wrote, wgmma reads through another proxy.
__device__ __forceinline__ void fence_for_products() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// What an item asks for.
struct Extent {
    int least;      // position of the first row
    int first_key;  // seen by any row
    int last_key;
    int key;        // the first of the first block
    int end;

    __device__ __forceinline__ Extent(const Paged& a, const Item& item) {
        least = item.position + item.first / a.group_heads;
        last_key = item.position + (item.first + item.count - 1) / a.group_heads;
        first_key = least >= a.window ? least - a.window + 1 : 0;
        key = max(item.first_chunk * kChunkKeys, first_key & -kBlockKeys);
        end = min(item.end_chunk * kChunkKeys, (last_key & -kBlockKeys) + kBlockKeys);
    }
};

template <class S>
__device__ __forceinline__ void produce(const Paged& a, uint32_t shared, int producer, int lane) {
    constexpr int kPieces = S::kWidth / 8;
    // Where a whole number of keys fits a copy by all lanes, a lane has the same columns of every kStep-th key.
    constexpr int kStep = 32 % kPieces == 0 ? 32 / kPieces : 0;
    constexpr int kCopyStep = kStep > 0 ? kStep : 1;
    const int lane_token = lane / kPieces;
    const int lane_piece = lane % kPieces;
    const int page_shift = 31 - __clz(a.page_tokens);
    const int works = header(a.plan).items * a.key_heads;
    const uint32_t value_bytes = 2u * a.key_heads * a.page_tokens * a.width;
    const uint32_t page_bytes = 2u * a.layers * value_bytes;
    int slot = 0;
    uint32_t turn = 1;  // all places are free
    for (int work = blockIdx.x; work < works; work += gridDim.x) {
        const Item item = items(a.plan)[work / a.key_heads];
        const int head = work % a.key_heads;
        const Extent extent(a, item);
        const int32_t* const table = a.table + static_cast<int64_t>(item.sequence) * a.table_stride;
        const unsigned char* const keys = static_cast<const unsigned char*>(a.cache) +
            (static_cast<int64_t>(a.layer) * 2 * a.key_heads + head) * a.page_tokens * a.width * 2;
        // A warp copies 16 keys of a tile, all in one page.
        const auto find = [&](int key) {
            return table[min(max(key + producer * 16, extent.first_key), extent.last_key) >> page_shift];
        };
        int page = find(extent.key);
        for (int key = extent.key; key < extent.end; key += kBlockKeys) {
            const int at = key + producer * 16;
            const unsigned char* source = keys + static_cast<uint64_t>(page_bytes) * static_cast<uint32_t>(page) +
                static_cast<uint32_t>((at & (a.page_tokens - 1)) * a.width * 2);
            if (key + kBlockKeys < extent.end) page = find(key + kBlockKeys);
#pragma unroll 1
            for (int values = 0; values < 2; values++) {
                hopper::barrier_wait(shared + S::kEmpty + 8 * slot, turn);
                const uint32_t tile = shared + slot * S::kTileBytes + producer * 2048;
                if (kStep > 0 && a.width == S::kWidth && at >= extent.first_key && at + 15 <= extent.last_key) {
                    const unsigned char* const from = source + (lane_token * S::kWidth + lane_piece * 8) * 2;
                    const uint32_t to = tile + lane_piece / 8 * S::kPanelBytes + lane_token * 128;
#pragma unroll
                    for (int i = 0; i < 16; i += kCopyStep) {
                        copy_16(
                            to + i * 128 + ((lane_piece ^ (lane_token + i)) & 7) * 16, from + i * S::kWidth * 2, 16);
                    }
                } else if (values || (at <= extent.last_key && at + 15 >= extent.first_key)) {
                    // Keys that no row sees may be anything; such values are zeros, for their weights are.
#pragma unroll 1
                    for (int i = lane; i < 16 * kPieces; i += 32) {
                        const int token = i / kPieces;
                        const int piece = i % kPieces;
                        const bool there =
                            piece * 8 < a.width && at + token >= extent.first_key && at + token <= extent.last_key;
                        copy_16(
                            tile + piece / 8 * S::kPanelBytes + token * 128 + ((piece ^ token) & 7) * 16,
                            there ? source + (token * a.width + piece * 8) * 2
                                  : static_cast<const unsigned char*>(a.cache),
                            there ? 16 : 0);
                    }
                }
                source += value_bytes;
                copies_arrive(shared + S::kFull + 8 * slot);
                if (++slot == S::kRing) {
                    slot = 0;
                    turn ^= 1;
                }
            }
        }
    }
}

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

    __device__ __forceinline__ float4 merge(const float4& total, const float4& part) const {
        return make_float4(
            first.merge(total.x, part.x), first.merge(total.y, part.y), second.merge(total.z, part.z),
            second.merge(total.w, part.w));
    }
};

// What a thread has of 16 rows (rows lane / 4 and lane / 4 + 8 of its warp's), by columns 8 j + 2 (lane % 4) + {0, 1}: element
// 4 j + e, e = 0, 1 of the first row and 2, 3 of the second. In memory: piece j at memory[j * 128].
template <class S>
struct Consumer {
    static constexpr int kOutputs = S::kWidth / 2;
    static constexpr int kScores = kBlockKeys / 2;
    static constexpr int kQueryBarrier = 1;  // of the first warpgroup

    const Paged& a;
    uint32_t shared;
    unsigned char* memory;  // the same, as the compiler sees it
    float4* whole;          // the outputs of all sections so far, in the group's own scratch
    float4* section;
    int group;
    int lane;
    int warp;
    float c;
    float scores[kScores];
    float outputs[kOutputs];
    uint32_t weights[kBlockKeys / 4];
    Rows rows;
    Rows section_rows;
    Rows whole_rows;
    int to[2];
    int from[2];
    // The ring: the place of the next keys is `slot`, of their values slot + 1.
    int slot;
    uint32_t turn;

    __device__ __forceinline__ void wait(int s, uint32_t t) const {
        hopper::barrier_wait(shared + S::kFull + 8 * s, t);
        fence_for_products();
    }

    __device__ __forceinline__ void release(int s) const {
        if (lane == 0) hopper::barrier_arrive(shared + S::kEmpty + 8 * s);
    }

    __device__ __forceinline__ void issue_scores() {
        const hopper::Operand q(shared + S::kQueries + group * S::kTileBytes, 0);
        const hopper::Operand k(shared + slot * S::kTileBytes, 0);
#pragma unroll
        for (int step = 0; step < S::kWidth / 16; step++) {
            const int offset = step / 4 * S::kPanelBytes + step % 4 * 32;
            hopper::SharedShared<__nv_bfloat16, kBlockKeys>::run(scores, q.at(offset), k.at(offset), step > 0);
        }
    }

    __device__ __forceinline__ void issue_outputs(int value_slot) {
        const hopper::Operand v(shared + value_slot * S::kTileBytes, S::kPanelBytes);
#pragma unroll
        for (int step = 0; step < kBlockKeys / 16; step++) {
            hopper::RegisterShared<__nv_bfloat16, S::kWidth>::run(
                outputs, weights[4 * step], weights[4 * step + 1], weights[4 * step + 2], weights[4 * step + 3],
                v.at(step * 2048), 1);
        }
    }

    __device__ __forceinline__ void load_queries(const Item& item, int head) {
        hopper::named_barrier_sync(kQueryBarrier + group, 128);  // everybody's scores of the item before are done
        constexpr int kPieces = S::kWidth / 8;
        const int thread = threadIdx.x % 128;
#pragma unroll
        for (int i = 0; i < kPieces / 2; i++) {
            const int row = (i * 128 + thread) / kPieces;
            const int piece = (i * 128 + thread) % kPieces;
            const int packed = group * 64 + row;
            uint4 bits = make_uint4(0, 0, 0, 0);
            if (packed < item.count && piece * 8 < a.width) {
                const int at = item.first + packed;
                bits = *reinterpret_cast<const uint4*>(
                    static_cast<const __nv_bfloat16*>(a.query) +
                    static_cast<int64_t>(item.row + at / a.group_heads) * a.query_stride +
                    (head * a.group_heads + at % a.group_heads) * a.width + piece * 8);
            }
            *reinterpret_cast<uint4*>(
                memory + S::kQueries + group * S::kTileBytes + piece / 8 * S::kPanelBytes + row * 128 +
                ((piece ^ row) & 7) * 16) = bits;
        }
        fence_for_products();
        hopper::named_barrier_sync(kQueryBarrier + group, 128);
    }

    // Hides what a row does not see of the block of keys at `key`.
    __device__ __forceinline__ void mask(const Item& item, int key) {
        const int quad = lane & 3;
        uint64_t visible[2] = {~0ull, ~0ull};
        if (a.visible != nullptr) {
#pragma unroll
            for (int h = 0; h < 2; h++) {
                if (to[h] >= 0) visible[h] = a.visible[item.row + to[h] - item.position];
            }
        }
#pragma unroll
        for (int i = 0; i < kScores; i++) {
            const int h = i >> 1 & 1;
            const int at = key + i / 4 * 8 + 2 * quad + (i & 1);
            const int back = to[h] - at;
            const bool seen = at >= from[h] && back >= 0 && (back >= 64 || (visible[h] >> (back & 63) & 1) != 0);
            scores[i] = seen ? scores[i] : kNothing;
        }
    }

    // The maximum, the factors of what there was before, and the exponentials in place of the scores.
    __device__ __forceinline__ void exponentials(float (&factor)[2]) {
        float most[2] = {rows.most[0], rows.most[1]};
#pragma unroll
        for (int i = 0; i < kScores; i += 4) {
            most[0] = fmaxf(most[0], fmaxf(scores[i], scores[i + 1]));
            most[1] = fmaxf(most[1], fmaxf(scores[i + 2], scores[i + 3]));
        }
        float base[2];
        float sum[2] = {0.0f, 0.0f};
#pragma unroll
        for (int h = 0; h < 2; h++) {
            most[h] = fmaxf(most[h], __shfl_xor_sync(~0u, most[h], 1));
            most[h] = fmaxf(most[h], __shfl_xor_sync(~0u, most[h], 2));
            // It moves only when the scores outgrow it: for each row by itself.
            const float rise = __fmul_rn(__fsub_rn(most[h], rows.most[h]), c);
            factor[h] = rise > kLeastRise ? power_of_two(-rise) : 1.0f;
            rows.most[h] = rise > kLeastRise ? most[h] : rows.most[h];
            base[h] = rows.most[h] == kNothing ? 0.0f : -__fmul_rn(rows.most[h], c);
        }
#pragma unroll
        for (int i = 0; i < kScores; i++) {
            const int h = i >> 1 & 1;
            scores[i] = power_of_two(__fmaf_rn(scores[i], c, base[h]));
            sum[h] = __fadd_rn(sum[h], scores[i]);
        }
#pragma unroll
        for (int h = 0; h < 2; h++) rows.sum[h] = __fmaf_rn(rows.sum[h], factor[h], sum[h]);
    }

    __device__ __forceinline__ void rescale(const float (&factor)[2]) {
        if (!__any_sync(~0u, factor[0] != 1.0f || factor[1] != 1.0f)) return;
#pragma unroll
        for (int i = 0; i < kOutputs; i++) outputs[i] = __fmul_rn(outputs[i], factor[i >> 1 & 1]);
    }

    __device__ __forceinline__ void pack_weights() {
#pragma unroll
        for (int i = 0; i < kScores / 2; i++) weights[i] = pack(scores[2 * i], scores[2 * i + 1]);
    }

    __device__ __forceinline__ void clear_outputs() {
#pragma unroll
        for (int i = 0; i < kOutputs; i++) outputs[i] = 0.0f;
    }

    // A chunk is complete: into its section, and that, where it is complete and not the only one, into the whole.
    __device__ __forceinline__ void finish_chunk(Rows chunk, bool& section_empty, bool& whole_empty, int next, int end) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            chunk.sum[h] = __fadd_rn(chunk.sum[h], __shfl_xor_sync(~0u, chunk.sum[h], 1));
            chunk.sum[h] = __fadd_rn(chunk.sum[h], __shfl_xor_sync(~0u, chunk.sum[h], 2));
        }
        if (section_empty) {
            section_rows = chunk;
#pragma unroll
            for (int j = 0; j < kOutputs / 4; j++) {
                section[j * 128] =
                    make_float4(outputs[4 * j], outputs[4 * j + 1], outputs[4 * j + 2], outputs[4 * j + 3]);
            }
        } else {
            const RowWeights w(section_rows, chunk, c);
#pragma unroll
            for (int j = 0; j < kOutputs / 4; j++) {
                section[j * 128] = w.merge(
                    section[j * 128],
                    make_float4(outputs[4 * j], outputs[4 * j + 1], outputs[4 * j + 2], outputs[4 * j + 3]));
                // All at once would take more registers than there are.
                if (S::kWidth > 128 && j % 4 == 3) asm volatile("" ::: "memory");
            }
        }
        section_empty = false;
        if ((next % kSectionKeys == 0 || next >= end) && !(next >= end && whole_empty)) {
            if (whole_empty) {
                whole_rows = section_rows;
#pragma unroll 4
                for (int j = 0; j < kOutputs / 4; j++) whole[j * 128] = section[j * 128];
            } else {
                const RowWeights w(whole_rows, section_rows, c);
#pragma unroll 4
                for (int j = 0; j < kOutputs / 4; j++) whole[j * 128] = w.merge(whole[j * 128], section[j * 128]);
            }
            section_empty = true;
            whole_empty = false;
        }
    }

    __device__ __forceinline__ void advance() {
        slot += 2;
        if (slot == S::kRing) {
            slot = 0;
            turn ^= 1;
        }
    }

    __device__ __forceinline__ void attend(const Item& item, int head) {
        const Extent extent(a, item);
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int packed = group * 64 + warp * 16 + h * 8 + lane / 4;
            to[h] = packed < item.count ? item.position + (item.first + packed) / a.group_heads : -1;
            from[h] = to[h] >= a.window ? to[h] - a.window + 1 : 0;
        }
        load_queries(item, head);
        // Where every row of the tile sees every key of a block, nothing needs hiding.
        const int all_from = extent.last_key >= a.window ? extent.last_key - a.window + 1 : 0;
        const int all_to = a.visible != nullptr ? extent.least - 64 : extent.least;
        const auto hide = [&](int key) {
            if (key < all_from || key + kBlockKeys - 1 > all_to) mask(item, key);
        };
        bool section_empty = true;
        bool whole_empty = true;
        float factor[2];
        rows.clear();
        clear_outputs();

        if constexpr (S::kOverlap) {
            wait(slot, turn);
            hopper::pin(scores);
            hopper::products_fence();
            issue_scores();
            hopper::products_commit();
            hopper::products_wait<0>();
            hopper::pin(scores);
            release(slot);
            hide(extent.key);
            exponentials(factor);
            pack_weights();
            for (int key = extent.key + kBlockKeys; key < extent.end; key += kBlockKeys) {
                const int value_slot = slot + 1;
                const uint32_t value_turn = turn;
                advance();
                wait(slot, turn);
                hopper::pin(scores);
                hopper::pin(weights);
                hopper::pin(outputs);
                hopper::products_fence();
                issue_scores();
                hopper::products_commit();
                wait(value_slot, value_turn);
                hopper::products_fence();
                issue_outputs(value_slot);
                hopper::products_commit();
                hopper::products_wait<1>();
                hopper::pin(scores);
                release(slot);
                hide(key);
                const bool chunk_ends = key % kChunkKeys == 0;
                const Rows chunk = rows;
                if (chunk_ends) rows.clear();
                exponentials(factor);
                hopper::pin(scores);
                hopper::products_wait<0>();
                hopper::pin(outputs);
                hopper::pin(weights);
                release(value_slot);
                if (chunk_ends) {
                    finish_chunk(chunk, section_empty, whole_empty, key, extent.end);
                    clear_outputs();
                } else {
                    rescale(factor);
                }
                pack_weights();
            }
            wait(slot + 1, turn);
            hopper::pin(weights);
            hopper::pin(outputs);
            hopper::products_fence();
            issue_outputs(slot + 1);
            hopper::products_commit();
            hopper::products_wait<0>();
            hopper::pin(outputs);
            release(slot + 1);
            advance();
            finish_chunk(rows, section_empty, whole_empty, extent.end, extent.end);
        } else {
            for (int key = extent.key; key < extent.end; key += kBlockKeys) {
                wait(slot, turn);
                hopper::pin(scores);
                hopper::products_fence();
                issue_scores();
                hopper::products_commit();
                hopper::products_wait<0>();
                hopper::pin(scores);
                release(slot);
                hide(key);
                exponentials(factor);
                rescale(factor);
                pack_weights();
                wait(slot + 1, turn);
                hopper::pin(weights);
                hopper::pin(outputs);
                hopper::products_fence();
                issue_outputs(slot + 1);
                hopper::products_commit();
                hopper::products_wait<0>();
                hopper::pin(outputs);
                release(slot + 1);
                advance();
                const int next = key + kBlockKeys;
                if (next % kChunkKeys == 0 || next >= extent.end) {
                    finish_chunk(rows, section_empty, whole_empty, next, extent.end);
                    rows.clear();
                    clear_outputs();
                }
            }
        }
        store(item, head, whole_empty);
    }

    __device__ __forceinline__ void store(const Item& item, int head, bool whole_empty) {
        if (!whole_empty) section_rows = whole_rows;
        const float4* const from_memory = whole_empty ? section : whole;
        const int quad = lane & 3;
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int packed = group * 64 + warp * 16 + h * 8 + lane / 4;
            if (packed >= item.count) continue;
            if (item.slot >= 0) {
                float* const partial = a.scratch +
                    (static_cast<int64_t>(item.slot) * a.key_heads + head) * a.slot_rows * (S::kWidth + 2);
#pragma unroll 8
                for (int j = 0; j < kOutputs / 4; j++) {
                    *reinterpret_cast<float2*>(partial + packed * S::kWidth + 8 * j + 2 * quad) =
                        reinterpret_cast<const float2*>(from_memory + j * 128)[h];
                }
                if (quad == 0) {
                    *reinterpret_cast<float2*>(partial + a.slot_rows * S::kWidth + packed * 2) =
                        make_float2(section_rows.most[h], section_rows.sum[h]);
                }
            } else {
                const float inverse = section_rows.sum[h] > 0.0f ? __frcp_rn(section_rows.sum[h]) : 0.0f;
                const int at = item.first + packed;
                __nv_bfloat16* const out = static_cast<__nv_bfloat16*>(a.out) +
                    static_cast<int64_t>(item.row + at / a.group_heads) * a.out_stride +
                    (head * a.group_heads + at % a.group_heads) * a.width;
#pragma unroll 8
                for (int j = 0; j < kOutputs / 4; j++) {
                    const int column = 8 * j + 2 * quad;
                    const float2 v = reinterpret_cast<const float2*>(from_memory + j * 128)[h];
                    if (column < a.width) {
                        *reinterpret_cast<uint32_t*>(out + column) =
                            pack(__fmul_rn(v.x, inverse), __fmul_rn(v.y, inverse));
                    }
                }
            }
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
            hopper::barrier_init(shared + S::kFull + 8 * i, 32 * S::kProducers);
            hopper::barrier_init(shared + S::kEmpty + 8 * i, 4 * S::kWarpgroups);
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
        produce<S>(a, shared, warp - 4 * S::kWarpgroups, lane);
    } else {
        if constexpr (S::kProducerRegisters > 0) hopper::registers_take<S::kConsumerRegisters>();
        const int group = warp / 4;
        const int thread = threadIdx.x % 128;
        Consumer<S> consumer{a, shared, tiles_shared};
        consumer.whole =
            reinterpret_cast<float4*>(
                a.scratch + static_cast<int64_t>(a.slot_capacity) * a.key_heads * a.slot_rows * (S::kWidth + 2)) +
            (static_cast<int64_t>(blockIdx.x) * S::kWarpgroups + group) * (64 * S::kWidth / 4) + thread;
        consumer.section =
            reinterpret_cast<float4*>(tiles_shared + S::kSection) + group * (64 * S::kWidth / 4) + thread;
        consumer.group = group;
        consumer.lane = lane;
        consumer.warp = warp % 4;
        consumer.c = __fmul_rn(a.scale, kLog2E);
        consumer.slot = 0;
        consumer.turn = 0;
        const int works = header(a.plan).items * a.key_heads;
        for (int work = blockIdx.x; work < works; work += gridDim.x) {
            consumer.attend(items(a.plan)[work / a.key_heads], work % a.key_heads);
        }
    }
}

}  // namespace
}  // namespace attention_paged
