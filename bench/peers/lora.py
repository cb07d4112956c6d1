#!/usr/bin/python3
"""
Measures training of adapters against the peers and writes lora.md: lora.py [--rounds N] [--work DIR]

The random Llama of run.py, adapters of rank 8 on all seven matrices of each layer, random negatives. Ours and the peers start from the same adapter, one
that was trained for a few updates, so that losses can be compared: the check comes first.
"""
import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from run import HERE, PYTHON, lines, machine, massdpo, run, told

BATCH, BETA, RATE, WARM_UP, UPDATES = 8, 0.1, 1e-4, 1, 6
PEERS = {"packed": 0.95, "apart": 3.5}


def ours(work, output, updates, *more):
    shutil.rmtree(output, ignore_errors=True)
    massdpo("run", "--policy", work / "llama", "--data", work / "llama.jsonl", "--output", output, "--selector", "random", "--threads", 1, "--batch", BATCH, "--beta", BETA,
            "--learning-rate", RATE, "--passes", 1, "--shuffle", "none", "--max-records", updates * BATCH, "--set", "learner.warmup=0", *more)
    return lines((output / "metrics.jsonl").read_text())


def peer(work, script, updates, *more):
    return lines(run(PYTHON, HERE / f"{script}.py", "--policy", work / "llama", "--adapter", work / "start/policy", "--data", work / "llama.jsonl", "--batch", BATCH, "--beta", BETA,
                     "--learning-rate", RATE, "--warm-up", WARM_UP, "--updates", updates, *more))


def check(work, adapter):
    """Losses of a few updates on the same picks, from the same adapter."""
    ours(work, work / "check", 3, *adapter)
    mine = [line["loss"] for line in lines((work / "check/updates.jsonl").read_text())]
    worst = 0.0
    for script in PEERS:
        theirs = [line["loss"] for line in peer(work, script, 2, "--losses", "--picks", work / "check/selections.jsonl") if "loss" in line]
        worst = max(worst, *(abs(a - b) for a, b in zip(mine, theirs, strict=True)))
    if worst > 1e-4:
        raise SystemExit(f"the peers do not compute what the product computes: losses apart by {worst}")
    return f"losses of {len(mine)} updates on the same picks are apart by {worst:.1e} at most"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="massdpo-lora-"))
    work.mkdir(parents=True, exist_ok=True)
    run(PYTHON, HERE / "make_llama.py", 80, work / "llama.jsonl")
    massdpo("sft", "--data", work / "llama.jsonl", "--policy", work / "llama", "--epochs", 0, "--set", "sft.tokenizer=words", "--set", "sft.layers=6", "--set", "sft.hidden=288",
            "--set", "sft.heads=6", "--set", "sft.intermediate=768", "--set", "sft.max-positions=512")
    ours(work, work / "start", 2, "--set", "lora.rank=8", "--set", "lora.alpha=16")
    adapter = ["--set", f"lora.adapter={work / 'start/policy'}"]
    checked = check(work, adapter)
    rates = {}
    for turn in range(options.rounds):
        for script in PEERS:
            printed = peer(work, script, 2 if script == "apart" else UPDATES)[-1]
            rates.setdefault(script, []).append(printed["records_per_s"])
            rates.setdefault(script + " without reference", []).append(printed["without_reference"])
        timed = ours(work, work / "out", WARM_UP + UPDATES, *adapter)[WARM_UP:]
        rates.setdefault("ours", []).append(len(timed) * BATCH / sum(BATCH / line["records_per_s"] for line in timed))
        print(f"round {turn + 1} of {options.rounds} done", file=sys.stderr)
    out = ["# Training adapters against peers", "", "```", f"bench/peers/lora.py --rounds {options.rounds}", "```", "",
           f"{machine()}. {options.rounds} interleaved rounds; medians, with the least and the greatest in brackets.", "",
           "The random Llama of results.md (7 million parameters, prompts of 256 tokens, responses of 16, batches of 8, k = 3), adapters of rank 8 on all seven matrices of each layer. What is "
           "timed is told there.", "",
           "| rival | ours, records/s | rival | rival without reference | ratio | goal |", "|---|---|---|---|---|---|"]
    for script, goal in PEERS.items():
        ratio = statistics.median(a / b for a, b in zip(rates["ours"], rates[script]))
        out.append(f"| {script} | {told(rates['ours'])} | {told(rates[script])} | {told(rates[script + ' without reference'])} | {ratio:.2f} | ≥ {goal} {'PASS' if ratio >= goal else 'FAIL'} |")
    out += ["", f"Both compute the same: {checked}."]
    (HERE / "lora.md").write_text("\n".join(out) + "\n", encoding="utf-8")
    print("\n".join(out))
    if options.work is None:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
