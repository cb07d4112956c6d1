#!/usr/bin/python3
"""
Whether the peers compute what the product computes: check.py SCORES LOSSES RUN

SCORES: lines of `massdpo score`. LOSSES: what a peer printed with --logps and with --losses. RUN: output directory of the run whose picks the peer
trained on. Log-probabilities must agree to 1e-4 relative, losses to 1e-4.
"""
import json
import sys


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main(scores, peer, run):
    ours = {line["id"]: line["logps"] for line in lines(scores)}
    printed = lines(peer)
    logps = [line for line in printed if "logps" in line]
    losses = [line["loss"] for line in printed if "loss" in line]
    worst = max(abs(a - b) / max(1, abs(b)) for line in logps for a, b in zip(line["logps"], ours[line["id"]], strict=True))
    updates = [line["loss"] for line in lines(f"{run}/updates.jsonl")][:len(losses)]
    apart = max(abs(a - b) for a, b in zip(losses, updates, strict=True))
    print(f"{len(logps)} records, log-probabilities apart by {worst:.1e} at most; {len(losses)} updates, losses by {apart:.1e}")
    if not logps or not losses or worst > 1e-4 or apart > 1e-4:
        raise SystemExit("the peers do not compute what the product computes")


if __name__ == "__main__":
    main(*sys.argv[1:])
