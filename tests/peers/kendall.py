"""Kendall's tau-b: this crate against SciPy, in one run.

    python -m venv .venv && .venv/bin/pip install -r tests/peers/requirements.txt
    .venv/bin/python tests/peers/kendall.py

Two correlated lists of normal values, the second rounded so that it has ties; medians. SciPy uses one thread, this
crate all there are.
"""

import json
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

ROOT = Path(__file__).resolve().parents[2]


def ours(command):
    """Seconds by length; `command` (optional) is a bench program built elsewhere, with its arguments."""
    command = command or ["cargo", "bench", "--bench", "kendall", "--", "--times"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def peer(n):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(n)
    y = np.round((x + rng.standard_normal(n)) * 1000)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        kendalltau(x, y)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    mine = ours(sys.argv[1:])
    print(f"SciPy {version('scipy')}")
    print(f"{'n':>10} {'this crate':>13} {'SciPy':>12} {'ratio':>8}")
    for n, seconds in mine.items():
        other = peer(int(n))
        print(f"{n:>10} {seconds * 1e3:10.2f} ms {other * 1e3:9.2f} ms {other / seconds:7.1f}x")


if __name__ == "__main__":
    main()
