// Tiles of 16 rows: decode. The four warps of a block share the work on a chunk of 256 keys. Each has one block of 64 keys
// for the scores; they tell one another their maxima, from which each derives the same course of the running maximum;
// then each has a quarter of the columns for the outputs, over all keys in order. So every element has the one chain of
// additions that attention_paged.cuh states, and a chunk takes a quarter of the time it would take one warp.
//
// Each warp fills a ring of tiles in shared memory by cp.async, well ahead: in each chunk four tiles of 16 keys of its own
// block, then a quarter, 16 values, of each of the four blocks, which all warps read.
#pragma once

#include "attention_paged_arithmetic.cuh"

namespace attention_paged {
namespace {

// kSectionShared: the result of the section at hand in shared memory, to spare registers.
template <int kWidth_, int kRing_, bool kSectionShared_>
struct Few {
    static constexpr int kWidth = kWidth_;
    static constexpr int kRing = kRing_;
    static constexpr bool kSectionShared = kSectionShared_;
    static constexpr int kTileRows = 16;
    static constexpr int kWarps = 4;
    static constexpr int kThreads = 32 * kWarps;
    static constexpr int kGroups = 1;
    static constexpr int kColumns = kWidth / kWarps;  // of a warp's outputs
    static constexpr int kTiles = 8;                  // of a chunk: keys, then values
    // Rows of shared memory are an odd number of 16-byte pieces, so that eight of them meet all banks.
    static constexpr int kPitch = 2 * kWidth + 16;
    static constexpr int kTileBytes = 16 * kPitch;
    static constexpr int kPlaceBytes = kWarps * kTileBytes;  // of the ring: a tile of each warp
    static constexpr int kRings = kRing * kPlaceBytes;
    static constexpr int kWeights = kRings;                                        // bf16 fragments, 512 bytes for 16 keys
    static constexpr int kMaxima = kWeights + kChunkKeys / 16 * 512;               // float [block][row]
    static constexpr int kSums = kMaxima + kWarps * kTileRows * 4;                 // float [block][row][lane of the quad]
    static constexpr int kWhole = kSums + kWarps * kTileRows * 4 * 4;              // of each thread, the result so far
    static constexpr int kShared = kWhole + (kSectionShared ? 2 : 1) * kThreads * (4 + kColumns / 2) * 4;
};

// Runs kRing - 1 tiles ahead of the arithmetic, through chunks and items.
template <class S>
struct FewReader {
    const int32_t* table;
    const unsigned char* keys;  // of the head and layer, in page 0; what this lane copies
    uint32_t page_bytes;        // from one page to the next
    uint32_t value_bytes;       // from keys to values
    int work;                   // of all items times key heads
    int works;
    int chunk;                  // its first key
    int stop;
    int first_key;              // seen by any row
    int last_key;
    int page;                   // of the next tile
    uint32_t ring;              // this warp's tile of the first place; what this lane writes of it
    uint32_t slot;              // byte offset of the next place

    __device__ __forceinline__ void open(const Paged& a, int lane) {
        if (work >= works) return;
        const Item* const list = items(a.plan);
        const Item item = list[work / a.key_heads];
        const int head = work % a.key_heads;
        value_bytes = 2u * a.key_heads * a.page_tokens * a.width;
        page_bytes = 2u * a.layers * value_bytes;
        keys = static_cast<const unsigned char*>(a.cache) +
            ((static_cast<int64_t>(a.layer) * 2 * a.key_heads + head) * a.page_tokens * a.width + lane_offset(lane, a.width)) * 2;
        table = a.table + static_cast<int64_t>(item.sequence) * a.table_stride;
        const int least = item.position + item.first / a.group_heads;
        last_key = item.position + (item.first + item.count - 1) / a.group_heads;
        first_key = least >= a.window ? least - a.window + 1 : 0;
        chunk = item.first_chunk * kChunkKeys;
        stop = item.end_chunk * kChunkKeys;
        // The arithmetic comes here in a while; so does this reader to the item after it.
        const int packed = item.first + min(lane, item.count - 1);
        if (lane < 16) {
            prefetch(
                static_cast<const __nv_bfloat16*>(a.query) +
                static_cast<int64_t>(item.row + packed / a.group_heads) * a.query_stride +
                (head * a.group_heads + packed % a.group_heads) * a.width);
        } else if (lane == 16 && work + static_cast<int>(gridDim.x) < works) {
            prefetch(list + (work + gridDim.x) / a.key_heads);
        }
    }

