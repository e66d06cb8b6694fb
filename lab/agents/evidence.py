"""The evidence pack: what a backtest shows, each figure with an id that an analysis must cite.

Every bucket of trades is set against all other trades by the difference of their mean R, with standard errors that take
trades of one day for what they are (`lab.agents.clusters`), so that a sentence on means rests on a test of means. The
p-values of one pack are corrected together for their number (Benjamini and Hochberg 1995, `false_discovery_control`).
They are drawn from the sessions a strategy was refined on: they rank ideas, the paired test on unseen sessions decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from lab.agents.dimensions import DIMENSIONS, OUTCOME_COLUMNS, Group, cut
from lab.agents.views import Interval, ResultSummary

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from lab.agents.strategist import ParentComparison

MIN_TRADES = 30
"""Below this many trades no verdict is given."""
MIN_BUCKET = 8
"""Buckets, and the rest beside them, with fewer trades are shown but not tested."""
SHOWN_TRADES = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number."""

    id: str
    name: str
    """Such as "win rate", "Sharpe ratio", "signals"."""
    value: float
    interval: Interval | None
    unit: str
    """"fraction", "count", "dollars", "R" (multiples of the risk taken), "sessions", "bars" or "ratio"."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The trades that had one thing in common when they were signalled, against all the others."""

    id: str
    dimension: str
    """In words: "market trend"."""
    column: str
    """The context column it was cut by: "market.trend"."""
    name: str
    """The bucket in words: "up", "1.5 to 2.5 times"."""
    low: float | None
    """Values from here (inclusive); None for no bound or for names. A category has low == high."""
    high: float | None
    """Values below this; None for no bound or for names."""
    trades: int
    wins: int
    win_rate: float
    win_rate_interval: Interval
    """Wilson, 95 %."""
    win_rate_lift: float | None
    """Win rate minus that of all other trades; None where there are none."""
    mean_r: float
    mean_r_interval: Interval | None
    """95 %, trades of one day taken together; None where they come from too few days."""
    r_lift: float | None
    """Mean R minus that of all other trades."""
    total_r: float
    p_value: float | None
    """Of `r_lift`: two-sided, uncorrected; None where too few trades or days stand on either side."""
    corrected_p: float | None
    """The false discovery rate at which this bucket would be called different."""
    clusters: int = 0
    """The sessions (or, of trades held over nights, stretches of days) in which this bucket, or the rest where that is less, has
    trades: so many observations stand behind `p_value`."""


@dataclass(frozen=True, slots=True)
class TradeEvidence:
    """One of the best or worst trades, with what was known at its signal."""

    id: str
    ticker: str
    direction: str
    signal_at: datetime
    entry_at: datetime
    exit_at: datetime
    entry_price: float
    exit_price: float
    pnl: float
    r_multiple: float
    bars_held: int
    exit_reason: str
    context: dict[str, float]
    costs_r: float = 0.0
    """What its costs took, in multiples of what it risked."""
    beyond_stop_r: float = 0.0
    """By how much its exit price lay beyond the first stop, in multiples of what it risked; 0 where it did not."""


@dataclass(frozen=True, slots=True)
class EvidencePack:
    """All that may be said about one result. `lab.agents.results.to_json` and `from_json` store it."""

    first_session: date | None
    last_session: date | None
    sessions: int
    trades: int
    figures: tuple[Figure, ...]
    funnel: tuple[Figure, ...]
    """"signals", "trades", then a figure a skip reason, by count."""
    buckets: tuple[Bucket, ...]
    best: tuple[TradeEvidence, ...]
    worst: tuple[TradeEvidence, ...]
    verdict: str = ""
    """The laboratory's verdict on the result (`lab.agents.summary`), which no sentence and no insight may go beyond."""

    def figure(self, name: str) -> Figure | None:
        """The figure of this name, or None where it was not measured."""
        return next((f for f in (*self.figures, *self.funnel) if f.name == name), None)

    def dimension(self, column: str) -> tuple[Bucket, ...]:
        """The buckets cut by one context column, in their natural order."""
        return tuple(b for b in self.buckets if b.column == column)

    def bucket(self, evidence_id: str) -> Bucket | None:
        """The bucket with this id, or None."""
        return next((bucket for bucket in self.buckets if bucket.id == evidence_id), None)

    def trade(self, evidence_id: str) -> TradeEvidence | None:
        """The trade with this id, or None."""
        return next((trade for trade in (*self.best, *self.worst) if trade.id == evidence_id), None)

    def ids(self) -> frozenset[str]:
        """Every id that may be cited."""
        return frozenset(e.id for part in (self.figures, self.funnel, self.buckets, self.best, self.worst) for e in part)


