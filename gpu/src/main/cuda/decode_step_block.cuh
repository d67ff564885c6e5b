// What a block of the decoding step is made of: its shared memory, the ring of weights, and how blocks wait for each other.
#pragma once

#include <cuda_bf16.h>
#include <cmath>
#include <cstdint>

#include "decode_step.cuh"
#include "products_pipeline.cuh"

namespace decode_step {
namespace {

using products::shared;
using namespace hopper;

constexpr int kConsumers = 8;  // warps
constexpr int kConsumerThreads = 32 * kConsumers;
constexpr int kThreads = kConsumerThreads + 32;

constexpr int kStripBytes = 2048;             // 16 outputs, 64 inputs
constexpr int kSlotBytes = 8 * kStripBytes;
constexpr int kSlots = 9;
// Slots on their way at a time. Enough for memory to be busy; with more, all else that this multiprocessor asks of memory, and the
// fence before a barrier, would stand in line behind them.
constexpr int kFlight = 3;

// Shared memory.
constexpr int kQueryPitch = 528;              // bytes; an odd number of 16-byte pieces, so that eight rows meet all banks
constexpr int kFull = 0;
constexpr int kEmpty = kFull + 8 * kSlots;
constexpr int kReduce = 256;                  // float [8 rows][8 warps]
constexpr int kTiles = 512;                   // Tile [8]
constexpr int kPlans = 768;                   // Plan [8]
constexpr int kRowTiles = 1024;               // int [8][2]
constexpr int kPages = 1088;                  // int [16]: of the block's first unit of attention
constexpr int kFactors = 1152;                // float [8 rows]
constexpr int kMaxima = 1280;                 // float [4 blocks of keys][16 rows]
constexpr int kSums = kMaxima + 256;          // float [4 blocks of keys][16 rows][4 lanes of a quad]
constexpr int kQuery = kSums + 1024;          // bf16 [16][width]
constexpr int kWeights = kQuery + 16 * kQueryPitch;  // bf16 fragments, 512 bytes for 16 keys
constexpr int kLayers = kWeights + 8192;      // Layer [2]: that at hand and the next
constexpr int kGain = kQuery;                 // of a norm, up to kGainBytes: while there is no attention
constexpr int kGainBytes = kLayers - kQuery;
constexpr int kWork = 19 << 10;               // X, or two pieces of keys or values
constexpr int kWorkBytes = 64 << 10;
constexpr int kRing = kWork + kWorkBytes;
constexpr int kSharedBytes = kRing + kSlots * kSlotBytes;
static_assert(kEmpty + 8 * kSlots <= kReduce && kLayers + 2 * sizeof(Layer) <= kWork && kSharedBytes <= 232448, "a block's memory");

// The thread's and the block's number, read anew wherever a phase begins: else all that follows from them, in all phases, would
// be computed once and held in registers throughout.
__device__ __forceinline__ int thread_number() {
    int number;
    asm volatile("mov.u32 %0, %%tid.x;" : "=r"(number));
    return number;
}

__device__ __forceinline__ int warp_number() { return __shfl_sync(~0u, thread_number() / 32, 0); }

__device__ __forceinline__ int block_number() {
    int number;
    asm volatile("mov.u32 %0, %%ctaid.x;" : "=r"(number));
    return number;
}

// 1 / x rounded to nearest, as __frcp_rn gives it, for x neither tiny nor huge: without the call to a subroutine for those, at
// which the assembler keeps registers of all callers.
__device__ __forceinline__ float reciprocal(float x) {
    float guess;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(guess) : "f"(x));
    return __fmaf_rn(guess, -__fmaf_rn(x, guess, -1.0f), guess);
}

// a / b rounded to nearest, as __fdiv_rn gives it, for a whole b below 2^23 and a not tiny (Markstein, IBM Journal of Research and
// Development 34, 1990, theorem 5). `inverse` is reciprocal(b).
__device__ __forceinline__ float quotient(float a, float b, float inverse) {
    const float guess = __fmul_rn(a, inverse);
    const float made = __fmaf_rn(__fmaf_rn(-guess, b, a), inverse, guess);
    return guess == INFINITY ? guess : made;
}

// Begins the life of registers that are written before they are read, but not on every path that the assembler sees: else it
// keeps them from the kernel's start on.
template <int kRows, int kColumns, class T>
__device__ __forceinline__ void begin_life(T (&registers)[kRows][kColumns]) {
#pragma unroll
    for (int i = 0; i < kRows; i++) {
#pragma unroll
        for (int j = 0; j < kColumns; j++) registers[i][j] = T{};
    }
}

__device__ __forceinline__ uint32_t shared_at(int offset) { return shared_address(shared) + offset; }

// No wait in a step takes seconds. One that does is a defect, or the device was taken away: better an error than silence.
constexpr long long kPatience = 20000000000;

__device__ __forceinline__ void await(uint32_t barrier, uint32_t parity) {
    if (barrier_try_wait(barrier, parity)) return;
    const long long begin = clock64();
    while (!barrier_try_wait(barrier, parity)) {
        if (clock64() - begin > kPatience) __trap();
    }
}

__device__ __forceinline__ void arrive_times(uint32_t barrier, int times) {
    asm volatile("mbarrier.arrive.release.cta.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(times) : "memory");
}

// A position in the ring of weights. `turn` is the parity of a full slot.
struct Ring {
    uint32_t stage = 0;
    uint32_t turn = 0;

    __device__ __forceinline__ uint32_t slot() const { return shared_at(kRing) + stage * kSlotBytes; }

    __device__ __forceinline__ void advance() {
        if (++stage == kSlots) {
            stage = 0;
            turn ^= 1;
        }
    }

    __device__ __forceinline__ void skip(int slots) {
        const uint32_t next = stage + slots;
        turn ^= next / kSlots & 1;
        stage = next % kSlots;
    }
};

// Copies a layer's row of the table, which the acquiring of every barrier puts far away, to shared memory; ahead of time.
__device__ __forceinline__ const Layer& layer_of(int number) {
    return reinterpret_cast<const Layer*>(shared + kLayers)[number % 2];
}

__device__ __forceinline__ void fetch_layer(const Step& a, int number) {
    const int chunk = thread_number();
    if (chunk >= static_cast<int>(sizeof(Layer)) / 16) return;
    asm volatile(
        "cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(
            shared_at(kLayers) + number % 2 * static_cast<int>(sizeof(Layer)) + 16 * chunk),
        "l"(reinterpret_cast<const char*>(a.layers + number) + 16 * chunk)
        : "memory");
}

// The consumers of this block among all blocks. In memory: an epoch, which counts launches, and two counters.
struct Block {
    const Step& a;
    uint32_t age;
    uint32_t target = 0;

