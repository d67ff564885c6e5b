// Attention in the decoding step: the chunks and merges of attention_paged.cuh, to the bit, by eight warps. See
// decode_step.cuh.
//
// A unit of work is a tile of up to 16 packed rows of a sequence, a key head, and a chunk of keys (or, of very many, a section). Keys and
// values of a chunk come in pieces of 256 keys and 64 columns through two buffers. Four warps have 64 keys each for the scores;
// for the outputs each of the eight has eight of a piece's columns, over all keys in order.
#pragma once

#include "attention_paged_arithmetic.cuh"
#include "attention_paged_rotate.cuh"
#include "decode_step_block.cuh"
#include "decode_step_products.cuh"

namespace decode_step {
namespace {

namespace paged = attention_paged;
using paged::kBlockKeys;
using paged::kChunkKeys;
using paged::kNothing;

constexpr int kSectionChunks = paged::kSectionKeys / kChunkKeys;
constexpr int kMostTiles = 8;      // rows times a group of at most 16 heads, by 16
constexpr int kPieceBytes = kChunkKeys * 128;
constexpr int kChunkRounds = 16;   // from so many units a block on, units are sections
constexpr int kMergeAlone = 96 << 10;  // bytes of partial results that every block merges for itself
constexpr int kAtOnce = 4;             // partial results of a row
constexpr int kMergeSections = 64;     // at once

// What of a step's rows is a tile, the same in all layers.
struct Tile {
    int sequence;
    int row;       // the first of the sequence
    int position;  // where it stands
    int first;     // packed row: query head i % group of row i / group
    int count;
    int least;     // position of the first of its rows, and of the last
    int most;
    int reserved;
};

// What of it is attended to in a layer.
struct Plan {
    int first_key;
    int first_chunk;
    int end_chunk;
    int units;
    int base;  // the first of its units, for key head 0; unit u of head h is base + u * key_heads + h
    int reserved[3];
};
static_assert(kTiles + kMostTiles * sizeof(Tile) <= kPlans && kPlans + kMostTiles * sizeof(Plan) <= kRowTiles, "memory");
static_assert(2 * kPieceBytes <= kWorkBytes && kMergeSections * 256 * 4 <= kWorkBytes, "memory");

// A running result of eight columns.
struct Eight {
    float most = kNothing;
    float sum = 0.0f;
    float at[8] = {};

    __device__ __forceinline__ void merge(const Eight& part, float c) {
        const paged::Weights weights(most, part.most, c);
        most = weights.most;
        sum = weights.merge(sum, part.sum);
#pragma unroll
        for (int i = 0; i < 8; i++) at[i] = weights.merge(at[i], part.at[i]);
    }

    __device__ __forceinline__ uint4 result() const {
        const float inverse = sum > 0.0f ? reciprocal(sum) : 0.0f;
        uint32_t words[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            words[i] = products::pack(__fmul_rn(at[2 * i], inverse), __fmul_rn(at[2 * i + 1], inverse));
        }
        return make_uint4(words[0], words[1], words[2], words[3]);
    }
};

// kBlocks: pieces of 64 columns that a head has at most.
template <int kBlocks>
struct Attention {
    const Step& a;
    const Block& block;
    int rows;
    int group;
    int tiles;
    // Of the layer at hand.
    int window = -1;  // that the plan is of
    int units;
    bool by_sections;
    bool spread;  // merging, over the blocks

    // Pieces of 64 columns of a head.
    __device__ __forceinline__ int blocks() const { return kBlocks == 1 ? 1 : (a.width + 63) / 64; }

    __device__ __forceinline__ int page_shift() const { return 31 - __clz(a.page_tokens); }

    __device__ __forceinline__ static Tile* tile_list() { return reinterpret_cast<Tile*>(shared + kTiles); }
    __device__ __forceinline__ static Plan* plans() { return reinterpret_cast<Plan*>(shared + kPlans); }
    __device__ __forceinline__ static int* pages() { return reinterpret_cast<int*>(shared + kPages); }
    // The first tile of a row's sequence, and which of its rows it is.
    __device__ __forceinline__ static int2* row_tiles() { return reinterpret_cast<int2*>(shared + kRowTiles); }

