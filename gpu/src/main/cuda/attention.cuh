// What the host hands to the attention kernels, and the copy-engine descriptors made from it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace attention {

// Which forward kernel a host takes, by head size, tokens_k and mask; measured in bench/h200/attention-forward.jsonl.
//
//   head size   keys seen                        kernel
//   64          tokens_k >= 8192                 d64_r192_k112
//   64          fewer                            d64_r256_k64
//   72                                           d72_r256_k64
//   96                                           d96_r192_k96
//   128         all, tokens_k >= 2048            d128_r192_k80
//   128         causal, tokens_k >= 8192         d128_r192_k80
//   128         fewer, or `visible`              d128_r128_k128
//   192, v 128                                   d192x128_r128_k112
//   256                                          d256_r128_k80
//
// Capped scores and sinks have kernels of their own, the first one of each head size: attention_forward_softcap_bf16_..
// and attention_forward_sinks_bf16_.. in families of those names. The LSE has the sink in it; a row that sees nothing
// has it alone, and an output of zeros.
//
// Any window_right but kUnlimited counts as causal. The number of keys per block decides the last bits of a result: a
// host that wants the same bits however many keys there are, or whatever shares a batch of unequal sequences, keeps to
// one kernel of a head size.

// One by-value kernel parameter; the host fills the same 256 bytes. Strides count elements. A tensor is
// [batch][token][head][column] under its strides, columns contiguous, every stride a multiple of 16 bytes.
//
// Sequences of different lengths: `starts_q` and `starts_k` (batch + 1 entries each) give the first token of each
// sequence, the batch strides are zero, and `tokens_q`, `tokens_k` are the longest lengths. Null: every sequence has
// tokens_q queries and tokens_k keys.
//
// Every mask is one interval of keys per query. Query i of a sequence (0-based; its last query sees its last key) sees
// keys [max(0, i + shift - window_left), min(length_k, i + shift + window_right + 1)), shift = length_k - length_q.
// Causal: window_right = 0. No limit: kUnlimited. `visible`, when not null, holds [first, end) for each query
// instead, both never falling from one query to the next: documents packed into one sequence, image blocks that see
// themselves whole.
struct Arguments {
    const void* q;
    const void* k;
    const void* v;
    void* out;
    float* lse;  // natural log of the sum of exponentials, sink included, [batch][head][token]; null: not written
    const int32_t* starts_q;
    const int32_t* starts_k;
    const int2* visible;
    void* workspace;  // workspace_bytes(batch), 128-byte aligned
    int64_t q_batch, q_token, q_head;
    int64_t k_batch, k_token, k_head;
    int64_t v_batch, v_token, v_head;
    int64_t out_batch, out_token, out_head;
    int64_t lse_batch, lse_head;
    int32_t batch;
    int32_t heads;
    int32_t kv_heads;
    int32_t tokens_q;
    int32_t tokens_k;
    int32_t window_left;
    int32_t window_right;
    int32_t section;  // heads that run side by side; their keys and values should fit the L2 cache
    int32_t longest_first;
    float scale;
    const float* sinks;  // one for each head of queries; read by the kernels with sinks alone
    float softcap;       // above 0; read by the kernels with capped scores alone
    int32_t reserved[5];
};
static_assert(sizeof(Arguments) == 256, "the host lays this out by hand");
static_assert(offsetof(Arguments, q_batch) == 72 && offsetof(Arguments, lse_batch) == 168, "the host's offsets");
static_assert(offsetof(Arguments, batch) == 184 && offsetof(Arguments, scale) == 220, "the host's offsets");
static_assert(offsetof(Arguments, sinks) == 224 && offsetof(Arguments, softcap) == 232, "the host's offsets");

constexpr int32_t kUnlimited = 1 << 29;

// Workspace: 128 bytes of counters, then the descriptors of Q, K and V for each sequence.
constexpr int kDescriptorBytes = 128;

__device__ __forceinline__ char* descriptor(const Arguments& a, int sequence, int tensor) {
    return static_cast<char*>(a.workspace) + kDescriptorBytes * (1 + 3 * static_cast<int64_t>(sequence) + tensor);
}

}  // namespace attention
