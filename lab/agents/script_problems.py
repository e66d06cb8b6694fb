"""What is wrong with a pair of scripts for a person who writes them: mistakes of the language, and context the bars don't have."""

from __future__ import annotations

import ast
from pathlib import Path

from lab.agents.span import context_problems
from lab.agents.views import ScriptProblem
from lab.script import check, compile_strategy
from lab.script.source import module_of
from lab.store.models import Universe


def script_problems(scan: str, execution: str, universe: Universe | None, bars: Path) -> tuple[ScriptProblem, ...]:
    """Every mistake, in reading order; where there is none, what `universe` can't give to the scripts, each where it is first named."""
    mistakes = tuple(
        ScriptProblem(script=error.script, line=error.line, column=error.column, message=error.message, suggestion=error.suggestion)
        for error in check(scan, execution)
    )
    if mistakes or universe is None:
        return mistakes
    missing = context_problems(compile_strategy(scan, execution), universe, bars)
    return tuple(_placed(name, reason, scan, execution) for name, reason in missing)


def _placed(name: str, reason: str, scan: str, execution: str) -> ScriptProblem:
    message = f"{name} {'are' if name.endswith(' bars') else 'is'} unknown for this agent's universe"
    literal = name.removesuffix(" bars")
    for script, text in (("scan", scan), ("execution", execution)):
        for node in ast.walk(module_of(text)):
            if (isinstance(node, ast.Attribute) and ast.unparse(node) == name) or (
                isinstance(node, ast.Constant) and node.value == literal
            ):
                return ScriptProblem(script, node.lineno, node.col_offset + 1, message, reason)
    # A function reads it inside: there is no one place to show.
    return ScriptProblem("scan", 1, 1, message, reason)
