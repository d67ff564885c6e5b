// Before a layer's attention: norm and rotation of the new rows' queries and keys, their keys and values into the cache; and
// the copying of pages. See attention_paged.cuh.
#include "attention_paged_rotate.cuh"

namespace attention_paged {
namespace {

constexpr int kWarps = 8;

}  // namespace
}  // namespace attention_paged

using namespace attention_paged;

// A part of a warp for each head of queries, of keys and of values of a row: the least power of two of lanes that holds it.
extern "C" __global__ void __launch_bounds__(32 * kWarps, 4) attention_prepare(const __grid_constant__ Prepare a) {
    const int span = a.width <= 8 ? 1 : 1 << (32 - __clz((a.width - 1) / 8));
    const int lane = threadIdx.x & (span - 1);
    const bool reads = 8 * lane < a.width;
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
    asm volatile("griddepcontrol.wait;" ::: "memory");
    const int heads = a.query_heads + 2 * a.key_heads;
    const int works = *a.rows * heads;
    const int together = blockDim.x / span;
    // whole warps go round together, since they exchange components
    const int rounds = (works + gridDim.x * together - 1) / (gridDim.x * together);
    for (int round = 0; round < rounds; round++) {
        const int w = (round * gridDim.x + blockIdx.x) * together + threadIdx.x / span;
        const bool there = reads && w < works;
        const int row = w < works ? w / heads : 0;
        const int head = w < works ? w % heads : 0;
        const bool is_query = head < a.query_heads;
        const bool is_value = head >= a.query_heads + a.key_heads;
        const int key_head = is_query ? 0 : (head - a.query_heads) % a.key_heads;
        const int position = a.positions[row];
        const __nv_bfloat16* from;
        if (is_query) {
            from = static_cast<const __nv_bfloat16*>(a.query) + static_cast<int64_t>(row) * a.query_stride + head * a.width;
        } else if (is_value) {
            from = static_cast<const __nv_bfloat16*>(a.value) + static_cast<int64_t>(row) * a.value_stride + key_head * a.width;
        } else {
            from = static_cast<const __nv_bfloat16*>(a.key) + static_cast<int64_t>(row) * a.key_stride + key_head * a.width;
        }
        Components x = {};
        if (there) x.read(from + 8 * lane);
        const int rotary = a.rotary_positions != nullptr ? a.rotary_positions[row] : position;
        normalize_and_rotate(
            x, a, is_query ? a.query_gain : is_value ? nullptr : a.key_gain, !is_value, lane, span, there, rotary,
            __frcp_rn(static_cast<float>(a.width)));
        if (!there) continue;
        if (is_query) {
            x.write(const_cast<__nv_bfloat16*>(from) + 8 * lane);
        } else {
            x.write(
                static_cast<__nv_bfloat16*>(a.cache) +
                (((static_cast<int64_t>(a.pages[row]) * a.layers + a.layer) * 2 + is_value) * a.key_heads + key_head) *
                    a.page_tokens * a.width +
                (position & (a.page_tokens - 1)) * a.width + 8 * lane);
        }
    }
}

extern "C" __global__ void __launch_bounds__(32 * kWarps) attention_copy_page(const __grid_constant__ CopyPage a) {
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
    asm volatile("griddepcontrol.wait;" ::: "memory");
    // Pieces of 16 bytes; a head's tokens are contiguous.
    const int pieces = a.tokens * a.width / 8;
    const int64_t head_pieces = static_cast<int64_t>(a.page_tokens) * a.width / 8;
    const int64_t heads = static_cast<int64_t>(a.layers) * 2 * a.key_heads;
    uint4* const cache = static_cast<uint4*>(a.cache);
    for (int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; i < heads * pieces;
         i += static_cast<int64_t>(gridDim.x) * blockDim.x) {
        const int64_t head = i / pieces;
        const int64_t piece = i % pieces;
        cache[(a.destination * heads + head) * head_pieces + piece] =
            cache[(a.source * heads + head) * head_pieces + piece];
    }
}
