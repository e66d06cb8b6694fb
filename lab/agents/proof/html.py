"""A tear sheet as one self-contained HTML file: nothing is loaded from anywhere, no script runs, every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from lab.agents.proof.figures import basis_points, dollars, every_figure, figure_aside, figure_value, number, percent, spread
from lab.agents.proof.sheet import TearSheet
from lab.agents.proof.svg import Line, heat_table, histogram, line_chart, pair_chart
from lab.agents.proof.views import Plateau
from lab.agents.views import AgainstParent, Interval, ResultSummary

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
h1{margin-bottom:0}h2{margin-top:2.2rem;border-bottom:1px solid #ccc}small,.muted{color:#555}
table{border-collapse:collapse;margin:.6rem 0}td,th{padding:.15rem .7rem .15rem 0;text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}pre{background:#f5f5f2;padding:.7rem;overflow:auto}
svg{max-width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:#555}.grid{stroke:#eee}.rule{stroke:#999;stroke-dasharray:2 2}
figure{margin:1rem 0}figcaption{font-weight:600}figcaption span{font-weight:400;margin-left:1rem;color:#555}
.verdict{border-left:5px solid #1f5fa8;padding:.4rem 1rem;background:#f3f6fa}.synthetic{background:#fff3cd;padding:.4rem 1rem}
.heat td,.heat th{padding:.25rem .6rem;text-align:right}.heat td.own{outline:2px solid #1b1b1b}
@media print{body{margin:0}}
"""


def tear_sheet_html(sheet: TearSheet) -> str:
    """The whole page."""
    view = sheet.view
    title = f"{view.row.agent}, iteration {view.row.number}, version {view.row.version or '-'}"
    body = [f"<h1>{escape(title)}</h1>", _where(sheet), _verdict(sheet)]
    if view.result is not None:
        body += [_tried(sheet), _figures(view.result), _parent(view.against_parent), _charts(sheet, view.result)]
    body += [_walk_forward(sheet), _robustness(sheet), _null_arm(sheet), _vault(sheet), _breakdowns(sheet), _scripts(sheet)]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _where(sheet: TearSheet) -> str:
    universe, result = sheet.view.universe, sheet.view.result
    label = '<p class="synthetic"><b>SYNTHETIC DATA:</b> none of these prices was ever traded.</p>' if universe.synthetic else ""
    costs = "" if result is None else f" Costs: {escape(result.costs)}."
    return (
        f"{label}<p class=muted>{escape(universe.name)}: {len(universe.tickers)} tickers, {escape(universe.timeframe)} bars; learning span "
        f"{universe.first_session} to {universe.learning_until}.{costs}</p>"
    )


def _verdict(sheet: TearSheet) -> str:
    verdict = sheet.verdict
    if verdict is None:
        return "<p>Not measured yet.</p>"
    return f'<p class="verdict"><b>{escape(verdict.word)}</b><br>{escape(verdict.reason)}</p>'


def _figures(result: ResultSummary) -> str:
    rows = [(figure.name, figure_value(figure), figure_aside(figure)) for figure in every_figure(result)]
    skipped = ", ".join(f"{reason} {count:,}" for reason, count in result.funnel.items() if count and reason not in ("signals", "trades"))
    table = _table(("", "value", "95% interval"), rows)
    return f"<h2>Result on the learning span</h2>{table}<p class=muted>Skipped: {escape(skipped or 'none')}.</p>"


def _parent(against: AgainstParent | None) -> str:
    """The paired test, the one thing that says whether a version is better."""
    if against is None:
        return ""
    interval, name = against.daily_difference_interval, escape(against.parent_version)
    sure = "" if interval is None else f", 95% interval {basis_points(interval.low)} to {basis_points(interval.high)}"
    where = f"on the same {against.sessions} sessions"
    if (whole := against.chosen_too) is not None:
        where = f"on the {against.sessions} sessions it was not chosen on; on all {whole.sessions}, chosen there too: "
        where += basis_points(whole.daily)
    rows = [
        ("win rate", percent(against.win_rate[0]), percent(against.win_rate[1])),
        ("Sharpe ratio", number(against.sharpe[0]), number(against.sharpe[1])),
    ]
    return (
        f"<h2>Against version {name}</h2><p><b>{escape(against.verdict)}</b>: {basis_points(against.daily_difference)} basis points a day"
        f"{sure}, {where}.</p><p class=muted>On all sessions:</p>{_table(('', against.parent_version, 'this version'), rows)}"
    )


