"""The analysis: every figure cited and true, no verdict on a handful of trades, and no two agents alike."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from lab.agents.builtin import BuiltInStrategist
from lab.agents.builtin.insights import NOTABLE_P, SHRINK, confidence
from lab.agents.evidence import Bucket, EvidencePack, Figure, TradeEvidence, build_evidence, with_parent
from lab.agents.personality import detect
from lab.agents.strategist import Analysis, AnalysisRequest, Insight, KnowledgeType, ParentComparison, Subject
from lab.agents.views import Interval
from tests.agents.made import EXECUTION, INSTRUCTIONS, SCAN, compared, made_summary, made_trades, span


def request(n: int = 200, seed: int = 0, *, loud_lift: float = 0.0, mean: float = 0.0, signals: int | None = None) -> AnalysisRequest:
    trades = made_trades(n, seed, loud_lift=loud_lift, mean=mean)
    subject = Subject("", "1m", "1.0", SCAN, EXECUTION, build_evidence(trades, made_summary(trades, signals)))
    return AnalysisRequest(subject, "VWAP Guardian", detect(INSTRUCTIONS).personality, 1)


def about(asked: AnalysisRequest, **changes: Any) -> AnalysisRequest:
    return replace(asked, subject=replace(asked.subject, **changes))


def refined(asked: AnalysisRequest, difference: float) -> AnalysisRequest:
    parent = ParentComparison("1.0", ("stop: wider",), span(), span(), compared(difference))
    return about(replace(asked, parent=parent), version="1.1", evidence=with_parent(asked.subject.evidence, parent))


def analysed(asked: AnalysisRequest) -> Analysis:
    return asyncio.run(BuiltInStrategist().analyse(asked))


def sentences(text: str) -> list[str]:
    return [s for s in re.split(r"(?<=[.!?])\s+(?=[A-Z“\n])|\n+", text) if s.strip()]


def values(evidence: Figure | Bucket | TradeEvidence) -> list[float]:
    """Every number that may be stated with this id, in the units a sentence may use."""
    if isinstance(evidence, Figure):
        numbers = [evidence.value, *((evidence.interval.low, evidence.interval.high) if evidence.interval else ())]
    elif isinstance(evidence, Bucket):
        numbers = [evidence.trades, evidence.win_rate, evidence.mean_r, evidence.total_r, evidence.r_lift or 0.0]
        numbers += [float(x) for x in re.findall(r"\d+\.?\d*", evidence.name)]
    else:
        numbers = [evidence.r_multiple, evidence.costs_r, evidence.beyond_stop_r]
    return [abs(x * scale) for x in numbers for scale in (1, 100, 1e4)]


def check_citations(pack: EvidencePack, text: str) -> None:
    by_id = {e.id: e for part in (pack.figures, pack.funnel, pack.buckets, pack.best, pack.worst) for e in part}
    for sentence in sentences(text):
        cited = re.findall(r"\[(E\d+)\]", sentence)
        assert set(cited) <= set(by_id), sentence
        plain = re.sub(r"\[E\d+\]|version \d+\.\d+|VWAP Guardian|T\d\d", "", sentence)
        allowed = [v for i in cited for v in values(by_id[i])]
        for token in re.findall(r"\d[\d,]*\.?\d*", plain):
            number = float(token.replace(",", "").rstrip("."))
            decimals = len(token.partition(".")[2])
            assert any(abs(number - v) <= 0.5001 * 10**-decimals for v in allowed), f"{token} in: {sentence}"


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("lift", "mean"), [(0.0, 0.0), (0.9, -0.2), (0.0, 0.3), (0.0, -0.4)])
def test_every_figure_is_cited_and_equals_its_evidence(seed: int, lift: float, mean: float) -> None:
    asked = request(150, seed, loud_lift=lift, mean=mean, signals=400)
    check_citations(asked.subject.evidence, analysed(asked).text)
    later = refined(asked, (-6e-4, 0.0, 6e-4)[seed % 3])
    check_citations(later.subject.evidence, analysed(later).text)


@pytest.mark.parametrize("n", [0, 1, 2, 5, 12, 29])
def test_below_thirty_trades_there_is_no_verdict(n: int) -> None:
    asked = request(n, signals=n + 3)
    found = analysed(asked)
    check_citations(asked.subject.evidence, found.text)
    assert not re.search(r"beyond what luck|they paid|made money after|than elsewhere", found.text)
    assert "no verdict" in found.text or n == 0
    assert not [i for i in found.insights if i.supporting_data.get("topic") == "overall"]


@pytest.mark.parametrize(
    ("exit_price", "pnl", "said"),
    [
        (99.0, -131.0, "More than the planned loss: costs took 0.3R ["),
        (98.5, -155.0, "More than the planned loss: it ran 0.5R through my stop and costs took 0.1R ["),
        (98.5, -150.0, "More than the planned loss: it ran 0.5R through my stop ["),
    ],
)
def test_a_loss_beyond_the_plan_is_told_by_what_made_it(exit_price: float, pnl: float, said: str) -> None:
    trades = made_trades(60).with_columns(pl.col("r_multiple").clip(-1.0), stop=pl.lit(99.0))
    gross = (exit_price - 100.0) * 100.0
    worst = trades.head(1).with_columns(
        exit_price=pl.lit(exit_price),
        pnl=pl.lit(pnl),
        costs=pl.lit(gross - pnl),
        r_multiple=pl.lit(pnl / 100.0),
        exit_reason=pl.lit("stop"),
    )
    made = pl.concat((worst, trades.tail(-1)), how="vertical_relaxed")
    asked = about(request(60), evidence=build_evidence(made, made_summary(made)))
    found = analysed(asked).text
    assert said in found
    check_citations(asked.subject.evidence, found)


def test_no_signals_is_said_plainly() -> None:
    assert "found nothing at all" in analysed(request(0)).text


def test_a_planted_edge_is_named_and_remembered() -> None:
    found = analysed(request(300, loud_lift=0.9))
    assert "volume" in found.text
    assert "beyond what luck explains" in found.text
    topics = [str(i.supporting_data["topic"]) for i in found.insights]
    assert any(t.startswith("volume_burst=") for t in topics)
    for insight in found.insights:
        assert 0 <= insight.confidence <= 1
        assert insight.insight


def test_on_noise_no_edge_is_claimed() -> None:
    claims = sum("beyond what luck explains" in analysed(request(150, seed)).text for seed in range(20))
    assert claims <= 3


def test_what_is_called_beyond_luck_is_a_difference_of_means_with_that_sign() -> None:
    claims = 0
    for seed in range(30):
        asked = request(250, seed, loud_lift=(0.0, 0.6, 1.2)[seed % 3])
        for claim in re.finditer(r"(better|worse) [^.]*?than elsewhere: (.*?)\[(E\d+)\](, beyond what luck)?", analysed(asked).text):
            bucket = next(b for b in asked.subject.evidence.buckets if b.id == claim[3])
            assert (bucket.r_lift or 0.0) > 0 if claim[1] == "better" else (bucket.r_lift or 0.0) < 0
            assert bucket.corrected_p is not None
            assert bucket.corrected_p < (0.05 if claim[4] else NOTABLE_P + 1e-9)
            claims += 1
    assert claims > 10


def test_the_same_goes_only_for_what_is_as_sure() -> None:
    seen = set()
    for first, second in ((0.01, 0.02), (0.01, 0.085), (0.06, 0.085)):
        asked = request(250, loud_lift=1.2)
        better = [bucket for bucket in asked.subject.evidence.buckets if bucket.column in ("volume_burst", "relative_volume")]
        p = {
            next(b for b in better if b.column == "volume_burst").id: first,
            next(b for b in better if b.column == "relative_volume").id: second,
        }
        buckets = tuple(
            replace(bucket, corrected_p=p.get(bucket.id, 1.0), r_lift=0.5, mean_r=0.4) for bucket in asked.subject.evidence.buckets
        )
        text = analysed(about(asked, evidence=replace(asked.subject.evidence, buckets=buckets))).text
        assert ("The same goes for" in text) == ((first < 0.05) == (second < 0.05))
        seen.add("The same goes for" in text)
    assert seen == {True, False}


def earned(sharpe: Interval | None, verdict: str) -> Analysis:
    trades = made_trades(200, mean=0.5)
    summary = replace(made_summary(trades), sharpe_interval=sharpe, verdict=verdict)
    return analysed(about(request(), evidence=build_evidence(trades, summary)))


def test_that_the_trades_paid_is_not_said_without_what_the_account_and_the_verdict_say() -> None:
    assert "reaches below zero" in earned(Interval(-0.5, 3.0), "no edge seen").text
    assert "too few days" in earned(None, "no verdict yet").text
    assert "could show as much by luck" in earned(Interval(0.2, 3.0), "no edge seen").text
    clear = earned(Interval(0.5, 3.0), "promising").text
    assert not re.search("below zero|too few days|by luck", clear.partition("I won")[0])


def test_an_insight_never_goes_beyond_the_verdict() -> None:
    assert "overall" not in [i.supporting_data["topic"] for i in earned(Interval(0.2, 3.0), "no edge seen").insights]
    assert "overall" not in [i.supporting_data["topic"] for i in earned(Interval(-0.5, 3.0), "promising").insights]
    assert "overall" in [i.supporting_data["topic"] for i in earned(Interval(0.5, 3.0), "promising").insights]


def test_confidence_is_the_chance_of_the_sign_shrunk_by_how_many_days_were_seen() -> None:
    assert confidence(1.0, 1000) == 0.5
    assert confidence(0.0, 0) == 0.5
    assert confidence(0.085, 100_000) < 0.65, "such a p-value may well be noise"
    assert confidence(0.05, 1_000_000) == pytest.approx(0.711, abs=0.001), "Sellke, Bayarri and Berger's table: 0.289 for noise"
    assert confidence(0.5, SHRINK) == 0.5
    assert confidence(0.0, 90) == 0.875
    assert confidence(0.01, 60) > confidence(0.05, 60) > confidence(0.05, 20)
    for found in analysed(request(300, loud_lift=0.9)).insights:
        data = found.supporting_data
        if str(data["topic"]).startswith("volume_burst="):
            assert found.confidence == confidence(data["corrected_p"], data["sessions"])


def test_another_patterns_insight_is_not_drafted_for_this_one() -> None:
    other = Insight(1, KnowledgeType.PATTERN_RULE, "gap and go", "", 0.9, {"topic": "market.trend=up", "effect": 1.0})
    found = analysed(about(request(150), knowledge=(other,)))
    assert "market.trend=up" not in [i.supporting_data["topic"] for i in found.insights]


@pytest.mark.parametrize("guidance", ["", "only in the morning", "be like water"])
def test_the_analysis_promises_no_change_that_the_proposal_may_not_make(guidance: str) -> None:
    text = analysed(about(request(300, loud_lift=0.9), guidance=guidance)).text
    assert "Next I test whether" not in text
    assert "that goes first" not in text
    if guidance:
        assert guidance in text
        assert ("nothing that I can turn into" in text) == (guidance == "be like water")


def test_the_parent_comparison_says_no_more_than_the_test() -> None:
    asked = request(100)
    assert "helped" in analysed(refined(asked, 8e-4)).text
    assert "hurt" in analysed(refined(asked, -8e-4)).text
    assert "no clear effect" in analysed(refined(asked, 1e-5)).text


def test_a_chosen_version_is_judged_on_the_sessions_it_was_not_chosen_on() -> None:
    asked = request(100)
    for unseen, word in ((1e-5, "shows no clear effect on the 64 ["), (8e-4, "helped")):
        parent = ParentComparison("1.0", ("stop: wider",), span(), span(), compared(unseen, sessions=64), compared(8e-4, sessions=160))
        later = about(replace(asked, parent=parent), version="1.1", evidence=with_parent(asked.subject.evidence, parent))
        found = analysed(later)
        check_citations(later.subject.evidence, found.text)
        assert word in found.text
        assert "sessions it was not chosen on" in found.text
        learned = [insight for insight in found.insights if str(insight.supporting_data["topic"]).startswith("change:")]
        assert len(learned) == (unseen == 8e-4)
        assert all(each.insight.endswith("better on days it was not chosen on.") for each in learned)


def test_a_clear_change_is_remembered_as_such() -> None:
    better = analysed(refined(request(100), 8e-4)).insights
    assert [i.knowledge_type for i in better if str(i.supporting_data["topic"]).startswith("change:")] == [
        KnowledgeType.PARAMETER_PREFERENCE
    ]


def test_what_was_believed_is_measured_again() -> None:
    known = Insight(1, KnowledgeType.PATTERN_RULE, "VWAP bounce", "quiet is good", 0.9, {"topic": "volume_burst=1.5 to 2x", "effect": 1.0})
    found = analysed(about(request(300, loud_lift=0.9), knowledge=(known,)))
    assert "does not hold this time" in found.text
    assert "volume_burst=1.5 to 2x" in [i.supporting_data["topic"] for i in found.insights]


def test_guidance_is_answered_and_remembered() -> None:
    found = analysed(about(request(100), guidance="avoid Fridays"))
    assert "avoid Fridays" in found.text
    (wish,) = (i.insight for i in found.insights if i.knowledge_type is KnowledgeType.GUIDANCE)
    assert "wish" in wish
    assert "avoid Fridays" in wish


def test_agents_do_not_read_alike_and_the_same_agent_repeats_itself() -> None:
    asked = request(150)
    texts = {analysed(replace(asked, name=name)).text for name in ("Ann", "Ben", "Cleo", "Dora", "Emil", "Fay")}
    assert len(texts) >= 3
    assert analysed(asked) == analysed(asked)


def test_synthetic_bars_are_called_so() -> None:
    assert "synthetic" in analysed(replace(request(50), synthetic=True)).text
    assert "synthetic" not in analysed(request(50)).text
