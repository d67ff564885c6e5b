// Attention of new rows over a paged cache, by mma.sync: for decode, verification and prefill alike. What is computed, and in
// which order, is stated in attention_paged.cuh. Keys and values go through a ring of tiles in shared memory, filled by
// cp.async well ahead of their use, across blocks, chunks and items.
#include <cuda_bf16.h>

#include "attention_paged.cuh"

namespace attention_paged {
namespace {

// ---- instructions ----

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// 16 bytes from global to shared memory; zeros where `bytes` is 0.
__device__ __forceinline__ void copy_16(uint32_t destination, const void* source, int bytes) {
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(destination), "l"(source), "r"(bytes)
                 : "memory");
}

__device__ __forceinline__ void copies_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

template <int kPending>
__device__ __forceinline__ void copies_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], uint32_t address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

__device__ __forceinline__ void load_matrices_transposed(uint32_t (&r)[4], uint32_t address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

__device__ __forceinline__ void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ __forceinline__ float power_of_two(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

__device__ __forceinline__ uint32_t pack(float low, float high) {
    const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
    return reinterpret_cast<const uint32_t&>(both);
}

constexpr float kNothing = -INFINITY;

// ---- merging ----

// How much the two sides of a merge weigh; the maximum of both goes to `most`.
struct Weights {
    float most;
    float whole;
    float part;

    __device__ __forceinline__ Weights(float m, float part_m, float c) {
        most = fmaxf(m, part_m);
        const float from = most == kNothing ? 0.0f : most;
        whole = power_of_two(__fmul_rn(__fsub_rn(m, from), c));
        part = power_of_two(__fmul_rn(__fsub_rn(part_m, from), c));
    }

    __device__ __forceinline__ float merge(float total, float value) const {
        return __fmaf_rn(total, whole, __fmul_rn(value, part));
    }
};

// The two rows of a fragment: maxima and sums.
struct Rows {
    float most[2];
    float sum[2];

    __device__ __forceinline__ void clear() {
        most[0] = most[1] = kNothing;
        sum[0] = sum[1] = 0.0f;
    }
};

// What one thread holds of 16 rows x kWidth outputs: rows lane / 4 (elements 0, 1) and lane / 4 + 8 (2, 3), columns
// 8 j + 2 (lane % 4) + {0, 1}.
template <int kWidth>
struct Outputs {
    float at[kWidth / 8][4];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int j = 0; j < kWidth / 8; j++) {
            at[j][0] = at[j][1] = at[j][2] = at[j][3] = 0.0f;
        }
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

// Outputs in memory that only this thread touches: element j at memory[j * stride].
template <int kWidth>
__device__ __forceinline__ void merge_into(
    Rows& rows, float4* memory, int stride, bool empty, const Rows& part, const Outputs<kWidth>& outputs, float c) {
    if (empty) {
        rows = part;
#pragma unroll
        for (int j = 0; j < kWidth / 8; j++) {
            memory[j * stride] = make_float4(outputs.at[j][0], outputs.at[j][1], outputs.at[j][2], outputs.at[j][3]);
        }
        return;
    }
    const RowWeights weights(rows, part, c);
#pragma unroll
    for (int j = 0; j < kWidth / 8; j++) {
        memory[j * stride] = weights.merge(
            memory[j * stride],
            make_float4(outputs.at[j][0], outputs.at[j][1], outputs.at[j][2], outputs.at[j][3]));
    }
}

template <int kWidth>
__device__ __forceinline__ void merge_into(
    Rows& rows, float4* memory, int stride, bool empty, const Rows& part, const float4* outputs, float c) {
    if (empty) {
        rows = part;
#pragma unroll 4
        for (int j = 0; j < kWidth / 8; j++) memory[j * stride] = outputs[j * stride];
        return;
    }
    const RowWeights weights(rows, part, c);
#pragma unroll 4
    for (int j = 0; j < kWidth / 8; j++) {
        memory[j * stride] = weights.merge(memory[j * stride], outputs[j * stride]);
    }
}

template <int kWidth>
__device__ __forceinline__ void load(Outputs<kWidth>& outputs, const float4* memory, int stride) {
#pragma unroll
    for (int j = 0; j < kWidth / 8; j++) {
        const float4 v = memory[j * stride];
        outputs.at[j][0] = v.x;
        outputs.at[j][1] = v.y;
        outputs.at[j][2] = v.z;
        outputs.at[j][3] = v.w;
    }
}

// ---- the shape of a kernel ----

// kTileWarps warps take 16 rows each and share the tiles of keys; they are a group.
template <int kWidth_, int kTileWarps_, int kRing_>
struct Shape {
    static constexpr int kWidth = kWidth_;
    static constexpr int kTileWarps = kTileWarps_;
    static constexpr int kRing = kRing_;  // tiles of the ring
    static constexpr int kWarps = 4;
    static constexpr int kThreads = 32 * kWarps;
    static constexpr int kGroups = kWarps / kTileWarps;
    static constexpr int kGroupThreads = 32 * kTileWarps;
    static constexpr int kTileRows = 16 * kTileWarps;
    static constexpr int kTileKeys = 16 * kTileWarps;
    static constexpr int kTiles = kBlockKeys / kTileKeys;  // of keys, and again of values, in a block of keys
    // Rows of shared memory are a 16-byte piece longer than they need be, so that eight of them meet all banks.
    static constexpr int kPitch = 2 * kWidth + 16;
    static constexpr int kTileBytes = kTileKeys * kPitch;
    // Queries stay in registers up to this width.
    static constexpr bool kQueryShared = kWidth > 128;
    static constexpr int kQueryBytes = kQueryShared ? kTileRows * kPitch : 0;
    static constexpr int kSectionBytes = kTileRows * kWidth * 4;
    static constexpr int kGroupBytes = kRing * kTileBytes + kQueryBytes + kSectionBytes;
    static constexpr int kShared = kGroups * kGroupBytes;
};

// Where the cache is read, and where the reading stands: runs kRing - 1 tiles ahead of the arithmetic.
template <class S>
struct Reader {
    const int32_t* table;
    int work;       // of all items times key heads
    int works;
    int groups;
    int key;        // the first of the block
    int stop;       // of the item
    int first_key;  // seen by any row of the tile
    int last_key;
    int head;
    int page;       // of the next tile this warp copies
    uint32_t ring;  // this group's
    uint32_t slot;  // byte offset of the next tile in the ring

    __device__ __forceinline__ void open(const Paged& a) {
        if (work >= works) return;
        const Item item = items(a.plan)[work / a.key_heads];
        head = work % a.key_heads;
        table = a.table + static_cast<int64_t>(item.sequence) * a.table_stride;
        const int least = item.position + item.first / a.group_heads;
        last_key = item.position + (item.first + item.count - 1) / a.group_heads;
        first_key = least >= a.window ? least - a.window + 1 : 0;
        key = max(item.first_chunk * kChunkKeys, first_key & -kBlockKeys);
        stop = min(item.end_chunk * kChunkKeys, (last_key & -kBlockKeys) + kBlockKeys);
    }

    // The page of the 16 keys this warp copies next: tile number `phase` of the block, its keys first, then its values.
    __device__ __forceinline__ void find(int phase, int warp, int page_shift) {
        if (work >= works) return;
        const int at = key + phase % S::kTiles * S::kTileKeys + warp * 16;
        page = table[min(max(at, first_key), last_key) >> page_shift];
    }

    // Copies tile number `phase`, a constant where this is used, if there is one; always closes a group of copies.
    __device__ __forceinline__ void copy(int phase, const Paged& a, int warp, int lane, int page_shift) {
        if (work < works) {
            const int at = key + phase % S::kTiles * S::kTileKeys + warp * 16;
            const int values = phase >= S::kTiles;
            const int64_t row =
                (((static_cast<int64_t>(page) * a.layers + a.layer) * 2 + values) * a.key_heads + head << page_shift) +
                (at & (a.page_tokens - 1));
            const __nv_bfloat16* const cache = static_cast<const __nv_bfloat16*>(a.cache);
            constexpr int kPieces = S::kWidth / 8;
            const uint32_t destination = ring + slot + warp * 16 * S::kPitch;
            if constexpr (32 % kPieces == 0) {
                constexpr int kStep = 32 / kPieces;
                const int column = lane % kPieces * 8;
                const __nv_bfloat16* source = cache + (row + lane / kPieces) * a.width + column;
                const int token = at + lane / kPieces;
                const uint32_t to = destination + lane / kPieces * S::kPitch + column * 2;
                // Keys that no row sees, and columns beyond the width, are zeros.
                const int lowest = first_key - token;
                const int highest = column < a.width ? last_key - token : -1;
#pragma unroll
                for (int i = 0; i < 16; i += kStep) {
                    copy_16(to + i * S::kPitch, source, i >= lowest && i <= highest ? 16 : 0);
                    source += kStep * a.width;
                }
            } else {
#pragma unroll
                for (int i = 0; i < kPieces / 2; i++) {
                    const int index = i * 32 + lane;
                    const int token = index / kPieces;
                    const int column = index % kPieces * 8;
                    const bool there = column < a.width && at + token >= first_key && at + token <= last_key;
                    copy_16(destination + token * S::kPitch + column * 2,
                        cache + (row + token) * a.width + column, there ? 16 : 0);
                }
            }
            slot = slot + S::kTileBytes == S::kRing * S::kTileBytes ? 0 : slot + S::kTileBytes;
            if (phase == 2 * S::kTiles - 1) {
                key += kBlockKeys;
                if (key >= stop) {
                    work += groups;
                    open(a);
                }
            }
            find((phase + 1) % (2 * S::kTiles), warp, page_shift);
        }
        copies_commit();
    }
};

template <class S>
__device__ __forceinline__ void group_sync() {
    if constexpr (S::kTileWarps == 1) {
        __syncwarp();
    } else {
        __syncthreads();
    }
}

template <class S>
__device__ __forceinline__ void attend(const Paged& a) {
    extern __shared__ __align__(128) unsigned char shared[];
    constexpr int kWidth = S::kWidth;
    const int lane = threadIdx.x & 31;
    const int warp = (threadIdx.x >> 5) % S::kTileWarps;
    const int group_in_block = (threadIdx.x >> 5) / S::kTileWarps;
    const int group = blockIdx.x * S::kGroups + group_in_block;
    const int groups = gridDim.x * S::kGroups;
    const int quad = lane & 3;
    const int page_shift = 31 - __clz(a.page_tokens);
    const float c = __fmul_rn(a.scale, 1.4426950408889634f);

    asm volatile("griddepcontrol.wait;" ::: "memory");
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");

    const uint32_t group_shared = shared_address(shared) + group_in_block * S::kGroupBytes;
    Reader<S> reader;
    reader.work = group;
    reader.works = header(a.plan).items * a.key_heads;
    reader.groups = groups;
    reader.ring = group_shared;
    reader.slot = 0;
    reader.open(a);
    reader.find(0, warp, page_shift);
#pragma unroll
    for (int i = 0; i < S::kRing - 1; i++) reader.copy(i % (2 * S::kTiles), a, warp, lane, page_shift);

    // Outputs of the section at hand, in shared memory; of all sections, in the group's own scratch.
    float4* const section = reinterpret_cast<float4*>(shared + group_in_block * S::kGroupBytes + S::kRing * S::kTileBytes + S::kQueryBytes) + warp * 32 + lane;
    float4* const own = reinterpret_cast<float4*>(
                            a.scratch + static_cast<int64_t>(a.slot_capacity) * a.key_heads * a.slot_rows * (kWidth + 2)) +
        static_cast<int64_t>(group) * (S::kTileRows * kWidth / 4) + warp * 32 + lane;

    uint32_t slot = group_shared;
    const auto next_tile = [&](int phase) {
        copies_wait<S::kRing - 2>();
        group_sync<S>();
        // Every warp of the group is done with the tile before this one: its place is free.
        reader.copy((phase + S::kRing - 1) % (2 * S::kTiles), a, warp, lane, page_shift);
        const uint32_t tile = slot;
        slot = slot + S::kTileBytes == group_shared + S::kRing * S::kTileBytes ? group_shared : slot + S::kTileBytes;
        return tile;
    };

    const int works = reader.works;
    for (int work = group; work < works; work += groups) {
        const Item item = items(a.plan)[work / a.key_heads];
        const int head = work % a.key_heads;
        const int least = item.position + item.first / a.group_heads;
        const int last_key = item.position + (item.first + item.count - 1) / a.group_heads;
        const int first_key = least >= a.window ? least - a.window + 1 : 0;
        const int end = min(item.end_chunk * kChunkKeys, (last_key & -kBlockKeys) + kBlockKeys);

        // This thread's two rows.
        int packed[2];
        int from[2];
        int to[2];
        const __nv_bfloat16* queries[2];
#pragma unroll
        for (int h = 0; h < 2; h++) {
            packed[h] = warp * 16 + h * 8 + lane / 4;
            const bool there = packed[h] < item.count;
            const int row = (item.first + packed[h]) / a.group_heads;
            const int query_head = (item.first + packed[h]) % a.group_heads;
            to[h] = there ? item.position + row : -1;
            from[h] = to[h] >= a.window ? to[h] - a.window + 1 : 0;
            queries[h] = there ? static_cast<const __nv_bfloat16*>(a.query) +
                    static_cast<int64_t>(item.row + row) * a.query_stride + (head * a.group_heads + query_head) * a.width
                               : nullptr;
        }
        // Where every row of the tile sees every key of a block, nothing needs hiding.
        const int all_from = last_key >= a.window ? last_key - a.window + 1 : 0;
        const int all_to = a.visible != nullptr ? least - 64 : least;

        uint32_t query[S::kQueryShared ? 1 : kWidth / 16][4];
        const uint32_t query_shared = group_shared + S::kRing * S::kTileBytes;
        if constexpr (S::kQueryShared) {
            __syncwarp();
#pragma unroll
            for (int i = 0; i < kWidth / 8 / 2; i++) {
                const int index = i * 32 + lane;
                const int token = index / (kWidth / 8);
                const int column = index % (kWidth / 8) * 8;
                const int at = item.first + warp * 16 + token;
                uint4 piece = make_uint4(0, 0, 0, 0);
                if (warp * 16 + token < item.count && column < a.width) {
                    piece = *reinterpret_cast<const uint4*>(
                        static_cast<const __nv_bfloat16*>(a.query) +
                        static_cast<int64_t>(item.row + at / a.group_heads) * a.query_stride +
                        (head * a.group_heads + at % a.group_heads) * a.width + column);
                }
                *reinterpret_cast<uint4*>(
                    shared + (query_shared - shared_address(shared)) + (warp * 16 + token) * S::kPitch + column * 2) = piece;
            }
            __syncwarp();
        } else {
#pragma unroll
            for (int k = 0; k < kWidth / 16; k++) {
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    const int column = 16 * k + 8 * (e >> 1) + 2 * quad;
                    const __nv_bfloat16* const q = queries[e & 1];
                    query[k][e] =
                        q != nullptr && column < a.width ? *reinterpret_cast<const uint32_t*>(q + column) : 0;
                }
            }
        }

        Rows rows;
        Outputs<kWidth> outputs;
        Rows section_rows;
        Rows whole_rows;
        rows.clear();
        outputs.clear();
        section_rows.clear();
        whole_rows.clear();
        bool section_empty = true;
        bool whole_empty = true;

        for (int key = max(item.first_chunk * kChunkKeys, first_key & -kBlockKeys); key < end; key += kBlockKeys) {
            float scores[kBlockKeys / 8][4];
#pragma unroll
            for (int j = 0; j < kBlockKeys / 8; j++) {
                scores[j][0] = scores[j][1] = scores[j][2] = scores[j][3] = 0.0f;
            }
#pragma unroll
            for (int t = 0; t < S::kTiles; t++) {
                // Matrices of a load: keys 0-7 and 8-15 of 16, each by columns 0-7 and 8-15 of 16.
                const uint32_t tile = next_tile(t) + ((lane & 7) + (lane >> 4) * 8) * S::kPitch + (lane >> 3 & 1) * 16;
#pragma unroll(S::kQueryShared ? 2 : kWidth / 16)
                for (int k = 0; k < kWidth / 16; k++) {
                    uint32_t shared_query[4];
                    if constexpr (S::kQueryShared) {
                        load_matrices(
                            shared_query,
                            query_shared + (warp * 16 + (lane & 15)) * S::kPitch + (lane >> 4) * 16 + k * 32);
                    }
#pragma unroll
                    for (int n = 0; n < S::kTileWarps; n++) {
                        uint32_t keys[4];
                        load_matrices(keys, tile + n * 16 * S::kPitch + k * 32);
                        const int j = (t * S::kTileWarps + n) * 2;
                        if constexpr (S::kQueryShared) {
                            multiply(scores[j], shared_query, keys[0], keys[1]);
                            multiply(scores[j + 1], shared_query, keys[2], keys[3]);
                        } else {
                            multiply(scores[j], query[k], keys[0], keys[1]);
                            multiply(scores[j + 1], query[k], keys[2], keys[3]);
                        }
                    }
                }
            }

            if (key < all_from || key + kBlockKeys - 1 > all_to) {
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

            // The maximum moves only when the scores outgrow it by 8 in powers of two: for each row by itself. Where no
            // row of the warp moves, its factors are all 1 and left out.
            float most[2] = {rows.most[0], rows.most[1]};
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
            bool moves[2];
#pragma unroll
            for (int h = 0; h < 2; h++) moves[h] = __fmul_rn(__fsub_rn(most[h], rows.most[h]), c) > 8.0f;
            if (__any_sync(~0u, moves[0] || moves[1])) {
                float factor[2];
#pragma unroll
                for (int h = 0; h < 2; h++) {
                    factor[h] =
                        moves[h] ? power_of_two(__fmul_rn(__fsub_rn(rows.most[h], most[h]), c)) : 1.0f;
                    rows.most[h] = moves[h] ? most[h] : rows.most[h];
                    rows.sum[h] = __fmul_rn(rows.sum[h], factor[h]);
                }
#pragma unroll
                for (int j = 0; j < kWidth / 8; j++) {
                    outputs.at[j][0] = __fmul_rn(outputs.at[j][0], factor[0]);
                    outputs.at[j][1] = __fmul_rn(outputs.at[j][1], factor[0]);
                    outputs.at[j][2] = __fmul_rn(outputs.at[j][2], factor[1]);
                    outputs.at[j][3] = __fmul_rn(outputs.at[j][3], factor[1]);
                }
            }

            float base[2];
#pragma unroll
            for (int h = 0; h < 2; h++) base[h] = rows.most[h] == kNothing ? 0.0f : -__fmul_rn(rows.most[h], c);
            uint32_t weights[kBlockKeys / 16][4];
#pragma unroll
            for (int j = 0; j < kBlockKeys / 8; j++) {
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    scores[j][e] = power_of_two(__fmaf_rn(scores[j][e], c, base[e >> 1]));
                    rows.sum[e >> 1] = __fadd_rn(rows.sum[e >> 1], scores[j][e]);
                }
                weights[j / 2][j % 2 * 2] = pack(scores[j][0], scores[j][1]);
                weights[j / 2][j % 2 * 2 + 1] = pack(scores[j][2], scores[j][3]);
            }

#pragma unroll
            for (int t = 0; t < S::kTiles; t++) {
                // Matrices of a load: keys 0-7 and 8-15 of 16, at columns 0-7, then the same at columns 8-15.
                const uint32_t tile = next_tile(S::kTiles + t) + (lane & 15) * S::kPitch + (lane >> 4) * 16;
#pragma unroll
                for (int n = 0; n < S::kTileWarps; n++) {
#pragma unroll
                    for (int j = 0; j < kWidth / 16; j++) {
                        uint32_t values[4];
                        load_matrices_transposed(values, tile + n * 16 * S::kPitch + j * 32);
                        multiply(outputs.at[2 * j], weights[t * S::kTileWarps + n], values[0], values[1]);
                        multiply(outputs.at[2 * j + 1], weights[t * S::kTileWarps + n], values[2], values[3]);
                    }
                }
            }

            const int next = key + kBlockKeys;
            if (next % kChunkKeys == 0 || next >= end) {
#pragma unroll
                for (int h = 0; h < 2; h++) {
                    rows.sum[h] = __fadd_rn(rows.sum[h], __shfl_xor_sync(~0u, rows.sum[h], 1));
                    rows.sum[h] = __fadd_rn(rows.sum[h], __shfl_xor_sync(~0u, rows.sum[h], 2));
                }
                merge_into(section_rows, section, S::kGroupThreads, section_empty, rows, outputs, c);
                section_empty = false;
                // A section that is not the only one of the item.
                if ((next % kSectionKeys == 0 || next >= end) && !(next >= end && whole_empty)) {
                    merge_into<kWidth>(
                        whole_rows, own, S::kGroupThreads, whole_empty, section_rows, section, c);
                    section_rows.clear();
                    section_empty = true;
                    whole_empty = false;
                }
                rows.clear();
                outputs.clear();
            }
        }

        rows = whole_empty ? section_rows : whole_rows;
        if (whole_empty) {
            load(outputs, section, S::kGroupThreads);
        } else {
            load(outputs, own, S::kGroupThreads);
        }
#pragma unroll
        for (int h = 0; h < 2; h++) {
            if (packed[h] >= item.count) continue;
            if (item.slot >= 0) {
                float* const partial = a.scratch +
                    (static_cast<int64_t>(item.slot) * a.key_heads + head) * a.slot_rows * (kWidth + 2);
#pragma unroll
                for (int j = 0; j < kWidth / 8; j++) {
                    *reinterpret_cast<float2*>(partial + packed[h] * kWidth + 8 * j + 2 * quad) =
                        make_float2(outputs.at[j][2 * h], outputs.at[j][2 * h + 1]);
                }
                if (quad == 0) {
                    *reinterpret_cast<float2*>(partial + a.slot_rows * kWidth + packed[h] * 2) =
                        make_float2(rows.most[h], rows.sum[h]);
                }
            } else {
                const float inverse = rows.sum[h] > 0.0f ? __frcp_rn(rows.sum[h]) : 0.0f;
                const int at = item.first + packed[h];
                __nv_bfloat16* const out = static_cast<__nv_bfloat16*>(a.out) +
                    static_cast<int64_t>(item.row + at / a.group_heads) * a.out_stride +
                    (head * a.group_heads + at % a.group_heads) * a.width;
#pragma unroll
                for (int j = 0; j < kWidth / 8; j++) {
                    const int column = 8 * j + 2 * quad;
                    if (column < a.width) {
                        *reinterpret_cast<uint32_t*>(out + column) =
                            pack(__fmul_rn(outputs.at[j][2 * h], inverse), __fmul_rn(outputs.at[j][2 * h + 1], inverse));
                    }
                }
            }
        }
    }
    copies_wait<0>();
}

// ---- merging partial results ----

// One row of a merge: its partial results stand `stride` floats apart.
struct Partials {
    const float* outputs;
    const float* sums;  // maximum and sum
    int64_t stride;

    __device__ __forceinline__ float2 sum(int i) const {
        return *reinterpret_cast<const float2*>(sums + i * stride);
    }
};

template <int kWidth>
__device__ __forceinline__ void store(
    const Paged& a, const Merge& m, int head, int packed, int lane, const float (&o)[kWidth / 32], float l) {
    const float inverse = l > 0.0f ? __frcp_rn(l) : 0.0f;
    const int at = m.first + packed;
    __nv_bfloat16* const out = static_cast<__nv_bfloat16*>(a.out) +
        static_cast<int64_t>(m.row + at / a.group_heads) * a.out_stride +
        (head * a.group_heads + at % a.group_heads) * a.width;
#pragma unroll
    for (int i = 0; i < kWidth / 32; i++) {
        const int column = 32 * i + lane;
        if (column < a.width) out[column] = __float2bfloat16_rn(__fmul_rn(o[i], inverse));
    }
}

template <int kWidth>
struct Running {
    float most;
    float sum;
    float at[kWidth / 32];

    __device__ __forceinline__ void clear() {
        most = kNothing;
        sum = 0.0f;
#pragma unroll
        for (int i = 0; i < kWidth / 32; i++) at[i] = 0.0f;
    }

    __device__ __forceinline__ void merge(const Running& part, float c) {
        const Weights w(most, part.most, c);
        most = w.most;
        sum = w.merge(sum, part.sum);
#pragma unroll
        for (int i = 0; i < kWidth / 32; i++) at[i] = w.merge(at[i], part.at[i]);
    }
};

constexpr int kSectionChunks = kSectionKeys / kChunkKeys;
constexpr int kMergeWarps = 8;

// Partial results [from, to), all of one section when they are of chunks, merged in order into `into`.
template <int kWidth>
__device__ __forceinline__ void merge_parts(
    Running<kWidth>& into, const Partials& p, int from, int to, int lane, float c) {
#pragma unroll 1
    for (int i0 = from; i0 < to; i0 += kSectionChunks) {
        Running<kWidth> parts[kWidth <= 128 ? kSectionChunks : kSectionChunks / 2];
        constexpr int kAtOnce = sizeof(parts) / sizeof(parts[0]);
#pragma unroll
        for (int half = 0; half < kSectionChunks / kAtOnce; half++) {
            const int base = i0 + half * kAtOnce;
#pragma unroll
            for (int i = 0; i < kAtOnce; i++) {
                if (base + i < to) {
                    const float2 ml = p.sum(base + i);
                    parts[i].most = ml.x;
                    parts[i].sum = ml.y;
#pragma unroll
                    for (int e = 0; e < kWidth / 32; e++) {
                        parts[i].at[e] = p.outputs[(base + i) * p.stride + 32 * e + lane];
                    }
                } else {
                    parts[i].clear();
                }
            }
#pragma unroll
            for (int i = 0; i < kAtOnce; i++) {
                if (base + i < to) into.merge(parts[i], c);
            }
        }
    }
}

// The partial results of section number `index` of the merge.
__device__ __forceinline__ int2 section_parts(const Merge& m, int index) {
    if (m.sections) return make_int2(index, index + 1);
    const int section = m.unit / kSectionChunks + index;
    return make_int2(
        max(section * kSectionChunks - m.unit, 0), min((section + 1) * kSectionChunks - m.unit, m.slots));
}

__device__ __forceinline__ int sections_of(const Merge& m) {
    return m.sections ? m.slots : (m.unit + m.slots - 1) / kSectionChunks - m.unit / kSectionChunks + 1;
}

template <int kWidth>
__device__ __forceinline__ void merge_all(const Paged& a) {
    __shared__ float section[kMergeWarps][kWidth + 2];
    const int lane = threadIdx.x & 31;
    const int warp = threadIdx.x >> 5;
    const float c = __fmul_rn(a.scale, 1.4426950408889634f);
    asm volatile("griddepcontrol.wait;" ::: "memory");
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
    const PlanHeader& plan = header(a.plan);
    const Merge* const merges = reinterpret_cast<const Merge*>(items(a.plan) + a.item_capacity);
    const auto partials = [&](const Merge& m, int head, int packed) {
        Partials p;
        p.stride = static_cast<int64_t>(a.key_heads) * a.slot_rows * (kWidth + 2);
        const float* const base = a.scratch + m.slot * p.stride + static_cast<int64_t>(head) * a.slot_rows * (kWidth + 2);
        p.outputs = base + packed * kWidth;
        p.sums = base + a.slot_rows * kWidth + packed * 2;
        return p;
    };

    // Few partial results: a warp for each row.
    const int rows = a.key_heads * a.slot_rows;
    for (int w = blockIdx.x * kMergeWarps + warp; w < plan.short_merges * rows; w += gridDim.x * kMergeWarps) {
        const Merge m = merges[w / rows];
        const int packed = w % a.slot_rows;
        if (packed >= m.count) continue;
        const int head = w % rows / a.slot_rows;
        const Partials p = partials(m, head, packed);
        Running<kWidth> whole;
        whole.clear();
        const int sections = sections_of(m);
        for (int s = 0; s < sections; s++) {
            const int2 parts = section_parts(m, s);
            Running<kWidth> one;
            one.clear();
            merge_parts(one, p, parts.x, parts.y, lane, c);
            whole.merge(one, c);
        }
        store<kWidth>(a, m, head, packed, lane, whole.at, whole.sum);
    }

    // Many: a block for each row, a warp for each section, eight sections at a time.
    for (int w = blockIdx.x; w < plan.long_merges * rows; w += gridDim.x) {
        const Merge m = merges[a.item_capacity - 1 - w / rows];
        const int packed = w % a.slot_rows;
        if (packed >= m.count) continue;
        const int head = w % rows / a.slot_rows;
        const Partials p = partials(m, head, packed);
        Running<kWidth> whole;
        whole.clear();
        const int sections = sections_of(m);
        for (int s0 = 0; s0 < sections; s0 += kMergeWarps) {
            Running<kWidth> one;
            one.clear();
            if (s0 + warp < sections) {
                const int2 parts = section_parts(m, s0 + warp);
                merge_parts(one, p, parts.x, parts.y, lane, c);
            }
            __syncthreads();
            if (lane == 0) {
                section[warp][kWidth] = one.most;
                section[warp][kWidth + 1] = one.sum;
            }
#pragma unroll
            for (int i = 0; i < kWidth / 32; i++) section[warp][32 * i + lane] = one.at[i];
            __syncthreads();
            if (warp == 0) {
                for (int s = 0; s < min(kMergeWarps, sections - s0); s++) {
                    one.most = section[s][kWidth];
                    one.sum = section[s][kWidth + 1];
#pragma unroll
                    for (int i = 0; i < kWidth / 32; i++) one.at[i] = section[s][32 * i + lane];
                    whole.merge(one, c);
                }
            }
        }
        if (warp == 0) store<kWidth>(a, m, head, packed, lane, whole.at, whole.sum);
    }
}

}  // namespace
}  // namespace attention_paged

