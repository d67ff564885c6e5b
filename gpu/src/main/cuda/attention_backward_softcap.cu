// Attention backward with capped scores: softcap * tanh(scale Q K^T / softcap). There is none for head size 64: the scores
// would have to stay in registers that its schedule needs.

#include "attention_backward_pipeline.cuh"

ATTENTION_BACKWARD(attention_backward_softcap_bf16_d96, __nv_bfloat16, 96, 64, false, false, true)
ATTENTION_BACKWARD(attention_backward_softcap_bf16_d128, __nv_bfloat16, 128, 64, false, false, true)
ATTENTION_BACKWARD(attention_backward_softcap_fp16_d96, __half, 96, 64, false, false, true)
ATTENTION_BACKWARD(attention_backward_softcap_fp16_d128, __half, 128, 64, false, false, true)