    __device__ __forceinline__ explicit Block(const Step& a_)
        : a(a_), age(*a_.barrier) {
        // The other counter was the last launch's, which is over.
        if (blockIdx.x == 0 && threadIdx.x == 0) *counter(age + 1) = 0;
    }

    __device__ __forceinline__ uint32_t* counter(uint32_t of) const { return a.barrier + 32 + of % 2 * 32; }

    __device__ __forceinline__ void sync() const { named_barrier_sync(1, kConsumerThreads); }

    // What the consumers wrote is there for those of all blocks that have waited. After it, none reads what it read before.
    __device__ __forceinline__ void arrive() {
        sync();
        target += gridDim.x;
        if (threadIdx.x == 0) asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(counter(age)) : "memory");
    }

    // Before the first arrival nothing is waited for.
    __device__ __forceinline__ void wait() const {
        if (threadIdx.x == 0) {
            const long long begin = clock64();
            while (arrived() < target) {
                if (clock64() - begin > kPatience) __trap();
            }
        }
        sync();
    }

    __device__ __forceinline__ uint32_t arrived() const {
        uint32_t value;
        asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(counter(age)) : "memory");
        return value;
    }

    // All blocks have read the epoch, for all have arrived before.
    __device__ __forceinline__ void end() const {
        if (blockIdx.x == 0 && threadIdx.x == 0) *a.barrier = age + 1;
    }
};

}  // namespace
}  // namespace decode_step
