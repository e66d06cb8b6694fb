"""What an iteration may see and use: the bars of its learning span, its context, its account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from lab.agents.jobs import AccountRules, BarsSlice
from lab.errors import LabError
from lab.store.models import Universe

if TYPE_CHECKING:
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
    )


def learning_slice(universe: Universe, bars: Path) -> BarsSlice:
    """The learning span with the fingerprint of its bars, which are read for it."""
    from lab.market import BarsCache

    span = learning_span(universe, bars)
    cache = BarsCache(Path(span.folder))
    parts = [cache.fingerprint(span.tickers, span.timeframe, span.first, span.last)]
    for ticker in (span.market_ticker, span.vix_ticker):
        if ticker is not None:
            timeframe = span.timeframe if cache.has(ticker, span.timeframe) else DAILY
            parts.append(cache.fingerprint([ticker], timeframe, None, span.last))
    return replace(span, fingerprint=sha256("".join(parts).encode()).hexdigest())


def vault_slice(universe: Universe, bars: Path, opening_id: int) -> BarsSlice:
    """All bars of a universe, its vault among them: the learning span is what strategies warm up on. Reads none of them."""
    return replace(learning_span(universe, bars), last=universe.last_session, opening_id=opening_id)


def account_rules(risk_config: Mapping[str, float]) -> AccountRules:
    return AccountRules(
        max_positions=int(risk_config["max_positions"]),
        max_exposure=float(risk_config["max_exposure"]),
        max_position=float(risk_config["max_position"]),
    )


def known_context(universe: Universe) -> frozenset[str]:
    """The context namespaces a script for this universe may rely on."""
    always = {"levels", "prev_day"}
    return frozenset(always | {"market"} if universe.market_ticker is not None else always)


def refuse_missing_context(strategy: Strategy, universe: Universe) -> None:
    """Raise LabError where a script names context that these bars don't have: it would silently never signal."""
    if missing := sorted(strategy.required_context - known_context(universe)):
        names = " and ".join(f"{name}.*" for name in missing)
        raise LabError(
            f"The scripts use {names}, and the universe {universe.name!r} has no {universe.timeframe} bars of SPY to compute it from. "
            "Import SPY on this timeframe, or take the condition out."
        )
