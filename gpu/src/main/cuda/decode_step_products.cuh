// The products of the decoding step: the producer's walk over all weights, the consumers' chains, norms, and what is done
// with the sums. See decode_step.cuh.
#pragma once

#include "decode_step_block.cuh"
#include "products_gate.cuh"

namespace decode_step {
namespace {

// The strips of this block, in rounds of at most eight: round r of them begins with strip at(r).
struct Share {
    int first;
    int count;
    int rounds;

    __device__ __forceinline__ explicit Share(int outputs) {
        const int strips = (outputs + 15) / 16;
        const int block = block_number();
        first = block * strips / static_cast<int>(gridDim.x);
        count = (block + 1) * strips / static_cast<int>(gridDim.x) - first;
        rounds = (count + kConsumers - 1) / kConsumers;
    }

    __device__ __forceinline__ int at(int round) const { return first + round * count / rounds; }
};

// The matrices of a layer, in their order.
enum Matrix { kQueryKeyValue, kOutput, kGateUp, kDown, kMatrices };

__device__ __forceinline__ int outputs_of(const Step& a, int matrix) {
    return matrix == kQueryKeyValue ? (a.query_heads + 2 * a.key_heads) * a.width
           : matrix == kGateUp      ? 2 * a.intermediate
                                    : a.hidden;
}

__device__ __forceinline__ int inputs_of(const Step& a, int matrix) {
    return matrix == kOutput ? a.query_heads * a.width : matrix == kDown ? a.intermediate : a.hidden;
}

// Tiles of 64 inputs that a slot holds of each of so many strips. They divide eight.
__device__ __forceinline__ int depth_of(int strips) { return strips == 1 ? 8 : strips == 2 ? 4 : strips <= 4 ? 2 : 1; }

// ---- producer ----

// What is read of a tile of W: strips of it, one behind the other.
constexpr int kPieces = 3;

// Where the producer is, and how far the copies are.
struct Flight {
    Ring next;
    Ring arriving;
    int begun = 0;

    // Waits until no more than kFlight slots will be on their way, with the next.
    __device__ __forceinline__ void limit() {
        if (begun < kFlight) {
            begun++;
            return;
        }
        await(shared_at(kFull + 8 * arriving.stage), arriving.turn);
        arriving.advance();
    }
};

__device__ __forceinline__ void produce_matrix(Flight& flight, const void* w, int outputs, int inputs) {
    Ring& ring = flight.next;
    const int tiles = (inputs + 63) / 64;
    const Share share(outputs);
    for (int round = 0; round < share.rounds; round++) {
        const int first = share.at(round);
        const int strips = share.at(round + 1) - first;
        const int depth = depth_of(strips);
        const char* source[kPieces];
        uint32_t target[kPieces];
        int bytes[kPieces];
#pragma unroll
        for (int i = 0; i < kPieces; i++) {
            const int from = max(first, (first / 4 + i) * 4);
            const int to = min(first + strips, (first / 4 + i + 1) * 4);
            source[i] = static_cast<const char*>(w) + static_cast<int64_t>(from / 4) * tiles * 8192 + from % 4 * kStripBytes;
            target[i] = (from - first) * kStripBytes;
            bytes[i] = (to - from) * kStripBytes;
        }
        for (int tile = 0; tile < tiles; tile += depth) {
            const int count = min(depth, tiles - tile);
            const uint32_t full = shared_at(kFull + 8 * ring.stage);
            const uint32_t slot = ring.slot();
            flight.limit();
            // A position in the ring is first waited for when it is empty.
            await(shared_at(kEmpty + 8 * ring.stage), ring.turn ^ 1);
            if (products::elected()) {
                barrier_arrive_expecting(full, count * strips * kStripBytes);
#pragma unroll 1
                for (int d = 0; d < count; d++) {
#pragma unroll
                    for (int i = 0; i < kPieces; i++) {
                        if (bytes[i] > 0) {
                            products::copy_bytes(
                                slot + d * strips * kStripBytes + target[i], source[i] + d * 8192, bytes[i], full, kEvictFirst);
                        }
                    }
                }
            }
            __syncwarp();
#pragma unroll
            for (int i = 0; i < kPieces; i++) source[i] += depth * 8192;
            ring.advance();
        }
    }
}

__device__ __forceinline__ void produce(const Step& a) {
    Flight flight;
#pragma unroll 1
    for (int l = 0; l < a.layer_count; l++) {
        const Layer& layer = a.layers[l];
#pragma unroll 1
        for (int matrix = 0; matrix < kMatrices; matrix++) {
            const void* const w = matrix == kQueryKeyValue ? layer.query_key_value
                                  : matrix == kOutput      ? layer.output
                                  : matrix == kGateUp      ? layer.gate_up
                                                           : layer.down;
            produce_matrix(flight, w, outputs_of(a, matrix), inputs_of(a, matrix));
        }
    }
}

// ---- chains ----

// What 32 columns of a strip and of X (8 rows) are in a warp's registers. Half a tile: more of them at a time would leave too few
// for the rest of the kernel.
struct Fragments {
    uint32_t w[2][4];
    uint32_t x[1][4];

