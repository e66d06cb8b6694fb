"""An iteration from its start to a decision, on real bars, with the built-in strategist."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from sqlmodel import Session, select

from lab.agents.builtin import BuiltInStrategist
from lab.agents.errors import AlreadyDecided, BadScript, CannotIterate, CannotUndo, StrategistFailed
from lab.agents.ledger import REFINEMENT
from lab.agents.loop import run_iteration
from lab.agents.outputs import EQUITY, SKIPS, TRADES, read_output
from lab.agents.service import Lab
from lab.agents.strategist import Brief, ProposalRequest, RefinementDraft, StrategyDraft
from lab.agents.strategist import TestBench as Bench  # by its own name pytest would take it for tests
from lab.agents.views import IterationView
from lab.errors import LabError
from lab.script import add_condition
from lab.store.models import AgentIteration, AgentStrategy, IterationStep, Proposal, Trial, Universe
from tests.agents.conftest import AlwaysProposes

Learn = Callable[..., IterationView]
STEPS = ["generate", "scan", "enrich", "backtest", "analyse", "propose"]


def folder(lab: Lab, view: IterationView) -> Path:
    return lab.workspace.results / f"iteration-{view.row.id}"


def test_an_iteration_ends_with_a_result_an_analysis_and_a_proposal_or_the_reason_for_none(lab: Lab, agent_id: int, learn: Learn) -> None:
    view = learn(lab, agent_id, BuiltInStrategist())
    assert [(step.step, step.state) for step in view.steps] == [(step, "done") for step in STEPS]
    assert view.row.version == "1.0"
    assert view.result is not None
    assert view.result.signals == view.row.signals > 0
    assert view.result.signals == sum(count for reason, count in view.result.funnel.items() if reason != "signals")
    assert view.analysis
    assert view.row.status == ("awaiting approval" if view.proposal else "no proposal")
    assert view.proposal or view.explanation
    assert len(lab.trades(view.row.id)) == view.result.trades
    assert view.universe.synthetic


def test_an_iteration_never_sees_the_vault(lab: Lab, agent_id: int, learn: Learn) -> None:
    view = learn(lab, agent_id)
    equity = read_output(folder(lab, view), EQUITY)
    assert equity["session"].max() == view.universe.learning_until < view.universe.last_session


def test_the_same_iteration_twice_gives_the_same_bits(lab: Lab, learn: Learn) -> None:
    text = "A conservative VWAP scalper for tech stocks"
    views = []
    for name in ("One", "Two"):
        agent = lab.create_agent(name, text, lab.detect(text).personality, lab.state().universes[0].id)
        views.append(learn(lab, agent))
    for table in (TRADES, SKIPS, EQUITY):
        assert read_output(folder(lab, views[0]), table).equals(read_output(folder(lab, views[1]), table))
    # the second agent's verdict may differ, and what it is deflated by: more variants have been tried by then
    by_trials = {"deflated Sharpe ratio", "effective number of trials"}
    assert by_trials <= {figure.name for figure in views[0].result.figures}
    figures = [tuple(figure for figure in view.result.figures if figure.name not in by_trials) for view in views]
    alike = [replace(view.result, verdict="", verdict_reason="", figures=kept) for view, kept in zip(views, figures, strict=True)]
    assert alike[0] == alike[1]


def test_applying_makes_version_1_1_which_the_next_iteration_runs(lab: Lab, agent_id: int, learn: Learn) -> None:
    first = learn(lab, agent_id)
    assert first.proposal is not None
    assert lab.apply(first.proposal.id) == "1.1"
    assert lab.iteration(first.row.id).row.status == "applied"
    second = learn(lab, agent_id)
    assert second.row.version == "1.1"
    assert second.scan_script == first.proposal.new_scan
    assert second.execution_script == first.proposal.new_execution
    assert second.against_parent is not None
    assert second.against_parent.parent_version == "1.0"
    assert second.against_parent.sharpe == (first.result.sharpe, second.result.sharpe)
    assert second.against_parent.sessions == first.proposal.effect.confirmed_sessions, "the sessions that chose it are no evidence for it"
    assert second.against_parent.daily_difference == pytest.approx(first.proposal.effect.daily_difference)
    assert second.against_parent.verdict == first.proposal.effect.verdict
    assert second.against_parent.chosen_too is not None
    assert second.against_parent.chosen_too.sessions == len(second.result.equity)
    old, new = (version.id for version in lab.agent(agent_id).versions)
    assert lab.compare_versions(old, new).paired == second.against_parent
    back = lab.compare_versions(new, old).paired
    assert back is not None
    assert back.daily_difference == pytest.approx(-second.against_parent.daily_difference)
    assert second.result.trades == first.proposal.effect.whole_trades[1], "the measured effect must be what the version then shows"
    assert [(v.version, v.parent_version, v.is_current) for v in lab.agent(agent_id).versions] == [
        ("1.0", None, False),
        ("1.1", "1.0", True),
    ]
    with lab.store.write() as session:  # as it was stored when the test was of all sessions alone
        step = session.exec(
            select(IterationStep).where(IterationStep.iteration_id == second.row.id, IterationStep.step == "backtest")
        ).one()
        against = {**step.output["against_parent"], "comparison": step.output["against_parent"]["whole"]}
        del against["whole"]
        step.output = {**step.output, "against_parent": against}
        session.add(step)
    then = lab.iteration(second.row.id).against_parent
    assert then is not None
    assert (then.verdict, then.sessions) == (second.against_parent.verdict, second.against_parent.sessions)
    assert then.chosen_too == second.against_parent.chosen_too
    with lab.store.write() as session:  # as if the person had made the version by hand
        chosen = session.get_one(Proposal, first.proposal.id)
        chosen.resulting_strategy_id = None
        session.add(chosen)
    by_hand = lab.compare_versions(old, new).paired
    assert by_hand is not None
    assert (by_hand.sessions, by_hand.chosen_too) == (len(second.result.equity), None), "nothing was chosen: every session counts"


class Forgetful(AlwaysProposes):
    """Proposes the same whatever was turned down."""

    async def propose(self, request: ProposalRequest, bench: Bench) -> RefinementDraft:
        return await super().propose(replace(request, discarded=()), bench)


def test_a_discarded_proposal_is_not_proposed_again(lab: Lab, agent_id: int, learn: Learn) -> None:
    first = learn(lab, agent_id)
    lab.discard(first.proposal.id, "too few trades")
    assert lab.iteration(first.row.id).row.status == "discarded"
    second = learn(lab, agent_id, Forgetful())
    assert (second.row.version, second.row.status, second.proposal) == ("1.0", "no proposal", None)
    assert f"“{first.proposal.title}” once more, which was turned down" in second.explanation


def test_a_proposal_is_decided_once_and_the_decision_taken_back_whole_until_the_next_iteration(
    lab: Lab, agent_id: int, learn: Learn
) -> None:
    proposal = learn(lab, agent_id).proposal
    calmer = proposal.new_execution.replace("risk", "# calmer\nrisk").replace("0.25", "0.2").replace("0.5", "0.4")

    def state() -> tuple[object, ...]:
        return lab.agent(agent_id).versions, lab.iterations(agent_id), lab.approvals(), lab.undoable()

    before = state()
    for decide in (
        lambda: lab.apply(proposal.id),
        lambda: lab.discard(proposal.id, "too few trades"),
        lambda: lab.apply_edited(proposal.id, proposal.new_scan, calmer),
    ):
        decide()
        assert [each.id for each in lab.undoable()] == [proposal.id]
        assert lab.approvals() == []
        assert lab.undo(proposal.id) == "1.0"
        assert state() == before
        with pytest.raises(CannotUndo, match="waits for your decision"):
            lab.undo(proposal.id)
    lab.apply(proposal.id)
    told = [event.words.removeprefix(f"“{proposal.title}” ").split(",")[0] for event in lab.happened() if event.what == "decision"]
    decisions = ["applied by you", "taken back", "discarded by you: too few trades", "taken back", "edited by you", "taken back"]
    assert told == [*decisions, "applied by you"][::-1], "each is told, and that it was taken back"
    for again in (lab.apply, lab.discard):
        with pytest.raises(AlreadyDecided, match="already applied"):
            again(proposal.id)
    with pytest.raises(AlreadyDecided):
        lab.apply_edited(proposal.id, proposal.old_scan, calmer)
    assert len(lab.agent(agent_id).versions) == 2
    lab.start_iteration(agent_id)
    assert lab.undoable() == []
    with pytest.raises(CannotUndo, match="Iteration 2 has started since"):
        lab.undo(proposal.id)
    assert lab.agent(agent_id).row.current_version == "1.1"


def test_an_edit_that_does_not_compile_is_refused_and_the_proposal_stays(lab: Lab, agent_id: int, learn: Learn) -> None:
    proposal = learn(lab, agent_id).proposal
    with pytest.raises(BadScript, match="line 1"):
        lab.apply_edited(proposal.id, "long = clsoe > open", proposal.new_execution)
    with pytest.raises(BadScript, match=r"same as version 1\.0"):
        lab.apply_edited(proposal.id, proposal.old_scan, proposal.old_execution)
    assert [waiting.id for waiting in lab.approvals()] == [proposal.id]
    edited = proposal.new_scan.replace("long  =", "long  = close > 1 and ").replace("long =", "long = close > 1 and ")
    assert lab.apply_edited(proposal.id, edited, proposal.new_execution) == "1.1"
    applied = lab.proposal(proposal.id)
    assert applied.state == "edited"
    assert (applied.new_scan, applied.effect) == (edited, proposal.effect), "what was applied is shown, and what was measured"
    assert applied.changes != proposal.changes
    lab.undo(proposal.id)
    assert lab.proposal(proposal.id).new_scan == proposal.new_scan


def test_an_older_version_can_be_made_current_and_branched_from(lab: Lab, agent_id: int, learn: Learn) -> None:
    first = learn(lab, agent_id)
    lab.apply(first.proposal.id)
    old = lab.agent(agent_id).versions[0]
    assert lab.make_current(old.id) == "1.0"
    again = learn(lab, agent_id)
    assert again.row.version == "1.0"
    assert lab.apply(again.proposal.id) == "1.2"
    assert lab.agent(agent_id).versions[-1].parent_version == "1.0"


def test_an_agent_does_not_iterate_twice_at_once_nor_past_a_waiting_proposal(lab: Lab, agent_id: int, learn: Learn) -> None:
    queued = lab.start_iteration(agent_id)
    with pytest.raises(CannotIterate, match="already iterating"):
        lab.start_iteration(agent_id)
    lab.cancel_iteration(queued)
    assert lab.iteration(queued).row.status == "cancelled"
    with pytest.raises(CannotIterate, match="already ended"):
        lab.cancel_iteration(queued)
    learn(lab, agent_id)
    with pytest.raises(CannotIterate, match="waits for your decision"):
        lab.start_iteration(agent_id)


class Killed(Exception):
    """Stands for the end of the process at a commit."""


class KilledAt:
    """A lease whose holder dies at its n-th write: before the transaction commits, as `kill -9` would have it."""

    def __init__(self, write: int) -> None:
        self.left = write

    def check(self, session: Session) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


def leavings(lab: Lab) -> tuple[list[object], ...]:
    """Everything an iteration leaves in the database, times and ids aside."""
    with lab.store.read() as session:
        return (
            [(s.step, {k: v for k, v in s.output.items() if k != "evidence"}) for s in session.exec(select(IterationStep))],
            [(s.version, s.scan_script, s.execution_script, s.is_current_version) for s in session.exec(select(AgentStrategy))],
            sorted((t.script_hash, t.purpose, t.trades, t.sharpe_daily) for t in session.exec(select(Trial))),
            [(i.iteration_status, i.signals_found, i.win_rate, i.expert_analysis) for i in session.exec(select(AgentIteration))],
        )


def test_killed_at_any_commit_an_iteration_goes_on_with_nothing_lost_and_nothing_twice(
    lab: Lab, agent_id: int, learn: Learn, threads: Executor, tmp_path: Path
) -> None:
    iteration_id = lab.start_iteration(agent_id)
    deaths = 0
    while True:
        lease = KilledAt(deaths)
        try:
            asyncio.run(run_iteration(lab.store, iteration_id, threads, lease, BuiltInStrategist()))
            break
        except Killed:
            deaths += 1
            assert deaths < 60
    assert deaths > 6
    interrupted = leavings(lab)

    undisturbed = Lab(lab.workspace.home.parent / "other")
    try:
        import shutil

        shutil.rmtree(undisturbed.workspace.bars, ignore_errors=True)
        shutil.copytree(lab.workspace.bars, undisturbed.workspace.bars)
        from lab.agents.data import keep_universe

        universe = lab.state().universes[0]
        keep_universe(
            undisturbed.workspace,
            undisturbed.store,
            universe.name,
            universe.tickers,
            "1m",
            "demo",
            True,
            universe.first_session,
            universe.last_session,
        )
        row = lab.agent(agent_id).row
        twin = undisturbed.create_agent(row.name, row.instructions, row.personality, 1)
        learn(undisturbed, twin, BuiltInStrategist())
        assert leavings(undisturbed) == interrupted
    finally:
        undisturbed.close()


class Stutterer(BuiltInStrategist):
    """Writes a script that does not compile so many times before a good one."""

    def __init__(self, bad: int) -> None:
        super().__init__()
        self.bad = bad

    async def generate(self, brief: Brief) -> StrategyDraft:
        draft = await super().generate(brief)
        self.bad -= 1
        return replace(draft, scan_script="long = close.__class__") if self.bad >= 0 else draft


def test_a_script_that_does_not_compile_goes_back_and_after_three_attempts_the_iteration_fails(
    lab: Lab, agent_id: int, learn: Learn
) -> None:
    with pytest.raises(StrategistFailed, match="3 attempts"):
        learn(lab, agent_id, Stutterer(3))
    iteration_id = lab.iterations(agent_id)[0].id
    lab.cancel_iteration(iteration_id)
    assert learn(lab, agent_id, Stutterer(2)).row.version == "1.0"


def test_every_variant_tried_is_in_the_ledger_and_outlives_its_agent(lab: Lab, agent_id: int, learn: Learn) -> None:
    view = learn(lab, agent_id)
    with lab.store.read() as session:
        before = session.exec(select(Trial.script_hash)).all()
    assert len(before) == len(set(before)) == view.proposal.effect.trials > 1
    lab.delete_agent(agent_id)
    with lab.store.read() as session:
        assert session.exec(select(Trial.script_hash)).all() == before
        assert session.exec(select(IterationStep)).all() == []
    assert not folder(lab, view).exists()


def test_what_was_tested_in_vain_is_not_tested_again(lab: Lab, agent_id: int, learn: Learn) -> None:
    tried: list[set[str]] = []
    for _ in range(2):
        view = learn(lab, agent_id, BuiltInStrategist())
        assert view.row.status == "no proposal", "this short market has nothing to find"
        with lab.store.read() as session:
            rows = session.exec(select(Trial.script_hash).where(Trial.iteration_id == view.row.id, Trial.purpose == REFINEMENT))
            tried.append(set(rows))
    assert tried[0]
    assert tried[0].isdisjoint(tried[1])


def test_a_script_that_needs_context_the_bars_do_not_have_is_refused_with_the_reason(lab: Lab, agent_id: int, learn: Learn) -> None:
    proposal = learn(lab, agent_id).proposal
    edited = add_condition(proposal.new_scan, "market.trend >= 0")
    with lab.store.write() as session:
        universe = session.get_one(Universe, 1)
        universe.market_ticker = universe.context_gaps = None
    with pytest.raises(BadScript, match=r"read market\.trend, of which .* No SPY bars"):
        lab.apply_edited(proposal.id, edited, proposal.new_execution)
    lab.universes.missing_context(1)
    lab.apply_edited(proposal.id, edited, proposal.new_execution)
    with lab.store.write() as session:
        universe = session.get_one(Universe, 1)
        universe.market_ticker = universe.context_gaps = None
    with pytest.raises(LabError, match=r"read market\.trend, of which .* No SPY bars"):
        learn(lab, agent_id)


class Listener(AlwaysProposes):
    """Keeps what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    async def generate(self, brief: Brief) -> StrategyDraft:
        self.told.append(brief.guidance)
        return await super().generate(brief)

    async def propose(self, request: ProposalRequest, bench: Bench) -> RefinementDraft:
        self.told.append(request.subject.guidance)
        return await super().propose(request, bench)


def test_guidance_in_words_is_kept_with_the_iteration_and_told_to_the_strategist(lab: Lab, agent_id: int, learn: Learn) -> None:
    listener = Listener()
    view = learn(lab, agent_id, listener, guidance=" only in the morning ")
    assert view.guidance == "only in the morning"
    assert listener.told == ["only in the morning"] * 2


def test_stored_trades_name_their_signal_and_reason(lab: Lab, agent_id: int, learn: Learn) -> None:
    view = learn(lab, agent_id)
    trades, skips = read_output(folder(lab, view), TRADES), read_output(folder(lab, view), SKIPS)
    assert (trades["entry_at"] > trades["signal_at"]).all()
    assert trades["exit_reason"].null_count() == skips["reason"].null_count() == 0
    assert isinstance(trades, pl.DataFrame)
