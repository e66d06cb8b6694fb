"""Money and tokens in rows and lines: what models cost, what is left of the budgets, single calls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from textual.content import Content

from lab.agents.budget.views import OUTSIDE, BudgetView, CallRow, CallView, UsageRow
from lab.tui.text import Tone, ago, bar, clean, count, percent, plural, sparkline, usd
from lab.tui.widgets.flow import BLANK, Line, lines_of
from lab.tui.widgets.line_table import Cell, Column, Row

MUTED = "$foreground-muted"
_USED = (
    Column("Calls", least=5, most=7, right=True, keep=5),
    Column("Failed", least=6, most=6, right=True, keep=1),
    Column("In doubt", least=8, most=10, right=True, keep=4),
    Column("Input", least=6, most=10, right=True, keep=3),
    Column("To cache", least=8, most=10, right=True, keep=1),
    Column("From cache", least=10, most=10, right=True, keep=2),
    Column("Hits", least=4, most=5, right=True, keep=5),
    Column("Output", least=6, most=10, right=True, keep=3),
)
COST = Column("Cost", least=7, most=10, right=True, keep=8)
BUDGET_COLUMNS = (
    Column("Agent", least=18, most=40, keep=9, grow=True),
    Column("Left today", least=10, most=12, right=True, keep=8),
    Column("Spent today", least=11, most=12, right=True, keep=6),
    Column("Budget a day", least=12, most=12, right=True, keep=7),
    COST,
    *_USED,
)
CALL_COLUMNS = (
    Column("Agent", least=10, most=30, keep=9, grow=True),
    Column("It", least=2, most=5, right=True, keep=6),
    Column("Purpose", least=8, most=12, keep=8),
    Column("State", least=8, most=9, keep=7),
    Column("Cost", least=7, most=9, right=True, keep=8),
    Column("Input", least=6, most=9, right=True, keep=3),
    Column("Cached", least=6, most=9, right=True, keep=3),
    Column("Output", least=6, most=8, right=True, keep=3),
    Column("Seconds", least=7, most=7, right=True, keep=2),
    Column("Model", least=8, most=24, keep=1),
    Column("When", least=10, most=12, right=True, keep=4),
)


def usage_columns(what: str) -> tuple[Column, ...]:
    """The columns of usage summed up by something, with a bar of its share of the dearest."""
    return (Column(what, least=14, most=50, keep=9, grow=True), COST, Column("", least=6, most=6, keep=6), *_USED)


def _used(row: UsageRow | None) -> tuple[Cell | str, ...]:
    if row is None:
        return ("",) * len(_USED)
    doubt = Cell(f"{row.in_doubt} {usd(row.in_doubt_micros)}", Tone.WARN) if row.in_doubt else Cell("")
    hits = "" if row.cache_hit_rate is None else percent(row.cache_hit_rate, 0)
    tokens = (count(row.input_tokens), count(row.cache_write_tokens), count(row.cache_read_tokens))
    return (count(row.calls), count(row.failed) if row.failed else "", doubt, *tokens, hits, count(row.output_tokens))


def usage_rows(rows: Sequence[UsageRow]) -> list[Row]:
    """A row a sum; the id is its key."""
    dearest = max((row.cost_micros for row in rows), default=0)
    return [
        (
            row.key,
            (
                clean(row.key),
                Cell(usd(row.cost_micros), Tone.STRONG),
                bar(row.cost_micros / dearest if dearest else 0.0, 6),
                *_used(row),
            ),
        )
        for row in rows
    ]


def budget_rows(budgets: Sequence[BudgetView], used: Sequence[UsageRow], total: UsageRow) -> list[Row]:
    """The whole lab, then each agent; the id is the agent's, 0 for the lab."""
    by_name = {row.key: row for row in used}
    rows: list[Row] = []
    for budget in budgets:
        row = total if budget.agent_id == 0 else by_name.get(budget.name)
        spent = usd(budget.spent_micros) + (f" +{usd(budget.reserved_micros)}" if budget.reserved_micros else "")
        left = Cell(usd(budget.left_micros), Tone.STRONG if budget.left_micros else Tone.WARN)
        own = usd(budget.daily_micros) + ("" if budget.own else " *")
        name = Cell(clean(budget.name), Tone.STRONG if budget.agent_id == 0 else Tone.PLAIN)
        rows.append((budget.agent_id, (name, left, spent, own, usd(row.cost_micros) if row else "", *_used(row))))
    return rows


def call_rows(calls: Sequence[CallRow]) -> list[Row]:
    """A row a call; the id is the call's."""
    tones = {"in doubt": Tone.WARN, "reserved": Tone.ACCENT, "released": Tone.MUTED}
    return [
        (
            call.id,
            (
                clean(call.agent),
                "" if call.iteration_number is None else str(call.iteration_number),
                clean(call.purpose) + (f" ({call.attempt})" if call.attempt > 1 else ""),
                Cell(clean(call.state), tones.get(call.state, Tone.PLAIN)),
                usd(call.charged_micros),
                count(call.input_tokens + call.cache_write_tokens),
                count(call.cache_read_tokens),
                count(call.output_tokens),
                f"{call.latency_ms / 1000:.1f}" if call.latency_ms else "",
                Cell(clean(call.model), Tone.MUTED),
                Cell(ago(call.created_at), Tone.MUTED),
            ),
        )
        for call in calls
    ]


