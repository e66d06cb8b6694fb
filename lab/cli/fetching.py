"""The commands that fetch from Polygon: bars, news and the rest, brought up to date, paused and resumed; and what it can look up."""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from lab.agents.keys import FILE, VARIABLE, polygon_key, save_polygon_key
from lab.cli.plain import own, plain
from lab.cli.tables import UNKNOWN, percent, print_json, print_table
from lab.errors import LabError
from lab.settings import Settings

if TYPE_CHECKING:
    from lab.agents.data_views import FetchView
    from lab.agents.service import Lab
    from lab.work.fetcher import Keeper

POLL_SECONDS = 0.25


class Plan(StrEnum):
    """The vendor's plans, which differ in the calls a minute they allow."""

    FREE = "free"
    STARTER = "starter"
    DEVELOPER = "developer"
    ADVANCED = "advanced"


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PlanOption = Annotated[
    Plan | None,
    typer.Option(help="Of your key: free has 5 calls a minute, the others no limit. LAB_POLYGON_CALLS_PER_MINUTE where left out."),
]
Id = Annotated[int, typer.Argument(help="The fetch's id, as `lab data fetches` lists it.")]
SaveKey = Annotated[bool, typer.Option("--save-key", help="Keep the key that was typed, readable by you alone.")]


def fetch_command(
    tickers: Annotated[list[str], typer.Argument(help="Stocks or funds, as Polygon writes them.")],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The first session.")],
    last: Annotated[
        datetime | None,
        typer.Option(
            "--to", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The last session; the last finished one where it is left out."
        ),
    ] = None,
    timeframe: Annotated[str, typer.Option(help="1m, 5m, 15m, 30m, 1h or 1d.")] = "1m",
    name: Annotated[str | None, typer.Option(help="The universe's name; made from tickers and span where it is left out.")] = None,
    news: Annotated[bool, typer.Option("--news", help="Their news of the same span as well.")] = False,
    dividends: Annotated[bool, typer.Option("--dividends", help="Their dividends as well.")] = False,
    vix: Annotated[bool, typer.Option("--vix", help="The daily VIX as well, where the plan includes indices.")] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Fetch what is cached, too, and put it in its place.")] = False,
    plan: PlanOption = None,
    save_key: SaveKey = False,
    as_json: Json = False,
) -> None:
    """Fetch bars from Polygon and make a universe of them. What is cached already is not fetched again.

    The key comes from POLYGON_API_KEY, from the key kept earlier, or is asked for. A fetch that is broken off, by ctrl-c, a dropped
    line or a crash, goes on where it was: with the same command, or with `lab data resume`.
    """
    words = [ticker for word in tickers for ticker in word.split(",")]
    until = last.date() if last else datetime.now(UTC).date()

    def start(lab: Lab) -> int:
        return lab.fetches.start(
            words,
            timeframe,
            first.date(),
            until,
            news=news,
            dividends=dividends,
            vix=vix,
            universe=name,
            calls_per_minute=_calls(plan),
            anew=anew,
        )

    _fetch(start, save_key, as_json)


def update_command(
    dividends: Annotated[bool, typer.Option("--dividends", help="Their dividends as well.")] = False,
    plan: PlanOption = None,
    save_key: SaveKey = False,
    as_json: Json = False,
) -> None:
    """Bring up to date all that came from Polygon: bars, splits, news and the VIX."""
    _fetch(lambda lab: lab.fetches.update(calls_per_minute=_calls(plan), dividends=dividends), save_key, as_json)


def resume_command(fetch: Id, plan: PlanOption = None, save_key: SaveKey = False, as_json: Json = False) -> None:
    """Let a paused, failed or interrupted fetch go on where it was."""

    def resume(lab: Lab) -> int:
        lab.fetches.resume(fetch, calls_per_minute=_calls(plan) if plan is not None else None)
        return fetch

    _fetch(resume, save_key, as_json)


