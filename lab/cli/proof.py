"""`lab study`, `lab report`, `lab vault` and `lab graduate`: what a result is worth, its tear sheet, and the decision about it."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.agents.errors import CannotIterate, NotThere
from lab.agents.proof.figures import basis_points
from lab.agents.proof.views import moved
from lab.agents.views import Interval
from lab.cli.tables import interval, number, percent, print_json, print_table, say
from lab.errors import LabError
from lab.settings import Settings
from lab.work.launch import ensure_worker

if TYPE_CHECKING:
    from lab.agents.proof.sheet import TearSheet
    from lab.agents.proof.views import Checklist, NullArmReport, ProofView, RobustnessReport, VaultReport, WalkForwardReport
    from lab.agents.service import Lab

KINDS = ("walk-forward", "robustness", "null arm")
WARNING = (
    "Opening the vault shows sessions that nothing was ever tested on. Each opening makes the next worth less: it is counted for ever, "
    "for every agent on these bars."
)
_POLL_SECONDS = 0.3
_WORKER_SECONDS = 5.0

Iteration = Annotated[int, typer.Argument(help="The iteration's id, as `lab iterations` lists it.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def study_command(
    iteration: Iteration,
    kinds: Annotated[list[str] | None, typer.Argument(metavar="[KIND]…", help="walk-forward, robustness, null-arm; or all.")] = None,
) -> None:
    """Study what an iteration's result is worth: walk-forward, robustness, and what luck reaches at the same budget.

    The worker does it and keeps it; interrupted here, it goes on there.
    """
    with closing(_lab()) as lab:
        wanted = [kind.replace("-arm", " arm") for kind in kinds or KINDS]
        runs = [(kind, lab.proof.ask(kind, iteration)) for kind in wanted]
        for kind, run_id in runs:
            _done(lab, run_id, kind)
        agent_id = lab.iteration(iteration).row.agent_id
        for kind in wanted:
            print()
            _print_study(lab, kind, iteration, agent_id)


def report_command(
    iteration: Iteration,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one self-contained HTML file instead.")] = None,
    as_json: Json = False,
) -> None:
    """The tear sheet of an iteration: what was tried, how often, and what it is worth.

    `lab study` adds walk-forward, robustness and the null arm to it.
    """
    with closing(_lab()) as lab:
        sheet = lab.proof.tear_sheet(iteration)
        if html is not None:
            from lab.agents.proof.html import tear_sheet_html

            write_file(html, tear_sheet_html(sheet))
            print(f"Wrote {html}.")
        elif as_json:
            print_json(sheet)
        else:
            print_sheet(sheet)


def graduate_command(
    agent: Annotated[str, typer.Argument(help="The agent's name.")],
    open_vault: Annotated[bool, typer.Option("--open-vault", help="Put the current version up for graduation: opens the vault.")] = False,
    approve: Annotated[bool, typer.Option("--approve", help="Let the agent trade on paper.")] = False,
    back: Annotated[bool, typer.Option("--back", help="Send the agent back to learning.")] = False,
    note: Annotated[str, typer.Option(help="Your words to the decision; needed where a rule is overruled.")] = "",
    rules: Annotated[list[str] | None, typer.Option("--set", metavar="RULE=VALUE", help="Change a bound; may be repeated.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Open the vault without being asked.")] = False,
    as_json: Json = False,
) -> None:
    """The checklist on the way from learning to trading on paper. You decide; every decision is kept."""
    if open_vault + approve + back > 1:
        raise typer.BadParameter("open the vault, approve or send back: one at a time")
    with closing(_lab()) as lab:
        agent_id = lab.agent_named(agent).id
        if rules:
            lab.proof.set_rules(agent_id, dict(_rule(text) for text in rules))
        if open_vault:
            _open(lab, agent_id, yes)
        if approve:
            lab.proof.graduate(agent_id, note)
        elif back:
            lab.proof.send_back(agent_id, note)
        checklist = lab.proof.checklist(agent_id)
        if as_json:
            print_json({"checklist": checklist, "decisions": lab.proof.graduations(agent_id)})
            return
        _print_checklist(lab, checklist)


def vault_command(
    universe: Annotated[str, typer.Argument(help="The universe's name.")],
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Let the learning span end here; only before the first test."),
    ] = None,
    folds: Annotated[int | None, typer.Option(help="Into how many walk-forward folds the learning span is cut.")] = None,
    as_json: Json = False,
) -> None:
    """A universe's learning span and vault, who has opened it, and how many folds are walked."""
    from lab.cli.run import universe_for

    with closing(_lab()) as lab:
        universe_id = universe_for(lab, universe).id
        if until is not None or folds is not None:
            lab.proof.set_learning_span(universe_id, until.date() if until else None, folds)
        view = lab.proof.vault(universe_id)
    if as_json:
        print_json(view)
        return
    fixed = "fixed, since something was tested on it" if view.fixed else "not fixed yet"
    print(f"Learning span {view.first_session} to {view.learning_until}, {fixed}; {view.folds} walk-forward folds")
    print(f"Vault to {view.last_session}; openings so far: {view.openings}")
    for moment in view.opened_at:
        print(f"Opened {moment:%Y-%m-%d %H:%M} UTC")
    if view.seen_by:
        print(f"{view.seen_by} variants were tried on learning spans of other universes that hold sessions of it: it is not unseen.")