    __device__ __forceinline__ Attention(const Step& a_, const Block& block_, int rows_)
        : a(a_), block(block_), rows(rows_), group(a_.query_heads / a_.key_heads), tiles(0) {
        const int lane = threadIdx.x % 32;
        const int sequences = min(*a.sequences, kMostRows);
        int row = 0;
        int count = 0;
        int position = 0;
        if (lane < sequences) {
            row = a.starts[lane];
            count = min(a.starts[lane + 1], rows) - row;
            if (count > 0) position = a.positions[row];
        }
        const int own = count > 0 ? (count * group + 15) / 16 : 0;
        int end = own;
#pragma unroll
        for (int step = 1; step < 8; step *= 2) {
            const int other = __shfl_up_sync(~0u, end, step);
            if (lane >= step) end += other;
        }
        tiles = min(__shfl_sync(~0u, end, 7), kMostTiles);
        if (warp_number() == 0 && lane < sequences) {
#pragma unroll 1
            for (int i = 0; i < own && end - own + i < kMostTiles; i++) {
                Tile tile = {lane, row, position, 16 * i, min(16, count * group - 16 * i)};
                tile.least = position + tile.first / group;
                tile.most = position + (tile.first + tile.count - 1) / group;
                tile_list()[end - own + i] = tile;
            }
#pragma unroll 1
            for (int i = 0; i < count; i++) row_tiles()[row + i] = make_int2(end - own, i);
        }
        block.sync();
    }

    struct Unit {
        int tile;
        int head;
        int number;  // in all
        int first_chunk;
        int end_chunk;
        int first_key;
        int last_key;
    };

    // The layer's plan, known to all threads after a barrier; with the pages of this block's first unit.
    __device__ __forceinline__ void plan(const Layer& layer) {
        if (window == layer.window) return;
        window = layer.window;
        int chunks = 0;
#pragma unroll 1
        for (int t = 0; t < tiles; t++) {
            const Tile& tile = tile_list()[t];
            const int first_key = tile.least >= layer.window ? tile.least - layer.window + 1 : 0;
            chunks += tile.most / kChunkKeys + 1 - first_key / kChunkKeys;
        }
        by_sections = chunks * a.key_heads > kChunkRounds * static_cast<int>(gridDim.x);
        units = 0;
        int most_units = 0;  // of a tile
#pragma unroll 1
        for (int t = 0; t < tiles; t++) {
            const Tile& tile = tile_list()[t];
            Plan made;
            made.first_key = tile.least >= layer.window ? tile.least - layer.window + 1 : 0;
            made.first_chunk = made.first_key / kChunkKeys;
            made.end_chunk = tile.most / kChunkKeys + 1;
            made.units = by_sections
                             ? (made.end_chunk - 1) / kSectionChunks - made.first_chunk / kSectionChunks + 1
                             : made.end_chunk - made.first_chunk;
            made.base = units;
            units += made.units * a.key_heads;
            most_units = max(most_units, made.units);
            if (threadIdx.x == t) plans()[t] = made;
        }
        units = min(units, a.scratch_units);
        spread = rows * most_units * a.query_heads * a.width * 4 > kMergeAlone;
        block.sync();
        const int first = block_number();
        if (first < units && threadIdx.x < 16) {
            const Unit u = unit(first);
            const int page = (u.first_chunk * kChunkKeys >> page_shift()) + threadIdx.x;
            pages()[threadIdx.x] = __ldg(table_of(u) + min(max(page, u.first_key >> page_shift()), u.last_key >> page_shift()));
        }
        block.sync();
    }