    // `w_at`, `x_at`: this lane's addresses.
    __device__ __forceinline__ void load(uint32_t w_at, uint32_t x_at) {
        products::load_matrices(w[0], w_at);
        products::load_matrices(w[1], w_at ^ 32);
        products::load_matrices(x[0], x_at);
    }

    template <int kStep>
    __device__ __forceinline__ void multiply(float (&d)[4]) const {
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
            "{%0, %1, %2, %3};"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(w[kStep][0]), "r"(w[kStep][1]), "r"(w[kStep][2]), "r"(w[kStep][3]), "r"(x[0][2 * kStep]),
              "r"(x[0][2 * kStep + 1]));
    }
};

// One warp's chain over `tiles` tiles of its strip, number `strip` of `strips`. X stands at kWork.
__device__ __forceinline__ void chain(Ring& ring, float (&sums)[4], int tiles, int strip, int strips, int rows) {
    const int lane = thread_number() % 32;
    const int depth = depth_of(strips);
    // Addresses of rows for ldmatrix; chunks of a row are swizzled by the row. Rows that are not live are the last one again.
    const uint32_t w_lane = strip * kStripBytes + lane % 16 * 128 + (lane / 16 ^ lane % 8) * 16;
    const int row = min(lane % 8, rows - 1);
    uint32_t x_at = shared_at(kWork) + row * 128 + (lane / 8 ^ row) * 16;
    const int releases = strip == 0 ? kConsumers - strips + 1 : 1;  // for the warps without a strip, too
    Fragments first, second;
    begin_life(first.w);
    begin_life(first.x);
    begin_life(second.w);
    begin_life(second.x);
    await(shared_at(kFull + 8 * ring.stage), ring.turn);
    uint32_t w_at = ring.slot() + w_lane;
    first.load(w_at, x_at);
    int place = 0;  // in the slot
#pragma unroll 1
    for (int tile = 0; tile < tiles; tile++) {
        // Between the products, which wait for each other, the next fragments are fetched.
        first.multiply<0>(sums);
        second.load(w_at ^ 64, x_at ^ 64);
        first.multiply<1>(sums);
        second.multiply<0>(sums);
        w_at += strips * kStripBytes;
        x_at += rows * 128;
        const bool more = tile + 1 < tiles;
        const int slot = ring.stage;
        const bool last = ++place == depth || !more;
        if (last) {
            place = 0;
            ring.advance();
            if (more) {
                await(shared_at(kFull + 8 * ring.stage), ring.turn);
                w_at = ring.slot() + w_lane;
            }
        }
        if (more) first.load(w_at, x_at);
        second.multiply<1>(sums);
        if (last) {
            __syncwarp();
            if (lane == 0) arrive_times(shared_at(kEmpty + 8 * slot), releases);
        }
    }
}

// All strips of this block: `ready` waits for what X is made of, `fill` puts tiles from, to (excluded) of it to kWork, `finish` takes
// sums.
template <class Ready, class Fill, class Finish>
__device__ __forceinline__ void multiply(
    Ring& ring, const Block& block, int outputs, int inputs, int rows, const Ready& ready, const Fill& fill,
    const Finish& finish) {
    const int tiles = (inputs + 63) / 64;
    const int room = min(tiles, kWorkBytes / (rows * 128) & -8);
    const Share share(outputs);
    const int lane = thread_number() % 32;
    const int warp = warp_number();
    ready();
#pragma unroll 1
    for (int round = 0; round < share.rounds; round++) {
        const int first = share.at(round);
        const int strips = share.at(round + 1) - first;
        const int depth = depth_of(strips);
        float sums[4] = {};
#pragma unroll 1
        for (int tile = 0; tile < tiles; tile += room) {
            const int count = min(room, tiles - tile);
            // Nobody reads X any more; and a warp that passed over slots may wait for one only when all fillings before it are
            // complete.
            if (round > 0 || tile > 0) block.sync();
            if (round == 0 || room < tiles) {
                fill(tile, tile + count, tile == 0);
                block.sync();
            }
            if (warp < strips) {
                chain(ring, sums, count, warp, strips, rows);
            } else {
                ring.skip((count + depth - 1) / depth);
            }
        }
        // This lane has outputs lane / 4 and 8 more of the strip, of rows 2 * (lane % 4) and the next.
        if (warp < strips) {
            const int output = 16 * (first + warp) + lane / 4;
            const int row = lane % 4 * 2;
            if (row < rows) finish(row, output, sums[0], sums[2]);
            if (row + 1 < rows) finish(row + 1, output, sums[1], sums[3]);
        }
    }
}

// ---- what is done with the sums for `output` and output + 8 ----

__device__ __forceinline__ float with_bias(const float* bias, float sum, int output) {
    return bias != nullptr ? __fadd_rn(sum, __ldg(bias + output)) : sum;
}

enum class Epilogue { kStore, kAdd, kGated };

struct Finish {
    Epilogue epilogue;
    void* out;  // fp32 for sums that are added, else bf16
    const float* bias;
    int stride;
    int outputs;

