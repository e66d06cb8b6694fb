"""`lab script` and `lab functions` as a person at a shell uses them: the real program, files in a folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import select

from lab.store.database import Store
from lab.store.models import Trial
from lab.store.workspace import Workspace

Run = Callable[..., subprocess.CompletedProcess[str]]

SCAN = """# scan: near the average and loud
near  = low <= vwap() * 1.001 and close > vwap()
loud  = volume > param(2.0, low=1.0, high=5.0) * sma(volume, 20)
long  = near and loud and time_between("10:00", "11:30")
"""
EXECUTION = """# execution
entry    = at_open()
stop     = low - param(0.5, low=0.1, high=3.0) * atr(14)  # room for noise
target   = close + 2.0 * (close - stop)
max_bars = 60
"""
RIGHT = f"{SCAN}\n{EXECUTION}"


def run(*arguments: str, folder: Path, home: Path | None = None, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab.cli", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        input=typed,
        env={**os.environ, "LAB_HOME": str(home or folder / "home"), "PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=120,
    )


@pytest.fixture
def lab(tmp_path: Path) -> Run:
    (tmp_path / "right.lab").write_text(RIGHT)

    def here(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return run(*arguments, folder=tmp_path, typed=typed)

    return here


# Check


def test_a_right_strategy_and_a_scan_alone_pass(lab: Run, tmp_path: Path) -> None:
    (tmp_path / "scan.lab").write_text(SCAN)
    ended = lab("script", "check", "right.lab", "scan.lab")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["right.lab: right (scan and execution)", "scan.lab: right (a scan alone)"]
    assert not (tmp_path / "home").exists(), "checking a file needs no workspace"


def test_every_error_is_shown_at_its_line_of_the_file_with_a_caret_and_what_would_be_right(lab: Run, tmp_path: Path) -> None:
    (tmp_path / "wrong.lab").write_text(RIGHT.replace("close > vwap()", "close > vwop()").replace("atr(14)", "atr(14, 3)"))
    ended = lab("script", "check", "wrong.lab", "right.lab")
    assert ended.returncode == 1
    assert "wrong.lab:2:43: there is no function `vwop`." in ended.stdout
    assert "wrong.lab:8:" in ended.stdout, "lines of the execution script are counted in the file"
    assert "Did you mean `vwap()`?" in ended.stdout
    lines = ended.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if "vwop()" in line and line.startswith("    "))
    assert lines[at + 1].index("^") == lines[at].index("vwop")
    assert ended.stderr == "lab: 2 errors in 1 file.\n"


def test_errors_as_json_name_file_line_and_column(lab: Run, tmp_path: Path) -> None:
    (tmp_path / "wrong.lab").write_text(RIGHT.replace("atr(14)", "art(14)"))
    ended = lab("script", "check", "wrong.lab", "--json")
    assert ended.returncode == 1
    (error,) = json.loads(ended.stdout)
    assert (error["path"], error["script"], error["line"], error["column"]) == ("wrong.lab", "execution", 8, 50)


def test_an_execution_script_may_have_a_file_of_its_own(lab: Run, tmp_path: Path) -> None:
    (tmp_path / "scan.lab").write_text(SCAN)
    (tmp_path / "execution.lab").write_text(EXECUTION.replace("entry ", "entri "))
    ended = lab("script", "check", "scan.lab", "--execution", "execution.lab")
    assert ended.returncode == 1
    assert "execution.lab:5:1: the execution script lacks its `entry` line." in ended.stdout


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfe\x00", "is not a text file in UTF-8"),
        (b"x" * 300_000, "is larger than 200 kB"),
        ((EXECUTION + SCAN).encode(), "write the scan first, then a line `# execution`"),
        ((RIGHT + EXECUTION).encode(), "has the line `# execution` twice"),
    ],
)
def test_a_file_that_holds_no_strategy_is_named_in_a_sentence(lab: Run, tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "odd.lab").write_bytes(content)
    ended = lab("script", "check", "odd.lab")
    assert ended.returncode == 1
    assert ended.stderr.startswith("lab: odd.lab ")
    assert sentence in ended.stderr


def test_a_missing_file_is_a_sentence_and_wrong_usage_is_status_2(lab: Run) -> None:
    ended = lab("script", "check", "nowhere.lab")
    assert (ended.returncode, ended.stderr) == (1, "lab: nowhere.lab can't be read: No such file or directory.\n")
    for arguments in (
        ("check",),
        ("params", "right.lab", "--set", "loud"),
        ("check", "right.lab", "right.lab", "--execution", "x"),
        ("fly",),
    ):
        assert lab("script", *arguments).returncode == 2, arguments


# Layout


def test_fmt_lays_out_in_place_keeps_comments_and_meaning_and_is_content_with_its_own_work(lab: Run, tmp_path: Path) -> None:
    file = tmp_path / "loose.lab"
    file.write_text(RIGHT.replace("near  =", "near =").replace("close > vwap()", "close>vwap( )"))
    file.chmod(0o640)
    assert lab("script", "fmt", "--check", "loose.lab").returncode == 1
    assert "close>vwap( )" in file.read_text(), "--check writes nothing"
    assert lab("script", "fmt", "loose.lab").returncode == 0
    text = file.read_text()
    assert text.count("# execution\n") == 1
    assert text.startswith("# scan: near the average and loud\n")
    assert "# room for noise" in text
    assert file.stat().st_mode & 0o777 == 0o640
    again = lab("script", "fmt", "loose.lab", "--check")
    assert (again.returncode, again.stdout) == (0, "")
    assert lab("script", "diff", "right.lab", "loose.lab").stdout == "No change in meaning.\n"


def test_fmt_of_standard_input_writes_standard_output(lab: Run) -> None:
    ended = lab("script", "fmt", "-", typed="long=close>open")
    assert (ended.returncode, ended.stdout) == (0, "long = close > open\n")


def test_fmt_leaves_what_it_can_not_read(lab: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.lab").write_text("# scan\nlong = = 3\n")
    ended = lab("script", "fmt", "broken.lab")
    assert ended.returncode == 1
    assert ended.stderr.startswith("lab: broken.lab, line 2, column 8: ")
    assert (tmp_path / "broken.lab").read_text() == "# scan\nlong = = 3\n"


# In words


def test_every_line_is_said_in_plain_english_beside_its_number_in_the_file(lab: Run, tmp_path: Path) -> None:
    ended = lab("script", "explain", "right.lab")
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0] == "scan script"
    assert lines[lines.index("execution script") - 1] == ""
    assert any(line.startswith("   2  near") for line in lines)
    assert any(line.startswith("   7  entry") for line in lines)
    (tmp_path / "scan.lab").write_text(SCAN)
    alone = json.loads(lab("script", "explain", "scan.lab", "--json").stdout)
    assert [line["line"] for line in alone] == [2, 3, 4]
    assert all(line["words"] and line["script"] == "scan" for line in alone)


# Parameters and changes


def test_parameters_are_listed_with_bounds_and_set_in_the_text_alone(lab: Run, tmp_path: Path) -> None:
    listed = lab("script", "params", "right.lab")
    assert listed.returncode == 0
    assert [line.split() for line in listed.stdout.splitlines()[1:]] == [
        ["loud", "scan", "2", "1", "5", "-"],
        ["execution.stop", "execution", "0.5", "0.1", "3", "-"],
    ]
    assert lab("script", "params", "right.lab", "--set", "loud=4", "--set", "execution.stop=1").returncode == 0
    assert (tmp_path / "right.lab").read_text() == RIGHT.replace("param(2.0", "param(4.0").replace("param(0.5", "param(1.0")


@pytest.mark.parametrize(
    ("pair", "sentence"), [("loud=9", "must be at least 1 and at most 5, not 9"), ("lod=3", "no parameter `lod`. Did you mean `loud`?")]
)
def test_a_value_that_can_not_be_is_refused_and_nothing_written(lab: Run, tmp_path: Path, pair: str, sentence: str) -> None:
    ended = lab("script", "params", "right.lab", "--set", pair)
    assert ended.returncode == 1
    assert sentence in ended.stderr
    assert (tmp_path / "right.lab").read_text() == RIGHT


def test_diff_says_changes_in_words_and_as_text_where_asked(lab: Run, tmp_path: Path) -> None:
    (tmp_path / "new.lab").write_text(RIGHT.replace("param(2.0", "param(4.0").replace('"11:30")', '"11:30") and market.trend >= 0'))
    ended = lab("script", "diff", "right.lab", "new.lab")
    assert ended.returncode == 0
    assert ended.stdout.splitlines() == ["+ only when market.trend >= 0", "loud: volume filter 2.0 → 4.0"]
    shown = lab("script", "diff", "right.lab", "new.lab", "--text").stdout
    assert "+loud  = volume > param(4.0, low=1.0, high=5.0) * sma(volume, 20)" in shown


def test_diff_of_a_strategy_and_a_scan_alone_says_what_it_leaves_out(lab: Run, tmp_path: Path) -> None:
    (tmp_path / "scan.lab").write_text(SCAN)
    assert "scan.lab is a scan alone" in lab("script", "diff", "right.lab", "scan.lab").stdout


# The catalogue


def test_functions_are_found_by_name_by_what_others_call_them_by_meaning_and_category(lab: Run) -> None:
    entry = lab("functions", "rsi").stdout
    assert entry.startswith("rsi(")
    assert "Source: " in entry
    assert "Example: " in entry
    assert lab("functions", "bbands").stdout.startswith("bollinger_upper(")
    assert "relative_volume(" in lab("functions", "volume").stdout
    assert "market.trend" in lab("functions", "daily", "trend").stdout
    assert lab("functions", "break_even").stdout.startswith("break_even = ...")
    assert lab("functions", "take", "profit").stdout.startswith("target = ...")
    everything = lab("functions")
    assert everything.returncode == 0
    assert "Averages" in everything.stdout.splitlines()
    assert len(everything.stdout.splitlines()) > 60
    nothing = lab("functions", "qqqq")
    assert nothing.returncode == 1
    assert "nothing named or meaning 'qqqq'" in nothing.stderr


# Running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    made = run("data", "demo", folder=home, home=home)
    assert made.returncode == 0, made.stderr
    return home


@pytest.mark.slow
def test_a_run_shows_the_result_with_intervals_costs_and_label_and_is_a_trial_once(home: Path, tmp_path: Path) -> None:
    (tmp_path / "right.lab").write_text(RIGHT)
    first = run("script", "run", "right.lab", "--universe", "demo market", folder=tmp_path, home=home)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("SYNTHETIC DATA: Demo market")
    for words in ("Signals ", "Win rate ", "Sharpe ", " to ", "Costs: ", "Skipped: ", "Verdict: ", "1 variant tested on these bars"):
        assert words in first.stdout
    again = run("script", "run", "right.lab", folder=tmp_path, home=home)
    assert "no new trial" in again.stdout
    changed = run("script", "run", "right.lab", "--set", "loud=3", "--json", folder=tmp_path, home=home)
    document = json.loads(changed.stdout)
    assert document["universe"]["synthetic"]
    assert document["run"]["trials"] == 2
    assert document["run"]["result"]["signals"] == sum(
        count for reason, count in document["run"]["result"]["funnel"].items() if reason != "signals"
    )
    assert (tmp_path / "right.lab").read_text() == RIGHT
    with Store(Workspace(home)) as store, store.read() as session:
        trials = session.exec(select(Trial)).all()
    assert [(trial.purpose, trial.agent_id, trial.iteration_id, trial.outcome) for trial in trials] == [("person", 0, 0, "completed")] * 2


def test_what_can_not_be_run_says_why(demo_home: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(demo_home, tmp_path / "home"))
    (tmp_path / "scan.lab").write_text(SCAN)
    (tmp_path / "wrong.lab").write_text(RIGHT.replace("vwap()", "vwop()"))
    (tmp_path / "right.lab").write_text(RIGHT)
    for arguments, sentence in (
        (("scan.lab",), "scan.lab is a scan alone; a run needs an execution script"),
        (("wrong.lab",), "wrong.lab, line 2, column 16: there is no function `vwop`. Did you mean `vwap()`?"),
        (("right.lab", "--universe", "moon"), "There is no universe named 'moon'"),
        (("right.lab", "--risk", "reckless"), "There is no risk 'reckless'"),
    ):
        ended = run("script", "run", *arguments, folder=tmp_path, home=home)
        assert ended.returncode == 1
        assert sentence in ended.stderr
        assert "Traceback" not in ended.stderr
