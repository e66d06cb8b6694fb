"""The tear sheet: one file that needs nothing else, in which hostile names stay text, with every study that was made."""

from __future__ import annotations

from datetime import date, timedelta
from html.parser import HTMLParser

import pytest
from sqlmodel import select

from lab.agents.proof.figures import percent
from lab.agents.proof.html import tear_sheet_html
from lab.agents.proof.svg import Line, heat_table, histogram, line_chart, pair_chart
from lab.agents.proof.views import (
    FoldRow,
    NullArmReport,
    Plateau,
    PlateauPoint,
    RobustnessReport,
    SchemeRow,
    ShakenRow,
    WalkForwardReport,
)
from lab.agents.results import to_json
from lab.agents.service import Lab
from lab.agents.views import Interval
from lab.store.proof_models import ProofKind, ProofRun, ProofState

HOSTILE = '<script>alert("x")</script>&amp;'
DAY = date(2024, 8, 9)
VOID = {"meta", "br"}


class Page(HTMLParser):
    """Checks nesting and collects what a page would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.words = ""
        self.tags: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "action", "data") or name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def reports() -> dict[ProofKind, object]:
    fold = FoldRow(
        1, DAY, DAY + timedelta(days=30), DAY + timedelta(days=31), DAY + timedelta(days=60), 2.5, 0.4, 0.1, 0.01, 40, 20, (1.5,)
    )
    scheme = SchemeRow("anchored", (fold, fold), 2.5, 0.4, Interval(-0.5, 1.2), 0.02, ((DAY, 1.0), (DAY + timedelta(days=1), 1.02)))
    plateau = Plateau(("loud", "near"), (2.0, 0.1), tuple(PlateauPoint((a, b), 50, a + b) for a in (1.0, 2.0) for b in (0.1, 0.2)), 0.7)
    return {
        ProofKind.WALK_FORWARD: WalkForwardReport((scheme,), "", ("loud",), 33, 2, 0.37, 0.21, 5),
        ProofKind.ROBUSTNESS: RobustnessReport(90, 1.2, 0.1, (ShakenRow("costs", "x3", 90, -0.4, -0.02, False),), 2.4, plateau),
        ProofKind.NULL_ARM: NullArmReport(1.2, 20, 0.9, -0.5, 1.0, 15, 0.7, 0.1, 3),
    }


def test_the_page_is_whole_loads_nothing_and_runs_nothing(learned: Lab) -> None:
    lab, agent_id = learned, 1
    lab.update_agent(agent_id, name=HOSTILE)
    iteration_id = lab.iteration(1).row.id
    bare = Page(tear_sheet_html(lab.proof.tear_sheet(iteration_id)))
    assert "Not studied." in bare.words
    with lab.store.write() as session:
        for kind, report in reports().items():
            session.add(ProofRun(kind=kind, agent_id=agent_id, iteration_id=iteration_id, state=ProofState.DONE, output=to_json(report)))
    sheet = lab.proof.tear_sheet(iteration_id)
    text = tear_sheet_html(sheet)
    page = Page(text)
    assert page.open == []
    assert page.loads == []
    assert "script" not in page.tags
    assert "default-src 'none'" in text
    assert "http://" not in text
    assert HOSTILE in page.words
    assert page.tags.count("figure") == 5
    result = sheet.view.result
    assert result is not None
    for said in (
        sheet.verdict.reason if sheet.verdict else "",
        "A dollar, out of sample",
        "SYNTHETIC DATA",
        f"{sheet.tried_in_all:,} variants were tried on bars that overlap",
        f"As the best of the {sheet.tried_in_all:,} up to now this result has a deflated Sharpe ratio of {percent(sheet.deflated)}",
        "of the variants tried up to its measurement",
        "Probability of backtest overfitting 37%",
        "The edge dies at 2.4 times the costs.",
        "One step away 70% of the Sharpe ratio is left",
        "better than the best random variant by",
        "opened never",
        "deflated Sharpe ratio",
        sheet.view.scan_script.splitlines()[-1],
    ):
        assert said in page.words, said
    assert min(value for _, value in sheet.drawdown) == pytest.approx(-result.max_drawdown)
    assert sum(sheet.trials.values()) >= 2
    with lab.store.read() as session:
        assert len(session.exec(select(ProofRun)).all()) == 3


def test_charts_of_nothing_are_left_out_and_of_one_value_are_drawn() -> None:
    assert line_chart([Line("x", ())], "t") == ""
    assert pair_chart([("1", None, None)], ("a", "b"), "t") == ""
    assert histogram([1.0], "t") == histogram([2.0] * 50, "t") == ""
    assert "polyline" in line_chart([Line("x", ((DAY, 5.0),))], "t", zero=0.0)
    assert "<rect" in pair_chart([("1", 0.0, 2.0)], ("a", "b"), "t")
    assert HOSTILE not in line_chart([Line(HOSTILE, ((DAY, 5.0),))], HOSTILE)
    assert HOSTILE not in heat_table([HOSTILE], [HOSTILE], [[None]], HOSTILE, (0, 0))
