#!/usr/bin/env bash
# Features where an adapter of rank 8 is trained instead of all weights, on titles as text: adapters.sh DATA OUT SEEDS
# DATA and OUT as for study.sh, whose start policy in OUT is taken, or made if it is not there. OUT gets adapters/.
set -euo pipefail
data=$1 out=$2 seeds=$3
. "$(dirname "${BASH_SOURCE[0]}")/start.sh"
# An adapter that starts with B = 0 takes a larger learning rate than all weights do. Seed by seed: what is there is taken up.
for ((n = 1; n <= seeds; n++)); do
    "$root/massdpo" compare --config "$root/hocon/lastfm-text.conf" --data "$out/second.jsonl" --eval "$data/test.jsonl.gz" --policy "$out/start" \
        --output "$out/adapters" --set ingest.max-records=2048 --set lora.rank=8 --set learner.learning-rate=1e-3 --seeds "$n" --points 1 --jobs 1 \
        --selectors random,mass:output,mass:head,mass:lora,mass:hidden
done
