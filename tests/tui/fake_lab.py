"""A laboratory in memory with canned views, for the screens' tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from lab.agents.doctor import Finding, Health
from lab.agents.drafting import FirstDraft
from lab.agents.evidence import Bucket, EvidencePack, TradeEvidence
from lab.agents.firm import Curve, Firm, firm_of
from lab.agents.sampling import Sample
from lab.agents.trade_views import Headline, TradeBar, TradeView
from lab.agents.version_trades import TradesCompared, between
from lab.agents.views import (
    AgainstParent,
    AgentRow,
    AgentView,
    CoverageRow,
    DetectedPersonality,
    EvidenceRow,
    ImportPreview,
    ImportReport,
    Interval,
    IterationRow,
    IterationView,
    KnowledgeRow,
    MeasuredEffect,
    Personality,
    ProposalView,
    ResultSummary,
    ScriptProblem,
    StepView,
    TradeRow,
    UniverseView,
    VersionComparison,
    VersionRow,
    WorkspaceState,
)
from lab.errors import LabError
from tests.tui.fake_data import FakeCache, FakeFetchList, FakeNews, UniverseList
from tests.tui.fake_services import FakeMinds, FakeProof, FakeUsage

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
STEPS = ("generate", "scan", "enrich", "backtest", "analyse", "propose")

SCAN = """near  = low <= vwap() * 1.001 and close > vwap()
loud  = volume > param(3.0, low=1.0, high=5.0) * sma(volume, 20)
long  = near and loud and time_between("10:00", "11:30")
score = volume / sma(volume, 20)
"""
NEW_SCAN = SCAN.replace("param(3.0", "param(4.0").replace('"11:30")', '"11:30") and market.trend >= 0')
EXECUTION = """entry    = at_open()
stop     = low - 0.5 * atr(14)
target   = close + 2.0 * (close - stop)
exit     = crosses_below(close, ema(close, 20))
max_bars = 60
flat_by  = "15:55"
risk     = 0.5
"""

UNIVERSE = UniverseView(
    id=1,
    name="Demo market",
    tickers=("AAPL", "AMD", "MSFT", "NVDA"),
    timeframe="1m",
    source="demo",
    synthetic=True,
    first_session=date(2025, 9, 2),
    learning_until=date(2026, 1, 16),
    last_session=date(2026, 2, 20),
    missing_context=(),
)
REAL_UNIVERSE = replace(
    UNIVERSE, id=2, name="lean_1h", tickers=("AAPL", "BAC", "IBM", "SPY"), timeframe="1h", source="import", synthetic=False
)

VWAP = Personality("conservative", "scalper", ("vwap bounce",), ("trending up", "calm"))
GAP = Personality("aggressive", "day trader", ("gap and go", "opening-range breakout"), ("volatile",))
REVERSAL = Personality("balanced", "swing trader", ("rsi reversal",), ("sideways",))

EVIDENCE = (
    EvidenceRow("E1", "trades", "94"),
    EvidenceRow("E3", "hour of day 09:30 to 10:30", "+0.21R (-0.02R to 0.44R) over 41 trades, 58% won"),
    EvidenceRow("E4", "hour of day from 10:30", "+0.05R (-0.18R to 0.27R) over 53 trades, 49% won"),
    EvidenceRow("E9", "best trade", "AMD long +0.8R, 22 bars, out by stop"),
)


def bucket(evidence_id: str, dimension: str, name: str, trades: int, wins: int, mean_r: float, corrected_p: float | None) -> Bucket:
    rate = wins / trades
    return Bucket(
        *(evidence_id, dimension, dimension, name, None, None, trades, wins, rate, Interval(rate - 0.15, rate + 0.15), 0.02),
        *(mean_r, Interval(mean_r - 0.23, mean_r + 0.23), 0.1, mean_r * trades, corrected_p, corrected_p, 30),
    )


BUCKETS = (
    bucket("E3", "hour of day", "09:30 to 10:30", 41, 24, 0.21, 0.41),
    bucket("E4", "hour of day", "from 10:30", 53, 26, 0.05, 0.88),
    bucket("E5", "weekday", "Monday", 20, 14, 0.61, 0.012),
    bucket("E6", "weekday", "Tuesday", 74, 36, -0.02, 0.93),
    bucket("E7", "relative volume", "3x or more", 5, 1, -0.7, None),
)


def result(*, win_rate: float = 0.543, sharpe: float = 1.24, total_return: float = 0.031, trades: int = 94, seed: int = 3) -> ResultSummary:
    """A believable result whose numbers fit each other."""
    equity, value, days = [], 100_000.0, 94
    for day in range(days):
        wiggle = (((day * 7919 + seed * 104729) % 1000) / 1000 - 0.5) * 900
        value = 100_000 * (1 + total_return * (day + 1) / days) + wiggle
        equity.append((date(2025, 9, 2) + timedelta(days=day), round(value, 2)))
    wins = round(trades * win_rate)
    return ResultSummary(
        signals=trades + 30,
        trades=trades,
        wins=wins,
        win_rate=win_rate,
        win_rate_interval=Interval(win_rate - 0.1, win_rate + 0.1),
        sharpe=sharpe,
        sharpe_interval=Interval(sharpe - 1.6, sharpe + 1.7),
        total_return=total_return,
        max_drawdown=-0.021,
        profit_factor=1.31,
        expectancy_r=0.12,
        average_win=310.0,
        average_loss=-240.0,
        costs_paid=812.4,
        median_risk=0.0021,
        starting_equity=100_000.0,
        final_equity=100_000 * (1 + total_return),
        funnel={"signals": trades + 30, "trades": trades, "in position": 18, "no slot": 7, "after cut-off": 5},
        equity=tuple(equity),
        benchmarks={"buy and hold SPY": 0.052, "equal-weight universe": 0.044},
        costs="0.5 bps commission, 1 bps slippage, at most 5% of a bar's volume",
        verdict="no evidence",
        verdict_reason="The interval of the Sharpe ratio contains zero.",
    )


class FakeLab:
    """The methods of `lab.agents.service.Lab` that the screens call, over lists in memory."""

    def __init__(self, home: Path, *, empty: bool = False, running: bool = True) -> None:
        self.home = home
        self._lock = threading.Lock()
        self._token = 1
        self.calls: list[str] = []
        self.sample: Sample | None = None
        self.headline = "Shares rise"
        self.usage = FakeUsage()
        self.minds = FakeMinds()
        self.preferences: dict[str, str] = {"tour": "seen"}
        self.universes = UniverseList([] if empty else [UNIVERSE])
        self.cache, self.news = FakeCache(), FakeNews()
        self.fetches = FakeFetchList(self.changed)
        self.bars: list[CoverageRow] | None = None
        """What is cached, where a test says so."""
        self.notices: tuple[str, ...] = ()
        self.rows: dict[int, AgentRow] = {}
        self.iterations: dict[int, IterationView] = {}
        self.proof = FakeProof(self.iterations)
        self.versions: dict[int, list[VersionRow]] = {}
        self.knowledge: dict[int, list[KnowledgeRow]] = {}
        self.proposals: dict[int, ProposalView] = {}
        if not empty:
            self._fill(running)

    def _fill(self, running: bool) -> None:
        self._add_agent(1, "VWAP Guardian", "Create a conservative VWAP scalper for tech stocks.", VWAP)
        self._add_agent(2, "Gap Hunter", "Trade gaps of more than 3 % that hold in the first ten minutes, with loud volume.", GAP)
        self._add_agent(3, "Reversal Artist", "Fade exhausted moves when RSI is extreme near support.", REVERSAL)
        self._add_iteration(11, 1, 1, "1.0", result(win_rate=0.512, sharpe=0.82, total_return=0.019, trades=112), "applied")
        self._add_iteration(12, 1, 2, "1.1", result(), "awaiting approval", proposal=True)
        self._add_iteration(
            21,
            2,
            1,
            "1.0",
            result(win_rate=0.438, sharpe=-0.41, total_return=-0.012, trades=41, seed=5),
            "awaiting approval",
            proposal=True,
        )
        if running:
            self._add_iteration(31, 3, 1, "1.0", None, "backtest")
            self.rows[3] = replace(
                self.rows[3],
                iterations=1,
                running_iteration_id=31,
                step="backtest",
                progress=(3 + 0.62) / 6,
                progress_note="Backtest: 11 of 20 tickers",
            )
        self.versions[1] = [
            VersionRow(101, "1.0", None, False, 0.82, 0.512, "", NOW - timedelta(days=2), SCAN, EXECUTION),
            VersionRow(102, "1.1", "1.0", True, 1.24, 0.543, "loud: volume filter 2.0 → 3.0", NOW - timedelta(hours=3), SCAN, EXECUTION),
        ]
        self.versions[2] = [VersionRow(201, "1.0", None, True, -0.41, 0.438, "", NOW - timedelta(hours=2), SCAN, EXECUTION)]
        self.versions[3] = []
        self.knowledge[1] = [
            KnowledgeRow(
                1,
                "filter",
                "vwap bounce",
                "Bounces before 10:30 win more often than later ones (58% of 41 against 49% of 53).",
                0.72,
                "active",
                "",
                1,
                NOW,
            ),
            KnowledgeRow(2, "regime", "vwap bounce", "High volatility helps.", 0.2, "retired", "Contradicted by iteration 2.", 1, NOW),
        ]

    def _add_agent(self, agent_id: int, name: str, instructions: str, personality: Personality) -> None:
        self.rows[agent_id] = AgentRow(
            id=agent_id,
            name=name,
            instructions=instructions,
            personality=personality,
            status="learning",
            universe=UNIVERSE.name,
            synthetic=True,
            iterations=0,
            current_version=None,
            result=None,
            result_version=None,
            running_iteration_id=None,
            step=None,
            progress=0.0,
            progress_note="",
            pending_approvals=0,
            latest_analysis="",
            sharpe_history=(),
        )
        self.versions.setdefault(agent_id, [])
        self.knowledge.setdefault(agent_id, [])

    def _add_iteration(
        self,
        iteration_id: int,
        agent_id: int,
        number: int,
        version: str,
        measured: ResultSummary | None,
        status: str,
        *,
        proposal: bool = False,
    ) -> None:
        agent = self.rows[agent_id]
        row = IterationRow(
            id=iteration_id,
            agent_id=agent_id,
            agent=agent.name,
            number=number,
            version=version,
            status=status,
            created_at=NOW - timedelta(hours=30 - iteration_id % 30),
            signals=measured.signals if measured else None,
            trades=measured.trades if measured else None,
            win_rate=measured.win_rate if measured else None,
            win_rate_interval=measured.win_rate_interval if measured else None,
            sharpe=measured.sharpe if measured else None,
            sharpe_interval=measured.sharpe_interval if measured else None,
            total_return=measured.total_return if measured else None,
            verdict=measured.verdict if measured else "",
            failure="",
        )
        finished = measured is not None
        steps = tuple(
            StepView(
                step, "done" if finished or n < 3 else "running" if n == 3 else "waiting", 1.2 * (n + 1) if finished or n < 3 else None, ""
            )
            for n, step in enumerate(STEPS)
        )
        offered = self._proposal(iteration_id, agent_id, agent.name, number, version) if proposal else None
        analysis = (
            "I took 94 trades of 124 signals. Bounces before 10:30 won 58% [E3], later ones 49% [E4]. The edge over chance is small: "
            "the interval of the Sharpe ratio still contains zero. I would rather trade less and louder volume."
        )
        self.iterations[iteration_id] = IterationView(
            row=row,
            steps=steps,
            progress=1.0 if finished else 0.62,
            progress_note="" if finished else "Backtest: 11 of 20 tickers",
            scan_script=SCAN,
            execution_script=EXECUTION,
            version_notes="First version: VWAP bounce." if number == 1 else "Volume filter raised.",
            guidance="",
            analysis=analysis if finished else "",
            result=measured,
            against_parent=AgainstParent(
                "1.0", "better", 0.00012, Interval(0.00002, 0.00022), 62, (0.512, measured.win_rate), (0.82, measured.sharpe)
            )
            if measured and number > 1
            else None,
            proposal=offered,
            universe=UNIVERSE,
            evidence=EVIDENCE if finished else (),
            explanation="",
        )
        self.rows[agent_id] = replace(
            agent,
            iterations=agent.iterations + 1,
            current_version=version if finished else agent.current_version,
            result=measured or agent.result,
            result_version=version if measured else agent.result_version,
            pending_approvals=agent.pending_approvals + bool(offered),
            latest_analysis=analysis if finished else agent.latest_analysis,
            sharpe_history=(*agent.sharpe_history, measured.sharpe) if measured else agent.sharpe_history,
        )

    def _proposal(self, iteration_id: int, agent_id: int, agent: str, number: int, version: str) -> ProposalView:
        offered = ProposalView(
            id=iteration_id * 10,
            iteration_id=iteration_id,
            agent_id=agent_id,
            agent=agent,
            iteration_number=number,
            parent_version=version,
            title="Louder volume, only in a rising market",
            rationale="Trades with volume above 4x its average won 61% of 38 [E7].",
            changes=("loud: volume filter 3.0 → 4.0", "+ only when market.trend >= 0"),
            effect=MeasuredEffect(
                trades=(94, 61),
                win_rate=(0.543, 0.59),
                sharpe=(1.24, 1.66),
                total_return=(0.031, 0.037),
                max_drawdown=(-0.021, -0.016),
                verdict="no evidence",
                daily_difference=0.0004,
                daily_difference_interval=Interval(-0.0003, 0.0011),
                confirmed_sessions=31,
                whole_trades=(238, 151),
                whole_sharpe=(1.31, 2.02),
                trials=9,
            ),
            old_scan=SCAN,
            old_execution=EXECUTION,
            new_scan=NEW_SCAN,
            new_execution=EXECUTION,
            state="pending",
            reason="",
            created_at=NOW - timedelta(minutes=30 - iteration_id % 30),
            decided_at=None,
            resulting_version=None,
            synthetic=True,
            universe=UNIVERSE.name,
        )
        self.proposals[offered.id] = offered
        return offered

    def close(self) -> None:
        self.calls.append("close")

    def changed(self) -> None:
        with self._lock:
            self._token += 1

    # What the screens read

    def state(self) -> WorkspaceState:
        pending = sum(p.state == "pending" for p in self.proposals.values())
        running = sum(row.running_iteration_id is not None for row in self.rows.values())
        return WorkspaceState(str(self.home), bool(self.universes), tuple(self.universes), pending, running, self.notices)

    def change_token(self) -> int:
        return self._token

    def agents(self) -> list[AgentRow]:
        self.calls.append("agents")
        return list(self.rows.values())

    def standing(self) -> tuple[AgentRow, ...]:
        rows = self.agents()
        return tuple(row if row.result is None else replace(row, result=replace(row.result, equity=())) for row in rows)

    def firm(self) -> Firm:
        return firm_of(list(self.rows.values()))

    def curve(self, agent_id: int) -> Curve:
        measured = self.rows[agent_id].result
        return () if measured is None else measured.equity

    def agent(self, agent_id: int) -> AgentView:
        if agent_id not in self.rows:
            raise LabError("This agent does not exist any more.")
        its = sorted((view.row for view in self.iterations.values() if view.row.agent_id == agent_id), key=lambda row: -row.number)
        return AgentView(
            self.rows[agent_id],
            "You are a conservative VWAP scalper.",
            {"risk_percent": 0.5, "max_positions": 5.0},
            "built-in",
            NOW - timedelta(days=2),
            UNIVERSE,
            tuple(its),
            tuple(self.versions[agent_id]),
            tuple(self.knowledge[agent_id]),
        )

    def iteration(self, iteration_id: int) -> IterationView:
        if iteration_id not in self.iterations:
            raise LabError("This iteration does not exist any more.")
        view = self.iterations[iteration_id]
        return replace(view, proposal=self.proposals[view.proposal.id]) if view.proposal else view

    def trades(self, iteration_id: int) -> list[TradeRow]:
        start = datetime(2025, 9, 3, 14, 31, tzinfo=UTC)
        return [
            TradeRow(
                ("NVDA", "AMD", "AAPL", "MSFT")[n % 4],
                "long" if n % 5 else "short",
                start + timedelta(days=n),
                start + timedelta(days=n, minutes=17 + n),
                100.0 + n,
                100.4 + n - (n % 3) * 0.4,
                120.0,
                41.0 - (n % 3) * 44.0,
                0.8 - (n % 3) * 0.9,
                17 + n,
                ("target", "exit", "stop")[n % 3],
            )
            for n in range(40)
        ]

    def evidence(self, iteration_id: int) -> EvidencePack | None:
        trade = self.trades(iteration_id)[5]
        best = TradeEvidence(
            *("E9", trade.ticker, trade.direction, trade.entry_at, trade.entry_at, trade.exit_at),
            *(trade.entry_price, trade.exit_price, trade.pnl, trade.r_multiple, trade.bars_held, trade.exit_reason, {}),
        )
        return EvidencePack(None, None, 94, 94, (), (), BUCKETS, (best,), ())

    def trades_behind(self, iteration_id: int, evidence_id: str) -> tuple[int, ...]:
        return {"E3": (0, 1, 2, 4), "E9": (5,)}.get(evidence_id, ())

    def trade(self, iteration_id: int, place: int) -> TradeView:
        trade = self.trades(iteration_id)[place]
        self.calls.append(f"trade {place}")
        bars = [
            TradeBar(
                trade.entry_at + timedelta(minutes=n - 21),
                trade.entry_price + n / 50,
                trade.entry_price + n / 50 + 0.3,
                trade.entry_price + n / 50 - 0.2,
                trade.entry_price + n / 50 + (0.1 if n % 2 else -0.1),
                1_000.0,
                trade.entry_price,
            )
            for n in range(40)
        ]
        return TradeView(
            iteration_id=iteration_id,
            place=place,
            trades=40,
            trade=trade,
            timeframe="1m",
            synthetic=True,
            signal_at=trade.entry_at - timedelta(minutes=1),
            stop=trade.entry_price - 1,
            target=trade.entry_price + 2,
            costs=4.2,
            mae_r=-0.4,
            mfe_r=1.1,
            exits=1,
            bars=tuple(bars),
            core=(0, len(bars)),
            bars_each=1,
            levels=(),
            news=(Headline(trade.entry_at - timedelta(hours=1), self.headline, "Wire", "", "file", None),),
            context=(("RSI 14", "61"),),
        )

    def installation(self, config: Path) -> list[Finding]:
        return [Finding("keys", "Polygon", Health.NOTE, "no key: bars come from files", "The screen that fetches keeps one.")]

    def approvals(self) -> list[ProposalView]:
        return sorted((p for p in self.proposals.values() if p.state == "pending"), key=lambda p: p.created_at)

    def coverage(self) -> list[CoverageRow]:
        if self.bars is not None:
            return self.bars
        return [CoverageRow(t, "1m", "demo", 46_800, NOW - timedelta(days=180), NOW, ()) for t in UNIVERSE.tickers]

    def detect(self, instructions: str) -> DetectedPersonality:
        words = instructions.lower()
        risk = next((r for r in ("conservative", "aggressive") if r in words), "balanced")
        style = "scalper" if "scalp" in words else "swing trader" if "swing" in words else "day trader"
        focus = tuple(f for f, w in (("vwap bounce", "vwap"), ("gap and go", "gap"), ("rsi reversal", "rsi")) if w in words)
        because = {"risk": (risk,) if risk in words else (), "style": (), "focus": tuple(f.split()[0] for f in focus), "markets": ()}
        return DetectedPersonality(Personality(risk, style, focus or ("vwap bounce",), ("any market",)), because, bool(focus))

    # What the screens do

    def create_agent(self, name: str, instructions: str, personality: Personality, universe_id: int) -> int:
        if not name.strip():
            raise LabError("An agent needs a name.")
        if any(row.name == name for row in self.rows.values()):
            raise LabError(f'There is an agent called "{name}" already: choose another name.')
        agent_id = max(self.rows, default=0) + 1
        self._add_agent(agent_id, name, instructions, personality)
        self.changed()
        return agent_id

    def update_agent(
        self,
        agent_id: int,
        *,
        name: str | None = None,
        instructions: str | None = None,
        personality: Personality | None = None,
        universe_id: int | None = None,
        risk: dict[str, float] | None = None,
    ) -> None:
        row = self.rows[agent_id]
        self.rows[agent_id] = replace(
            row, name=name or row.name, instructions=instructions or row.instructions, personality=personality or row.personality
        )
        self.changed()

    def delete_agent(self, agent_id: int) -> None:
        self.calls.append(f"delete_agent {agent_id}")
        del self.rows[agent_id]
        self.proposals = {k: p for k, p in self.proposals.items() if p.agent_id != agent_id}
        self.changed()

    def start_iteration(self, agent_id: int, guidance: str = "") -> int:
        self.calls.append(f"start_iteration {agent_id} {guidance}".strip())
        row = self.rows[agent_id]
        if row.running_iteration_id is not None:
            raise LabError(f"{row.name} is iterating already.")
        if row.pending_approvals:
            raise LabError(f"{row.name} has a proposal that waits for your decision: apply, edit or discard it first.")
        iteration_id = max(self.iterations, default=0) + 1
        self._add_iteration(iteration_id, agent_id, row.iterations + 1, row.current_version or "1.0", None, "queued")
        self.rows[agent_id] = replace(
            self.rows[agent_id], running_iteration_id=iteration_id, step="queued", progress=0.0, progress_note="Waiting for a worker"
        )
        self.changed()
        return iteration_id

    def cancel_iteration(self, iteration_id: int) -> None:
        self.calls.append(f"cancel_iteration {iteration_id}")
        view = self.iterations[iteration_id]
        self.iterations[iteration_id] = replace(view, row=replace(view.row, status="cancelled"))
        agent_id = view.row.agent_id
        self.rows[agent_id] = replace(self.rows[agent_id], running_iteration_id=None, step=None)
        self.changed()

    def _decide(self, proposal_id: int, state: str, reason: str = "", version: str | None = None) -> str:
        offered = self.proposals[proposal_id]
        if offered.state != "pending":
            raise LabError(f"This proposal was {offered.state} already.")
        self.proposals[proposal_id] = replace(offered, state=state, reason=reason, decided_at=NOW, resulting_version=version)
        view = self.iterations[offered.iteration_id]
        self.iterations[offered.iteration_id] = replace(view, row=replace(view.row, status=state))
        row = self.rows[offered.agent_id]
        self.rows[row.id] = replace(row, pending_approvals=row.pending_approvals - 1, current_version=version or row.current_version)
        self.changed()
        return version or ""

    def _next_version(self, proposal_id: int) -> str:
        major, _, minor = self.proposals[proposal_id].parent_version.partition(".")
        return f"{major}.{int(minor) + 1}"

    def apply(self, proposal_id: int) -> str:
        self.calls.append(f"apply {proposal_id}")
        return self._decide(proposal_id, "applied", version=self._next_version(proposal_id))

    def apply_edited(self, proposal_id: int, scan: str, execution: str) -> str:
        self.calls.append(f"apply_edited {proposal_id}")
        return self._decide(proposal_id, "edited", version=self._next_version(proposal_id))

    def discard(self, proposal_id: int, reason: str = "") -> None:
        self.calls.append(f"discard {proposal_id} {reason}".strip())
        self._decide(proposal_id, "discarded", reason)

    def undo(self, proposal_id: int) -> str:
        self.calls.append(f"undo {proposal_id}")
        decided = self.proposals[proposal_id]
        self.proposals[proposal_id] = replace(decided, state="pending", reason="", decided_at=None, resulting_version=None)
        row = self.rows[decided.agent_id]
        self.rows[row.id] = replace(row, pending_approvals=row.pending_approvals + 1, current_version=decided.parent_version)
        self.changed()
        return decided.parent_version

    def undoable(self) -> list[ProposalView]:
        return [proposal for proposal in self.proposals.values() if proposal.state != "pending"]

    def make_current(self, strategy_id: int) -> str:
        self.calls.append(f"make_current {strategy_id}")
        for agent_id, versions in self.versions.items():
            if any(v.id == strategy_id for v in versions):
                self.versions[agent_id] = [replace(v, is_current=v.id == strategy_id) for v in versions]
                current = next(v for v in versions if v.id == strategy_id)
                self.rows[agent_id] = replace(self.rows[agent_id], current_version=current.version)
                self.changed()
                return current.version
        raise LabError("This version does not exist any more.")

    def compare_versions(self, a_id: int, b_id: int) -> VersionComparison:
        every = {v.id: v for versions in self.versions.values() for v in versions}
        return VersionComparison(
            every[a_id], every[b_id], ("loud: volume filter 2.0 → 3.0",), result(sharpe=0.82, win_rate=0.512), result()
        )

    def compare_trades(self, a_id: int, b_id: int) -> TradesCompared:
        before = self.trades(11)[:6]
        later = replace(before[0], exit_at=before[0].exit_at + timedelta(minutes=5), pnl=99.0, exit_reason="max bars")
        return between(11, before, 12, [later, *before[2:5], *self.trades(12)[6:8]])

    def check_scripts(self, scan: str, execution: str, agent_id: int | None = None) -> tuple[ScriptProblem, ...]:
        problems = []
        for script, text in (("scan", scan), ("execution", execution)):
            for line, words in enumerate(text.splitlines(), 1):
                if "vwop" in words:
                    problems.append(ScriptProblem(script, line, words.index("vwop") + 1, "There is no function vwop.", "vwap"))
        return tuple(problems)

    def signal_sample(self, agent_id: int) -> Sample:
        if self.sample is None:
            raise LabError("There are no bars to count on.")
        return self.sample

    def first_draft(self, instructions: str, personality: Personality, universe_id: int) -> FirstDraft:
        return FirstDraft(personality.focus[0], SCAN, EXECUTION, self.signal_sample(0))

    def make_demo_market(self, progress: Callable[[float, str], None]) -> UniverseView:
        for n in range(5):
            progress(n / 5, f"Session {n * 24} of 120")
        self.universes.append(UNIVERSE)
        self.changed()
        return UNIVERSE

    def preview_import(
        self, path: str | Path, columns: Mapping[str, str] | None = None, time_zone: str | None = None, timeframe: str | None = None
    ) -> ImportPreview:
        if "missing" in str(path):
            raise LabError(f"There is no file {path}.")
        if time_zone is not None and "/" not in time_zone and time_zone != "UTC":
            raise LabError(f"There is no time zone {time_zone}.")
        columns = columns or {
            "timestamp": "date",
            "open": "open",
            "high": "high",
            "low": "low",
            "close": "close",
            "volume": "volume",
            "ticker": "symbol",
        }
        return ImportPreview(
            str(path),
            dict(columns),
            ("date", "symbol", "open", "high", "low", "close", "volume"),
            time_zone or "America/New_York",
            "chosen by you" if time_zone else "Bars start at 09:30, as they would in New York.",
            timeframe or "1h",
            ("AAPL", "BAC", "IBM", "SPY"),
            41_230,
            (
                ("2005-01-03 09:30", "SPY", "121.56", "121.76", "121.30", "121.40", "5210300"),
                ("2005-01-03 10:30", "SPY", "121.40", "121.44", "120.80", "120.95", "4110800"),
            ),
        )

    def import_bars(self, preview: ImportPreview, universe_name: str, progress: Callable[[float, str], None]) -> ImportReport:
        self.calls.append(f"import_bars {universe_name} {preview.time_zone} {preview.timeframe} {preview.columns['timestamp']}")
        progress(0.5, "Writing AAPL")
        self.universes.append(replace(REAL_UNIVERSE, name=universe_name))
        self.changed()
        return ImportReport(
            preview.rows,
            preview.tickers,
            preview.timeframe,
            universe_name,
            ("AAPL: 2 unadjusted splits (2005-02-28, 2014-06-09) were adjusted.",),
        )

    def preference(self, key: str) -> str | None:
        return self.preferences.get(key)

    def set_preference(self, key: str, value: str) -> None:
        self.preferences[key] = value
