#!/usr/bin/env bash
# Compares selectors from each start: compare.sh DATA STARTS OUT SEEDS
# STARTS is what starts.sh wrote for seeds 1 to SEEDS.
set -euo pipefail
data=$1 starts=$2 out=$3 seeds=$4
massdpo=$(dirname "${BASH_SOURCE[0]}")/../../../massdpo
compare() {
    "$massdpo" compare --config "$(dirname "${BASH_SOURCE[0]}")/../../../hocon/lastfm.conf" --eval "$data/test.jsonl.gz" --seeds "$seeds" --points 4 --jobs 2 \
        --selectors random,mass,exact,hardest,all "$@"
}
compare --data "$data/train.jsonl.gz" --policy "$starts/cold-{seed}" --output "$out/cold" --passes 2 --learning-rate 4e-3
compare --data "$data/train.jsonl.gz" --policy "$starts/weak-{seed}" --output "$out/weak" --passes 2 --learning-rate 2.4e-3
compare --data "$starts/second.jsonl" --policy "$starts/fresh-{seed}" --output "$out/fresh" --passes 3 --learning-rate 6e-4
for seed in $(seq "$seeds"); do
    "$massdpo" eval --policy "$starts/strong-$seed" --data "$data/test.jsonl.gz" --json >"$out/strong-$seed.json"
done
