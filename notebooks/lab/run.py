"""Executes notebooks without a browser and checks what came out; called by `lab.sh --run`."""

import argparse
import base64
import signal
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

import check

NOTEBOOKS = Path(__file__).resolve().parent.parent
OUT = NOTEBOOKS / "out"
FIGURES = NOTEBOOKS / "figures"


def execute(notebook, timeout):
    """Runs the cells in order up to the first failure; returns why it stopped early, or nothing."""
    client = NotebookClient(
        notebook,
        timeout=timeout,
        startup_timeout=120,
        kernel_name="rust",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
    number = 0
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code" or not cell.source.strip():
                continue
            number += 1
            began = time.monotonic()
            try:
                client.execute_cell(cell, index)
            except CellTimeoutError:
                return f"{check.place(number, cell)}: took longer than {timeout} s"
            except DeadKernelError:
                return f"{check.place(number, cell)}: the kernel died"
            except CellExecutionError:
                pass  # an error among the outputs
            first_line = cell.source.strip().splitlines()[0]
            print(f"  {time.monotonic() - began:6.1f} s  {number:2}  {first_line[:90]}", flush=True)
            if check.problems_of_cell(number, cell):
                return None
    return None


def write(path, text):
    """Writes a whole file or nothing."""
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def figures(notebook):
    """Yields the name and the PNG of each cell tagged `figure:NAME`: pictures that the README shows."""
    for cell in notebook.cells:
        names = [tag.split(":", 1)[1] for tag in cell.metadata.get("tags", []) if tag.startswith("figure:")]
        pictures = [output.data["image/png"] for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
        yield from zip(names, map(base64.b64decode, pictures))


def run(path, in_place, timeout):
    """Executes one notebook; returns whether it ran to its end."""
    print(path.stem, flush=True)
    began = time.monotonic()
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    stopped = execute(notebook, timeout)
    found = ([stopped] if stopped else []) + check.problems(notebook)
    page, _ = HTMLExporter().from_notebook_node(notebook, {"metadata": {"name": path.stem}})
    OUT.mkdir(exist_ok=True)
    text = nbformat.writes(notebook) + "\n"
    write(OUT / path.name, text)
    write(OUT / (path.stem + ".html"), page)
    for message in found:
        print(f"{path.name}: {message}", file=sys.stderr)
    if in_place and not found:
        write(path, text)
        for name, png in figures(notebook):
            FIGURES.mkdir(exist_ok=True)
            (FIGURES / f"{name}.png").write_bytes(png)
    state = "FAILED" if found else "ok"
    print(f"{path.stem}: {state} after {time.monotonic() - began:.1f} s, see {OUT / path.stem}.html", flush=True)
    return not found


def main():
    parser = argparse.ArgumentParser(prog="lab.sh --run")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--in-place", action="store_true")
    parser.add_argument("--timeout", type=int, default=1200, metavar="SECONDS")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.all == bool(options.names):
        parser.error("give either the names of notebooks or --all")
    if options.all:
        paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    else:
        paths = [NOTEBOOKS / (Path(name).name.removesuffix(".ipynb") + ".ipynb") for name in options.names]
    missing = [path.name for path in paths if not path.exists()]
    if missing or not paths:
        parser.error(f"no such notebook in {NOTEBOOKS}: {' '.join(missing) or '*.ipynb'}")
    failed = [path.stem for path in paths if not run(path, options.in_place, options.timeout)]
    print(f"{len(paths) - len(failed)} notebooks passed, {len(failed)} failed {' '.join(failed)}".rstrip())
    return 1 if failed else 0


def stop(number, _frame):
    """Ends the run by an exception, which shuts the kernel down on its way."""
    sys.exit(128 + number)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    sys.exit(main())
