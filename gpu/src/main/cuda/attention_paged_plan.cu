// The plan of a step's attention: which group of threads takes which rows and which chunks of keys. One block, once a step
// (once for each window). See attention_paged.cuh.
#include "attention_paged.cuh"

namespace attention_paged {
namespace {

constexpr int kThreads = 1024;
constexpr int kSectionChunks = kSectionKeys / kChunkKeys;
constexpr int kAlone = 4;  // up to so many items of a tile a thread writes by itself

// The sum over all threads before this one, and over all of them. Every thread of the block calls it.
struct Scanned {
    int before;
    int all;
};

__device__ Scanned scan(int value, int* warps) {
    const int lane = threadIdx.x & 31;
    const int warp = threadIdx.x >> 5;
    int sum = value;
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
        const int other = __shfl_up_sync(~0u, sum, step);
        if (lane >= step) sum += other;
    }
    __syncthreads();
    if (lane == 31) warps[warp] = sum;
    __syncthreads();
    int others = lane < kThreads / 32 ? warps[lane] : 0;
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
        const int other = __shfl_up_sync(~0u, others, step);
        if (lane >= step) others += other;
    }
    const int base = __shfl_sync(~0u, others, warp) - warps[warp];
    return {base + sum - value, __shfl_sync(~0u, others, 31)};
}

// Some sequences, at most a thread each: where their tiles start in the count of tiles.
struct Sequences {
    int first_tile[kThreads + 1];
    int row[kThreads];
    int rows[kThreads];
    int position[kThreads];
};

struct Tile {
    int sequence;  // within Sequences
    int first;
    int count;
    int first_chunk;
    int chunks;
    int sections;

    __device__ int units(int cut, const Plan& a) const {
        if (chunks <= max(cut, 1) || count > a.slot_rows) return 1;
        return by_sections(cut) ? sections : chunks;
    }

    __device__ static bool by_sections(int cut) { return cut >= kSectionKeys / kChunkKeys; }
};

__device__ Tile tile_of(int index, const Sequences& s, int sequences, const Plan& a) {
    int low = 0;
    int high = sequences;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (s.first_tile[middle] <= index) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Tile tile;
    tile.sequence = low;
    // The longest first: the last rows see the most keys.
    tile.first = (s.first_tile[low + 1] - 1 - index) * a.tile_rows;
    tile.count = min(a.tile_rows, s.rows[low] * a.group_heads - tile.first);
    const int least = s.position[low] + tile.first / a.group_heads;
    const int most = s.position[low] + (tile.first + tile.count - 1) / a.group_heads;
    const int first_key = least >= a.window ? least - a.window + 1 : 0;
    tile.first_chunk = first_key / kChunkKeys;
    tile.chunks = most / kChunkKeys - tile.first_chunk + 1;
    tile.sections = most / kSectionKeys - tile.first_chunk / kSectionChunks + 1;
    return tile;
}

// Item `unit` of a tile whose item, were it not split, is `whole`, with the slot of its first unit.
__device__ void write(
    Item* list, int at, const Item& whole, int first_chunk, int unit, bool split, bool by_sections, const Plan& a) {
    Item made = whole;
    if (split) {
        made.slot += unit;
        if (by_sections) {
            const int section = first_chunk / kSectionChunks + unit;
            made.first_chunk = max(first_chunk, section * kSectionChunks);
            made.end_chunk = min(whole.end_chunk, (section + 1) * kSectionChunks);
        } else {
            made.first_chunk = first_chunk + unit;
            made.end_chunk = made.first_chunk + 1;
        }
    }
    if (at < a.item_capacity) list[at] = made;
}

// Loads the next sequences; returns how many tiles they have.
__device__ int load(Sequences& s, int base, int sequences, int* warps, const Plan& a) {
    __syncthreads();
    const int i = base + threadIdx.x;
    int tiles = 0;
    if (i < sequences) {
        const int row = a.starts[i];
        const int rows = a.starts[i + 1] - row;
        s.row[threadIdx.x] = row;
        s.rows[threadIdx.x] = rows;
        s.position[threadIdx.x] = rows > 0 ? a.positions[row] : 0;
        tiles = (rows * a.group_heads + a.tile_rows - 1) / a.tile_rows;
    }
    const Scanned at = scan(tiles, warps);
    s.first_tile[threadIdx.x] = at.before;
    if (threadIdx.x == 0) s.first_tile[kThreads] = at.all;
    __syncthreads();
    return at.all;
}

}  // namespace
}  // namespace attention_paged

using namespace attention_paged;

