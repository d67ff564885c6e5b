// Attention forward for Blackwell (sm_100a): out = softmax(scale Q K^T) V, row by row over the keys the row may see, scale > 0.
//
// COMPILED, NEVER RUN: there was no such GPU. What is sure is that it compiles without spills; a host takes it only when it
// is told to. It has the arguments, the masks and the workspace of the kernels for Hopper.
//
// One persistent block of 16 warps per multiprocessor; a tile of work is 256 queries of one head in two groups of 128.
//   warps 0-3, 4-7   softmax of the first and of the second group: a thread has a row, from scores to weights
//   warps 8-11       correction: multiplies the output so far when a row's base moves, divides by the sum and stores
//   warp 12          begins all products, one thread
//   warp 13          finds work and drives the copy engine, one thread
// Scores, weights and outputs stay in tensor memory: columns 0 and 128 have the scores of the groups, whose first half turns
// into the weights (16 bits) that the second product takes as its left operand; the outputs begin at column 256. While one
// group's exponentials are taken, the tensor cores work for the other.
//
// A row's base moves only when its scores have risen by more than 8 powers of 2 above it, and one vote of the warp skips the
// correction where no row's has moved; some of the exponentials are taken on the multiply-add units. Source: FlashAttention-4
// (arXiv 2603.05451), also for the roles of warps. As there, the scores of a group's next block are begun after the products
// of its weights by the same thread, and rely on the tensor cores taking the products of a block in the order in which they
// are begun: the weights are read before the scores overwrite them.
//
// A row's result depends on its own query, keys and values alone: keys are taken in blocks that start at multiples of the
// block size, in descending order.

#include "attention_forward_arithmetic.cuh"
#include "attention_forward_work.cuh"
#include "hopper.cuh"
#include "tensor_memory.cuh"

using namespace hopper;