def build_evidence(trades: pl.DataFrame, summary: ResultSummary | None = None, *, prefix: str = "E") -> EvidencePack:
    """The evidence of `trades`: rows of a backtest with the context columns of `lab.agents.enrich` joined to them.

    `summary` adds the metrics of the account (Sharpe ratio, drawdown, costs) and the funnel; without it, the pack holds
    what the trades alone tell. Ids count up from `prefix` + "1". Context columns that are missing or null are left out.
    """
    from lab.agents import clusters

    ids = _Ids(prefix)
    days = clusters.clusters_of(trades)
    figures = _figures(trades, days, summary, ids)
    funnel = _funnel(summary, ids)
    buckets = _buckets(trades, days, ids)
    ranked = trades.sort("r_multiple", "signal_at", "ticker", descending=[True, False, False])
    shown = min(SHOWN_TRADES, trades.height // 2)
    sessions = trades["session"] if trades.height else None
    equity = summary.equity if summary else ()
    return EvidencePack(
        first_session=equity[0][0] if equity else _as_date(sessions.min()) if sessions is not None else None,
        last_session=equity[-1][0] if equity else _as_date(sessions.max()) if sessions is not None else None,
        sessions=len(equity) if equity else (sessions.n_unique() if sessions is not None else 0),
        trades=trades.height,
        figures=figures,
        funnel=funnel,
        buckets=buckets,
        best=tuple(_trade(row, ids) for row in ranked.head(shown).iter_rows(named=True)),
        worst=tuple(_trade(row, ids) for row in ranked.tail(shown).reverse().iter_rows(named=True)),
        verdict=summary.verdict if summary else "",
    )


def trades_behind(trades: pl.DataFrame, pack: EvidencePack, evidence_id: str) -> tuple[int, ...]:
    """The places, in order of entry, of the trades behind a piece of evidence: those of a bucket, or the one trade; else none.

    `trades` are those the pack was made of, with their context.
    """
    trades = trades.sort("entry_at", "ticker")
    if (bucket := pack.bucket(evidence_id)) is not None and bucket.column in trades.columns:
        dimension = next(each for each in DIMENSIONS if each.column == bucket.column)
        group = next((each for each in cut(dimension, trades[bucket.column].to_list()) if each.name == bucket.name), None)
        return () if group is None else tuple(place for place, inside in enumerate(group.inside) if inside)
    if (one := pack.trade(evidence_id)) is not None:
        rows = trades.select("ticker", "direction", "entry_at").iter_rows()
        return tuple(place for place, row in enumerate(rows) if row == (one.ticker, one.direction, one.entry_at))
    return ()


def with_parent(pack: EvidencePack, parent: ParentComparison) -> EvidencePack:
    """The pack with the figures of the version this one was refined from, so that they can be cited too."""
    ids = _Ids(next(iter(pack.ids()), "E1").rstrip("0123456789"), start=len(pack.ids()))
    found = [Figure(ids.next(), "trades before", float(parent.before.trades), None, "count")]
    for name, value, unit in (
        ("win rate before", parent.before.win_rate, "fraction"),
        ("Sharpe ratio before", parent.before.sharpe, "ratio"),
        ("total return before", parent.before.total_return, "fraction"),
    ):
        if value is not None:
            found.append(Figure(ids.next(), name, value, None, unit))
    test = parent.comparison
    interval = Interval(test.low, test.high) if test.low is not None and test.high is not None else None
    found.append(Figure(ids.next(), "daily difference from the parent", test.mean_difference, interval, "fraction"))
    if parent.whole is not None:
        name = "daily difference from the parent on all sessions, chosen there too"
        found.append(Figure(ids.next(), name, parent.whole.mean_difference, None, "fraction"))
        found.append(Figure(ids.next(), "sessions it was not chosen on", float(test.sessions), None, "count"))
    return replace(pack, figures=(*pack.figures, *found))


class _Ids:
    """Counts ids up in the order in which evidence is made."""

    def __init__(self, prefix: str, start: int = 0) -> None:
        self._prefix = prefix
        self._count = start

    def next(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count}"


def _as_date(value: object) -> date | None:
    return value if isinstance(value, date) else None


def _figures(trades: pl.DataFrame, days: NDArray[np.int64], summary: ResultSummary | None, ids: _Ids) -> tuple[Figure, ...]:
    from lab.backtest import wilson_interval

    found: list[Figure] = []

    def add(name: str, value: float | None, unit: str, interval: Interval | None = None) -> None:
        if value is not None and math.isfinite(value):
            found.append(Figure(ids.next(), name, float(value), interval, unit))

    n = trades.height
    add("trades", n, "count")
    if n:
        pnl = trades["pnl"].to_list()
        r = [float(x) for x in trades["r_multiple"].to_list()]
        wins = sum(1 for x in pnl if x > 0)
        low, high = wilson_interval(wins, n)
        add("win rate", wins / n, "fraction", Interval(low, high))
        add("mean R", sum(r) / n, "R", _mean_interval(r, days))
        add("spread of R", _number(trades["r_multiple"].std()), "R")
        gained, lost = sum(x for x in pnl if x > 0), -sum(x for x in pnl if x <= 0)
        add("profit factor", gained / lost if lost > 0 else None, "ratio")
        won_r, lost_r = [x for x in r if x > 0], [x for x in r if x <= 0]
        add("average win", sum(won_r) / len(won_r) if won_r else None, "R")
        add("average loss", sum(lost_r) / len(lost_r) if lost_r else None, "R")
        add("bars held", _number(trades["bars_held"].mean()), "bars")
        by_profit = sorted(pnl, reverse=True)
        total = sum(pnl)
        add("net profit", total, "dollars")
        add("net profit without the five best trades", total - sum(by_profit[:5]), "dollars")
        add("sessions with a trade", trades["session"].n_unique(), "sessions")
        add("costs of the trades", _number(trades["costs"].sum()), "dollars")
    if summary is not None:
        add("Sharpe ratio", summary.sharpe, "ratio", summary.sharpe_interval)
        add("total return", summary.total_return, "fraction")
        add("maximum drawdown", summary.max_drawdown, "fraction")
        for name, value in summary.benchmarks.items():
            add(name, value, "fraction")
    return tuple(found)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _mean_interval(values: Sequence[float], days: NDArray[np.int64]) -> Interval | None:
    from lab.agents import clusters

    found = clusters.mean_interval(values, days)
    return None if found is None else Interval(*found)


def _funnel(summary: ResultSummary | None, ids: _Ids) -> tuple[Figure, ...]:
    if summary is None:
        return ()
    skips = sorted(((k, v) for k, v in summary.funnel.items() if k not in ("signals", "trades") and v), key=lambda s: (-s[1], s[0]))
    rows = [("signals", summary.funnel.get("signals", 0)), ("signals traded", summary.funnel.get("trades", 0)), *skips]
    return tuple(Figure(ids.next(), name, float(count), None, "count") for name, count in rows)


def _buckets(trades: pl.DataFrame, days: NDArray[np.int64], ids: _Ids) -> tuple[Bucket, ...]:
    import numpy as np

    from lab.agents import clusters
    from lab.backtest import wilson_interval

    if not trades.height:
        return ()
    r = [float(x) for x in trades["r_multiple"].to_list()]
    won = [x > 0 for x in trades["pnl"].to_list()]
    groups = [g for d in DIMENSIONS if d.column in trades.columns for g in cut(d, trades[d.column].to_list())]
    p_values = [_p_value(g, r, days) for g in groups]
    corrected = _correct(p_values)
    made: list[Bucket] = []
    for group, p, corrected_p in zip(groups, p_values, corrected, strict=True):
        inside = [x for x, take in zip(r, group.inside, strict=True) if take]
        outside = [x for x, take in zip(r, group.inside, strict=True) if not take]
        taken = np.asarray(group.inside, dtype=bool)
        wins = sum(1 for w, take in zip(won, group.inside, strict=True) if take and w)
        n, other_wins = len(inside), sum(won) - wins
        low, high = wilson_interval(wins, n)
        made.append(
            Bucket(
                id=ids.next(),
                dimension=group.dimension.title,
                column=group.dimension.column,
                name=group.name,
                low=group.low,
                high=group.high,
                trades=n,
                wins=wins,
                win_rate=wins / n,
                win_rate_interval=Interval(low, high),
                win_rate_lift=wins / n - other_wins / len(outside) if outside else None,
                mean_r=sum(inside) / n,
                mean_r_interval=_mean_interval(inside, days[taken]),
                r_lift=sum(inside) / n - sum(outside) / len(outside) if outside else None,
                total_r=sum(inside),
                p_value=p,
                corrected_p=corrected_p,
                clusters=min(clusters.count(days[taken]), clusters.count(days[~taken])),
            )
        )
    return tuple(made)


def _p_value(group: Group, r: Sequence[float], days: NDArray[np.int64]) -> float | None:
    from lab.agents import clusters

    inside = sum(group.inside)
    if group.dimension.column in OUTCOME_COLUMNS or min(inside, len(r) - inside) < MIN_BUCKET:
        return None
    return clusters.difference_p_value(r, group.inside, days)


def _correct(p_values: Sequence[float | None]) -> list[float | None]:
    from scipy import stats

    tested = [i for i, p in enumerate(p_values) if p is not None]
    corrected: list[float | None] = [None] * len(p_values)
    if tested:
        adjusted = stats.false_discovery_control([p_values[i] for i in tested], method="bh")
        for i, value in zip(tested, adjusted, strict=True):
            corrected[i] = float(value)
    return corrected


def _trade(row: Mapping[str, object], ids: _Ids) -> TradeEvidence:
    pnl, r = float(str(row["pnl"])), float(str(row["r_multiple"]))
    entry, exit_price, stop = float(str(row["entry_price"])), float(str(row["exit_price"])), row.get("stop")
    beyond = 0.0
    if isinstance(stop, float) and stop != entry:
        beyond = max(0.0, (stop - exit_price) / (entry - stop))
    context = {d.column: float(v) for d in DIMENSIONS if isinstance(v := row.get(d.column), (int, float)) and not math.isnan(v)}
    return TradeEvidence(
        id=ids.next(),
        ticker=str(row["ticker"]),
        direction=str(row["direction"]),
        signal_at=_datetime(row["signal_at"]),
        entry_at=_datetime(row["entry_at"]),
        exit_at=_datetime(row["exit_at"]),
        entry_price=entry,
        exit_price=exit_price,
        pnl=pnl,
        r_multiple=r,
        bars_held=int(str(row["bars_held"])),
        exit_reason=str(row["exit_reason"]),
        context=context,
        costs_r=float(str(row["costs"])) * r / pnl if pnl else 0.0,
        beyond_stop_r=beyond,
    )


def _datetime(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError(f"a trade's time must be a datetime, not {type(value).__name__}")
    return value
