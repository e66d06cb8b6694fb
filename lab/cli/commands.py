"""The commands of the command line; each opens the workspace, does one thing, and prints it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli import calibrate, care, costs, demo, doctor, fetching, listing, proof, run, scripts, sweep, universes, usage
from lab.cli.program import open_program
from lab.settings import Settings
from lab.work.claude import claude_settings

if TYPE_CHECKING:
    from lab.agents.service import Lab

ABOUT = """A trading laboratory: agents that write strategies, test them on cached bars and learn.

Without a command, lab opens its full-screen program."""
NO_TERMINAL_DEMO = (
    "lab: the demo is a full-screen program and needs a terminal; `lab demo --prepare --keep FOLDER` makes its workspace without one."
)

app = typer.Typer(
    name="lab",
    help=ABOUT,
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data = typer.Typer(help="Import or fetch bars and see what is cached.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data, name="data")
fetching.register(data)
care.register(data)
universes.register(data)
app.add_typer(scripts.app, name="script")
app.add_typer(universes.app, name="universes")
app.command("sweep", epilog='Example: lab sweep --agent "VWAP Guardian" --method grid --points 30')(sweep.sweep_command)
app.command("study", epilog="Example: lab study 12 walk-forward")(proof.study_command)
app.command("report", epilog="Example: lab report 12 --html sheet.html")(proof.report_command)
app.command("calibrate", epilog="Example: lab calibrate --short")(calibrate.calibrate_command)
app.command("vault", epilog='Example: lab vault "Demo market" --folds 4')(proof.vault_command)
app.command("graduate", epilog='Example: lab graduate "VWAP Guardian" --open-vault')(proof.graduate_command)
app.command("exits", epilog='Example: lab exits --agent "VWAP Guardian"')(sweep.exits_command)
app.add_typer(usage.app, name="usage")
app.command("strategist", epilog='Example: lab strategist "VWAP Guardian" claude')(usage.strategist_command)
app.command("learn", epilog='Example: lab learn "VWAP Guardian" --iterations 10 --apply-better')(usage.learn_command)
app.command("resume", epilog="Example: lab resume 12")(usage.resume_command)
app.command("doctor", epilog="Example: lab doctor")(doctor.doctor_command)
app.command("functions", epilog="Example: lab functions volume")(scripts.functions_command)


@app.command("run", epilog='Example: lab run "Create a conservative VWAP scalper for tech stocks" --iterations 3 --approve better')
def run_command(
    instructions: Annotated[str | None, typer.Argument(help="What the new agent shall do, in plain English.")] = None,
    agent: Annotated[str | None, typer.Option(help="Go on with this agent instead of making a new one.")] = None,
    name: Annotated[str | None, typer.Option(help="The new agent's name; made from the instructions where it is left out.")] = None,
    universe: Annotated[str | None, typer.Option(help="What a new agent trades; the newest universe where it is left out.")] = None,
    iterations: Annotated[int, typer.Option(min=1, max=1000, help="How many learning iterations to run.")] = 1,
    approve: Annotated[
        run.Approve,
        typer.Option(
            help="better: apply refinements measured as better, discard others. always: apply all. never: leave the decision to you."
        ),
    ] = run.Approve.NEVER,
    guidance: Annotated[str, typer.Option(help="Words for the first iteration; they outrank the agent's own ideas.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document; progress goes to stderr.")] = False,
) -> None:
    """Create an agent, or continue one, and let it learn."""
    if (instructions is None) == (agent is None):
        raise typer.BadParameter("give either the instructions of a new agent or --agent NAME")
    request = run.RunRequest(instructions, agent, name, universe, iterations, approve, guidance, as_json)
    _with_lab(lambda lab: run.run(lab, request))


@app.command("demo", epilog="Example: lab demo")
def demo_command(
    keep: Annotated[Path | None, typer.Option(help="Keep the workspace in this new folder instead of throwing it away.")] = None,
    prepare: Annotated[bool, typer.Option(help="Only make the workspace; needs --keep and no terminal.")] = False,
) -> None:
    """Open a throw-away workspace with three agents that have already learned a little."""
    if prepare and keep is None:
        raise typer.BadParameter("--prepare needs --keep FOLDER")
    if not prepare and not (sys.stdin.isatty() and sys.stdout.isatty()):
        print(NO_TERMINAL_DEMO, file=sys.stderr)
        raise typer.Exit(2)
    raise typer.Exit(demo.run(keep, None if prepare else open_program))


@app.command("agents", epilog="Example: lab agents --json")
def agents_command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the agents."""
    _with_lab(lambda lab: listing.agents(lab, as_json))