extern "C" __global__ void __launch_bounds__(kThreads) attention_plan(const __grid_constant__ Plan a) {
    __shared__ Sequences s;
    __shared__ int warps[kThreads / 32];
    __shared__ int most_shared;
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
    asm volatile("griddepcontrol.wait;" ::: "memory");
    const int sequences = *a.sequences;

    // Each row's page.
    if (a.pages != nullptr && sequences > 0) {
        const int rows = a.starts[sequences];
        for (int row = threadIdx.x; row < rows; row += kThreads) {
            int low = 0;
            int high = sequences;
            while (high - low > 1) {
                const int middle = (low + high) / 2;
                if (a.starts[middle] <= row) {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            a.pages[row] = a.table[static_cast<int64_t>(low) * a.table_stride + a.positions[row] / a.page_tokens];
        }
    }

    const bool once = sequences <= kThreads;
    int chunks = 0;
    int tiles = 0;
    int all_tiles = 0;
    int most = 0;
    for (int base = 0; base < sequences; base += kThreads) {
        tiles = load(s, base, sequences, warps, a);
        all_tiles += tiles;
        for (int t = threadIdx.x; t < tiles; t += kThreads) {
            const Tile tile = tile_of(t, s, min(sequences - base, kThreads), a);
            chunks += tile.chunks;
            most = max(most, tile.chunks);
        }
    }
    chunks = scan(chunks, warps).all;
    if (threadIdx.x == 0) most_shared = 0;
    __syncthreads();
    most = __reduce_max_sync(~0u, most);
    if ((threadIdx.x & 31) == 0) atomicMax(&most_shared, most);
    __syncthreads();
    most = most_shared;
    // A tile with more chunks than `cut` is split. Nothing is split where whole tiles keep all groups busy to within a
    // twentieth. Else a tile is whole when it has at most a third of what a group gets on average, or, for splitting
    // has its price, at most eight chunks and no more than the average.
    const int64_t work = 1LL * chunks * a.key_heads;
    const int64_t rounds = (1LL * all_tiles * a.key_heads + a.groups - 1) / a.groups;
    int cut = most;
    if (20 * rounds * most * a.groups > 21 * work) {
        const int average = static_cast<int>(min(1LL << 29, static_cast<long long>(work / a.groups)));
        cut = max(min(average, kSectionKeys / kChunkKeys), average / 3);
    }
    // As long as the partial results would not fit, split less.
    while (true) {
        int slots = 0;
        bool whole = true;
        for (int base = 0; base < sequences; base += kThreads) {
            if (!once) tiles = load(s, base, sequences, warps, a);
            for (int t = threadIdx.x; t < tiles; t += kThreads) {
                const int units = tile_of(t, s, min(sequences - base, kThreads), a).units(cut, a);
                if (units > 1) slots += units;
            }
        }
        slots = scan(slots, warps).all;
        whole = slots == 0;
        if (whole || slots <= a.slot_capacity) break;
        cut = max(2 * cut, kSectionKeys / kChunkKeys);
    }

    Item* const list = items(a.plan);
    Merge* const merges = reinterpret_cast<Merge*>(list + a.item_capacity);
    int items_before = 0;
    int slots_before = 0;
    int short_before = 0;
    int long_before = 0;
    for (int base = 0; base < sequences; base += kThreads) {
        if (!once) tiles = load(s, base, sequences, warps, a);
        for (int t0 = 0; t0 < tiles; t0 += kThreads) {
            const int t = t0 + static_cast<int>(threadIdx.x);
            Tile tile;
            int units = 0;
            if (t < tiles) {
                tile = tile_of(t, s, min(sequences - base, kThreads), a);
                units = tile.units(cut, a);
            }
            const Scanned item = scan(units, warps);
            const Scanned slot = scan(units > 1 ? units : 0, warps);
            const Scanned small = scan(units > 1 && units <= kShortMerge, warps);
            const Scanned large = scan(units > kShortMerge, warps);
            const int first_slot = slots_before + slot.before;
            const bool by_sections = Tile::by_sections(cut);
            Item made = {};
            if (units > 0) {
                made.sequence = base + tile.sequence;
                made.row = s.row[tile.sequence];
                made.position = s.position[tile.sequence];
                made.first = tile.first;
                made.count = tile.count;
                made.first_chunk = tile.first_chunk;
                made.end_chunk = tile.first_chunk + tile.chunks;
                made.slot = units > 1 ? first_slot : -1;
                if (units <= kAlone) {
                    for (int u = 0; u < units; u++) {
                        write(list, items_before + item.before + u, made, made.first_chunk, u, units > 1, by_sections, a);
                    }
                }
                if (units > 1) {
                    Merge merge;
                    merge.row = made.row;
                    merge.first = tile.first;
                    merge.count = tile.count;
                    merge.slot = first_slot;
                    merge.slots = units;
                    merge.unit = by_sections ? tile.first_chunk / kSectionChunks : tile.first_chunk;
                    merge.sections = by_sections;
                    merge.reserved = 0;
                    const int at = units <= kShortMerge ? short_before + small.before
                                                        : a.item_capacity - 1 - long_before - large.before;
                    if (at >= 0 && at < a.item_capacity) merges[at] = merge;
                }
            }
            // Those of many items: the lanes of a warp together.
            for (unsigned left = __ballot_sync(~0u, units > kAlone); left != 0; left &= left - 1) {
                const int from = __ffs(left) - 1;
                Item theirs;
#pragma unroll
                for (int i = 0; i < 8; i++) {
                    reinterpret_cast<int*>(&theirs)[i] = __shfl_sync(~0u, reinterpret_cast<const int*>(&made)[i], from);
                }
                const int count = __shfl_sync(~0u, units, from);
                const int first = __shfl_sync(~0u, items_before + item.before, from);
                for (int u = threadIdx.x & 31; u < count; u += 32) {
                    write(list, first + u, theirs, theirs.first_chunk, u, true, by_sections, a);
                }
            }
            items_before += item.all;
            slots_before += slot.all;
            short_before += small.all;
            long_before += large.all;
        }
    }
    if (threadIdx.x == 0) {
        PlanHeader made = {};
        made.items = min(items_before, a.item_capacity);
        made.short_merges = short_before;
        made.long_merges = long_before;
        *static_cast<PlanHeader*>(a.plan) = made;
    }
}
