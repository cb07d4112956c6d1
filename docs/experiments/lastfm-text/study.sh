#!/usr/bin/env bash
# Selectors and features on titles as text: study.sh DATA OUT SEEDS
# DATA holds train.jsonl.gz, val.jsonl.gz, test.jsonl.gz and items.csv of LastFM. OUT gets start/ (a policy that learnt from the first half of the
# listeners) and compared/ (what 64 updates on the others' records made of it).
set -euo pipefail
data=$1 out=$2 seeds=$3
. "$(dirname "${BASH_SOURCE[0]}")/start.sh"
"$root/massdpo" compare --config "$root/hocon/lastfm-text.conf" --data "$out/second.jsonl" --eval "$data/test.jsonl.gz" --policy "$out/start" \
    --output "$out/compared" --set ingest.max-records=2048 --seeds "$seeds" --points 1 --jobs 2 \
    --selectors random,mass,mass:head,hardest,mass:hidden,exact,all
