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
: > list.txt
for family in attention_forward attention_forward_softcap attention_forward_sinks; do
    compile "$family.fatbin" -fatbin "$cuda/$family.cu"
    extra=${family#attention_forward}
    extra=${extra#_}
    sed -n "s/^ATTENTION_FORWARD(${family}_\([a-z0-9_]*\), [a-z0-9_]*, \([0-9]*\), \([0-9]*\),.*/\1 \2 \3/p" \
        "$cuda/$family.cu" | while read -r name d dv; do
        label=${extra:+${extra}_}${name#bf16_}
        echo "$label $PWD/$family.fatbin ${family}_$name $d $dv ${name%%_*} full ${extra:-none}" >> list.txt
    done
done
grep -v '^#' "$here/attention_builds.txt" | while read -r label check shape; do
    printf '#include "attention_forward.cuh"\nATTENTION_FORWARD(attention_forward, %s)\n' "$shape" > "$label.cu"
    compile "$label.cubin" -cubin "$label.cu"
    d=$(echo "$shape" | cut -d, -f2)
    dv=$(echo "$shape" | cut -d, -f3)
    case $shape in *kSoftcap*) extra=softcap ;; *) extra=none ;; esac
    echo "$label $PWD/$label.cubin attention_forward $d $dv bf16 $check $extra" >> list.txt
done
