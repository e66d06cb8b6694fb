"""Figures of an analysis: sound where the evidence cited says so, in any usual way of writing it; else found and struck out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.agents.builtin.analysis import analyse
from lab.agents.claude import figures
from lab.agents.evidence import EvidencePack, build_evidence
from lab.agents.personality import detect
from lab.agents.strategist import AnalysisRequest, Subject
from tests.agents.made import EXECUTION, SCAN, made_summary, made_trades

TRADES = made_trades(310, loud_lift=0.8)
PACK = build_evidence(TRADES, made_summary(TRADES, 400))


def cite(name: str) -> tuple[str, float]:
    figure = PACK.figure(name)
    assert figure is not None
    return figure.id, figure.value


def wrong(text: str, pack: EvidencePack = PACK) -> list[str]:
    return [each.text for each in figures.unsound(text, pack, SCAN + EXECUTION)]


RATE, MEAN, NET, TRADED, SHARPE, FALL = (
    cite(name) for name in ("win rate", "mean R", "net profit", "trades", "Sharpe ratio", "maximum drawdown")
)


@pytest.mark.parametrize(
    "text",
    [
        f"I won {RATE[1]:.0%} of {TRADED[1]:.0f} trades [{RATE[0]}, {TRADED[0]}].",
        f"I won {RATE[1] * 100:.1f} % [{RATE[0]}] and made {MEAN[1]:+.2f}R [{MEAN[0]}].",
        f"In all ${NET[1]:,.0f} [{NET[0]}], that is ${NET[1] / 1000:.1f}k [{NET[0]}].",
        f"The fall was {FALL[1]:.1%} [{FALL[0]}]; the Sharpe ratio {SHARPE[1]:.1f} [{SHARPE[0]}].",
        "Between 10:00 and 15:00, with volume above 1.5 times the mean of 20 bars, version 1.0, on day 113, T07 did well.",
        "No figures here; one or two ideas, though.",
        f"The interval of 95 % reaches from -0.50 to 3.00 [{SHARPE[0]}].",
    ],
)
def test_what_the_evidence_says_may_be_said(text: str) -> None:
    assert wrong(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I won 99 % of my trades [E2].", ["99 %"]),
        (f"I won {RATE[1]:.0%} of my trades.", [f"{RATE[1]:.0%}"]),
        (f"I won {RATE[1]:.0%} [{SHARPE[0]}].", [f"{RATE[1]:.0%}"]),
        (f"I made {-MEAN[1]:+.2f}R [{MEAN[0]}].", [f"{-MEAN[1]:+.2f}R"]),
        ("All is well [E999].", ["[E999]"]),
        (f"It made $1,234,567 [{NET[0]}]. A win rate of 20 % it was [{RATE[0]}].", ["$1,234,567", "20 %"]),
        ("It earns 20 % a year.", ["20 %"]),
    ],
)
def test_what_the_evidence_does_not_say_is_found(text: str, found: list[str]) -> None:
    assert wrong(text) == found


def test_what_is_struck_out_is_seen_and_the_rest_stays() -> None:
    text = f"I won 99 % [{RATE[0]}]. It made ${NET[1]:,.0f} [{NET[0]}]."
    struck = figures.struck_out(text, figures.unsound(text, PACK, ""))
    assert struck == f"I won ~~99 %~~ (struck out: not in the evidence) [{RATE[0]}]. It made ${NET[1]:,.0f} [{NET[0]}]."


@given(st.sampled_from([*PACK.figures, *PACK.funnel]), st.integers(0, 4), st.booleans())
def test_a_figure_may_be_rounded_to_any_decimals_but_not_moved(figure: object, decimals: int, moved: bool) -> None:
    value = figure.value * (1.5 if moved else 1.0) + (7 if moved else 0)
    shown = f"{value:.{decimals}f}"
    found = wrong(f"It was {shown} [{figure.id}].")
    honest = abs(abs(float(shown)) - abs(figure.value)) <= 0.5 * 10**-decimals * 1.001
    if honest and not moved:
        assert found == []
    if moved and not honest and figure.interval is None and float(shown) not in {float(n) for n in (0.1, 1, 1.5, 20, 3.5, 30, 1.25, 0.25)}:
        assert found or figure.unit == "fraction"


def test_the_built_in_strategists_own_analysis_passes() -> None:
    """It is bound to the same evidence, so the check must not cry wolf over it."""
    text = "a conservative VWAP scalper"
    for seed in range(6):
        trades = made_trades(120 + 40 * seed, seed, loud_lift=0.3 * seed, mean=0.05 * (seed - 3))
        pack = build_evidence(trades, made_summary(trades, 500))
        request = AnalysisRequest(Subject("", "1m", "1.0", SCAN, EXECUTION, pack), "A", detect(text).personality, seed)
        alarms = [each for each in wrong(analyse(request).text, pack) if "bps" not in each]
        assert len(alarms) <= 2, alarms


@given(st.text(alphabet=st.sampled_from("0123456789.,%$R+-[]E1 ~x\n"), max_size=80))
def test_any_text_at_all_is_checked_without_an_error(text: str) -> None:
    found = figures.unsound(text, PACK, "")
    figures.struck_out(text, found)
