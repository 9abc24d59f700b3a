"""Kendall's tau-b: this crate against SciPy, in one run.

    python -m venv .venv && .venv/bin/pip install -r tests/peers/requirements.txt
    .venv/bin/python tests/peers/kendall.py

Two correlated lists of normal values, the second rounded so that it has ties; medians. SciPy uses one thread, this
crate all there are.
"""

import sys
from importlib.metadata import version

import numpy as np
from common import median_seconds, ours
from scipy.stats import kendalltau


def peer(n):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(n)
    y = np.round((x + rng.standard_normal(n)) * 1000)
    return median_seconds(lambda: kendalltau(x, y))


def main():
    mine = ours("kendall", sys.argv[1:])
    print(f"SciPy {version('scipy')}")
    print(f"{'n':>10} {'this crate':>13} {'SciPy':>12} {'ratio':>8}")
    for n, seconds in mine.items():
        other = peer(int(n))
        print(f"{n:>10} {seconds * 1e3:10.2f} ms {other * 1e3:9.2f} ms {other / seconds:7.1f}x")


if __name__ == "__main__":
    main()