    __device__ __forceinline__ void operator()(int row, int output, float low, float high) const {
        if (output >= outputs) return;
        const bool both = output + 8 < outputs;
        low = with_bias(bias, low, output);
        if (both) high = with_bias(bias, high, output + 8);
        if (epilogue == Epilogue::kAdd) {
            float* const to = static_cast<float*>(out) + row * stride + output;
            add(to, low);
            if (both) add(to + 8, high);
        } else if (epilogue == Epilogue::kGated) {
            static_cast<__nv_bfloat16*>(out)[row * stride + output / 16 * 8 + output % 8] =
                __float2bfloat16_rn(products::gate(low, high));
        } else {
            __nv_bfloat16* const to = static_cast<__nv_bfloat16*>(out) + row * stride + output;
            to[0] = __float2bfloat16_rn(low);
            if (both) to[8] = __float2bfloat16_rn(high);
        }
    }

    __device__ __forceinline__ static void add(float* to, float value) {
        asm volatile("red.relaxed.gpu.global.add.f32 [%0], %1;" ::"l"(to), "f"(value) : "memory");
    }
};

__device__ __forceinline__ Finish finish_of(const Step& a, const Layer& layer, int matrix) {
    switch (matrix) {
        case kQueryKeyValue:
            return {Epilogue::kStore, a.projected, layer.query_key_value_bias, a.projected_stride, outputs_of(a, matrix)};
        case kGateUp:
            return {Epilogue::kGated, a.gated, layer.gate_up_bias, a.gated_stride, outputs_of(a, matrix)};
        default:
            return {Epilogue::kAdd, a.residual, matrix == kOutput ? layer.output_bias : layer.down_bias, a.hidden, a.hidden};
    }
}

// ---- X ----

// Where 16 bytes of X stand: of row `row`, eight columns from 8 * chunk on, chunk 0 being the first of the tiles at kWork.
__device__ __forceinline__ uint4* place(int rows, int row, int chunk) {
    return reinterpret_cast<uint4*>(shared + kWork + (chunk / 8 * rows + row) * 128 + (chunk % 8 ^ row) * 16);
}

// X as it stands in memory, bf16 [rows, stride], padded with zeros. Eight threads have a row of a tile.
__device__ __forceinline__ void fill_copied(const void* from, int stride, int rows, int first, int end) {
    const int thread = thread_number();
    const uint4* const source = static_cast<const uint4*>(from) + 8 * first + thread % 8;
#pragma unroll 4
    for (int line = thread / 8; line < (end - first) * rows; line += kConsumerThreads / 8) {
        const int tile = line / rows;
        const int row = line - tile * rows;
        *place(rows, row, 8 * tile + thread % 8) = source[row * (stride / 8) + 8 * tile];
    }
}

// The residual, normed as rows_normalize does it.
struct Normed {
    const Step& a;
    const Block& block;
    int rows;

