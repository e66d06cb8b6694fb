"""Five stock exit plans: execution scripts that any scan can be tested with, written for the length of a bar."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from lab.agents.builtin.setting import Setting, bar_minutes, horizon_of
from lab.agents.builtin.writing import execution, number
from lab.script.source import module_of


@dataclass(frozen=True, slots=True)
class ExitPlan:
    """A way out of a position."""

    name: str
    idea: str
    """What it bets on, in a sentence."""
    execution: str


def exit_plans(timeframe: str, risk_percent: float, own_execution: str = "") -> tuple[ExitPlan, ...]:
    """The plans for a timeframe such as "1m" or "1d", each risking so many percent of equity at its stop.

    Positions are entered as `own_execution`, a checked execution script, enters them; without one at the next open. So what
    differs between the plans is the way out alone. Distances are in average true ranges and grow with the root of time, stays
    are in minutes of the session, and what trades by the minute is flat before the close.
    """
    setting = Setting(
        horizon=horizon_of(timeframe),
        bar_minutes=bar_minutes(timeframe),
        risk="balanced",
        style="",
        risk_percent=risk_percent,
        shorts=True,
        context=frozenset(),
        markets=(),
    )
    before, entry = entry_of(own_execution) if own_execution else ("", "at_open()")

    def away(direction: str, minutes: float, hours: float, days: float, scale: str = "") -> str:
        return f"close {direction} side * {number(setting.ranges(minutes, hours, days))} * {scale}atr(14)"

    def plan(name: str, idea: str, *, stop: str, target: str = "", leave: str = "", hold: tuple[float, int, int]) -> ExitPlan:
        minutes, hours, days = hold
        script = execution(
            setting, stop=stop, target=target, leave=leave, hold_minutes=minutes, hold_hours=hours, hold_days=days, entry=entry
        )
        return ExitPlan(name, idea, before + script)

    # Written out where they stand: a name for them could be one of the scan's.
    wide = f"clip(atr(14) / sma(atr(14), {setting.bars(100, 40, 40)}), 0.6, 1.8) * "
    reach = setting.bars(15, 5, 5)
    room = number(setting.ranges(1, 0.25, 0.25))
    return (
        plan(
            "conservative",
            "A small profit taken early, a close stop and a short stay.",
            stop=away("-", 4, 1.5, 1.5),
            target=away("+", 4, 1.5, 1.5),
            hold=(30, 7, 5),
        ),
        plan(
            "aggressive",
            "A far target and room to breathe: few winners, large ones.",
            stop=away("-", 7, 2.5, 2.5),
            target=away("+", 21, 7.5, 7.5),
            hold=(240, 70, 30),
        ),
        plan(
            "time-based",
            "No target: out after a fixed time, with a stop only against disaster.",
            stop=away("-", 14, 5, 5),
            hold=(60, 14, 10),
        ),
        plan(
            "ATR-adaptive",
            "Stop and target widen while prices move more than they used to, and narrow as they calm down.",
            stop=away("-", 5, 2, 2, wide),
            target=away("+", 8, 3, 3, wide),
            hold=(120, 30, 15),
        ),
        plan(
            "price-action",
            "The stop lies beyond the extreme of the last bars, and a close back through the bars before ends it.",
            stop=f"lowest(low, {reach}) - {room} * atr(14) if side > 0 else highest(high, {reach}) + {room} * atr(14)",
            leave=f"close < ago(lowest(low, {reach})) if side > 0 else close > ago(highest(high, {reach}))",
            hold=(240, 70, 30),
        ),
    )


def entry_of(own_execution: str) -> tuple[str, str]:
    """The lines an execution script's entry is made of, and the entry itself, as they are written."""
    written: dict[str, ast.Assign | ast.FunctionDef] = {}
    for statement in module_of(own_execution).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            written[statement.targets[0].id] = statement
        elif isinstance(statement, ast.FunctionDef):
            written[statement.name] = statement
    needed: set[str] = set()
    waiting = ["entry"]
    while waiting:
        name = waiting.pop()
        if name in written and name not in needed:
            needed.add(name)
            waiting += [node.id for node in ast.walk(written[name]) if isinstance(node, ast.Name)]
    entry = written["entry"]
    assert isinstance(entry, ast.Assign)
    lines = [ast.get_source_segment(own_execution, written[name]) for name in written if name in needed and name != "entry"]
    return "".join(f"{line}\n" for line in lines), ast.get_source_segment(own_execution, entry.value) or ""
