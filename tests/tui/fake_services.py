"""What the laboratory in memory answers about proof, money and minds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from lab.agents.budget.views import BudgetView, By, CallRow, CallView, Estimate, Streaming, UsageRow
from lab.agents.proof.graduation import check_rows
from lab.agents.proof.sheet import TearSheet
from lab.agents.proof.views import Checklist, GraduationRow, ProofView, VaultView
from lab.agents.rules import Rule
from lab.agents.views import IterationView, ProposalView
from lab.backtest import Breakdown
from lab.backtest.breakdowns import Part
from lab.errors import LabError

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
TODAY = date(2026, 3, 2)


VAULT = VaultView(1, date(2025, 9, 2), date(2026, 1, 16), date(2026, 2, 20), 5, 2, (NOW, NOW), 0, True)


class FakeProof:
    """No study was ever made."""

    def __init__(self, iterations: dict[int, IterationView]) -> None:
        self._iterations = iterations

    def tear_sheet(self, iteration_id: int) -> TearSheet:
        view = self._iterations[iteration_id]
        monthly, parts = (("2025-11", 0.012), ("2026-01", -0.004)), (Part("long", 94, 51, 0.543, (0.44, 0.64), 0.12, 1_290.0, 1.2, 40.0),)
        cut = (Breakdown("direction", parts),)
        return TearSheet(view, self.trials(1), 214, 9.4, 0.31, VAULT, {}, (), monthly, cut, None, None, None, None)

    def runs(self, iteration_id: int) -> tuple[ProofView, ...]:
        return ()

    def walk_forward(self, iteration_id: int) -> None:
        return None

    robustness = null_arm = vault_report = walk_forward

    def vault(self, universe_id: int) -> VaultView:
        return VAULT

    def trials(self, agent_id: int) -> dict[str, int]:
        return {"iteration": 2}

    def waiting(self) -> tuple[Checklist, ...]:
        return ()

    def undoable(self) -> tuple[GraduationRow, ...]:
        return ()

    def graduations(self, agent_id: int) -> tuple[GraduationRow, ...]:
        return ()

    def checklist(self, agent_id: int) -> Checklist:
        return Checklist(agent_id, "VWAP Guardian", "learning", "1.1", 12, check_rows({}, None, None, None, ()), ("vault",), VAULT)


def usage_row(key: str, cost_micros: int, *, in_doubt: int = 0) -> UsageRow:
    return UsageRow(key, 8, 7 - in_doubt, 1, in_doubt, 4_000, 2_000, 14_000, 3_000, cost_micros, in_doubt * 20_000, 0)


CALL = CallRow(
    id=1,
    agent_id=1,
    agent="VWAP Guardian",
    iteration_id=12,
    iteration_number=2,
    purpose="analysis",
    attempt=1,
    model="claude-test",
    state="settled",
    reserved_micros=90_000,
    charged_micros=31_000,
    input_tokens=1_200,
    cache_write_tokens=0,
    cache_read_tokens=9_000,
    output_tokens=640,
    latency_ms=2_300,
    stop_reason="end_turn",
    error="",
    created_at=NOW,
)


class FakeUsage:
    """Some calls of two agents on three days."""

    def __init__(self) -> None:
        self.daily = {0: 5_000_000, 1: 1_000_000, 2: 1_000_000, 3: 1_000_000}
        self.rows: list[CallRow] = [CALL, replace(CALL, id=2, purpose="strategy", state="in doubt", charged_micros=90_000)]
        self.reply = "I took 94 trades."
        self.coming_in = ""

    def by(self, what: By, days: int = 30, agent_id: int | None = None) -> list[UsageRow]:
        keys = {
            By.AGENT: ("VWAP Guardian", "Gap Hunter"),
            By.PURPOSE: ("analysis", "strategy"),
            By.MODEL: ("claude-test",),
            By.DAY: tuple((TODAY - timedelta(days=n)).isoformat() for n in (2, 1, 0)),
            By.ITERATION: ("VWAP Guardian #2",),
        }
        return [usage_row(key, 310_000 - 40_000 * n, in_doubt=n == 1) for n, key in enumerate(keys[what])]

    def total(self, days: int = 30, agent_id: int | None = None) -> UsageRow:
        return usage_row("all", 540_000, in_doubt=1)

    def calls(self, agent_id: int | None = None, iteration_id: int | None = None, limit: int = 200) -> list[CallRow]:
        return [row for row in self.rows if iteration_id in (None, row.iteration_id)]

    def call(self, call_id: int) -> CallView:
        row = next(row for row in self.rows if row.id == call_id)
        return CallView(row, '{"model": "claude-test"}', "You trade T07.", '{"stop": 1}', self.reply, "analysis-1", "2026-01-01")

    def streaming(self, iteration_id: int) -> Streaming | None:
        return Streaming(9, iteration_id, "analysis", self.coming_in) if self.coming_in else None

    def budgets(self) -> list[BudgetView]:
        return [self.budget(agent_id) for agent_id in self.daily]

    def budget(self, agent_id: int) -> BudgetView:
        names = {0: "the whole lab", 1: "VWAP Guardian", 2: "Gap Hunter", 3: "Reversal Artist"}
        spent = 540_000 if agent_id == 0 else 310_000 if agent_id == 1 else 0
        return BudgetView(agent_id, names[agent_id], self.daily[agent_id], False, spent, 0, TODAY, NOW + timedelta(hours=14))

    def spent_today(self) -> dict[int, int]:
        return {1: 310_000}

    def whole_lab(self) -> BudgetView:
        return self.budget(0)

    def set_budget(self, agent_id: int, daily_micros: int) -> BudgetView:
        if daily_micros > 100_000_000_000:
            raise LabError("A budget has to be between $0 and $100,000 a day.")
        self.daily[agent_id] = daily_micros
        return self.budget(agent_id)

    def estimate(self, agent_id: int) -> Estimate:
        return Estimate(40_000, 120_000, 3, 0.8)


class FakeMinds:
    """Strategists that are chosen and rules that are set."""

    def __init__(self) -> None:
        self.chosen: dict[int, str] = {}
        self.rules: dict[int, Rule | None] = {}

    def sentence(self, agent_id: int) -> str:
        return f"{self.chosen.get(agent_id, 'auto')}: the built-in strategist runs, since there is no key."

    def ahead(self, agent_id: int) -> str:
        return ""

    def choose(self, agent_id: int, choice: str) -> str:
        self.chosen[agent_id] = choice
        return self.sentence(agent_id)

    def rule(self, agent_id: int) -> Rule | None:
        return self.rules.get(agent_id)

    def set_rule(self, agent_id: int, rule: Rule | None) -> list[int]:
        self.rules[agent_id] = rule
        return []

    def go_on(self) -> list[int]:
        return []

    def undoable(self) -> list[ProposalView]:
        return []
