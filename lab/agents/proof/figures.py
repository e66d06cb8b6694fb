"""Every metric of a result with its unit and interval, in the words in which page, screen and command show them."""

from __future__ import annotations

from lab.agents.views import Interval, NamedFigure, ResultSummary

UNKNOWN = "-"
BESIDE = "beside it: "
"""Before the name of a benchmark."""


THEN = "of the variants tried up to its measurement"
_OF_TRIES = ("deflated Sharpe ratio", "effective number of trials")


def every_figure(result: ResultSummary) -> tuple[NamedFigure, ...]:
    """All metrics of a result, those one looks at first in front."""
    return (
        NamedFigure("signals", float(result.signals), "count"),
        NamedFigure("trades", float(result.trades), "count"),
        NamedFigure("win rate", result.win_rate, "fraction", result.win_rate_interval),
        NamedFigure("Sharpe ratio", result.sharpe, "ratio", result.sharpe_interval),
        NamedFigure("total return", result.total_return, "fraction"),
        NamedFigure("profit factor", result.profit_factor, "ratio"),
        NamedFigure("expectancy", result.expectancy_r, "R"),
        NamedFigure("average win", result.average_win, "dollars"),
        NamedFigure("average loss", result.average_loss, "dollars"),
        *result.figures,
        NamedFigure("median risk of a trade", result.median_risk, "fraction"),
        NamedFigure("costs paid", result.costs_paid, "dollars"),
        *(NamedFigure(f"{BESIDE}{name}", value, "fraction") for name, value in result.benchmarks.items()),
    )


def figure_value(figure: NamedFigure) -> str:
    """A metric's value with its unit."""
    return _in_unit(figure.value, figure.unit)


def figure_interval(figure: NamedFigure) -> str:
    """Its 95 % interval; empty without one."""
    return spread(figure.interval, figure.unit == "fraction")


def figure_aside(figure: NamedFigure) -> str:
    """Its interval; or of which tries it is, where it hangs on what was tried, which goes on after it was measured."""
    return figure_interval(figure) or (THEN if figure.name in _OF_TRIES else "")


def percent(value: float | None, digits: int = 1) -> str:
    return UNKNOWN if value is None else f"{_zero(value * 100, digits):.{digits}f}%"


def number(value: float | None, digits: int = 2) -> str:
    return UNKNOWN if value is None else f"{_zero(value, digits):.{digits}f}"


def dollars(value: float | None) -> str:
    return UNKNOWN if value is None else f"{'-' if value < 0 else ''}${abs(value):,.0f}"


def spread(interval: Interval | None, as_percent: bool) -> str:
    if interval is None:
        return ""
    low, high = (percent(end) for end in (interval.low, interval.high)) if as_percent else (number(interval.low), number(interval.high))
    return f"{low} to {high}"


def basis_points(value: float) -> str:
    """A fraction of a day in basis points: 0.00012 is "+1.2"."""
    return f"{value * 1e4:+.1f}"


def _in_unit(value: float | None, unit: str) -> str:
    if value is None:
        return UNKNOWN
    match unit:
        case "fraction":
            return percent(value)
        case "dollars":
            return dollars(value)
        case "count" | "sessions":
            return f"{value:,.0f}{' sessions' if unit == 'sessions' else ''}"
        case "ratio":
            return number(value)
        case _:
            return f"{number(value)} {unit}"


def _zero(value: float, digits: int) -> float:
    return 0.0 if round(value, digits) == 0 else value
