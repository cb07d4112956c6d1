#!/usr/bin/python3
"""Trains on the chosen and k random negatives, each behind its own prompt, with the reference computed at each step: as trainers do."""
import policy
import trainer

if __name__ == "__main__":
    trainer.main(policy.apart, caches=False, by_mass=False)
