"""One trade as a person looks at it: the bars around it with VWAP, its orders, the levels and news of its session, the context at entry.

Only bars of the learning span are ever read: the slice that names them refuses the vault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.agents.context_rows import levels_before
from lab.agents.dimensions import DIMENSIONS
from lab.agents.errors import NotThere
from lab.agents.outputs import SIGNALS, TRADES, folder_of, read_output
from lab.agents.span import learning_span
from lab.agents.trade_views import TradeBar, TradeView
from lab.agents.views import TradeRow
from lab.store.models import AgentIteration, Universe

if TYPE_CHECKING:
    import polars as pl

    from lab.agents.jobs import BarsSlice
    from lab.agents.trade_views import Headline
    from lab.store.database import Store
    from lab.store.workspace import Workspace

LEAST_AROUND, MOST_AROUND = 20, 60
"""Bars shown before the signal and after the exit: half as many as the trade held, within these."""
MOST_CANDLES = 600
"""Bars of a longer trade are put together."""
MOST_FURTHER = 200
"""Bars kept beyond those on either side, for a wide terminal to show."""
NEWS_BEFORE = timedelta(days=3)
SESSION_MINUTES = 390

CONTEXT_WORDS: dict[str, tuple[str, str]] = {
    "minutes_since_open": ("minutes since the open", "{:.0f}"),
    "vwap_distance_percent": ("distance to VWAP", "{:+.2f}%"),
    "gap_percent": ("gap at the open", "{:+.2f}%"),
    "relative_volume": ("volume against its usual", "{:.1f}x"),
    "volume_burst": ("volume against the last 20 bars", "{:.1f}x"),
    "rsi": ("RSI 14", "{:.0f}"),
    "support_distance_percent": ("above support", "{:.2f}%"),
    "resistance_distance_percent": ("below resistance", "{:.2f}%"),
    "market.trend": ("market trend", ""),
    "market.volatility": ("market volatility", ""),
    "market.change": ("market on the day", "{:+.2f}%"),
    "market.vix": ("VIX", "{:.1f}"),
    "market.breadth": ("breadth", "{:.0f}%"),
    "news.count_1d": ("articles in a day", "{:.0f}"),
    "news.sentiment": ("sentiment of the news", "{:+.2f}"),
}
"""Context column -> what a person reads, in this order; without a form, its values have names."""


def trade_view(workspace: Workspace, store: Store, iteration_id: int, place: int) -> TradeView:
    """The trade at a place in order of entry. Reads files. Raises NotThere for one that does not exist, LabError for damaged bars."""
    with store.read() as session:
        row = session.get(AgentIteration, iteration_id)
        if row is None:
            raise NotThere.numbered("iteration", iteration_id)
        universe = session.get_one(Universe, row.universe_id)
        session.expunge_all()
    folder = folder_of(workspace.results, iteration_id)
    trades = read_output(folder, TRADES).sort("entry_at", "ticker") if (folder / TRADES).exists() else None
    if trades is None or not 0 <= place < trades.height:
        raise NotThere("That trade is not there any more.")
    facts: dict[str, Any] = trades.row(place, named=True)
    trade = TradeRow(**{name: facts[name] for name in TradeRow.__dataclass_fields__})
    signal_at: datetime = facts.get("signal_at") or trade.entry_at
    span = learning_span(universe, workspace.bars)
    bars, core, each = _bars(span, trade, signal_at)
    return TradeView(
        iteration_id=iteration_id,
        place=place,
        trades=trades.height,
        trade=trade,
        timeframe=universe.timeframe,
        synthetic=universe.synthetic,
        signal_at=signal_at,
        stop=facts.get("stop"),
        target=facts.get("target"),
        costs=facts.get("costs"),
        mae_r=facts.get("mae_r"),
        mfe_r=facts.get("mfe_r"),
        exits=int(facts.get("exits") or 1),
        bars=bars,
        core=core,
        bars_each=each,
        levels=levels_before(store, trade.ticker, _session(facts, trade), universe.timeframe, synthetic=universe.synthetic),
        news=_news(workspace, store, trade, signal_at) if universe.has_news else (),
        context=_context(folder, trade, signal_at),
    )


def _session(facts: Mapping[str, Any], trade: TradeRow) -> date:
    from lab.agents.gaps import new_york_day

    session: date | None = facts.get("session")
    return session or new_york_day(trade.entry_at)


def _bars(span: BarsSlice, trade: TradeRow, signal_at: datetime) -> tuple[tuple[TradeBar, ...], tuple[int, int], int]:
    """The bars around a trade, which of them have to be shown, and how many cached ones each is made of."""
    from lab.agents.gaps import new_york_day
    from lab.market import BarsCache, MissingBars
    from lab.market.timeframes import timeframe_minutes

    around = max(LEAST_AROUND, min(MOST_AROUND, trade.bars_held // 2))
    reach = around + MOST_FURTHER
    days = timedelta(days=4 + ceil(reach * min(timeframe_minutes(span.timeframe), SESSION_MINUTES) / SESSION_MINUTES * 1.6))
    first = new_york_day(signal_at) - days
    last = min(new_york_day(trade.exit_at) + days, span.last)
    # A slice of its own, since making one is what refuses the vault.
    wanted = replace(span, tickers=(trade.ticker,), first=max(first, span.first), last=last)
    try:
        frame = BarsCache(Path(wanted.folder)).read(wanted.tickers, wanted.timeframe, wanted.first, wanted.last)
    except MissingBars:
        return (), (0, 0), 1
    frame = _with_vwap(frame)
    first_needed = max(0, frame["timestamp"].search_sorted(signal_at, side="right") - 1 - around)
    after_needed = min(frame.height, frame["timestamp"].search_sorted(trade.exit_at, side="right") + max(1, around // 2))
    each = max(1, ceil((after_needed - first_needed) / MOST_CANDLES))
    further = MOST_FURTHER if each == 1 else 0
    begin, end = max(0, first_needed - further), min(frame.height, after_needed + further)
    columns = ("timestamp", "open", "high", "low", "close", "volume", "vwap")
    bars = [TradeBar(*row) for row in frame.slice(begin, end - begin).select(columns).iter_rows()]
    together = tuple(_together(bars[at : at + each]) for at in range(0, len(bars), each))
    return together, ((first_needed - begin) // each, ceil((after_needed - begin) / each)), each


def _with_vwap(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with `vwap`, by the strategy language's own function."""
    import polars as pl

    from lab.script import compile_strategy

    if frame.is_empty() or frame["session"].n_unique() == frame.height:
        return frame.with_columns(pl.lit(None, dtype=pl.Float64).alias("vwap"))
    evaluated = compile_strategy("known = vwap()\nlong = close > 0\n", "entry = at_open()\nstop = close * 0.9\n").evaluate(frame)
    return frame.with_columns(evaluated["scan.known"].alias("vwap"))


