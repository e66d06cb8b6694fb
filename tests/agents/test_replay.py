"""Replaying an iteration gives the same bits, or says which input changed."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from lab.agents.errors import CannotIterate, NotThere
from lab.agents.service import Lab
from lab.agents.span import bars_folder
from lab.agents.views import IterationView
from lab.market import BarsCache
from lab.store.models import AgentIteration, Universe


def test_a_replay_gives_the_same_bits(lab: Lab, agent_id: int, learn: Callable[..., IterationView]) -> None:
    view = learn(lab, agent_id)
    outcome = lab.replay(view.row.id)
    assert outcome.same
    assert outcome.changed == ()


def test_a_replay_uses_the_account_the_iteration_had(lab: Lab, agent_id: int, learn: Callable[..., IterationView]) -> None:
    view = learn(lab, agent_id)
    lab.update_agent(agent_id, risk={"max_positions": 1.0})
    assert lab.replay(view.row.id).same


def test_changed_bars_and_engine_are_named(lab: Lab, agent_id: int, learn: Callable[..., IterationView]) -> None:
    view = learn(lab, agent_id)
    with lab.store.read() as session:
        universe = session.get_one(Universe, 1)
    cache = BarsCache(bars_folder(lab.workspace.bars, universe.synthetic))
    ticker = lab.trades(view.row.id)[0].ticker
    prices = [pl.col(name) * 1.5 for name in ("open", "high", "low", "close")]
    cache.write(ticker, "1m", cache.read([ticker], "1m").with_columns(prices), cache.source(ticker, "1m"))
    with lab.store.write() as session:
        session.get_one(AgentIteration, view.row.id).engine_version = "0"
    outcome = lab.replay(view.row.id)
    assert not outcome.same
    assert len(outcome.changed) == 2


def test_what_cannot_be_replayed_is_said(lab: Lab, agent_id: int) -> None:
    with pytest.raises(NotThere):
        lab.replay(999)
    with pytest.raises(CannotIterate, match="no finished backtest"):
        lab.replay(lab.start_iteration(agent_id))