def _charts(sheet: TearSheet, result: ResultSummary) -> str:
    lines = [Line("this version", result.equity), *(Line(name, curve) for name, curve in sheet.benchmarks.items())]
    months = _table(("month", "return"), [(month, percent(value, 2)) for month, value in sheet.monthly])
    return "".join(
        (
            line_chart(lines, "Equity after costs, in dollars", zero=result.starting_equity),
            line_chart([Line("below the last peak", sheet.drawdown)], "Drawdown", percent=True, zero=0.0),
            histogram(sheet.r_multiples, "Result of the trades, in R"),
            f"<h2>Months</h2>{months}",
        )
    )


def _tried(sheet: TearSheet) -> str:
    rows = [(purpose, f"{count:,}") for purpose, count in sheet.trials.items()]
    return (
        "<h2>What was tried, and how often, up to now</h2>"
        f"<p>{sheet.tried_in_all:,} variants were tried on bars that overlap with these, by all agents and by hand, worth "
        f"{number(sheet.effective_trials, 1)} independent ones. As the best of the {sheet.tried_in_all:,} up to now this result has a "
        f"deflated Sharpe ratio of {percent(sheet.deflated)}: the probability that its true Sharpe ratio is above zero. "
        f"Of this agent the ledger holds:</p>{_table(('for', 'trials'), rows)}"
    )


def _walk_forward(sheet: TearSheet) -> str:
    report = sheet.walk_forward
    if report is None:
        return "<h2>Walk-forward</h2><p class=muted>Not studied.</p>"
    parts = [
        f"<h2>Walk-forward</h2><p>{report.variants} variants of {escape(', '.join(report.parameters) or 'nothing')}, {report.ideas} "
        f"different ideas; purged and embargoed by {report.holding_sessions} nights. Probability of backtest overfitting "
        f"{percent(report.overfitting, 0)}; SPA test p = {number(report.superior_p, 3)}. {escape(report.shortfall)}</p>"
    ]
    curves = [Line(scheme.scheme, scheme.curve) for scheme in report.schemes]
    parts.append(line_chart(curves, "A dollar, out of sample", zero=1.0))
    for scheme in report.schemes:
        pairs = [(str(fold.number), fold.chosen_sharpe, fold.judged_sharpe) for fold in scheme.folds]
        parts.append(pair_chart(pairs, ("in-sample", "out-of-sample"), f"Sharpe ratio by fold, {scheme.scheme}"))
        rows = [
            (
                str(fold.number),
                f"{fold.chosen_first} to {fold.chosen_last}",
                number(fold.chosen_sharpe),
                f"{fold.judged_first} to {fold.judged_last}",
                number(fold.judged_sharpe),
                percent(fold.judged_return),
                str(fold.judged_trades),
            )
            for fold in scheme.folds
        ]
        whole = ("all", "", number(scheme.chosen_sharpe), "", number(scheme.judged_sharpe), percent(scheme.judged_return), "")
        parts.append(_table(("fold", "chosen on", "Sharpe", "judged on", "Sharpe", "return", "trades"), [*rows, whole]))
        parts.append(
            f"<p>Out-of-sample Sharpe ratio, all folds: {number(scheme.judged_sharpe)} {spread(scheme.judged_interval, False)}.</p>"
        )
    return "".join(parts)


def _robustness(sheet: TearSheet) -> str:
    report = sheet.robustness
    if report is None:
        return "<h2>Robustness</h2><p class=muted>Not studied.</p>"
    rows = [
        (f"{row.name} {row.detail}", f"{row.trades:,}", number(row.sharpe), percent(row.total_return), "yes" if row.holds else "no")
        for row in report.rows
    ]
    edge = (
        f"<p>The edge dies at {report.break_even_costs:.1f} times the costs.</p>"
        if report.break_even_costs is not None
        else "<p>Between no costs and three times the costs the result does not change its sign.</p>"
    )
    return f"<h2>Robustness</h2>{_table(('changed', 'trades', 'Sharpe', 'return', 'still earns'), rows)}{edge}{_plateau(report.plateau)}"


