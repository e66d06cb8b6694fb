"""The iteration screen, the approvals queue and the proposal editor."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.agents.errors import AlreadyDecided
from lab.tui.widgets.breakdowns import BreakdownTable
from lab.tui.widgets.line_table import Cell, LineTable
from lab.tui.widgets.script_editor import ScriptEditor
from lab.tui.widgets.tabs import TabLine
from lab.tui.widgets.trades import TradesTable
from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import FakeLab
from tests.tui.session import Session, session


def tab(s: Session) -> str:
    return s.app.screen.query_one(TabLine).active


async def test_the_results_say_how_uncertain_they_are(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake, (120, 36)) as s:
        await s.open("iteration", 12)
        for words in (
            "SYNTHETIC",
            "44–64%",
            "▲ better than 1.0: +1.2 bps a day (+0.2 to +2.2)",
            "51.2% on 1.0",
            "0.82 on 1.0",
            "0.5 bps commission",
            "The interval of the Sharpe ratio contains",
            "Where the signals went",
            "in position",
            "buy and hold SPY",
            "deepest",
        ):
            await s.sees(words)


async def test_the_running_iteration_shows_its_steps_and_moves_on(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("iteration", 31)
        await s.sees("▸ backtest")
        await s.sees("62% Backtest: 11 of 20 tickers")
        await s.sees("· propose")
        fake.iterations[31] = replace(fake.iterations[31], progress=0.9, progress_note="Backtest: 18 of 20 tickers")
        fake.changed()
        await s.sees("90% Backtest: 18 of 20 tickers")
        await s.press("a")
        await s.is_told("There is no proposal to decide on here.")


async def test_every_tab_has_its_content(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("iteration", 12)
        for words in ("Bounces before 10:30", "hour of day", "Louder volume, only", "NVDA", "scan script"):
            await s.press("right")
            await s.sees(words)
        await s.press("left")
        assert s.app.screen.query_one(TabLine).active == "trades"
        await s.press("down", "down")
        assert s.app.screen.query_one(TradesTable).cursor == 2


async def test_from_a_citation_a_key_leads_to_exactly_the_bucket_and_back_to_the_sentence(make_app: MakeApp, fake: FakeLab) -> None:
    view = fake.iterations[12]
    fake.iterations[12] = replace(view, analysis="A line.\n" * 30 + view.analysis)
    async with session(make_app, fake) as s:
        await s.open("iteration", 12)
        await s.press("right")
        assert "[E3]" not in s.text()
        await s.press("full_stop", "full_stop")
        await s.sees("later ones 49% [E4]")
        await s.press("v")
        assert tab(s) == "breakdowns"
        assert s.app.screen.query_one(BreakdownTable).cursor_id == "E4"
        await s.sees("hour of day from 10:30 E4, cited by the analysis")
        await s.press("v")
        assert tab(s) == "analysis"
        await s.sees("later ones 49% [E4]")
        await s.press("comma", "v")
        assert s.app.screen.query_one(BreakdownTable).cursor_id == "E3"
        await s.press("G", "v")
        await s.is_told("The analysis does not cite this bucket.")


async def test_a_cited_trade_opens_as_candles_and_a_figure_in_the_list(make_app: MakeApp, fake: FakeLab) -> None:
    view = fake.iterations[12]
    fake.iterations[12] = replace(view, analysis="The best: AMD [E9]. I took 94 trades [E1]." + "\n\nMore." * 20)
    async with session(make_app, fake) as s:
        await s.open("iteration", 12)
        await s.press("right", "v")
        await s.at("trade")
        assert s.app.screen.data.place == 5  # type: ignore[attr-defined]
        await s.press("escape")
        await s.at("iteration")
        assert "What it cites" not in s.text()
        await s.press("full_stop", "v")
        await s.sees("What it cites")
        assert "E3" not in s.flow("#evidence")
        await s.press("v")
        await s.sees("The best: AMD")


async def test_breakdowns_show_bars_with_whiskers_n_and_p_by_either_measure(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("iteration", 12)
        await s.press("right", "right")
        table = s.app.screen.query_one(BreakdownTable)
        line = next(line for line in s.text().split("\n") if "Monday" in line)
        assert " 20 " in line
        assert "│█" in line, "what is certain is solid"
        assert "▒" in line
        assert "┤" in line or "▸" in line
        assert "+0.61R  0.012" in line
        await s.press("W")
        await s.sees("Win rate")
        assert "70%  0.012" in next(line for line in s.text().split("\n") if "Monday" in line)
        await s.press("o")
        assert table.rows[0][0] == "E5", "by corrected p"
        await s.press("slash", *"weekday", "enter")
        await s.until(lambda: [row_id for row_id, _ in table.rows] == ["E5", "E6"], "found by its dimension, shown or not")
        await s.press("y")
        await s.is_told("Copied: weekday Monday 20")


async def test_enter_on_a_bucket_shows_its_trades_alone_and_escape_all_again(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("iteration", 12)
        await s.press("right", "right", "enter")
        await s.sees("4 trades of hour of day 09:30 to 10:30")
        table = s.app.screen.query_one(TradesTable)
        assert [row_id for row_id, _ in table.rows] == [0, 1, 2, 4]
        await s.press("end", "enter")
        await s.at("trade")
        await s.sees("4 of 4")
        await s.press("escape", "escape")
        await s.until(lambda: len(table.rows) == 40 and s.place == "iteration", "all trades, still here")


async def test_trades_are_sorted_in_turn_and_filtered_by_words(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("iteration", 12)
        await s.press(*["right"] * 4, "o")
        await s.sees("40 trades, by ticker")
        table = s.app.screen.query_one(TradesTable)
        tickers = [str(cells[0].text) for _, cells in table.rows if isinstance(cells[0], Cell)]
        assert tickers == sorted(tickers)
        await s.press("o", "slash", *"aapl", "space", *"stop")
        await s.until(lambda: 0 < len(table.rows) < 10, "few trades left")
        await s.sees("by P&L, best first")
        await s.press("enter", "down")
        assert table.cursor == 1
        await s.press("escape")
        await s.until(lambda: len(table.rows) == 40, "escape shows all trades again and does not leave the screen")
        await s.press("slash", *"zzz")
        await s.sees("/ zzz 0 of 40, esc shows all")
        await s.press("escape")
        await s.until(lambda: len(table.rows) == 40 and s.place == "iteration", "all trades")


async def test_a_step_without_progress_of_its_own_counts_seconds_instead_of_0_percent(make_app: MakeApp, fake: FakeLab) -> None:
    fake.iterations[31] = replace(fake.iterations[31], progress=0.0, progress_note="")
    async with session(make_app, fake) as s:
        await s.open("iteration", 31)
        await s.sees("▸ backtest")
        assert "0%" not in s.flow("StepsPanel")
        await s.until(lambda: " 1 s" in s.flow("StepsPanel"), "a second has passed")


async def test_the_refinement_shows_meaning_effect_trials_and_both_diffs(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake, (120, 40)) as s:
        await s.open("iteration", 12)
        await s.press("right", "right", "right")
        for words in (
            "loud: volume filter 3.0 → 4.0",
            "54.3% → 59.0%",
            "9 variants tried",
            "on 31 unseen sessions",
            "all learning sessions, chosen there too: Sharpe 1.31 → 2.02, 238 → 151 trades",
            "- loud = volume > param(3.0",
            "+ loud = volume > param(4.0",
            "execution script: unchanged",
        ):
            await s.sees(words)


async def test_measures_of_an_edited_refinement_are_said_to_be_of_the_proposal(make_app: MakeApp, fake: FakeLab) -> None:
    fake.proposals[120] = replace(fake.proposals[120], state="edited", resulting_version="1.2")
    async with session(make_app, fake, (120, 40)) as s:
        await s.open("iteration", 12)
        await s.press("right", "right", "right")
        await s.sees("applied with your edits as version 1.2")
        await s.sees("Measured of the proposal before your edits:")


async def test_a_applies_and_says_which_version_came_of_it(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("iteration", 12)
        await s.press("a")
        await s.is_told("VWAP Guardian is now at version 1.2.")
        await s.sees("✓ applied")
        await s.press("a")
        await s.is_told("already applied")
        assert fake.calls.count("apply 120") == 1


async def test_d_discards_with_a_reason_or_not_at_all(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("iteration", 12)
        await s.press("d")
        await s.at("ask_line")
        await s.press("escape")
        await s.at("iteration")
        assert fake.proposals[120].state == "pending"
        await s.press("d")
        await s.at("ask_line")
        await s.press(*"toofew", "enter")
        await s.at("iteration")
        await s.until(lambda: "discard 120 toofew" in fake.calls, "discarded")
        await s.sees("– discarded")


async def test_after_a_decision_i_starts_the_next_iteration(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("iteration", 12)
        await s.press("i")
        await s.is_told("Decide on the suggestion first")
        await s.press("a")
        await s.sees("✓ applied")
        await s.press("i")
        await s.sees("VWAP Guardian #3")
        assert "ensure_worker" in fake.calls


async def test_x_stops_it_after_asking(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("iteration", 31)
        await s.press("x")
        await s.at("confirm")
        await s.press("y")
        await s.at("iteration")
        await s.sees("– cancelled")


async def test_a_failure_is_explained_where_it_happened(make_app: MakeApp, fake: FakeLab) -> None:
    view = fake.iterations[31]
    reason = "The backtest needed more than 2 GB of memory and was stopped. Choose fewer tickers."
    fake.iterations[31] = replace(view, row=replace(view.row, status="failed", failure=reason), explanation=reason)
    async with session(make_app, fake) as s:
        await s.open("iteration", 31)
        await s.sees("✗ failed")
        await s.sees(reason)
        await s.sees("✗ backtest stopped here")
        await s.sees("i starts the next iteration")


async def test_no_proposal_is_explained(make_app: MakeApp, fake: FakeLab) -> None:
    view = fake.iterations[11]
    words = "No variant was better on the days it was not chosen on."
    fake.iterations[11] = replace(view, row=replace(view.row, status="no proposal"), explanation=words)
    async with session(make_app, fake) as s:
        await s.open("iteration", 11)
        await s.sees(words)


async def test_text_from_a_model_shows_as_text(make_app: MakeApp, fake: FakeLab) -> None:
    hostile = "[bold]x[/] [/nope] [@click=app.quit]y[/] \x1b]8;;http://evil\x07z\x1b[2J"
    view = fake.iterations[12]
    assert view.proposal is not None
    fake.proposals[120] = replace(view.proposal, title=hostile, rationale=hostile, changes=(hostile,))
    assert view.result is not None
    worded = replace(view.result, verdict_reason=hostile)
    fake.iterations[12] = replace(view, analysis=hostile, version_notes=hostile, explanation=hostile, guidance=hostile, result=worded)
    async with session(make_app, fake, (120, 36)) as s:
        await s.open("iteration", 12)
        for _ in range(7):
            await s.sees("[bold]x[/] [/nope] [@click=app.quit]y[/] z")
            assert "\x1b" not in s.text()
            await s.press("right")
        await s.open("approvals")
        await s.sees("[bold]x[/] [/nope]")
        assert "\x1b" not in s.text()


async def test_y_copies_what_one_is_at_on_each_tab(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        copied: list[str] = []
        s.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
        await s.open("iteration", 12)
        await s.press("y", "right", "y", "full_stop", "y", "right", "y", "right", "y", "right", "y", "right", "y")
        results, analysis, paragraph, bucket, refinement, trade, scripts = copied
        assert "Win rate" in results
        assert "What it cites" in analysis
        assert paragraph.startswith("I took 94 trades")
        assert bucket.startswith("hour of day\t09:30 to 10:30\t41")
        assert "Louder volume" in refinement
        assert trade.startswith("NVDA\tshort")
        assert scripts.startswith("# scan\nnear  = low"), "without line numbers, as `lab run` reads it"
        assert "\n# execution\nentry    = at_open()" in scripts


# Approvals


def queue(s: Session) -> LineTable:
    return s.app.screen.query_one(LineTable)


async def test_the_next_item_follows_a_decision(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.press("p")
        await s.at("approvals")
        first = queue(s).cursor_id
        await s.press("a")
        await s.until(lambda: len(queue(s).rows) == 1, "one left")
        assert queue(s).cursor_id != first
        await s.press("d")
        await s.at("ask_line")
        await s.press("enter")
        await s.sees("Nothing waits for you.")
        assert {p.state for p in fake.proposals.values()} == {"applied", "discarded"}
        await s.press("a")
        await s.is_told("There is no proposal to decide on here.")


async def test_the_card_follows_the_cursor_and_scrolls(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("approvals")
        await s.sees("VWAP Guardian #2 · v1.1")
        await s.press("down")
        await s.sees("Gap Hunter #1 · v1.0")
        await s.press("J")
        await s.sees("execution script: unchanged")
        await s.press("J")
        await s.sees("Gap Hunter #1 · v1.0")
        await s.press("enter")
        await s.at("iteration")
        await s.press("escape")
        await s.at("approvals")


async def test_what_was_decided_elsewhere_says_so_and_moves_on(make_app: MakeApp, fake: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_late(proposal_id: int) -> str:
        fake._decide(proposal_id, "applied", version="1.2")
        raise AlreadyDecided("This proposal was applied already, perhaps in another terminal.")

    monkeypatch.setattr(fake, "apply", too_late)
    async with session(make_app, fake) as s:
        await s.open("approvals")
        first = queue(s).cursor_id
        await s.press("a")
        await s.is_told("applied already, perhaps in another terminal")
        await s.until(lambda: len(queue(s).rows) == 1 and queue(s).cursor_id != first, "moved on")


async def test_an_item_decided_in_another_terminal_disappears_by_itself(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("approvals")
        fake.discard(next(iter(fake.proposals)), "")
        await s.until(lambda: len(queue(s).rows) == 1, "gone")


# Editor


CHECK_DELAY = "lab.tui.widgets.script_editor.CHECK_DELAY_SECONDS"


async def test_scripts_are_checked_as_one_types_and_apply_waits_for_it(
    make_app: MakeApp, fake: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with session(make_app, fake) as s:
        await s.open("iteration", 12)
        await s.press("e")
        await s.at("editor")
        await s.sees("✓ Both scripts are right.")
        await s.press(*"vwop")
        await s.sees("✗ scan 1:1 There is no function vwop.")
        await s.press("ctrl+g")
        await s.is_told("Not yet: 1 error. scan script, line 1")
        assert fake.proposals[120].state == "pending"
        await s.press(*["backspace"] * 4)
        await s.sees("✓ Both scripts are right.")
        monkeypatch.setattr(CHECK_DELAY, 60.0)
        await s.press("#", "ctrl+g")
        await s.is_told("still being checked")
        assert s.place == "editor"
        monkeypatch.setattr(CHECK_DELAY, 0.01)
        await s.press("space")
        await s.until(lambda: s.app.screen.query_one(ScriptEditor).settled, "checked")
        await s.press("ctrl+g")
        await s.at("iteration")
        assert fake.proposals[120].state == "edited"
        await s.is_told("Applied with your edits")


async def test_a_change_taken_back_before_its_check_is_right_again(
    make_app: MakeApp, fake: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with session(make_app, fake) as s:
        await s.open("editor", fake.proposals[120])
        await s.sees("✓ Both scripts are right.")
        monkeypatch.setattr(CHECK_DELAY, 60.0)
        await s.press("x")
        await s.sees("not checked yet")
        monkeypatch.setattr(CHECK_DELAY, 0.01)
        await s.press("backspace")
        await s.sees("✓ Both scripts are right.")


async def test_f8_goes_to_the_next_error_across_both_scripts(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("editor", fake.proposals[120])
        editor = s.app.screen.query_one(ScriptEditor)
        editor.load("a = 1\nb = vwop()", "stop = vwop()\n")
        await s.until(lambda: len(editor.problems) == 2, "two errors")
        await s.press("f8")
        focused = s.app.focused
        assert focused is not None
        assert (focused.id, focused.cursor_location) == ("scan", (1, 4))  # type: ignore[attr-defined]
        await s.press("f8")
        focused = s.app.focused
        assert focused is not None
        assert (focused.id, focused.cursor_location) == ("execution", (0, 7))  # type: ignore[attr-defined]
        await s.press("f8")
        assert s.app.focused is not None
        assert s.app.focused.id == "scan"


async def test_leaving_with_edits_asks_and_f4_takes_them_back(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("editor", fake.proposals[120])
        await s.sees("✓ Both scripts are right.")
        await s.press("x", "escape")
        await s.at("confirm")
        await s.press("n")
        await s.at("editor")
        await s.press("f4")
        assert s.app.screen.query_one(ScriptEditor).scan == fake.proposals[120].new_scan
        await s.press("escape")
        await s.at("dashboard")


PLACES = [("agent", 1), ("iteration", 12), ("iteration", 31), ("approvals",), ("creation",), ("compare", 101, 102)]


@pytest.mark.parametrize("size", [(60, 20), (200, 60)])
async def test_every_screen_draws_at_every_size(make_app: MakeApp, fake: FakeLab, size: tuple[int, int]) -> None:
    async with session(make_app, fake, size) as s:
        for place in PLACES:
            await s.open(str(place[0]), *place[1:])
            assert len(s.text().split("\n")) == size[1]
            assert "? Help" in s.text() or "f1 Help" in s.text(), place
