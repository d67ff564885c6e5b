// Attention forward for Hopper (sm_90a): out = softmax(scale Q K^T) V, row by row over the keys the row may see.
//
// One persistent block per multiprocessor. Warpgroup 0 drives the copy engine: it fetches work, loads each tile of
// queries and streams keys and values through a ring of shared-memory slots. The other warpgroups own 64 query rows
// each and run one endless pipeline over all their tiles: while the tensor cores compute the next scores S' = Q K'^T
// and add P V to the output, the exponentials of S' are taken; the next tile's first scores overlap this tile's last
// product. Named barriers make the warpgroups take turns at the tensor cores (ping-pong), so that one's softmax hides
// under another's products.
//
// Sources: FlashAttention-3 (arXiv 2407.08608) for the warp-specialised pipeline; FlashAttention-4 (arXiv 2603.05451)
// for the lazy rescale and the exponential on the multiply-add units.
//
// A row's result depends on its own query, keys and values alone: keys are taken in blocks that start at multiples of
// the block size, in descending order, and a block the row cannot see leaves its state untouched.
//
// attention_forward.cu has the plain kernels; attention_forward_softcap.cu and attention_forward_sinks.cu those whose
// scores are capped and those whose sums have a sink: what they need is not in the plain ones.
#pragma once

#include "attention_forward_arithmetic.cuh"
#include "attention_forward_work.cuh"
#include "hopper.cuh"
#include "wgmma.cuh"
#include "wgmma_heads.cuh"

using namespace hopper;

namespace attention {

// What a kernel does beyond softmax(scale Q K^T) V.
enum class Extra {
    kNone,
    kSoftcap,       // scores are softcap * tanh(scale Q K^T / softcap), as in Gemma 2 (arXiv 2408.00118, section 2), by the
                    // tanh of the special-function unit, whose relative error is 2^-11
    kSoftcapExact,  // the same by an exponential and a reciprocal: twice the work for that unit; for measurements
    kSinks,         // exp(sinks[head]) is added to every row's sum, as in gpt-oss (arXiv 2508.10925, section 2.2)
};

// Compile-time shape of a kernel.
template <typename ElementType, int kHeadQk_, int kHeadV_, int kRowGroups_, int kBlockKeys_, int kQuerySlots_,
          int kKeySlots_, int kEmulated_, bool kLazyRescale_, int kHandOver_, int kParts_, Extra kExtra_ = Extra::kNone>
struct Shape {
    using Element = ElementType;
    static constexpr int kHeadQk = kHeadQk_;
    static constexpr int kHeadV = kHeadV_;
    static constexpr int kRowGroups = kRowGroups_;            // consumer warpgroups, 64 rows each
    static constexpr int kGroupRows = 64;
    static constexpr int kRows = kGroupRows * kRowGroups;
    static constexpr int kBlockKeys = kBlockKeys_;
    static constexpr int kQuerySlots = kQuerySlots_;          // 1 or 2
    static constexpr int kKeySlots = kKeySlots_;              // slots of the ring that keys and values share
    static constexpr int kEmulated = kEmulated_;              // of 16 exponentials, how many on multiply-add units
    static constexpr bool kLazyRescale = kLazyRescale_;
    static constexpr int kHandOver = kHandOver_;  // of a step's output products, how many a warpgroup issues before the
                                                  // next one's turn; -1: no turns
    static constexpr int kParts = kParts_;  // 1: scores are scaled and watched at once; 2: half of them under the
                                            // exponentials of the other half
    static constexpr Extra kExtra = kExtra_;
    static constexpr int kThreads = 128 * (1 + kRowGroups);
    static constexpr int kPanelsQk = (kHeadQk + 63) / 64;
    static constexpr int kPanelsV = (kHeadV + 63) / 64;
    static constexpr int kQueryPanelBytes = kRows * 128;
    static constexpr int kKeyPanelBytes = kBlockKeys * 128;
    static constexpr int kQueryBytes = kPanelsQk * kQueryPanelBytes;
    static constexpr int kKeyBytes = kPanelsQk * kKeyPanelBytes;
    static constexpr int kValueBytes = kPanelsV * kKeyPanelBytes;
    static constexpr int kSlotBytes = kKeyBytes > kValueBytes ? kKeyBytes : kValueBytes;
    // Shared memory: barriers, tile records, what finished rows need besides their output, queries, the ring.
    static constexpr int kQueryFull = 0;
    static constexpr int kQueryEmpty = kQueryFull + 8 * kQuerySlots;
    static constexpr int kKeyFull = kQueryEmpty + 8 * kQuerySlots;
    static constexpr int kKeyEmpty = kKeyFull + 8 * kKeySlots;
    static constexpr int kTiles = 512;
    static constexpr int kScratch = 1008;
    static constexpr int kSums = 1024;  // of each row: the base of its exponentials, their sum
    static constexpr int kQueries = kSums + (8 * kRows + 1023) / 1024 * 1024;
    static constexpr int kRing = kQueries + kQuerySlots * kQueryBytes;
    static constexpr int kSharedBytes = kRing + kKeySlots * kSlotBytes;
    // A block has 65536 registers; the producer needs about 32 of them per thread to keep clear of local memory.
    static constexpr int kConsumerRegisters = kRowGroups == 1 ? 240 : kRowGroups == 2 ? 232 : kRowGroups == 3 ? 160 : 112;
    static constexpr int kProducerRegisters = kRowGroups >= 3 ? 32 : 40;
    // Storing a tile while the next scores are computed takes registers for both.
    static constexpr bool kLateStore = kBlockKeys / 2 + kBlockKeys / 4 + kHeadV / 2 + 36 <= kConsumerRegisters;
    static_assert(kHandOver <= kBlockKeys / 16, "the turn is handed over within the step");
    static_assert(kBlockKeys % 16 == 0 && kSlotBytes % 1024 == 0, "tiles keep the swizzle's 1024-byte grid");
    static_assert(kTiles + kTileSlots * sizeof(Tile) <= kScratch, "between the barriers and the scratch word");
    static_assert(kSharedBytes <= 232448, "a block has 227 KiB of shared memory");
};

// ---------------------------------------------------------------------------------------------------------------------
// Producer
// ---------------------------------------------------------------------------------------------------------------------

template <typename S>
struct Producer {
    const Arguments& a;
    Ring<S::kKeySlots> key_ring;
    Finder<S> finder;

