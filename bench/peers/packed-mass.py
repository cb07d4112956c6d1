#!/usr/bin/python3
"""Scores the whole pool with the prompt shared, the reference cached, selects by mass and trains as packed.py."""
import policy
import trainer

if __name__ == "__main__":
    trainer.main(policy.packed, caches=True, by_mass=True)