    __device__ __forceinline__ Unit unit(int number) const {
        int t = 0;
#pragma unroll 1
        while (t + 1 < tiles && number >= plans()[t + 1].base) t++;
        const Plan& plan = plans()[t];
        const int index = (number - plan.base) / a.key_heads;
        Unit made;
        made.tile = t;
        made.head = (number - plan.base) % a.key_heads;
        made.number = number;
        if (by_sections) {
            const int section = plan.first_chunk / kSectionChunks + index;
            made.first_chunk = max(plan.first_chunk, section * kSectionChunks);
            made.end_chunk = min(plan.end_chunk, (section + 1) * kSectionChunks);
        } else {
            made.first_chunk = plan.first_chunk + index;
            made.end_chunk = made.first_chunk + 1;
        }
        made.first_key = plan.first_key;
        made.last_key = tile_list()[t].most;
        return made;
    }

    // The unit's head in page 0: eight columns of its keys or values.
    __device__ __forceinline__ const __nv_bfloat16* head_of(const Unit& u, int layer, bool values, int column) const {
        return static_cast<const __nv_bfloat16*>(a.cache) +
               ((static_cast<int64_t>(layer) * 2 + values) * a.key_heads + u.head) * a.page_tokens * a.width + column;
    }

    __device__ __forceinline__ int64_t page_elements() const {
        return static_cast<int64_t>(a.layer_count) * 2 * a.key_heads * a.page_tokens * a.width;
    }

    __device__ __forceinline__ const int32_t* table_of(const Unit& u) const {
        return a.table + static_cast<int64_t>(tile_list()[u.tile].sequence) * a.table_stride;
    }

    // Copies a piece, number `piece` of the unit, to its buffer, but for keys from `from` on, before `until`. Of keys that no row
    // sees, values are zeros, for their weights are. `first`: of the first chunk of this block's first unit.
    __device__ __forceinline__ void copy(const Unit& u, int layer, int piece, int from, int until, bool first) const {
        const int thread = thread_number();
        const int within = piece % (2 * blocks());
        const bool values = within >= blocks();
        const int column = (values ? within - blocks() : within) * 64 + thread % 8 * 8;
        const __nv_bfloat16* const head = head_of(u, layer, values, column);
        const int chunk_key = (u.first_chunk + piece / (2 * blocks())) * kChunkKeys;
        const int32_t* const table = first ? pages() - (chunk_key >> page_shift()) : table_of(u);
        uint32_t to = shared_at(kWork + piece % 2 * kPieceBytes) + thread / 8 * 128 + (thread % 8 ^ thread / 8 % 8) * 16;
        int key = chunk_key + thread / 8;
#pragma unroll 1
        for (int half = 0; half < 2; half++) {
            int page[4];
#pragma unroll
            for (int i = 0; i < 4; i++) page[i] = table[min(max(key + 32 * i, u.first_key), u.last_key) >> page_shift()];
#pragma unroll
            for (int i = 0; i < 4; i++, key += 32, to += 32 * 128) {
                const bool there = key >= u.first_key && key <= u.last_key && column < a.width;
                if (column < a.width && ((key >= from && key < until) || (!there && !values))) continue;
                const int in_page = (key & (a.page_tokens - 1)) * a.width;
                paged::copy_16(
                    to, there ? static_cast<const void*>(head + page[i] * page_elements() + in_page) : a.cache, there ? 16 : 0);
            }
        }
    }

    // Copies a piece, if there is one, all of it; closes a group of copies.
    __device__ __forceinline__ void fetch(const Unit& u, int layer, int piece) const {
        if (piece < (u.end_chunk - u.first_chunk) * 2 * blocks()) copy(u, layer, piece, 0, 0, false);
        paged::copies_commit();
    }

    // The first two pieces, but for keys that this step makes.
    __device__ __forceinline__ void open(const Unit& u, int layer, bool first) const {
#pragma unroll 1
        for (int piece = 0; piece < 2; piece++) {
            copy(u, layer, piece, tile_list()[u.tile].position, u.last_key + 1, first);
            paged::copies_commit();
        }
    }