namespace attention {

// Compile-time shape of a kernel.
template <int kHead_, int kQuerySlots_, int kKeySlots_, int kEmulated_>
struct BlackwellShape {
    using Element = __nv_bfloat16;
    static constexpr int kHead = kHead_;
    static constexpr int kHeadQk = kHead;
    static constexpr int kHeadV = kHead;
    static constexpr int kGroupRows = 128;
    static constexpr int kRowGroups = 2;
    static constexpr int kRows = kGroupRows * kRowGroups;
    static constexpr int kBlockKeys = 128;  // what a thread of softmax holds of a row
    static constexpr int kQuerySlots = kQuerySlots_;
    static constexpr int kKeySlots = kKeySlots_;  // slots of the ring that keys and values share
    static constexpr int kEmulated = kEmulated_;  // of 16 exponentials, how many on multiply-add units
    static constexpr int kThreads = 512;
    static constexpr int kPanels = kHead / 64;
    static constexpr int kQueryPanelBytes = kRows * 128;
    static constexpr int kQueryBytes = kPanels * kQueryPanelBytes;
    static constexpr int kKeyPanelBytes = kBlockKeys * 128;
    static constexpr int kKeyBytes = kPanels * kKeyPanelBytes;
    // Barriers. Those of a group count its 128 threads, or one commit of the products.
    static constexpr int kTileFull = 0;
    static constexpr int kTileEmpty = kTileFull + 8 * kTileSlots;
    static constexpr int kQueryFull = kTileEmpty + 8 * kTileSlots;
    static constexpr int kQueryEmpty = kQueryFull + 8 * kQuerySlots;
    static constexpr int kKeyFull = kQueryEmpty + 8 * kQuerySlots;
    static constexpr int kKeyEmpty = kKeyFull + 8 * kKeySlots;
    static constexpr int kScoresFull = kKeyEmpty + 8 * kKeySlots;  // a block's scores are there; its group's last products done
    static constexpr int kWeightsFull = kScoresFull + 16;          // a block's weights are there
    static constexpr int kFactorsFull = kWeightsFull + 16;         // softmax has said what to multiply the outputs with
    static constexpr int kOutputsReady = kFactorsFull + 16;        // correction is through: the outputs may be added to
    static constexpr int kOutputsDone = kOutputsReady + 16;        // a tile's products are all done
    static constexpr int kSumsFull = kOutputsDone + 16;            // a tile's sums are there; two for each group, by turns
    static constexpr int kDrained = kSumsFull + 32;
    static constexpr int kTiles = 512;
    static constexpr int kMemory = 1008;    // the address of tensor memory
    static constexpr int kFactors = 1024;   // [group][row]
    static constexpr int kSums = 2048;      // [group][turn][row]: the base in powers of 2, the sum
    static constexpr int kQueries = 6144;
    static constexpr int kRing = kQueries + kQuerySlots * kQueryBytes;
    static constexpr int kSharedBytes = kRing + kKeySlots * kKeyBytes;
    // Columns of tensor memory.
    static constexpr int kScoreColumns = 0;
    static constexpr int kOutputColumns = 2 * kBlockKeys;
    // A block has 65536 registers.
    static constexpr int kSoftmaxRegisters = 192;
    static constexpr int kCorrectionRegisters = 80;
    static constexpr int kOtherRegisters = 48;
    static_assert(2 * kSoftmaxRegisters + kCorrectionRegisters + kOtherRegisters <= 512, "registers");
    static_assert(kOutputColumns + 2 * kHead <= static_cast<int>(blackwell::kColumns), "columns");
    static_assert(kDrained + 8 <= kTiles && kTiles + kTileSlots * sizeof(Tile) <= kMemory, "room");
    static_assert(kSharedBytes <= 232448, "a block has 227 KiB of shared memory");
};

__device__ __forceinline__ uint32_t barrier_of(int first, uint32_t index) { return shared_offset(first) + 8 * index; }

// The blocks of keys that a group sees, taken downwards.
struct Blocks {
    int high;
    int low;  // above `high`: none
    __device__ __forceinline__ bool any() const { return low <= high; }
    __device__ __forceinline__ bool have(int block) const { return block <= high && block >= low; }
};

__device__ __forceinline__ Blocks blocks_of(const Tile& tile, int group) {
    return {tile.groups[group].x, tile.groups[group].y};
}

// ---------------------------------------------------------------------------------------------------------------------
// Copies
// ---------------------------------------------------------------------------------------------------------------------

template <typename S>
struct Loader {
    const Arguments& a;
    Finder<S> finder;
    Ring<S::kKeySlots> keys;
    Ring<S::kQuerySlots> queries;

    // Tensor 1: keys, 2: values.
    __device__ __forceinline__ void load(int tensor, const Tile& tile, int block) {
        const char* const map = descriptor(a, tile.sequence, tensor);
        const uint32_t full = barrier_of(S::kKeyFull, keys.slot);
        barrier_wait(barrier_of(S::kKeyEmpty, keys.slot), keys.turn ^ 1);
        barrier_arrive_expecting(full, S::kKeyBytes);
        const uint32_t slot = shared_offset(S::kRing) + keys.slot * S::kKeyBytes;
#pragma unroll
        for (int panel = 0; panel < S::kPanels; panel++) {
            copy_tile_3d(slot + panel * S::kKeyPanelBytes, map, full, panel * 64, block * S::kBlockKeys, tile.kv_head,
                         kEvictLast);
        }
        keys.advance();
    }

