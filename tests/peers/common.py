"""What the scripts share: this crate's times from its bench programs, and the peers' by the same rule."""

import json
import os
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def ours(bench, command=(), threads=None):
    """Seconds by case, as printed by a bench program; `command` is one built elsewhere, with its arguments."""
    command = list(command) or ["cargo", "bench", "--bench", bench, "--", "--times"]
    environment = {**os.environ, **({"RAYON_NUM_THREADS": str(threads)} if threads else {})}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def median_seconds(f, most=51):
    """The median of up to `most` calls, fewer of what takes long, after two that do not count."""
    f()
    start = time.perf_counter()
    f()
    once = time.perf_counter() - start
    times = []
    for _ in range(max(3, min(most, int(2.0 / once)))):
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