    // Plans the layer's attention and fetches what is known before its projections are.
    __device__ __forceinline__ void begin(const Layer& layer, int number) {
        plan(layer);
        const int first = block_number();
        if (first < units) open(unit(first), number, true);
    }

    // Queries of the unit's rows, rotated, to shared memory; keys and values of the step that are in its chunks to the cache.
    __device__ __forceinline__ void rotate(const Layer& layer, int number, const Unit& u) const {
        const int thread = thread_number();
        const Tile tile = tile_list()[u.tile];
        const int low = max(u.first_chunk * kChunkKeys - tile.position, 0);
        const int high = min(u.end_chunk * kChunkKeys - 1, u.last_key) - tile.position;
        const int made = max(high - low + 1, 0);
        const int span = a.width <= 8 ? 1 : 1 << (32 - __clz((a.width - 1) / 8));
        const int lane = thread & (span - 1);
        const bool reads = 8 * lane < a.width;
        const int works = tile.count + 2 * made;
        const int together = kConsumerThreads / span;
        paged::Prepare how = {};
        how.query_gain = layer.query_gain;
        how.key_gain = layer.key_gain;
        how.cosine = a.cosine;
        how.sine = a.sine;
        how.width = a.width;
        how.rotary_width = a.rotary_width;
        how.epsilon = layer.head_epsilon;
        // whole warps go round together, since they exchange components
#pragma unroll 1
        for (int from = 0; from < works; from += together) {
            const int w = from + thread / span;
            const bool there = reads && w < works;
            const bool is_query = w < tile.count;
            const bool is_value = w >= tile.count + made;
            const int packed = tile.first + w;
            const int in_sequence = w >= works ? 0 : is_query ? packed / group : low + (w - tile.count) % made;
            const int row = tile.row + in_sequence;
            const int column =
                is_query ? (u.head * group + packed % group) * a.width
                         : (a.query_heads + (is_value ? a.key_heads : 0) + u.head) * a.width;
            paged::Components x = {};
            if (there) {
                x.read(static_cast<const __nv_bfloat16*>(a.projected) + row * a.projected_stride + column + 8 * lane);
            }
            const int position = tile.position + in_sequence;
            paged::normalize_and_rotate(
                x, how, is_query ? layer.query_gain : is_value ? nullptr : layer.key_gain, !is_value, lane, span, there,
                position, reciprocal(a.width));
            if (!there) continue;
            if (is_query) {
                x.write(reinterpret_cast<__nv_bfloat16*>(shared + kQuery + w * kQueryPitch) + 8 * lane);
            } else {
                // To the buffers, where the first two pieces have it, and to the cache.
                const int piece = (is_value ? blocks() : 0) + lane / 8;
                const int in_chunk = position - u.first_chunk * kChunkKeys;
                if (piece < 2 && in_chunk < kChunkKeys) {
                    x.write(reinterpret_cast<__nv_bfloat16*>(
                        shared + kWork + piece * kPieceBytes + in_chunk * 128 + (lane % 8 ^ in_chunk % 8) * 16));
                }
                const int page = __ldg(
                    a.table + static_cast<int64_t>(tile.sequence) * a.table_stride + (position >> page_shift()));
                x.write(
                    static_cast<__nv_bfloat16*>(a.cache) +
                    (((static_cast<int64_t>(page) * a.layer_count + number) * 2 + is_value) * a.key_heads + u.head) *
                        a.page_tokens * a.width +
                    (position & (a.page_tokens - 1)) * a.width + 8 * lane);
            }
        }
        // Products take 16 columns at a time.
        if (a.width % 16 != 0 && thread < 16) {
            *reinterpret_cast<uint4*>(shared + kQuery + thread * kQueryPitch + 2 * a.width) = uint4{};
        }
    }

    // All units of this block, to partial results. What `begin` fetched is of the first.
    __device__ __forceinline__ void attend(const Layer& layer, int number) const {
        const int first = block_number();
#pragma unroll 1
        for (int i = first; i < units; i += gridDim.x) {
            const Unit u = unit(i);
            if (i != first) open(u, number, false);
            rotate(layer, number, u);
            block.sync();
            attend(layer, number, u);
        }
    }

