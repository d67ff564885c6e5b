// The work of attention forward, whatever carries it out: tiles of queries and the keys they see, the order of tiles, and the
// copy engine's descriptors.
#pragma once

#include "attention.cuh"
#include "hopper.cuh"

namespace attention {

using hopper::shared_address;

// What the producer tells the consumers about a tile.
struct alignas(16) Tile {
    int32_t sequence;  // -1: no more work
    int32_t head;
    int32_t kv_head;
    int32_t row;       // first query row of the tile in its sequence
    int32_t length_q;
    int32_t length_k;
    int32_t start_q;   // first query token of the sequence (0 without starts_q)
    int32_t first_block;
    int32_t last_block;  // blocks of keys last_block..first_block, taken downwards; -1..-1, all zeros, when none is seen
    int4 groups[4];      // for each group of rows: last and first block that any of them sees (first > last: none);
                         // blocks [z, w) are seen whole by all of them
};
constexpr int kTileSlots = 4;

struct Interval {
    int32_t first;
    int32_t end;
};

// The keys that query `row` of the tile's sequence may see.
__device__ __forceinline__ Interval visible(const Arguments& a, const Tile& tile, int row) {
    row = min(row, tile.length_q - 1);
    if (a.visible != nullptr) {
        const int64_t start = a.starts_q != nullptr ? tile.start_q : static_cast<int64_t>(tile.sequence) * a.tokens_q;
        const int2 interval = __ldg(a.visible + start + row);
        return {max(interval.x, 0), min(interval.y, tile.length_k)};
    }
    const int key = row + tile.length_k - tile.length_q;
    return {max(key - a.window_left, 0), min(key + a.window_right + 1, tile.length_k)};
}

extern __shared__ __align__(1024) char shared[];

__device__ __forceinline__ uint32_t shared_offset(int offset) { return shared_address(shared) + offset; }

__device__ __forceinline__ Tile* tile_record(int offset, uint32_t number) {
    return reinterpret_cast<Tile*>(shared + offset) + number % kTileSlots;
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

// Walks through the tiles. A kernel's shape S says how many queries a tile has (kRows), how many groups of kGroupRows they
// form (kRowGroups), and how many keys a block has (kBlockKeys).
template <typename S>
struct Finder {
    const Arguments& a;

    int sequence = 0;        // where the walk through the sequences stands
    int tiles_before = 0;    // tiles of the sequences already passed

    // Finds tile number `index` in the order of work and writes its record; false when there is none. The record, not
    // registers, carries what one step tells the next: the producer has few of them.
    __device__ __forceinline__ bool find(int index, Tile& tile) {
        int row_blocks;
        int heads;
        if (a.starts_q == nullptr) {
            row_blocks = (a.tokens_q + S::kRows - 1) / S::kRows;
            heads = a.batch * a.heads;
            if (index >= row_blocks * heads) return false;
            tile.length_q = a.tokens_q;
            tile.start_q = 0;
        } else {
            while (true) {
                if (sequence >= a.batch) return false;
                const int start = __ldg(a.starts_q + sequence);
                const int length = __ldg(a.starts_q + sequence + 1) - start;
                tile.start_q = start;
                tile.length_q = length;
                row_blocks = (length + S::kRows - 1) / S::kRows;
                const int here = row_blocks * a.heads;
                if (index < tiles_before + here) break;
                tiles_before += here;
                sequence++;
            }
            heads = a.heads;
            index -= tiles_before;
        }
        const int section = index / (a.section * row_blocks);
        index -= section * a.section * row_blocks;
        const int width = min(a.section, heads - section * a.section);
        int row_block = index / width;
        int head = section * a.section + index - row_block * width;
        if (a.longest_first) row_block = row_blocks - 1 - row_block;
        tile.row = row_block * S::kRows;
        settle();
        int owner = sequence;
        if (a.starts_q == nullptr) {
            owner = head / a.heads;
            head -= owner * a.heads;
        }
        tile.sequence = owner;
        tile.head = head;
        tile.kv_head = head / (a.heads / a.kv_heads);
        tile.length_k = a.starts_k == nullptr ? a.tokens_k : __ldg(a.starts_k + owner + 1) - __ldg(a.starts_k + owner);
        settle();
        const int first_key = visible(a, tile, tile.row).first;
        settle();
        const int end_key = visible(a, tile, tile.row + S::kRows - 1).end;
        const bool any = end_key > first_key;
        tile.first_block = any ? first_key / S::kBlockKeys : -1;
        tile.last_block = any ? (end_key - 1) / S::kBlockKeys : -1;
#pragma unroll 1
        for (int group = 0; group < S::kRowGroups; group++) {
            int4& blocks = tile.groups[group];
            settle();
            const int top = tile.row + S::kGroupRows * group;
            Interval keys = visible(a, tile, top);
            const bool inside = top < tile.length_q;
            blocks.y = max(keys.first / S::kBlockKeys, tile.first_block);
            blocks.w = max(keys.end, 0) / S::kBlockKeys;
            settle();
            keys = visible(a, tile, tile.row + S::kGroupRows * group + S::kGroupRows - 1);
            blocks.x = inside ? min((keys.end + S::kBlockKeys - 1) / S::kBlockKeys - 1, tile.last_block) : -2;
            blocks.z = (keys.first + S::kBlockKeys - 1) / S::kBlockKeys;
        }
        return true;
    }

    static __device__ __forceinline__ void settle() { asm volatile("" ::: "memory"); }
};

// ---- descriptors: one each for Q, K and V of every sequence, so that the copy engine itself stops at its end ----

__device__ __forceinline__ void write_descriptor(uint32_t scratch, const void* base, int columns, int64_t tokens,
                                                 int heads, int64_t token_bytes, int64_t head_bytes, int box_tokens,
                                                 char* destination) {
    if (threadIdx.x % 32 == 0) {
        const uint64_t s = scratch;
        asm volatile("tensormap.replace.tile.global_address.shared::cta.b1024.b64 [%0], %1;" ::"l"(s), "l"(base));
        asm volatile("tensormap.replace.tile.rank.shared::cta.b1024.b32 [%0], %1;" ::"l"(s), "r"(2));
        asm volatile("tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%0], 0, %1;" ::"l"(s), "r"(64));
        asm volatile("tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%0], 1, %1;" ::"l"(s), "r"(box_tokens));
        asm volatile("tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%0], 2, %1;" ::"l"(s), "r"(1));
        asm volatile("tensormap.replace.tile.global_dim.shared::cta.b1024.b32 [%0], 0, %1;" ::"l"(s), "r"(columns));
        asm volatile("tensormap.replace.tile.global_dim.shared::cta.b1024.b32 [%0], 1, %1;" ::"l"(s),
                     "r"(static_cast<uint32_t>(tokens)));
        asm volatile("tensormap.replace.tile.global_dim.shared::cta.b1024.b32 [%0], 2, %1;" ::"l"(s), "r"(heads));
        asm volatile("tensormap.replace.tile.global_stride.shared::cta.b1024.b64 [%0], 0, %1;" ::"l"(s),
                     "l"(token_bytes));
        asm volatile("tensormap.replace.tile.global_stride.shared::cta.b1024.b64 [%0], 1, %1;" ::"l"(s),
                     "l"(head_bytes));
        asm volatile("tensormap.replace.tile.element_stride.shared::cta.b1024.b32 [%0], 0, %1;" ::"l"(s), "r"(1));
        asm volatile("tensormap.replace.tile.element_stride.shared::cta.b1024.b32 [%0], 1, %1;" ::"l"(s), "r"(1));
        asm volatile("tensormap.replace.tile.element_stride.shared::cta.b1024.b32 [%0], 2, %1;" ::"l"(s), "r"(1));
        asm volatile("tensormap.replace.tile.elemtype.shared::cta.b1024.b32 [%0], 10;" ::"l"(s));  // 2-byte elements
        asm volatile("tensormap.replace.tile.interleave_layout.shared::cta.b1024.b32 [%0], 0;" ::"l"(s));
        asm volatile("tensormap.replace.tile.swizzle_mode.shared::cta.b1024.b32 [%0], 3;" ::"l"(s));  // 128 bytes
        asm volatile("tensormap.replace.tile.fill_mode.shared::cta.b1024.b32 [%0], 0;" ::"l"(s));     // zeros
    }
    __syncwarp();
    asm volatile(
        "tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.gpu.sync.aligned [%0], [%1], 128;" ::"l"(
            destination),
        "l"(static_cast<uint64_t>(scratch))
        : "memory");
}

// Grid: batch blocks of 96 threads, one warp per tensor.
template <typename S>
__device__ __forceinline__ void prepare(const Arguments& a) {
    __shared__ alignas(128) uint64_t scratch[3][16];
    const int sequence = blockIdx.x;
    const int tensor = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    if (lane < 16) scratch[tensor][lane] = 0;
    __syncwarp();
    const int32_t* const starts = tensor == 0 ? a.starts_q : a.starts_k;
    const int64_t start = starts != nullptr ? starts[sequence] : 0;
    const int64_t tokens = starts != nullptr ? starts[sequence + 1] - start : tensor == 0 ? a.tokens_q : a.tokens_k;
    const int64_t batch = tensor == 0 ? a.q_batch : tensor == 1 ? a.k_batch : a.v_batch;
    const int64_t token = tensor == 0 ? a.q_token : tensor == 1 ? a.k_token : a.v_token;
    const int64_t head = tensor == 0 ? a.q_head : tensor == 1 ? a.k_head : a.v_head;
    const void* const base = tensor == 0 ? a.q : tensor == 1 ? a.k : a.v;
    write_descriptor(shared_address(scratch[tensor]),
                     tokens > 0 ? static_cast<const char*>(base) + 2 * (sequence * batch + start * token) : a.workspace,
                     tensor == 2 ? S::kHeadV : S::kHeadQk, tokens > 0 ? tokens : 1, tensor == 0 ? a.heads : a.kv_heads,
                     2 * token, 2 * head, tensor == 0 ? S::kRows : S::kBlockKeys, descriptor(a, sequence, tensor));
    if (sequence == 0 && threadIdx.x == 0) {
        uint32_t* const counters = static_cast<uint32_t*>(a.workspace);
        counters[0] = counters[1] = 0;
    }
}

}  // namespace attention
