"""What a person asks of the laboratory, and the sentences they get for what can't be done."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lab.agents.errors import BadAgent, NotThere
from lab.agents.service import Lab
from lab.agents.views import Personality
from lab.market import trading_sessions

TEXT = "Fade opening gaps in calm markets"


def create(lab: Lab, name: str, text: str = TEXT) -> int:
    return lab.create_agent(name, text, lab.detect(text).personality, lab.state().universes[0].id)


@pytest.mark.parametrize(
    ("name", "text", "field", "sentence"),
    [
        ("  ", TEXT, "name", "Give the agent a name"),
        ("x" * 61, TEXT, "name", "61 characters long"),
        ("bell\a", TEXT, "name", "can't be printed"),
        ("vwap guardian", TEXT, "name", "exists already"),
        ("Sandwich", "make me a sandwich", "instructions", "say nothing about trading"),
        ("Empty", "  ", "instructions", "how the agent should trade"),
        ("Long", "vwap " * 1000, "instructions", "4000 are the most"),
    ],
)
def test_an_agent_that_cannot_be_made_is_refused_at_the_right_input(
    lab: Lab, agent_id: int, name: str, text: str, field: str, sentence: str
) -> None:
    with pytest.raises(BadAgent, match=sentence) as refused:
        create(lab, name, text)
    assert refused.value.field == field
    assert len(lab.agents()) == 1


def test_the_system_prompt_is_made_and_follows_what_is_changed(lab: Lab, agent_id: int) -> None:
    before = lab.agent(agent_id)
    assert "VWAP Guardian" in before.system_prompt
    lab.update_agent(agent_id, name="Gap Hunter", instructions=TEXT, personality=lab.detect(TEXT).personality)
    after = lab.agent(agent_id)
    assert "Gap Hunter" in after.system_prompt
    assert TEXT in after.system_prompt
    assert after.row.personality == lab.detect(TEXT).personality


def test_keeping_its_own_name_is_no_clash(lab: Lab, agent_id: int) -> None:
    lab.update_agent(agent_id, name="VWAP GUARDIAN")
    assert lab.agent(agent_id).row.name == "VWAP GUARDIAN"


def test_a_risk_setting_is_checked(lab: Lab, agent_id: int) -> None:
    known = lab.agent(agent_id).risk_config
    setting = next(iter(known))
    lab.update_agent(agent_id, risk={setting: 2.0})
    assert lab.agent(agent_id).risk_config[setting] == 2.0
    for wrong in ({setting: -1.0}, {"luck": 1.0}):
        with pytest.raises(BadAgent):
            lab.update_agent(agent_id, risk=wrong)


def test_what_is_not_there_is_named(lab: Lab, agent_id: int) -> None:
    for ask in (lab.agent, lab.iteration, lab.proposal, lab.make_current, lab.delete_agent, lab.apply, lab.start_iteration):
        with pytest.raises(NotThere):
            ask(999)
    with pytest.raises(NotThere, match="VWAP Guardian"):
        lab.agent_named("nobody")
    assert lab.agent_named("vwap guardian").id == agent_id


def test_a_change_by_another_terminal_is_noticed(lab: Lab, agent_id: int) -> None:
    other = Lab(lab.workspace.home)
    try:
        token = lab.change_token()
        assert lab.change_token() == token
        other.set_preference("theme", "paper")
        assert lab.change_token() != token
        assert lab.preference("theme") == "paper"
    finally:
        other.close()


def test_the_demo_market_made_twice_is_the_same_universe(lab: Lab) -> None:
    first = lab.state().universes
    again = lab.make_demo_market(lambda share, note: None)
    assert [universe.id for universe in lab.state().universes] == [universe.id for universe in first] == [again.id]
    assert again.synthetic


def test_any_market_beside_another_is_kept_as_that_other_and_named_limits_as_named(lab: Lab) -> None:
    personality = Personality("balanced", "scalper", ("VWAP bounce",), ("any market", "calm market"))
    agent_id = lab.create_agent("Ann", "A VWAP scalper, max 3 positions", personality, lab.state().universes[0].id)
    assert lab.agent(agent_id).row.personality.markets == ("calm market",)
    assert lab.agent(agent_id).risk_config["max_positions"] == 3
    lab.update_agent(
        agent_id, instructions="A VWAP scalper, risk 2%", personality=replace(personality, markets=("any market", "rising market"))
    )
    assert lab.agent(agent_id).row.personality.markets == ("rising market",)
    assert lab.agent(agent_id).risk_config["risk_percent"] == 2.0


def test_market_context_imported_later_reaches_the_universes_that_are_there(lab: Lab, tmp_path: Path) -> None:
    days = pl.DataFrame({"date": trading_sessions(date(2024, 1, 2), date(2024, 6, 28))["session"]})
    walk = pl.lit(100.0) + pl.int_range(pl.len()).cast(pl.Float64) * 0.1
    bars = days.with_columns(open=walk, high=walk + 1, low=walk - 1, close=walk + 0.5, volume=pl.lit(1e6))
    for ticker in ("AAPL", "SPY", "VIX"):
        bars.with_columns(ticker=pl.lit(ticker)).write_csv(tmp_path / f"{ticker}.csv")
    reports = [
        lab.import_bars(lab.preview_import(str(tmp_path / f"{name}.csv")), name, lambda share, note: None)
        for name in ("AAPL", "SPY", "VIX")
    ]
    assert [report.universe for report in reports] == ["AAPL", "SPY", ""]
    universes = {universe.name: universe for universe in lab.state().universes}
    assert "VIX" not in universes
    assert not [sentence for sentence in universes["AAPL"].missing_context if "SPY" in sentence or "VIX" in sentence]
