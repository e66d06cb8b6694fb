"""What screens and commands read of the studies of a result: plain snapshots. Ratios are fractions; None means "not measured"."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from lab.agents.views import Interval


@dataclass(frozen=True, slots=True)
class FoldRow:
    """One walk-forward fold: what was chosen on one stretch, and how it did on the next."""

    number: int
    chosen_first: date
    chosen_last: date
    judged_first: date
    judged_last: date
    chosen_sharpe: float | None
    """In-sample, annualised."""
    judged_sharpe: float | None
    """Out-of-sample."""
    chosen_return: float
    judged_return: float
    chosen_trades: int
    judged_trades: int
    values: tuple[float, ...]
    """Of the chosen variant, in the order of the report's parameters."""


@dataclass(frozen=True, slots=True)
class SchemeRow:
    """All folds of one scheme."""

    scheme: str
    """"anchored" or "rolling"."""
    folds: tuple[FoldRow, ...]
    chosen_sharpe: float | None
    """Mean of the folds', in-sample."""
    judged_sharpe: float | None
    """Of all judged sessions together, out-of-sample."""
    judged_interval: Interval | None
    judged_return: float
    curve: tuple[tuple[date, float], ...]
    """Out of sample, a dollar's worth after each judged session."""


@dataclass(frozen=True, slots=True)
class WalkForwardReport:
    schemes: tuple[SchemeRow, ...]
    """Empty where the span is too short for a single fold; `shortfall` then says so."""
    shortfall: str
    parameters: tuple[str, ...]
    variants: int
    holding_sessions: int
    """The longest a position was held, in nights: what was purged and embargoed."""
    overfitting: float | None
    """Probability of backtest overfitting among the variants (CSCV)."""
    superior_p: float | None
    """p-value of the SPA test of the variants against cash."""
    ideas: int
    """Different ideas among the variants."""


@dataclass(frozen=True, slots=True)
class ShakenRow:
    """The result with one thing changed."""

    name: str
    detail: str
    trades: int
    sharpe: float | None
    total_return: float
    holds: bool
    """Whether it still earned after costs."""


@dataclass(frozen=True, slots=True)
class PlateauPoint:
    values: tuple[float, ...]
    trades: int
    sharpe: float | None


@dataclass(frozen=True, slots=True)
class Plateau:
    """The neighbourhood of the chosen values: for one or two parameters, the others as they are."""

    parameters: tuple[str, ...]
    own: tuple[float, ...]
    points: tuple[PlateauPoint, ...]
    neighbours: float | None
    """Median Sharpe ratio one step away, as a fraction of the own one: near 1 is a plateau, near 0 a needle. None where it loses."""


@dataclass(frozen=True, slots=True)
class RobustnessReport:
    base_trades: int
    base_sharpe: float | None
    base_return: float
    rows: tuple[ShakenRow, ...]
    break_even_costs: float | None
    """The multiple of the costs at which it earns nothing; None where it still earns at three times or loses without any."""
    plateau: Plateau | None
    """None where the scripts have nothing to vary."""


@dataclass(frozen=True, slots=True)
class NullArmReport:
    """An agent's version beside two kinds of luck at its own budget."""

    own_sharpe: float | None
    budget: int
    """Variants the agent has had tested on these bars, and as many random ones."""
    random_best: float | None
    """The best Sharpe ratio of the random, unrefined variants with 30 trades or more."""
    random_median: float | None
    random_below: float | None
    """Share of them that stay below the agent's."""
    random_measured: int
    shuffled_best: float | None
    """The best Sharpe ratio the same loop ended with on the same bars with their returns shuffled in blocks."""
    shuffled_mean: float | None
    shuffled_runs: int

    @property
    def beats_random_by(self) -> float | None:
        """Sharpe ratio above the best of the random variants."""
        return None if self.own_sharpe is None or self.random_best is None else self.own_sharpe - self.random_best

    @property
    def beats_shuffled_by(self) -> float | None:
        """Sharpe ratio above the best that the loop found on shuffled bars."""
        return None if self.own_sharpe is None or self.shuffled_best is None else self.own_sharpe - self.shuffled_best


@dataclass(frozen=True, slots=True)
class VaultReport:
    """A version in the vault, after costs."""

    first_session: date
    last_session: date
    sessions: int
    trades: int
    wins: int
    win_rate: float | None
    win_rate_interval: Interval | None
    sharpe: float | None
    sharpe_interval: Interval | None
    probability: float | None
    """That the true Sharpe ratio is above zero (probabilistic Sharpe ratio)."""
    total_return: float
    max_drawdown: float
    benchmarks: dict[str, float]
    openings: int = 1
    """How often this vault had been opened, this opening included."""
    seen_by: int = 0
    """Variants tried on learning spans that hold sessions of it."""


@dataclass(frozen=True, slots=True)
class ProofView:
    """A study that was asked for."""

    id: int
    kind: str
    iteration_id: int
    state: str
    """"queued", "running", "done" or "failed"."""
    progress: float
    note: str
    failure: str
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class VaultView:
    """A universe's learning span, folds and vault."""

    universe_id: int
    first_session: date
    learning_until: date
    last_session: date
    folds: int
    openings: int
    """Openings of any vault that shares sessions with this one, by whomever, ever."""
    opened_at: tuple[datetime, ...]
    seen_by: int
    fixed: bool
    """Whether something was tested already, so that the boundary can't be moved any more."""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One rule of the graduation checklist."""

    rule: str
    """Its key in the agent's rules, such as "least_trades"."""
    says: str
    """In words, with its bound."""
    asked: float
    found: float | None
    """None where it was not measured yet."""
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Checklist:
    agent_id: int
    agent: str
    status: str
    version: str
    iteration_id: int | None
    rows: tuple[CheckRow, ...]
    missing: tuple[str, ...]
    """Studies that have not been made of this version yet: "robustness", "vault"…"""
    vault: VaultView

    @property
    def ready(self) -> bool:
        return all(row.passed for row in self.rows)

    @property
    def up(self) -> bool:
        """Whether nothing but the person's decision is missing: the vault was opened, or all is passed that can be before it is."""
        if "vault" not in self.missing:
            return True
        has_vault = self.vault.learning_until < self.vault.last_session
        return has_vault and all(row.passed or row.rule == "least_vault" for row in self.rows)


def moved(from_status: str, to_status: str) -> str:
    """What a decision on a graduation did, in words."""
    if from_status == to_status:
        return f"stays {to_status}".replace("_", " ")
    return f"{from_status} to {to_status}".replace("_", " ")


@dataclass(frozen=True, slots=True)
class GraduationRow:
    id: int
    agent: str
    version: str
    from_status: str
    to_status: str
    """The same where the person turned a graduation down; `UP_AGAIN` where they took a decision back."""
    note: str
    failed_rules: tuple[str, ...]
    """The rules that were not passed when the person decided."""
    decided_at: datetime
    agent_id: int = field(default=0, kw_only=True)

    @property
    def overruled(self) -> tuple[str, ...]:
        """The rules that were not passed and did not keep it from trading on paper."""
        return self.failed_rules if self.to_status == "paper_trading" else ()
