"""What an iteration may see and use: the bars of its learning span, its context, its account."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.agents.jobs import AccountRules, BarsSlice
from lab.store.models import Universe


def learning_slice(universe: Universe, bars: Path) -> BarsSlice:
    """The bars an iteration may see: the universe's learning span and nothing after it."""
    from lab.market import BarsCache

    context = [ticker for ticker in (universe.market_ticker, universe.vix_ticker) if ticker is not None]
    fingerprint = BarsCache(bars).fingerprint(
        [*universe.tickers, *context], universe.timeframe, universe.first_session, universe.learning_until
    )
    return BarsSlice(
        folder=str(bars),
        tickers=tuple(universe.tickers),
        timeframe=universe.timeframe,
        first=universe.first_session,
        last=universe.learning_until,
        market_ticker=universe.market_ticker,
        vix_ticker=universe.vix_ticker,
        fingerprint=fingerprint,
    )


def account_rules(risk_config: Mapping[str, float]) -> AccountRules:
    return AccountRules(max_positions=int(risk_config["max_positions"]), max_exposure=float(risk_config["max_exposure"]))


def known_context(universe: Universe) -> frozenset[str]:
    """The context namespaces a script for this universe may rely on."""
    always = {"levels", "prev_day"}
    return frozenset(always | {"market"} if universe.market_ticker is not None else always)