def fetches_command(as_json: Json = False) -> None:
    """List the fetches, newest first."""
    with _lab() as lab:
        views = lab.fetches.all()
        if as_json:
            print_json(views)
        elif not views:
            print("No fetches yet. Make one: lab data fetch AAPL --from 2024-01-01")
        else:
            print_table(
                ("Id", "Fetch", "State", "Done", "Bars", "Bars/s", "Left", ""),
                [
                    (
                        str(view.id),
                        view.title,
                        _state(view),
                        percent(view.progress, 0),
                        f"{view.bars:,}",
                        UNKNOWN if view.bars_per_second is None else f"{view.bars_per_second:,.0f}",
                        UNKNOWN if view.seconds_left is None else _length(view.seconds_left),
                        view.sentence or view.note,
                    )
                    for view in views
                ],
            )


def pause_command(fetch: Id) -> None:
    """Stop a fetch under way; what has come is kept."""
    with _lab() as lab:
        lab.fetches.pause(fetch)
    print(f"Paused: lab data resume {fetch} goes on.")


def cancel_command(fetch: Id) -> None:
    """End a fetch for good. Tickers that are complete stay in the cache."""
    with _lab() as lab:
        lab.fetches.cancel(fetch)
    print("Cancelled. Tickers that are complete stay in the cache.")


def tickers_command(
    words: Annotated[list[str], typer.Argument(metavar="WORD...", help="A part of the symbol or of the company's name.")],
    plan: PlanOption = None,
    as_json: Json = False,
) -> None:
    """Look up tickers at Polygon by symbol or company name."""
    from lab.agents.polygon_lookup import keep_names, look_up

    with _lab() as lab:
        found = look_up(lab.workspace, _key()[0], Settings().polygon_url, _calls(plan), " ".join(words))
        keep_names(lab.store, found)
    if as_json:
        print_json(found)
        return
    print_table(("Ticker", "Name", "Kind", "Exchange"), [(one.ticker, one.name, one.kind, one.exchange) for one in found])
    if not found:
        print("Polygon lists no stock or fund with these words.")


def names_command(plan: PlanOption = None) -> None:
    """Ask Polygon what the companies behind your universes' tickers are called, so that no model in blind mode reads their names."""
    from lab.agents.polygon_lookup import name_tickers

    with _lab() as lab:
        found, unlisted = name_tickers(lab.workspace, lab.store, _key()[0], Settings().polygon_url, _calls(plan))
    print(f"{found} names kept." + (f" Polygon does not list {', '.join(unlisted)}." if unlisted else ""))


def market_command(plan: PlanOption = None, as_json: Json = False) -> None:
    """Say whether the market is open, as Polygon has it."""
    from lab.agents.polygon_lookup import market_now

    with _lab() as lab:
        status = market_now(lab.workspace, _key()[0], Settings().polygon_url, _calls(plan))
    if as_json:
        print_json(status)
        return
    print(f"The market: {status.market} ({status.at:%Y-%m-%d %H:%M} UTC)")
    for name, state in status.exchanges:
        print(f"  {name}: {state}")


def register(data: typer.Typer) -> None:
    """Put the commands among those of `lab data`."""
    data.command("fetch", epilog="Example: lab data fetch AAPL MSFT --timeframe 1m --from 2024-01-01 --news")(fetch_command)
    data.command("update", epilog="Example: lab data update")(update_command)
    data.command("fetches", epilog="Example: lab data fetches")(fetches_command)
    data.command("resume", epilog="Example: lab data resume 3")(resume_command)
    data.command("pause", epilog="Example: lab data pause 3")(pause_command)
    data.command("cancel", epilog="Example: lab data cancel 3")(cancel_command)
    data.command("tickers", epilog="Example: lab data tickers apple")(tickers_command)
    data.command("names", epilog="Example: lab data names")(names_command)
    data.command("market", epilog="Example: lab data market")(market_command)


