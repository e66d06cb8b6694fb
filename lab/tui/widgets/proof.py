"""What a result is worth, in lines: the verdict, walk-forward with its chart, robustness with its heat map, the null arm, the vault."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from lab.agents.proof.rules import Verdict
from lab.agents.proof.views import NullArmReport, Plateau, ProofView, RobustnessReport, SchemeRow, VaultReport, WalkForwardReport
from lab.agents.views import ResultSummary
from lab.tui.text import (
    UNKNOWN,
    ago,
    bar,
    clean,
    number,
    number_interval,
    percent,
    percent_interval,
    plural,
    signed_number,
    signed_percent,
)
from lab.tui.widgets.flow import BLANK, Line

MUTED = "$foreground-muted"
STUDIES: dict[str, tuple[str, str]] = {
    "walk-forward": ("Walk-forward", "chosen on one stretch, judged on the next, fold by fold"),
    "robustness": ("Robustness", "costs, delay, luck and parameters changed: does it still earn?"),
    "null arm": ("Null arm", "what luck alone reaches with as many tries"),
}
"""Kind -> its name and what it asks, in the order in which they are shown."""
UNDER_WAY = ("queued", "running")
_BAR = 24
_SHADES = "░▒▓█"


def verdict_lines(result: ResultSummary | None, now: Verdict | None = None) -> list[Line]:
    """The one word with its reasons: as it was when the result was measured, or `now`, where more may have been tried."""
    if result is None:
        return [_quiet("There is no verdict before the backtest has finished.")]
    word, reason = (result.verdict, result.verdict_reason) if now is None else (now.word.value, now.reason)
    return [
        (Content.assemble(("Verdict    ", MUTED), (clean(word), "bold")), 11),
        (Content.styled(f"           {clean(reason)}", ""), 11),
    ]


def study_lines(runs: Sequence[ProofView], key: str) -> list[Line]:
    """How each study stands: not made, under way with its progress, failed with the reason, or done when. `runs` are newest first."""
    lines: list[Line] = []
    for kind, (name, asks) in STUDIES.items():
        run = next((each for each in runs if each.kind == kind), None)
        label = (f"{name:<14}", "bold")
        if run is None:
            lines.append((Content.assemble(label, ("not made yet: ", MUTED), (asks, MUTED)), 14))
        elif run.state in UNDER_WAY:
            note = clean(run.note) or ("waits for the worker" if run.state == "queued" else "")
            lines.append((Content.assemble(label, (f"{bar(run.progress, 12)} {run.progress:.0%} ", "$text-accent"), (note, MUTED)), 14))
        elif run.state == "failed":
            lines.append((Content.assemble(label, ("failed: ", "$text-error"), clean(run.failure)), 14))
        else:
            lines.append((Content.assemble(label, (f"made {ago(run.finished_at or run.created_at)}", MUTED)), 14))
    return [*lines, _quiet(f"{key} starts one; the worker does it while you go on.")]


def walk_forward_lines(report: WalkForwardReport | None) -> list[Line]:
    """In-sample beside out-of-sample for each fold, as a table and as bars."""
    if report is None:
        return []
    about = f"{plural(report.variants, 'variant')} of {', '.join(map(clean, report.parameters)) or 'nothing to vary'}"
    about += f", {plural(report.ideas, 'different idea')}; purged and embargoed by {plural(report.holding_sessions, 'night')}"
    lines: list[Line] = [BLANK, _title("Walk-forward"), _quiet(about)]
    if report.shortfall:
        lines.append((Content(clean(report.shortfall)), 0))
    for scheme in report.schemes:
        lines += _scheme_lines(scheme)
    odds = f"Probability of backtest overfitting {percent(report.overfitting, 0)}; SPA test p = {number(report.superior_p, 3)}."
    return [*lines, (Content(odds), 0)]


def _scheme_lines(scheme: SchemeRow) -> list[Line]:
    figures = [value for fold in scheme.folds for value in (fold.chosen_sharpe, fold.judged_sharpe) if value is not None]
    low, high = min([0.0, *figures]), max([0.0, *figures])
    lines: list[Line] = [
        (
            Content.styled(
                f"{clean(scheme.scheme):<9} {'judged on':<23} {'in-sample':>9} {'out-of-s.':>9} {'return':>7} {'trades':>6}", MUTED
            ),
            0,
        )
    ]
    for fold in scheme.folds:
        days = f"{fold.judged_first} {fold.judged_last}"
        words = f"fold {fold.number:<4} {days:<23} {number(fold.chosen_sharpe):>9} {number(fold.judged_sharpe):>9} "
        words += f"{signed_percent(fold.judged_return):>7} {fold.judged_trades:>6,}"
        lines.append((Content(words), 0))
    spread = f" ({number_interval(scheme.judged_interval)})" if scheme.judged_interval else ""
    whole = (
        f"{'all':<9} {'':<23} {number(scheme.chosen_sharpe):>9} {number(scheme.judged_sharpe):>9} {signed_percent(scheme.judged_return):>7}"
    )
    lines += [(Content.assemble((whole, "bold"), (spread, MUTED)), 10), BLANK, _quiet("Sharpe ratio by fold: █ in-sample, ▒ out-of-sample")]
    for fold in scheme.folds:
        lines.append(_bar_line(f"fold {fold.number}", fold.chosen_sharpe, low, high, "█"))
        lines.append(_bar_line("", fold.judged_sharpe, low, high, "▒"))
    return [*lines, BLANK]


def _bar_line(label: str, value: float | None, low: float, high: float, sign: str) -> Line:
    return Content.assemble((f"{label:<9} ", MUTED), (diverging(value, low, high, _BAR, sign), "$primary"), f" {number(value)}"), 10


def diverging(value: float | None, low: float, high: float, width: int, sign: str) -> str:
    """A bar from zero, to the right where it is positive; `low` <= 0 <= `high` are the ends of the scale."""
    zero = round(-low / (high - low) * (width - 1)) if high > low else 0
    cells = [" "] * width
    cells[zero] = "│"
    if value is not None and high > low:
        at = min(width - 1, max(0, round((value - low) / (high - low) * (width - 1))))
        for x in range(min(at, zero), max(at, zero) + 1):
            if x != zero:
                cells[x] = sign
    return "".join(cells)


def robustness_lines(report: RobustnessReport | None) -> list[Line]:
    """What one change at a time leaves of it, and the neighbourhood of its parameters."""
    if report is None:
        return []
    head = f"{'changed':<36} {'trades':>6} {'Sharpe':>7} {'return':>7}  still earns"
    base = f"{'as it is':<36} {report.base_trades:>6,} {number(report.base_sharpe):>7} {signed_percent(report.base_return):>7}"
    lines: list[Line] = [BLANK, _title("Robustness"), (Content.styled(head, MUTED), 0), (Content.styled(base, "bold"), 0)]
    for row in report.rows:
        words = clean(f"{row.name} {row.detail}".strip())
        words = words if len(words) <= 36 else words[:35] + "…"
        figures = (
            f"{words:<36} {row.trades:>6,} {number(row.sharpe):>7} {signed_percent(row.total_return):>7}  {'yes' if row.holds else 'no'}"
        )
        lines.append((Content.styled(figures, "" if row.holds else "$text-warning"), 0))
    edge = (
        f"It earns nothing any more at {report.break_even_costs:.1f} times the costs."
        if report.break_even_costs is not None
        else "Between no costs and three times the costs it does not change its sign."
    )
    return [*lines, (Content(edge), 0), *plateau_lines(report.plateau)]


def plateau_lines(plateau: Plateau | None) -> list[Line]:
    """The Sharpe ratio around the chosen values as a heat map: the darker the block, the higher; the chosen one in brackets."""
    if plateau is None:
        return [_quiet("The scripts have no parameter to vary.")]
    two = len(plateau.parameters) > 1
    rows = sorted({point.values[0] for point in plateau.points})
    columns = sorted({point.values[1] for point in plateau.points}) if two else [0.0]
    found = {point.values: point.sharpe for point in plateau.points}
    top = max((value for value in found.values() if value is not None), default=0.0)
    names = " and ".join(map(clean, plateau.parameters))
    lines: list[Line] = [BLANK, _title(f"Sharpe ratio around the chosen {names}")]
    if two:
        heads = "".join(f"{f'{column:g}':>10}" for column in columns)
        lines.append((Content.styled(f"{'↓ first, → second':<18}{heads}", MUTED), 0))
    for row in rows:
        parts: list[tuple[str, str]] = [(f"{f'{row:g}':>16}  ", MUTED)]
        for column in columns:
            values = (row, column) if two else (row,)
            own = values == tuple(plateau.own[: len(values)])
            text = f"{_shade(found.get(values), top)} {number(found.get(values))}"
            parts.append((f"{f'[{text}]' if own else f'{text} ':>10}", "bold" if own else ""))
        lines.append((Content.assemble(*parts), 0))
    kept = f"One step away {plateau.neighbours:.0%} of the Sharpe ratio is left (median)." if plateau.neighbours is not None else ""
    return [*lines, *([(Content(kept), 0)] if kept else []), _quiet("░▒▓█ from above zero to the best; · loses or is not measured.")]


def _shade(value: float | None, top: float) -> str:
    if value is None or value <= 0 or top <= 0:
        return "·"
    return _SHADES[min(3, int(value / top * 4))]


def null_arm_lines(report: NullArmReport | None) -> list[Line]:
    """This version beside two kinds of luck, and by how much it beats them."""
    if report is None:
        return []
    rows = [
        ("this version", number(report.own_sharpe)),
        (
            f"best of {plural(report.random_measured, 'random variant')} (of {report.budget}, those with 30 trades)",
            number(report.random_best),
        ),
        ("their median", number(report.random_median)),
        ("of them stay below this version", percent(report.random_below, 0)),
        (f"best of {plural(report.shuffled_runs, 'run')} of the loop on shuffled bars", number(report.shuffled_best)),
        ("better than the best random variant by", signed_number(report.beats_random_by)),
        ("better than the best on shuffled bars by", signed_number(report.beats_shuffled_by)),
    ]
    lines: list[Line] = [BLANK, _title("Null arm: what luck reaches at the same budget (Sharpe ratio)")]
    return lines + [(Content.assemble((f"{value:>8}  ", "bold"), words), 10) for words, value in rows]


def against_luck_line(report: NullArmReport | None) -> Line:
    """By how much an agent's version beats both kinds of luck, on one line."""
    label = (f"{'Luck':<11}", MUTED)
    if report is None:
        return Content.assemble(label, ("not measured yet: the null arm does, a study on Graduation", MUTED)), 11
    words = f" the best of {plural(report.random_measured, 'random variant')}, "
    after = f" the best of {plural(report.shuffled_runs, 'run')} of the loop on shuffled bars"
    random, shuffled = (_above(value) for value in (report.beats_random_by, report.beats_shuffled_by))
    return Content.assemble(label, ("Sharpe ratio ", MUTED), (random, "bold"), (words, MUTED), (shuffled, "bold"), (after, MUTED)), 11


