"""Starts the Rust kernel (evcxr) for a notebook; `--install` registers it in this Python's Jupyter.

Around the kernel itself this script takes care of four things:

* A build folder of its own, notebooks/.evcxr/1, 2, ...: the first one that no running kernel holds. Kernels in one
  folder would overwrite each other's cells. Folders are kept, so a new kernel finds the library built already, and
  a new folder starts from the builds of another one.
* The versions of the repository's Cargo.lock, so that a notebook runs the crates that the tests ran.
* With $RELOSS_LAB_CUDA (`lab.sh --cuda`) a build for CUDA, in folders of its own: notebooks/.cuda/evcxr/1, 2, ....
* The standard library's sources, from which the kernel infers the types of `let`. Without them it would run
  `rustup component add rust-src` unasked; here it looks for a copy and never downloads anything.
"""

import fcntl
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parent.parent
BUILDS = NOTEBOOKS / ".evcxr"
CUDA_BUILDS = NOTEBOOKS / ".cuda" / "evcxr"
LOCK_FILE = NOTEBOOKS.parent / "Cargo.lock"
# What compilers replace and never change in place: shared between build folders instead of copied.
SHARED = {".rlib", ".rmeta", ".so", ".a"}
# Bytes of freed memory that are kept for the next allocation.
KEPT = str(2**31 - 1)
# What the kernel gives rustc, and the cfg under which kit/Cargo.toml asks for the library's feature.
CUDA_FLAGS = "\x1f".join(["-Cprefer-dynamic", "--cfg", "reloss_cuda"])
# A loopback port where nothing listens: downloads by rustup fail at once.
NOWHERE = "http://127.0.0.1:9"


def claim(builds):
    """Returns the first build folder that no running kernel holds, and holds it as long as this process lives."""
    for number in itertools.count(1):
        folder = builds / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        os.set_inheritable(lock, True)
        return folder
    return None


def warm_up(folder):
    """Gives a new build folder what another one has built."""
    if (folder / "target").exists():
        return
    others = [other for other in folder.parent.iterdir() if (other / "target").is_dir()]
    if not others:
        return
    source = max(others, key=lambda other: (other / "target").stat().st_mtime) / "target"
    fresh = folder / "target.new"
    shutil.rmtree(fresh, ignore_errors=True)
    files = [
        Path(parent, name).relative_to(source)
        for parent, folders, names in os.walk(source)
        for name in names
        if "incremental" not in Path(parent).parts and not name.startswith((".cargo-lock", "libcode_", "libctx"))
    ]
    # Cargo's records before the files they speak of: with a build under way, a file without record is built again.
    for path in sorted(files, key=lambda path: ".fingerprint" not in path.parts):
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if path.suffix in SHARED:
                os.link(source / path, target)
            else:
                shutil.copy2(source / path, target)
        except FileNotFoundError:
            continue
    fresh.rename(folder / "target")


def pin_versions(folder):
    """Puts the repository's Cargo.lock into the build folder unless it stands there already."""
    lock = folder / "Cargo.lock"
    if LOCK_FILE.exists() and (not lock.exists() or lock.stat().st_mtime < LOCK_FILE.stat().st_mtime):
        shutil.copyfile(LOCK_FILE, lock)


def std_sources():
    """Returns the folder of the standard library's sources, or None where there is none."""
    chosen = os.environ.get("RUST_SRC_PATH")
    if chosen and Path(chosen, "core").is_dir():
        return Path(chosen)
    folders = []
    try:
        shown = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True)
        folders.append(Path(shown.stdout.strip(), "lib/rustlib/src/rust/library"))
    except (OSError, subprocess.CalledProcessError):
        pass
    # Debian's packages of the sources, the newest first.
    system = [path for path in Path("/usr/src").glob("rustc-*/library") if path.is_dir()]
    folders += sorted(system, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parent.name)], reverse=True)
    return next((path for path in folders if (path / "core").is_dir()), None)


def start(evcxr, connection_file):
    """Becomes the kernel."""
    cuda = "RELOSS_LAB_CUDA" in os.environ
    folder = claim(CUDA_BUILDS if cuda else BUILDS)
    warm_up(folder)
    pin_versions(folder)
    environment = dict(os.environ)
    environment["EVCXR_TMPDIR"] = str(folder)
    # Every step of training frees tensors that the next one allocates again: the C library keeps the memory.
    environment.update(MALLOC_TRIM_THRESHOLD_=KEPT, MALLOC_MMAP_THRESHOLD_=KEPT)
    environment.update(RUSTUP_DIST_SERVER=NOWHERE, RUSTUP_UPDATE_ROOT=NOWHERE, RUSTUP_AUTO_INSTALL="0")
    if cuda:
        # Goes before the flags that the kernel sets.
        environment["CARGO_ENCODED_RUSTFLAGS"] = CUDA_FLAGS
    sources = std_sources()
    if sources:
        environment["RUST_SRC_PATH"] = str(sources)
    os.execve(evcxr, [evcxr, "--control_file", connection_file], environment)


def install(evcxr):
    """Registers the kernel in the environment of this Python; does nothing where it is registered already."""
    jupyter = Path(sys.prefix, "share", "jupyter")
    spec_file = jupyter / "kernels" / "rust" / "kernel.json"
    command = [sys.executable, str(Path(__file__).resolve()), "--start", str(evcxr), "{connection_file}"]
    try:
        if json.loads(spec_file.read_text())["argv"] == command:
            return
    except (OSError, ValueError, KeyError):
        pass
    environment = dict(os.environ, JUPYTER_PATH=str(jupyter))
    subprocess.run([evcxr, "--install"], env=environment, check=True, stdout=subprocess.DEVNULL)
    spec = json.loads(spec_file.read_text())
    spec["argv"] = command
    written = spec_file.with_suffix(".new")
    written.write_text(json.dumps(spec, indent=2) + "\n")
    written.replace(spec_file)
    print("registered the kernel 'Rust' in", jupyter)


def main(arguments):
    match arguments:
        case ["--start", evcxr, connection_file]:
            start(evcxr, connection_file)
        case ["--install", evcxr]:
            install(evcxr)
        case ["--std-sources"]:
            print(std_sources() or "")
        case _:
            sys.exit("usage: kernel.py --start EVCXR CONNECTION_FILE | --install EVCXR | --std-sources")


if __name__ == "__main__":
    main(sys.argv[1:])