    // Tensor 1: keys, 2: values.
    __device__ __forceinline__ void load(int tensor, uint32_t tile_number, int block) {
        const Tile& tile = *tile_record(S::kTiles, tile_number);
        const char* const map = descriptor(a, tile.sequence, tensor);
        const uint32_t full = shared_offset(S::kKeyFull) + 8 * key_ring.slot;
        barrier_wait(shared_offset(S::kKeyEmpty) + 8 * key_ring.slot, key_ring.turn ^ 1);
        barrier_arrive_expecting(full, tensor == 1 ? S::kKeyBytes : S::kValueBytes);
        const uint32_t slot = shared_offset(S::kRing) + key_ring.slot * S::kSlotBytes;
        const int panels = tensor == 1 ? S::kPanelsQk : S::kPanelsV;
#pragma unroll
        for (int panel = 0; panel < panels; panel++) {
            copy_tile_3d(slot + panel * S::kKeyPanelBytes, map, full, panel * 64, block * S::kBlockKeys, tile.kv_head,
                         kEvictLast);
        }
        key_ring.advance();
    }

    __device__ __forceinline__ void run() {
        uint32_t* const counter = static_cast<uint32_t*>(a.workspace);
        int index = blockIdx.x;
        uint32_t number = 0;
        Ring<S::kQuerySlots> query_ring;
        bool value_due = false;  // the values of a block follow the keys of the next block
        int value_block = 0;
        while (true) {
            const uint32_t full = shared_offset(S::kQueryFull) + 8 * query_ring.slot;
            barrier_wait(shared_offset(S::kQueryEmpty) + 8 * query_ring.slot, query_ring.turn ^ 1);
            Tile& tile = *tile_record(S::kTiles, number);
            if (!finder.find(index, tile)) {
                tile.sequence = -1;
                barrier_arrive(full);
                break;
            }
            index = gridDim.x + atomicAdd(counter, 1u);
            const char* const maps = descriptor(a, tile.sequence, 0);
#pragma unroll
            for (int i = 0; i < 3; i++) descriptor_acquire(maps + i * kDescriptorBytes);
            barrier_arrive_expecting(full, S::kQueryBytes);
#pragma unroll
            for (int panel = 0; panel < S::kPanelsQk; panel++) {
                copy_tile_3d(shared_offset(S::kQueries) + query_ring.slot * S::kQueryBytes +
                                 panel * S::kQueryPanelBytes,
                             maps, full, panel * 64, tile.row, tile.head, kEvictFirst);
            }
            query_ring.advance();
            int block = tile.last_block;
            load(1, number, block);
            if (value_due) load(2, number - 1, value_block);
            while (block > tile.first_block) {
                load(1, number, block - 1);
                load(2, number, block);
                block--;
            }
            value_due = true;
            value_block = block;
            number++;
        }
        if (value_due) load(2, number - 1, value_block);
        // The last block to leave clears the counters for the next launch.
        __threadfence();
        if (atomicInc(counter + 1, gridDim.x - 1) == gridDim.x - 1) *counter = 0;
    }
};

// ---------------------------------------------------------------------------------------------------------------------
// Consumers
// ---------------------------------------------------------------------------------------------------------------------

template <typename S>
struct Consumer {
    static constexpr int kScores = S::kBlockKeys / 2;  // registers of a 64-row block of scores
    static constexpr int kOutputs = S::kHeadV / 2;
    using Element = typename S::Element;

