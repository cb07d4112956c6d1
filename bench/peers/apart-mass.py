#!/usr/bin/python3
"""Scores the whole pool, each candidate behind its own prompt, under policy and reference, selects by mass and trains as apart.py."""
import policy
import trainer

if __name__ == "__main__":
    trainer.main(policy.apart, caches=False, by_mass=True)
