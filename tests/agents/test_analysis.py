"""The analysis: every figure cited and true, no verdict on a handful of trades, and no two agents alike."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest

from lab.agents.builtin import BuiltInStrategist
from lab.agents.evidence import Bucket, EvidencePack, Figure, TradeEvidence, build_evidence, with_parent
from lab.agents.personality import detect
from lab.agents.strategist import Analysis, AnalysisRequest, Insight, KnowledgeType, ParentComparison
from tests.agents.made import EXECUTION, INSTRUCTIONS, SCAN, compared, made_summary, made_trades, span


def request(n: int = 200, seed: int = 0, *, loud_lift: float = 0.0, mean: float = 0.0, signals: int | None = None) -> AnalysisRequest:
    trades = made_trades(n, seed, loud_lift=loud_lift, mean=mean)
    return AnalysisRequest(
        name="VWAP Guardian",
        instructions=INSTRUCTIONS,
        system_prompt="",
        personality=detect(INSTRUCTIONS).personality,
        timeframe="1m",
        version="1.0",
        iteration_number=1,
        scan_script=SCAN,
        execution_script=EXECUTION,
        evidence=build_evidence(trades, made_summary(trades, signals)),
    )


def refined(asked: AnalysisRequest, difference: float) -> AnalysisRequest:
    parent = ParentComparison("1.0", ("stop: wider",), span(), span(), compared(difference))
    return replace(asked, version="1.1", parent=parent, evidence=with_parent(asked.evidence, parent))


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
        numbers = [evidence.r_multiple]
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
    check_citations(asked.evidence, analysed(asked).text)
    later = refined(asked, (-6e-4, 0.0, 6e-4)[seed % 3])
    check_citations(later.evidence, analysed(later).text)


@pytest.mark.parametrize("n", [0, 1, 2, 5, 12, 29])
def test_below_thirty_trades_there_is_no_verdict(n: int) -> None:
    asked = request(n, signals=n + 3)
    found = analysed(asked)
    check_citations(asked.evidence, found.text)
    assert not re.search(r"beyond what luck|they paid|made money after", found.text)
    assert "no verdict" in found.text or n == 0
    assert not [i for i in found.insights if i.supporting_data.get("topic") == "overall"]


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


def test_the_parent_comparison_says_no_more_than_the_test() -> None:
    asked = request(100)
    assert "helped" in analysed(refined(asked, 8e-4)).text
    assert "hurt" in analysed(refined(asked, -8e-4)).text
    assert "no clear effect" in analysed(refined(asked, 1e-5)).text


def test_a_clear_change_is_remembered_as_such() -> None:
    better = analysed(refined(request(100), 8e-4)).insights
    assert [i.knowledge_type for i in better if str(i.supporting_data["topic"]).startswith("change:")] == [
        KnowledgeType.PARAMETER_PREFERENCE
    ]


def test_what_was_believed_is_measured_again() -> None:
    known = Insight(1, KnowledgeType.PATTERN_RULE, "VWAP bounce", "loud is good", 0.9, {"topic": "volume_burst=3x or more", "effect": -1.0})
    found = analysed(replace(request(300, loud_lift=0.9), knowledge=(known,)))
    assert "does not hold this time" in found.text
    assert "volume_burst=3x or more" in [i.supporting_data["topic"] for i in found.insights]


def test_guidance_is_answered_and_remembered() -> None:
    found = analysed(replace(request(100), guidance="avoid Fridays"))
    assert "avoid Fridays" in found.text
    assert [i.insight for i in found.insights if i.knowledge_type is KnowledgeType.GUIDANCE] == ["avoid Fridays"]


def test_agents_do_not_read_alike_and_the_same_agent_repeats_itself() -> None:
    asked = request(150)
    texts = {analysed(replace(asked, name=name)).text for name in ("Ann", "Ben", "Cleo", "Dora", "Emil", "Fay")}
    assert len(texts) >= 3
    assert analysed(asked) == analysed(asked)


def test_synthetic_bars_are_called_so() -> None:
    assert "synthetic" in analysed(replace(request(50), synthetic=True)).text
    assert "synthetic" not in analysed(request(50)).text
