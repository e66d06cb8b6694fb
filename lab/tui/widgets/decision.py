"""A suggested refinement with everything needed to decide on it: what changes, what it did, how often was tried."""

from __future__ import annotations

from textual.content import Content

from lab.agents.views import MeasuredEffect, ProposalView
from lab.tui.text import TONE_STYLES, clean, number, percent, plural, signed_percent, verdict_mark
from lab.tui.widgets.diff import change_sentences, script_diff
from lab.tui.widgets.result import Part

_STATES = {
    "pending": "waits for your decision",
    "applied": "applied",
    "edited": "applied with your edits",
    "discarded": "discarded",
}


def effect_table(effect: MeasuredEffect, parent: str) -> Content:
    """Before and after on the learning span, the paired verdict, and how many variants were tried."""
    rows = (
        ("trades", f"{effect.trades[0]:,}", f"{effect.trades[1]:,}"),
        ("win rate", percent(effect.win_rate[0]), percent(effect.win_rate[1])),
        ("Sharpe", number(effect.sharpe[0]), number(effect.sharpe[1])),
        ("return", signed_percent(effect.total_return[0]), signed_percent(effect.total_return[1])),
        ("drawdown", percent(effect.max_drawdown[0]), percent(effect.max_drawdown[1])),
    )
    parts: list[Part] = [(f"{'Measured':<10}{clean(parent)[:9]:>10}   {'changed':>10}", "bold")]
    for name, before, after in rows:
        parts += [(f"\n{name:<10}", "$text-muted"), f"{before:>10}", (" → ", "$text-muted"), (f"{after:>10}", "bold")]
    mark, tone = verdict_mark(effect.verdict)
    parts.append((f"\n{mark} {clean(effect.verdict)}", f"bold {TONE_STYLES[tone]}"))
    parts.append(": " + _verdict_in_words(effect))
    tried = plural(effect.trials, "variant")
    parts.append((f"\n{tried} tried on this data so far: the more, the likelier a good one is luck.", "$text-muted"))
    return Content.assemble(*parts)


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
        (f"  win rate {percent(effect.win_rate[0])} → {percent(effect.win_rate[1])}", "$text-muted"),
        (f"  Sharpe {number(effect.sharpe[0])} → {number(effect.sharpe[1])}", "$text-muted"),
        (f"  {effect.trials:,} tried", "$text-muted"),
    )


def state_in_words(proposal: ProposalView) -> Content:
    """What was decided, with the reason and the version that came of it."""
    words = _STATES.get(proposal.state, clean(proposal.state))
    if proposal.resulting_version:
        words += f" as version {clean(proposal.resulting_version)}"
    parts: list[Part] = [("◆ " if proposal.state == "pending" else "✓ ", "$text-accent"), (words, "bold")]
    if proposal.reason:
        parts.append((f"  because: {clean(proposal.reason)}", "$text-muted"))
    return Content.assemble(*parts)


def heading(proposal: ProposalView) -> Content:
    """The proposal's title, and its state."""
    return Content("\n").join([Content.styled(clean(proposal.title), "bold $text-accent"), state_in_words(proposal)])


def reasons(proposal: ProposalView) -> Content:
    """The changes in words, then the agent's reasons."""
    return Content("\n\n").join([change_sentences(proposal.changes), Content(clean(proposal.rationale, lines=True))])


def script_changes(proposal: ProposalView) -> Content:
    """Both text diffs."""
    return Content("\n\n").join(
        [
            script_diff("scan script", proposal.old_scan, proposal.new_scan),
            script_diff("execution script", proposal.old_execution, proposal.new_execution),
        ]
    )