def _plateau(plateau: Plateau | None) -> str:
    if plateau is None:
        return "<p class=muted>The scripts have no parameter to vary.</p>"
    two = len(plateau.parameters) > 1
    rows = sorted({point.values[0] for point in plateau.points})
    columns = sorted({point.values[1] for point in plateau.points}) if two else [0.0]
    by = {point.values: point.sharpe for point in plateau.points}
    cells = [[by.get((row, column) if two else (row,)) for column in columns] for row in rows]
    own = rows.index(plateau.own[0]), columns.index(plateau.own[1]) if two else 0
    corner = f"{plateau.parameters[0]} ↓ {plateau.parameters[1]} →" if two else plateau.parameters[0]
    names = [f"{column:g}" for column in columns] if two else ["Sharpe"]
    kept = "" if plateau.neighbours is None else f"<p>One step away {plateau.neighbours:.0%} of the Sharpe ratio is left (median).</p>"
    heat = heat_table([f"{row:g}" for row in rows], names, cells, corner, own)
    return f"<h3>Sharpe ratio around the chosen values</h3>{heat}{kept}"


def _null_arm(sheet: TearSheet) -> str:
    report = sheet.null_arm
    if report is None:
        return "<h2>Null arm</h2><p class=muted>Not studied.</p>"
    rows = [
        ("this agent's version", number(report.own_sharpe)),
        (f"best of {report.random_measured} random variants (of {report.budget}, those with 30 trades)", number(report.random_best)),
        ("their median", number(report.random_median)),
        (f"best of {report.shuffled_runs} runs of the loop on shuffled bars", number(report.shuffled_best)),
        ("better than the best random variant by", number(report.beats_random_by)),
        ("better than the best on shuffled bars by", number(report.beats_shuffled_by)),
    ]
    return f"<h2>Null arm: what luck reaches at the same budget</h2>{_table(('', 'Sharpe'), rows)}"


def _vault(sheet: TearSheet) -> str:
    state, report = sheet.vault_state, sheet.vault
    times = "once" if state.openings == 1 else f"{state.openings} times"
    head = f"<h2>Vault</h2><p>Sessions after {state.learning_until}; opened {times if state.openings else 'never'}."
    if report is None:
        return f"{head} Not opened for this version.</p>"
    rows = [
        ("sessions", f"{report.sessions}", ""),
        ("trades", f"{report.trades:,}", ""),
        ("win rate", percent(report.win_rate), spread(report.win_rate_interval, True)),
        ("Sharpe ratio", number(report.sharpe), spread(report.sharpe_interval, False)),
        ("probability that the true one is above zero", percent(report.probability), ""),
        ("total return", percent(report.total_return), ""),
        ("deepest drawdown", percent(report.max_drawdown), ""),
        *((f"beside it: {name}", percent(value), "") for name, value in report.benchmarks.items()),
    ]
    return f"{head}</p>{_table(('', 'value', '95% interval'), rows)}"


def _breakdowns(sheet: TearSheet) -> str:
    parts = ["<h2>Breakdowns</h2>"] if sheet.breakdowns else []
    for breakdown in sheet.breakdowns:
        rows = [
            (
                part.name,
                f"{part.trades:,}",
                percent(part.win_rate),
                spread(Interval(*part.win_rate_interval), True),
                f"{part.mean_r:+.2f}",
                dollars(part.pnl),
                number(part.profit_factor),
            )
            for part in breakdown.parts
        ]
        parts.append(_table((breakdown.by, "trades", "win rate", "95% interval", "mean R", "profit", "profit factor"), rows))
    return "".join(parts)


def _scripts(sheet: TearSheet) -> str:
    view = sheet.view
    return f"<h2>Scripts</h2><pre># scan\n{escape(view.scan_script)}</pre><pre># execution\n{escape(view.execution_script)}</pre>"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(row: Sequence[str]) -> str:
        return "".join(f"<td{' class=n' if index else ''}>{escape(cell)}</td>" for index, cell in enumerate(row))

    head = "".join(f"<th>{escape(name)}</th>" for name in headings)
    body = "".join(f"<tr>{line(row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
