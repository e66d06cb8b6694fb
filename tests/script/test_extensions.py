"""A person's own functions, from an installed package, work like the built-in ones; a bad one is named and left out."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

from lab.script import CATALOGUE
from lab.script.extensions import GROUP, find_extensions

MODULE = """
from lab.script import Category, Function, Kind
from lab.script.entries import series, whole

double = Function("double", Category.CONVERSION, (series(),), Kind.NUMBER, "twice the value", "definition", "double(close)",
                  build=lambda x: x * 2.0)
several = (
    Function("mid", Category.CONVERSION, (), Kind.NUMBER, "middle of the bar", "definition", "mid()", formula="(high + low) / 2"),
    Function("tomorrow", Category.CONVERSION, (series(), whole(default=1)), Kind.NUMBER, "peeks", "none", "tomorrow(close)",
             build=lambda x, n: x.shift(-n)),
)
taken = Function("sma", Category.CONVERSION, (), Kind.NUMBER, "m", "s", "sma()", formula="close")
nothing = 5
"""
PROGRAM = """
from lab.script import CATALOGUE, EXTENSION_PROBLEMS, check, compile_strategy, explain, truncation_check
from tests.script.bars import EXECUTION, make_bars
frame = make_bars(tickers=1)
found = compile_strategy("x = double(mid()) + sma(double(close), 3)\\nlong = x > 1", EXECUTION).evaluate(frame)
expected = compile_strategy("x = high + low + sma(close * 2, 3)\\nlong = x > 1", EXECUTION).evaluate(frame)
assert (found["scan.x"] - expected["scan.x"]).abs().max() < 1e-9
peeks = compile_strategy("x = tomorrow(close)\\nlong = x > 1", EXECUTION)
assert truncation_check(peeks, frame, [10]), "a function that looks ahead is found by the truncation check"
assert "Did you mean `double(x)`?" in str(check("x = duble(close)\\nlong = close > open", EXECUTION)[0])
assert explain("x = double(close)\\nlong = x > 1", EXECUTION)[0].words == "x is twice the value (x the close)."
print("\\n".join(EXTENSION_PROBLEMS))
"""


def test_an_installed_packages_functions_are_part_of_the_language(tmp_path: Path) -> None:
    (tmp_path / "extra_functions.py").write_text(MODULE)
    info = tmp_path / "extra_functions-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra-functions\nVersion: 1.0\n")
    points = "\n".join(f"{name} = extra_functions:{name}" for name in ("double", "several", "taken", "nothing", "absent"))
    (info / "entry_points.txt").write_text(f"[lab.functions]\n{points}\n")
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(root)!r}]\n{PROGRAM}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [
        "The extension absent (extra_functions:absent) can't be loaded:"
        " AttributeError: module 'extra_functions' has no attribute 'absent'.",
        "The extension nothing (extra_functions:nothing) was left out: it is no lab.script.Function.",
        "The extension taken (extra_functions:taken) was left out: `sma` already has a meaning.",
    ]


def test_names_and_forms_that_can_not_be_are_left_out() -> None:
    good = replace(CATALOGUE["typical"], name="another", steps=None, formula="(high + low + close) / 3")
    bad = {
        "__x": "can't be the name of a function",
        "lambda": "can't be the name of a function",
        "market": "already has a meaning",
        "close": "already has a meaning",
        "long": "already has a meaning",
    }

    class Point(EntryPoint):
        def load(self) -> object:
            order = replace(CATALOGUE["at_open"], name="mine", formula="close")
            return [replace(good, name=self.value), replace(good, formula=None), order]

    for name, words in bad.items():
        added, problems = find_extensions(CATALOGUE, [Point("one", name, GROUP)])
        assert added == {}
        assert words in problems[0]
        assert "needs a build or a formula" in problems[1]
        assert "must give a number or a condition" in problems[2]
    added, problems = find_extensions(CATALOGUE, [Point("one", "another", GROUP)])
    assert list(added) == ["another"]
