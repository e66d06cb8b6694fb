"""Compiled strategies: what the rest of the laboratory runs, and the checks it asks for."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.script.catalogue import CATALOGUE, nearest
from lab.script.entries import Scope, number_text
from lab.script.errors import ScriptError
from lab.script.fields import FIELDS
from lab.script.lines import FRACTIONS, TARGETS
from lab.script.nodes import Node, Op, canonical, reachable
from lab.script.parameters import Parameter
from lab.script.scripts import CheckedPair, check_pair

if TYPE_CHECKING:
    import polars as pl

DEFAULT_RISK_PERCENT = 0.5
_MAX_TRIAL_STEPS = 20_000
"""What trying the bounds of all parameters may cost: far more than a script of usual size needs, and well below a second."""


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """How a signal becomes a position; prices are columns of `Strategy.evaluate`."""

    entry_kind: str
    """"at_open", "limit" or "stop_entry"."""
    expiry_bars: int
    """For how many bars the entry order lives; 1 for at_open."""
    fractions: tuple[float, ...]
    """Which part of the position leaves at each target; 1 where it is to leave whole at a last one."""
    has_exit: bool
    max_bars: int | None
    """Longest holding time in bars, or None."""
    flat_by_minute: int | None
    """New York minutes since midnight by which to be out, or None."""
    risk_percent: float
    """Percent of equity lost if the stop is hit, or the price moves by `risk_move`."""
    has_trail: bool = False
    break_even_r: float | None = None
    """The profit, in multiples of the risk, that draws the stop to the entry; or None."""
    cooldown_bars: int = 0
    size_kind: str = "risk"
    """"risk": `risk_percent` is lost at the stop; "move": over `risk_move`; "dollars": `size` is the position's value."""

    @property
    def has_target(self) -> bool:
        return bool(self.fractions)

    def text(self) -> str:
        """What a script's hash covers of its plan. What a script does not use is not named, so that a word added to the language
        leaves the hashes of stored strategies as they are."""
        whole = self.fractions == (1.0,)
        more = "".join(
            f", {name}={value!r}"
            for name, value, usual in (
                ("fractions", self.fractions, self.fractions if whole or not self.fractions else None),
                ("has_trail", self.has_trail, False),
                ("break_even_r", self.break_even_r, None),
                ("cooldown_bars", self.cooldown_bars, 0),
                ("size_kind", self.size_kind, "risk"),
            )
            if value != usual
        )
        return (
            f"ExecutionPlan(entry_kind={self.entry_kind!r}, expiry_bars={self.expiry_bars!r}, has_target={bool(self.fractions)!r}, "
            f"has_exit={self.has_exit!r}, max_bars={self.max_bars!r}, flat_by_minute={self.flat_by_minute!r}, "
            f"risk_percent={self.risk_percent!r}{more})"
        )