def summary_lines(lab_budget: BudgetView, total: UsageRow, iterations: Sequence[UsageRow]) -> list[Line]:
    """Today, and the last 30 days."""
    today = f"Today {usd(lab_budget.spent_micros)} of {usd(lab_budget.daily_micros)}, {usd(lab_budget.left_micros)} left"
    today += f"; a new day begins at {lab_budget.next_day_at:%H:%M} UTC"
    hits = "no prompt yet" if total.cache_hit_rate is None else f"{percent(total.cache_hit_rate, 0)} of prompt tokens from the cache"
    own = [row.cost_micros for row in iterations if row.key != OUTSIDE]
    each = f"{usd(sum(own) // len(own))} an iteration" if own else "no iteration yet"
    doubt = f", {plural(total.in_doubt, 'call')} in doubt ({usd(total.in_doubt_micros)}, counted in full)" if total.in_doubt else ""
    lines: list[Line] = [
        (Content.styled(today, "bold"), 2),
        (Content.styled(f"30 days: {usd(total.cost_micros)} for {plural(total.calls, 'call')}{doubt}; {hits}; {each}", MUTED), 2),
    ]
    if not lab_budget.own:
        lines.append((Content.styled("* as set for all agents; + sets an amount of its own", MUTED), 2))
    return lines


def chart_lines(total: UsageRow, days: Sequence[UsageRow], calls: Sequence[CallRow]) -> list[Line]:
    """The cost by day and by iteration, and the tokens by kind, each drawn on a line; nothing before the first call."""
    if not total.calls:
        return []
    by_day = {row.key: row.cost_micros for row in days}
    last = date.fromisoformat(days[-1].key)
    spent = [by_day.get((last - timedelta(days=back)).isoformat(), 0) for back in range(29, -1, -1)]
    lines = [_drawn("Cost a day", sparkline(spent, 30), f"to {last}, dearest {usd(max(spent))}")]
    costs: dict[int, int] = {}
    for call in reversed(calls):
        if call.iteration_number is not None:
            costs[call.iteration_id] = costs.get(call.iteration_id, 0) + call.charged_micros
    if each := list(costs.values())[-30:]:
        low, high = usd(min(each)), usd(max(each))
        lines.append(_drawn("Cost an iteration", sparkline(each, 30), f"{plural(len(each), 'iteration')}, {low} to {high}"))
    kinds = (
        ("█", "from the cache", total.cache_read_tokens),
        ("▓", "to the cache", total.cache_write_tokens),
        ("▒", "input", total.input_tokens),
        ("░", "output", total.output_tokens),
    )
    everything = sum(amount for *_, amount in kinds)
    if everything:
        drawn = "".join(sign * round(30 * amount / everything) for sign, _, amount in kinds)[:30]
        lines.append(_drawn("Tokens", drawn, ", ".join(f"{sign} {name} {count(amount)}" for sign, name, amount in kinds)))
    return lines


def _drawn(name: str, drawn: str, words: str) -> Line:
    return Content.assemble((f"{name:<19}", MUTED), (f"{drawn:<30}", "$primary"), (f"  {words}", MUTED)), 21


def call_lines(call: CallView, raw: bool) -> list[Line]:
    """A call: what it was, what was sent, what came back. Text is shown as it was, cleaned of what a terminal would obey."""
    row = call.row
    about = f"{row.agent}, {row.purpose}" + (f", iteration {row.iteration_number}" if row.iteration_number is not None else "")
    cost = f"{usd(row.charged_micros)} of {usd(row.reserved_micros)} reserved, prices of {call.prices_of}; prompt {call.prompt_version}"
    tokens = f"{row.input_tokens:,} input, {row.cache_write_tokens:,} to the cache, {row.cache_read_tokens:,} from it"
    tokens += f", {row.output_tokens:,} output"
    ended = f"{row.state}" + (f", stopped by {row.stop_reason}" if row.stop_reason else "")
    lines: list[Line] = [
        (Content.assemble((clean(about), "bold"), (f"  {row.created_at:%Y-%m-%d %H:%M:%S} UTC, attempt {row.attempt}", MUTED)), 2),
        (Content.styled(clean(f"{row.model}: {ended}, {row.latency_ms / 1000:.1f} s"), MUTED), 2),
        (Content.styled(clean(f"{cost}; {tokens}"), MUTED), 2),
    ]
    if row.error:
        lines.append((Content.styled(clean(row.error), "$text-error"), 2))
    sent, came = (call.prompt, call.reply) if raw else (call.prompt_text, call.reply_text)
    lines += [BLANK, (Content.styled("Sent", "bold"), 0), *lines_of(sent)]
    lines += [BLANK, (Content.styled("Came back", "bold"), 0), *(lines_of(came) if came else [(Content.styled("Nothing.", MUTED), 0)])]
    return lines