    const Arguments& a;
    int group;   // which 64 rows
    bool leads;  // lane 0 of its warp

    Ring<S::kKeySlots> key_ring;
    uint32_t number = 0;  // of the tile whose scores are being computed

    float scores[kScores];
    uint32_t weights[kScores / 2];
    float out[kOutputs];
    float base[2];   // added to the scaled scores, per row
    float total[2][2];  // this thread's share of the sum of exponentials, per row; even and odd keys
    int begun;  // top bit: the first row has seen a key; the bit below: the second
    float factor[2];    // of this block, when a base moved
    bool moved;        // whether a base of the warp's rows moved in this block

    static constexpr float kHeadroom = 8.0f;  // in powers of 2, between a row's highest score and 0 when its base moves

    // The tile whose scores are being computed.
    int block;        // its current block of keys
    int first_block;  // its last one
    int owed = -1;    // number of the tile that `pay` will store; it is put off until the next scores are being computed
    int high, low;    // blocks high, high - 1, .., low are those that this warpgroup's rows see

    // Read anew each time rather than kept in a register.
    static __device__ __forceinline__ int thread() {
        int index;
        asm volatile("mov.u32 %0, %%tid.x;" : "=r"(index));
        return index - 128;
    }

    static __device__ __forceinline__ int quad_lane() { return thread() % 4; }

    // This thread's first row in the tile; the second is 8 below.
    static __device__ __forceinline__ int row_in_tile() {
        const int t = thread();
        return t / 32 * 16 + t % 32 / 4;
    }

    __device__ __forceinline__ void release(uint32_t barrier) {
        if (leads) barrier_arrive(barrier);
    }

    __device__ __forceinline__ uint32_t query_slot() const { return number % S::kQuerySlots; }

    // Steps to the next tile; false when work has ended.
    __device__ __forceinline__ bool next_tile() {
        barrier_wait(shared_offset(S::kQueryFull) + 8 * query_slot(), number / S::kQuerySlots % 2);
        const Tile& tile = *tile_record(S::kTiles, number);
        if (tile.sequence < 0) return false;
        block = tile.last_block;
        first_block = tile.first_block;
        const int4 blocks = tile.groups[group];
        high = blocks.x;
        low = blocks.y;
        return true;
    }

    __device__ __forceinline__ void wait_slot() {
        barrier_wait(shared_offset(S::kKeyFull) + 8 * key_ring.slot, key_ring.turn);
    }

    __device__ __forceinline__ void leave_slot() {
        release(shared_offset(S::kKeyEmpty) + 8 * key_ring.slot);
        key_ring.advance();
    }

    // The scores of this tile are all computed: its queries may be overwritten.
    __device__ __forceinline__ void leave_query() {
        release(shared_offset(S::kQueryEmpty) + 8 * query_slot());
    }

    __device__ __forceinline__ void issue_scores() {
        const Operand q(shared_offset(S::kQueries) + query_slot() * S::kQueryBytes + group * 8192, 0);
        const Operand k(shared_offset(S::kRing) + key_ring.slot * S::kSlotBytes, 0);
#pragma unroll
        for (int step = 0; step < (S::kHeadQk + 15) / 16; step++) {  // behind a head's columns lie zeros
            const int panel = step / 4;
            const int inner = 32 * (step % 4);
            SharedShared<Element, S::kBlockKeys>::run(scores, q.at(panel * S::kQueryPanelBytes + inner),
                                                      k.at(panel * S::kKeyPanelBytes + inner), step > 0);
        }
    }

