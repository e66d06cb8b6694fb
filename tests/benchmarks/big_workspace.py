"""A workspace as it stands after months of use, made in seconds: rows written in bulk, with curves and states as the lab leaves them.

Also a program: `python -m tests.benchmarks.big_workspace FOLDER [AGENTS ITERATIONS]`.
"""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from lab.agents.data import keep_universe
from lab.agents.personality import detect, risk_config, system_prompt
from lab.agents.service import Lab
from lab.agents.span import bars_folder
from lab.market import BarsCache, make_demo_market
from lab.store.models import (
    STEPS,
    AgentIteration,
    AgentKnowledge,
    AgentStrategy,
    IterationStatus,
    IterationStep,
    Proposal,
    ProposalState,
    TradingAgent,
    Trial,
)

BEGAN_AT = datetime(2026, 1, 5, 14, tzinfo=UTC)
SESSIONS = 160
TRIALS = 9
STYLES = (
    "A conservative VWAP scalper for liquid tech stocks. Buy dips to VWAP in an up market, small risk, out by the close.",
    "An aggressive gap-and-go momentum trader. Trade the first hour of stocks that gap up on heavy volume.",
    "A patient mean-reversion trader. Buy sharp sell-offs with a low RSI near support and sell the bounce.",
    "A balanced opening-range breakout day trader, only on loud volume, flat by the close.",
)
NAMES = ("VWAP Guardian", "Gap Hunter", "Reversal Artist", "Range Breaker")
SCAN = """# VWAP bounce: buyers defend the volume-weighted price when a dip to it comes on volume
near  = low <= vwap() * 1.001 and close > vwap()
loud  = volume > param({loud}, low=1, high=5, step=0.25) * sma(volume, 20)
long  = near and loud and time_between("10:00", "15:30")
score = volume / sma(volume, 20)
"""
EXECUTION = """entry    = at_open()
stop     = close - param(3.5, low=2, high=10, step=0.5) * atr(30)
target   = close + param(1.75, low=0.5, high=5, step=0.25) * (close - stop)
max_bars = 40
flat_by  = "15:50"
risk     = 0.25
"""
ENDED = (IterationStatus.DISCARDED, IterationStatus.APPLIED, IterationStatus.NO_PROPOSAL, IterationStatus.EDITED, IterationStatus.DISCARDED)
FIGURES = (
    ("deflated Sharpe ratio", "fraction"),
    ("effective number of trials", "count"),
    ("annual return", "fraction"),
    ("volatility a year", "fraction"),
    ("Sortino ratio", "ratio"),
    ("Calmar ratio", "ratio"),
    ("longest drawdown", "sessions"),
    ("exposure", "fraction"),
    ("turnover", "times a year"),
    ("mean worst excursion", "R"),
    ("alpha a year", "fraction"),
    ("beta", "ratio"),
)