    // A gain, in shared memory if there is room for it: asked for ahead of time, there when copies have been waited for.
    __device__ __forceinline__ void fetch(const float* gain) const {
        if (4 * a.hidden > kGainBytes) return;
        for (int chunk = thread_number(); 4 * chunk < a.hidden; chunk += kConsumerThreads) {
            asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_at(kGain) + 16 * chunk), "l"(gain + 4 * chunk)
                         : "memory");
        }
    }

    __device__ __forceinline__ const float4* gain_of(const float* gain) const {
        return reinterpret_cast<const float4*>(
            4 * a.hidden > kGainBytes ? gain : reinterpret_cast<const float*>(shared + kGain));
    }

    // A row of which each thread has at most kGroups groups of four columns.
    static constexpr int kGroups = 4;

    __device__ __forceinline__ bool narrow() const { return a.hidden <= kGroups * 4 * kConsumerThreads; }

    // Tiles of X; with the first of them come the factors.
    __device__ __forceinline__ void fill(const float* gain, int first, int end, bool begins) const {
        const float4* const gains = gain_of(gain);
        if (rows == 1 && narrow()) {
            one(a.residual, gains, 8 * end, [&](int group, const uint2& four) {
                reinterpret_cast<uint2*>(place(1, 0, group / 2))[group % 2] = four;
            });
            return;
        }
        if (begins) factors();
        const int thread = thread_number();
        const float4* const x = reinterpret_cast<const float4*>(a.residual);
#pragma unroll 2
        for (int line = thread / 8; line < (end - first) * rows; line += kConsumerThreads / 8) {
            const int tile = line / rows;
            const int row = line - tile * rows;
            const int chunk = 8 * tile + thread % 8;
            const int group = 2 * (8 * first + chunk);
            const float factor = reinterpret_cast<const float*>(shared + kFactors)[row];
            uint4 eight = {};
            if (4 * group < a.hidden) {
                const uint2 low = four(x[row * (a.hidden / 4) + group], factor, gains[group]);
                const uint2 high = four(x[row * (a.hidden / 4) + group + 1], factor, gains[group + 1]);
                eight = make_uint4(low.x, low.y, high.x, high.y);
            }
            *place(rows, row, chunk) = eight;
        }
    }

    __device__ __forceinline__ static uint2 four(const float4& x, float factor, const float4& gain) {
        const auto one = [&](float v, float g) { return __fmul_rn(__fmul_rn(v, factor), g); };
        return make_uint2(
            products::pack(one(x.x, gain.x), one(x.y, gain.y)), products::pack(one(x.z, gain.z), one(x.w, gain.w)));
    }

    __device__ __forceinline__ static float squares(const float4& v, float sum) {
        sum = __fmaf_rn(v.x, v.x, sum);
        sum = __fmaf_rn(v.y, v.y, sum);
        sum = __fmaf_rn(v.z, v.z, sum);
        return __fmaf_rn(v.w, v.w, sum);
    }

    // A thread's sum of squares: it has the groups of four columns t, t + 256, ..., in ascending order. Then a butterfly in each
    // warp; a number for each goes to shared memory.
    __device__ __forceinline__ static void reduce(float sum, int row, int thread) {
#pragma unroll
        for (int distance = 16; distance > 0; distance /= 2) sum = __fadd_rn(sum, __shfl_xor_sync(~0u, sum, distance));
        if (thread % 32 == 0) reinterpret_cast<float*>(shared + kReduce)[row * kConsumers + thread / 32] = sum;
    }

    // 1 / sqrt(mean of squares + epsilon): warps in ascending order.
    __device__ __forceinline__ float factor(int row) const {
        const float* const warps = reinterpret_cast<const float*>(shared + kReduce) + row * kConsumers;
        float total = warps[0];
#pragma unroll
        for (int warp = 1; warp < kConsumers; warp++) total = __fadd_rn(total, warps[warp]);
        return __frsqrt_rn(__fadd_rn(quotient(total, a.hidden, reciprocal(a.hidden)), a.epsilon));
    }

    // The factors of all rows, to shared memory. Four rows at a time, so that their numbers are on their way together.
    __device__ __forceinline__ void factors() const {
        const int thread = thread_number();
        const float4* const x = reinterpret_cast<const float4*>(a.residual);
#pragma unroll 1
        for (int first = 0; first < rows; first += 4) {
            float sums[4] = {};
#pragma unroll 1
            for (int group = thread; group * 4 < a.hidden; group += kConsumerThreads) {
                float4 v[4];
#pragma unroll
                for (int i = 0; i < 4; i++) v[i] = x[min(first + i, rows - 1) * (a.hidden / 4) + group];
#pragma unroll
                for (int i = 0; i < 4; i++) sums[i] = squares(v[i], sums[i]);
            }
#pragma unroll
            for (int i = 0; i < 4; i++) reduce(sums[i], min(first + i, rows - 1), thread);
        }
        block.sync();
        if (thread < rows) reinterpret_cast<float*>(shared + kFactors)[thread] = factor(thread);
        block.sync();
    }

    // One narrow row at once: `put` gets groups of four columns, up to `groups`.
    template <class Put>
    __device__ __forceinline__ void one(const float* row, const float4* gains, int chunks, const Put& put) const {
        const int thread = thread_number();
        const float4* const x = reinterpret_cast<const float4*>(row);
        float4 v[kGroups];
        float sum = 0;
#pragma unroll
        for (int i = 0; i < kGroups; i++) {
            const int group = thread + i * kConsumerThreads;
            v[i] = 4 * group < a.hidden ? x[group] : float4{};
        }
#pragma unroll
        for (int i = 0; i < kGroups; i++) sum = squares(v[i], sum);
        reduce(sum, 0, thread);
        block.sync();
        const float by = factor(0);
#pragma unroll
        for (int i = 0; i < kGroups; i++) {
            const int group = thread + i * kConsumerThreads;
            if (group < 2 * chunks) put(group, 4 * group < a.hidden ? four(v[i], by, gains[group]) : uint2{});
        }
    }

    // The last norm, of one row, to memory.
    __device__ __forceinline__ void write(int row, const float* gain) const {
        const float* const x = a.residual + row * a.hidden;
        uint2* const out =
            reinterpret_cast<uint2*>(static_cast<__nv_bfloat16*>(a.normed) + static_cast<int64_t>(row) * a.normed_stride);
        block.sync();
        if (narrow()) {
            one(x, reinterpret_cast<const float4*>(gain), a.hidden / 8, [&](int group, const uint2& made) { out[group] = made; });
            return;
        }
        const int thread = thread_number();
        float sum = 0;
        for (int group = thread; group * 4 < a.hidden; group += kConsumerThreads) {
            sum = squares(reinterpret_cast<const float4*>(x)[group], sum);
        }
        reduce(sum, 0, thread);
        block.sync();
        const float by = factor(0);
        for (int group = thread; group * 4 < a.hidden; group += kConsumerThreads) {
            out[group] = four(
                reinterpret_cast<const float4*>(x)[group], by, reinterpret_cast<const float4*>(gain)[group]);
        }
    }
};

}  // namespace
}  // namespace decode_step
