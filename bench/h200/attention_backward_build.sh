#!/bin/sh
# attention_backward_build.sh DIR: compiles the backward kernels into DIR, with the list that attention_backward.py reads.
# Fails on a spill, a stack frame or a ptxas remark on matrix products (C75xx).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cuda=$here/../../gpu/src/main/cuda
mkdir -p "$1"
cd "$1"
nvcc -std=c++17 -O3 -gencode=arch=compute_90a,code=sm_90a -fatbin -Xptxas -v -I"$cuda" -o attention_backward.fatbin \
    "$cuda/attention_backward.cu" > build.log 2>&1 || { cat build.log; exit 1; }
if grep -E 'C75[0-9][0-9]|[1-9][0-9]* bytes (stack frame|spill)' build.log; then
    echo "attention_backward: not fit for use" >&2
    exit 1
fi
sed -n 's/^ATTENTION_BACKWARD(attention_backward_\([a-z0-9]*\)_d\([0-9]*\),.*/\1_d\2 '"attention_backward.fatbin"' attention_backward_\1_d\2 \2 \1/p' \
    "$cuda/attention_backward.cu" | while read -r label image rest; do echo "$label $PWD/$image $rest"; done > list.txt
