"""Tells whether an executed notebook ran to its end: `python check.py NOTEBOOK.ipynb ...`.

A panic and an error returned by `?` leave a cell "ok": all that is left is a message on stderr. So a notebook passes
only if nothing was written to stderr, no cell has an error, every cell was executed, and the last code cell gave the
sentinel as its value. A cell that shows a failure on purpose carries the tag `raises-exception` and must fail.
"""

import json
import re
import sys
from pathlib import Path

SENTINEL = "end of the notebook"
EXPECTED_FAILURE = "raises-exception"
LINES = 8
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def text_of(value):
    """Joins what a notebook file stores as one string or as a list of lines."""
    return value if isinstance(value, str) else "".join(value)


def failures(cell):
    """Returns what went wrong in one executed code cell, an error or what stands on stderr."""
    found = []
    messages = []
    for output in cell.get("outputs", []):
        kind = output["output_type"]
        if kind == "error":
            trace = "\n".join(output.get("traceback", [])) or output.get("evalue", "")
            found.append("error: " + COLOURS.sub("", trace).strip())
        elif kind == "stream" and output["name"] == "stderr":
            messages.append(text_of(output["text"]))
    lines = COLOURS.sub("", "".join(messages)).strip().splitlines()
    if messages:
        kind = "panic" if any("panicked at" in line for line in lines) else "message on stderr"
        # The rest of a long one is a backtrace, to be read in the executed notebook.
        found.append(f"{kind}: " + "\n".join(lines[:LINES] + ["..."] * (len(lines) > LINES)))
    return found


def undrawn(cell):
    """Returns a figure or table that was printed instead of drawn: the kernel does so after moving a variable."""
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        text = text_of(data.get("text/plain", ""))
        drawn = any(kind.startswith("image/") or kind == "text/html" for kind in data)
        if text.startswith(("Figure(", "Table(")) and not drawn:
            return text.strip()
    return None


def shown(cell):
    """Returns the text that a cell printed or gave as its value."""
    texts = []
    for output in cell.get("outputs", []):
        if output["output_type"] == "stream" and output["name"] == "stdout":
            texts.append(text_of(output["text"]))
        elif output["output_type"] in ("execute_result", "display_data"):
            texts.append(text_of(output["data"].get("text/plain", "")))
    return "\n".join(texts)


def place(number, cell):
    """Names a cell: its place among the code cells and its first line."""
    lines = text_of(cell["source"]).strip().splitlines() or [""]
    return f"code cell {number} `{lines[0]}`"


def problems_of_cell(number, cell):
    """Returns the problems of one executed code cell as messages that name it."""
    found = failures(cell)
    if EXPECTED_FAILURE in cell.get("metadata", {}).get("tags", []):
        return [] if found else [f"{place(number, cell)}: was to fail, and did not"]
    if undrawn(cell):
        found.append(f"{undrawn(cell)} was printed, not drawn: build it in a block and end the cell with its variable")
    # The kernel sends stderr on its own way: a message may arrive when the next cell runs already.
    return [f"{place(number, cell)} (or the one before): {message}" for message in found]


def problems(notebook):
    """Returns all problems of an executed notebook, as messages; an empty list if it ran to its end."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and text_of(cell["source"]).strip()]
    found = []
    for number, cell in enumerate(cells, 1):
        if cell.get("execution_count") is None:
            return found or [f"{place(number, cell)}: was not executed, nor what follows"]
        found += problems_of_cell(number, cell)
    if not cells:
        found.append("there is no code cell")
    elif SENTINEL not in shown(cells[-1]):
        found.append(f'{place(len(cells), cells[-1])}: the last cell must be `"{SENTINEL}"` and give that value')
    return found


def main(files):
    failed = False
    for file in files:
        try:
            found = problems(json.loads(Path(file).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            found = [f"no readable notebook: {error!r}"]
        for message in found:
            print(f"{file}: {message}", file=sys.stderr)
        failed = failed or bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
