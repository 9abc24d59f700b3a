"""What the scripts share: this crate's times from its bench programs, and the peers' by the same rule."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def device_and_command():
    """What `--device` names, the same for both sides, and the rest of the arguments: a bench program built elsewhere."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options, command = parser.parse_known_args()
    return options.device, command


def ours(bench, command=(), threads=None, device="cpu"):
    """Seconds by case, as printed by a bench program; `command` is one built elsewhere, with its arguments."""
    if not command:
        cuda = ["bash", "notebooks/lab/cuda.sh"] if device == "cuda" else []
        features = ["--features", "cuda"] if device == "cuda" else []
        command = [*cuda, "cargo", "bench", *features, "--bench", bench, "--", "--times"]
    environment = {**os.environ, **({"RAYON_NUM_THREADS": str(threads)} if threads else {})}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def median_seconds(f, most=51):
    """The median of up to `most` calls, fewer of what takes long, after two that do not count."""
    seconds(f)
    once = seconds(f)
    return statistics.median(seconds(f) for _ in range(max(3, min(most, int(2.0 / once)))))


def seconds(f):
    """How long a call takes, until a GPU has done what it was given."""
    start = time.perf_counter()
    f()
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter() - start