    // `turn`: hand the turn over on the way.
    __device__ __forceinline__ void issue_outputs(int accumulate, bool turn) {
        const Operand v(shared_offset(S::kRing) + key_ring.slot * S::kSlotBytes, S::kKeyPanelBytes);
#pragma unroll
        for (int step = 0; step < S::kBlockKeys / 16; step++) {
            RegisterShared<Element, S::kHeadV>::run(out, weights[4 * step], weights[4 * step + 1],
                                                    weights[4 * step + 2], weights[4 * step + 3], v.at(step * 2048),
                                                    step > 0 ? 1 : accumulate);
            if (step + 1 == S::kHandOver && turn) next_turn();
        }
    }

    // The factor that `watch` scales scores with, in powers of 2: what is left of it to do after `cap`.
    __device__ __forceinline__ float score_scale() const {
        constexpr float kLog2E = 1.4426950408889634f;
        if constexpr (S::kExtra == Extra::kSoftcapExact) return a.softcap * (2 * kLog2E);
        if constexpr (S::kExtra == Extra::kSoftcap) return a.softcap * kLog2E;
        return a.scale * kLog2E;
    }

    // Takes the scores as products and bends them. The exact way: tanh y = 1 + 2 r with r = -1 / (1 + exp 2y); a score
    // becomes its r, and the row's scores are all too low by the same `softcap`, which only the LSE has to know.
    __device__ __forceinline__ void cap() {
        if constexpr (S::kExtra == Extra::kSoftcapExact) {
            const float factor = 2 * 1.4426950408889634f * a.scale / a.softcap;
#pragma unroll
            for (int i = 0; i < kScores; i++) {
                const float exponential = exp2_unit(scores[i] * factor);
                asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(scores[i]) : "f"(-1.0f - exponential));
            }
        }
        if constexpr (S::kExtra == Extra::kSoftcap) {
            const float factor = a.scale / a.softcap;
#pragma unroll
            for (int i = 0; i < kScores; i++) {
                asm("tanh.approx.f32 %0, %1;" : "=f"(scores[i]) : "f"(scores[i] * factor));
            }
        }
    }

    // `seen`: the record's blocks for this warpgroup.
    __device__ __forceinline__ void mask(const int4& seen) {
        if (__builtin_expect(block >= seen.z && block < seen.w, true)) return;
        const Tile& tile = *tile_record(S::kTiles, number);
        const int row = tile.row + row_in_tile();
        const int quad = quad_lane();
#pragma unroll
        for (int r = 0; r < 2; r++) {
            const Interval keys = visible(a, tile, row + 8 * r);
            const uint32_t span = max(keys.end - keys.first, 0);
            const uint32_t offset = block * S::kBlockKeys + 2 * quad - keys.first;
#pragma unroll
            for (int i = 0; i < kScores / 4; i++) {
#pragma unroll
                for (int e = 0; e < 2; e++) {
                    float& score = scores[4 * i + 2 * r + e];
                    score = offset + (8 * i + e) < span ? score : -INFINITY;
                }
            }
        }
    }

    // Scores become exponentials 2^x, x = score * scale_log2 + base. The base is such that x <= 0: when a row's first
    // keys appear, and again when a score would rise above 0, the base moves so that the row's highest score lands on
    // -8. Between moves (FlashAttention-4's lazy rescale) nothing needs the row's maximum: the signs of x tell that
    // all is well, and one vote of the warp skips the rest. A row moves on its own account only. `factor` is what the
    // output so far has to be multiplied by.
    //
    // The scores of a block come in two halves (units of 8 keys, 4 registers): `watch` one, `exponentials` of it.
    static constexpr int kUnits = kScores / 4;
    static constexpr int kMiddle = kUnits / 2;

