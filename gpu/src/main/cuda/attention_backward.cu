// The plain kernels of attention backward.

#include "attention_backward_pipeline.cuh"

//                                               element        d   rows ahead half
ATTENTION_BACKWARD(attention_backward_bf16_d64, __nv_bfloat16, 64, 128, true, true)
ATTENTION_BACKWARD(attention_backward_bf16_d96, __nv_bfloat16, 96, 64, false, false)
ATTENTION_BACKWARD(attention_backward_bf16_d128, __nv_bfloat16, 128, 64, false, false)
ATTENTION_BACKWARD(attention_backward_fp16_d64, __half, 64, 128, true, true)
ATTENTION_BACKWARD(attention_backward_fp16_d96, __half, 96, 64, false, false)
ATTENTION_BACKWARD(attention_backward_fp16_d128, __half, 128, 64, false, false)
