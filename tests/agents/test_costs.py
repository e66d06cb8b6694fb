"""What trading a universe costs is set by a person, paid by its iterations, and stands beside their results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from lab.agents.costs import kept_costs, set_costs
from lab.agents.errors import NotThere
from lab.agents.jobs import BarsSlice
from lab.agents.loading import finer_bars, finer_fingerprint
from lab.agents.service import Lab
from lab.agents.span import learning_slice
from lab.agents.views import IterationView
from lab.backtest import BacktestError, Costs
from lab.store.models import Universe


def test_iterations_pay_the_costs_of_their_universe_and_replays_those_they_paid(
    lab: Lab, agent_id: int, learn: Callable[..., IterationView]
) -> None:
    name = lab.state().universes[0].name
    assert kept_costs(lab.store, name) == Costs()
    set_costs(lab.store, name, {"commission_bps": 0.0, "commission_per_share": 0.005})
    view = learn(lab, agent_id)
    assert view.result is not None
    assert view.result.costs.startswith("commission 0.5 cents a share and slippage 1 bps a side")
    set_costs(lab.store, name, {})
    assert kept_costs(lab.store, name) == Costs()
    assert lab.replay(view.row.id).same


def test_costs_that_can_not_be_are_refused(lab: Lab) -> None:
    with pytest.raises(NotThere, match="no universe 'moon'"):
        set_costs(lab.store, "moon", {})
    name = lab.state().universes[0].name
    with pytest.raises(BacktestError, match="no cost called comission_bps: there are commission_bps"):
        set_costs(lab.store, name, {"comission_bps": 1.0})
    with pytest.raises(BacktestError, match="slippage_atr is 3"):
        set_costs(lab.store, name, {"slippage_atr": 3.0})
    with pytest.raises(BacktestError, match="slippage_bps must be a number"):
        set_costs(lab.store, name, {"slippage_bps": None})


def test_shorter_bars_that_are_cached_are_found_for_longer_ones(lab: Lab) -> None:
    with lab.store.read() as session:
        minutes = learning_slice(session.get_one(Universe, 1), lab.workspace.bars)
    assert minutes.timeframe == "1m"
    assert (finer_bars(minutes), finer_fingerprint(minutes)) == (None, "")
    longer = BarsSlice(**{name: getattr(minutes, name) for name in BarsSlice.__dataclass_fields__} | {"timeframe": "15m"})
    finer = finer_bars(longer)
    assert finer is not None
    assert (finer.minutes, sorted(finer.frame["ticker"].unique())) == (15, sorted(longer.tickers))
    assert finer.frame.select(pl.col("session").max()).item() <= longer.last
    assert len(finer_fingerprint(longer)) == 64
    assert Path(longer.folder).is_dir()