    // Scales the units, and moves the base of rows that need it; units before kFrom are exponentials already.
    template <int kFrom, int kTo>
    __device__ __forceinline__ void watch(float scale_log2) {
        constexpr float kCeiling = S::kLazyRescale ? 0.0f : -kHeadroom;
        int signs[2];
#pragma unroll
        for (int r = 0; r < 2; r++) {
            signs[r] = begun << r;
#pragma unroll
            for (int i = kFrom; i < kTo; i++) {
                float& even = scores[4 * i + 2 * r];
                float& odd = scores[4 * i + 2 * r + 1];
                even = fmaf(even, scale_log2, base[r]);
                odd = fmaf(odd, scale_log2, base[r]);
                signs[r] = signs[r] & __float_as_int(even) & __float_as_int(odd);
            }
        }
        if (S::kLazyRescale && __builtin_expect(!__any_sync(0xffffffff, (signs[0] & signs[1]) >= 0), true)) return;
        const bool again = moved;
        moved = true;
#pragma unroll
        for (int r = 0; r < 2; r++) {
            float high0 = scores[4 * kFrom + 2 * r];
            float high1 = scores[4 * kFrom + 2 * r + 1];
#pragma unroll
            for (int i = kFrom + 1; i < kTo; i++) {
                high0 = fmaxf(high0, scores[4 * i + 2 * r]);
                high1 = fmaxf(high1, scores[4 * i + 2 * r + 1]);
            }
            float high = fmaxf(high0, high1);
            high = fmaxf(high, __shfl_xor_sync(0xffffffff, high, 1));
            high = fmaxf(high, __shfl_xor_sync(0xffffffff, high, 2));
            const bool seen = begun << r < 0;
            const bool move = seen ? high > kCeiling : high > -INFINITY;
            const float rise = move ? high + kHeadroom : 0.0f;
            const float shrink = seen ? exp2_unit(-rise) : 0.0f;
            begun |= move ? 1 << (31 - r) : 0;
            base[r] -= rise;
            factor[r] = again ? factor[r] * shrink : shrink;
            total[r][0] *= shrink;
            total[r][1] *= shrink;
#pragma unroll
            for (int i = 0; i < kTo; i++) {
#pragma unroll
                for (int e = 0; e < 2; e++) {
                    float& score = scores[4 * i + 2 * r + e];
                    score = i < kFrom ? score * shrink : score - rise;
                }
            }
        }
    }

    template <int kFrom, int kTo>
    __device__ __forceinline__ void exponentials() {
#pragma unroll
        for (int r = 0; r < 2; r++) {
#pragma unroll
            for (int i = kFrom; i < kTo; i++) {
#pragma unroll
                for (int e = 0; e < 2; e++) {
                    float& score = scores[4 * i + 2 * r + e];
                    const int place = 2 * i + e;
                    const bool emulate =
                        (place + 1) * S::kEmulated / 16 != place * S::kEmulated / 16;  // spreads the share evenly
                    score = emulate ? exp2_polynomial(score) : exp2_unit(score);
                    total[r][e] += score;
                }
            }
        }
    }

    template <int kFrom, int kTo>
    __device__ __forceinline__ void to_weights() {
#pragma unroll
        for (int i = 2 * kFrom; i < 2 * kTo; i++) weights[i] = pack<Element>(scores[2 * i], scores[2 * i + 1]);
    }

    __device__ __forceinline__ void first_half(float scale_log2) {
        moved = false;
        if constexpr (S::kParts == 2) {
            watch<0, kMiddle>(scale_log2);
            exponentials<0, kMiddle>();
            watch<kMiddle, kUnits>(scale_log2);
        } else {
            watch<0, kUnits>(scale_log2);
            exponentials<0, kMiddle>();
        }
    }

    // The exponentials of the second half run beside the conversion of the first.
    __device__ __forceinline__ void second_half() {
        to_weights<0, kMiddle>();
        exponentials<kMiddle, kUnits>();
        to_weights<kMiddle, kUnits>();
    }

    __device__ __forceinline__ void rescale() {
#pragma unroll
        for (int i = 0; i < kOutputs; i++) out[i] *= factor[(i / 2) % 2];
    }

    static __device__ __forceinline__ float2* sums() {
        return reinterpret_cast<float2*>(shared + S::kSums) + row_in_tile();
    }

    __device__ __forceinline__ void start_sums() {
        begun = 0;
#pragma unroll
        for (int r = 0; r < 2; r++) {
            base[r] = 0;
            total[r][0] = 0;
            total[r][1] = 0;
        }
    }

    // Sets the finished rows' base and sum aside and starts afresh.
    __device__ __forceinline__ void finish_sums() {
        float2* const here = sums();
        const bool first = quad_lane() == 0;
#pragma unroll
        for (int r = 0; r < 2; r++) {
            float all = total[r][0] + total[r][1];
            all += __shfl_xor_sync(0xffffffff, all, 1);
            all += __shfl_xor_sync(0xffffffff, all, 2);
            if (first) here[8 * r] = make_float2(base[r], all);
        }
        start_sums();
    }

