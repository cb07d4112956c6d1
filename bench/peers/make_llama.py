#!/usr/bin/python3
"""Writes random text records for the Llama benchmark: make_llama.py RECORDS OUT.jsonl

Each record has a prompt of 255 words (256 tokens with BOS), one chosen and 19 rejected responses of 15 words (16 tokens with the end token). The
first records go through all 4,093 words, so that `massdpo sft --epochs 0` makes a policy with a vocabulary of 4,096 of them. One seed: the same file
each time.
"""
import json
import sys

import numpy as np

WORDS, PROMPT, RESPONSE, CANDIDATES = 4093, 255, 15, 20


def main(records, path):
    random = np.random.default_rng(1)
    words = np.array([f"w{i}" for i in range(WORDS)])
    per_record = PROMPT + RESPONSE * CANDIDATES
    if records * per_record < WORDS:
        raise SystemExit(f"{records} records have too few words for the vocabulary: give {-(-WORDS // per_record)} at least")
    ids = np.concatenate([random.permutation(WORDS), random.integers(0, WORDS, records * per_record - WORDS)]).reshape(records, per_record)
    with open(path, "w", encoding="utf-8") as out:
        for n, row in enumerate(ids):
            texts = [" ".join(words[row[:PROMPT]])]
            for start in range(PROMPT, per_record, RESPONSE):
                texts.append(" " + " ".join(words[row[start:start + RESPONSE]]))
            out.write(json.dumps({"id": f"r{n}", "prompt": texts[0], "chosen": texts[1], "rejected": texts[2:]}) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