def _open(lab: Lab, agent_id: int, yes: bool) -> None:
    if not yes:
        openings = lab.proof.checklist(agent_id).vault.openings
        print(f"{WARNING} So far: {openings}.", file=sys.stderr)
        if not sys.stdin.isatty():
            raise CannotIterate("Without a terminal the vault is opened with --yes only.")
        if input("Open it? Type yes: ").strip().lower() != "yes":
            raise CannotIterate("The vault stays closed.")
    _done(lab, lab.proof.open_vault(agent_id), "vault")


def _done(lab: Lab, run_id: int, kind: str) -> ProofView:
    """Follow a study to its end; a worker is kept running meanwhile."""
    looked, said = -_WORKER_SECONDS, ""
    while True:
        if time.monotonic() - looked >= _WORKER_SECONDS:
            ensure_worker(lab.workspace.home)
            looked = time.monotonic()
        run = lab.proof.run(run_id)
        if run.state == "failed":
            raise LabError(f"{kind}: {run.failure}")
        if run.state == "done":
            say(f"{kind}: done", quiet=True)
            return run
        if (now := f"{kind}: {run.state} {run.note}".rstrip()) != said:
            say(now, quiet=True)
            said = now
        time.sleep(_POLL_SECONDS)


def _print_study(lab: Lab, kind: str, iteration_id: int, agent_id: int) -> None:
    if kind == "walk-forward" and (walked := lab.proof.walk_forward(iteration_id)):
        print_walk_forward(walked)
    elif kind == "robustness" and (shaken := lab.proof.robustness(iteration_id)):
        print_robustness(shaken)
    elif kind == "null arm" and (null := lab.proof.null_arm(agent_id)):
        print_null_arm(null)


def print_sheet(sheet: TearSheet) -> None:
    """The tear sheet as text."""
    from lab.cli.listing import print_result

    view = sheet.view
    label = "SYNTHETIC DATA: " if view.universe.synthetic else ""
    print(f"{label}{view.row.agent}, iteration {view.row.number}, version {view.row.version or '-'} on {view.universe.name}")
    if view.result is None:
        raise NotThere("That iteration has no finished backtest to report on.")
    print_result(view.result)
    tried = ", ".join(f"{count:,} for {purpose}" for purpose, count in sheet.trials.items())
    print(f"\nTried on overlapping bars: {sheet.tried_in_all:,} variants by all; this agent: {tried or 'none'}")
    independent = f"{number(sheet.effective_trials, 1)} independent ones among them"
    print(f"As the best of the {sheet.tried_in_all:,} up to now: deflated Sharpe ratio {percent(sheet.deflated)} ({independent})")
    if sheet.verdict is not None and sheet.verdict.reason != view.result.verdict_reason:
        print(f"Verdict now: {sheet.verdict.word}. {sheet.verdict.reason}")
    if (against := view.against_parent) is not None:
        sure = against.daily_difference_interval
        spread = f" ({basis_points(sure.low)} to {basis_points(sure.high)})" if sure is not None else ""
        where = f"the same {against.sessions} sessions"
        if (whole := against.chosen_too) is not None:
            where = f"the {against.sessions} sessions it was not chosen on (all {whole.sessions}, chosen there too: "
            where += f"{basis_points(whole.daily)} bps)"
        change = f"{basis_points(against.daily_difference)} bps a day{spread}"
        print(f"Against version {against.parent_version}: {against.verdict}, {change} on {where}")
    openings = sheet.vault_state.openings
    print(f"Vault after {sheet.vault_state.learning_until}: opened {openings} time{'' if openings == 1 else 's'}")
    if sheet.walk_forward is not None:
        print()
        print_walk_forward(sheet.walk_forward)
    if sheet.robustness is not None:
        print()
        print_robustness(sheet.robustness)
    if sheet.null_arm is not None:
        print()
        print_null_arm(sheet.null_arm)
    if sheet.vault is not None:
        print()
        print_vault(sheet.vault)
    for breakdown in sheet.breakdowns:
        print()
        print_table(
            (breakdown.by, "Trades", "Win rate", "95%", "Mean R", "Profit"),
            [
                (
                    part.name,
                    f"{part.trades:,}",
                    percent(part.win_rate),
                    interval(Interval(*part.win_rate_interval), True),
                    f"{part.mean_r:+.2f}",
                    f"{part.pnl:,.0f}",
                )
                for part in breakdown.parts
            ],
        )


