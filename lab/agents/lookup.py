"""Evidence as a person looks it up: a line for each id that an analysis may cite."""

from __future__ import annotations

from lab.agents.evidence import Bucket, EvidencePack, Figure, TradeEvidence
from lab.agents.views import EvidenceRow, Interval


def evidence_rows(pack: EvidencePack) -> tuple[EvidenceRow, ...]:
    """Every piece of evidence of a pack, in the order of its ids."""
    rows = [
        *(EvidenceRow(figure.id, figure.name, _figure(figure)) for figure in (*pack.figures, *pack.funnel)),
        *(EvidenceRow(bucket.id, f"{bucket.dimension} {bucket.name}", _bucket(bucket)) for bucket in pack.buckets),
        *(EvidenceRow(trade.id, "best trade", _trade(trade)) for trade in pack.best),
        *(EvidenceRow(trade.id, "worst trade", _trade(trade)) for trade in pack.worst),
    ]
    return tuple(sorted(rows, key=lambda row: int("".join(letter for letter in row.id if letter.isdigit()))))


def _figure(figure: Figure) -> str:
    value = _number(figure.value, figure.unit)
    return value if figure.interval is None else f"{value} ({_interval(figure.interval, figure.unit)})"


def _bucket(bucket: Bucket) -> str:
    spread = "" if bucket.mean_r_interval is None else f" ({_interval(bucket.mean_r_interval, 'R')})"
    tested = "" if bucket.corrected_p is None else f", corrected p {bucket.corrected_p:.2g}"
    return f"{bucket.mean_r:+.2f}R{spread} over {bucket.trades:,} trades, {bucket.win_rate:.0%} won{tested}"


def _trade(trade: TradeEvidence) -> str:
    return f"{trade.ticker} {trade.direction} {trade.r_multiple:+.1f}R, {trade.bars_held:,} bars, out by {trade.exit_reason}"


def _number(value: float, unit: str) -> str:
    match unit:
        case "fraction":
            return f"{value * 100:.2f}%"
        case "dollars":
            return f"{'-' if value < 0 else ''}${abs(value):,.0f}"
        case "R":
            return f"{value:+.2f}R"
        case "ratio":
            return f"{value:.2f}"
        case _:
            return f"{value:,.0f} {unit}" if unit != "count" else f"{value:,.0f}"


def _interval(interval: Interval, unit: str) -> str:
    return f"{_number(interval.low, unit)} to {_number(interval.high, unit)}"
