// The plain kernels of attention forward. Names give element type, head size, rows of a tile, keys of a block;
// attention.cuh says which one a host takes. Kernels with the same keys per block and parts give the same bits, whatever
// their rows.

#include "attention_forward.cuh"

//                                     element        qk   v  groups keys q-slots k-slots emulated lazy hand-over parts
ATTENTION_FORWARD(attention_forward_bf16_d64_r256_k64, __nv_bfloat16, 64, 64, 4, 64, 2, 12, 0, true, 4, 1)
ATTENTION_FORWARD(attention_forward_bf16_d64_r192_k112, __nv_bfloat16, 64, 64, 3, 112, 2, 8, 0, true, 7, 2)
ATTENTION_FORWARD(attention_forward_bf16_d72_r256_k64, __nv_bfloat16, 72, 72, 4, 64, 2, 6, 0, true, 4, 1)
ATTENTION_FORWARD(attention_forward_bf16_d96_r192_k96, __nv_bfloat16, 96, 96, 3, 96, 2, 5, 0, true, 6, 1)
ATTENTION_FORWARD(attention_forward_bf16_d128_r128_k128, __nv_bfloat16, 128, 128, 2, 128, 2, 5, 0, true, 6, 2)
ATTENTION_FORWARD(attention_forward_bf16_d128_r192_k80, __nv_bfloat16, 128, 128, 3, 80, 2, 6, 0, true, 3, 2)
ATTENTION_FORWARD(attention_forward_bf16_d192x128_r128_k112, __nv_bfloat16, 192, 128, 2, 112, 1, 4, 0, true, 7, 1)
ATTENTION_FORWARD(attention_forward_bf16_d256_r128_k80, __nv_bfloat16, 256, 256, 2, 80, 1, 4, 0, true, 5, 1)
ATTENTION_FORWARD(attention_forward_fp16_d64_r256_k64, __half, 64, 64, 4, 64, 2, 12, 0, true, 4, 1)
ATTENTION_FORWARD(attention_forward_fp16_d64_r192_k112, __half, 64, 64, 3, 112, 2, 8, 0, true, 7, 2)
ATTENTION_FORWARD(attention_forward_fp16_d96_r192_k96, __half, 96, 96, 3, 96, 2, 5, 0, true, 6, 1)
ATTENTION_FORWARD(attention_forward_fp16_d128_r128_k128, __half, 128, 128, 2, 128, 2, 5, 0, true, 6, 2)
ATTENTION_FORWARD(attention_forward_fp16_d128_r192_k80, __half, 128, 128, 3, 80, 2, 6, 0, true, 3, 2)
ATTENTION_FORWARD(attention_forward_fp16_d192x128_r128_k112, __half, 192, 128, 2, 112, 1, 4, 0, true, 7, 1)
ATTENTION_FORWARD(attention_forward_fp16_d256_r128_k80, __half, 256, 256, 2, 80, 1, 4, 0, true, 5, 1)
