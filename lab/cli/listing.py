"""The commands that show what a workspace holds, and those that fill it with bars."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import replace as with_changes
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lab.agents.errors import NotThere
from lab.agents.proof.figures import BESIDE, every_figure, figure_aside, figure_value
from lab.agents.views import FillRow, ImportPreview, NamedFigure, TradeRow
from lab.cli.run import without_equity
from lab.cli.tables import interval, number, percent, print_json, print_table, progress_bar, say
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.agents.service import Lab
    from lab.agents.views import ResultSummary


def agents(lab: Lab, as_json: bool) -> None:
    rows = lab.agents()
    if as_json:
        print_json([without_equity(row) for row in rows])
        return
    if not rows:
        print('No agents yet. Make one: lab run "a conservative VWAP scalper for tech stocks"')
        return
    print_table(
        ("Agent", "Style", "Universe", "Iterations", "Version", "Win rate", "Sharpe", "Verdict", "Waiting"),
        [
            (
                row.name,
                f"{row.personality.risk} {row.personality.style}",
                row.universe + (" (synthetic)" if row.synthetic else ""),
                str(row.iterations),
                row.current_version or "-",
                percent(row.result.win_rate if row.result else None),
                number(row.result.sharpe if row.result else None),
                row.result.verdict if row.result else "-",
                "1 proposal" if row.pending_approvals else "",
            )
            for row in rows
        ],
    )


def iterations(lab: Lab, name: str, as_json: bool) -> None:
    rows = lab.iterations(lab.agent_named(name).id)
    if as_json:
        print_json(rows)
        return
    if not rows:
        print(f'No iterations yet. Run one: lab run --agent "{name}"')
        return
    print_table(
        ("Id", "Number", "Version", "Status", "Signals", "Trades", "Win rate", "Sharpe", "Return", "Verdict"),
        [
            (
                str(row.id),
                str(row.number),
                row.version or "-",
                row.status,
                "-" if row.signals is None else str(row.signals),
                "-" if row.trades is None else str(row.trades),
                percent(row.win_rate),
                number(row.sharpe),
                percent(row.total_return, 2, True),
                row.verdict or row.failure or "-",
            )
            for row in rows
        ],
    )


def show(lab: Lab, iteration_id: int, as_json: bool) -> None:
    view = lab.iteration(iteration_id)
    if as_json:
        print_json(view)
        return
    row, result = view.row, view.result
    label = "  SYNTHETIC DATA" if view.universe.synthetic else ""
    print(f"{row.agent}, iteration {row.number} (version {row.version or '-'}): {row.status}{label}")
    if view.explanation:
        print(view.explanation)
    if result is not None:
        print()
        print_result(result)
    for sentence in view.universe.missing_context:
        print(f"Not known here: {sentence}")
    if view.analysis:
        print(f"\n{view.analysis}")
        cited = [row for row in view.evidence if f"[{row.id}]" in view.analysis]
        print("\nEvidence")
        for evidence in cited:
            print(f"  {evidence.id:<5} {evidence.label}: {evidence.figure}")
    print(f"\n# scan\n{view.scan_script}\n\n# execution\n{view.execution_script}")
    if view.proposal is not None:
        effect = view.proposal.effect
        print(f"\nProposal ({view.proposal.state}): {view.proposal.title}")
        for change in view.proposal.changes:
            print(f"  {change}")
        whose = "before your edits: " if view.proposal.state == "edited" else ""
        print(
            f"  {whose}{effect.verdict} on {effect.confirmed_sessions} sessions it was not chosen on: Sharpe {number(effect.sharpe[0])} -> "
            f"{number(effect.sharpe[1])}, trades {effect.trades[0]:,} -> {effect.trades[1]:,}; {effect.trials} variants tried on these bars"
        )


def fills(lab: Lab, iteration_id: int, as_csv: bool) -> None:
    rows = lab.fills(iteration_id)
    if as_csv:
        _print_csv(FillRow, rows)
        return
    if not rows:
        print("No fills: the backtest made no trade, has not finished, or is older than the table of fills.")
        return
    print_table(
        ("Trade", "Ticker", "Side", "At (UTC)", "Price", "Shares", "Costs", "Reason"),
        [
            (
                str(row.trade),
                row.ticker,
                row.direction,
                f"{row.at:%Y-%m-%d %H:%M}",
                f"{row.price:.2f}",
                f"{row.shares:g}",
                f"{row.costs:,.2f}",
                row.reason,
            )
            for row in rows
        ],
    )


def _print_csv(kind: type[FillRow | TradeRow], rows: Sequence[FillRow | TradeRow]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(kind.__dataclass_fields__)
    for row in rows:
        values = (getattr(row, name) for name in kind.__dataclass_fields__)
        writer.writerow(value.isoformat() if isinstance(value, datetime) else value for value in values)


def trades(lab: Lab, iteration_id: int, as_csv: bool) -> None:
    rows = lab.trades(iteration_id)
    if as_csv:
        _print_csv(TradeRow, rows)
        return
    if not rows:
        print("No trades: the backtest made none, or has not finished.")
        return
    print_table(
        ("Ticker", "Side", "Entry (UTC)", "Exit (UTC)", "Entry", "Exit", "Shares", "P&L", "R", "Bars", "Exit by"),
        [
            (
                row.ticker,
                row.direction,
                f"{row.entry_at:%Y-%m-%d %H:%M}",
                f"{row.exit_at:%Y-%m-%d %H:%M}",
                f"{row.entry_price:.2f}",
                f"{row.exit_price:.2f}",
                f"{row.shares:g}",
                f"{row.pnl:,.2f}",
                f"{row.r_multiple:.2f}",
                str(row.bars_held),
                row.exit_reason,
            )
            for row in rows
        ],
    )


def replay(lab: Lab, iteration_id: int) -> int:
    outcome = lab.replay(iteration_id)
    for sentence in outcome.changed:
        print(sentence)
    if outcome.same:
        print(f"The same to the bit: every trade, skip and equity point ({outcome.fingerprint[:16]}).")
        return 0
    print(f"Not the same: {outcome.fingerprint[:16]} now, {outcome.stored_fingerprint[:16]} then.")
    return 1


_LINE_OF_ITS_OWN = ("signals", "trades", "win rate", "Sharpe ratio", "total return", "median risk of a trade", "costs paid")


def print_result(result: ResultSummary) -> None:
    """A measured result, every figure with its uncertainty, costs and benchmarks beside it."""
    days = [day for day, _ in result.equity]
    span = f", {days[0]} to {days[-1]}" if days else ""
    print(f"Signals {result.signals:,}, trades {result.trades:,} on {len(days):,} sessions{span}")
    print(f"Win rate {percent(result.win_rate)} {interval(result.win_rate_interval, True)}")
    print(f"Sharpe {number(result.sharpe)} {interval(result.sharpe_interval)}")
    print(f"Return {percent(result.total_return, 2, True)}, maximum drawdown {percent(result.max_drawdown)}")
    for name, value in result.benchmarks.items():
        print(f"Beside it: {name} {percent(value, 2, True)}")
    if result.median_risk is not None:
        print(f"Risk taken: {percent(result.median_risk, 2)} of the starting equity by the median trade")
    further = (figure for figure in every_figure(result) if figure.value is not None and figure.name not in _LINE_OF_ITS_OWN)
    print("; ".join(figure_in_words(figure) for figure in further if not figure.name.startswith(BESIDE)))
    print(f"Costs: {result.costs}; ${result.costs_paid:,.0f} paid")
    print(f"Verdict: {result.verdict}. {result.verdict_reason}")
    skipped = [f"{reason} {count:,}" for reason, count in result.funnel.items() if count and reason not in ("signals", "trades")]
    print(f"Skipped: {', '.join(skipped) or 'none'}")


def figure_in_words(figure: NamedFigure) -> str:
    """One metric with its unit and interval, such as "annual return 4.1% (-3.0% to 12.0%)"."""
    spread = figure_aside(figure)
    return f"{figure.name} {figure_value(figure)}{f' ({spread})' if spread else ''}"


def import_file(
    lab: Lab,
    file: Path,
    name: str | None,
    zone: str | None,
    timeframe: str | None,
    columns: list[str],
    tickers: str | None,
    look: bool,
    as_json: bool,
) -> None:
    chosen: dict[str, str] = {}
    for pair in columns:
        ours, equals, theirs = pair.partition("=")
        if not equals or not ours:
            raise LabError(f"--column {pair!r} must be OURS=THEIRS, such as --column close=Last, where THEIRS is a column of the file.")
        chosen[ours.strip()] = theirs
    preview = lab.preview_import(str(file), chosen, zone, timeframe)
    if tickers is not None:
        known = {ticker.upper(): ticker for ticker in preview.tickers}
        asked = [ticker.strip() for ticker in tickers.split(",") if ticker.strip()]
        if not asked:
            raise LabError("--tickers names no ticker; write them like --tickers AAPL,MSFT.")
        if missing := [ticker for ticker in asked if ticker not in preview.tickers and ticker.upper() not in known]:
            raise NotThere(f"{file.name} has no bars of {', '.join(missing)}. It has {', '.join(preview.tickers[:20])}.")
        wanted = dict.fromkeys(ticker if ticker in preview.tickers else known[ticker.upper()] for ticker in asked)
        preview = with_changes(preview, tickers=tuple(wanted))
    if look:
        if as_json:
            print_json(preview)
        else:
            _print_preview(preview)
        return
    report = lab.import_bars(preview, name or file.stem, progress_bar)
    if as_json:
        print_json(report)
        return
    made = f" as universe {report.universe!r}" if report.universe else ""
    print(f"Imported {report.rows:,} bars of {len(report.tickers)} tickers ({report.timeframe}){made}.")
    for assumption in report.assumptions:
        print(f"  {assumption}")
    for problem in report.problems:
        print(f"  {problem}")


def _print_preview(preview: ImportPreview) -> None:
    """How a file would be read, with what can be corrected and how."""
    print(f"{preview.rows:,} rows of {len(preview.tickers):,} tickers ({', '.join(preview.tickers[:12])}), {preview.timeframe} bars.")
    print_table(("Column", "of the file"), list(preview.columns.items()))
    for assumption in preview.assumptions:
        print(f"  {assumption}")
    print("First rows:")
    print_table(preview.file_columns, preview.sample)
    print("Nothing was written. Correct with --column OURS=THEIRS, --zone and --timeframe; leave --look out to import.")


def approvals(lab: Lab, as_json: bool) -> None:
    rows = lab.approvals()
    if as_json:
        print_json(rows)
        return
    up = lab.proof.waiting()
    if up:
        print_table(
            ("Up for graduation", "Version", "Passed"),
            [(each.agent, each.version, f"{sum(row.passed for row in each.rows)} of {len(each.rows)} rules") for each in up],
        )
    if not rows:
        if not up:
            print("Nothing waits for your decision.")
        return
    print_table(
        ("Id", "Agent", "Iteration", "Refines", "Change", "Measured", "Sharpe", "Trades"),
        [
            (
                str(row.id),
                row.agent,
                str(row.iteration_number),
                row.parent_version,
                row.title,
                f"{row.effect.verdict} on {row.effect.confirmed_sessions} unseen sessions",
                f"{number(row.effect.sharpe[0])} -> {number(row.effect.sharpe[1])}",
                f"{row.effect.trades[0]:,} -> {row.effect.trades[1]:,}",
            )
            for row in rows
        ],
    )


def apply(lab: Lab, proposal_id: int) -> None:
    print(f"Applied: version {lab.apply(proposal_id)} is current.")


def discard(lab: Lab, proposal_id: int, reason: str) -> None:
    lab.discard(proposal_id, reason)
    print("Discarded; it will not be proposed again unchanged.")


def data_status(lab: Lab, as_json: bool) -> None:
    universes, coverage = lab.state().universes, lab.coverage()
    if as_json:
        print_json({"universes": universes, "coverage": coverage})
        return
    if not universes and not coverage:
        print("No bars yet. Import a file: lab data import FILE, fetch them: lab data fetch AAPL, or make the demo market: lab data demo")
        return
    print_table(
        ("Universe", "Tickers", "Timeframe", "Learning span", "Vault until", "Source"),
        [
            (
                universe.name,
                str(len(universe.tickers)),
                universe.timeframe,
                f"{universe.first_session} to {universe.learning_until}",
                str(universe.last_session),
                f"SYNTHETIC ({universe.source})" if universe.synthetic else universe.source,
            )
            for universe in universes
        ],
    )
    print()
    print_table(
        ("Ticker", "Timeframe", "Bars", "From", "To", "Source", "Problems"),
        [
            (
                row.ticker,
                row.timeframe,
                f"{row.rows:,}",
                f"{row.first_at:%Y-%m-%d}",
                f"{row.last_at:%Y-%m-%d}",
                row.source,
                str(len(row.problems)) if row.problems else "none",
            )
            for row in coverage
        ],
    )


def make_demo_market(lab: Lab, seed: int | None, sessions: int | None, tickers: int | None, edges: str | None) -> None:
    from lab.agents.data import DemoChoice
    from lab.agents.data import make_demo_market as make

    universe = make(lab.workspace, lab.store, progress_bar, DemoChoice(seed, sessions, tickers, edges))
    say(
        f"Made {universe.name}: {len(universe.tickers)} tickers, {universe.first_session} to {universe.last_session}, SYNTHETIC "
        f"({universe.source})."
    )
