#!/bin/sh
# attention_backward_build.sh DIR: compiles the backward kernels, and the builds beside them, into DIR, with the list that
# attention_backward.py reads. Fails on a spill, a stack frame or a ptxas remark on matrix products (C75xx).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cuda=$here/../../gpu/src/main/cuda
mkdir -p "$1"
cd "$1"
compile() { # image kind source
    nvcc -std=c++17 -O3 -gencode=arch=compute_90a,code=sm_90a "$2" -Xptxas -v -I"$cuda" -o "$1" "$3" > "$1.log" 2>&1 ||
        { cat "$1.log"; exit 1; }
    if grep -E 'C75[0-9][0-9]|[1-9][0-9]* bytes (stack frame|spill)' "$1.log"; then
        echo "$1: not fit for use" >&2
        exit 1
    fi
}
: > list.txt
for family in attention_backward attention_backward_softcap; do
    compile "$family.fatbin" -fatbin "$cuda/$family.cu"
    sed -n "s/^ATTENTION_BACKWARD(${family}_\([a-z0-9]*\)_d\([0-9]*\),.*/\1 \2/p" "$cuda/$family.cu" |
        while read -r dtype d; do
            label=${family#attention_backward}
            label=${label#_}
            echo "${label:+${label}_}${dtype}_d$d $family.fatbin ${family}_${dtype}_d$d $d $dtype"
        done >> list.txt
done
