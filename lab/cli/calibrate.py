"""`lab calibrate`: the studies of the instrument itself, resumed where they were broken off, with their table for the docs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from lab.cli.plain import own, plain
from lab.cli.proof import write_file
from lab.cli.tables import print_json, print_table
from lab.errors import LabError
from lab.settings import Settings

FOLDER = "calibration"
MARKET_LIMITS = (12 * 1024**3, 3_600, 6 * 3_600.0)
"""Bytes, seconds of processor and of clock for a market with all its agents: a long history, on a machine that may be busy."""


def calibrate_command(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table as Markdown.")] = None,
    short: Annotated[bool, typer.Option(help="A few agents on small markets: shows that it runs, proves little.")] = False,
    bars: Annotated[Path | None, typer.Option(metavar="FILE", help="Parquet of real 1-minute bars: noise made by shuffling them.")] = None,
    markets: Annotated[int | None, typer.Option(min=1, max=1000, help="Markets a study.")] = None,
    agents: Annotated[int | None, typer.Option(min=1, max=10, help="Agents a market.")] = None,
    sessions: Annotated[int | None, typer.Option(min=50, max=2500, help="Sessions a market, the vault included.")] = None,
    tickers: Annotated[int | None, typer.Option(min=1, max=50, help="Stocks a market.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure how often a verdict is wrong: agents on noise, and on markets with planted edges of three strengths.

    The whole, 300 agents on each kind of noise, takes the better part of an hour on two processors. Interrupted, the same command
    goes on where it was.
    """
    from lab.agents.proof import calibrate as studies
    from lab.agents.proof import calibrated
    from lab.work.confined import Limits
    from lab.work.executor import Executor

    plan = studies.SHORT if short else studies.FULL
    asked = {"markets": markets, "agents": agents, "sessions": sessions, "tickers": tickers}
    changed = {name: value for name, value in asked.items() if value is not None}
    plan = replace(plan, noise=replace(plan.noise, **changed), planted=replace(plan.planted, **changed))
    if bars is not None and not bars.exists():
        raise LabError(f"There is no file {bars}.")
    key = sha256(repr((asdict(plan), str(bars and bars.resolve()), studies.inputs_version())).encode()).hexdigest()[:16]
    folder = Settings().home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    began = time.monotonic()
    try:
        with Executor(Settings().processes, Limits(*MARKET_LIMITS)) as executor:
            outcomes = studies.calibrate(executor, folder / f"{key}.jsonl", plan, bars, _shown())
    except KeyboardInterrupt:
        print("\nlab: stopped; what is finished is stored, and the same command goes on from there.", file=sys.stderr)
        raise typer.Exit(130) from None
    found = calibrated.results(outcomes)
    if as_json:
        print_json({"plan": plan, "studies": found})
    else:
        print_table(
            ("Study", "Agents", "Evidence", "Promising", "Naive", "Trials", "Win rate first", "fifth"),
            [
                (
                    one.study,
                    str(one.agents),
                    calibrated.share_in_words(one.evidence),
                    calibrated.share_in_words(one.promising),
                    calibrated.share_in_words(one.naive),
                    f"{one.mean_trials:.0f}",
                    calibrated.rate_in_words(one.first_win_rate),
                    calibrated.rate_in_words(one.fifth_win_rate),
                )
                for one in found
            ],
        )
    if out is not None:
        note = "A short form: its intervals are wide, and it proves little." if plan.noise.markets * plan.noise.agents < 100 else ""
        write_file(out, calibrated.as_markdown(found, plan, datetime.now(UTC).date(), note))
    for line in calibrated.held(found):
        print(line.replace("**", ""), file=sys.stderr)
    spent = sum(one.cpu_seconds for one in found)
    print(f"{len(outcomes)} agents, {spent:,.0f} s of processor time in all, {time.monotonic() - began:,.0f} s this time", file=sys.stderr)


def _shown() -> Callable[[float, str], None]:
    """Tells how far it is: over and over on one line of a terminal, a line for each step in a log."""
    last = ""

    def show(share: float, note: str) -> None:
        nonlocal last
        if sys.stderr.isatty():
            print(f"\r\x1b[K{share:4.0%}  {plain(note)}", end="" if share < 1 else "\n", file=own(sys.stderr), flush=True)
        elif note != last:
            print(f"{datetime.now(UTC):%H:%M:%S}  {share:4.0%}  {note}", file=sys.stderr, flush=True)
        last = note

    return show