    __device__ __forceinline__ void run() {
        uint32_t* const counter = static_cast<uint32_t*>(a.workspace);
        int index = blockIdx.x;
        Ring<kTileSlots> tiles;
        while (true) {
            barrier_wait(barrier_of(S::kTileEmpty, tiles.slot), tiles.turn ^ 1);
            Tile& tile = *tile_record(S::kTiles, tiles.slot);
            const bool found = finder.find(index, tile);
            if (!found) tile.sequence = -1;
            barrier_arrive(barrier_of(S::kTileFull, tiles.slot));
            if (!found) break;
            index = gridDim.x + atomicAdd(counter, 1u);
            tiles.advance();
            if (tile.first_block < 0) continue;
            const char* const maps = descriptor(a, tile.sequence, 0);
#pragma unroll
            for (int i = 0; i < 3; i++) descriptor_acquire(maps + i * kDescriptorBytes);
            const uint32_t full = barrier_of(S::kQueryFull, queries.slot);
            barrier_wait(barrier_of(S::kQueryEmpty, queries.slot), queries.turn ^ 1);
            barrier_arrive_expecting(full, S::kQueryBytes);
#pragma unroll
            for (int panel = 0; panel < S::kPanels; panel++) {
                copy_tile_3d(shared_offset(S::kQueries) + queries.slot * S::kQueryBytes + panel * S::kQueryPanelBytes, maps,
                             full, panel * 64, tile.row, tile.head, kEvictFirst);
            }
            queries.advance();
            load(1, tile, tile.last_block);
            for (int block = tile.last_block; block > tile.first_block; block--) {
                load(1, tile, block - 1);
                load(2, tile, block);
            }
            load(2, tile, tile.first_block);
        }
        // The last block to leave clears the counters for the next launch.
        __threadfence();
        if (atomicInc(counter + 1, gridDim.x - 1) == gridDim.x - 1) *counter = 0;
    }
};

// ---------------------------------------------------------------------------------------------------------------------
// Products
// ---------------------------------------------------------------------------------------------------------------------

template <typename S>
struct Multiplier {
    uint32_t memory;  // address of tensor memory
    Ring<S::kKeySlots> keys;
    Ring<S::kQuerySlots> queries;
    uint32_t steps[2] = {0, 0};  // blocks of each group so far

    static __device__ __forceinline__ void wait(uint32_t barrier, uint32_t parity) {
        barrier_wait(barrier, parity);
        blackwell::after_barrier();
    }

    __device__ __forceinline__ void scores(int group, uint32_t key_slot) {
        const blackwell::Operand q(
            shared_offset(S::kQueries) + queries.slot * S::kQueryBytes + group * (S::kGroupRows * 128), 0);
        const blackwell::Operand k(shared_offset(S::kRing) + key_slot * S::kKeyBytes, 0);
#pragma unroll
        for (int step = 0; step < S::kHead / 16; step++) {
            const int panel = step / 4;
            const int inner = 32 * (step % 4);
            blackwell::multiply_shared(memory + S::kScoreColumns + group * S::kBlockKeys,
                                       q.at(panel * S::kQueryPanelBytes + inner), k.at(panel * S::kKeyPanelBytes + inner),
                                       blackwell::product_of_bf16(S::kGroupRows, S::kBlockKeys, false), step > 0);
        }
        blackwell::arrive_when_done(barrier_of(S::kScoresFull, group));
    }

    __device__ __forceinline__ void outputs(int group, uint32_t value_slot, bool accumulate) {
        const blackwell::Operand v(shared_offset(S::kRing) + value_slot * S::kKeyBytes, S::kKeyPanelBytes);
#pragma unroll
        for (int step = 0; step < S::kBlockKeys / 16; step++) {
            blackwell::multiply_memory(memory + S::kOutputColumns + group * S::kHead,
                                       memory + S::kScoreColumns + group * S::kBlockKeys + 8 * step, v.at(step * 2048),
                                       blackwell::product_of_bf16(S::kGroupRows, S::kHead, true), accumulate || step > 0);
        }
    }

