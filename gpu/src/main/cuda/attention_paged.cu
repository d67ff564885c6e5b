// The kernels of attention over a paged cache, for decode, verification and prefill alike. See attention_paged.cuh.
#include "attention_paged_few.cuh"
#include "attention_paged_many.cuh"
#include "attention_paged_merge.cuh"

// A kernel of shape S that runs BLOCKS at a time on a multiprocessor.
#define ATTENTION_PAGED(NAME, ATTEND, BLOCKS, ...)                                                                      \
    namespace attention_paged {                                                                                         \
    namespace {                                                                                                         \
    using Shape_##NAME = __VA_ARGS__;                                                                                   \
    }                                                                                                                   \
    }                                                                                                                   \
    extern "C" __device__ const int attention_paged_##NAME##_info[4] = {                                                \
        attention_paged::Shape_##NAME::kThreads, attention_paged::Shape_##NAME::kShared,                                \
        attention_paged::Shape_##NAME::kGroups, BLOCKS};                                                                \
    extern "C" __global__ void __launch_bounds__(attention_paged::Shape_##NAME::kThreads, BLOCKS)                       \
        attention_paged_##NAME(const __grid_constant__ attention_paged::Paged a) {                                      \
        attention_paged::ATTEND<attention_paged::Shape_##NAME>(a);                                                      \
    }

// Width, tiles of the ring, whether a section's result is in shared memory.
ATTENTION_PAGED(32_16, attend_few, 3, Few<32, 8, false>)
ATTENTION_PAGED(64_16, attend_few, 4, Few<64, 3, true>)
ATTENTION_PAGED(96_16, attend_few, 2, Few<96, 5, false>)
ATTENTION_PAGED(128_16, attend_few, 2, Few<128, 5, false>)
ATTENTION_PAGED(256_16, attend_few, 1, Few<256, 5, false>)

// Width, warpgroups, tiles of the ring, slots of queries, whether a section's result is in registers, blocks of a
// multiprocessor.
ATTENTION_PAGED(32_64, attend_many, 2, Many<32, 1, 8, 2, false, 2>)
ATTENTION_PAGED(64_64, attend_many, 2, Many<64, 1, 8, 2, false, 2>)
ATTENTION_PAGED(96_64, attend_many, 2, Many<96, 1, 4, 1, false, 2>)
ATTENTION_PAGED(128_64, attend_many, 2, Many<128, 1, 4, 1, false, 2>)
ATTENTION_PAGED(256_64, attend_many, 1, Many<256, 1, 4, 1, false, 1>)
ATTENTION_PAGED(64_256, attend_many, 1, Many<64, 4, 10, 2, false, 1>)
ATTENTION_PAGED(96_128, attend_many, 1, Many<96, 2, 6, 2, false, 1>)
ATTENTION_PAGED(128_128, attend_many, 1, Many<128, 2, 6, 2, false, 1>)

extern "C" __global__ void __launch_bounds__(256) attention_paged_merge(const __grid_constant__ attention_paged::Paged a) {
    using namespace attention_paged;
    __shared__ MergeShared shared;
    if (a.width <= 32) {
        merge_all<32>(a, shared);
    } else if (a.width <= 64) {
        merge_all<64>(a, shared);
    } else if (a.width <= 96) {
        merge_all<96>(a, shared);
    } else if (a.width <= 128) {
        merge_all<128>(a, shared);
    } else {
        merge_all<256>(a, shared);
    }
}