    __device__ __forceinline__ void attend(const Layer& layer, int number, const Unit& u) const {
        const int lane = thread_number() % 32;
        const int warp = warp_number();
        const int quad = lane % 4;
        const float c = __fmul_rn(layer.scale, paged::kLog2E);
        const Tile tile = tile_list()[u.tile];
        const int steps = (a.width + 15) / 16;  // of 16 columns
        // This thread's two rows see keys from, to.
        int from[2];
        int to[2];
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int packed = h * 8 + lane / 4;
            to[h] = packed < tile.count ? tile.position + (tile.first + packed) / group : -1;
            from[h] = to[h] >= layer.window ? to[h] - layer.window + 1 : 0;
        }
        // Where every row sees every key of a block, nothing needs hiding.
        const int all_from = u.last_key >= layer.window ? u.last_key - layer.window + 1 : 0;
        const int all_to = tile.least;

        float* const maxima = reinterpret_cast<float*>(shared + kMaxima) + lane / 4;
        float* const sums = reinterpret_cast<float*>(shared + kSums) + lane;
        uint4* const weights = reinterpret_cast<uint4*>(shared + kWeights) + lane;
        const uint32_t query = shared_at(kQuery) + lane % 16 * kQueryPitch + lane / 16 * 16;

        // Of the section: rows lane / 4 (elements 0, 1) and lane / 4 + 8 (2, 3), columns 64 block + 8 warp + 2 quad + {0, 1}.
        float section_most[2] = {kNothing, kNothing};
        float section_sum[2] = {};
        float section[kBlocks][4] = {};
        // Of the chunk: scores of this warp's 64 keys, and the course of the maximum.
        float scores[kBlockKeys / 8][4];
        float factor[4][2];
        float weight_whole[2];
        float weight_part[2];
        begin_life(scores);
        begin_life(factor);
        weight_whole[0] = weight_whole[1] = weight_part[0] = weight_part[1] = 0.0f;
        const int pieces = (u.end_chunk - u.first_chunk) * 2 * blocks();
#pragma unroll 1
        for (int piece = 0; piece < pieces; piece++) {
            const int chunk_key = (u.first_chunk + piece / (2 * blocks())) * kChunkKeys;
            const int within = piece % (2 * blocks());
            const auto there = [&](int b) {
                return chunk_key + b * kBlockKeys <= u.last_key && chunk_key + (b + 1) * kBlockKeys > u.first_key;
            };
            const int key = chunk_key + warp * kBlockKeys;
            const bool mine = warp < 4 && there(warp);
            const uint32_t at = shared_at(kWork + piece % 2 * kPieceBytes);
            paged::copies_wait<1>();
            block.sync();
            if (within < blocks()) {
                // ---- scores: of four warps, a block of 64 keys each ----
                if (within == 0) {
#pragma unroll
                    for (int j = 0; j < kBlockKeys / 8; j++) scores[j][0] = scores[j][1] = scores[j][2] = scores[j][3] = 0.0f;
                }
                if (mine) {
                    // Matrices of a load: keys 0-7 and 8-15 of 16, each by columns 0-7 and 8-15 of 16.
                    const uint32_t keys_at = at + (warp * kBlockKeys + lane % 8 + lane / 16 * 8) * 128;
#pragma unroll
                    for (int k = 0; k < 4; k++) {
                        if (4 * within + k >= steps) break;
                        uint32_t q[4];
                        paged::load_matrices(q, query + (4 * within + k) * 32);
#pragma unroll
                        for (int t = 0; t < 4; t++) {
                            uint32_t keys[4];
                            paged::load_matrices(keys, keys_at + t * 16 * 128 + ((2 * k + lane / 8 % 2) ^ lane % 8) * 16);
                            paged::multiply(scores[2 * t], q, keys[0], keys[1]);
                            paged::multiply(scores[2 * t + 1], q, keys[2], keys[3]);
                        }
                    }
                }
                if (within == blocks() - 1 && warp < 4) {
                    if (mine && (key < all_from || key + kBlockKeys - 1 > all_to)) {
#pragma unroll
                        for (int j = 0; j < kBlockKeys / 8; j++) {
#pragma unroll
                            for (int e = 0; e < 4; e++) {
                                const int position = key + 8 * j + 2 * quad + (e & 1);
                                scores[j][e] = position >= from[e >> 1] && position <= to[e >> 1] ? scores[j][e] : kNothing;
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
                        maxima[warp * 16] = most[0];
                        maxima[warp * 16 + 8] = most[1];
                    }
                }
            } else {
                // ---- outputs: of each warp eight of the piece's columns ----
                float state[4] = {};
                // Matrices of a load: keys 0-7, 8-15, 16-23 and 24-31 at 8 columns.
                const uint32_t values_at = at + lane * 128 + (warp ^ lane % 8) * 16;
                float state_sum[2] = {};
#pragma unroll
                for (int b = 0; b < 4; b++) {
                    if (!there(b)) continue;
                    if (__any_sync(~0u, factor[b][0] != 1.0f || factor[b][1] != 1.0f)) {
#pragma unroll
                        for (int e = 0; e < 4; e++) state[e] = __fmul_rn(state[e], factor[b][e >> 1]);
                    }
#pragma unroll
                    for (int h = 0; h < 2; h++) {
                        state_sum[h] = __fmaf_rn(state_sum[h], factor[b][h], sums[b * 64 + 32 * h]);
                    }
#pragma unroll
                    for (int half = 0; half < 2; half++) {
                        const uint4 first = weights[(b * 4 + 2 * half) * 32];
                        const uint4 second = weights[(b * 4 + 2 * half + 1) * 32];
                        const uint32_t fragments[2][4] = {
                            {first.x, first.y, first.z, first.w}, {second.x, second.y, second.z, second.w}};
                        uint32_t values[4];
                        paged::load_matrices_transposed(values, values_at + (b * kBlockKeys + half * 32) * 128);
                        paged::multiply(state, fragments[0], values[0], values[1]);
                        paged::multiply(state, fragments[1], values[2], values[3]);
                    }
                }
#pragma unroll
                for (int h = 0; h < 2; h++) {
                    const auto merge = [&](float total, float value) {
                        return __fmaf_rn(total, weight_whole[h], __fmul_rn(value, weight_part[h]));
                    };
                    if (within == blocks()) {
                        state_sum[h] = __fadd_rn(state_sum[h], __shfl_xor_sync(~0u, state_sum[h], 1));
                        state_sum[h] = __fadd_rn(state_sum[h], __shfl_xor_sync(~0u, state_sum[h], 2));
                        section_sum[h] = merge(section_sum[h], state_sum[h]);
                    }
#pragma unroll
                    for (int b = 0; b < kBlocks; b++) {
                        const bool here = kBlocks == 1 || b == within - blocks();
                        const float low = merge(section[b][2 * h], state[2 * h]);
                        const float high = merge(section[b][2 * h + 1], state[2 * h + 1]);
                        section[b][2 * h] = here ? low : section[b][2 * h];
                        section[b][2 * h + 1] = here ? high : section[b][2 * h + 1];
                    }
                }
            }
            block.sync();
            fetch(u, number, piece + 2);
            if (within != blocks() - 1) continue;

            // ---- the course of the maximum through the chunk; weights of a warp's block ----
            float state_most[2] = {kNothing, kNothing};
            float own[2] = {kNothing, kNothing};
#pragma unroll
            for (int b = 0; b < 4; b++) {
#pragma unroll
                for (int h = 0; h < 2; h++) {
                    const float block_most = fmaxf(state_most[h], maxima[b * 16 + 8 * h]);
                    const float rise = __fmul_rn(__fsub_rn(block_most, state_most[h]), c);
                    factor[b][h] = rise > paged::kLeastRise ? paged::power_of_two(-rise) : 1.0f;
                    state_most[h] = rise > paged::kLeastRise ? block_most : state_most[h];
                    if (b == warp) own[h] = state_most[h];
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
                        scores[j][e] = paged::power_of_two(__fmaf_rn(scores[j][e], c, base[e >> 1]));
                        sum[e >> 1] = __fadd_rn(sum[e >> 1], scores[j][e]);
                    }
                }
#pragma unroll
                for (int k = 0; k < kBlockKeys / 16; k++) {
                    weights[(warp * 4 + k) * 32] = make_uint4(
                        paged::pack(scores[2 * k][0], scores[2 * k][1]), paged::pack(scores[2 * k][2], scores[2 * k][3]),
                        paged::pack(scores[2 * k + 1][0], scores[2 * k + 1][1]),
                        paged::pack(scores[2 * k + 1][2], scores[2 * k + 1][3]));
                }
                sums[warp * 64] = sum[0];
                sums[warp * 64 + 32] = sum[1];
            }
#pragma unroll
            for (int h = 0; h < 2; h++) {
                const paged::Weights merging(section_most[h], state_most[h], c);
                section_most[h] = merging.most;
                weight_whole[h] = merging.whole;
                weight_part[h] = merging.part;
            }
        }
        paged::copies_wait<0>();

        float* const partial = a.scratch + static_cast<int64_t>(u.number) * 16 * (a.width + 2);
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int packed = h * 8 + lane / 4;
            if (packed >= tile.count) continue;
#pragma unroll
            for (int b = 0; b < kBlocks; b++) {
                const int column = 64 * b + 8 * warp + 2 * quad;
                if (column < a.width) {
                    *reinterpret_cast<float2*>(partial + packed * a.width + column) =
                        make_float2(section[b][2 * h], section[b][2 * h + 1]);
                }
            }
            if (quad == 0 && warp == 0) {
                *reinterpret_cast<float2*>(partial + 16 * a.width + packed * 2) = make_float2(section_most[h], section_sum[h]);
            }
        }
        block.sync();
    }

