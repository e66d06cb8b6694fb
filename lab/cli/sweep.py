"""`lab sweep` and `lab exits`: many values of a strategy's parameters, and stock exit plans against its own."""

from __future__ import annotations

import sys
from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from lab.agents import scripting
from lab.agents.errors import NotThere
from lab.agents.heatmap import Figure, heat_map
from lab.cli.plain import own, plain
from lab.cli.tables import UNKNOWN, number, percent, print_json, print_table
from lab.settings import Settings

if TYPE_CHECKING:
    from lab.agents.service import Lab
    from lab.agents.sweep_jobs import Measured, Point
    from lab.agents.sweeps import Subject, SweepReport


class Design(StrEnum):
    """How the points of a sweep are chosen."""

    GRID = "grid"
    RANDOM = "random"
    LATIN = "latin"


MOST_ROWS = 20
"""Of the table; all points are in the JSON."""

Agent = Annotated[str | None, typer.Option(metavar="NAME", help="The agent whose current version it is.")]
File = Annotated[str | None, typer.Argument(metavar="[FILE]", help="A file of the strategy's scripts, instead of --agent.")]
Execution = Annotated[str | None, typer.Option(metavar="FILE", help="The execution script, where it has a file of its own.")]
Universe = Annotated[str | None, typer.Option(help="What a FILE is run on; the newest universe where it is left out.")]
Risk = Annotated[str, typer.Option(help="Whose account a FILE has: conservative, balanced or aggressive.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def sweep_command(
    file: File = None,
    agent: Agent = None,
    method: Annotated[Design, typer.Option(help="How the points are chosen; latin is a Latin hypercube.")] = Design.LATIN,
    points: Annotated[int, typer.Option(min=1, max=5000, help="At most so many points.")] = 40,
    parameters: Annotated[
        str | None,
        typer.Option(
            metavar="a,b", help="What to vary, each with a range of its own if wanted: loud,near=0.05:0.3:0.05. All where left out."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the points of random and latin.")] = 1,
    axes: Annotated[str | None, typer.Option("--map", metavar="a,b", help="The rows and columns of the heat map.")] = None,
    figure: Annotated[Figure, typer.Option("--show", help="What the heat map shows.")] = Figure.SHARPE,
    execution: Execution = None,
    universe: Universe = None,
    risk: Risk = "balanced",
    as_json: Json = False,
) -> None:
    """Measure many values of a strategy's parameters over the learning span, on all processes.

    Each point is a trial in the ledger. What is finished is stored: the same command goes on where it was broken off.
    """
    from lab.agents.sweeps import SweepRequest, run_sweep
    from lab.work.executor import Executor

    _require_one(file, agent)
    with closing(_lab()) as lab:
        subject = _subject(lab, file, agent, execution, universe, risk, as_json)
        request = SweepRequest(method.value, points, seed, tuple(filter(None, (parameters or "").split(","))))
        try:
            with Executor(Settings().processes) as executor:
                report = run_sweep(lab.workspace, lab.store, executor, subject, request, _progress)
        except KeyboardInterrupt:
            print("\nlab: stopped; the finished points are stored, and the same command goes on from there.", file=sys.stderr)
            raise typer.Exit(130) from None
    if as_json:
        print_json({"sweep": report, "own": report.own, "warning": report.warning})
    else:
        _print_sweep(report, axes, figure)


def _print_sweep(report: SweepReport, axes: str | None, figure: Figure) -> None:
    print(f"{'SYNTHETIC DATA: ' if report.synthetic else ''}{report.universe}, {len(report.points)} points ({report.method})")
    print(f"Learning span {report.first_session} to {report.last_session}; the vault after it stays closed")
    if report.stored_before:
        print(f"{report.stored_before} of the points were measured by an earlier run of this sweep.")
    ranked = sorted(report.points, key=_rank)
    shown = ranked[:MOST_ROWS] + [point for point in ranked[MOST_ROWS:] if point is report.own]
    print()
    print_table(
        (*report.parameters, *_HEADINGS, ""),
        [(*(f"{value:g}" for value in point.values), *_figures(point.measured), _note(report, point)) for point in shown],
    )
    if len(shown) < len(ranked):
        print(f"… and {len(ranked) - len(shown)} more with a lower Sharpe; --json has all of them.")
    for failed in report.failed:
        print(f"Not measured: {', '.join(f'{v:g}' for v in failed.values)}: {failed.reason}")
    wanted = [name.strip() for name in axes.split(",")] if axes else list(report.parameters[:2])
    if len(wanted) > 2:
        raise NotThere(f"A heat map has rows and columns: two parameters, not {len(wanted)}.")
    print()
    print("\n".join(heat_map(report.points, report.parameters, wanted[0], wanted[1] if len(wanted) > 1 else "", figure).lines()))
    print()
    print(f"Warning: {report.warning}")


def exits_command(
    file: File = None,
    agent: Agent = None,
    execution: Execution = None,
    universe: Universe = None,
    risk: Risk = "balanced",
    as_json: Json = False,
) -> None:
    """Test a scan with five stock exit plans beside its own, in one pass over the learning span.

    Each plan is a trial in the ledger.
    """
    from lab.agents.exits import compare_exits
    from lab.work.executor import Executor

    _require_one(file, agent)
    with closing(_lab()) as lab, Executor(1) as executor:
        subject = _subject(lab, file, agent, execution, universe, risk, as_json)
        report = compare_exits(lab.workspace, lab.store, executor, subject)
    if as_json:
        print_json({"exits": report, "warning": report.warning})
        return
    print(f"{'SYNTHETIC DATA: ' if report.synthetic else ''}{report.universe}, {len(report.plans)} exit plans for the same signals")
    print(f"Learning span {report.first_session} to {report.last_session}; the vault after it stays closed")
    print()
    print_table(
        ("Exits", *_HEADINGS, "Bars held", "Against own"),
        [
            (plan.name, *_figures(plan.measured), number(plan.measured.average_bars_held, 1), str(plan.against_own or UNKNOWN))
            for plan in report.plans
        ],
    )
    print()
    for plan in report.plans:
        print(f"{plan.name}: {plan.idea} {plan.reason}".rstrip())
    for untested in report.untested:
        print(f"{untested.name}: not tested: {untested.reason}")
    print(f"\nWarning: {report.warning}")


_HEADINGS = ("Trades", "Win rate", "Sharpe", "Return", "Drawdown", "Profit factor", "R")


def _figures(measured: Measured) -> tuple[str, ...]:
    return (
        str(measured.trades),
        percent(measured.win_rate),
        number(measured.sharpe),
        percent(measured.total_return, 2, True),
        percent(measured.max_drawdown),
        number(measured.profit_factor),
        number(measured.expectancy_r),
    )


def _rank(point: Point) -> tuple[bool, float, tuple[float, ...]]:
    sharpe = point.measured.sharpe
    return sharpe is None, -(sharpe or 0.0), point.values


def _note(report: SweepReport, point: Point) -> str:
    notes = [word for word, one in (("best", report.best), ("own", report.own)) if one is point]
    return ", ".join(notes)


def _require_one(file: str | None, agent: str | None) -> None:
    if (file is None) == (agent is None):
        raise typer.BadParameter("give either --agent NAME or the FILE of a strategy")


def _lab() -> Lab:
    from lab.agents.service import Lab

    return Lab(Settings().home)


def _progress(share: float, note: str) -> None:
    """One line, drawn over itself; nothing where stderr is not a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{share:4.0%}  {plain(note)}", end="" if share < 1 else "\n", file=own(sys.stderr), flush=True)


def _subject(lab: Lab, file: str | None, agent: str | None, execution: str | None, universe: str | None, risk: str, quiet: bool) -> Subject:
    from lab.agents.sweeps import subject_of_agent, subject_of_scripts
    from lab.cli.run import universe_for

    if agent is not None:
        return subject_of_agent(lab.store, lab.agent_named(agent).id)
    scripts = scripting.read_scripts(file or "", execution)
    scripting.require_right(scripts)
    if scripts.execution is None:
        raise scripting.NoScript(f"{file} is a scan alone; this needs an execution script as well: after a line `# execution`.")
    return subject_of_scripts(scripts.scan, scripts.execution, universe_for(lab, universe, quiet).id, risk)
