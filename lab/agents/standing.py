"""How every agent stands, read by plain SQL: what the dashboard asks for again and again, and before anything else is loaded.

Only what changed is read into results again. The same statements run on SQLite's own connection and on a session's.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from lab.agents.agent_views import AgentRow, Interval, NamedFigure, Personality, ResultSummary
from lab.agents.firm import Curve, Firm, firm_of
from lab.store.head import HEAD
from lab.store.workspace import Workspace

Run = Callable[[str], Sequence[Any]]
"""Runs a statement and returns its rows."""

STEPS = ("generate", "scan", "enrich", "backtest", "analyse", "propose")
_BUSY_SECONDS = 30

_AGENTS = """
SELECT a.id, a.name, a.instructions, a.risk_tolerance, a.trading_style, a.pattern_focus, a.market_conditions, a.status, u.name, u.synthetic
FROM trading_agents a JOIN universes u ON a.universe_id = u.id WHERE {which} ORDER BY a.id
"""
_COUNTS = "SELECT agent_id, count(*) FROM agent_iterations WHERE {whose} GROUP BY agent_id"
_PENDING = "SELECT agent_id, count(*) FROM proposals WHERE state = 'pending' AND {whose} GROUP BY agent_id"
_CURRENT = "SELECT agent_id, id, version FROM agent_strategies WHERE is_current_version AND {whose}"
_RUNNING = f"""
SELECT agent_id, id, iteration_status, progress, progress_note, paused_until FROM agent_iterations
WHERE iteration_status IN ({", ".join(f"'{status}'" for status in ("queued", *STEPS))}) AND {{whose}} ORDER BY id
"""
_HISTORY = "SELECT agent_id, sharpe_ratio FROM agent_iterations WHERE signals_found IS NOT NULL AND {whose} ORDER BY agent_id, id"
_NEWEST = """
SELECT agent_id, strategy_id, max(id) FROM agent_iterations
WHERE backtest_results IS NOT NULL AND strategy_id IS NOT NULL AND {whose} GROUP BY agent_id, strategy_id ORDER BY max(id)
"""
_VERSIONS = "SELECT id, version FROM agent_strategies WHERE id IN ({ids})"
_RESULTS = "SELECT id, backtest_results, expert_analysis FROM agent_iterations WHERE id IN ({ids})"


@dataclass(frozen=True, slots=True)
class _Measured:
    """A stored result, and what it was read from."""

    stored: Any
    result: ResultSummary
    """Without its curve."""
    sessions: list[tuple[str, float]]
    """The curve, as it is stored."""
    analysis: str

    @property
    def curve(self) -> Curve:
        return curve_from(self.sessions)


class Standings:
    """Reads how agents stand and keeps the results it read. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, _Measured] = {}
        """By iteration."""
        self._firm: tuple[tuple[Any, ...], Firm] | None = None
        """What was stored when the firm was last summed up, and the sum."""

    def rows(self, run: Run, agent_id: int | None = None, *, curves: bool = False) -> tuple[AgentRow, ...]:
        """All agents in order of their making, or the one with this id; with the results' curves only where `curves`."""
        whose = "1 = 1" if agent_id is None else f"agent_id = {agent_id:d}"
        counts = dict(run(_COUNTS.format(whose=whose)))
        pending = dict(run(_PENDING.format(whose=whose)))
        current = {agent: version for agent, _, version in run(_CURRENT.format(whose=whose))}
        running = {agent: rest for agent, *rest in run(_RUNNING.format(whose=whose))}
        history: dict[int, list[float | None]] = {}
        for agent, sharpe in run(_HISTORY.format(whose=whose)):
            history.setdefault(agent, []).append(sharpe)
        measured = self._measured(run, whose)
        rows = []
        for number, name, instructions, risk, style, focus, markets, status, universe, synthetic in run(
            _AGENTS.format(which="1 = 1" if agent_id is None else f"a.id = {agent_id:d}")
        ):
            found, version = measured.get(number, (None, None))
            iteration_id, step, share, note, paused = running.get(number, (None, None, 0.0, "", None))
            result = None if found is None else replace(found.result, equity=found.curve) if curves else found.result
            rows.append(
                AgentRow(
                    id=number,
                    name=name,
                    instructions=instructions,
                    personality=Personality(risk, style, tuple(_parsed(focus)), tuple(_parsed(markets))),
                    status=status,
                    universe=universe,
                    synthetic=bool(synthetic),
                    iterations=counts.get(number, 0),
                    current_version=current.get(number),
                    result=result,
                    result_version=version,
                    running_iteration_id=iteration_id,
                    step=step if paused is None else "paused",
                    progress=0.0 if step not in STEPS else (STEPS.index(step) + min(share, 1.0)) / len(STEPS),
                    progress_note=note,
                    pending_approvals=pending.get(number, 0),
                    latest_analysis="" if found is None else found.analysis,
                    sharpe_history=tuple(history.get(number, ())),
                )
            )
        return tuple(rows)

    def firm(self, run: Run) -> Firm:
        """All of them taken together."""
        stored = tuple(measured.stored for measured, _ in self._measured(run, "1 = 1").values())
        if self._firm is None or self._firm[0] != stored:
            self._firm = stored, firm_of(self.rows(run, curves=True))
        return self._firm[1]

    def curve(self, run: Run, agent_id: int) -> Curve:
        """The equity behind an agent's result; empty where it has none."""
        found = self._measured(run, f"agent_id = {agent_id:d}").get(agent_id)
        return () if found is None else found[0].curve

    def _measured(self, run: Run, whose: str) -> dict[int, tuple[_Measured, str]]:
        """By agent, the newest measured iteration of the current version, or of any where the current one has none, and its version."""
        with self._lock:
            return self._measured_now(run, whose)

    def _measured_now(self, run: Run, whose: str) -> dict[int, tuple[_Measured, str]]:
        current = {strategy for _, strategy, _ in run(_CURRENT.format(whose=whose))}
        chosen: dict[int, tuple[int, int]] = {}
        for agent, strategy, iteration in run(_NEWEST.format(whose=whose)):
            if agent not in chosen or chosen[agent][1] not in current:
                chosen[agent] = iteration, strategy
        if not chosen:
            return {}
        versions = dict(run(_VERSIONS.format(ids=_list(strategy for _, strategy in chosen.values()))))
        for iteration, stored, analysis in run(_RESULTS.format(ids=_list(iteration for iteration, _ in chosen.values()))):
            known = self._known.get(iteration)
            if known is None or known.stored != stored:
                read = _parsed(stored)
                # Curves are read of one agent at a time: making the dates of all would hold up the first screen.
                known = _Measured(stored, result_from(read | {"equity": ()}), read["equity"], analysis)
            self._known[iteration] = known if known.analysis == analysis else replace(known, analysis=analysis)
        if whose == "1 = 1":
            kept = {iteration for iteration, _ in chosen.values()}
            self._known = {iteration: known for iteration, known in self._known.items() if iteration in kept}
        return {
            agent: (self._known[iteration], versions[strategy])
            for agent, (iteration, strategy) in chosen.items()
            if iteration in self._known and strategy in versions
        }