    // ---- merging ----

    // A packed row of the layer for one query head, and its partial results, `stride` floats apart.
    struct Source {
        const float* outputs;
        const float* sums;
        int64_t stride;
        int units;
        int first_chunk;
    };

    __device__ __forceinline__ Source source(int row, int head) const {
        const int2 place = row_tiles()[row];
        const int packed = place.y * group + head % group;
        const Plan& plan = plans()[place.x + packed / 16];
        Source made;
        made.stride = static_cast<int64_t>(a.key_heads) * 16 * (a.width + 2);
        const float* const base = a.scratch + static_cast<int64_t>(plan.base + head / group) * 16 * (a.width + 2);
        made.outputs = base + packed % 16 * a.width;
        made.sums = base + 16 * a.width + packed % 16 * 2;
        made.units = plan.units;
        made.first_chunk = plan.first_chunk;
        return made;
    }

    // Partial results from, end (excluded), which are of one section, merged in order; of eight columns.
    __device__ __forceinline__ Eight section(const Source& s, int column, int from, int end, float c) const {
        Eight whole;
#pragma unroll 1
        for (int first = from; first < end; first += kAtOnce) {
            float2 sums[kAtOnce];
            float4 low[kAtOnce];
            float4 high[kAtOnce];
#pragma unroll
            for (int i = 0; i < kAtOnce; i++) {
                const int64_t at = min(first + i, end - 1) * s.stride;
                sums[i] = *reinterpret_cast<const float2*>(s.sums + at);
                low[i] = reinterpret_cast<const float4*>(s.outputs + at + column)[0];
                high[i] = reinterpret_cast<const float4*>(s.outputs + at + column)[1];
            }
#pragma unroll
            for (int i = 0; i < kAtOnce; i++) {
                if (first + i < end) {
                    whole.merge(
                        Eight{sums[i].x, sums[i].y, {low[i].x, low[i].y, low[i].z, low[i].w, high[i].x, high[i].y, high[i].z, high[i].w}},
                        c);
                }
            }
        }
        return whole;
    }

