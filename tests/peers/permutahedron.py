"""Ranks by projection onto the permutahedron, forward and backward: this crate against torchsort and fast-soft-sort.

    python -m venv .venv && .venv/bin/pip install -r tests/peers/requirements.txt
    .venv/bin/pip install --no-build-isolation torchsort
    .venv/bin/pip install git+https://github.com/google-research/fast-soft-sort
    .venv/bin/python tests/peers/permutahedron.py

Quadratic ("l2") and entropic ("kl") with strength 1 on normal values, and the gradient of a weighted sum of ranks.
torchsort is compiled C++ in f32, fast-soft-sort NumPy with Numba in f64, row by row (it does batches only through a
loop); whichever is missing is left out. One thread each; medians; ratios are what counts.
"""

import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
LENGTHS = [16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576]
SHAPES = [(1, n) for n in LENGTHS] + [(64, n) for n in LENGTHS if n <= 16_384]


def ours(command):
    """Seconds by way and shape; `command` (optional) is a bench program built elsewhere, with its arguments."""
    command = command or ["cargo", "bench", "--bench", "soft_rank", "--", "--times"]
    one_thread = {**os.environ, "RAYON_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=one_thread, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def median_seconds(f):
    f()
    start = time.perf_counter()
    f()
    once = time.perf_counter() - start
    times = []
    for _ in range(max(3, min(51, int(2.0 / once)))):
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def by_torchsort(peer, regularization, x, weights):
    x = torch.tensor(x, dtype=torch.float32, requires_grad=True)
    weights = torch.tensor(weights, dtype=torch.float32)

    def run():
        x.grad = None
        (peer.soft_rank(x, regularization=regularization) * weights).sum().backward()

    return median_seconds(run)


def by_fast_soft_sort(peer, regularization, x, weights):
    def run():
        for row, cotangent in zip(x, weights):
            ranks = peer.SoftRank(row, regularization=regularization)
            ranks.compute()
            ranks.vjp(cotangent)

    return median_seconds(run)


PEERS = {"torchsort": by_torchsort, "fast_soft_sort.numpy_ops": by_fast_soft_sort}


def main():
    torch.set_num_threads(1)
    mine = ours(sys.argv[1:])
    found = {}
    for name, run in PEERS.items():
        try:
            found[name.split(".")[0]] = (importlib.import_module(name), run)
        except ImportError as error:
            print(f"left out: {error}")
    rng = np.random.default_rng(0)
    print(f"{'':>3} {'rows x n':>14} {'this crate':>13}", *(f"{name:>26}" for name in found))
    for regularization in ("l2", "kl"):
        for rows, n in SHAPES:
            x, weights = rng.standard_normal((rows, n)), rng.random((rows, n))
            here = mine[f"permutahedron {regularization}/{rows}x{n}"]
            line = f"{regularization:>3} {rows:>4} x {n:<7} {here * 1e6:>10.1f} µs"
            for peer, run in found.values():
                there = run(peer, regularization, x, weights)
                line += f" {there * 1e6:>14.0f} µs {there / here:>7.1f}x"
            print(line, flush=True)


if __name__ == "__main__":
    main()
