#!/usr/bin/env python3
"""Writes wgmma.cuh: one function per shape and element type of the warpgroup matrix products the kernels use; and
wgmma_backward.cuh: the form that only the backward of attention uses; and wgmma_register_rows.cuh: those that products with
weights of eight bits use; and wgmma_heads.cuh: that of heads whose width is no multiple of 32.

    python3 wgmma.py > wgmma.cuh
    python3 wgmma.py backward > wgmma_backward.cuh
    python3 wgmma.py rows > wgmma_register_rows.cuh
    python3 wgmma.py heads > wgmma_heads.cuh
"""

import sys

PRODUCTS = [16, 24, 32, 48]  # bf16 only
SCORES = [64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 256]
OUTPUTS = [32, 64, 96, 128, 192, 256]
ROWS = [8, 16, 32, 64, 128, 256]
HEADS = [72]  # bf16 only


def accumulators(n):
    count = n // 2
    names = ", ".join(f"%{i}" for i in range(count))
    binds = ", ".join(f'"+f"(d[{i}])' for i in range(count))
    return count, names, binds


def shared_shared(n, tag, element):
    count, names, binds = accumulators(n)
    return f"""
template <>
struct SharedShared<{tag}, {n}> {{
    static __device__ __forceinline__ void run(float (&d)[{count}], uint64_t a, uint64_t b, int accumulate) {{
        asm volatile("{{ .reg .pred p; setp.ne.b32 p, %{count + 2}, 0; "
                     "wgmma.mma_async.sync.aligned.m64n{n}k16.f32.{element}.{element} {{{names}}}, "
                     "%{count}, %{count + 1}, p, 1, 1, 0, 0; }}"
                     : {binds}
                     : "l"(a), "l"(b), "r"(accumulate));
    }}
}};"""


def register_shared(n, tag, element):
    count, names, binds = accumulators(n)
    a = ", ".join(f"%{count + i}" for i in range(4))
    return f"""
template <>
struct RegisterShared<{tag}, {n}> {{
    static __device__ __forceinline__ void run(
        float (&d)[{count}], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint64_t b, int accumulate) {{
        asm volatile("{{ .reg .pred p; setp.ne.b32 p, %{count + 5}, 0; "
                     "wgmma.mma_async.sync.aligned.m64n{n}k16.f32.{element}.{element} {{{names}}}, "
                     "{{{a}}}, %{count + 4}, p, 1, 1, 1; }}"
                     : {binds}
                     : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "l"(b), "r"(accumulate));
    }}
}};"""


def shared_transposed(n, tag, element):
    count, names, binds = accumulators(n)
    return f"""
template <>
struct SharedTransposed<{tag}, {n}> {{
    static __device__ __forceinline__ void run(float (&d)[{count}], uint64_t a, uint64_t b, int accumulate) {{
        asm volatile("{{ .reg .pred p; setp.ne.b32 p, %{count + 2}, 0; "
                     "wgmma.mma_async.sync.aligned.m64n{n}k16.f32.{element}.{element} {{{names}}}, "
                     "%{count}, %{count + 1}, p, 1, 1, 0, 1; }}"
                     : {binds}
                     : "l"(a), "l"(b), "r"(accumulate));
    }}
}};"""


def register_rows(n):
    count, names, binds = accumulators(n)
    a = ", ".join(f"%{count + i}" for i in range(4))
    return f"""
template <>
struct RegisterRows<{n}> {{
    static __device__ __forceinline__ void run(
        float (&d)[{count}], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint64_t b) {{
        asm volatile("wgmma.mma_async.sync.aligned.m64n{n}k16.f32.bf16.bf16 {{{names}}}, {{{a}}}, %{count + 4}, 1, 1, 1, 0;"
                     : {binds}
                     : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "l"(b));
    }}
}};"""


def backward():
    print("// Written by wgmma.py backward; do not edit.")
    print("#pragma once\n\n#include <cuda_bf16.h>\n#include <cuda_fp16.h>\n#include <cstdint>\n\nnamespace hopper {\n")
    print("// D[64, N] = A[64, 16] B[16, N] (+ D); both operands in shared memory, A with 16 contiguous, B with N.")
    print("template <typename Element, int kN>\nstruct SharedTransposed;")
    for tag, element in (("__nv_bfloat16", "bf16"), ("__half", "f16")):
        print(shared_transposed(64, tag, element))
    print("\n}  // namespace hopper")


def rows():
    print("// Written by wgmma.py; do not edit.")
    print("#pragma once\n\n#include <cstdint>\n\nnamespace hopper {\n")
    print("// D[64, N] += A[64, 16] B[N, 16]^T, bf16; A in registers, B in shared memory, 16 contiguous.")
    print("template <int kN>\nstruct RegisterRows;")
    for n in ROWS:
        print(register_rows(n))
    print("\n}  // namespace hopper")


def heads():
    print("// Written by wgmma.py heads; do not edit.")
    print('#pragma once\n\n#include "wgmma.cuh"\n\nnamespace hopper {')
    for n in HEADS:
        print(register_shared(n, "__nv_bfloat16", "bf16"))
    print("\n}  // namespace hopper")


def main():
    print("// Written by wgmma.py; do not edit.")
    print("#pragma once\n\n#include <cuda_bf16.h>\n#include <cuda_fp16.h>\n#include <cstdint>\n\nnamespace hopper {\n")
    print("// D[64, N] = A[64, 16] B[N, 16]^T (+ D); both operands in shared memory, 16 contiguous.")
    print("template <typename Element, int kN>\nstruct SharedShared;\n")
    print("// D[64, N] = A[64, 16] B[16, N] (+ D); A in registers, B in shared memory, N contiguous.")
    print("template <typename Element, int kN>\nstruct RegisterShared;")
    for tag, element in (("__nv_bfloat16", "bf16"), ("__half", "f16")):
        for n in (PRODUCTS if element == "bf16" else []) + SCORES:
            print(shared_shared(n, tag, element))
        for n in OUTPUTS:
            print(register_shared(n, tag, element))
    print("\n}  // namespace hopper")


if __name__ == "__main__":
    {"backward": backward, "rows": rows, "heads": heads}.get("".join(sys.argv[1:]), main)()
