#!/bin/bash
# One measurement of speculation on a GPU host: trains a pair, lets the strategies take turns, leaves what was seen in OUT.
#
#   ssd.sh TEXT OUT TARGET-SECONDS DRAFT-SECONDS SPEED-SECONDS JAVA...
#   ssd.sh nest OUT OVERLAP - SPEED-SECONDS JAVA...      a pair of the shapes 8B and 1B, see ssd_pair.py
#
# TEXT is a folder of .txt and .jsonl, packed or not. JAVA is the command up to the name of the program. Afterwards, there
# or elsewhere: ssd.py --out OUT evaluate
set -u
here=$(cd "$(dirname "$0")" && pwd)
text=$1 out=$2 target=$3 draft=$4 speed=$5
shift 5
pair=$(mktemp -d)
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader >"$out/device.txt"
date +%T
if [[ $text == nest ]]; then
  make=(nest --overlap "$target")
else
  make=(train --text "$text" --target-seconds "$target" --draft-seconds "$draft")
fi
python3 "$here/ssd_pair.py" "${make[@]}" --out "$pair" >"$out/train.log" 2>&1 || exit
cp "$pair/pair.json" "$out"
date +%T
timeout $((speed + 9)) "$@" dev.paloverde.gpu.decode.SpeculationProbe speed "$pair/target" "$pair/draft" cuda "$pair/prompts.json" \
  cases=${CASES:-1@1,1@0,4@1,16@1,64@1} tokens=${TOKENS:-4,6} multiprocessors=${MULTIPROCESSORS:-0,16} devices=${DEVICES:-} fan-out=${FAN_OUT:-3} \
  drafters=${DRAFTERS:-MODEL,BOTH} paces=${PACES:-ALWAYS,MEASURED} \
  repeats=${REPEATS:-5} output=${OUTPUT:-128} seconds="$speed" >"$out/turns.jsonl" 2>"$out/err.log"
echo "rc $?"
date +%T