@dataclass(frozen=True, slots=True)
class Strategy:
    """A checked pair of scripts with bound parameters, ready to evaluate."""

    scan_text: str
    execution_text: str
    script_hash: str
    """SHA-256 of what the scripts compute, parameters bound; formatting, comments and the order of lines do not matter."""
    parameters: tuple[Parameter, ...]
    warm_up_bars: int
    """Bars at a ticker's start that give no signal."""
    warm_up_sessions: int
    """Earlier sessions needed beyond that, for functions that look back by session."""
    required_context: frozenset[str]
    """Namespaces read: "market", "levels", "prev_day"."""
    required_tickers: tuple[str, ...]
    """Tickers read by `of`, whose bars the frame must hold as well, in alphabetical order. Those that are not to be traded are marked
    by a column `traded`: what comes of them is taken out by `traded_bars`, and no rank counts them."""
    across_tickers: bool
    """Whether a ticker's values depend on the bars of others: it reads them by `of`, or is ranked among them."""
    directions: tuple[str, ...]
    plan: ExecutionPlan
    outputs: tuple[tuple[str, Node], ...] = field(repr=False, compare=False)
    """Column name -> the node that gives it, in the order of the columns."""

    @property
    def required_fields(self) -> frozenset[str]:
        """The context columns read, such as "market.trend"."""
        nodes = reachable([node for _, node in self.outputs])
        return frozenset(node.name for node in nodes if node.op is Op.FIELD and "." in node.name)

    @property
    def required_timeframes(self) -> frozenset[str]:
        """The timeframes that `on` reads, such as "1d"."""
        return frozenset(node.name for node in reachable([node for _, node in self.outputs]) if node.op is Op.ON)

    def evaluate(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The bars with the strategy's columns beside them, rows and order unchanged.

        Added are `signal.long` and `signal.short` (no nulls), `score`, `long.stop` and so on per direction, and `scan.<name>` per line.

        Raises:
            LabError: the frame lacks a column or a ticker the scripts read, or is not sorted by ticker and time.
        """
        from lab.script.evaluate import evaluate

        return evaluate(self.outputs, self.warm_up_bars, frame)

    def __reduce__(self) -> tuple[object, ...]:
        # Rebuilt from its text on the other side: small, and safe however deep the expressions are.
        values = {parameter.name: parameter.value for parameter in self.parameters}
        return (compile_strategy, (self.scan_text, self.execution_text, values))


def check(scan: str, execution: str) -> tuple[ScriptError, ...]:
    """Every mistake found in the two scripts, in reading order; empty when they are fine. Never raises on any text."""
    pair = check_pair(scan, execution)
    return tuple(pair.errors) or tuple(pair.idle) or _range_errors(scan, execution, pair)


def _range_errors(scan: str, execution: str, pair: CheckedPair) -> tuple[ScriptError, ...]:
    """Parameters whose own bounds or step allow a value that the script can't have."""
    errors: list[ScriptError] = []
    if 3 * len(pair.parameters) * pair.steps > _MAX_TRIAL_STEPS:
        return ()
    for parameter in pair.parameters:
        stepped = None if parameter.step is None else parameter.value + parameter.step
        if stepped is not None and parameter.high is not None and stepped > parameter.high:
            stepped = None
        for word, value in (("low", parameter.low), ("high", parameter.high), ("step", stepped)):
            if value is None or value == parameter.value:
                continue
            wrong = check_pair(scan, execution, {parameter.name: value}).errors
            if wrong:
                first = wrong[0]
                message = f"the {word} of the parameter `{parameter.name}` allows {number_text(value)}, but {first.message}"
                errors.append(
                    ScriptError(
                        message,
                        script=first.script,
                        line=first.line,
                        column=first.column,
                        suggestion="Change the bounds of the parameter",
                        example=first.example,
                        source_line=first.source_line,
                    )
                )
                break
    return tuple(errors)


def _with_steps(scan: str, execution: str, pair: CheckedPair) -> tuple[Parameter, ...]:
    if len(pair.parameters) * pair.steps > _MAX_TRIAL_STEPS:
        return tuple(pair.parameters)
    return tuple(_with_step(scan, execution, parameter) for parameter in pair.parameters)


def _with_step(scan: str, execution: str, parameter: Parameter) -> Parameter:
    """The parameter, with a step of 1 where none is given and only whole numbers fit."""
    if parameter.step is not None or parameter.value != int(parameter.value):
        return parameter
    between = parameter.value + (0.5 if parameter.high is None or parameter.value < parameter.high else -0.5)
    if not check_pair(scan, execution, {parameter.name: between}).errors:
        return parameter
    return dataclasses.replace(parameter, step=1.0)


def check_scan(scan: str) -> tuple[ScriptError, ...]:
    """Every mistake found in a scan script alone. Never raises on any text."""
    return tuple(check_pair(scan, None).errors)


def compile_strategy(scan: str, execution: str, params: Mapping[str, float] | None = None) -> Strategy:
    """The strategy the two scripts describe, with parameters bound to `params` (by name) or their defaults.

    Raises:
        ScriptError: the first mistake in the scripts, a parameter name that does not exist, or a value outside its bounds.
    """
    return _compiled(scan, execution, tuple(sorted((params or {}).items())))


@functools.lru_cache(maxsize=256)
def _compiled(scan: str, execution: str, params: tuple[tuple[str, float], ...]) -> Strategy:
    pair = check_pair(scan, execution, dict(params))
    if pair.errors:
        raise pair.errors[0]
    names = [parameter.name for parameter in pair.parameters]
    for name, _ in params:
        if name not in names:
            close = nearest(name, names)
            suggestion = f"Did you mean `{close}`?" if close else f"It has {', '.join(names) or 'none'}"
            raise ScriptError(f"there is no parameter `{name}`", suggestion=suggestion)
    plan = _plan(pair)
    outputs = _outputs(pair, plan)
    nodes = reachable([node for _, node in outputs])
    signals = [node for name, node in outputs if name.startswith("signal.")]
    fields = {node.name for node in nodes if node.op is Op.FIELD}
    text = f"{canonical(dict(outputs))}\n{plan.text()}"
    return Strategy(
        scan_text=scan,
        execution_text=execution,
        script_hash=hashlib.sha256(text.encode()).hexdigest(),
        parameters=_with_steps(scan, execution, pair),
        warm_up_bars=max(node.warm_up_bars for node in signals),
        warm_up_sessions=max(node.warm_up_sessions for node in signals),
        required_context=frozenset(FIELDS[name].namespace for name in fields) - {""},
        required_tickers=tuple(sorted({node.name for node in nodes if node.op is Op.OF})),
        across_tickers=any(looks_across(node) for node in nodes),
        directions=pair.directions,
        plan=plan,
        outputs=outputs,
    )


def _plan(pair: CheckedPair) -> ExecutionPlan:
    lines = pair.execution[pair.directions[0]]

    def fixed(name: str) -> float | None:
        return lines[name].value if name in lines else None

    max_bars, flat_by, risk, cooldown = fixed("max_bars"), fixed("flat_by"), fixed("risk"), fixed("cooldown")
    fractions = [fixed(fraction) for target, fraction in zip(TARGETS, FRACTIONS, strict=True) if target in lines]
    known = [fraction for fraction in fractions if fraction is not None]
    if len(known) < len(fractions):
        known.append(1.0 - sum(known))
    return ExecutionPlan(
        entry_kind=pair.order,
        expiry_bars=pair.order_bars,
        fractions=tuple(known),
        has_exit="exit" in lines,
        max_bars=None if max_bars is None else int(max_bars),
        flat_by_minute=None if flat_by is None else int(flat_by),
        risk_percent=DEFAULT_RISK_PERCENT if risk is None else risk,
        has_trail="trail" in lines,
        break_even_r=fixed("break_even"),
        cooldown_bars=0 if cooldown is None else int(cooldown),
        size_kind="dollars" if "size" in lines else "move" if "risk_move" in lines else "risk",
    )


def _outputs(pair: CheckedPair, plan: ExecutionPlan) -> tuple[tuple[str, Node], ...]:
    outputs: list[tuple[str, Node]] = [(f"signal.{direction}", pair.scan[direction]) for direction in pair.directions]
    outputs.append(("score", pair.scan.get("score") or pair.graph.constant(0.0)))
    for direction in pair.directions:
        lines = pair.execution[direction]
        if plan.entry_kind != "at_open":
            outputs.append((f"{direction}.entry_price", lines["entry"].parts[0]))
        outputs += [(f"{direction}.{name}", lines[name]) for name in ("stop", *TARGETS, "exit", "trail") if name in lines]
        if plan.size_kind != "risk":
            outputs.append((f"{direction}.size", lines["size" if plan.size_kind == "dollars" else "risk_move"]))
    outputs += [(f"scan.{name}", node) for name, node in pair.scan.items() if name not in (*pair.directions, "score")]
    return tuple(outputs)


def traded_bars(evaluated: pl.DataFrame) -> pl.DataFrame:
    """What was evaluated, without the bars that were only looked at."""
    return evaluated.filter(evaluated["traded"]).drop("traded") if "traded" in evaluated.columns else evaluated


def looks_across(node: Node) -> bool:
    """Whether a node's values depend on bars of several tickers."""
    return node.op is Op.OF or (node.op is Op.CALL and CATALOGUE[node.name].scope is Scope.MOMENT)


def missing_columns(outputs: tuple[tuple[str, Node], ...], columns: list[str]) -> LabError | None:
    """The error for fields the frame lacks, or None."""
    fields = sorted({node.name for node in reachable([node for _, node in outputs]) if node.op is Op.FIELD} - set(columns))
    if not fields:
        return None
    return LabError(
        f"The bars have no {', '.join(fields)}, which the strategy reads. Load them with their market context, or change the script."
    )
