"""Choosing tickers by what they were like before a date: price, dollar volume, volatility. What came later is not read."""

from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lab.agents.data_views import RANKINGS, Candidate, UniverseRule
from lab.agents.errors import BadUniverse
from lab.agents.gaps import VIX_NAMES

if TYPE_CHECKING:
    import polars as pl

MOST_SESSIONS = 250


def choose(folder: Path, timeframe: str, as_of: date, rule: UniverseRule) -> tuple[Candidate, ...]:
    """The tickers cached in a folder that meet the rule on the sessions before `as_of`, best first; ties by name.

    A ticker with fewer than half of the sessions asked for is left out: too little is known of it.
    """
    from lab.market import BarsCache

    _check(rule)
    cache = BarsCache(folder)
    # Five sessions a week, and room for holidays.
    since = as_of - timedelta(days=rule.sessions * 7 // 5 + 21)
    found = []
    rows = [row for row in cache.coverage() if row.ticker not in VIX_NAMES and row.first_at.date() < as_of]
    for ticker in sorted({row.ticker for row in rows}):
        if not cache.has(ticker, timeframe):
            continue
        candidate = _measured(ticker, cache.read([ticker], timeframe, since, as_of - timedelta(days=1)), rule.sessions)
        if candidate is not None and _meets(candidate, rule):
            found.append(candidate)
    found.sort(key=lambda candidate: (-_rank(candidate, rule.by), candidate.ticker))
    return tuple(found[: rule.top] if rule.top is not None else found)


def _rank(candidate: Candidate, by: str) -> float:
    return {"dollar volume": candidate.dollar_volume, "volatility": candidate.volatility_percent, "price": candidate.price}[by]


def _check(rule: UniverseRule) -> None:
    if rule.by not in RANKINGS:
        raise BadUniverse("rule", f"Tickers can't be ranked by {rule.by!r}; there are {', '.join(RANKINGS)}.")
    if not 2 <= rule.sessions <= MOST_SESSIONS:
        raise BadUniverse("rule", f"A rule looks at 2 to {MOST_SESSIONS} sessions, not {rule.sessions}.")
    if rule.top is not None and rule.top < 1:
        raise BadUniverse("rule", "The top of a ranking has at least one ticker.")
    bounds = (rule.min_price, rule.max_price, rule.min_dollar_volume, rule.min_volatility_percent, rule.max_volatility_percent)
    if any(bound is not None and not 0 <= bound < math.inf for bound in bounds):
        raise BadUniverse("rule", "Bounds of a rule are numbers from 0 on.")


def _measured(ticker: str, bars: pl.DataFrame, sessions: int) -> Candidate | None:
    import polars as pl

    days = (
        bars.group_by("session", maintain_order=True)
        .agg(close=pl.col("close").last(), dollars=(pl.col("close") * pl.col("volume")).sum())
        .tail(sessions)
    )
    if days.height < max(2, sessions // 2):
        return None
    spread = days.select(pl.col("close").log().diff().std()).item()
    mean = days["dollars"].mean()
    return Candidate(
        ticker=ticker,
        price=float(days["close"][-1]),
        dollar_volume=float(mean) if isinstance(mean, (int, float)) else 0.0,
        volatility_percent=0.0 if spread is None else float(spread) * 100,
        sessions=days.height,
    )


def _meets(candidate: Candidate, rule: UniverseRule) -> bool:
    return (
        _within(candidate.price, rule.min_price, rule.max_price)
        and _within(candidate.dollar_volume, rule.min_dollar_volume, None)
        and _within(candidate.volatility_percent, rule.min_volatility_percent, rule.max_volatility_percent)
    )


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)
