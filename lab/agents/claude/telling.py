"""What the lab knows, in as few words as a model needs: evidence, knowledge and results as text, seen through the veil."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab.agents.claude.blind import Veil
from lab.agents.claude.prompts import prompt
from lab.agents.dimensions import OUTCOME_COLUMNS
from lab.agents.evidence import Bucket, EvidencePack, Figure, TradeEvidence
from lab.agents.strategist import DiscardedProposal, Insight, ParentComparison, VariantResult

MOST_BUCKETS = 28
"""So many breakdowns stand in a prompt, those that say most; the others can be asked for."""


def language(veil: Veil) -> str:
    """The language and its catalogue: the same bytes in every request."""
    from lab.script import CATALOGUE, FIELDS
    from lab.script.entries import Category

    fields = "; ".join(f"{field.name} ({field.meaning})" if field.namespace else field.name for field in FIELDS.values())
    functions = "\n".join(
        f"{category.value}: {', '.join(f.signature for f in CATALOGUE.values() if f.category is category)}"
        for category in Category
        if any(f.category is category for f in CATALOGUE.values())
    )
    return prompt("language").fill(fields=veil.hide(fields), functions=functions)


def scripts(scan: str, execution: str, veil: Veil) -> str:
    return f"Scan script:\n{veil.hide_script(scan.strip())}\nExecution script:\n{veil.hide_script(execution.strip())}"


def guidance(words: str, veil: Veil) -> str:
    """The person's wish for this iteration, which outranks everything else."""
    return f"<person>For this iteration the person asks: {veil.hide(words.strip())}</person>\n" if words.strip() else ""


def knowledge(insights: Iterable[Insight], veil: Veil) -> str:
    lines = [f"- ({i.knowledge_type}, {i.confidence:.0%} sure) {veil.hide(i.insight)}" for i in insights]
    return "\n".join(("What you have learned so far:", *lines, "")) if lines else ""


def discarded(proposals: Sequence[DiscardedProposal], veil: Veil) -> str:
    """What the person turned down. What they wrote as the reason is theirs to say."""
    lines = [f"- {veil.hide(gone.title)}{_reason(gone, veil)}" for gone in proposals[-12:]]
    return "\n".join(("Turned down before; never propose again unchanged:", *lines, "")) if lines else ""


def _reason(gone: DiscardedProposal, veil: Veil) -> str:
    if not gone.by_person:
        return " (by rule: not measured as better)"
    return f" (the person: {veil.hide(gone.reason)})" if gone.reason else ""


def parent(comparison: ParentComparison | None, veil: Veil) -> str:
    if comparison is None:
        return ""
    changes = veil.hide_script("; ".join(comparison.changes)) or "the scripts"
    verdict = comparison.comparison.verdict.value
    days = "the same days" if comparison.whole is None else "the days it was not chosen on"
    return f"It was refined from version {comparison.parent_version}: {changes}. Paired test on {days}: {verdict}.\n"


def evidence(pack: EvidencePack, veil: Veil, *, trades: bool = True) -> str:
    """The pack, a line a piece of evidence: all figures, and the breakdowns that say most."""
    told = sorted(
        (bucket for bucket in pack.buckets if bucket.column != "ticker"),
        key=lambda b: (b.corrected_p if b.corrected_p is not None else 0.5, -abs(b.r_lift or 0.0)),
    )[:MOST_BUCKETS]
    chosen = {bucket.id for bucket in told}
    tickers = sorted((bucket for bucket in pack.buckets if bucket.column == "ticker"), key=lambda b: -abs(b.total_r))[:4]
    lines = [figure(each, veil) for each in (*pack.figures, *pack.funnel)]
    lines += [bucket(each, veil) for each in pack.buckets if each.id in chosen]
    lines += [bucket(each, veil) for each in tickers]
    if trades:
        lines += [trade(each, veil, "best") for each in pack.best[:3]] + [trade(each, veil, "worst") for each in pack.worst[:3]]
    if pack.verdict:
        lines.append(f"The laboratory's verdict: {pack.verdict}.")
    return "\n".join(lines)


def figure(each: Figure, veil: Veil) -> str:
    spread = "" if each.interval is None else f" ({_number(each.interval.low, each.unit)} to {_number(each.interval.high, each.unit)})"
    return f"[{each.id}] {veil.hide(each.name)}: {_number(each.value, each.unit)}{spread}"


def bucket(each: Bucket, veil: Veil) -> str:
    name = veil.ticker(each.name) if each.column == "ticker" else each.name
    parts = [
        f"[{each.id}] {veil.hide(f'{each.dimension} {name}')}: {each.trades} trades, {each.win_rate:.0%} won, mean {each.mean_r:+.2f}R"
    ]
    if each.r_lift is not None:
        parts.append(f"{each.r_lift:+.2f}R against the rest")
    if each.corrected_p is not None and each.column not in OUTCOME_COLUMNS:
        parts.append(f"p {each.corrected_p:.2g}")
    return ", ".join(parts)


def trade(each: TradeEvidence, veil: Veil, kind: str) -> str:
    when = f"{veil.day(each.signal_at.date())}"
    context = ", ".join(f"{name} {value:.2f}" for name, value in each.context.items() if name in _TOLD)
    return (
        f"[{each.id}] {kind}: {veil.ticker(each.ticker)} {each.direction} on {when}, {each.r_multiple:+.2f}R in {each.bars_held} bars,"
        f" out by {each.exit_reason}" + (f" ({context})" if context else "")
    )


def variant(number: int, result: VariantResult, veil: Veil) -> str:
    """What the model may see of a test: the sessions it chooses on, and no others."""
    if result.error or result.results is None or result.selection is None:
        return f"Variant {number} could not be run: {veil.hide(result.error)}"
    part, test = result.results.selection, result.selection
    spread = "" if test.low is None or test.high is None else f" ({test.low * 1e4:+.1f} to {test.high * 1e4:+.1f})"
    return (
        f"Variant {number}: {part.trades} trades, {_share(part.win_rate)} won, mean {_r(part.mean_r)}, Sharpe {_plain(part.sharpe)},"
        f" return {part.total_return:+.1%}, drawdown {part.max_drawdown:.1%};"
        f" against the current version {test.mean_difference * 1e4:+.1f} basis points a day{spread}: {test.verdict.value}."
    )


_TOLD = ("market.trend", "relative_volume", "rsi", "gap_percent", "vwap_distance_percent")


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
        case "count":
            return f"{value:,.0f}"
        case _:
            return f"{value:,.1f} {unit}"


def _share(value: float | None) -> str:
    return "?" if value is None else f"{value:.0%}"


def _r(value: float | None) -> str:
    return "?" if value is None else f"{value:+.2f}R"


def _plain(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"
