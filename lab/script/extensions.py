"""Functions a person adds in Python, through the entry-point group `lab.functions` of an installed package.

An entry point names a `lab.script.Function`, or a tuple of them, with a `build` that gives a Polars expression or a `formula` in the
language itself. One that can't be loaded, or takes a name that has a meaning, is left out and said: it never stops the program. Whether
it looks ahead is for `truncation_check` to find, as for every script that uses it.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, distributions

from lab.script.entries import Category, Function
from lab.script.fields import FIELDS, NAMESPACES
from lab.script.nodes import Kind

GROUP = "lab.functions"
_TAKEN = {
    *("param", "side", "news", "long", "short", "score", "entry", "stop", "target", "target_2", "target_3"),
    *(
        "fraction",
        "fraction_2",
        "fraction_3",
        "trail",
        "break_even",
        "exit",
        "max_bars",
        "flat_by",
        "cooldown",
        "size",
        "risk",
        "risk_move",
    ),
}


def add_extensions(known: dict[str, Function]) -> tuple[str, ...]:
    """Adds to the known functions what installed packages offer; returns a sentence for each that was left out."""
    added, problems = find_extensions(known)
    known.update(added)
    return problems


def find_extensions(
    known: Mapping[str, Function], points: Iterable[EntryPoint] | None = None
) -> tuple[dict[str, Function], tuple[str, ...]]:
    """The functions that installed packages add to the known ones, and a sentence for each that was left out."""
    added: dict[str, Function] = {}
    problems: list[str] = []
    for point in _offered() if points is None else points:
        try:
            loaded = point.load()
        except Exception as error:  # another person's code may raise anything at all
            problems.append(f"The extension {point.name} ({point.value}) can't be loaded: {type(error).__name__}: {error}.")
            continue
        offered = loaded if isinstance(loaded, (tuple, list)) else (loaded,)
        for function in offered:
            problem = _problem(function, {**known, **added})
            if problem:
                problems.append(f"The extension {point.name} ({point.value}) was left out: {problem}.")
            else:
                added[function.name] = function
    return added, tuple(problems)


def _offered() -> Iterator[EntryPoint]:
    """The entry points of our group. `importlib.metadata.entry_points` takes those of every package apart, which costs a start 4 ms."""
    known = set()
    for package in distributions():
        if GROUP in (package.read_text("entry_points.txt") or "") and package.name not in known:
            known.add(package.name)
            yield from package.entry_points.select(group=GROUP)


def _problem(function: object, known: Mapping[str, Function]) -> str:
    """What is wrong with an added function, or empty."""
    if not isinstance(function, Function):
        return "it is no lab.script.Function"
    name = function.name
    if not name.isascii() or not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_") or "__" in name:
        return f"`{name[:40]}` can't be the name of a function"
    if name in known or name in FIELDS or name in NAMESPACES or name in _TAKEN:
        return f"`{name}` already has a meaning"
    if (function.build is None) == (function.formula is None) or function.steps is not None or function.among is not None:
        return f"`{name}` needs a build or a formula, and not both"
    if function.category in (Category.ORDER, Category.OTHER) or function.returns not in (Kind.NUMBER, Kind.CONDITION):
        return f"`{name}` must give a number or a condition"
    return ""
