"""The tear sheet of an iteration: all that is known of what a result is worth, gathered once, for the page, the screen and the command."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from lab.agents.outputs import BENCHMARKS, TRADES, folder_of, read_output
from lab.agents.proof.rules import Verdict
from lab.agents.proof.views import NullArmReport, RobustnessReport, VaultReport, VaultView, WalkForwardReport
from lab.agents.views import IterationView

if TYPE_CHECKING:
    from lab.agents.proof.service import Proof
    from lab.agents.proof.tries import Tries
    from lab.backtest import Breakdown as Breakdown

Curve = tuple[tuple[date, float], ...]


@dataclass(frozen=True, slots=True)
class TearSheet:
    """Everything a person needs to judge a result, each figure with what it is worth."""

    view: IterationView
    trials: dict[str, int]
    """How many variants the agent tried, by what each was first tried for."""
    tried_in_all: int
    """Variants in the ledger on bars that overlap, by whomever, up to now."""
    effective_trials: float | None
    """The number of independent ones they are worth."""
    deflated: float | None
    """The deflated Sharpe ratio over all of them; that among the result's figures is over those tried when it was measured."""
    vault_state: VaultView
    benchmarks: dict[str, Curve]
    """Name -> what the starting equity in it was worth, by session."""
    r_multiples: tuple[float, ...]
    """Of the trades, in order of entry."""
    monthly: tuple[tuple[str, float], ...]
    """Month ("2024-08") -> return."""
    breakdowns: tuple[Breakdown, ...]
    walk_forward: WalkForwardReport | None
    robustness: RobustnessReport | None
    null_arm: NullArmReport | None
    vault: VaultReport | None
    verdict: Verdict | None = None
    """The one word with all that was tried up to now; None before the backtest."""

    @property
    def drawdown(self) -> Curve:
        """How far below its last peak the account stood, as negative fractions."""
        result = self.view.result
        if result is None:
            return ()
        peak, found = result.starting_equity, []
        for day, value in result.equity:
            peak = max(peak, value)
            found.append((day, value / peak - 1))
        return tuple(found)


def tear_sheet(proof: Proof, view: IterationView, results: Path, tries: Tries | None) -> TearSheet:
    """Gather the sheet of a measured iteration; reads its files."""
    import polars as pl

    iteration_id = view.row.id
    folder = folder_of(results, iteration_id)
    result = view.result
    benchmarks: dict[str, Curve] = {}
    if result is not None and (folder / BENCHMARKS).exists():
        held = read_output(folder, BENCHMARKS).with_columns(pl.col("equity") * result.starting_equity)
        for (name,), curve in held.group_by("benchmark", maintain_order=True):
            benchmarks[str(name)] = tuple(curve.select("session", "equity").iter_rows())
    vault = proof.vault_report(iteration_id)
    r_multiples = tuple(read_output(folder, TRADES)["r_multiple"].to_list()) if (folder / TRADES).exists() else ()
    return TearSheet(
        view=view,
        trials=proof.trials(view.row.agent_id),
        tried_in_all=0 if tries is None else tries.trials.count,
        effective_trials=None if tries is None else tries.effective,
        deflated=None if tries is None else tries.deflated,
        vault_state=proof.vault(view.universe.id),
        benchmarks=benchmarks,
        r_multiples=r_multiples,
        monthly=() if result is None else _monthly(result.equity, result.starting_equity),
        breakdowns=proof.breakdowns(iteration_id),
        walk_forward=proof.walk_forward(iteration_id),
        robustness=proof.robustness(iteration_id),
        null_arm=proof.null_arm(view.row.agent_id),
        vault=vault,
        verdict=None if result is None or tries is None else proof.verdict(iteration_id) if vault is not None else tries.verdict(result),
    )


def _monthly(equity: Curve, starting: float) -> tuple[tuple[str, float], ...]:
    found: dict[str, tuple[float, float]] = {}
    before = starting
    for day, value in equity:
        month = f"{day:%Y-%m}"
        first, _ = found.get(month, (before, value))
        found[month] = first, value
        before = value
    return tuple((month, last / first - 1 if first > 0 else 0.0) for month, (first, last) in found.items())
