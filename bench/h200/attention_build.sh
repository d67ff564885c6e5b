#!/bin/sh
# attention_build.sh DIR: compiles the attention kernels and the builds of the ablation into DIR, with the list that
# attention_forward.py reads. Fails on a spill, a stack frame or a ptxas remark on matrix products (C75xx).
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
compile attention_forward.fatbin -fatbin "$cuda/attention_forward.cu"
: > list.txt
sed -n 's/^ATTENTION_FORWARD(attention_forward_\([a-z0-9_]*\), [a-z0-9_]*, \([0-9]*\), \([0-9]*\),.*/\1 \2 \3/p' \
    "$cuda/attention_forward.cu" | while read -r name d dv; do
    case $name in bf16_*) label=${name#bf16_} ;; *) label=$name ;; esac
    echo "$label $PWD/attention_forward.fatbin attention_forward_$name $d $dv ${name%%_*} full" >> list.txt
done
grep -v '^#' "$here/attention_builds.txt" | while read -r label check shape; do
    printf '#define ATTENTION_VARIANT %s\n#include "attention_forward.cu"\n' "$shape" > "$label.cu"
    compile "$label.cubin" -cubin "$label.cu"
    d=$(echo "$shape" | cut -d, -f2)
    dv=$(echo "$shape" | cut -d, -f3)
    echo "$label $PWD/$label.cubin attention_forward $d $dv bf16 $check" >> list.txt
done