    __device__ __forceinline__ void run() {
        Ring<kTileSlots> tiles;
        while (true) {
            barrier_wait(barrier_of(S::kTileFull, tiles.slot), tiles.turn);
            const Tile& tile = *tile_record(S::kTiles, tiles.slot);
            if (tile.sequence < 0) break;
            const Blocks mine[2] = {blocks_of(tile, 0), blocks_of(tile, 1)};
            const int first = tile.first_block;
            const int last = tile.last_block;
            barrier_arrive(barrier_of(S::kTileEmpty, tiles.slot));
            tiles.advance();
            if (first < 0) continue;

            wait(barrier_of(S::kQueryFull, queries.slot), queries.turn);
            wait(barrier_of(S::kKeyFull, keys.slot), keys.turn);
#pragma unroll
            for (int group = 0; group < 2; group++) {
                if (mine[group].have(last)) scores(group, keys.slot);
            }
            blackwell::arrive_when_done(barrier_of(S::kKeyEmpty, keys.slot));
            keys.advance();
            for (int block = last; block >= first; block--) {
                const bool more = block > first;
                uint32_t key_slot = 0;
                if (more) {
                    key_slot = keys.slot;
                    wait(barrier_of(S::kKeyFull, key_slot), keys.turn);
                    keys.advance();
                }
                wait(barrier_of(S::kKeyFull, keys.slot), keys.turn);
#pragma unroll
                for (int group = 0; group < 2; group++) {
                    if (mine[group].have(block)) {
                        wait(barrier_of(S::kWeightsFull, group), steps[group] % 2);
                        wait(barrier_of(S::kOutputsReady, group), steps[group] % 2);
                        steps[group]++;
                        outputs(group, keys.slot, block != mine[group].high);
                        if (block == mine[group].low) blackwell::arrive_when_done(barrier_of(S::kOutputsDone, group));
                    }
                    if (more && mine[group].have(block - 1)) scores(group, key_slot);
                }
                if (more) blackwell::arrive_when_done(barrier_of(S::kKeyEmpty, key_slot));
                blackwell::arrive_when_done(barrier_of(S::kKeyEmpty, keys.slot));
                keys.advance();
            }
            blackwell::arrive_when_done(barrier_of(S::kQueryEmpty, queries.slot));
            queries.advance();
        }
        blackwell::arrive_when_done(shared_offset(S::kDrained));
        barrier_wait(shared_offset(S::kDrained), 0);
    }
};

// ---------------------------------------------------------------------------------------------------------------------
// Softmax
// ---------------------------------------------------------------------------------------------------------------------

// x * factor + shift for two numbers at once.
__device__ __forceinline__ float2 multiply_add(float x, float y, float factor, float shift) {
    float2 result;
    asm("{ .reg .b64 numbers, factors, shifts; mov.b64 numbers, {%2, %3}; mov.b64 factors, {%4, %4}; "
        "mov.b64 shifts, {%5, %5}; fma.rn.ftz.f32x2 numbers, numbers, factors, shifts; mov.b64 {%0, %1}, numbers; }"
        : "=f"(result.x), "=f"(result.y)
        : "f"(x), "f"(y), "f"(factor), "f"(shift));
    return result;
}

// Lets the loader overwrite a tile's record, for this warp.
template <typename S>
__device__ __forceinline__ void leave_tile(uint32_t slot) {
    __syncwarp();
    if (threadIdx.x % 32 == 0) barrier_arrive(barrier_of(S::kTileEmpty, slot));
}

template <typename S>
struct Softmax {
    const Arguments& a;
    uint32_t memory;  // this warp's lanes of the group's scores
    int group;
    int row;  // of this thread, in the group

    static constexpr float kHeadroom = 8.0f;  // powers of 2 that scores may rise above the base

    __device__ __forceinline__ float2* sums(uint32_t turn) const {
        return reinterpret_cast<float2*>(shared + S::kSums) + (2 * group + turn % 2) * S::kGroupRows + row;
    }

    static __device__ __forceinline__ float exponential(float x, int place) {
        const bool emulate = (place + 1) * S::kEmulated / 16 != place * S::kEmulated / 16;  // spreads the share evenly
        return emulate ? exp2_polynomial(x) : exp2_unit(x);
    }

