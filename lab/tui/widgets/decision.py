"""A suggested refinement with everything needed to decide on it: what changes, what it did, how often was tried."""

from __future__ import annotations

from textual.content import Content

from lab.agents.views import MeasuredEffect, ProposalView
from lab.tui.text import TONE_STYLES, clean, number, percent, plural, signed_percent, verdict_mark
from lab.tui.widgets.diff import change_sentences, script_diffs
from lab.tui.widgets.flow import Line, lines_of
from lab.tui.widgets.result import Part

MUTED = "$foreground-muted"
BEFORE_EDITS = "Measured of the proposal before your edits:"
_STATES = {
    "pending": "waits for your decision",
    "applied": "applied",
    "edited": "applied with your edits",
    "discarded": "discarded",
}


def effect_table(proposal: ProposalView) -> list[Line]:
    """Before and after on the sessions it was not chosen on, the paired verdict, and how many variants were tried."""
    effect, parent = proposal.effect, proposal.parent_version
    before, after = (_side(effect, at) for at in (0, 1))
    lines: list[Line] = [
        (Content.styled(unseen(effect), "bold"), 0),
        (Content.styled(f"{'':<10}{clean(parent)[:9]:>9}   {'changed':>9}", MUTED), 0),
    ]
    strong = "bold" if effect.verdict in ("better", "worse") else ""
    for name, old, new in zip(("trades", "win rate", "Sharpe", "return", "drawdown"), before, after, strict=True):
        arrow = " → " if old or new else ""
        lines.append((Content.assemble((f"{name:<10}", MUTED), f"{old:>9}", (arrow, MUTED), (f"{new:>9}", strong)), 0))
    lines.append((whole_in_line(effect), 2))
    mark, tone = verdict_mark(effect.verdict)
    verdict = Content.assemble((f"{mark} {clean(effect.verdict)}", f"bold {TONE_STYLES[tone]}"), ": " + _verdict_in_words(effect, parent))
    tried = f"{plural(effect.trials, 'variant')} tried on this data so far: the more, the likelier a good one is luck."
    lines = [*lines, (verdict, 2), (Content.styled(tried, MUTED), 2)]
    return lines if proposal.state != "edited" else [(Content.styled(BEFORE_EDITS, "$text-warning"), 0), *lines]


def unseen(effect: MeasuredEffect) -> str:
    """On what the figures are: the sessions that did not help to choose the change."""
    return "on no unseen session" if effect.confirmed_sessions == 0 else f"on {plural(effect.confirmed_sessions, 'unseen session')}"


def whole_in_line(effect: MeasuredEffect) -> Content:
    """The figures on all learning sessions, which flatter the change since it was chosen there."""
    sharpe, trades = effect.whole_sharpe, effect.whole_trades
    return Content.styled(
        f"all learning sessions, chosen there too: Sharpe {number(sharpe[0])} → {number(sharpe[1])}, {trades[0]:,} → {trades[1]:,} trades",
        MUTED,
    )


def _side(effect: MeasuredEffect, at: int) -> tuple[str, str, str, str, str]:
    """The figures before (0) or after (1); no trades, no figures."""
    if effect.trades[at] == 0:
        return ("no trades", "", "", "", "")
    return (
        f"{effect.trades[at]:,}",
        percent(effect.win_rate[at]),
        number(effect.sharpe[at]),
        signed_percent(effect.total_return[at]),
        percent(effect.max_drawdown[at]),
    )


def _verdict_in_words(effect: MeasuredEffect, parent: str) -> str:
    if effect.confirmed_sessions == 0:
        return "no session was left on which it could be confirmed."
    side = "less" if effect.daily_difference < 0 else "more"
    per_day = f"{abs(effect.daily_difference) * 1e4:.1f} bps a day {side} than {clean(parent)}"
    if effect.daily_difference_interval is not None:
        low, high = effect.daily_difference_interval.low * 1e4, effect.daily_difference_interval.high * 1e4
        per_day += f" (between {low:+.1f} and {high:+.1f})"
    return f"{per_day} on those sessions, which it was not chosen on."


def effect_in_line(effect: MeasuredEffect) -> Content:
    """The verdict and the two figures one looks at first, on one line."""
    mark, tone = verdict_mark(effect.verdict)
    return Content.assemble(
        (f"{mark} {clean(effect.verdict)}", TONE_STYLES[tone]),
        (f" {unseen(effect)}: Sharpe {number(effect.sharpe[0])} → {number(effect.sharpe[1])}", MUTED),
        (f", {effect.trades[0]:,} → {effect.trades[1]:,} trades; {effect.trials:,} tried", MUTED),
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
