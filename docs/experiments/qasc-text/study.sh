#!/usr/bin/env bash
# Does training on texts teach what it is shown? study.sh DATA STORIES OUT SEEDS
# DATA holds qasc-train.jsonl.gz and qasc-dev.jsonl.gz, STORIES holds stories260K.bin and tok512.bin. OUT gets start/, a run for each seed of full and lora,
# the scores that the tables are made of, and report.md.
set -euo pipefail
data=$1 stories=$2 out=$3 seeds=$4
here=$(dirname "${BASH_SOURCE[0]}")
massdpo=$here/../../../massdpo
bench() { dotnet run -c Release --project "$here/../../../bench/Answers.Bench" -- "$@"; }
mkdir -p "$out"/{train,dev}
[[ -f $out/train.jsonl ]] || zcat "$data/qasc-train.jsonl.gz" | awk 'NR <= 500' >"$out/train.jsonl"
[[ -d $out/start ]] || bench start "$stories" "$out/start"

score() { # NAME POLICY
    "$massdpo" score --policy "$2" --data "$out/train.jsonl" >"$out/train/$1.jsonl"
    "$massdpo" score --policy "$2" --data "$data/qasc-dev.jsonl.gz" >"$out/dev/$1.jsonl"
}

# The rest is as hocon/reference.conf has it: mass, 3 of the 7 negatives, β = 0.1, Adam at a constant rate.
common=(--passes 3 --shuffle all --batch 8)
# An adapter that starts with B = 0 takes a larger learning rate than all weights do.
declare -A arms=([full]="--learning-rate 5e-4" [lora]="--learning-rate 2e-3 --set lora.rank=16 --set lora.alpha=32")

score start "$out/start"
names=()
for arm in full lora; do
    for ((seed = 1; seed <= seeds; seed++)); do
        name=$arm-$seed
        # What is there is taken up where it was.
        # shellcheck disable=SC2086 # options, not one word
        "$massdpo" run --data "$out/train.jsonl" --policy "$out/start" --output "$out/$name" --eval "$out/train.jsonl" --seed "$seed" "${common[@]}" ${arms[$arm]}
        score "$name" "$out/$name/policy"
        names+=("$name")
    done
done
{
    printf '# Questions before and after training\n'
    for part in train dev; do
        printf '\n## %s\n\n' "$part"
        scores=("${names[@]/#/$out/$part/}")
        bench paired "$out/$part/start.jsonl" "${scores[@]/%/.jsonl}"
    done
} >"$out/report.md"