@app.command("iterations", epilog='Example: lab iterations "VWAP Guardian"')
def iterations_command(
    agent: Annotated[str, typer.Argument(help="The agent's name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List an agent's iterations, newest first."""
    _with_lab(lambda lab: listing.iterations(lab, agent, as_json))


@app.command("show", epilog="Example: lab show 12")
def show_command(
    iteration: Annotated[int, typer.Argument(help="The iteration's id, as `lab iterations` lists it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show an iteration: its result, analysis, scripts and suggested refinement."""
    _with_lab(lambda lab: listing.show(lab, iteration, as_json))


@app.command("trades", epilog="Example: lab trades 12 --csv > trades.csv")
def trades_command(
    iteration: Annotated[int, typer.Argument(help="The iteration's id, as `lab iterations` lists it.")],
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    fills: Annotated[bool, typer.Option("--fills", help="Each trade's entry and its exits, a line each.")] = False,
) -> None:
    """List the trades of an iteration's backtest, or their fills."""
    _with_lab(lambda lab: listing.fills(lab, iteration, as_csv) if fills else listing.trades(lab, iteration, as_csv))


@app.command("replay", epilog="Example: lab replay 12")
def replay_command(iteration: Annotated[int, typer.Argument(help="The iteration's id, as `lab iterations` lists it.")]) -> None:
    """Run an iteration's backtest again: the same bits, or what changed. Exit status 1 where they differ."""
    _with_lab(lambda lab: listing.replay(lab, iteration))


@app.command("approvals", epilog="Example: lab approvals")
def approvals_command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the proposals that wait for your decision."""
    _with_lab(lambda lab: listing.approvals(lab, as_json))


@app.command("apply", epilog="Example: lab apply 3")
def apply_command(proposal: Annotated[int, typer.Argument(help="The proposal's id, as `lab approvals` lists it.")]) -> None:
    """Apply a proposal: it becomes the agent's next version."""
    _with_lab(lambda lab: listing.apply(lab, proposal))


@app.command("discard", epilog='Example: lab discard 3 --reason "too few trades"')
def discard_command(
    proposal: Annotated[int, typer.Argument(help="The proposal's id, as `lab approvals` lists it.")],
    reason: Annotated[str, typer.Option(help="Why; the strategist is told.")] = "",
) -> None:
    """Discard a proposal."""
    _with_lab(lambda lab: listing.discard(lab, proposal, reason))


@app.command("worker", epilog="Example: lab worker")
def worker_command() -> None:
    """Run queued iterations until none is left, in this process. May be interrupted: what ran is finished by the next worker."""
    import asyncio

    from lab.work import worker

    async def drain() -> int:
        stop = asyncio.Event()
        worker.stop_on_signals(stop)
        return await worker.run(Settings().home, drain=True, processes=Settings().processes, stop=stop)

    ended = asyncio.run(drain())
    print(f"{ended} iteration{'' if ended == 1 else 's'} brought to an end.")


@app.command("version", epilog="Example: lab version")
def version_command() -> None:
    """Print the version."""
    from lab import __version__

    print(f"lab {__version__}")


@data.command("import", epilog="Example: lab data import bars.csv --name tech --zone America/New_York")
def import_command(
    file: Annotated[Path, typer.Argument(help="A CSV or Parquet file of bars, also packed, or a folder of them.")],
    name: Annotated[str | None, typer.Option(help="The universe's name; the file's name where it is left out.")] = None,
    zone: Annotated[str | None, typer.Option(help="The time zone of the file's times, such as UTC or America/New_York.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="1m, 5m, 15m, 30m, 1h or 1d, where it is not detected rightly.")] = None,
    column: Annotated[list[str] | None, typer.Option(help="OURS=THEIRS, such as close=Last; may be given more than once.")] = None,
    tickers: Annotated[str | None, typer.Option(help="Only these tickers, separated by commas.")] = None,
    look: Annotated[bool, typer.Option("--look", help="Only show how the file would be read; nothing is written.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Import bars from a file or folder and make a universe of their tickers."""
    _with_lab(lambda lab: listing.import_file(lab, file, name, zone, timeframe, column or [], tickers, look, as_json))


@data.command("status", epilog="Example: lab data status AAPL")
def status_command(
    ticker: Annotated[str | None, typer.Argument(help="Only this ticker, with its sessions and quality report.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show universes and what bars are cached."""
    if ticker is not None:
        _with_lab(lambda lab: care.print_ticker(lab.cache, ticker, as_json))
    else:
        _with_lab(lambda lab: listing.data_status(lab, as_json))


@data.command("demo", epilog="Example: lab data demo")
def demo_market_command(
    edges: Annotated[str, typer.Option(help="How strongly edges are planted: none (pure noise), weak, medium or strong.")] = "medium",
    sessions: Annotated[int | None, typer.Option(help="Trading sessions of 1-minute bars.  [default: 200]")] = None,
    tickers: Annotated[int | None, typer.Option(help="Number of stocks, 40 at most.  [default: 12]")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed gives another market.")] = None,
) -> None:
    """Make the demo market in this workspace: synthetic bars with documented edges, in the place of the one there."""
    _with_lab(lambda lab: listing.make_demo_market(lab, seed, sessions, tickers, edges))


@data.command("costs", epilog="Example: lab data costs tech --set commission_per_share=0.005 --set slippage_bps=2")
def costs_command(
    universe: Annotated[str, typer.Argument(help="The universe's name.")],
    change: Annotated[list[str] | None, typer.Option("--set", help="NAME=NUMBER, also several times; the rest stays.")] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Back to those of liquid US large caps.")] = False,
) -> None:
    """Show or set what trading a universe costs; iterations started from then on pay it."""
    _with_lab(lambda lab: costs.costs(lab, universe, change or [], defaults))


def _with_lab(action: Callable[[Lab], Any]) -> None:
    """Run a command on the workspace; a number it returns other than 0 is the exit status."""
    from lab.agents.service import Lab

    settings = Settings()
    lab = Lab(settings.home, claude_settings(settings))
    try:
        status = action(lab)
    finally:
        lab.close()
    if status:
        raise typer.Exit(status)