def _together(bars: list[TradeBar]) -> TradeBar:
    if len(bars) == 1:
        return bars[0]
    return TradeBar(
        bars[0].started_at,
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.volume for bar in bars),
        bars[-1].vwap,
    )


def _news(workspace: Workspace, store: Store, trade: TradeRow, signal_at: datetime) -> tuple[Headline, ...]:
    from lab.agents.news_store import News

    return News(workspace, store).about(trade.ticker, signal_at - NEWS_BEFORE, trade.exit_at, 12)


def _context(folder: Path, trade: TradeRow, signal_at: datetime) -> tuple[tuple[str, str], ...]:
    import polars as pl

    if not (folder / SIGNALS).exists():
        return ()
    same = (pl.col("ticker") == trade.ticker) & (pl.col("timestamp") == signal_at) & (pl.col("direction") == trade.direction)
    found = read_output(folder, SIGNALS).filter(same)
    if found.is_empty():
        return ()
    known = found.row(0, named=True)
    names = {dimension.column: dict(dimension.names) for dimension in DIMENSIONS}

    def said(name: str, form: str) -> str:
        return form.format(known[name]) if form else names[name].get(known[name], f"{known[name]:g}")

    return tuple((words, said(name, form)) for name, (words, form) in CONTEXT_WORDS.items() if known.get(name) is not None)
