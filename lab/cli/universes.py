"""`lab universes`: named lists of tickers made, chosen by a rule, changed and looked at; `lab data news`: the headlines that are kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli.tables import print_json, print_table
from lab.errors import LabError
from lab.settings import Settings

if TYPE_CHECKING:
    from lab.agents.data_views import UniverseDetail, UniverseRule
    from lab.agents.service import Lab

app = typer.Typer(help="Named lists of tickers that agents trade.", no_args_is_help=True, rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="The universe's name.")]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="A rule sees only sessions before it; the universe begins there."
    ),
]
Timeframe = Annotated[str, typer.Option(help="1m, 5m, 15m, 30m, 1h or 1d.")]
MinPrice = Annotated[float | None, typer.Option(help="Rule: dollars of the last close, at least.")]
MaxPrice = Annotated[float | None, typer.Option(help="Rule: dollars of the last close, at most.")]
MinDollars = Annotated[float | None, typer.Option("--min-dollar-volume", help="Rule: dollars traded in a mean session, at least.")]
MinVolatility = Annotated[float | None, typer.Option(help="Rule: percent, standard deviation of the daily returns, at least.")]
MaxVolatility = Annotated[float | None, typer.Option(help="Rule: percent, standard deviation of the daily returns, at most.")]
Top = Annotated[int | None, typer.Option(min=1, help="Rule: only so many, the highest.")]
By = Annotated[str, typer.Option(help='Rule: what they are ranked by: "dollar volume", "volatility" or "price".')]
Sessions = Annotated[int, typer.Option(help="Rule: over how many sessions it looks.")]
Demo = Annotated[bool, typer.Option("--demo", help="Of the demo market's synthetic bars.")]


@app.command("list", epilog="Example: lab universes list")
def list_command(as_json: Json = False) -> None:
    """List the universes."""
    _with_lab(lambda lab: _list(lab, as_json))


@app.command("show", epilog='Example: lab universes show "Demo market"')
def show_command(name: Name, as_json: Json = False) -> None:
    """Show a universe: its tickers, spans, who trades it and what context it lacks."""
    _with_lab(lambda lab: _show(lab, name, as_json))


@app.command("make", epilog="Example: lab universes make liquid --top 50 --min-price 5 --as-of 2023-01-03 --timeframe 1d")
def make_command(
    name: Name,
    tickers: Annotated[list[str] | None, typer.Argument(help="Tickers, where they are named one by one.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file with the tickers, one a line or separated by commas.")] = None,
    timeframe: Timeframe = "1m",
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The first session.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The last session.")] = None,
    as_of: AsOf = None,
    min_price: MinPrice = None,
    max_price: MaxPrice = None,
    min_dollar_volume: MinDollars = None,
    min_volatility: MinVolatility = None,
    max_volatility: MaxVolatility = None,
    top: Top = None,
    by: By = "dollar volume",
    sessions: Sessions = 20,
    synthetic: Demo = False,
    as_json: Json = False,
) -> None:
    """Make a universe of cached tickers: named, read from a file, or chosen by a rule from what was known before a date."""

    def make(lab: Lab) -> None:
        rule = _rule(min_price, max_price, min_dollar_volume, min_volatility, max_volatility, top, by, sessions, as_of)
        made = lab.universes.make(
            name,
            timeframe,
            _tickers(tickers, file),
            rule=rule,
            as_of=_day(as_of),
            first=_day(first),
            last=_day(last),
            synthetic=synthetic,
        )
        _print(lab.universes.show(made.id), as_json)

    _with_lab(make)


@app.command("choose", epilog="Example: lab universes choose --top 20 --by volatility --as-of 2023-01-03 --timeframe 1d")
def choose_command(
    as_of: AsOf,
    timeframe: Timeframe = "1m",
    min_price: MinPrice = None,
    max_price: MaxPrice = None,
    min_dollar_volume: MinDollars = None,
    min_volatility: MinVolatility = None,
    max_volatility: MaxVolatility = None,
    top: Top = None,
    by: By = "dollar volume",
    sessions: Sessions = 20,
    synthetic: Demo = False,
    as_json: Json = False,
) -> None:
    """Show which tickers a rule would choose, and why, without making a universe."""

    def choose(lab: Lab) -> None:
        rule = _rule(min_price, max_price, min_dollar_volume, min_volatility, max_volatility, top, by, sessions, as_of)
        assert rule is not None
        day = _day(as_of)
        assert day is not None
        found = lab.universes.candidates(timeframe, day, rule, synthetic=synthetic)
        if as_json:
            print_json(found)
            return
        if not found:
            print(f"No ticker with {timeframe} bars before {day} meets the rule: {rule.words}.")
            return
        headings = ("Ticker", "Price", "Dollars a session", "Volatility %", "Sessions")
        rows = [
            (one.ticker, f"{one.price:.2f}", f"{one.dollar_volume:,.0f}", f"{one.volatility_percent:.2f}", str(one.sessions))
            for one in found
        ]
        print_table(headings, rows)

    _with_lab(choose)


@app.command("extend", epilog="Example: lab universes extend liquid")
def extend_command(name: Name) -> None:
    """Let a universe end where the bars of its tickers do: what is new joins its vault, and its learning span stays."""

    def extend(lab: Lab) -> None:
        view = lab.universes.named(name).view
        gained = lab.universes.extend(view.id)
        view = lab.universes.show(view.id).view
        print(f"{view.name} ends on {view.last_session}; its vault, after {view.learning_until}, has {gained} more sessions.")

    _with_lab(extend)


@app.command("edit", epilog="Example: lab universes edit liquid --add AAPL,MSFT --remove IBM")
def edit_command(
    name: Name,
    rename: Annotated[str | None, typer.Option(help="A new name.")] = None,
    add: Annotated[str, typer.Option(help="Tickers to add, separated by commas.")] = "",
    remove: Annotated[str, typer.Option(help="Tickers to take out, separated by commas.")] = "",
    file: Annotated[Path | None, typer.Option(help="A file with the tickers it shall hold instead.")] = None,
    as_json: Json = False,
) -> None:
    """Rename a universe or change its tickers; its spans stay."""

    def edit(lab: Lab) -> None:
        from lab.agents.data_views import tickers_in

        found = lab.universes.named(name).view
        tickers = _tickers(None, file) if file is not None else None
        lab.universes.edit(found.id, name=rename, tickers=tickers, add=tickers_in(add), remove=tickers_in(remove))
        _print(lab.universes.show(found.id), as_json)

    _with_lab(edit)


@app.command("delete", epilog="Example: lab universes delete liquid")
def delete_command(name: Name) -> None:
    """Forget a universe that no agent trades; its bars stay cached."""

    def delete(lab: Lab) -> None:
        found = lab.universes.named(name).view
        lab.universes.delete(found.id)
        print(f"Deleted the universe {found.name}; its bars stay.")

    _with_lab(delete)


def register(data: typer.Typer) -> None:
    """Add `lab data news`."""
    data.command("news", epilog="Example: lab data news AAPL --days 7")(news_command)


def news_command(
    ticker: Annotated[str, typer.Argument(help="The ticker.")],
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The last day; today's.")] = None,
    days: Annotated[int, typer.Option(min=1, max=36_500, help="How many days back.")] = 30,
    as_json: Json = False,
) -> None:
    """Show the headlines that are kept about a ticker, newest first; times are UTC."""

    def news(lab: Lab) -> None:
        # Headlines are foreign text: nothing of them may reach a terminal as a command.
        from lab.tui.text import clean

        end = until.replace(tzinfo=UTC) + timedelta(days=1) if until is not None else datetime.now(UTC)
        found = lab.news.about(ticker.upper(), end - timedelta(days=days), end)
        if as_json:
            print_json(found)
            return
        spans = [f"{one.since:%Y-%m-%d} to {one.until:%Y-%m-%d} ({clean(one.source)})" for one in lab.news.coverage(ticker.upper())]
        print(f"News of {ticker.upper()} is kept {', '.join(spans)}." if spans else f"No news of {ticker.upper()} is kept.")
        for one in found:
            publisher = clean(one.publisher) or clean(one.source)
            print(f"{one.published_at:%Y-%m-%d %H:%M}  {one.sentiment or '-':<8}  {clean(one.title)}  ({publisher})")

    _with_lab(news)


def _list(lab: Lab, as_json: bool) -> None:
    found = lab.universes.all()
    if as_json:
        print_json(found)
        return
    if not found:
        print("No universe yet. Import or fetch bars, or make the demo market: lab data demo")
        return
    print_table(
        ("Universe", "Tickers", "Timeframe", "Learning span", "Vault until", "Made by", "Agents", "Missing context"),
        [
            (
                one.view.name + ("  SYNTHETIC" if one.view.synthetic else ""),
                str(len(one.view.tickers)),
                one.view.timeframe,
                f"{one.view.first_session} to {one.view.learning_until}",
                str(one.view.last_session),
                one.made_by,
                str(len(one.agents)),
                str(len(one.view.missing_context)) if one.view.missing_context else "none",
            )
            for one in found
        ],
    )


def _show(lab: Lab, name: str, as_json: bool) -> None:
    found = lab.universes.named(name)
    lab.universes.missing_context(found.view.id)
    _print(lab.universes.show(found.view.id), as_json)


def _print(one: UniverseDetail, as_json: bool) -> None:
    if as_json:
        print_json(one)
        return
    view = one.view
    print(f"{view.name}: {len(view.tickers)} tickers, {view.timeframe}{', SYNTHETIC' if view.synthetic else ''}, {one.made_by}")
    print(f"Learning span {view.first_session} to {view.learning_until}; vault until {view.last_session}.")
    print(f"Traded by {', '.join(one.agents)}." if one.agents else "No agent trades it.")
    print(" ".join(view.tickers))
    for sentence in view.missing_context:
        print(f"  {sentence}")


def _rule(
    min_price: float | None,
    max_price: float | None,
    min_dollar_volume: float | None,
    min_volatility: float | None,
    max_volatility: float | None,
    top: int | None,
    by: str,
    sessions: int,
    as_of: datetime | None,
) -> UniverseRule | None:
    from lab.agents.data_views import UniverseRule

    bounds = (min_price, max_price, min_dollar_volume, min_volatility, max_volatility, top)
    if as_of is None and all(bound is None for bound in bounds):
        return None
    return UniverseRule(min_price, max_price, min_dollar_volume, min_volatility, max_volatility, top, by, sessions)


def _tickers(named: list[str] | None, file: Path | None) -> tuple[str, ...]:
    from lab.agents.data_views import tickers_in

    if file is None:
        return tickers_in(" ".join(named or ()))
    try:
        return tickers_in(file.expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise LabError(f"The list {file} can't be read: {reason}.") from None


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _with_lab(action: Callable[[Lab], Any]) -> None:
    from lab.agents.service import Lab

    lab = Lab(Settings().home)
    try:
        action(lab)
    finally:
        lab.close()
