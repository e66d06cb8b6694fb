"""Refinements: drawn from evidence, chosen on one part, reported on the other, and never against the person."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest

from lab.agents.builtin import BuiltInStrategist
from lab.agents.builtin.edits import moved, narrow
from lab.agents.builtin.filters import condition_for, filters
from lab.agents.builtin.ideas import ideas
from lab.agents.builtin.insights import change_topic
from lab.agents.builtin.wishes import wishes
from lab.agents.dimensions import DIMENSIONS, Dimension
from lab.agents.evidence import build_evidence
from lab.agents.strategist import (
    DiscardedProposal,
    Insight,
    KnowledgeType,
    NoRefinement,
    ProposalRequest,
    RefinementDraft,
    SpanResults,
    Verdict,
)
from lab.script import check, compile_strategy, describe_changes
from tests.agents.made import CONTEXT, EXECUTION, SCAN, MadeBench, made_request, made_trades, span

VOLUME = "bar volume above 2x"


def proposed(request: ProposalRequest, bench: MadeBench) -> RefinementDraft | NoRefinement:
    return asyncio.run(BuiltInStrategist().propose(request, bench))


def draft(request: ProposalRequest, bench: MadeBench) -> RefinementDraft:
    found = proposed(request, bench)
    assert isinstance(found, RefinementDraft), found
    return found


def test_the_filter_the_evidence_speaks_for_is_found_first() -> None:
    best = filters(build_evidence(made_trades(300, loud_lift=0.8), prefix="S"))[0]
    assert best.column == "volume_burst"
    assert best.condition.startswith("volume > param(2,")
    assert best.kept_mean_r > best.dropped_mean_r
    assert best.evidence_ids
    assert all(i.startswith("S") for i in best.evidence_ids)


def test_a_few_trades_make_no_filter() -> None:
    assert filters(build_evidence(made_trades(8, loud_lift=2.0))) == ()


@pytest.mark.parametrize(
    "dimension",
    [d for d in DIMENSIONS if d.column not in ("direction", "ticker", "exit_reason", "news_kind", "news_tone")],
    ids=lambda d: d.column,
)
def test_every_condition_is_a_valid_script(dimension: Dimension) -> None:
    bounds = dimension.edges or tuple(value for value, _ in dimension.names if dimension.column != "hour" or 10 <= value <= 15)
    written = [condition_for(dimension.column, low, high) for edge in bounds for low, high in ((edge, None), (None, edge))]
    conditions = [w for w in written if w is not None]
    assert conditions
    for condition, title in conditions:
        assert check(narrow(SCAN, condition), EXECUTION) == (), condition
        assert title


def test_a_condition_that_stands_already_is_tightened_not_doubled() -> None:
    assert "volume > param(2, low=0.75" in narrow(SCAN, "volume > param(2, low=1, high=4, step=0.25) * sma(volume, 20)")
    assert 'time_between("11:00", "13:00")' in narrow(SCAN, 'time_between("11:00", "13:00")')
    assert narrow(SCAN, 'time_between("11:00", "16:00")').count("time_between") == 1
    assert 'time_between("11:00", "15:00")' in narrow(SCAN, 'time_between("11:00", "16:00")')
    trend = narrow(SCAN, "market.trend >= 0")
    assert "market.trend >= 0" in trend
    assert narrow(trend, "market.trend == 1").count("market.trend") == 1


def test_all_ideas_compile_differ_and_cite_what_a_person_can_look_up() -> None:
    whole = build_evidence(made_trades(400, loud_lift=0.8))
    found = ideas(made_request(evidence=whole))
    assert any(idea.evidence_ids for idea in found)
    assert 5 <= len(found) <= 8
    hashes = set()
    for idea in found:
        assert check(idea.variant.scan_script, idea.variant.execution_script) == ()
        hashes.add(compile_strategy(idea.variant.scan_script, idea.variant.execution_script).script_hash)
        assert describe_changes(SCAN, EXECUTION, idea.variant.scan_script, idea.variant.execution_script)
        assert idea.variant.title
        assert idea.variant.why
        cited = re.findall(r"\b[ES]\d+\b", idea.variant.why)
        assert {*idea.evidence_ids, *cited} <= whole.ids()
    assert len(hashes) == len(found)
    assert compile_strategy(SCAN, EXECUTION).script_hash not in hashes


def test_the_number_of_trials_is_kept() -> None:
    bench = MadeBench({})
    proposed(made_request(max_variants=3), bench)
    assert len(bench.tested) == 3


def test_what_does_best_on_the_selection_part_and_holds_up_is_proposed() -> None:
    bench = MadeBench({VOLUME: (3.0, 10e-4, 6e-4), "stop: 3.5 to 2.5": (2.0, 8e-4, 9e-4)})
    found = draft(made_request(), bench)
    assert VOLUME in found.title
    assert found.result.confirmation is not None
    assert found.result.confirmation.verdict is Verdict.BETTER
    assert "better: it made 6.0 basis points a day more than 1.0 (between " in found.rationale
    assert describe_changes(SCAN, EXECUTION, found.scan_script, found.execution_script) == ("loud: volume filter 1.5 → 2",)


def test_what_fails_on_unseen_sessions_is_passed_over_and_named() -> None:
    bench = MadeBench({VOLUME: (3.0, 10e-4, -3e-4), "stop: 3.5 to 2.5": (2.0, 8e-4, 1e-4)})
    found = draft(made_request(), bench)
    assert "stop" in found.title
    assert VOLUME in found.rationale
    assert "can be luck" in found.rationale


def test_where_nothing_gains_nothing_is_proposed_and_the_person_is_told_why() -> None:
    found = proposed(made_request(), MadeBench({}))
    assert isinstance(found, NoRefinement)
    assert "none gained clearly" in found.reason
    lost = proposed(made_request(), MadeBench({}, otherwise=(3.0, 10e-4, -5e-4)))
    assert isinstance(lost, NoRefinement)
    assert "luck" in lost.reason


def test_a_discarded_proposal_never_comes_again_unchanged() -> None:
    bench = MadeBench({VOLUME: (3.0, 10e-4, 6e-4)}, otherwise=(2.0, 8e-4, 5e-4))
    first = draft(made_request(), bench)
    gone = DiscardedProposal(first.title, first.scan_script + "\n# a comment\n", first.execution_script, "no")
    second = draft(made_request(discarded=(gone,)), bench)
    again = compile_strategy(second.scan_script, second.execution_script).script_hash
    assert again != compile_strategy(first.scan_script, first.execution_script).script_hash


def test_what_hurt_before_is_not_tried_again_unasked() -> None:
    first = ideas(made_request())[0].variant
    topic = change_topic(describe_changes(SCAN, EXECUTION, first.scan_script, first.execution_script))
    hurt = Insight(1, KnowledgeType.FAILURE, "VWAP bounce", "made it worse", 0.8, {"topic": topic, "effect": -1e-4})
    assert first.scan_script not in {i.variant.scan_script for i in ideas(made_request(knowledge=(hurt,)))}


def test_every_idea_discarded_ends_without_a_proposal() -> None:
    bench = MadeBench({}, otherwise=(2.0, 8e-4, 5e-4))
    discarded: tuple[DiscardedProposal, ...] = ()
    seen: set[str] = set()
    for _ in range(80):
        found = proposed(made_request(discarded=discarded), bench)
        if isinstance(found, NoRefinement):
            assert "discarded" in found.reason
            return
        script_hash = compile_strategy(found.scan_script, found.execution_script).script_hash
        assert script_hash not in seen
        seen.add(script_hash)
        discarded = (*discarded, DiscardedProposal(found.title, found.scan_script, found.execution_script, ""))
    pytest.fail("ideas never run out")


def test_guidance_outranks_what_looks_better() -> None:
    bench = MadeBench({VOLUME: (5.0, 20e-4, 15e-4), "wider stop": (0.1, -5e-4, -9e-4)})
    found = draft(made_request(guidance="use a wider stop"), bench)
    assert found.title == "wider stop"
    assert "You asked for it" in found.rationale
    assert "I would not do it" in found.rationale
    assert describe_changes(SCAN, EXECUTION, found.scan_script, found.execution_script)


def test_two_wishes_are_tried_together() -> None:
    found = draft(made_request(guidance="only in the morning, and avoid Fridays"), MadeBench({}))
    assert 'time_between("10:00", "12:00")' in found.scan_script
    assert "day_of_week() != 5" in found.scan_script


def test_guidance_that_means_nothing_to_it_is_admitted() -> None:
    found = proposed(made_request(guidance="be like water"), MadeBench({}))
    assert isinstance(found, NoRefinement)
    assert "be like water" in found.reason


@pytest.mark.parametrize(
    ("guidance", "title"),
    [
        ("tighter stops please", "tighter stop"),
        ("let winners run", "larger target"),
        ("risk less", "half the risk"),
        ("fewer trades", "stricter threshold"),
        ("higher volume only", "only on high volume"),
        ("avoid the morning", "not in the morning"),
        ("skip falling markets", "only when the market is not falling"),
        ("don't trade around noon", "not around noon"),
        ("only near support", "only near support"),
        ("not on Mondays", "not on Mondays"),
        ("only before 11:00", "only before 11:00"),
        ("between 10:30 and 12", "only from 10:30 to 12:00"),
        ("risk 2%", "risk 2% a trade"),
        ("be flat by 15:30", "out by 15:30"),
        ("only on good news", "only on good news"),
        ("avoid bad news", "not on bad news"),
        ("no news", "not with news of the last session"),
        ("trade stocks in the news", "only with news of the last session"),
        ("only when the vix is low", "only when the VIX is low"),
    ],
)
def test_common_wishes_are_understood_and_compile(guidance: str, title: str) -> None:
    assert title in [w.title for w in wishes(guidance, CONTEXT, intraday=True)]
    found = draft(made_request(guidance=guidance), MadeBench({}))
    assert title in found.title
    assert check(found.scan_script, found.execution_script) == ()


def test_a_wish_for_context_that_is_not_there_is_not_written() -> None:
    assert wishes("only in uptrends", frozenset(), intraday=True) == ()
    assert wishes("only on good news", CONTEXT - {"news"}, intraday=True) == ()
    assert wishes("only in the morning", CONTEXT, intraday=False) == ()


def test_with_hardly_a_trade_more_signals_come_first() -> None:
    pack = build_evidence(made_trades(3), prefix="S")
    found = proposed(made_request(pack, trades=3), MadeBench({}))
    assert isinstance(found, RefinementDraft)
    assert "nothing to learn from" in found.rationale
    old = {p.name: p.value for p in compile_strategy(SCAN, EXECUTION).parameters}
    new = {p.name: p.value for p in compile_strategy(found.scan_script, found.execution_script).parameters}
    assert new["loud"] < old["loud"]


@pytest.mark.parametrize(
    ("value", "factor", "low", "high", "step", "expected"),
    [
        (1.5, 1.35, 0.75, 4.5, 0.25, 2.0),
        (1.5, 0.7, 0.75, 4.5, 0.25, 1.0),
        (1.0, 1.05, 0.0, 4.0, 0.5, 1.5),
        (4.5, 1.35, 0.75, 4.5, 0.25, 4.5),
        (3.0, 1.5, None, None, None, 4.5),
    ],
)
def test_a_parameter_moves_on_its_step_and_stays_in_its_bounds(
    value: float, factor: float, low: float | None, high: float | None, step: float | None, expected: float
) -> None:
    assert moved(value, factor, low, high, step) == pytest.approx(expected)


@pytest.mark.parametrize("trades", [0, 100])
def test_with_too_few_sessions_to_confirm_on_nothing_is_tested_or_proposed(trades: int) -> None:
    bench, few = MadeBench({}, otherwise=(2.0, 8e-4, 5e-4)), replace(span(trades), sessions=9)
    found = proposed(made_request(current=SpanResults(span(trades), span(trades), few)), bench)
    assert isinstance(found, NoRefinement)
    assert "more history" in found.reason
    assert bench.tested == []


def test_guidance_that_is_a_setting_is_answered_as_one() -> None:
    found = proposed(made_request(guidance="max 3 positions"), MadeBench({}))
    assert isinstance(found, NoRefinement)
    assert "set it in my settings" in found.reason