    // The LSE of a row whose exponentials, by the base `shift`, sum up to `all`.
    __device__ __forceinline__ float logarithm(const Tile& tile, float all, float shift) const {
        constexpr float kLn2 = 0.6931471805599453f;
        if constexpr (S::kExtra == Extra::kSinks) {
            // Whichever is the higher, the keys or the sink, is the base: neither overflows.
            const float sink = __ldg(a.sinks + tile.head);
            if (all == 0.0f) return sink;
            const float exponent = fmaf(sink, 1.4426950408889634f, shift);
            return exponent > 0.0f ? fmaf(__log2f(fmaf(all, exp2_unit(-exponent), 1.0f)), kLn2, sink)
                                   : (__log2f(all + exp2_unit(exponent)) - shift) * kLn2;
        }
        if (all == 0.0f) return -INFINITY;
        const float keys = (__log2f(all) - shift) * kLn2;
        return S::kExtra == Extra::kSoftcapExact ? keys + a.softcap : keys;
    }

    // Divides by the sum, writes the rows of this thread and their LSE.
    __device__ __forceinline__ void store(const Tile& tile) {
        __syncwarp();
        if constexpr (kOutputs % 16 != 0) store_rest(tile);
        const int64_t token = static_cast<int64_t>(tile.row) + row_in_tile();
        const int quad = quad_lane();
        const float2* const here = sums();
        Element* const base = static_cast<Element*>(a.out) + tile.sequence * a.out_batch + tile.head * a.out_head +
                              (tile.start_q + token) * a.out_token;
#pragma unroll
        for (int r = 0; r < 2; r++) {
            const float shift = here[8 * r].x;
            const float all = here[8 * r].y;
            const bool seen = all != 0.0f;  // NaN counts as seen and stays visible in the output
            float inverse;
            if constexpr (S::kExtra == Extra::kSinks) {
                inverse = 1.0f / (all + exp2_unit(fmaf(__ldg(a.sinks + tile.head), 1.4426950408889634f, shift)));
            } else {
                inverse = 1.0f / all;
            }
            const bool inside = token + 8 * r < tile.length_q;
            Element* const row = base + 8 * r * a.out_token;
#pragma unroll
            for (int i = 0; i < kOutputs / 16; i++) {
                // Four 8-column tiles; thread t of the quad holds columns 2t, 2t+1 of each and leaves with tile t whole.
                uint32_t own[4];
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    const float low = out[16 * i + 4 * j + 2 * r];
                    const float high = out[16 * i + 4 * j + 2 * r + 1];
                    own[j] = seen ? pack<Element>(low * inverse, high * inverse) : 0;
                }
                const bool odd = quad & 1;
                const bool upper = quad & 2;
                uint32_t x0 = __shfl_xor_sync(0xffffffff, odd ? own[0] : own[1], 1);
                uint32_t x1 = __shfl_xor_sync(0xffffffff, odd ? own[2] : own[3], 1);
                const uint32_t a0 = odd ? x0 : own[0];  // even: tile 0 of {t, t+1}; odd: tile 1 of {t-1, t}
                const uint32_t a1 = odd ? own[1] : x0;
                const uint32_t b0 = odd ? x1 : own[2];
                const uint32_t b1 = odd ? own[3] : x1;
                const uint32_t y0 = __shfl_xor_sync(0xffffffff, upper ? a0 : b0, 2);
                const uint32_t y1 = __shfl_xor_sync(0xffffffff, upper ? a1 : b1, 2);
                const uint4 whole = upper ? make_uint4(y0, y1, b0, b1) : make_uint4(a0, a1, y0, y1);
                if (inside) *reinterpret_cast<uint4*>(row + 32 * i + 8 * quad) = whole;
            }
            if (a.lse != nullptr && inside && quad == 0) {
                a.lse[tile.sequence * a.lse_batch + tile.head * a.lse_head + tile.start_q + token + 8 * r] =
                    logarithm(tile, all, shift);
            }
        }
    }

    // The columns behind the last whole 32 of a head, 8 at a time. Addresses are found anew: `store` has no registers left.
    __device__ __forceinline__ void store_rest(const Tile& tile) {
        const int64_t token = static_cast<int64_t>(tile.row) + row_in_tile();
        const float2* const here = sums();
        Element* const base = static_cast<Element*>(a.out) + tile.sequence * a.out_batch + tile.head * a.out_head +
                              (tile.start_q + token) * a.out_token + 2 * quad_lane();
#pragma unroll
        for (int r = 0; r < 2; r++) {
            const float all = here[8 * r].y;
            const float inverse = 1.0f / all;
            if (token + 8 * r >= tile.length_q) continue;
#pragma unroll
            for (int i = kOutputs / 16 * 4; i < kOutputs / 4; i++) {
                const uint32_t pair = pack<Element>(out[4 * i + 2 * r] * inverse, out[4 * i + 2 * r + 1] * inverse);
                *reinterpret_cast<uint32_t*>(base + 8 * r * a.out_token + 8 * i) = all != 0.0f ? pair : 0;
            }
        }
    }

    __device__ __forceinline__ void my_turn() {
        if constexpr (S::kHandOver >= 0 && S::kRowGroups > 1) named_barrier_sync(1 + group, 256);
    }

    __device__ __forceinline__ void next_turn() {
        if constexpr (S::kHandOver >= 0 && S::kRowGroups > 1) {
            named_barrier_arrive(1 + (group + 1 == S::kRowGroups ? 0 : group + 1), 256);
        }
    }

    // One step per block of keys. A step takes from the ring the keys K of its block and the values V of the block
    // before it, be that of the same tile or of the tile before; only the first step of all has no V. Blocks that this
    // warpgroup's rows do not see are handed back untouched, in step with the other warpgroups.
    __device__ __forceinline__ void run() {
        if (!next_tile()) return;
        const float scale_log2 = score_scale();
        start_sums();
        bool first = true;     // no V yet, and no turns
        bool entering = true;  // this block is the first of its tile
        bool live = false;     // `weights` wait for their V
        int accumulate = 0;    // whether `out` holds anything of the weights' tile
        while (true) {
            const bool wanted = block <= high && block >= low;
            if (__builtin_expect(wanted && live, true)) {
                // Both questions are asked at once: an answer takes about 30 cycles.
                Ring<S::kKeySlots> value_ring = key_ring;
                value_ring.advance();
                const bool keys_there = barrier_test(shared_offset(S::kKeyFull) + 8 * key_ring.slot, key_ring.turn);
                const bool values_there =
                    barrier_test(shared_offset(S::kKeyFull) + 8 * value_ring.slot, value_ring.turn);
                if (!keys_there) wait_slot();
                my_turn();
                pin(scores);
                pin(weights);
                pin(out);
                products_fence();
                issue_scores();
                products_commit();
                const uint32_t key_slot = key_ring.slot;
                key_ring.advance();
                const bool owing = S::kLateStore && owed >= 0;
                if (owing || S::kHandOver == 0) next_turn();
                pay();
                if (!values_there) wait_slot();
                products_fence();
                issue_outputs(accumulate, !owing);
                products_commit();
                const int4 seen = tile_record(S::kTiles, number)->groups[group];
                products_wait<1>();
                pin(scores);
                release(shared_offset(S::kKeyEmpty) + 8 * key_slot);
                if (block == first_block) leave_query();
                if (entering) finish_sums();
                cap();
                mask(seen);
                first_half(scale_log2);
                hold();
                products_wait<0>();
                pin(out);
                pin(scores);
                leave_slot();
                if (__builtin_expect(entering, false)) {
                    if constexpr (S::kLateStore) {
                        owed = number - 1;
                    } else {
                        store(*tile_record(S::kTiles, number - 1));
                    }
                } else if (__builtin_expect(moved, false)) {
                    rescale();
                }
                accumulate = !entering;
                second_half();
            } else {
                pay();
                wait_slot();
                if (!first) my_turn();
                if (wanted) {
                    pin(scores);
                    products_fence();
                    issue_scores();
                    products_commit();
                    products_wait<0>();
                    pin(scores);
                }
                leave_slot();
                if (block == first_block) leave_query();
                if (!first) {
                    wait_slot();
                    if (live) finish_outputs(accumulate);
                    next_turn();
                    leave_slot();
                }
                if (live) {
                    finish_sums();
                    store(*tile_record(S::kTiles, entering ? number - 1 : number));
                }
                if (wanted) {
                    cap();
                    mask(tile_record(S::kTiles, number)->groups[group]);
                    first_half(scale_log2);
                    second_half();
                    accumulate = 0;
                }
                if (low > high && block == first_block) {  // rows that see nothing
                    finish_sums();
                    store(*tile_record(S::kTiles, number));
                }
                if (first && group == S::kRowGroups - 1) next_turn();  // opens the turns: the first warpgroup may go
                first = false;
            }
            live = wanted;
            entering = block == first_block;
            if (entering) {
                number++;
                if (!next_tile()) break;
            } else {
                block--;
            }
        }
        pay();
        wait_slot();
        if (live) {
            finish_outputs(accumulate);
            finish_sums();
            store(*tile_record(S::kTiles, number - 1));
        }
    }

    // The exponentials so far belong before the wait that follows, under the running product. ptxas moves the wait ahead
    // of arithmetic, but not ahead of a store: the sums, which need those exponentials, are stored where nobody reads.
    __device__ __forceinline__ void hold() {
        pin(scores);
        asm volatile("st.volatile.shared.v2.f32 [%0], {%1, %2};" ::"r"(shared_offset(S::kScratch)),
                     "f"(total[0][0] + total[0][1]), "f"(total[1][0] + total[1][1])
                     : "memory");
    }

    // Stores the finished tile whose output still sits in the registers, if there is one.
    __device__ __forceinline__ void pay() {
        if (S::kLateStore && owed >= 0) {
            store(*tile_record(S::kTiles, owed));
            owed = -1;
        }
    }

    __device__ __forceinline__ void finish_outputs(int accumulate) {
        pin(weights);
        pin(out);
        products_fence();
        issue_outputs(accumulate, false);
        products_commit();
        products_wait<0>();
        pin(out);
    }
};