def make(home: Path, agents: int = 50, iterations: int = 2_000, seed: int = 7, sessions: int = 40) -> list[int]:
    """Make the workspace, with a small demo market of `sessions` so that iterations can be run in it. Returns the agents' ids.

    Every tenth agent has a proposal that waits. The iterations are spread over the agents evenly.
    """
    dice = random.Random(seed)
    lab = Lab(home)
    try:
        made = make_demo_market(BarsCache(bars_folder(lab.workspace.bars, synthetic=True)), lambda share, note: None, sessions=sessions)
        keep_universe(lab.workspace, lab.store, "Demo market", made.tickers[:6], "1m", "demo", True, made.first_session, made.last_session)
        universe = lab.state().universes[0]
        ids = list(range(1, agents + 1))
        each = [iterations // agents + (1 if place < iterations % agents else 0) for place in range(agents)]
        days = _sessions(universe.first_session)
        with lab.store.write() as session:
            _insert(session, TradingAgent, [_agent(agent_id, universe.id) for agent_id in ids])
            for agent_id, count in zip(ids, each, strict=True):
                _History(dice, agent_id, universe.id, days).write(session, count)
    finally:
        lab.close()
    return ids


def _insert(session: Any, kind: type[Any], rows: list[dict[str, Any]]) -> None:
    """In one statement, which knows no defaults of the models: they are put in here."""
    if rows:
        usual = {
            name: field.get_default(call_default_factory=True)
            for name, field in kind.model_fields.items()
            if name != "id" and not field.is_required()
        }
        session.execute(insert(kind), [usual | row for row in rows])


def _sessions(first: date) -> list[str]:
    days = (first + timedelta(n) for n in range(SESSIONS * 2))
    return [day.isoformat() for day in days if day.weekday() < 5][:SESSIONS]


def _agent(agent_id: int, universe_id: int) -> dict[str, Any]:
    words = STYLES[agent_id % len(STYLES)]
    who = detect(words).personality
    name = f"{NAMES[agent_id % len(NAMES)]} {agent_id}"
    return {
        "id": agent_id,
        "name": name,
        "instructions": words,
        "system_prompt": system_prompt(name, words, who, "Demo market: 6 tickers, 1m bars"),
        "risk_tolerance": who.risk,
        "trading_style": who.style,
        "pattern_focus": list(who.focus),
        "market_conditions": list(who.markets),
        "risk_config": risk_config(who, words),
        "universe_id": universe_id,
        "strategist": "built-in",
        "created_at": BEGAN_AT + timedelta(minutes=agent_id),
        "updated_at": BEGAN_AT + timedelta(minutes=agent_id),
    }


class _History:
    """What one agent has done: versions, iterations with their steps, trials, knowledge, and a proposal where one waits."""

    def __init__(self, dice: random.Random, agent_id: int, universe_id: int, days: list[str]) -> None:
        self._dice, self._agent_id, self._universe_id, self._days = dice, agent_id, universe_id, days
        self._drift = dice.gauss(0.0001, 0.0004)

    def write(self, session: Any, count: int) -> None:
        rows: dict[type[Any], list[dict[str, Any]]] = {
            kind: [] for kind in (AgentStrategy, AgentIteration, IterationStep, Proposal, Trial, AgentKnowledge)
        }
        version = self._agent_id * 1_000_000
        first = version
        parent: str | None = None
        waits = self._agent_id % 10 == 0
        for number in range(1, count + 1):
            iteration_id = self._agent_id * 100_000 + number
            at = BEGAN_AT + timedelta(hours=number, minutes=self._agent_id)
            last = number == count
            status = IterationStatus.AWAITING_APPROVAL if last and waits else self._dice.choice(ENDED)
            result = self._result()
            scripts = {"scan_script": SCAN.format(loud=1.5 + 0.25 * (number % 8)), "execution_script": EXECUTION}
            if number == 1 or rows[AgentIteration][-1]["iteration_status"] in (IterationStatus.APPLIED, IterationStatus.EDITED):
                version += 1
                rows[AgentStrategy].append(
                    {
                        "id": version,
                        "agent_id": self._agent_id,
                        "version": f"1.{version - first - 1}",
                        **scripts,
                        "backtest_sharpe": result["sharpe"],
                        "backtest_win_rate": result["win_rate"],
                        "parent_version": parent,
                        "changes_from_parent": "volume filter 1.5x -> 2x" if parent else "First version: VWAP bounce",
                        "created_at": at,
                        "script_hash": f"{version:064x}",
                        "is_current_version": False,
                    }
                )
                parent = f"1.{version - first - 1}"
            rows[AgentIteration].append(
                {
                    "id": iteration_id,
                    "agent_id": self._agent_id,
                    "iteration_number": number,
                    **scripts,
                    "version_notes": "VWAP bounce",
                    "signals_found": result["signals"],
                    "backtest_results": result,
                    "win_rate": result["win_rate"],
                    "sharpe_ratio": result["sharpe"],
                    "expert_analysis": _analysis(result),
                    "refinements_suggested": ["loud: volume filter 1.5x -> 2x"],
                    "iteration_status": status,
                    "created_at": at,
                    "finished_at": at + timedelta(minutes=3),
                    "strategy_id": version,
                    "universe_id": self._universe_id,
                    "progress": 1.0,
                    "script_hash": f"{version:064x}",
                    "data_fingerprint": f"{self._universe_id:064x}",
                    "engine_version": "2",
                    "seed": 20_260_101,
                    "strategist": "The built-in strategist runs, as chosen for this agent.",
                }
            )
            rows[IterationStep] += [
                {
                    "iteration_id": iteration_id,
                    "step": step,
                    "output": {"note": f"{step} of 744,350 bars", "evidence": "x" * 2_000 if step == IterationStatus.ANALYSE else ""},
                    "seconds": 0.4,
                    "finished_at": at,
                }
                for step in STEPS
            ]
            rows[Trial] += [
                {
                    "agent_id": self._agent_id,
                    "iteration_id": iteration_id,
                    "universe_id": self._universe_id,
                    "script_hash": f"{iteration_id * 10 + place:064x}",
                    "data_fingerprint": f"{self._universe_id:064x}",
                    "purpose": "refinement" if place else "iteration",
                    "trades": result["trades"],
                    "sharpe_daily": self._dice.gauss(0, 0.06),
                    "created_at": at,
                }
                for place in range(TRIALS)
            ]
            if status in (IterationStatus.AWAITING_APPROVAL, IterationStatus.APPLIED, IterationStatus.DISCARDED):
                rows[Proposal].append(self._proposal(iteration_id, version, scripts, status, at))
            if number % 4 == 1:
                rows[AgentKnowledge].append(_insight(self._agent_id, iteration_id, number, at))
        if rows[AgentStrategy]:
            rows[AgentStrategy][-1]["is_current_version"] = True
        for kind, values in rows.items():
            _insert(session, kind, values)

    def _result(self) -> dict[str, Any]:
        """A backtest's result in the form of `lab.agents.views.ResultSummary`, its figures taken from its own curve."""
        dice = self._dice
        equity, curve, peak, deepest, returns = 100_000.0, [], 100_000.0, 0.0, []
        for day in self._days:
            move = dice.gauss(self._drift, 0.004) if dice.random() < 0.8 else 0.0
            equity *= 1 + move
            returns.append(move)
            peak = max(peak, equity)
            deepest = max(deepest, 1 - equity / peak)
            curve.append([day, equity])
        mean = sum(returns) / len(returns)
        spread = math.sqrt(sum((value - mean) ** 2 for value in returns) / len(returns))
        sharpe = mean / spread * math.sqrt(252)
        trades = dice.randint(40, 1_800)
        wins = round(trades * dice.uniform(0.38, 0.6))
        signals = round(trades * dice.uniform(1.2, 2.5))
        rate, half = wins / trades, 0.98 / math.sqrt(trades)
        return {
            "signals": signals,
            "trades": trades,
            "wins": wins,
            "win_rate": rate,
            "win_rate_interval": {"low": rate - half, "high": rate + half},
            "sharpe": sharpe,
            "sharpe_interval": {"low": sharpe - 2.4, "high": sharpe + 2.4},
            "total_return": equity / 100_000 - 1,
            "max_drawdown": deepest,
            "profit_factor": 1 + sharpe / 10,
            "expectancy_r": sharpe / 50,
            "average_win": 48.0,
            "average_loss": -49.8,
            "costs_paid": trades * 5.6,
            "median_risk": 0.0005,
            "figures": [
                {"name": name, "value": dice.uniform(-1, 1), "unit": unit, "interval": {"low": -1.0, "high": 1.0} if n % 3 == 0 else None}
                for n, (name, unit) in enumerate(FIGURES)
            ],
            "starting_equity": 100_000.0,
            "final_equity": equity,
            "funnel": {"signals": signals, "trades": trades, "in position": signals - trades},
            "equity": curve,
            "benchmarks": {"buy and hold SPY": 0.18, "equal-weight universe (6)": 0.05},
            "costs": "commission 0.5 bps and slippage 1 bps a side, at most 5 % of a bar's volume",
            "verdict": "no edge seen" if sharpe < 1.5 else "may be luck",
            "verdict_reason": f"The Sharpe ratio's interval ({sharpe - 2.4:.2f} to {sharpe + 2.4:.2f}) holds zero.",
        }

    def _proposal(self, iteration_id: int, version: int, scripts: dict[str, str], status: IterationStatus, at: datetime) -> dict[str, Any]:
        pending = status == IterationStatus.AWAITING_APPROVAL
        return {
            "agent_id": self._agent_id,
            "iteration_id": iteration_id,
            "parent_strategy_id": version,
            "title": "only with bar volume above 2x the recent mean",
            "rationale": "I would change one thing about my VWAP bounce. Of 8 changes it did best on the sessions I choose on.",
            **scripts,
            "changes": ["volume filter 1.5x -> 2x"],
            "effect": {
                "trades": [727, 288],
                "win_rate": [0.465, 0.431],
                "sharpe": [-2.3, -2.5],
                "total_return": [-0.045, -0.027],
                "max_drawdown": [0.056, 0.039],
                "verdict": "no evidence",
                "daily_difference": 0.00028,
                "daily_difference_interval": {"low": -0.0006, "high": 0.0012},
                "confirmed_sessions": 64,
                "whole_trades": [1798, 659],
                "whole_sharpe": [-1.66, -0.22],
                "trials": 11,
            },
            "state": ProposalState.PENDING
            if pending
            else ProposalState.APPLIED
            if status == IterationStatus.APPLIED
            else ProposalState.DISCARDED,
            "created_at": at,
            "decided_at": None if pending else at + timedelta(minutes=10),
        }


def _insight(agent_id: int, iteration_id: int, number: int, at: datetime) -> dict[str, Any]:
    return {
        "agent_id": agent_id,
        "knowledge_type": "failure" if number % 8 == 1 else "success",
        "pattern_type": "VWAP bounce",
        "insight": f"With volume {number % 5 + 1} to {number % 5 + 2}x that of the bars before it makes +0.06R a trade (n = 1142).",
        "supporting_data": {"topic": "overall", "effect": 0.06, "n": 1142, "confirmed": 0, "contradicted": 0, "history": []},
        "confidence": 0.5 + number % 40 / 100,
        "learned_from_iteration": iteration_id,
        "created_at": at,
        "updated_at": at,
    }


def _analysis(result: dict[str, Any]) -> str:
    """As long as the built-in strategist's."""
    parts: Iterable[str] = (
        f"VWAP bounce: {result['trades']:,} [E1] trades at a Sharpe ratio of {result['sharpe']:.2f} [E13].",
        "It does better with volume 2 to 3x that of the bars before than elsewhere: +0.06R over 1142 trades [E60]. " * 4,
        "Nor was it one accident: 1560 of my trades ended by “max bars”; the move I wait for mostly does not come in time [E132]. " * 4,
        f"Of {result['signals']:,} [E18] signals I took {result['trades']:,} [E19]: I was already in the stock. " * 3,
    )
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(make(Path(sys.argv[1]), *(int(number) for number in sys.argv[2:])))[:60] + "\n")
