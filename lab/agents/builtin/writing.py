"""Writes a pattern's lines as scripts in the laboratory's language."""

from __future__ import annotations

from dataclasses import dataclass

from lab.agents.builtin.setting import Setting

_MARKET_CONDITIONS = {
    "rising market": "market.trend >= 0",
    "falling market": "market.trend <= 0",
    "sideways market": "market.trend == 0",
    "calm market": "market.volatility <= 1",
    "volatile market": "market.volatility >= 1",
}


@dataclass(frozen=True, slots=True)
class Scripts:
    scan: str
    execution: str


def number(value: float) -> str:
    """Without needless digits: 0.5, 2, 1.25."""
    return f"{value:.4g}"


def param(default: float, *, low: float | None = None, high: float | None = None, step: float | None = None) -> str:
    """What a refinement may vary: by default from half to thrice the number, in round steps of about a tenth of it."""
    step = step or next(s for s in (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 100) if s >= abs(default) / 10)
    start = _on_step(default / 2, step) if low is None else low
    end = _on_step(default * 3, step) if high is None else high
    return f"param({number(_on_step(default, step))}, low={number(start)}, high={number(end)}, step={number(step)})"


def _on_step(value: float, step: float) -> float:
    return round(round(value / step) * step, 6)


def scan(setting: Setting, title: str, lines: list[tuple[str, str]], *, long: str = "", short: str = "", score: str = "") -> str:
    """The scan script: a comment that names the pattern, the named lines, then the signals with the markets the agent wants."""
    wanted = [_MARKET_CONDITIONS[m] for m in setting.markets if m in _MARKET_CONDITIONS] if "market" in setting.context else []
    signals = [(name, " and ".join((condition, *wanted))) for name, condition in (("long", long), ("short", short)) if condition]
    ending = [("score", score)] if score else []
    return f"# {title}\n" + _lines([*lines, *signals, *ending])


def execution(
    setting: Setting,
    *,
    stop: str,
    target: str = "",
    leave: str = "",
    hold_minutes: float,
    hold_hours: int,
    hold_days: int,
    entry: str = "at_open()",
    lines: list[tuple[str, str]] | None = None,
) -> str:
    """The execution script; only the minute horizon is flat by the close."""
    plan = [*(lines or []), ("entry", entry), ("stop", stop)]
    if target:
        plan.append(("target", target))
    if leave:
        plan.append(("exit", leave))
    plan.append(("max_bars", str(setting.bars(hold_minutes, hold_hours, hold_days))))
    if setting.intraday:
        plan.append(("flat_by", '"15:50"'))
    plan.append(("risk", number(setting.risk_percent)))
    return _lines(plan)


def _lines(lines: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in lines)
    return "".join(f"{name:<{width}} = {value}\n" for name, value in lines)