    __device__ __forceinline__ void run() {
        const float scale_log2 = a.scale * 1.4426950408889634f;
        float* const factors = reinterpret_cast<float*>(shared + S::kFactors) + group * S::kGroupRows + row;
        Ring<kTileSlots> tiles;
        uint32_t steps = 0;
        uint32_t turn = 0;  // tiles of which the group saw keys
        while (true) {
            barrier_wait(barrier_of(S::kTileFull, tiles.slot), tiles.turn);
            const Tile& tile = *tile_record(S::kTiles, tiles.slot);
            if (tile.sequence < 0) break;
            const int4 blocks = tile.groups[group];
            const Interval keys = visible(a, tile, tile.row + S::kGroupRows * group + row);
            leave_tile<S>(tiles.slot);
            tiles.advance();
            if (blocks.x < blocks.y) continue;

            const uint32_t width = max(keys.end - keys.first, 0);
            float base = -INFINITY;  // of the row's scores, before they are scaled
            float sum = 0;
            for (int block = blocks.x; block >= blocks.y; block--) {
                uint32_t scores[4][32];
                barrier_wait(barrier_of(S::kScoresFull, group), steps % 2);
                steps++;
                blackwell::after_barrier();
                #pragma unroll
                for (int i = 0; i < 4; i++) blackwell::load_columns(scores[i], memory + 32 * i);
                blackwell::loads_wait();
#pragma unroll
                for (int i = 0; i < 4; i++) pin(scores[i]);
                if (block < blocks.z || block >= blocks.w) {
                    const uint32_t offset = block * S::kBlockKeys - keys.first;
#pragma unroll
                    for (int i = 0; i < S::kBlockKeys; i++) {
                        if (offset + i >= width) scores[i / 32][i % 32] = __float_as_uint(-INFINITY);
                    }
                }
                float highs[4];
#pragma unroll
                for (int i = 0; i < S::kBlockKeys; i++) {
                    const float score = __uint_as_float(scores[i / 32][i % 32]);
                    highs[i % 4] = i < 4 ? score : fmaxf(highs[i % 4], score);
                }
                const float high = fmaxf(fmaxf(highs[0], highs[1]), fmaxf(highs[2], highs[3]));
                const bool begun = base > -INFINITY;
                const bool move = begun ? (high - base) * scale_log2 > kHeadroom : high > -INFINITY;
                const float factor = begun && move ? exp2_unit((base - high) * scale_log2) : 1.0f;
                if (move) base = high;
                if (block != blocks.x) {
                    *factors = factor;
                    barrier_arrive(barrier_of(S::kFactorsFull, group));
                }
                sum *= factor;
                const float shift = base > -INFINITY ? -base * scale_log2 : 0.0f;
                float parts[4] = {0, 0, 0, 0};
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    uint32_t weights[32];
#pragma unroll
                    for (int i = 0; i < 32; i++) {
                        const int place = 64 * half + 2 * i;
                        const float2 x =
                            multiply_add(__uint_as_float(scores[place / 32][place % 32]),
                                         __uint_as_float(scores[place / 32][place % 32 + 1]), scale_log2, shift);
                        const float even = exponential(x.x, place);
                        const float odd = exponential(x.y, place + 1);
                        parts[2 * (i % 2)] += even;
                        parts[2 * (i % 2) + 1] += odd;
                        weights[i] = pack<typename S::Element>(even, odd);
                    }
                    blackwell::store_columns(memory + 32 * half, weights);
                }
                blackwell::stores_wait();
                blackwell::before_barrier();
                barrier_arrive(barrier_of(S::kWeightsFull, group));
                sum += (parts[0] + parts[1]) + (parts[2] + parts[3]);
            }
            *sums(turn) = make_float2(base * scale_log2, sum);
            barrier_arrive(barrier_of(S::kSumsFull, 2 * group + turn % 2));
            turn++;
        }
    }
};

// ---------------------------------------------------------------------------------------------------------------------
// Correction
// ---------------------------------------------------------------------------------------------------------------------

template <typename S>
struct Corrector {
    const Arguments& a;
    uint32_t memory;  // this warp's lanes of the first group's outputs
    int row;          // of this thread, in either group

    uint32_t corrections[2] = {0, 0};
    uint32_t turns[2] = {0, 0};  // tiles of which the group saw keys

    __device__ __forceinline__ void correct(int group) {
        barrier_wait(barrier_of(S::kFactorsFull, group), corrections[group] % 2);
        corrections[group]++;
        const float factor = reinterpret_cast<const float*>(shared + S::kFactors)[group * S::kGroupRows + row];
        if (__any_sync(0xffffffff, factor != 1.0f)) {
            blackwell::after_barrier();
#pragma unroll 1
            for (int column = 0; column < S::kHead; column += 32) {
                uint32_t out[32];
                blackwell::load_columns(out, memory + group * S::kHead + column);
                blackwell::loads_wait();
                pin(out);
#pragma unroll
                for (int i = 0; i < 32; i++) out[i] = __float_as_uint(__uint_as_float(out[i]) * factor);
                blackwell::store_columns(memory + group * S::kHead + column, out);
            }
            blackwell::stores_wait();
            blackwell::before_barrier();
        }
        barrier_arrive(barrier_of(S::kOutputsReady, group));
    }