// width, tile rows, tiles of the ring, blocks of a multiprocessor
#define ATTENTION_PAGED(WIDTH, TILE, RING, BLOCKS)                                                                      \
    namespace attention_paged {                                                                                         \
    using Shape##WIDTH##_##TILE = Shape<WIDTH, TILE / 16, RING>;                                                \
    }                                                                                                                   \
    extern "C" __device__ const int attention_paged_##WIDTH##_##TILE##_info[4] = {                                      \
        attention_paged::Shape##WIDTH##_##TILE::kThreads, attention_paged::Shape##WIDTH##_##TILE::kShared,              \
        attention_paged::Shape##WIDTH##_##TILE::kGroups, BLOCKS};                                                       \
    extern "C" __global__ void __launch_bounds__(128, BLOCKS)                                                           \
        attention_paged_##WIDTH##_##TILE(const __grid_constant__ attention_paged::Paged a) {                            \
        attention_paged::attend<attention_paged::Shape##WIDTH##_##TILE>(a);                                             \
    }

ATTENTION_PAGED(32, 16, 12, 3)
ATTENTION_PAGED(64, 16, 8, 2)
ATTENTION_PAGED(96, 16, 5, 2)
ATTENTION_PAGED(128, 16, 4, 2)
ATTENTION_PAGED(256, 16, 3, 1)
ATTENTION_PAGED(32, 64, 12, 3)
ATTENTION_PAGED(64, 64, 8, 2)
ATTENTION_PAGED(96, 64, 5, 2)
ATTENTION_PAGED(128, 64, 4, 2)
ATTENTION_PAGED(256, 64, 3, 1)

extern "C" __global__ void __launch_bounds__(256) attention_paged_merge(const __grid_constant__ attention_paged::Paged a) {
    using namespace attention_paged;
    if (a.width <= 32) {
        merge_all<32>(a);
    } else if (a.width <= 64) {
        merge_all<64>(a);
    } else if (a.width <= 96) {
        merge_all<96>(a);
    } else if (a.width <= 128) {
        merge_all<128>(a);
    } else {
        merge_all<256>(a);
    }
}