    // Where a whole number of keys fits a copy by all lanes, a lane has the same columns of every kStep-th key.
    static constexpr int kPieces = S::kWidth / 8;
    static constexpr int kStep = 32 % kPieces == 0 ? 32 / kPieces : 0;
    static constexpr int kCopyStep = kStep > 0 ? kStep : 1;

    __device__ __forceinline__ static int lane_offset(int lane, int width) {
        return kStep > 0 ? lane / kPieces * width + lane % kPieces * 8 : 0;
    }

    __device__ __forceinline__ static uint32_t destination_offset(int lane) {
        return kStep > 0 ? lane / kPieces * S::kPitch + lane % kPieces * 16 : 0;
    }

    __device__ __forceinline__ static void prefetch(const void* address) {
        asm volatile("prefetch.global.L1 [%0];" ::"l"(address));
    }

    // The first key of tile `phase`.
    __device__ __forceinline__ int key(int phase, int warp) const {
        return chunk + (phase < 4 ? warp * kBlockKeys + phase * 16 : (phase - 4) * kBlockKeys + warp * 16);
    }

    __device__ __forceinline__ void find(int phase, int warp, int page_shift) {
        if (work >= works) return;
        page = table[min(max(key(phase, warp), first_key), last_key) >> page_shift];
    }

    // Copies tile number `phase` of a chunk, a constant where this is used; always closes a group of copies.
    __device__ __forceinline__ void copy(int phase, const Paged& a, int warp, int lane, int page_shift) {
        if (work < works) {
            const int at = key(phase, warp);
            const bool values = phase >= 4;
            const unsigned char* source = keys + static_cast<uint64_t>(page_bytes) * static_cast<uint32_t>(page) +
                (values ? value_bytes : 0) + static_cast<uint32_t>((at & (a.page_tokens - 1)) * a.width * 2);
            const uint32_t to = ring + slot;
            if (kStep > 0 && a.width == S::kWidth && at >= first_key && at + 15 <= last_key) {
#pragma unroll
                for (int i = 0; i < 16; i += kCopyStep) {
                    copy_16(to + i * S::kPitch, source + i * S::kWidth * 2, 16);
                }
            } else {
                // Keys that no row sees may be anything; such values are zeros, for their weights are.
                const int block = at & -kBlockKeys;
                const bool wanted = values ? block <= last_key && block + kBlockKeys > first_key
                                           : at <= last_key && at + 15 >= first_key;
                if (wanted) {
                    source -= lane_offset(lane, a.width) * 2;
#pragma unroll 1
                    for (int i = lane; i < 16 * kPieces; i += 32) {
                        const int token = i / kPieces;
                        const int column = i % kPieces * 8;
                        const bool there = column < a.width &&
                            (!values || (at + token >= first_key && at + token <= last_key));
                        copy_16(
                            to - destination_offset(lane) + token * S::kPitch + column * 2,
                            there ? source + (token * a.width + column) * 2 : static_cast<const unsigned char*>(a.cache),
                            there ? 16 : 0);
                    }
                }
            }
            slot = slot + S::kPlaceBytes == S::kRing * S::kPlaceBytes ? 0 : slot + S::kPlaceBytes;
            if (phase == S::kTiles - 1) {
                chunk += kChunkKeys;
                if (chunk >= stop) {
                    work += gridDim.x;
                    open(a, lane);
                }
            }
            find((phase + 1) % S::kTiles, warp, page_shift);
        }
        copies_commit();
    }
};

// What one thread has of 16 rows x a warp's columns: rows lane / 4 (elements 0, 1) and lane / 4 + 8 (2, 3), columns
// 8 j + 2 (lane % 4) + {0, 1}; with the rows' maxima and sums.
template <int kColumns>
struct FewState {
    float most[2];
    float sum[2];
    float at[kColumns / 8][4];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            most[h] = kNothing;
            sum[h] = 0.0f;
        }
#pragma unroll
        for (int j = 0; j < kColumns / 8; j++) at[j][0] = at[j][1] = at[j][2] = at[j][3] = 0.0f;
    }

    __device__ __forceinline__ void merge(const FewState& part, float c) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const Weights weights(most[h], part.most[h], c);
            most[h] = weights.most;
            sum[h] = weights.merge(sum[h], part.sum[h]);
#pragma unroll
            for (int j = 0; j < kColumns / 8; j++) {
                at[j][2 * h] = weights.merge(at[j][2 * h], part.at[j][2 * h]);
                at[j][2 * h + 1] = weights.merge(at[j][2 * h + 1], part.at[j][2 * h + 1]);
            }
        }
    }
};

