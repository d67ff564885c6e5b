// All layers of a step with few rows in one persistent kernel. See decode_step.cuh.
#include "decode_step_attention.cuh"
#include "decode_step_products.cuh"

namespace decode_step {
namespace {

template <int kBlocks>
__device__ __forceinline__ void consume(const Step& a) {
    const int rows = min(*a.rows, kMostRows);
    Block block(a);
    Ring ring;
    Attention<kBlocks> attention(a, block, rows);
    const Normed normed{a, block, rows};
    fetch_layer(a, 0);
    paged::copies_commit();
    paged::copies_wait<0>();
    block.sync();
#pragma unroll 1
    for (int l = 0; l < a.layer_count; l++) {
        const Layer& layer = layer_of(l);
#pragma unroll 1
        for (int matrix = 0; matrix < kMatrices; matrix++) {
            const bool begins = matrix == kQueryKeyValue || matrix == kGateUp;  // with a norm
            const float* const gain = matrix == kQueryKeyValue ? layer.attention_gain : layer.feed_forward_gain;
            multiply(
                ring, block, outputs_of(a, matrix), inputs_of(a, matrix), rows,
                [&]() {
                    // What is constant is on its way while blocks wait.
                    if (begins) normed.fetch(gain);
                    if (matrix == kDown && l + 1 < a.layer_count) fetch_layer(a, l + 1);
                    paged::copies_commit();
                    paged::copies_wait<0>();
                    block.wait();
                },
                [&](int first, int end, bool start) {
                    if (begins) {
                        normed.fill(gain, first, end, start);
                    } else if (matrix == kOutput && !attention.spread) {
                        attention.fill(layer, first, end);
                    } else {
                        fill_copied(
                            matrix == kOutput ? a.attended : a.gated, matrix == kOutput ? a.attended_stride : a.gated_stride, rows,
                            first, end);
                    }
                },
                finish_of(a, layer, matrix));
            block.arrive();
            if (matrix == kQueryKeyValue) {
                attention.begin(layer, l);
                block.wait();
                attention.attend(layer, l);
                block.arrive();
                if (attention.spread) {
                    block.wait();
                    attention.merge(layer);
                    block.arrive();
                }
            }
        }
    }
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
    if (static_cast<int>(blockIdx.x) >= rows) return;
    block.wait();
    for (int row = blockIdx.x; row < rows; row += gridDim.x) normed.write(row, a.gain);
    block.end();
}

template <int kBlocks>
__device__ __forceinline__ void run(const Step& a) {
    if (threadIdx.x == 0) {
        for (int i = 0; i < kSlots; i++) {
            barrier_init(shared_at(kFull + 8 * i), 1);
            barrier_init(shared_at(kEmpty + 8 * i), kConsumers);
        }
        barrier_init_fence();
    }
    __syncthreads();
    const int warp = __shfl_sync(~0u, threadIdx.x / 32, 0);
    asm volatile("griddepcontrol.wait;" ::: "memory");
    if (*a.rows <= 0) return;
    if (warp == kConsumers) {
        produce(a);
    } else {
        consume<kBlocks>(a);
    }
}

}  // namespace
}  // namespace decode_step

// Threads of a block, bytes of dynamic shared memory, most rows.
extern "C" __device__ const int decode_step_info[3] = {
    decode_step::kThreads, decode_step::kSharedBytes, decode_step::kMostRows};

#define DECODE_STEP(WIDTH)                                                                            \
    extern "C" __global__ void __launch_bounds__(decode_step::kThreads, 1)                            \
        decode_step_##WIDTH(const __grid_constant__ decode_step::Step a) {                            \
        decode_step::run<WIDTH / 64>(a);                                                              \
    }

DECODE_STEP(64)
DECODE_STEP(128)
DECODE_STEP(256)