    // The partial results of section number `index` of the row.
    __device__ __forceinline__ int2 parts_of(const Source& s, int index) const {
        if (by_sections) return make_int2(index, index + 1);
        const int section = s.first_chunk / kSectionChunks + index;
        return make_int2(
            max(section * kSectionChunks - s.first_chunk, 0), min((section + 1) * kSectionChunks - s.first_chunk, s.units));
    }

    __device__ __forceinline__ int sections_of(const Source& s) const {
        return by_sections ? s.units
                           : (s.first_chunk + s.units - 1) / kSectionChunks - s.first_chunk / kSectionChunks + 1;
    }

    // X of the output projection, merged by this block for itself.
    __device__ __forceinline__ void fill(const Layer& layer, int first, int end) const {
        const float c = __fmul_rn(layer.scale, paged::kLog2E);
        const int thread = thread_number();
#pragma unroll 1
        for (int row = 0; row < rows; row++) {
#pragma unroll 1
            for (int chunk = thread; chunk < 8 * (end - first); chunk += kConsumerThreads) {
                const int column = 64 * first + 8 * chunk;
                uint4 result = {};
                if (column < a.query_heads * a.width) {
                    const Source s = source(row, column / a.width);
                    const int sections = sections_of(s);
                    Eight whole;
#pragma unroll 1
                    for (int index = 0; index < sections; index++) {
                        const int2 parts = parts_of(s, index);
                        whole.merge(section(s, column % a.width, parts.x, parts.y, c), c);
                    }
                    result = whole.result();
                }
                *place(rows, row, chunk) = result;
            }
        }
    }

