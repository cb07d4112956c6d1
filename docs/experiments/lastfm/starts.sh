#!/usr/bin/env bash
# Trains the starts of the study: starts.sh DATA OUT SEED…
# DATA holds train.jsonl.gz, val.jsonl.gz, test.jsonl.gz and items.csv of LastFM; OUT gets cold-SEED, weak-SEED, fresh-SEED and strong-SEED.
set -euo pipefail
data=$1 out=$2
shift 2
massdpo=$(dirname "${BASH_SOURCE[0]}")/../../../massdpo
recipe=(--config "$(dirname "${BASH_SOURCE[0]}")/../../../hocon/lastfm.conf" --items "$data/items.csv")
mkdir -p "$out"
[[ -f $out/first.jsonl ]] || zcat "$data/train.jsonl.gz" | awk 'NR <= 5000' >"$out/first.jsonl"
[[ -f $out/second.jsonl ]] || zcat "$data/train.jsonl.gz" | awk 'NR > 5000' >"$out/second.jsonl"
for seed in "$@"; do
    "$massdpo" sft "${recipe[@]}" --seed "$seed" --data "$data/train.jsonl.gz" --policy "$out/cold-$seed" --epochs 0
    "$massdpo" sft "${recipe[@]}" --seed "$seed" --data "$data/train.jsonl.gz" --policy "$out/weak-$seed" --epochs 2
    "$massdpo" sft "${recipe[@]}" --seed "$seed" --data "$out/first.jsonl" --policy "$out/fresh-$seed" --epochs 16 --eval "$data/val.jsonl.gz"
    "$massdpo" sft "${recipe[@]}" --seed "$seed" --data "$data/train.jsonl.gz" --policy "$out/strong-$seed" --epochs 12 --eval "$data/val.jsonl.gz"
done
