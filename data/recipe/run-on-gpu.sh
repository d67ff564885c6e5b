#!/usr/bin/env bash
# Trains the sample models on a host with a GPU and makes the parity checkpoints; one does not wait for the other's luck.
#
#   data/recipe/run-on-gpu.sh TRAINING.jsonl.xz OUTPUT [arguments for train.py]
#
# Leaves in OUTPUT: models.tar.gz, training-summary.json, parity.tar.gz, log.txt.
set -uo pipefail
if [ $# -lt 2 ]; then
  sed -n '2,6p' "$0" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
training=$(realpath "$1")
mkdir -p "$2"
output=$(realpath "$2")
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=true
python=${PYTHON:-python3}

parity=0
"$python" "$project/gpu/src/test/recipes/parity.py" --output "$work/parity" >"$work/parity.log" 2>&1 || parity=$?
tar -C "$work" -czf "$output/parity.tar.gz" parity 2>/dev/null
{ echo "== parity, exit $parity"; cat "$work/parity.log"; } | tee "$output/log.txt" | tail -n 16

trained=0
"$python" "$here/train.py" --training "$training" --corpus "$project/data/corpus" --output "$work/models" "$@" \
  >"$work/train.log" 2>&1 || trained=$?
if [ -d "$work/models" ]; then
  tar -C "$work" -czf "$output/models.tar.gz" models
  cp "$work/models/training-summary.json" "$output/" 2>/dev/null
fi
{ echo "== training, exit $trained"; cat "$work/train.log"; } >>"$output/log.txt"
echo "== training, exit $trained"
tail -n 12 "$work/train.log"
"$python" - "$output/training-summary.json" <<'SUMMARY' || true
import json, sys
summary = json.load(open(sys.argv[1], encoding="utf-8"))
for name, model in summary["models"].items():
    print(name, model["parameters"], "parameters,", model["tokens_seen"], "tokens,", model["epochs"], "epochs, held out",
          model["held_out_nats_per_token"], "nats/token, choices", model["choices"]["accuracy"])
    print("  bits/byte", {source: figures["bits_per_byte"] for source, figures in model["held_out"].items()})
print("agreement", summary["agreement"]["all but noise"], "bytes", summary["model_bytes"], "seconds", summary["total_seconds"])
for sample in summary["samples"][:4] + summary["samples"][-3:]:
    print("---", repr(sample["prompt"]), "\n   >", repr(sample["greedy"]))
SUMMARY
ls -l "$output"
[ "$parity" = 0 ] && [ "$trained" = 0 ]
