# What both studies begin with, to be sourced with data and out set: the two halves of the listeners' records, and a policy that learnt from the first.
root=$(dirname "${BASH_SOURCE[0]}")/../../..
mkdir -p "$out"
[[ -f $out/first.jsonl ]] || zcat "$data/train.jsonl.gz" | awk 'NR <= 5000' >"$out/first.jsonl"
[[ -f $out/second.jsonl ]] || zcat "$data/train.jsonl.gz" | awk 'NR > 5000' >"$out/second.jsonl"
[[ -d $out/start ]] || "$root/massdpo" sft --config "$root/hocon/lastfm-text.conf" --data "$out/first.jsonl" --items "$data/items.csv" \
    --eval "$data/val.jsonl.gz" --policy "$out/start"