// ---------------------------------------------------------------------------------------------------------------------

template <typename S>
__device__ __forceinline__ void forward(const Arguments& a) {
    if ((shared_address(shared) & 1023) != 0) __trap();  // the swizzle counts from 1024-byte addresses
    if (threadIdx.x == 0) {
        for (int i = 0; i < S::kQuerySlots; i++) {
            barrier_init(shared_offset(S::kQueryFull) + 8 * i, 1);
            barrier_init(shared_offset(S::kQueryEmpty) + 8 * i, 4 * S::kRowGroups);
        }
        for (int i = 0; i < S::kKeySlots; i++) {
            barrier_init(shared_offset(S::kKeyFull) + 8 * i, 1);
            barrier_init(shared_offset(S::kKeyEmpty) + 8 * i, 4 * S::kRowGroups);
        }
        barrier_init_fence();
    }
    __syncthreads();

    const int warpgroup = __shfl_sync(0xffffffff, threadIdx.x / 128, 0);
    if (warpgroup == 0) {
        registers_give<S::kProducerRegisters>();
        if (threadIdx.x == 0) {
            Producer<S> producer{a, {}, {a}};
            producer.run();
        }
    } else {
        registers_take<S::kConsumerRegisters>();
        Consumer<S> consumer{a, warpgroup - 1, threadIdx.x % 32 == 0};
        consumer.run();
    }
}

}  // namespace attention

// `name_prepare` (grid: batch, 96 threads) writes the descriptors; `name` (grid: at most one block per multiprocessor,
// `name_info[0]` threads, `name_info[1]` bytes of dynamic shared memory) computes. info[2], [3]: rows, keys per block.
#define ATTENTION_FORWARD(name, ...)                                                                                 \
    extern "C" __global__ void __launch_bounds__(96) name##_prepare(const __grid_constant__ attention::Arguments a) { \
        attention::prepare<attention::Shape<__VA_ARGS__>>(a);                                                         \
    }                                                                                                                \
    extern "C" __global__ void __launch_bounds__(attention::Shape<__VA_ARGS__>::kThreads, 1)                          \
        name(const __grid_constant__ attention::Arguments a) {                                                        \
        attention::forward<attention::Shape<__VA_ARGS__>>(a);                                                         \
    }                                                                                                                \
    extern "C" __device__ const int name##_info[4] = {                                                               \
        attention::Shape<__VA_ARGS__>::kThreads, attention::Shape<__VA_ARGS__>::kSharedBytes,                         \
        attention::Shape<__VA_ARGS__>::kRows, attention::Shape<__VA_ARGS__>::kBlockKeys};