template <class S>
__device__ __forceinline__ void attend_few(const Paged& a) {
    extern __shared__ __align__(128) unsigned char shared[];
    constexpr int kWidth = S::kWidth;
    const int lane = threadIdx.x & 31;
    const int warp = threadIdx.x >> 5;
    const int quad = lane & 3;
    const int page_shift = 31 - __clz(a.page_tokens);
    const float c = __fmul_rn(a.scale, kLog2E);

    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
    asm volatile("griddepcontrol.wait;" ::: "memory");

    const uint32_t ring = shared_address(shared);
    FewReader<S> reader;
    reader.work = blockIdx.x;
    reader.works = header(a.plan).items * a.key_heads;
    reader.ring = ring + warp * S::kTileBytes + reader.destination_offset(lane);
    reader.slot = 0;
    reader.open(a, lane);
    reader.find(0, warp, page_shift);
#pragma unroll
    for (int i = 0; i < S::kRing - 1; i++) reader.copy(i % S::kTiles, a, warp, lane, page_shift);

    uint32_t slot = 0;
    const auto next_place = [&](int phase) {
        copies_wait<S::kRing - 2>();
        // The place before this one is free when it has been used: by all warps, where it has values.
        if (phase == 0 || phase >= 4) {
            __syncthreads();
        } else {
            __syncwarp();
        }
        reader.copy((phase + S::kRing - 1) % S::kTiles, a, warp, lane, page_shift);
        const uint32_t place = ring + slot;
        slot = slot + S::kPlaceBytes == S::kRing * S::kPlaceBytes ? 0 : slot + S::kPlaceBytes;
        return place;
    };
    uint4* const weights_shared = reinterpret_cast<uint4*>(shared + S::kWeights) + lane;
    float* const maxima_shared = reinterpret_cast<float*>(shared + S::kMaxima) + lane / 4;
    float* const sums_shared = reinterpret_cast<float*>(shared + S::kSums) + lane;

    const int works = reader.works;
    for (int work = blockIdx.x; work < works; work += gridDim.x) {
        const Item item = items(a.plan)[work / a.key_heads];
        const int head = work % a.key_heads;
        const int least = item.position + item.first / a.group_heads;
        const int last_key = item.position + (item.first + item.count - 1) / a.group_heads;
        const int first_key = least >= a.window ? least - a.window + 1 : 0;

        // This thread's two rows, and its part of the queries.
        int from[2];
        int to[2];
        uint32_t query[kWidth / 16][4];
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int packed = h * 8 + lane / 4;
            const bool there = packed < item.count;
            const int row = (item.first + packed) / a.group_heads;
            to[h] = there ? item.position + row : -1;
            from[h] = to[h] >= a.window ? to[h] - a.window + 1 : 0;
            const __nv_bfloat16* const q = static_cast<const __nv_bfloat16*>(a.query) +
                static_cast<int64_t>(item.row + row) * a.query_stride +
                (head * a.group_heads + (item.first + packed) % a.group_heads) * a.width + 2 * quad;
#pragma unroll
            for (int k = 0; k < kWidth / 8; k++) {
                query[k / 2][k % 2 * 2 + h] =
                    there && 8 * k < a.width ? *reinterpret_cast<const uint32_t*>(q + 8 * k) : 0;
            }
        }
        // Where every row sees every key of a block, nothing needs hiding.
        const int all_from = last_key >= a.window ? last_key - a.window + 1 : 0;
        const int all_to = a.visible != nullptr ? least - 64 : least;

        FewState<S::kColumns>& whole = reinterpret_cast<FewState<S::kColumns>*>(shared + S::kWhole)[threadIdx.x];
        FewState<S::kColumns> section_registers;
        FewState<S::kColumns>& section = S::kSectionShared ? (&whole)[S::kThreads] : section_registers;
        whole.clear();
        section.clear();
        for (int chunk = item.first_chunk; chunk < item.end_chunk; chunk++) {
            const int chunk_key = chunk * kChunkKeys;
            const auto there = [&](int block) {
                return chunk_key + block * kBlockKeys <= last_key && chunk_key + (block + 1) * kBlockKeys > first_key;
            };

            // ---- scores of this warp's block ----
            const int key = chunk_key + warp * kBlockKeys;
            const bool mine = there(warp);
            float scores[kBlockKeys / 8][4];
#pragma unroll
            for (int j = 0; j < kBlockKeys / 8; j++) scores[j][0] = scores[j][1] = scores[j][2] = scores[j][3] = 0.0f;
#pragma unroll
            for (int t = 0; t < 4; t++) {
                // Matrices of a load: keys 0-7 and 8-15 of 16, each by columns 0-7 and 8-15 of 16.
                const uint32_t tile = next_place(t) + warp * S::kTileBytes + ((lane & 7) + (lane >> 4) * 8) * S::kPitch +
                    (lane >> 3 & 1) * 16;
                if (!mine) continue;
#pragma unroll
                for (int k = 0; k < kWidth / 16; k++) {
                    uint32_t keys[4];
                    load_matrices(keys, tile + k * 32);
                    multiply(scores[2 * t], query[k], keys[0], keys[1]);
                    multiply(scores[2 * t + 1], query[k], keys[2], keys[3]);
                }
            }
            if (mine && (key < all_from || key + kBlockKeys - 1 > all_to)) {
                uint64_t visible[2] = {~0ull, ~0ull};
                if (a.visible != nullptr) {
#pragma unroll
                    for (int h = 0; h < 2; h++) {
                        if (to[h] >= 0) visible[h] = a.visible[item.row + to[h] - item.position];
                    }
                }
#pragma unroll
                for (int j = 0; j < kBlockKeys / 8; j++) {
#pragma unroll
                    for (int e = 0; e < 4; e++) {
                        const int h = e >> 1;
                        const int at = key + 8 * j + 2 * quad + (e & 1);
                        const int back = to[h] - at;
                        const bool seen =
                            at >= from[h] && back >= 0 && (back >= 64 || (visible[h] >> (back & 63) & 1) != 0);
                        scores[j][e] = seen ? scores[j][e] : kNothing;
                    }
                }
            }
            float most[2] = {kNothing, kNothing};
            if (mine) {
#pragma unroll
                for (int j = 0; j < kBlockKeys / 8; j++) {
                    most[0] = fmaxf(most[0], fmaxf(scores[j][0], scores[j][1]));
                    most[1] = fmaxf(most[1], fmaxf(scores[j][2], scores[j][3]));
                }
#pragma unroll
                for (int h = 0; h < 2; h++) {
                    most[h] = fmaxf(most[h], __shfl_xor_sync(~0u, most[h], 1));
                    most[h] = fmaxf(most[h], __shfl_xor_sync(~0u, most[h], 2));
                }
            }
            if (quad == 0) {
                maxima_shared[warp * 16] = most[0];
                maxima_shared[warp * 16 + 8] = most[1];
            }
            __syncthreads();

            // ---- the course of the maximum through the chunk; weights of this warp's block ----
            FewState<S::kColumns> state;
            state.clear();
            float factor[4][2];
            float own[2];
#pragma unroll
            for (int b = 0; b < 4; b++) {
#pragma unroll
                for (int h = 0; h < 2; h++) {
                    const float block_most = fmaxf(state.most[h], maxima_shared[b * 16 + 8 * h]);
                    const float rise = __fmul_rn(__fsub_rn(block_most, state.most[h]), c);
                    factor[b][h] = rise > kLeastRise ? power_of_two(-rise) : 1.0f;
                    state.most[h] = rise > kLeastRise ? block_most : state.most[h];
                    if (b == warp) own[h] = state.most[h];
                }
            }
            if (mine) {
                float base[2];
                float sum[2] = {0.0f, 0.0f};
#pragma unroll
                for (int h = 0; h < 2; h++) base[h] = own[h] == kNothing ? 0.0f : -__fmul_rn(own[h], c);
#pragma unroll
                for (int j = 0; j < kBlockKeys / 8; j++) {
#pragma unroll
                    for (int e = 0; e < 4; e++) {
                        scores[j][e] = power_of_two(__fmaf_rn(scores[j][e], c, base[e >> 1]));
                        sum[e >> 1] = __fadd_rn(sum[e >> 1], scores[j][e]);
                    }
                }
#pragma unroll
                for (int k = 0; k < kBlockKeys / 16; k++) {
                    weights_shared[(warp * 4 + k) * 32] = make_uint4(
                        pack(scores[2 * k][0], scores[2 * k][1]), pack(scores[2 * k][2], scores[2 * k][3]),
                        pack(scores[2 * k + 1][0], scores[2 * k + 1][1]), pack(scores[2 * k + 1][2], scores[2 * k + 1][3]));
                }
                sums_shared[warp * 64] = sum[0];
                sums_shared[warp * 64 + 32] = sum[1];
            }

            // ---- outputs of this warp's columns; the first place of values comes with a barrier ----
#pragma unroll
            for (int b = 0; b < 4; b++) {
                // Matrices of a load: keys 0-7, 8-15, 16-23 and 24-31 at 8 columns.
                const uint32_t tile = next_place(4 + b) + lane * S::kPitch + warp * S::kColumns * 2;
                if (!there(b)) continue;
                if (__any_sync(~0u, factor[b][0] != 1.0f || factor[b][1] != 1.0f)) {
#pragma unroll
                    for (int j = 0; j < S::kColumns / 8; j++) {
#pragma unroll
                        for (int e = 0; e < 4; e++) state.at[j][e] = __fmul_rn(state.at[j][e], factor[b][e >> 1]);
                    }
                }
#pragma unroll
                for (int h = 0; h < 2; h++) {
                    state.sum[h] = __fmaf_rn(state.sum[h], factor[b][h], sums_shared[b * 64 + 32 * h]);
                }
#pragma unroll
                for (int k = 0; k < 2; k++) {
                    const uint4 first = weights_shared[(b * 4 + 2 * k) * 32];
                    const uint4 second = weights_shared[(b * 4 + 2 * k + 1) * 32];
                    const uint32_t weights[2][4] = {
                        {first.x, first.y, first.z, first.w}, {second.x, second.y, second.z, second.w}};
#pragma unroll
                    for (int j = 0; j < S::kColumns / 8; j++) {
                        uint32_t values[4];
                        load_matrices_transposed(values, tile + k * 32 * S::kPitch + j * 16);
                        multiply(state.at[j], weights[0], values[0], values[1]);
                        multiply(state.at[j], weights[1], values[2], values[3]);
                    }
                }
            }

#pragma unroll
            for (int h = 0; h < 2; h++) {
                state.sum[h] = __fadd_rn(state.sum[h], __shfl_xor_sync(~0u, state.sum[h], 1));
                state.sum[h] = __fadd_rn(state.sum[h], __shfl_xor_sync(~0u, state.sum[h], 2));
            }
            section.merge(state, c);
            if ((chunk + 1) % (kSectionKeys / kChunkKeys) == 0 || chunk + 1 == item.end_chunk) {
                whole.merge(section, c);
                section.clear();
            }
        }

#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int packed = h * 8 + lane / 4;
            if (packed >= item.count) continue;
            if (item.slot >= 0) {
                float* const partial = a.scratch +
                    (static_cast<int64_t>(item.slot) * a.key_heads + head) * a.slot_rows * (kWidth + 2);
#pragma unroll
                for (int j = 0; j < S::kColumns / 8; j++) {
                    *reinterpret_cast<float2*>(partial + packed * kWidth + warp * S::kColumns + 8 * j + 2 * quad) =
                        make_float2(whole.at[j][2 * h], whole.at[j][2 * h + 1]);
                }
                if (threadIdx.x % 4 == 0 && warp == 0) {
                    *reinterpret_cast<float2*>(partial + a.slot_rows * kWidth + packed * 2) =
                        make_float2(whole.most[h], whole.sum[h]);
                }
            } else {
                const float inverse = whole.sum[h] > 0.0f ? __frcp_rn(whole.sum[h]) : 0.0f;
                const int at = item.first + packed;
                __nv_bfloat16* const out = static_cast<__nv_bfloat16*>(a.out) +
                    static_cast<int64_t>(item.row + at / a.group_heads) * a.out_stride +
                    (head * a.group_heads + at % a.group_heads) * a.width;
#pragma unroll
                for (int j = 0; j < S::kColumns / 8; j++) {
                    const int column = warp * S::kColumns + 8 * j + 2 * quad;
                    if (column < a.width) {
                        *reinterpret_cast<uint32_t*>(out + column) =
                            pack(__fmul_rn(whole.at[j][2 * h], inverse), __fmul_rn(whole.at[j][2 * h + 1], inverse));
                    }
                }
            }
        }
    }
    copies_wait<0>();
}

}  // namespace
}  // namespace attention_paged
