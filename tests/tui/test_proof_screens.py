"""What a result is worth, on screen: studies asked for and shown, the checklist, the vault behind its warning, the decision and back."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

from textual.widgets import Input

import lab.tui
from lab.agents import decisions
from lab.agents.continuous import BY_RULE
from lab.agents.proof.figures import every_figure, figure_interval, figure_value
from lab.agents.proof.views import (
    FoldRow,
    NullArmReport,
    Plateau,
    PlateauPoint,
    RobustnessReport,
    SchemeRow,
    ShakenRow,
    VaultReport,
    WalkForwardReport,
)
from lab.agents.results import to_json
from lab.agents.service import Lab
from lab.agents.views import Interval, TradeRow
from lab.store.models import utc_now
from lab.store.proof_models import ProofKind, ProofRun, ProofState
from lab.tui.text import Tone
from lab.tui.widgets.proof import diverging, plateau_lines
from lab.tui.widgets.tabs import TabLine
from lab.tui.widgets.trades import trade_cells
from tests.tui.conftest import MakeApp
from tests.tui.session import Session, session

DAY = date(2024, 6, 3)
WALK = WalkForwardReport(
    schemes=(
        SchemeRow(
            "anchored",
            (FoldRow(1, DAY, DAY, DAY, DAY, 2.5, -0.75, 0.03, -0.004, 40, 12, (1.0,)),),
            2.5,
            -0.75,
            Interval(-2.0, 0.5),
            -0.004,
            ((DAY, 1.0),),
        ),
    ),
    shortfall="",
    parameters=("loud",),
    variants=33,
    holding_sessions=0,
    overfitting=0.78,
    superior_p=0.446,
    ideas=4,
)
PLATEAU = Plateau(
    ("loud", "near"),
    (2.0, 0.5),
    tuple(PlateauPoint((a, b), 40, a * b - 0.6) for a in (1.0, 2.0) for b in (0.2, 0.5)),
    0.4,
)
ROBUST = RobustnessReport(94, 1.2, 0.03, (ShakenRow("costs", "x3", 94, -0.2, -0.01, False),), 2.4, PLATEAU)
NULL = NullArmReport(1.2, 64, 2.57, -0.54, 0.62, 52, 1.6, 0.3, 3)
VAULT = VaultReport(DAY, DAY, 40, 22, 12, 0.55, Interval(0.4, 0.7), 0.9, Interval(-0.5, 2.0), 0.84, 0.01, 0.02, {"buy and hold SPY": 0.03})


def _keep(lab: Lab, kind: ProofKind, report: Any) -> None:
    """Store a finished study as a worker does."""
    with lab.store.write() as rows:
        rows.add(ProofRun(kind=kind, agent_id=1, iteration_id=1, state=ProofState.DONE, output=to_json(report), finished_at=utc_now()))


async def _tab(s: Session, name: str) -> None:
    s.app.screen.query_one(TabLine).active = name
    await s.pilot.pause()


async def test_a_study_is_one_key_and_a_letter_even_typed_ahead(make_app: MakeApp, learned: Lab) -> None:
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.open("iteration", 1)
        await _tab(s, "proof")
        await s.until(lambda: s.app.screen.data.proof is not None, "the studies are read")
        await s.sees("not made yet")
        await s.press("t", "r")
        await s.until(lambda: [run.kind for run in learned.proof.runs(1)] == ["robustness"], "robustness is asked for, and nothing else")
        await s.sees("waits for the worker")
        await s.press("t", "a")
        await s.until(lambda: len(learned.proof.runs(1)) == 3, "the other two as well; what waits is not asked for twice")


async def test_finished_studies_show_what_they_found(make_app: MakeApp, learned: Lab) -> None:
    for kind, report in (
        (ProofKind.WALK_FORWARD, WALK),
        (ProofKind.ROBUSTNESS, ROBUST),
        (ProofKind.NULL_ARM, NULL),
        (ProofKind.VAULT, VAULT),
    ):
        _keep(learned, kind, report)
    async with session(make_app, learned) as s:  # type: ignore[arg-type]
        await s.open("iteration", 1)
        await _tab(s, "proof")
        await s.until(lambda: s.app.screen.data.proof is not None, "the studies are read")
        shown = " ".join(s.flow("#proof-text").split())
        for words in (
            "fold 1 2024-06-03 2024-06-03 2.50 -0.75 -0.4% 12",
            "in-sample",
            "(-2.0 to 0.5)",
            "overfitting 78%; SPA test p = 0.446",
            "costs x3 94 -0.20 -1.0% no",
            "at 2.4 times the costs",
            "40% of the Sharpe ratio is left",
            "2.57 best of 52 random variants",
            "-1.37 better than the best random variant by",
            "above zero with a probability of 84.0%",
        ):
            assert words in shown, words
        sheet = learned.proof.tear_sheet(1)
        result = sheet.view.result
        assert result is not None
        assert result.verdict in shown
        assert f"Tried {sheet.tried_in_all} variants on bars that overlap with these" in shown, "how often"
        assert "of this agent: iteration 1, refinement" in shown
        assert "never opened" in shown
        for figure in every_figure(result):
            assert f"{figure.name} {figure_value(figure)} {figure_interval(figure)}".strip() in shown, "every figure, with its interval"
        assert len(sheet.breakdowns) == 7
        for breakdown in sheet.breakdowns:
            assert f"{breakdown.by} trades win rate 95%" in shown
            for part in breakdown.parts:
                assert f"{part.name} {part.trades:,} {part.win_rate * 100:.1f}%" in shown


def test_the_heat_map_tells_high_from_low_without_colour_and_brackets_the_chosen() -> None:
    lines = [line.plain for line, _ in plateau_lines(PLATEAU)]
    (low,) = (line for line in lines if line.strip().startswith("1 "))
    (high,) = (line for line in lines if line.strip().startswith("2 "))
    assert low.split()[1:] == ["\u00b7", "-0.40", "\u00b7", "-0.10"]
    assert "[\u2588 0.40]" in high


def test_bars_of_folds_point_away_from_zero() -> None:
    assert diverging(2.0, -2.0, 2.0, 9, "x") == "    \u2502xxxx"
    assert diverging(-2.0, -2.0, 2.0, 9, "x") == "xxxx\u2502    "
    assert diverging(None, 0.0, 0.0, 5, "x").strip() == "\u2502"


async def test_the_agents_page_says_by_how_much_it_beats_luck(make_app: MakeApp, learned: Lab) -> None:
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.open("agent", 1)
        await s.sees("Luck       not measured yet: the null arm does")
        _keep(learned, ProofKind.NULL_ARM, NULL)
        await s.until(
            lambda: "1.37 below the best of 52 random variants, 0.40 below the best of 3 runs" in " ".join(s.flow("#figures").split()),
            "the line comes by itself once the study is made",
        )
        await _tab(s, "graduation")
        await s.until(
            lambda: "-1.37 better than the best random variant by" in " ".join(s.flow("#graduation-text").split()), "in full there"
        )


async def test_the_vault_opens_only_after_a_warning_with_the_count(make_app: MakeApp, learned: Lab) -> None:
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.open("agent", 1)
        await _tab(s, "graduation")
        await s.until(lambda: s.app.screen.data.graduation is not None, "the checklist is read")
        await s.sees("a deflated Sharpe ratio of at least 95%")
        await s.press("P")
        await s.is_told("The vault was not opened for this version yet")
        await s.press("O", "n")
        await s.until(lambda: s.place == "agent", "left")
        assert learned.proof.vault(1).openings == 0
        await s.press("O")
        await s.until(lambda: s.place == "confirm", "asked")
        await s.sees("So far it was never opened. An opening counts for ever")
        await s.press("y")
        await s.until(lambda: learned.proof.vault(1).openings == 1, "opened, and counted")
        await s.sees("opened 1 time")


async def test_a_person_graduates_with_a_reason_and_may_go_back(make_app: MakeApp, learned: Lab) -> None:
    _keep(learned, ProofKind.VAULT, VAULT)
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.open("agent", 1)
        await _tab(s, "graduation")
        await s.until(lambda: s.app.screen.data.graduation is not None, "the checklist is read")
        await s.press("P", *"my", "space", *"risk", "enter")
        await s.until(lambda: learned.agents()[0].status == "paper_trading", "it trades on paper")
        await s.sees("overruled:")
        await s.sees("my risk.")
        await s.press("B", "enter")
        await s.until(lambda: learned.agents()[0].status == "learning", "back to learning")
        assert [row.to_status for row in learned.proof.graduations(1)] == ["learning", "paper_trading"]


async def test_a_bound_is_changed_and_a_wrong_one_refused_with_the_reason(make_app: MakeApp, learned: Lab) -> None:
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.open("agent", 1)
        await _tab(s, "graduation")
        await s.until(lambda: s.app.screen.data.graduation is not None, "the checklist is read")
        await s.press("r", *"least_trades=", "6", "0", "enter")
        await s.sees("at least 60 trades")
        await s.press("r", *"least_trades=3", "enter")
        await s.is_told("least_trades must be from 30")
        await s.press("r", *"nonsense", "enter")
        await s.is_told("is no bound")


async def test_the_learning_span_and_its_folds_are_set_on_the_universe_until_something_is_tested(make_app: MakeApp, learned: Lab) -> None:
    free = sorted({row.ticker for row in learned.coverage() if row.timeframe == "1m"} - set(learned.universes.all()[0].view.tickers))[:2]
    learned.universes.make("Others", "1m", free, synthetic=True)
    tested, other = learned.universes.all()
    before = learned.proof.vault(other.view.id)
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.open("universe", tested)
        await s.sees("never opened; something was tested on it, so that is for good")
        assert s.app.screen.query_one("#learning_until").disabled
        await s.press("escape")
        await s.open("universe", other)
        await s.sees("it may be moved until something is tested")
        s.app.screen.query_one("#learning_until", Input).value = before.last_session.isoformat()
        s.app.screen.query_one("#folds", Input).value = "3"
        await s.press("ctrl+g")
        await s.sees("The learning span must end with a session from")
        assert learned.proof.vault(other.view.id) == before
        s.app.screen.query_one("#learning_until", Input).value = "2025-01-21"
        await s.press("ctrl+g")
        await s.until(lambda: learned.proof.vault(other.view.id).folds == 3, "kept")
        assert learned.proof.vault(other.view.id).learning_until == date(2025, 1, 21)


def test_only_the_paired_test_draws_an_arrow_or_a_green_figure() -> None:
    """Read in the source: who else writes the signs, and which figure is ever in the tone of what is good."""
    shown = Path(lab.tui.__file__).parent
    texts = {str(path.relative_to(shown)): path.read_text() for path in shown.rglob("*.py")}
    drawing = {name for name, text in texts.items() if "▲" in text or "▼" in text}
    assert drawing == {"text.py", "glyphs.py", "widgets/problem_note.py"}, "one draws them, one says them in ASCII, one points at a mistake"
    asking = {name for name, text in texts.items() if re.search(r"verdict_mark\((?!verdict: str)", text)}
    assert asking == {"screens/approvals.py", "widgets/decision.py", "widgets/result.py"}
    for name in asking:
        of = set(re.findall(r"verdict_mark\((\S+)\)", texts[name])) - {"verdict: str"}
        assert of <= {"proposal.effect.verdict", "effect.verdict", "against.verdict"}, "each is a paired test's"
    figures = ("percent", "number", "dollars", "count", "pnl", "sharpe")
    green = [line.strip() for text in texts.values() for line in text.splitlines() if "Tone.GOOD" in line or "$text-success" in line]
    assert not [line for line in green if any(word in line for word in figures)]


def test_a_trade_that_won_is_not_green() -> None:
    won = TradeRow("ALTO", "long", utc_now(), utc_now(), 10.0, 11.0, 5.0, 5.0, 1.0, 3, "target")
    assert Tone.GOOD not in {cell.tone for cell in trade_cells(won)}


async def test_an_agent_up_for_graduation_is_decided_on_among_the_approvals_and_taken_back(make_app: MakeApp, learned: Lab) -> None:
    _keep(learned, ProofKind.VAULT, VAULT)
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.press("p")
        await s.at("approvals")
        await s.sees("2 to approve")
        await s.sees("may VWAP Guardian trade on paper?")
        assert "above zero with a probability of 84.0%" in s.flow("#scripts")
        await s.press("e")
        await s.is_told("A graduation has no script to edit")
        await s.press("a", *"go", "enter")
        await s.until(lambda: learned.agents()[0].status == "paper_trading", "decided")
        await s.sees("1 to approve")
        await s.press("X")
        await s.is_told("its graduation waits again")
        await s.until(lambda: learned.agents()[0].status == "learning", "taken back")
        await s.sees("may VWAP Guardian trade on paper?")
        await s.press("d", *"why", "enter")
        await s.until(lambda: learned.proof.waiting() == (), "turned down")
        assert learned.proof.graduations(1)[0].note == "why"
        await s.sees("1 to approve")


async def test_marked_refinements_are_not_applied_together_with_a_graduation(make_app: MakeApp, learned: Lab) -> None:
    _keep(learned, ProofKind.VAULT, VAULT)
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.press("p")
        await s.at("approvals")
        await s.press("asterisk", "a")
        await s.is_told("take the other marks away")
        assert len(learned.approvals()) == 1


async def test_what_a_rule_applied_stands_among_the_approvals_and_is_taken_back_after_a_question(make_app: MakeApp, learned: Lab) -> None:
    decisions.apply_proposal(learned.store, learned.approvals()[0].id, BY_RULE)
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.press("p")
        await s.at("approvals")
        await s.sees("1 applied by rule")
        await s.press("a")
        await s.is_told("This proposal was already applied.")
        await s.press("X", "n")
        await s.at("approvals")
        assert learned.agents()[0].current_version == "1.1"
        await s.press("X", "y")
        await s.until(lambda: learned.agents()[0].current_version == "1.0", "the version before is current again")
        await s.sees("Nothing waits for you.")
