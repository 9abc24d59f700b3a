"""Soft ranks, forward and backward: this crate against diffsort (PyTorch), in one run.

    python -m venv .venv && .venv/bin/pip install -r tests/peers/requirements.txt
    .venv/bin/python tests/peers/soft_rank.py

Both sort by a bitonic network with ART (λ = 0.25, steepness 5), rank = P @ (1..n), and take the gradient of a
weighted sum of ranks. diffsort's network is built beforehand. One thread each; medians; ratios are what counts.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import diffsort
import torch

ROOT = Path(__file__).resolve().parents[2]


def ours(command):
    """Seconds by way and shape; `command` (optional) is a bench program built elsewhere, with its arguments."""
    command = command or ["cargo", "bench", "--bench", "soft_rank", "--", "--times"]
    one_thread = {**os.environ, "RAYON_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=one_thread, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def median_seconds(f, runs):
    f()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peer(rows, n):
    torch.manual_seed(0)
    sorter = diffsort.DiffSortNet("bitonic", n, steepness=5.0, art_lambda=0.25, distribution="logistic_phi")
    x = torch.randn(rows, n, requires_grad=True)
    weights = torch.rand(rows, n)
    places = torch.arange(1, n + 1, dtype=torch.float32)

    def run():
        x.grad = None
        ranks = sorter(x)[1] @ places
        (ranks * weights).sum().backward()

    return median_seconds(run, runs=31 if rows * n <= 256 else 5)


def main():
    torch.set_num_threads(1)
    mine = ours(sys.argv[1:])
    print(f"torch {torch.__version__}, diffsort {version('diffsort')}, one thread each")
    print(f"{'rows x n':>10} {'this crate':>12} {'diffsort':>12} {'ratio':>9}")
    for rows, n in ((1, 16), (1, 64), (1, 256), (64, 16)):
        here, there = mine[f"bitonic/{rows}x{n}"], peer(rows, n)
        print(f"{rows:>5} x {n:<4} {here * 1e6:>9.1f} µs {there * 1e6:>9.0f} µs {there / here:>8.0f}x")


if __name__ == "__main__":
    main()
