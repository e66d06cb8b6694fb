"""The log: what happened by agent, from a real workspace."""

from __future__ import annotations

from lab.agents.service import Lab
from lab.agents.views import Personality
from lab.store.models import Proposal
from lab.tui.widgets.line_table import LineTable
from tests.tui.conftest import MakeApp
from tests.tui.session import session


async def test_what_happened_is_listed_filtered_and_opened(make_app: MakeApp, learned: Lab) -> None:
    (waiting,) = learned.approvals()
    learned.discard(waiting.id, "[b]too\x1b[31m thin[/]")
    learned.create_agent("Gap Hunter", "Trade gaps", Personality("aggressive", "day trader", ("gap and go",), ("volatile",)), 1)
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.press("g", "l")
        await s.until(lambda: s.place == "log" and s.app.screen.data is not None, "the log is read")
        for words in ("made: Trade gaps", "discarded by you: [b]too thin[/]", "1 asked for"):
            await s.sees(words)
        assert "\x1b" not in s.text()
        times = [event.at for event in learned.happened()]
        assert times == sorted(times, reverse=True)
        table = s.app.screen.query_one(LineTable)
        await s.press("slash", *"gap", "enter")
        await s.until(lambda: len(table.rows) == 1, "only the other agent's")
        await s.press("escape", "X")
        await s.is_told("Only a refinement that an agent's rule applied")
        await s.press("down")
        await s.until(lambda: s.app.screen.selected.what == "decision", "on the decision")
        await s.press("enter")
        await s.until(lambda: s.place == "iteration", "its iteration opens")


async def test_what_a_rule_applied_is_taken_back_by_a_key(make_app: MakeApp, learned: Lab) -> None:
    (waiting,) = learned.approvals()
    learned.apply(waiting.id)
    with learned.store.write() as rows:
        proposal = rows.get_one(Proposal, waiting.id)
        proposal.decided_by = "rule"
        rows.add(proposal)
    assert learned.agents()[0].current_version != "1.0"
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.open("log")
        await s.until(lambda: s.app.screen.data is not None, "the log is read")
        await s.sees("applied by the agent's rule")
        await s.press("X", "y")
        await s.until(lambda: learned.agents()[0].current_version == "1.0", "the version before is current again")
