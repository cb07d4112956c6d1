#!/usr/bin/python3
"""
Greedy selection by mass in NumPy, beside the C# kernels of bench/Selection.Bench: kernels.py [SECONDS]

`samples` works among the n candidates with an incremental Cholesky factor, as the product does; `features` keeps the d×d inverse and updates it by
Sherman–Morrison, as the formula is usually written. Both must choose the same negatives. Prints one line of JSON per size: medians in µs.
"""
import json
import sys
import time

import numpy as np

SIZES = [(20, 64, 3), (20, 256, 3), (100, 256, 8), (1000, 256, 16)]
RIDGE, BETA = 1e-2, 1.0


def weighed(z, u):
    """v_j = √c_j u_j / √γ, so that the objective is log det(I + v vᵀ)."""
    weight = np.exp(np.clip(z, -30, 30))
    total = 1 + weight.sum()
    scale = BETA * np.sqrt(weight) / total
    trace = (scale * scale * np.einsum("jd,jd->j", u, u)).sum()
    return u * (scale / np.sqrt(RIDGE * trace / len(z)))[:, None]


def samples(z, u, k):
    v = weighed(z, u)
    marginal = np.einsum("jd,jd->j", v, v)
    rows = np.empty((k, len(z)))
    picks = []
    for t in range(k):
        s = int(marginal.argmax())
        picks.append(s)
        e = (v @ v[s] - rows[:t, s] @ rows[:t]) / np.sqrt(1 + marginal[s])
        rows[t] = e
        marginal -= e * e
        marginal[s] = -np.inf
    return picks


def features(z, u, k):
    v = weighed(z, u)
    inverse = np.eye(v.shape[1])
    picks = []
    for _ in range(k):
        marginal = np.einsum("jd,jd->j", v @ inverse, v)
        marginal[picks] = -np.inf
        s = int(marginal.argmax())
        picks.append(s)
        h = inverse @ v[s]
        inverse -= np.outer(h, h) / (1 + marginal[s])
    return picks


def median_us(call, seconds):
    call()
    times = []
    until = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < until:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e6


def main(seconds):
    for n, d, k in SIZES:
        random = np.random.default_rng(7)
        z, u = 2 * random.standard_normal(n), random.standard_normal((n, d)).astype(np.float32).astype(np.float64)
        if samples(z, u, k) != features(z, u, k):
            raise SystemExit(f"the two forms choose different negatives of ({n}, {d}, {k})")
        print(json.dumps({"size": f"{n},{d},{k}", "numpy_greedy_us": median_us(lambda: samples(z, u, k), seconds),
                          "sherman_morrison_us": median_us(lambda: features(z, u, k), seconds)}))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