def _fetch(start: Callable[[Lab], int], save_key: bool, as_json: bool) -> None:
    """Start a fetch, see that it is done, follow it to its end and say what came of it."""
    from lab.work.fetcher import Keeper

    settings = Settings()
    with _lab() as lab:
        key, typed = _key()
        fetch_id = start(lab)
        view = _follow(lab, fetch_id, Keeper(lab.workspace.home, key))
        if typed and save_key and view.state == "finished":
            save_polygon_key(settings.config / FILE, key)
        if as_json:
            print_json(view)
        elif view.state == "finished":
            _print_outcome(lab, view)
    if view.state == "failed":
        raise LabError(f"{view.sentence} What has come is kept: lab data resume {fetch_id} goes on.")
    if view.state != "finished":
        raise LabError(f"Fetch {fetch_id} was {view.state}.")


def _follow(lab: Lab, fetch_id: int, keeper: Keeper) -> FetchView:
    """Watch a fetch until it ends or is stopped; ctrl-c pauses it. A line that drops leaves it running."""
    try:
        while True:
            view = lab.fetches.get(fetch_id)
            _show(view)
            if view.state not in ("queued", "running"):
                return view
            keeper.look(view.interrupted)
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        lab.fetches.pause(fetch_id)
        print(f"\nlab: paused; what has come is kept, and lab data resume {fetch_id} goes on.", file=sys.stderr)
        raise typer.Exit(130) from None
    finally:
        _show(None)


def _print_outcome(lab: Lab, view: FetchView) -> None:
    tickers = f"{len(view.tickers)} ticker{'' if len(view.tickers) == 1 else 's'}"
    print(f"Fetched {view.bars:,} bars of {tickers}{f' ({view.timeframe})' if view.timeframe else ''} with {view.calls:,} calls.")
    if view.sentence:
        print(view.sentence)
    for part in view.parts:
        if part.kind == "news" and part.rows:
            print(f"  {part.ticker}: {part.rows:,} articles that were not known")
    for problem in view.problems:
        print(f"  {problem}")


@contextmanager
def _lab() -> Iterator[Lab]:
    from lab.agents.service import Lab

    lab = Lab(Settings().home)
    try:
        yield lab
    finally:
        lab.close()


def _key() -> tuple[SecretStr, bool]:
    """The person's key, and whether it was typed."""
    key = polygon_key(Settings().config / FILE)
    if key is not None:
        return key, False
    if not sys.stdin.isatty():
        raise LabError(f"There is no Polygon key: set {VARIABLE}, or run this in a terminal, which asks for it.")
    return SecretStr(getpass.getpass("Polygon key (not shown): ")), True


def _calls(plan: Plan | None) -> int:
    from lab.agents.fetching import PLANS

    return Settings().polygon_calls_per_minute if plan is None else PLANS[plan]


def _show(view: FetchView | None) -> None:
    """One line of progress, drawn over itself; nothing where stderr is not a terminal. None ends it."""
    if not sys.stderr.isatty():
        return
    line = "" if view is None else progress_line(view)
    print(f"\r\x1b[K{plain(line)[:110]}", end="", file=own(sys.stderr), flush=True)


def progress_line(view: FetchView) -> str:
    """Share, bars, rate, time left, and what is being done."""
    rate = "" if view.bars_per_second is None else f", {view.bars_per_second:,.0f}/s"
    left = "" if view.seconds_left is None else f", {_length(view.seconds_left)} left"
    return f"{view.progress:4.0%}  {view.bars:,} bars{rate}{left}  {view.note or view.state}"


def _state(view: FetchView) -> str:
    return "interrupted" if view.interrupted else str(view.state)


def _length(seconds: float) -> str:
    minutes, hours = seconds / 60, seconds / 3600
    return f"{seconds:.0f} s" if seconds < 100 else f"{minutes:.0f} min" if minutes < 100 else f"{hours:.1f} h"