    // Merges to memory, a block for each row and head: its warps take sections, then each thread eight columns through them.
    __device__ __forceinline__ void merge(const Layer& layer) const {
        const float c = __fmul_rn(layer.scale, paged::kLog2E);
        const int thread = thread_number();
        const int lane = thread % 32;
        float* const outputs = reinterpret_cast<float*>(shared + kWork);
        float2* const section_sums = reinterpret_cast<float2*>(shared + kSums);
#pragma unroll 1
        for (int work = block_number(); work < rows * a.query_heads; work += gridDim.x) {
            const int row = work / a.query_heads;
            const int head = work % a.query_heads;
            const Source s = source(row, head);
            const int sections = sections_of(s);
            Eight whole;
            const bool mine = thread * 8 < a.width;
            for (int first = 0; first < sections; first += kMergeSections) {
                const int count = min(kMergeSections, sections - first);
                block.sync();
#pragma unroll 1
                for (int index = warp_number(); index < count; index += kConsumers) {
                    if (8 * lane >= a.width) continue;
                    const int2 parts = parts_of(s, first + index);
                    const Eight one = section(s, 8 * lane, parts.x, parts.y, c);
                    float4* const to = reinterpret_cast<float4*>(outputs + index * 256 + 8 * lane);
                    to[0] = make_float4(one.at[0], one.at[1], one.at[2], one.at[3]);
                    to[1] = make_float4(one.at[4], one.at[5], one.at[6], one.at[7]);
                    if (lane == 0) section_sums[index] = make_float2(one.most, one.sum);
                }
                block.sync();
                if (mine) {
#pragma unroll 1
                    for (int index = 0; index < count; index++) {
                        Eight one;
                        one.most = section_sums[index].x;
                        one.sum = section_sums[index].y;
#pragma unroll
                        for (int i = 0; i < 8; i++) one.at[i] = outputs[index * 256 + 8 * thread + i];
                        whole.merge(one, c);
                    }
                }
            }
            if (mine) {
                *reinterpret_cast<uint4*>(
                    static_cast<__nv_bfloat16*>(a.attended) + row * a.attended_stride + head * a.width + 8 * thread) =
                    whole.result();
            }
        }
    }
};

}  // namespace
}  // namespace decode_step
