"""Made-up trades and results for tests of evidence, analysis and refinement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from lab.agents.evidence import EvidencePack, build_evidence
from lab.agents.strategist import (
    Comparison,
    Insight,
    ProposalRequest,
    SpanResult,
    SpanResults,
    Subject,
    Variant,
    VariantResult,
    Verdict,
)
from lab.agents.views import Interval, ResultSummary

SCAN = """# VWAP bounce: buyers defend the volume-weighted price
value = vwap()
near  = low <= value * (1 + param(0.1, low=0.05, high=0.3, step=0.05) / 100) and close > value
loud  = volume > param(1.5, low=0.75, high=4.5, step=0.25) * sma(volume, 20)
long  = near and loud and time_between("10:00", "15:00")
"""
EXECUTION = """entry    = at_open()
stop     = close - param(3.5, low=2, high=10, step=0.5) * atr(30)
target   = close + param(1.25, low=0.5, high=5, step=0.25) * (close - stop)
max_bars = 30
flat_by  = "15:50"
risk     = 0.25
"""
INSTRUCTIONS = "A conservative VWAP scalper for tech stocks"
CONTEXT = frozenset({"market", "levels", "news", "prev_day"})


def made_trades(n: int, seed: int = 0, *, loud_lift: float = 0.0, mean: float = 0.0) -> pl.DataFrame:
    """`n` trades with context; those with a volume burst of 2 and more make `loud_lift` R more than the rest."""
    rng = np.random.default_rng(seed)
    start = datetime(2024, 8, 9, 14, 0, tzinfo=UTC)
    burst = rng.uniform(1.5, 3.5, n)
    r = rng.normal(mean, 1.0, n) + np.where(burst >= 2.0, loud_lift, 0.0)
    signal_at = [start + timedelta(days=int(i * 80 / max(1, n)), minutes=int(m)) for i, m in enumerate(rng.integers(0, 300, n))]
    return pl.DataFrame(
        {
            "ticker": [f"T{int(i):02d}" for i in rng.integers(0, 6, n)],
            "direction": ["long"] * n,
            "signal_at": signal_at,
            "entry_at": [t + timedelta(minutes=1) for t in signal_at],
            "exit_at": [t + timedelta(minutes=20) for t in signal_at],
            "entry_price": [100.0] * n,
            "exit_price": (100.0 + r).tolist(),
            "pnl": (r * 100).tolist(),
            "costs": [5.0] * n,
            "r_multiple": r.tolist(),
            "bars_held": [19] * n,
            "exit_reason": ["target" if x > 0.8 else "stop" if x < -0.8 else "max bars" for x in r],
            "session": [t.date() for t in signal_at],
            "hour": [t.hour - 4 for t in signal_at],
            "weekday": [t.isoweekday() for t in signal_at],
            "market.trend": rng.integers(-1, 2, n).tolist(),
            "market.volatility": rng.integers(0, 3, n).tolist(),
            "relative_volume": rng.uniform(0.3, 4.0, n).tolist(),
            "volume_burst": burst.tolist(),
            "gap_percent": rng.normal(0, 1, n).tolist(),
            "support_distance_percent": [None if x < 0.2 else float(x) for x in rng.uniform(0, 5, n)],
        },
        schema_overrides={"signal_at": pl.Datetime("us", "UTC"), "hour": pl.Int16, "weekday": pl.Int8, "market.trend": pl.Int8},
    )


def made_summary(trades: pl.DataFrame, signals: int | None = None) -> ResultSummary:
    n, pnl = trades.height, trades["pnl"].to_list()
    wins, skipped = sum(1 for x in pnl if x > 0), (signals or n) - n
    equity = tuple((date(2024, 8, 9) + timedelta(days=i), 100_000.0 + 10 * i) for i in range(96))
    return ResultSummary(
        signals=n + skipped,
        trades=n,
        wins=wins,
        win_rate=wins / n if n else None,
        win_rate_interval=Interval(0.4, 0.6) if n else None,
        sharpe=1.234 if n else None,
        sharpe_interval=Interval(-0.5, 3.0) if n else None,
        total_return=sum(pnl) / 100_000,
        max_drawdown=0.0512,
        profit_factor=1.1,
        expectancy_r=0.05,
        average_win=100.0,
        average_loss=-90.0,
        costs_paid=5.0 * n,
        median_risk=0.002,
        starting_equity=100_000.0,
        final_equity=100_000.0 + sum(pnl),
        funnel={"signals": n + skipped, "trades": n, **({"no slot": skipped} if skipped else {})},
        equity=equity,
        benchmarks={"buy and hold SPY": 0.031},
        costs="1.5 bps a side",
        verdict="no edge seen",
        verdict_reason="",
    )


def span(trades: int = 100, sharpe: float | None = 1.0, total_return: float = 0.02) -> SpanResult:
    return SpanResult(sessions=50, trades=trades, win_rate=0.5, sharpe=sharpe, total_return=total_return, max_drawdown=0.03, mean_r=0.05)


def compared(difference: float, error: float = 2e-4, sessions: int = 40) -> Comparison:
    """A comparison whose interval is `difference` plus and minus 1.96 standard errors."""
    low, high = difference - 1.96 * error, difference + 1.96 * error
    verdict = Verdict.BETTER if low > 0 else Verdict.WORSE if high < 0 else Verdict.NO_EVIDENCE
    return Comparison(verdict, difference, low, high, sessions)


class MadeBench:
    """A test bench with results by title: (Sharpe of the selection part, difference there, difference on the confirmation part)."""

    def __init__(self, outcomes: dict[str, tuple[float, float, float]], otherwise: tuple[float, float, float] = (0.5, -1e-4, 0.0)) -> None:
        self._outcomes, self._otherwise = outcomes, otherwise
        self.tested: list[Variant] = []

    async def test(self, variants: Sequence[Variant]) -> list[VariantResult]:
        self.tested += variants
        return [self._result(v) for v in variants]

    def _result(self, variant: Variant) -> VariantResult:
        sharpe, selection, confirmation = next((o for t, o in self._outcomes.items() if t in variant.title), self._otherwise)
        results = SpanResults(span(), span(sharpe=sharpe), span())
        return VariantResult(variant, "hash", results, compared(selection), compared(confirmation))


def made_request(
    pack: EvidencePack | None = None,
    *,
    scan: str = SCAN,
    guidance: str = "",
    knowledge: tuple[Insight, ...] = (),
    evidence: EvidencePack | None = None,
    trades: int = 100,
    **changes: Any,
) -> ProposalRequest:
    selection = pack or build_evidence(made_trades(300, loud_lift=0.8), prefix="S")
    request = ProposalRequest(
        subject=Subject("", "1m", "1.0", scan, EXECUTION, evidence or selection, knowledge, guidance),
        selection_evidence=selection,
        current=SpanResults(span(trades), span(trades), span(trades)),
        context=CONTEXT,
    )
    return replace(request, **changes)
