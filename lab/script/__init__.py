"""The strategy language: a script can only compute, and only from the past.

What is missing stays missing: arithmetic with a missing value, a division by zero, a window that is not full or has a gap in it, and a
session function before it has what it needs all give a missing value. A comparison with a missing value is neither true nor false, and so
is its `not`; wherever a condition is acted on (a signal, an exit, a named line's column) that counts as false. So missing data never makes
a signal, whichever way a script asks. `a if c else b` is missing where `c` is. `nz(x, 0)` is the one way to say otherwise, and bars in
warm-up give no signal even then.

`on("1d", x)` is x on the longer bars as of the last one that was over before this bar began; `of("SPY", x)` is x of another ticker, whose
bars must be among those at hand (`Strategy.required_tickers`), as of its bar that starts with this one or the last before; `rank_across(x)`
and its kin look at the bars of all tickers that start at the same moment. Functions of a person's own come from installed packages
(`lab.script.extensions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.on_use import names_on_use
from lab.script.catalogue import CATALOGUE, catalogue_text, search_catalogue
from lab.script.entries import Argument, Category, Function
from lab.script.errors import ScriptError
from lab.script.explain import Line, explain
from lab.script.extensions import add_extensions
from lab.script.fields import FIELDS, NAMESPACES, Field
from lab.script.nodes import Kind
from lab.script.parameters import Parameter
from lab.script.printer import expression_text, format_script
from lab.script.strategy import ExecutionPlan, Strategy, check, check_scan, compile_strategy, traded_bars

if TYPE_CHECKING:
    from lab.script.diff import describe_changes
    from lab.script.edit import add_condition, set_parameters
    from lab.script.truncation import Violation, truncation_check

__all__ = [
    "CATALOGUE",
    "EXTENSION_PROBLEMS",
    "FIELDS",
    "NAMESPACES",
    "Argument",
    "Category",
    "ExecutionPlan",
    "Field",
    "Function",
    "Kind",
    "Line",
    "Parameter",
    "ScriptError",
    "Strategy",
    "Violation",
    "add_condition",
    "catalogue_text",
    "check",
    "check_scan",
    "compile_strategy",
    "describe_changes",
    "explain",
    "expression_text",
    "format_script",
    "search_catalogue",
    "set_parameters",
    "traded_bars",
    "truncation_check",
]

__getattr__ = names_on_use(
    __name__,
    {
        "diff": ("describe_changes",),
        "edit": ("add_condition", "set_parameters"),
        "truncation": ("Violation", "truncation_check"),
    },
)

# Extensions import this module, so they are looked for once all of it is there.
EXTENSION_PROBLEMS = add_extensions(CATALOGUE)
"""What is wrong with functions of extensions that were left out, a sentence each."""