    // Stores the group's rows of a finished tile and their LSE.
    __device__ __forceinline__ void finish(const Tile& tile, int group, bool any) {
        float2 found = make_float2(0, 0);
        if (any) {
            const uint32_t turn = turns[group]++;
            barrier_wait(barrier_of(S::kSumsFull, 2 * group + turn % 2), turn / 2 % 2);
            found = reinterpret_cast<const float2*>(shared + S::kSums)[(2 * group + turn % 2) * S::kGroupRows + row];
            barrier_wait(barrier_of(S::kOutputsDone, group), turn % 2);
            blackwell::after_barrier();
        }
        const int token = tile.row + group * S::kGroupRows + row;
        const bool inside = token < tile.length_q;
        const bool seen = found.y != 0.0f;  // NaN counts as seen and stays visible in the output
        const float inverse = 1.0f / found.y;
        uint4* to = reinterpret_cast<uint4*>(static_cast<typename S::Element*>(a.out) + tile.sequence * a.out_batch +
                                             tile.head * a.out_head +
                                             (static_cast<int64_t>(tile.start_q) + token) * a.out_token);
        if (!any) {
#pragma unroll 1
            for (int i = 0; inside && i < S::kHead / 8; i++) to[i] = make_uint4(0, 0, 0, 0);
        } else {
#pragma unroll 1
            for (int column = 0; column < S::kHead; column += 32) {
                uint32_t out[32];
                blackwell::load_columns(out, memory + group * S::kHead + column);
                blackwell::loads_wait();
                pin(out);
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    uint32_t whole[4];
#pragma unroll
                    for (int j = 0; j < 4; j++) {
                        whole[j] = seen ? pack<typename S::Element>(__uint_as_float(out[8 * i + 2 * j]) * inverse,
                                                                    __uint_as_float(out[8 * i + 2 * j + 1]) * inverse)
                                        : 0;
                    }
                    if (inside) to[i] = make_uint4(whole[0], whole[1], whole[2], whole[3]);
                }
                to += 4;
            }
            blackwell::before_barrier();
            barrier_arrive(barrier_of(S::kOutputsReady, group));
        }
        if (a.lse != nullptr && inside) {
            a.lse[tile.sequence * a.lse_batch + tile.head * a.lse_head + tile.start_q + token] =
                seen ? (__log2f(found.y) + found.x) * 0.6931471805599453f : -INFINITY;
        }
    }

    __device__ __forceinline__ void run() {
        barrier_arrive(barrier_of(S::kOutputsReady, 0));
        barrier_arrive(barrier_of(S::kOutputsReady, 1));
        Ring<kTileSlots> tiles;
        while (true) {
            barrier_wait(barrier_of(S::kTileFull, tiles.slot), tiles.turn);
            const Tile& tile = *tile_record(S::kTiles, tiles.slot);
            if (tile.sequence < 0) break;
            const Blocks mine[2] = {blocks_of(tile, 0), blocks_of(tile, 1)};
            const int first = tile.first_block;
            for (int block = tile.last_block; block >= 0 && block >= first; block--) {
#pragma unroll
                for (int group = 0; group < 2; group++) {
                    if (mine[group].have(block) && block != mine[group].high) correct(group);
                }
            }
#pragma unroll
            for (int group = 0; group < 2; group++) finish(tile, group, mine[group].any());
            leave_tile<S>(tiles.slot);
            tiles.advance();
        }
    }
};

// ---------------------------------------------------------------------------------------------------------------------

