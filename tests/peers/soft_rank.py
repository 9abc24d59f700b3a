"""Soft ranks, forward and backward: this crate against diffsort, torchsort, fast-soft-sort, fynch and rankit.

    python -m venv .venv && .venv/bin/pip install -r tests/peers/requirements.txt
    .venv/bin/pip install --no-build-isolation torchsort
    .venv/bin/pip install git+https://github.com/google-research/fast-soft-sort
    .venv/bin/python tests/peers/soft_rank.py

Normal values, and the gradient of a weighted sum of ranks, with the same settings on both sides: bitonic networks with
ART (λ = 0.25, steepness 5; rank = P @ (1..n), diffsort's network built beforehand), projections onto the permutahedron
with strength 1 (torchsort is compiled C++ in f32, fast-soft-sort NumPy with Numba in f64, row by row), and the Rust
crates of `tests/peers/rust`. A Python peer that is not installed is left out. One thread each; medians; ratios are what
counts. The table goes to `data/results/soft_rank_peers.csv` too.
"""

import csv
import importlib
import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch
from common import ROOT, median_seconds, ours

LENGTHS = [16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576]
PROJECTIONS = [(1, n) for n in LENGTHS] + [(64, n) for n in LENGTHS if n <= 16_384]
NETWORKS = [(1, 16), (1, 64), (1, 256), (64, 16), (64, 64)]
RESULTS = ROOT / "data" / "results" / "soft_rank_peers.csv"


def data(rows, n):
    rng = np.random.default_rng(0)
    return rng.standard_normal((rows, n)), rng.random((rows, n))


def by_torch(ranks, rows, n):
    x, weights = (torch.tensor(v, dtype=torch.float32) for v in data(rows, n))
    x.requires_grad_()

    def run():
        x.grad = None
        (ranks(x) * weights).sum().backward()

    return median_seconds(run)


def diffsort(peer, rows, n):
    sorter = peer.DiffSortNet("bitonic", n, steepness=5.0, art_lambda=0.25, distribution="logistic_phi")
    places = torch.arange(1, n + 1, dtype=torch.float32)
    return by_torch(lambda x: sorter(x)[1] @ places, rows, n)


def torchsort(regularization):
    return lambda peer, rows, n: by_torch(lambda x: peer.soft_rank(x, regularization=regularization), rows, n)


def fast_soft_sort(regularization):
    def run(peer, rows, n):
        def once():
            for row, cotangent in zip(*data(rows, n)):
                ranks = peer.SoftRank(row, regularization=regularization)
                ranks.compute()
                ranks.vjp(cotangent)

        return median_seconds(once)

    return run


# Way, peer, its module, how to time it, and where.
PEERS = [
    ("bitonic", "diffsort", "diffsort", diffsort, NETWORKS),
    ("permutahedron l2", "torchsort", "torchsort", torchsort("l2"), PROJECTIONS),
    ("permutahedron kl", "torchsort", "torchsort", torchsort("kl"), PROJECTIONS),
    ("permutahedron l2", "fast-soft-sort", "fast_soft_sort.numpy_ops", fast_soft_sort("l2"), PROJECTIONS),
    ("permutahedron kl", "fast-soft-sort", "fast_soft_sort.numpy_ops", fast_soft_sort("kl"), PROJECTIONS),
]


def from_python(mine):
    for way, peer, module, run, shapes in PEERS:
        try:
            loaded = importlib.import_module(module)
        except ImportError as error:
            print(f"left out: {error}")
            continue
        for rows, n in shapes:
            yield way, peer, "forward + backward", rows, n, mine[f"{way}/{rows}x{n}"], run(loaded, rows, n)


def from_rust():
    manifest = ROOT / "tests" / "peers" / "rust" / "Cargo.toml"
    command = ["cargo", "run", "--release", "--quiet", "--manifest-path", str(manifest)]
    one_thread = {**os.environ, "RAYON_NUM_THREADS": "1"}
    done = subprocess.run(command, env=one_thread, check=True, stdout=subprocess.PIPE, text=True)
    for line in done.stdout.splitlines():
        case = json.loads(line)
        yield case["way"], case["peer"], case["what"], 1, case["n"], case["ours"], case["peer_seconds"]


def versions():
    names = ["torch", "diffsort", "torchsort", "fast-soft-sort", "numpy"]
    for name in names:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            pass


def main():
    torch.set_num_threads(1)
    mine = ours("soft_rank", sys.argv[1:], threads=1)
    print(", ".join(versions()))
    header = ["way", "peer", "what", "rows", "n", "ours", "theirs"]
    table = []
    for row in [*from_python(mine), *from_rust()]:
        way, peer, what, rows, n, here, there = row
        table.append([way, peer, what, rows, n, f"{here:.4g}", f"{there:.4g}"])
        shape = f"{rows} x {n}"
        print(f"{way:<17} {peer:<15} {what:<19} {shape:>12} {here * 1e6:>11.1f} µs {there * 1e6:>11.1f} µs "
              f"{there / here:>8.1f}x", flush=True)
    with open(RESULTS, "w", newline="", encoding="utf-8") as file:
        file.write(f"# python tests/peers/soft_rank.py; seconds, one thread each; {', '.join(versions())}\n")
        csv.writer(file, lineterminator="\n").writerows([header, *table])


if __name__ == "__main__":
    main()
