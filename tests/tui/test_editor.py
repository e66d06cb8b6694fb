"""The script editor at the keyboard: colours, completions, help on arguments, errors and the count of signals as one types."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from rich.style import Style
from textual.theme import Theme

from lab.agents.jobs import BarsSlice
from lab.agents.sampling import Sample, SampleRun, SampleSignal, SignalCount
from lab.agents.vocabulary import vocabulary
from lab.errors import LabError
from lab.tui.screens.editor import EditorScreen
from lab.tui.widgets.completions import CompletionList
from lab.tui.widgets.problem_note import ProblemNote
from lab.tui.widgets.script_area import ScriptArea
from lab.tui.widgets.script_editor import ScriptEditor
from lab.tui.widgets.script_words import Token, call_at, candidates, defined_names, tokens, word_before
from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import FakeLab
from tests.tui.session import Session, session

WORDS = vocabulary()
BARS = BarsSlice("bars", ("AAPL", "AMD"), "1m", date(2025, 1, 2), date(2025, 3, 3), "SPY", None, "", False, date(2025, 3, 3))


def area(s: Session, script: str = "scan") -> ScriptArea:
    return s.app.screen.query_one(f"#{script}", ScriptArea)


def names(s: Session) -> list[str]:
    return [found.name for found in s.app.screen.query_one(CompletionList).candidates]


async def opened(s: Session, fake: FakeLab, scan: str = "", execution: str = "") -> None:
    """The editor with these texts, the cursor at the end of the scan."""
    await s.open("editor", fake.proposals[120])
    s.app.screen.query_one(ScriptEditor).load(scan, execution)
    await s.pilot.pause()
    area(s).move_cursor(area(s).document.end)
    await s.pilot.pause()


# What a line is made of


def kinds(line: str) -> list[tuple[str, Token]]:
    return [(line[start:end], kind) for start, end, kind in tokens(line, WORDS)]


def test_each_part_of_a_line_is_told_apart() -> None:
    assert kinds('loud = volume > param(3.0, low=1) * sma(market.vix, 20) and not time_between("10:00", x)  # why') == [
        ("loud", Token.DEFINITION),
        ("volume", Token.FIELD),
        ("param", Token.PARAM),
        ("3.0", Token.NUMBER),
        ("1", Token.NUMBER),
        ("sma", Token.FUNCTION),
        ("market.vix", Token.FIELD),
        ("20", Token.NUMBER),
        ("and", Token.KEYWORD),
        ("not", Token.KEYWORD),
        ("time_between", Token.FUNCTION),
        ('"10:00"', Token.STRING),
        ("# why", Token.COMMENT),
    ]
    assert kinds("smaller == sma2 # sma(close)") == [("# sma(close)", Token.COMMENT)], "only whole names, and none in a comment"


@pytest.mark.parametrize(
    ("line", "word"),
    [("a = vw", "vw"), ("a = market.tr", "market.tr"), ("# a vw", ""), ('t = "10', ""), ('t = "10" + vw', "vw"), ("a = 12e", ""), ("", "")],
)
def test_the_word_being_typed(line: str, word: str) -> None:
    assert word_before(line, len(line)) == word


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("a = sma(", ("sma", 0, "")),
        ("a = sma(close, ", ("sma", 1, "")),
        ("a = highest(sma(close, 20), ", ("highest", 1, "")),
        ("a = highest((close + open) / 2, ", ("highest", 1, "")),
        ("a = param(3, low=1, high=", ("param", 2, "high")),
        ("a = sma(close,\n        ", ("sma", 1, "")),
        ("a = sma(close\nb = ", None),
        ('a = time_between("10:00, ', None),
        ("a = sma(close, 20)", None),
        ("a = (close", None),
    ],
)
def test_the_call_around_the_cursor(text: str, call: tuple[str, int, str] | None) -> None:
    lines = text.split("\n")
    found = call_at(text, len(lines) - 1, len(lines[-1]))
    assert (None if found is None else (found.name, found.argument, found.keyword)) == call


def test_completions_fit_their_place() -> None:
    def offered(line: str, script: str = "scan", own: tuple[str, ...] = ()) -> list[str]:
        word = word_before(line, len(line))
        return [found.name for found in candidates(word, line, len(line), script, WORDS, own, call_at(line, 0, len(line)))]

    assert offered("lo") == ["long"], "at the start of a line: what the engine acts on"
    assert offered("st", "execution") == ["stop"]
    assert offered("a = lou", own=("loud",)) == ["loud"]
    assert offered("a = vwa")[0] == "vwap"
    assert "bollinger_upper" in offered("a = bban"), "by what other languages call it"
    assert "limit" not in offered("a = lim")
    assert "limit" in offered("entry = lim", "execution")
    assert offered("a = param(3, hi")[0] == "high="
    assert offered("a = market.v")[0] == "market.vix"
    assert defined_names("near = low\ndef hot(x): return x > 1\nlong = near == 1") == ["near", "hot", "long"]


# At the keyboard


async def test_completions_open_after_two_letters_and_tab_takes_one(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await opened(s, fake, "near = ")
        await s.press("v")
        assert not names(s)
        await s.press("w")
        assert names(s)[0] == "vwap"
        await s.sees("› vwap()")
        await s.press("tab")
        assert area(s).text == "near = vwap()"
        assert area(s).has_focus
        assert not names(s)


async def test_arrows_choose_and_enter_takes_a_function_up_to_its_arguments(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake, (120, 36)) as s:
        await opened(s, fake, "near = close > ")
        await s.press(*"sm", "down", "up", "enter")
        assert area(s).text == "near = close > sma("
        await s.sees("sma(x, n)")
        await s.press(*"close, ")
        await s.sees(" n: ")


async def test_enter_after_a_whole_name_ends_the_line(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await opened(s, fake, "near = ")
        await s.press(*"low")
        assert names(s)[0] == "low"
        assert len(names(s)) > 1
        await s.press("enter", "x")
        assert area(s).text == "near = low\nx"


async def test_escape_closes_the_list_first_and_leaves_only_then(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await opened(s, fake, "near = ")
        await s.press(*"vw", "escape")
        assert not names(s)
        assert s.place == "editor"
        await s.press("tab")
        await s.until(lambda: area(s, "execution").has_focus, "tab goes on to the other script once the list is closed")
        await s.press("escape")
        await s.at("confirm")


async def test_the_list_narrows_with_backspace_and_closes_when_the_cursor_leaves_the_word(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await opened(s, fake, "near = ")
        await s.press(*"vwa")
        narrow = len(names(s))
        await s.press("backspace")
        await s.until(lambda: len(names(s)) >= narrow > 0, "still open after backspace")
        await s.press("home")
        await s.until(lambda: not names(s), "closed")
        await s.press("end", "space")
        assert not names(s)


async def test_asked_for_by_key_it_opens_without_a_letter_and_lines_of_the_scan_are_offered_to_the_execution_script(
    make_app: MakeApp, fake: FakeLab
) -> None:
    async with session(make_app, fake) as s:
        await opened(s, fake, "cheap = close < vwap()", "stop = ")
        area(s, "execution").focus()
        area(s, "execution").move_cursor((0, 7))
        await s.pilot.pause()
        for key in ("f3", "ctrl+@"):
            await s.press(key)
            assert names(s)[0] == "cheap"
            await s.press("escape")


async def test_nothing_opens_in_a_comment_and_a_paste_opens_nothing(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await opened(s, fake, "# ")
        await s.press(*"vwa")
        assert not names(s)
        area(s).insert("\nnear = vwa")
        await s.pilot.pause()
        assert not names(s)


async def test_a_click_takes_a_completion(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await opened(s, fake, "near = ")
        await s.press(*"vw")
        second = names(s)[1]
        await s.pilot.click(CompletionList, offset=(4, 2))
        await s.until(lambda: area(s).text.startswith(f"near = {second}"), "the second was taken")
        assert second != "vwap"


async def test_a_description_of_several_lines_is_one_text(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await opened(s, fake, '# mine\n"""Buys volume\nand closes."""\nlong = close > open')
        looks = [[(span.start, span.end) for span in area(s).get_line(row).spans] for row in range(4)]
        assert looks[1:3] == [[(0, 14)], [(0, 14)]]
        assert len(looks[3]) == 3


async def test_the_wrong_place_is_marked_in_its_line(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await opened(s, fake, "near = close > vwop")
        await s.sees("✗ scan 1:16 There is no function vwop.")
        line = area(s).get_line(0)
        marked = [line.plain[span.start : span.end] for span in line.spans if isinstance(span.style, Style) and span.style.reverse]
        assert marked == ["vwop"]


async def test_what_is_wrong_is_said_under_the_line_being_typed(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await opened(s, fake, "calm = close > open\nnear = close > vwop\nlong = near")
        note = s.app.screen.query_one(ProblemNote)
        area(s).move_cursor((1, 19))
        await s.until(lambda: note.display, "the wrong line has its note")
        await s.sees("▲ There is no function vwop.")
        assert note.region.y == area(s).cursor_screen_offset.y + 1
        assert note.region.x == area(s).cursor_screen_offset.x - len("vwop")
        await s.press("up")
        await s.until(lambda: not note.display, "the right line has none")
        await s.press("down", "end")
        await s.until(lambda: note.display, "back on the line it is there again")
        await s.press(*["backspace"] * 4, *"open")
        await s.until(lambda: not note.display, "gone with the error")


@pytest.mark.parametrize("theme", ["night", "paper", "contrast", "sixteen"])
async def test_it_draws_in_every_theme_and_in_sixteen_colours(make_app: MakeApp, fake: FakeLab, theme: str) -> None:
    async with session(make_app, fake) as s:
        s.app.register_theme(Theme("sixteen", "ansi_blue", secondary="ansi_cyan", accent="ansi_magenta", success="ansi_green"))
        s.app.theme = theme
        await opened(s, fake, 'near = sma(close, 20) > param(3) and x > "a"  # why')
        await s.sees("near = sma(close, 20)")
        function = next(span for span in area(s).get_line(0).spans if span.start == 7)
        assert isinstance(function.style, Style)
        assert function.style.color is not None


# Counting


class Counter:
    """A counter that answers by the length of the scan."""

    made: ClassVar[list[Counter]] = []

    def __init__(self, sample: Sample) -> None:
        self.asked: list[str] = []
        self.closed = False
        self.error = ""
        Counter.made.append(self)

    async def count(self, scan: str, execution: str) -> SignalCount:
        self.asked.append(scan)
        await asyncio.sleep(0)
        if self.error:
            raise LabError(self.error)
        return SignalCount(len(scan), 20, 2, 2)

    async def run(self, scan: str, execution: str) -> SampleRun:
        at = datetime(2025, 9, 3, 14, 31, tzinfo=UTC)
        signals = (
            SampleSignal("NVDA", "long", at, skipped="in position"),
            SampleSignal("AMD", "short", at, at + timedelta(minutes=1), 101.5, 102.5, 99.0),
        )
        return SampleRun(SignalCount(2, 20, 2, 2), {"signals": 2, "trades": 1, "in position": 1}, signals)

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def counting(fake: FakeLab, monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    monkeypatch.setattr(EditorScreen, "make_counter", Counter)
    monkeypatch.setattr(Counter, "made", [])
    fake.sample = Sample("Demo market", True, BARS)
    return fake


async def test_signals_are_counted_again_after_each_change_and_never_for_wrong_scripts(make_app: MakeApp, counting: FakeLab) -> None:
    async with session(make_app, counting, (100, 30)) as s:
        await opened(s, counting, "long = close")
        await s.sees("12 signals in the last 20 sessions of Demo market (synthetic)")
        await s.press(*" > 1")
        await s.until(lambda: "12 signals" not in s.text(), "the old count is gone at once")
        await s.sees("16 signals in the last 20 sessions")
        await s.press(*" vwop")
        await s.sees("not counted while there are errors")
        (counter,) = Counter.made
        assert not any("vwop" in scan for scan in counter.asked)
        assert len(counter.asked) <= 4, "not once a key"
        counter.error = "SPY is missing"
        await s.press(*["backspace"] * 5)
        await s.press("0")
        await s.sees("signals not counted: SPY is missing.")
        await s.press("escape")
        await s.at("confirm")
        await s.press("y")
        await s.until(lambda: counter.closed, "its process is ended with the editor")


async def test_f9_shows_what_became_of_each_signal_on_the_sample_but_not_what_it_made(make_app: MakeApp, counting: FakeLab) -> None:
    async with session(make_app, counting) as s:
        await opened(s, counting, "long = close > vwop()")
        await s.sees("✗ scan 1:16")
        await s.press("f9")
        await s.is_told("Not yet: 1 error.")
        editor = s.app.screen.query_one(ScriptEditor)
        editor.load("long = close > vwap()", editor.execution)
        await s.until(lambda: editor.settled and not editor.problems, "right again")
        await s.press("f9")
        await s.at("sample")
        for words in ("2 signals in the last 20 sessions of Demo market (synthetic)", "in position", "2025-09-03 10:31", "101.50"):
            await s.sees(words)
        await s.press("slash", *"amd", "enter")
        await s.until(lambda: "NVDA" not in s.text(), "only those asked for")
        await s.press("escape", "escape")
        await s.at("editor")


async def test_without_bars_the_editor_works_and_says_so(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await opened(s, fake, "long = close > open")
        await s.sees("signals not counted: There are no bars to count on.")


def test_a_sample_of_some_tickers_says_so() -> None:
    from lab.tui.screens.editor import count_sentence

    sample = Sample("SP500", False, BARS)
    assert count_sentence(SignalCount(1, 20, 40, 503), sample) == "1 signal in the last 20 sessions of SP500, 40 of 503 tickers"


def test_a_sample_needs_no_polars_in_the_interface() -> None:
    import subprocess
    import sys

    code = "import sys; import lab.tui.screens.editor, lab.agents.sampling; print('polars' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert ended.stdout.strip() == "False"
