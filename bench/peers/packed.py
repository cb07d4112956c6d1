#!/usr/bin/python3
"""Trains on the chosen and k random negatives with the prompt shared and the reference cached."""
import policy
import trainer

if __name__ == "__main__":
    trainer.main(policy.packed, caches=True, by_mass=False)
