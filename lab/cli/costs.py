"""`lab data costs`: what trading a universe costs, shown and set."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from lab.agents.errors import NotThere

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.agents.service import Lab


def costs(lab: Lab, universe: str, changes: Sequence[str], defaults: bool) -> None:
    """Print the costs after the changes, a name and a number a line.

    Raises:
        NotThere: no such universe, or a change that is not NAME=NUMBER.
        BacktestError: a cost that does not exist or is out of bounds.
    """
    from lab.agents.costs import kept_costs, set_costs

    found = kept_costs(lab.store, universe)
    if changes or defaults:
        kept: dict[str, float | None] = {} if defaults else dict(found.changed())
        found = set_costs(lab.store, universe, kept | dict(_change(text) for text in changes))
    print(f"Trading {universe} costs {found.in_words()}.")
    for name, value in asdict(found).items():
        print(f"  {name} = {'none' if value is None else f'{value:g}'}")


def _change(text: str) -> tuple[str, float | None]:
    name, sign, value = text.partition("=")
    if value.strip().lower() == "none":
        return name.strip(), None
    try:
        return name.strip(), float(value)
    except ValueError:
        wrong = f"{value.strip()!r} is no number" if sign else "there is no ="
        raise NotThere(f"--set {text}: {wrong}; write it as --set slippage_bps=2.") from None
