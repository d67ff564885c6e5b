// The noise that tokens are drawn with, and the value that decides between them: counter-based (Philox4x32-10: Salmon,
// Moraes, Dror and Shaw, SC'11), in double throughout.
#pragma once

#include <cstdint>

#include "products.cuh"

namespace products {

// The first two words of a Philox4x32-10 block, word 0 in the upper half.
__device__ __forceinline__ uint64_t philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1) {
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const uint64_t product0 = static_cast<uint64_t>(0xD2511F53u) * c0;
        const uint64_t product1 = static_cast<uint64_t>(0xCD9E8D57u) * c2;
        c0 = static_cast<uint32_t>(product1 >> 32) ^ c1 ^ k0;
        c2 = static_cast<uint32_t>(product0 >> 32) ^ c3 ^ k1;
        c1 = static_cast<uint32_t>(product1);
        c3 = static_cast<uint32_t>(product0);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return static_cast<uint64_t>(c0) << 32 | c1;
}

__device__ __forceinline__ double gumbel(uint64_t bits) {
    const double uniform = (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52;
    return -log(-log(uniform));
}

// The value that decides, of one token.
__device__ __forceinline__ double exact(const Draw& d, float logit, int token) {
    return static_cast<double>(logit) / static_cast<double>(d.temperature) +
           gumbel(philox(token, d.position, d.purpose, d.stream, d.key0, d.key1));
}

}  // namespace products
