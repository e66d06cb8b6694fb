"""A suggested refinement with everything needed to decide on it: what changes, what it did, how often was tried."""

from __future__ import annotations

from textual.content import Content

from lab.agents.views import MeasuredEffect, ProposalView
from lab.tui.text import TONE_STYLES, clean, number, percent, plural, signed_percent, verdict_mark
from lab.tui.widgets.diff import change_sentences, script_diffs
from lab.tui.widgets.flow import Line, lines_of
from lab.tui.widgets.result import Part

_STATES = {
    "pending": "waits for your decision",
    "applied": "applied",
    "edited": "applied with your edits",
    "discarded": "discarded",
}


def effect_table(effect: MeasuredEffect, parent: str) -> list[Line]:
    """Before and after on the learning span, the paired verdict, and how many variants were tried."""
    rows = (
        ("trades", f"{effect.trades[0]:,}", f"{effect.trades[1]:,}"),
        ("win rate", percent(effect.win_rate[0]), percent(effect.win_rate[1])),
        ("Sharpe", number(effect.sharpe[0]), number(effect.sharpe[1])),
        ("return", signed_percent(effect.total_return[0]), signed_percent(effect.total_return[1])),
        ("drawdown", percent(effect.max_drawdown[0]), percent(effect.max_drawdown[1])),
    )
    lines: list[Line] = [(Content.styled(f"{'':<10}{clean(parent)[:8]:>8}   {'changed':>8}", "$foreground-muted"), 0)]
    for name, before, after in rows:
        row = Content.assemble((f"{name:<10}", "$foreground-muted"), f"{before:>8}", (" → ", "$foreground-muted"), (f"{after:>8}", "bold"))
        lines.append((row, 0))
    mark, tone = verdict_mark(effect.verdict)
    verdict = Content.assemble((f"{mark} {clean(effect.verdict)}", f"bold {TONE_STYLES[tone]}"), ": " + _verdict_in_words(effect))
    tried = f"{plural(effect.trials, 'variant')} tried on this data so far: the more, the likelier a good one is luck."
    return [*lines, (verdict, 2), (Content.styled(tried, "$foreground-muted"), 2)]


def _verdict_in_words(effect: MeasuredEffect) -> str:
    if effect.confirmed_sessions == 0:
        return "no session was left on which it could be confirmed."
    per_day = f"{effect.daily_difference * 1e4:+.1f} bps a day"
    if effect.daily_difference_interval is not None:
        low, high = effect.daily_difference_interval.low * 1e4, effect.daily_difference_interval.high * 1e4
        per_day += f" ({low:+.1f} to {high:+.1f})"
    return f"{per_day} on {effect.confirmed_sessions} sessions it was not chosen on."


def effect_in_line(effect: MeasuredEffect) -> Content:
    """The verdict and the two figures one looks at first, on one line."""
    mark, tone = verdict_mark(effect.verdict)
    return Content.assemble(
        (f"{mark} {clean(effect.verdict)}", TONE_STYLES[tone]),
        (f"  win rate {percent(effect.win_rate[0])} → {percent(effect.win_rate[1])}", "$foreground-muted"),
        (f"  Sharpe {number(effect.sharpe[0])} → {number(effect.sharpe[1])}", "$foreground-muted"),
        (f"  {effect.trials:,} tried", "$foreground-muted"),
    )


def state_in_words(proposal: ProposalView) -> Content:
    """What was decided, with the reason and the version that came of it."""
    words = _STATES.get(proposal.state, clean(proposal.state))
    if proposal.resulting_version:
        words += f" as version {clean(proposal.resulting_version)}"
    parts: list[Part] = [("◆ " if proposal.state == "pending" else "✓ ", "$text-accent"), (words, "bold")]
    if proposal.reason:
        parts.append((f"  because: {clean(proposal.reason)}", "$foreground-muted"))
    return Content.assemble(*parts)


def heading(proposal: ProposalView) -> list[Line]:
    """The proposal's title, its state once decided, and the changes in words."""
    decided = [] if proposal.state == "pending" else [(state_in_words(proposal), 2)]
    return [(Content.styled(clean(proposal.title), "bold $text-accent"), 0), *decided, *change_sentences(proposal.changes)]


def reasons(proposal: ProposalView) -> list[Line]:
    """Why the agent proposes it, in its words."""
    return lines_of(proposal.rationale)


def script_changes(proposal: ProposalView) -> list[Line]:
    """Both text diffs."""
    return script_diffs(proposal.old_scan, proposal.old_execution, proposal.new_scan, proposal.new_execution)