template <typename S>
__device__ __forceinline__ void forward(const Arguments& a) {
    if ((shared_address(shared) & 1023) != 0) __trap();  // the swizzle counts from 1024-byte addresses
    const int warp = __shfl_sync(0xffffffff, threadIdx.x / 32, 0);
    if (threadIdx.x == 0) {
        const auto prepare = [](int first, int count, int arrivals) {
            for (int i = 0; i < count; i++) barrier_init(barrier_of(first, i), arrivals);
        };
        prepare(S::kTileFull, kTileSlots, 1);
        prepare(S::kTileEmpty, kTileSlots, 13);  // 12 warps and the thread that begins products
        prepare(S::kQueryFull, S::kQuerySlots, 1);
        prepare(S::kQueryEmpty, S::kQuerySlots, 1);
        prepare(S::kKeyFull, S::kKeySlots, 1);
        prepare(S::kKeyEmpty, S::kKeySlots, 1);
        prepare(S::kScoresFull, 2, 1);
        prepare(S::kWeightsFull, 2, 128);
        prepare(S::kFactorsFull, 2, 128);
        prepare(S::kOutputsReady, 2, 128);
        prepare(S::kOutputsDone, 2, 1);
        prepare(S::kSumsFull, 4, 128);
        prepare(S::kDrained, 1, 1);
        barrier_init_fence();
    }
    if (warp == 12) blackwell::memory_take(shared_offset(S::kMemory));
    blackwell::before_barrier();
    __syncthreads();
    blackwell::after_barrier();
    const uint32_t memory = *reinterpret_cast<const volatile uint32_t*>(shared + S::kMemory);
    const uint32_t lanes = static_cast<uint32_t>(warp % 4) << 21;  // 32 lanes for each warp of four
    const int row = threadIdx.x % 128;

    if (warp < 8) {
        registers_take<S::kSoftmaxRegisters>();
        const int group = warp / 4;
        Softmax<S> softmax{a, memory + lanes + S::kScoreColumns + group * S::kBlockKeys, group, row};
        softmax.run();
        blackwell::before_barrier();
        named_barrier_arrive(1, S::kThreads);
    } else if (warp < 12) {
        registers_give<S::kCorrectionRegisters>();
        Corrector<S> corrector{a, memory + lanes + S::kOutputColumns, row};
        corrector.run();
        blackwell::before_barrier();
        named_barrier_arrive(1, S::kThreads);
    } else {
        registers_give<S::kOtherRegisters>();
        if (threadIdx.x == 12 * 32) {
            Multiplier<S> multiplier{memory};
            multiplier.run();
        } else if (threadIdx.x == 13 * 32) {
            Loader<S> loader{a, {a}};
            loader.run();
        }
        __syncwarp();
        named_barrier_sync(1, S::kThreads);  // nobody needs tensor memory any more
        blackwell::after_barrier();
        if (warp == 12) blackwell::memory_give(memory);
    }
}

}  // namespace attention

// As the kernels for Hopper: `name_prepare` (grid: batch, 96 threads) writes the descriptors; `name` (grid: at most one block
// per multiprocessor, `name_info[0]` threads, `name_info[1]` bytes of dynamic shared memory) computes.
#define ATTENTION_FORWARD(name, ...)                                                                                  \
    extern "C" __global__ void __launch_bounds__(96) name##_prepare(const __grid_constant__ attention::Arguments a) { \
        attention::prepare<attention::BlackwellShape<__VA_ARGS__>>(a);                                                \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(attention::BlackwellShape<__VA_ARGS__>::kThreads, 1)                 \
        name(const __grid_constant__ attention::Arguments a) {                                                        \
        attention::forward<attention::BlackwellShape<__VA_ARGS__>>(a);                                                \
    }                                                                                                                 \
    extern "C" __device__ const int name##_info[4] = {                                                                \
        attention::BlackwellShape<__VA_ARGS__>::kThreads, attention::BlackwellShape<__VA_ARGS__>::kSharedBytes,       \
        attention::BlackwellShape<__VA_ARGS__>::kRows, attention::BlackwellShape<__VA_ARGS__>::kBlockKeys};

//                                                        d  q-slots k-slots emulated
ATTENTION_FORWARD(attention_forward_sm100_bf16_d64_r256_k128, 64, 2, 8, 4)
ATTENTION_FORWARD(attention_forward_sm100_bf16_d128_r256_k128, 128, 1, 4, 2)