def open_read_only(home: Path) -> sqlite3.Connection | None:
    """A connection that can only read, for any thread; None where there is no database of this lab's schema to read yet."""
    path = Workspace(home.absolute()).database_path
    try:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None
        )
    except sqlite3.Error:
        return None
    try:
        if connection.execute("SELECT version_num FROM alembic_version").fetchone() == (HEAD,):
            return connection
    except sqlite3.Error:
        pass
    with closing(connection):
        return None


def result_from(stored: dict[str, Any]) -> ResultSummary:
    """A stored result. As `lab.agents.results.from_json` reads it, without what that loads."""
    known = dict(stored)
    for name in ("win_rate_interval", "sharpe_interval"):
        known[name] = _interval(known[name])
    known["figures"] = tuple(
        NamedFigure(figure["name"], figure["value"], figure["unit"], _interval(figure["interval"])) for figure in known.get("figures", ())
    )
    known["equity"] = curve_from(known["equity"])
    return ResultSummary(**known)


def curve_from(sessions: Iterable[tuple[str, float]]) -> Curve:
    """A stored curve."""
    return tuple((date.fromisoformat(day), float(value)) for day, value in sessions)


def _interval(ends: dict[str, float] | None) -> Interval | None:
    return None if ends is None else Interval(**ends)


def _parsed(value: Any) -> Any:
    """JSON as the driver gives it: SQLite's is text."""
    return json.loads(value) if isinstance(value, str) else value


def _list(ids: Iterable[int]) -> str:
    return ", ".join(f"{number:d}" for number in ids)
