#!/bin/sh
# attention_paged_build.sh DIR: compiles the kernels of attention over a paged cache into DIR. Fails on a spill or a stack frame.
set -eu
cuda=$(cd "$(dirname "$0")" && pwd)/../../gpu/src/main/cuda
mkdir -p "$1"
for name in attention_paged attention_paged_plan attention_paged_prepare; do
    nvcc -std=c++17 -O3 -gencode=arch=compute_90a,code=sm_90a -Xptxas -v -cubin -o "$1/$name.cubin" "$cuda/$name.cu" \
        > "$1/$name.log" 2>&1 || { cat "$1/$name.log"; exit 1; }
    if grep -E 'C75[0-9][0-9]|[1-9][0-9]* bytes (stack frame|spill)' "$1/$name.log"; then
        echo "$name: not fit for use" >&2
        exit 1
    fi
done
