"""What trading a universe costs: the settings kept with it, and how a person changes them."""

from __future__ import annotations

from collections.abc import Mapping

from sqlmodel import select

from lab.agents.errors import NotThere
from lab.backtest.account import Costs
from lab.store.database import Store
from lab.store.models import Universe


def costs_of(universe: Universe) -> Costs:
    """The costs a backtest on this universe pays: those of US large caps unless a person set others."""
    return Costs.of(universe.costs)


def set_costs(store: Store, name: str, settings: Mapping[str, float | None]) -> Costs:
    """Change costs of a universe; what `settings` does not name goes back to the default. Results there are stay as they were.

    Raises:
        NotThere: no such universe.
        BacktestError: a setting that does not exist or is out of bounds.
    """
    costs = Costs.of(settings)
    with store.write() as session:
        universe = session.exec(select(Universe).where(Universe.name == name)).one_or_none()
        if universe is None:
            raise NotThere(f"There is no universe {name!r}; `lab data status` lists them.")
        universe.costs = costs.changed() or None
        session.add(universe)
    return costs


def kept_costs(store: Store, name: str) -> Costs:
    """The costs of a universe by its name. Raises NotThere without one."""
    with store.read() as session:
        universe = session.exec(select(Universe).where(Universe.name == name)).one_or_none()
        if universe is None:
            raise NotThere(f"There is no universe {name!r}; `lab data status` lists them.")
        return costs_of(universe)
