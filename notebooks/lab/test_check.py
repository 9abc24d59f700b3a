"""Tests of check.py: `python3 -m unittest discover notebooks/lab`."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

import check


def stream(name, text):
    return {"output_type": "stream", "name": name, "text": text}


def value(text):
    return {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": text}}


def cell(source, *outputs, count=1, tags=()):
    return {
        "cell_type": "code",
        "execution_count": count,
        "metadata": {"tags": list(tags)},
        "outputs": list(outputs),
        "source": source,
    }


SENTINEL = cell('"end of the notebook"', value('"end of the notebook"'))
# What the kernel leaves behind, as seen in executed notebooks.
PANIC = stream("stderr", ["thread '<unnamed>' panicked at src/lib.rs:26:5:\n", "index out of bounds\n"])
QUESTION_MARK = stream("stderr", "No such file or directory (os error 2)\n")
COMPILE = {"output_type": "error", "ename": "Error", "evalue": "", "traceback": ["\x1b[31m[E0425] Error\x1b[0m: x"]}


class Problems(unittest.TestCase):
    def assert_problems(self, cells, *expected):
        found = check.problems({"cells": cells})
        self.assertEqual(len(found), len(expected), found)
        for message, parts in zip(found, expected):
            for part in parts:
                self.assertIn(part, message)

    def test_a_complete_run_passes(self):
        text = {"cell_type": "markdown", "metadata": {}, "source": "panicked at"}
        printed = cell("run()", stream("stdout", "step 3 of 8\n"), value("panicked at is only a word here"))
        self.assert_problems([text, printed, cell("", count=None), SENTINEL, text])

    def test_panic(self):
        self.assert_problems([cell("let a = v[9];\na", PANIC), SENTINEL], ["code cell 1 `let a = v[9];`", "panic: thread"])

    def test_a_backtrace_in_many_outputs_is_one_problem(self):
        trace = [stream("stderr", f"{frame}: run_user_code\n") for frame in range(50)]
        self.assert_problems([cell("v[9]", PANIC, *trace), SENTINEL], ["panic: thread", "\n..."])

    def test_a_figure_that_is_only_printed(self):
        drawn = value('Figure(["a"])')
        drawn["data"]["image/png"] = "iVBORw0KGgo="
        self.assert_problems([cell("a", drawn), SENTINEL])
        self.assert_problems([cell("b", value('Figure(["b"])')), SENTINEL], ["code cell 1 `b`", "was printed, not drawn"])

    def test_a_table_that_is_only_printed(self):
        shown = value('Table("a", 2 rows × 1 columns)')
        self.assert_problems([cell("a", shown), SENTINEL], ["code cell 1 `a`", "was printed, not drawn"])
        shown["data"]["text/html"] = "<table></table>"
        self.assert_problems([cell("a", shown), SENTINEL])

    def test_silent_failure_on_stderr(self):
        self.assert_problems([cell("fail()?", stream("stderr", "\n")), SENTINEL], ["message on stderr"])

    def test_error_by_question_mark(self):
        self.assert_problems([cell("1"), cell("read()?", QUESTION_MARK), SENTINEL], ["code cell 2 `read()?`", "os error 2"])

    def test_failure_in_the_last_cell(self):
        last = cell(SENTINEL["source"], *SENTINEL["outputs"], PANIC)
        self.assert_problems([cell("1"), last], ["code cell 2", "panic"])

    def test_compile_error_loses_its_colours(self):
        self.assert_problems([cell("x", COMPILE), SENTINEL], ["code cell 1 `x`", "error: [E0425] Error: x"])

    def test_missing_sentinel(self):
        self.assert_problems([cell("1", value("1"))], ["code cell 1 `1`", "end of the notebook"])
        self.assert_problems([SENTINEL, cell("1", value("1"))], ["code cell 2 `1`", "end of the notebook"])

    def test_sentinel_in_the_source_alone_does_not_count(self):
        self.assert_problems([cell(SENTINEL["source"])], ["the last cell must"])

    def test_stops_at_the_first_cell_not_executed(self):
        self.assert_problems([cell("a"), cell("b", count=None), cell("c", count=None)], ["code cell 2 `b`", "not executed"])

    def test_expected_failure(self):
        self.assert_problems([cell("v[9]", PANIC, tags=["raises-exception"]), SENTINEL])
        self.assert_problems([cell("v[0]", tags=["raises-exception"]), SENTINEL], ["code cell 1", "was to fail"])

    def test_no_code(self):
        self.assert_problems([], ["no code cell"])


class Command(unittest.TestCase):
    def run_on(self, text):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()) as messages:
            file = Path(folder, "a.ipynb")
            file.write_text(text, encoding="utf-8")
            return check.main([str(file)]), messages.getvalue()

    def test_exit_status(self):
        self.assertEqual(self.run_on(json.dumps({"cells": [SENTINEL]})), (0, ""))
        status, messages = self.run_on(json.dumps({"cells": [cell("v[9]", PANIC), SENTINEL]}))
        self.assertEqual(status, 1)
        self.assertIn("a.ipynb: code cell 1 `v[9]`", messages)

    def test_a_broken_file_is_a_failure(self):
        for text in ["", "{", "[]", '{"cells": [{}]}']:
            status, messages = self.run_on(text)
            self.assertEqual(status, 1, text)
            self.assertIn("no readable notebook", messages)


if __name__ == "__main__":
    unittest.main()
