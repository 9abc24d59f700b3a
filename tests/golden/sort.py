"""Writes sort.json: soft sorts, ranks, permutations and correlations computed with NumPy in float64.

    python tests/golden/sort.py

Independent of the crate: every layer is a dense matrix, P their product, gradients are central differences.
Inputs are fixed or drawn with seed 7. Written with Python 3.11, NumPy 2.4.6.
"""

import json
import math
from pathlib import Path

import numpy as np

EPSILON = 1e-10


def relax(name, v, x, steepness, power):
    if name == "logistic":
        return 1 / (1 + np.exp(-v))
    if name == "logistic_art":
        return 1 / (1 + np.exp(-steepness * x / (abs(x) + EPSILON) ** power))
    if name == "gaussian":
        return 0.5 * math.erfc(-v / math.sqrt(2))
    if name == "reciprocal":
        return 0.5 * (v / (2 + abs(v)) + 1)
    if name == "cauchy":
        return math.atan(v) / math.pi + 0.5
    if name == "optimal":
        return v + 0.5 if abs(v) <= 0.25 else 0.5 + math.copysign(0.5 - 1 / (16 * abs(v)), v)
    raise ValueError(name)


def layers(network, n):
    if network == "odd_even":
        for layer in range(n):
            yield [(i, i + 1) for i in range(layer % 2, n - 1, 2)]
        return
    depth = max(n - 1, 0).bit_length()
    dropped = 2**depth - n
    for block in range(depth):
        for log in range(block, -1, -1):
            pairs = []
            for low in range(2**depth):
                high = low ^ (1 << log)
                if low < high and low >= dropped:
                    pair = (low - dropped, high - dropped)
                    pairs.append(pair if not low >> (block + 1) & 1 else pair[::-1])
            yield pairs


def permutation(values, network, relaxation, steepness, power):
    x = np.array(values, dtype=np.float64)
    n = len(x)
    total = np.eye(n)
    for pairs in layers(network, n):
        m = np.eye(n)
        for low, high in pairs:
            d = x[high] - x[low]
            keep = relax(relaxation, steepness * d, d, steepness, power)
            m[low, low] = m[high, high] = keep
            m[low, high] = m[high, low] = 1 - keep
        x, total = x @ m, total @ m
    return x, total


def soft_ranks(values, *how):
    return permutation(values, *how)[1] @ np.arange(1, len(values) + 1)


def average_ranks(values):
    v = np.array(values)
    return np.array([(v < a).sum() + ((v == a).sum() + 1) / 2 for a in v])


def pearson(x, y):
    x, y = x - np.mean(x), y - np.mean(y)
    return float(x @ y / math.sqrt((x @ x) * (y @ y)))


def difference(f, x, h=1e-6):
    x = np.array(x, dtype=np.float64)
    steps = h * np.eye(len(x))
    return [(f(x + s) - f(x - s)) / (2 * h) for s in steps]


def standardised(x):
    return (x - x.mean()) / x.std()


def main():
    rng = np.random.default_rng(7)
    lists = [[3.0, 1.0, 4.0, 2.0], [0.3, -1.2, 0.8, 2.5, -0.4], [0.7, 0.7, -0.1], [2.0]]
    lists += [np.round(rng.normal(size=n), 3).tolist() for n in (8, 13)]
    names = ["logistic", "logistic_art", "gaussian", "reciprocal", "cauchy", "optimal"]
    cases = []
    for network in ("bitonic", "odd_even"):
        for relaxation in names:
            for values in lists:
                how = (network, relaxation, 5.0, 0.25)
                x, p = permutation(values, *how)
                cases.append({
                    "network": network, "relaxation": relaxation, "steepness": 5.0, "lambda": 0.25,
                    "values": values, "sorted": x.tolist(), "permutation": p.ravel().tolist(),
                    "ranks": soft_ranks(values, *how).tolist(),
                })
    # Losses of eight batches against their accuracies, as the released script of ReLoss ranks them (no scaling).
    values = [-0.7, -0.2, -1.5, -0.9, -0.4, -0.1, -2.2, -0.65]
    other = [0.6, 0.9, 0.2, 0.5, 0.8, 0.95, 0.1, 0.55]
    how = ("bitonic", "logistic_art", 5.0, 0.25)
    hard = average_ranks(other)
    plain = lambda x: pearson(soft_ranks(x, *how), hard)
    scaled = lambda x: plain(standardised(x))
    correlation = {
        "values": values, "other": other, "unscaled": plain(values),
        "unscaled_gradient": difference(plain, values), "standardised": scaled(np.array(values)),
        "standardised_gradient": difference(scaled, values),
        "spearman": pearson(average_ranks(values), hard),
    }
    sizes = []
    for n in (2, 3, 8, 16, 128):
        count = lambda network: [len(list(layers(network, n))), sum(map(len, layers(network, n)))]
        sizes.append({"n": n, "bitonic": count("bitonic"), "odd_even": count("odd_even")})
    lines = lambda rows: "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]"
    text = f'{{"cases": {lines(cases)},\n"correlation": {json.dumps(correlation)},\n"sizes": {lines(sizes)}}}\n'
    Path(__file__).with_suffix(".json").write_text(text)


if __name__ == "__main__":
    main()
