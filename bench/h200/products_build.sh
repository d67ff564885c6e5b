#!/bin/sh
# products_build.sh DIR: compiles the matrix-product kernels into DIR, all families at once. Fails on a spill, a stack frame or a
# ptxas remark on matrix products (C75xx).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cuda=$here/../../gpu/src/main/cuda
mkdir -p "$1"
cd "$1"
for family in products products_head products_fp8; do
    nvcc -std=c++17 -O3 -gencode=arch=compute_90a,code=sm_90a -Xptxas -v -I"$cuda" -fatbin -o $family.fatbin \
        "$cuda/$family.cu" > $family.log 2>&1 &
done
wait
for family in products products_head products_fp8; do
    if grep -E 'error|C75[0-9][0-9]|[1-9][0-9]* bytes (stack frame|spill)' $family.log; then
        echo "$family: not fit for use" >&2
        exit 1
    fi
    test -f $family.fatbin
done