def _above(value: float | None) -> str:
    return f"{UNKNOWN} beside" if value is None else f"{number(abs(value))} {'above' if value > 0 else 'below'}"


def vault_lines(report: VaultReport | None) -> list[Line]:
    """What was found in the vault."""
    if report is None:
        return []
    times = "once" if report.openings == 1 else f"{report.openings} times"
    head = f"The vault: {report.first_session} to {report.last_session}, {report.sessions} sessions; it had been opened {times}"
    sure = f"above zero with a probability of {percent(report.probability)}"
    beside = ", ".join(f"{clean(name)} {signed_percent(value)}" for name, value in report.benchmarks.items())
    rows = [
        ("Trades", f"{report.trades:,}", f"{report.wins:,} won"),
        ("Win rate", percent(report.win_rate), percent_interval(report.win_rate_interval)),
        ("Sharpe", number(report.sharpe), f"{number_interval(report.sharpe_interval)}  {sure}".strip()),
        ("Return", signed_percent(report.total_return), beside),
        ("Drawdown", percent(report.max_drawdown), ""),
    ]
    lines: list[Line] = [BLANK, _title(head)]
    for label, value, rest in rows:
        lines.append((Content.assemble((f"{label:<10}", MUTED), (f"{value:>8}", "bold"), (f"  {rest}" if rest else "", MUTED)), 20))
    if report.seen_by:
        seen = f"{report.seen_by:,} variants were tried on learning spans that hold sessions of it: it was not unseen."
        lines.append((Content.styled(seen, "$text-warning"), 0))
    return lines


def _title(words: str) -> Line:
    return Content.styled(words, "bold"), 0


def _quiet(words: str) -> Line:
    return Content.styled(words or UNKNOWN, MUTED), 0
