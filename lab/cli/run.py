"""`lab run`: create or continue an agent, run iterations, decide by a stated rule, print what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from lab.agents.errors import NotThere
from lab.agents.views import AgentRow, IterationView, ProposalView, UniverseView
from lab.cli.tables import interval, number, percent, print_json, print_table, say
from lab.work.launch import ensure_worker

if TYPE_CHECKING:
    from lab.agents.service import Lab

Row = TypeVar("Row", AgentRow, IterationView)

POLL_SECONDS = 0.2
WORKER_CHECK_SECONDS = 5.0
UNFINISHED = ("queued", "generate", "scan", "enrich", "backtest", "analyse", "propose")


class Approve(Enum):
    """By what rule a headless run decides on refinements."""

    BETTER = "better"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class RunRequest:
    instructions: str | None
    agent: str | None
    name: str | None
    universe: str | None
    iterations: int
    approve: Approve
    guidance: str
    as_json: bool


def run(lab: Lab, request: RunRequest) -> int:
    """Returns the exit status: 1 where an iteration failed."""
    agent = lab.agent_named(request.agent) if request.agent is not None else _create(lab, request)
    done: list[IterationView] = []
    decisions: list[dict[str, object]] = []
    waiting = next((proposal for proposal in lab.approvals() if proposal.agent_id == agent.id), None)
    if waiting is not None and request.approve is not Approve.NEVER:
        say(f"{agent.name}, the proposal of iteration {waiting.iteration_number}", request.as_json)
        decisions.append(_decide(lab, waiting, request))
    for turn in range(request.iterations):
        iteration_id = lab.start_iteration(agent.id, request.guidance if turn == 0 else "")
        view = _follow(lab, agent, iteration_id, request.as_json)
        done.append(view)
        _say_result(view, request.as_json)
        if view.row.status == "failed":
            say(f"failed: {view.explanation}", quiet=True)
            break
        if view.proposal is None:
            say(f"  {view.explanation}", request.as_json)
            break
        decisions.append(_decide(lab, view.proposal, request))
        if request.approve is Approve.NEVER:
            if turn + 1 < request.iterations:
                say("  The proposal waits for your decision, so no further iteration is run.", request.as_json)
            break
    _report(lab, agent.id, done, decisions, request)
    return 1 if done[-1].row.status == "failed" else 0


def follow(lab: Lab, iteration_ids: list[int]) -> Iterator[list[IterationView]]:
    """The iterations again and again while they change, until all have ended; a worker is kept running meanwhile."""
    token, worker_checked = -1, 0.0
    while True:
        if time.monotonic() - worker_checked > WORKER_CHECK_SECONDS:
            ensure_worker(lab.workspace.home)
            worker_checked = time.monotonic()
        now = lab.change_token()
        if now != token:
            token = now
            views = [lab.iteration(iteration_id) for iteration_id in iteration_ids]
            yield views
            if all(view.row.status not in UNFINISHED for view in views):
                return
        time.sleep(POLL_SECONDS)


def universe_for(lab: Lab, name: str | None, quiet: bool = False) -> UniverseView:
    """The named universe, or the newest; in a workspace without bars the demo market is made."""
    universes = lab.state().universes
    if name is not None:
        found = next((universe for universe in universes if universe.name.casefold() == name.casefold()), None)
        if found is None:
            known = ", ".join(universe.name for universe in universes) or "none yet"
            raise NotThere(f"There is no universe named {name!r}. Universes here: {known}.")
        return found
    if universes:
        return universes[-1]
    say("This workspace has no bars yet: making the demo market (synthetic).", quiet)
    return lab.make_demo_market(lambda share, note: None)


def without_equity(value: Row) -> Row:
    """The same without the daily equity, which `lab show --json` has."""
    return value if value.result is None else replace(value, result=replace(value.result, equity=()))


def _create(lab: Lab, request: RunRequest) -> AgentRow:
    instructions = request.instructions or ""
    lab.check_instructions(instructions)
    universe = universe_for(lab, request.universe, request.as_json)
    personality = lab.detect(instructions).personality
    name = request.name or _free_name(lab, f"{(personality.focus or ('Trading',))[0]} {personality.style}".title().replace("Vwap", "VWAP"))
    agent_id = lab.create_agent(name, instructions, personality, universe.id)
    say(
        f"Created {name}: {personality.risk} {personality.style}; looks for {', '.join(personality.focus) or 'anything'}; "
        f"trades {universe.name}{' (SYNTHETIC)' if universe.synthetic else ''}.",
        request.as_json,
    )
    return lab.agent(agent_id).row


def _free_name(lab: Lab, wanted: str) -> str:
    taken = {row.name.casefold() for row in lab.agents()}
    names = (wanted if number == 1 else f"{wanted} {number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name.casefold() not in taken)


def _follow(lab: Lab, agent: AgentRow, iteration_id: int, quiet: bool) -> IterationView:
    said: set[str] = set()
    for views in follow(lab, [iteration_id]):
        view = views[0]
        if not said:
            ahead = lab.minds.ahead(agent.id)
            say(f"{agent.name}, iteration {view.row.number}" + (f". {ahead}" if ahead else ""), quiet)
            said.add("")
        if view.paused_until is not None and view.explanation not in said:
            said.add(view.explanation)
            say(f"  paused: {view.explanation}", quiet)
        for step in view.steps:
            if step.state == "done" and step.step not in said:
                said.add(step.step)
                say(f"  {step.step:<9} {step.note}  [{step.seconds or 0:.1f} s]", quiet)
    return view


def _say_result(view: IterationView, quiet: bool) -> None:
    result = view.result
    if result is None:
        return
    label = "SYNTHETIC " if view.universe.synthetic else ""
    say(
        f"  {label}version {view.row.version}: {result.signals} signals, {result.trades} trades, "
        f"win rate {percent(result.win_rate)} {interval(result.win_rate_interval, True)}, Sharpe {number(result.sharpe)} "
        f"{interval(result.sharpe_interval)}, return {percent(result.total_return, 2, True)}; {result.verdict}",
        quiet,
    )


def _decide(lab: Lab, proposal: ProposalView, request: RunRequest) -> dict[str, object]:
    measured = proposal.effect.verdict
    say(f"  proposal: {proposal.title} (measured {measured} on {proposal.effect.confirmed_sessions} unseen sessions)", request.as_json)
    if request.approve is Approve.NEVER:
        return {"proposal": proposal.title, "measured": measured, "decision": "waits for approval"}
    if request.approve is Approve.ALWAYS or measured == "better":
        version = lab.apply(proposal.id)
        say(f"  applied: version {version}", request.as_json)
        return {"proposal": proposal.title, "measured": measured, "decision": "applied", "version": version}
    lab.discard(proposal.id, f"measured {measured}; the run applies only what is measured as better")
    say("  discarded: not measured as better", request.as_json)
    return {"proposal": proposal.title, "measured": measured, "decision": "discarded"}


def _report(lab: Lab, agent_id: int, done: list[IterationView], decisions: list[dict[str, object]], request: RunRequest) -> None:
    view = lab.agent(agent_id)
    if request.as_json:
        print_json(
            {
                "agent": without_equity(view.row),
                "universe": view.universe,
                "iterations": [without_equity(iteration) for iteration in done],
                "decisions": decisions,
                "versions": view.versions,
            }
        )
        return
    print()
    print_table(
        ("Version", "From", "Win rate", "Sharpe", "Current", "Change"),
        [
            (v.version, v.parent_version or "-", percent(v.win_rate), number(v.sharpe), "yes" if v.is_current else "", v.changes)
            for v in view.versions
        ],
    )
