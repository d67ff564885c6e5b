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

__device__ __forceinline__ void produce_matrix(Ring& ring, const void* w, int outputs, int inputs) {
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
    Ring ring;
#pragma unroll 1
    for (int l = 0; l < a.layer_count; l++) {
        const Layer& layer = a.layers[l];
#pragma unroll 1
        for (int matrix = 0; matrix < kMatrices; matrix++) {
            const void* const w = matrix == kQueryKeyValue ? layer.query_key_value
                                  : matrix == kOutput      ? layer.output
                                  : matrix == kGateUp      ? layer.gate_up
                                                           : layer.down;
            produce_matrix(ring, w, outputs_of(a, matrix), inputs_of(a, matrix));
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

// All strips of this block: `fill` puts tiles from, to (excluded) of X to kWork, `finish` takes sums.
template <class Fill, class Finish>
__device__ __forceinline__ void multiply(
    Ring& ring, const Block& block, int outputs, int inputs, int rows, const Fill& fill, const Finish& finish) {
    const int tiles = (inputs + 63) / 64;
    const int room = min(tiles, kWorkBytes / (rows * 128) & -8);
    const Share share(outputs);
    const int lane = thread_number() % 32;
    const int warp = warp_number();
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
            block.sync();
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

// 16 bytes of row `row`, eight columns from 8 * chunk on, where chunk 0 is the first of the tiles at kWork.
__device__ __forceinline__ void put(int rows, int row, int chunk, const uint4& value) {
    *reinterpret_cast<uint4*>(shared + kWork + (chunk / 8 * rows + row) * 128 + (chunk % 8 ^ row) * 16) = value;
}

// X as it stands in memory, bf16 [rows, stride], padded with zeros.
__device__ __forceinline__ void fill_copied(const void* from, int stride, int rows, int first, int end) {
    const int thread = thread_number();
#pragma unroll 1
    for (int row = 0; row < rows; row++) {
        const uint4* const source = static_cast<const uint4*>(from) + row * (stride / 8) + 8 * first;
#pragma unroll 4
        for (int chunk = thread; chunk < 8 * (end - first); chunk += kConsumerThreads) {
            put(rows, row, chunk, source[chunk]);
        }
    }
}

// The residual, normed as rows_normalize does it.
struct Normed {
    const Step& a;
    const Block& block;
    int rows;

    // Tiles of X; with the first of them come the factors.
    __device__ __forceinline__ void fill(const float* gain, int first, int end, bool begins) const {
        if (begins) factors(a.residual, rows);
        const int thread = thread_number();
#pragma unroll 1
        for (int row = 0; row < rows; row++) {
            const float one = factor(row);
            const float* const x = a.residual + row * a.hidden;
#pragma unroll 2
            for (int chunk = thread; chunk < 8 * (end - first); chunk += kConsumerThreads) {
                const int column = 64 * first + 8 * chunk;
                put(rows, row, chunk, column < a.hidden ? eight(x + column, one, gain + column) : uint4{});
            }
        }
    }

    __device__ __forceinline__ static uint4 eight(const float* x, float factor, const float* gain) {
        const float4 x0 = reinterpret_cast<const float4*>(x)[0];
        const float4 x1 = reinterpret_cast<const float4*>(x)[1];
        const float4 g0 = __ldg(reinterpret_cast<const float4*>(gain));
        const float4 g1 = __ldg(reinterpret_cast<const float4*>(gain) + 1);
        const auto one = [&](float v, float g) { return __fmul_rn(__fmul_rn(v, factor), g); };
        return make_uint4(
            products::pack(one(x0.x, g0.x), one(x0.y, g0.y)), products::pack(one(x0.z, g0.z), one(x0.w, g0.w)),
            products::pack(one(x1.x, g1.x), one(x1.y, g1.y)), products::pack(one(x1.z, g1.z), one(x1.w, g1.w)));
    }

    // Sums of squares of `count` rows, to shared memory, a number for each warp: thread t takes the groups of four columns
    // t, t + 256, ..., in ascending order; then a butterfly in each warp. All threads call it.
    __device__ __forceinline__ void factors(const float* x, int count) const {
        const int thread = thread_number();
#pragma unroll 1
        for (int row = 0; row < count; row++) {
            const float4* const in = reinterpret_cast<const float4*>(x + row * a.hidden);
            float sum = 0;
#pragma unroll 2
            for (int group = thread; group * 4 < a.hidden; group += kConsumerThreads) {
                const float4 v = in[group];
                sum = __fmaf_rn(v.x, v.x, sum);
                sum = __fmaf_rn(v.y, v.y, sum);
                sum = __fmaf_rn(v.z, v.z, sum);
                sum = __fmaf_rn(v.w, v.w, sum);
            }
#pragma unroll
            for (int distance = 16; distance > 0; distance /= 2) {
                sum = __fadd_rn(sum, __shfl_xor_sync(~0u, sum, distance));
            }
            if (thread % 32 == 0) reinterpret_cast<float*>(shared + kReduce)[row * kConsumers + thread / 32] = sum;
        }
        block.sync();
    }

    // 1 / sqrt(mean of squares + epsilon): warps in ascending order.
    __device__ __forceinline__ float factor(int row) const {
        const float* const warps = reinterpret_cast<const float*>(shared + kReduce) + row * kConsumers;
        float total = warps[0];
#pragma unroll
        for (int warp = 1; warp < kConsumers; warp++) total = __fadd_rn(total, warps[warp]);
        return __frsqrt_rn(__fadd_rn(quotient(total, a.hidden, reciprocal(a.hidden)), a.epsilon));
    }

    // The last norm, of one row.
    __device__ __forceinline__ void write(int row, const float* gain) const {
        const float* const x = a.residual + row * a.hidden;
        block.sync();
        factors(x, 1);
        const float one = factor(0);
        uint4* const out = reinterpret_cast<uint4*>(static_cast<__nv_bfloat16*>(a.normed) + row * a.normed_stride);
        for (int chunk = threadIdx.x; chunk * 8 < a.hidden; chunk += kConsumerThreads) {
            out[chunk] = eight(x + 8 * chunk, one, gain + 8 * chunk);
        }
    }
};

// Asks for a norm's gain ahead of time.
__device__ __forceinline__ void prefetch(const float* gain, int count) {
    for (int i = thread_number() * 32; i < count; i += 32 * kConsumerThreads) {
        asm volatile("prefetch.global.L2 [%0];" ::"l"(gain + i));
    }
}

}  // namespace
}  // namespace decode_step