def print_walk_forward(report: WalkForwardReport) -> None:
    print(f"Walk-forward over {report.variants} variants ({report.ideas} ideas), purged and embargoed by {report.holding_sessions} nights")
    if report.shortfall:
        print(report.shortfall)
    for scheme in report.schemes:
        print_table(
            (scheme.scheme, "Judged on", "In-sample", "Out-of-sample", "Return", "Trades"),
            [
                (
                    f"fold {fold.number}",
                    f"{fold.judged_first} to {fold.judged_last}",
                    number(fold.chosen_sharpe),
                    number(fold.judged_sharpe),
                    percent(fold.judged_return, 1, True),
                    str(fold.judged_trades),
                )
                for fold in scheme.folds
            ],
        )
        print(f"Out-of-sample Sharpe {number(scheme.judged_sharpe)} {interval(scheme.judged_interval)}".rstrip())
    print(f"Probability of backtest overfitting {percent(report.overfitting, 0)}; SPA test p = {number(report.superior_p, 3)}")


def print_robustness(report: RobustnessReport) -> None:
    print_table(
        ("Robustness", "Trades", "Sharpe", "Return", "Still earns"),
        [
            (
                f"{row.name} {row.detail}".strip(),
                str(row.trades),
                number(row.sharpe),
                percent(row.total_return, 1, True),
                "yes" if row.holds else "no",
            )
            for row in report.rows
        ],
    )
    if report.break_even_costs is not None:
        print(f"The edge dies at {report.break_even_costs:.1f} times the costs.")
    if report.plateau is not None and report.plateau.neighbours is not None:
        print(
            f"One step beside the chosen {' and '.join(report.plateau.parameters)} {report.plateau.neighbours:.0%} of the Sharpe is left."
        )


def print_null_arm(report: NullArmReport) -> None:
    print(f"Null arm at the same budget of {report.budget} variants: this version's Sharpe {number(report.own_sharpe)}")
    print(
        f"Random variants: best {number(report.random_best)}, median {number(report.random_median)} of {report.random_measured} with "
        f"enough trades; {percent(report.random_below, 0)} stay below. Beaten by {number(report.beats_random_by)}"
    )
    print(
        f"The same loop on shuffled bars: best {number(report.shuffled_best)} of {report.shuffled_runs} runs. "
        f"Beaten by {number(report.beats_shuffled_by)}"
    )


def print_vault(report: VaultReport) -> None:
    print(f"Vault, {report.first_session} to {report.last_session}: {report.trades} trades in {report.sessions} sessions")
    print(f"Win rate {percent(report.win_rate)} {interval(report.win_rate_interval, True)}")
    print(f"Sharpe {number(report.sharpe)} {interval(report.sharpe_interval)}, above zero with {percent(report.probability)}")
    print(f"Return {percent(report.total_return, 2, True)}, maximum drawdown {percent(report.max_drawdown)}")


def _print_checklist(lab: Lab, checklist: Checklist) -> None:
    print(f"{checklist.agent}, version {checklist.version or '-'}: {checklist.status}")
    print_table(
        ("Passed", "Rule", "Asked", "Found", "The version has", ""),
        [("yes" if row.passed else "no", row.rule, f"{row.asked:g}", number(row.found, 3), row.says, row.detail) for row in checklist.rows],
    )
    vault = checklist.vault
    print(f"Learning span to {vault.learning_until}, vault to {vault.last_session}; openings so far: {vault.openings}")
    if checklist.missing:
        print(f"Not done for this version yet: {', '.join(checklist.missing)}")
    for row in lab.proof.graduations(checklist.agent_id):
        overruled = f"; overruled {', '.join(row.overruled)}" if row.overruled else ""
        what = f"{moved(row.from_status, row.to_status)}, version {row.version}{overruled}"
        print(f"{row.decided_at:%Y-%m-%d %H:%M} UTC: {what}. {row.note}".rstrip())


def _rule(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        return name.strip(), float(value) if equals else float("nan")
    except ValueError:
        raise typer.BadParameter(f"{text!r} must be RULE=NUMBER, such as least_trades=60") from None


def write_file(path: Path, text: str) -> None:
    """Write so that a reader sees the whole file or the one before. Raises LabError where it can't be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise LabError(f"{path} can't be written: {error.strerror or error}.") from None


def _lab() -> Lab:
    from lab.agents.service import Lab

    return Lab(Settings().home)
