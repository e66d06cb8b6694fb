"""What an iteration may see and use: the bars of its learning span, its context, its account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from lab.agents.costs import costs_of
from lab.agents.gaps import covered, new_york_day, unknown_fields
from lab.agents.jobs import AccountRules, BarsSlice
from lab.agents.news_files import news_folder
from lab.backtest.account import Costs
from lab.errors import LabError
from lab.store.models import Universe

if TYPE_CHECKING:
    from lab.market import BarsCache
    from lab.script import Strategy

DAILY = "1d"
"""The timeframe of market context that is not cached on the universe's own."""


def bars_folder(bars: Path, synthetic: bool) -> Path:
    """Where a universe's bars lie: invented ones apart, so that a real SPY and the demo's never meet."""
    return bars / "demo" if synthetic else bars


def learning_span(universe: Universe, bars: Path) -> BarsSlice:
    """The bars that may be seen: the universe's learning span and nothing after it. Reads none of them, so it has no fingerprint."""
    return BarsSlice(
        folder=str(bars_folder(bars, universe.synthetic)),
        tickers=tuple(universe.tickers),
        timeframe=universe.timeframe,
        first=universe.first_session,
        last=universe.learning_until,
        market_ticker=universe.market_ticker,
        vix_ticker=universe.vix_ticker,
        fingerprint="",
        synthetic=universe.synthetic,
        learning_until=universe.learning_until,
        news=str(news_folder(bars, universe.synthetic)) if universe.has_news else "",
    )


def learning_slice(universe: Universe, bars: Path) -> BarsSlice:
    """The learning span with the fingerprint of its bars and news, which are read for it."""
    from lab.market import BarsCache
    from lab.market.news import NewsFiles

    span = learning_span(universe, bars)
    cache = BarsCache(Path(span.folder))
    parts = [cache.fingerprint(span.tickers, span.timeframe, span.first, span.last)]
    for ticker in (span.market_ticker, span.vix_ticker):
        if ticker is not None:
            timeframe = span.timeframe if cache.has(ticker, span.timeframe) else DAILY
            parts.append(cache.fingerprint([ticker], timeframe, None, span.last))
    if span.news:
        parts.append(NewsFiles(Path(span.news)).fingerprint(span.tickers, span.last))
    return replace(span, fingerprint=sha256("".join(parts).encode()).hexdigest())


def vault_slice(universe: Universe, bars: Path, opening_id: int) -> BarsSlice:
    """All bars of a universe, its vault among them: the learning span is what strategies warm up on. Reads none of them."""
    return replace(learning_span(universe, bars), last=universe.last_session, opening_id=opening_id)


def account_rules(risk_config: Mapping[str, float], universe: Universe | None = None) -> AccountRules:
    """The limits of an agent's risk settings, and the costs of what it trades: the default ones unless a universe is given."""
    return AccountRules(
        max_positions=int(risk_config["max_positions"]),
        max_exposure=float(risk_config["max_exposure"]),
        max_position=float(risk_config["max_position"]),
        costs=Costs() if universe is None else costs_of(universe),
    )


def known_context(universe: Universe) -> frozenset[str]:
    """The context namespaces a script for this universe may rely on."""
    found = {"levels", "prev_day"}
    if universe.market_ticker is not None:
        found.add("market")
    if universe.has_news:
        found.add("news")
    return frozenset(found)


def shorter_bars(strategy: Strategy, timeframe: str) -> tuple[tuple[str, str], ...]:
    """The timeframes a strategy reads by `on` that are shorter than the bars themselves, as "5m bars", each with the reason. On them
    `on` could only give the bar before, which nobody means."""
    from lab.market.timeframes import MINUTES, timeframe_minutes

    length = timeframe_minutes(timeframe)
    reason = f"It has {timeframe} bars: longer ones are made of those, shorter ones can't be."
    return tuple((f"{name} bars", reason) for name in sorted(strategy.required_timeframes) if MINUTES.get(name, length) < length)


def context_problems(strategy: Strategy, universe: Universe, bars: Path) -> tuple[tuple[str, str], ...]:
    """What a strategy reads that this universe's learning span has no value of, each with the reason: (field or ticker, sentence).

    Looks at what is cached only where the strategy looks at other tickers.
    """
    from lab.agents.loading import others_of

    unknown = unknown_fields(universe)
    found = [(field, unknown[field]) for field in sorted(strategy.required_fields & unknown.keys())]
    found += shorter_bars(strategy, universe.timeframe)
    span = learning_span(universe, bars)
    others = others_of(span, strategy)
    if others:
        from lab.market import BarsCache

        cache = BarsCache(Path(span.folder))
        found += [(ticker, reason) for ticker in others if (reason := _unreadable(ticker, span, cache))]
    return tuple(found)


def _unreadable(ticker: str, span: BarsSlice, cache: BarsCache) -> str:
    """Why a ticker can't be looked at beside these bars; empty where it can."""
    found = covered(cache, ticker, span.timeframe)
    if found is None:
        others = sorted(row.timeframe for row in cache.coverage() if row.ticker == ticker)
        hint = f" (cached are {', '.join(others)})" if others else ""
        return f"No {span.timeframe} bars of {ticker} are cached{hint}: import or fetch them first."
    first, last = new_york_day(found.first_at), new_york_day(found.last_at)
    if first > span.last or last < span.first:
        return f"{ticker} is cached from {first} to {last} only, outside the learning span ({span.first} to {span.last})."
    return ""


def refuse_missing_context(strategy: Strategy, universe: Universe, bars: Path) -> None:
    """Raise LabError where a script reads context that these bars don't have: it would silently never signal.

    `bars` is the workspace's folder of bars.
    """
    if problems := context_problems(strategy, universe, bars):
        names = " and ".join(name for name, _ in problems)
        reasons = " ".join(dict.fromkeys(reason for _, reason in problems))
        raise LabError(
            f"The scripts read {names}, of which the universe {universe.name!r} knows nothing. {reasons} "
            "Get it for this universe, or take the condition out."
        )
