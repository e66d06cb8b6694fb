"""`lab data verify`, `lab data repair` and the report of one ticker: looking after the cached bars."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.tables import print_json, print_table, progress_bar
from lab.settings import Settings

if TYPE_CHECKING:
    from lab.agents.cache_care import CacheCare
    from lab.agents.data_views import VerifyReport

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def verify_command(as_json: Json = False) -> None:
    """Read every cached file again and compare its checksum. Exit status 1 where one is damaged."""
    with _care() as care:
        report = care.verify(progress_bar)
    _print(report, as_json)
    raise typer.Exit(1 if report.damaged or report.notes else 0)


def repair_command(
    fetch: Annotated[bool, typer.Option(help="Fetch what came from Polygon again; needs its key.")] = True, as_json: Json = False
) -> None:
    """Set damaged files aside, make a damaged list of bars anew, and get lost bars back where they came from Polygon."""
    with _care() as care:
        report = care.repair(progress_bar)
    _print(report, as_json)
    if report.refetch and fetch:
        from lab.cli.fetching import update_command

        print("Fetching what was lost from Polygon…", file=sys.stderr)
        update_command(as_json=as_json)
    elif report.damaged:
        raise typer.Exit(1)


def print_ticker(care: CacheCare, ticker: str, as_json: bool) -> None:
    """What is cached of one ticker: timeframes, sessions, and the quality report."""
    ticker = ticker if care.timeframes(ticker) else ticker.upper()
    names = care.timeframes(ticker)
    native = [name for name, cached in names.items() if cached]
    if not native:
        care.quality(ticker, "1d")
    reports = [care.quality(ticker, name) for name in native]
    if as_json:
        print_json({"timeframes": names, "reports": reports, "coverage": [care.coverage_days(ticker, name) for name in native]})
        return
    rows = []
    for report in reports:
        days = care.coverage_days(ticker, report.timeframe)
        states = Counter(one.state.value for one in days.sessions)
        counts = [f"{states[state]:,}" for state in ("complete", "partial", "missing")]
        span = f"{report.first_at:%Y-%m-%d}", f"{report.last_at:%Y-%m-%d}"
        rows.append((report.timeframe, f"{report.rows:,}", *span, *counts, str(days.half_days), report.source))
    print_table(("Timeframe", "Bars", "From", "To", "Complete", "Partial", "Missing", "Half days", "Source"), rows)
    made = [name for name, cached in names.items() if not cached]
    if made:
        print(f"Made on reading: {', '.join(made)}")
    for report in reports:
        print(f"\n{ticker} {report.timeframe}{', SYNTHETIC' if report.synthetic else ''}")
        for session, ratio in report.splits:
            print(f"  adjusted for the {ratio} split of {session}")
        for line in report.lines:
            print(f"  {line.kind}: {line.sentence}")
        if report.damaged_years:
            years = ", ".join(str(year) for year in report.damaged_years)
            print(f"  damaged and set aside: {years}. Run `lab data repair`.")
        if not (report.lines or report.damaged_years):
            print("  nothing was found wrong")


def register(data: typer.Typer) -> None:
    """Put the commands among those of `lab data`."""
    data.command("verify", epilog="Example: lab data verify")(verify_command)
    data.command("repair", epilog="Example: lab data repair")(repair_command)


@contextmanager
def _care() -> Iterator[CacheCare]:
    from lab.agents.service import Lab

    lab = Lab(Settings().home)
    try:
        yield lab.cache
    finally:
        lab.close()


def _print(report: VerifyReport, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    for note in report.notes:
        print(note)
    for row in report.damaged:
        print(f"{row.sentence} {row.advice}")
    whole = report.files - len(report.damaged)
    print(f"{report.files:,} files: {whole:,} whole, {len(report.damaged):,} damaged.")
