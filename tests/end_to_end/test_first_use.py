"""A newcomer's first use in a real terminal: from the first start to an applied refinement, and again after a restart."""

from __future__ import annotations

import re
from pathlib import Path

from tests.end_to_end.terminal import Terminal


def test_from_the_first_start_to_an_applied_refinement_and_a_restart(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Terminal(home) as terminal:
        terminal.see("1 of 5")
        terminal.press("escape")
        terminal.see("Make the demo market")
        terminal.press("enter")
        terminal.see("No agents yet")

        terminal.press("n")
        terminal.see("New agent")
        terminal.press("VWAP Guardian", "tab", "A conservative VWAP scalper for tech stocks")
        terminal.see("conservative")
        terminal.see("scalper")
        terminal.press("ctrl+g")
        terminal.see("No result yet.")  # the agent's own screen; its name also stood in the form

        terminal.press("i")
        terminal.see("backtest")
        seen = terminal.see("to approve", 120)
        assert "SYNTHETIC" in seen

        terminal.press("p")
        terminal.see("variants tried")
        terminal.press("a")
        terminal.see("1.1")
        assert terminal.quit() == 0

    with Terminal(home) as again:  # without the tour
        seen = again.see("VWAP Guardian")
        assert re.search(r"VWAP Guardian .* 1\.1 ", seen), seen
        assert again.quit() == 0


def test_a_small_terminal_says_so(tmp_path: Path) -> None:
    with Terminal(tmp_path / "home", columns=40, rows=10) as terminal:
        terminal.see("60")
        assert terminal.quit() == 0
