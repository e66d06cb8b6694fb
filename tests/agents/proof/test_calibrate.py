"""The studies of the instrument: small, resumable, honest about how much they prove; the long form stands among the slow tests."""

from __future__ import annotations

import math
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from lab.agents.proof import calibrate
from lab.agents.proof.calibrate import (
    MEDIUM,
    NOISE,
    SHORT,
    SHUFFLED,
    STRONG,
    WEAK,
    Outcome,
    Plan,
    Size,
)
from lab.agents.proof.calibrated import as_markdown, held, results, share_interval
from lab.agents.proof.rules import Word

SMALL = Size(markets=2, agents=1, sessions=60, tickers=2)
TINY = Plan(noise=SMALL, planted=SMALL, iterations=1)


def outcome(study: str, market: int, agent: int, verdict: Word = Word.NO_EDGE, t: float = 0.0, fifth: tuple[int, int] = (5, 10)) -> Outcome:
    return Outcome(study, market, agent, 2, 3, 20, verdict, verdict, t, 30, 1.0, (5, 10), fifth)


class Told(Executor):
    """Does nothing but say what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self._threads = ThreadPoolExecutor(1)

    def submit(self, fn: object, /, *args: object, **kwargs: object) -> object:  # type: ignore[override]  # the job is not run
        study, market = str(args[0]), int(str(args[1]))
        self.asked.append((study, market))
        return self._threads.submit(lambda: tuple(outcome(study, market, agent) for agent in range(2)))


def quiet(share: float, note: str) -> None:
    return None


class Stop(Exception):
    pass


def test_what_is_done_is_not_done_again_and_a_torn_line_is(tmp_path: Path) -> None:
    kept, first = tmp_path / "kept.jsonl", Told()
    whole = calibrate.calibrate(first, kept, TINY, None, quiet)
    assert len(first.asked) == 8
    assert len(whole) == 16
    lines = kept.read_text().splitlines()
    kept.write_text("\n".join(lines[:5]) + "\n" + lines[5][:30])
    second = Told()
    assert sorted(calibrate.calibrate(second, kept, TINY, None, quiet), key=repr) == sorted(whole, key=repr)
    assert len(second.asked) == 3
    again = Told()
    calibrate.calibrate(again, kept, TINY, None, quiet)
    assert again.asked == []


def test_real_bars_add_a_study_of_noise() -> None:
    assert {study for study, _ in calibrate.tasks(TINY, None)} == {NOISE, WEAK, MEDIUM, STRONG}
    assert SHUFFLED in {study for study, _ in calibrate.tasks(TINY, Path("bars.parquet"))}


def test_the_table_says_how_often_and_how_sure() -> None:
    rows = [outcome(NOISE, market, agent, t=2.0 if market == 0 else 0.0) for market in range(4) for agent in range(5)]
    rows += [outcome(STRONG, market, agent, Word.EVIDENCE, 5.0, (8, 10)) for market in range(4) for agent in range(5)]
    noise, strong = results(rows)
    assert (noise.evidence.value, strong.evidence.value, noise.naive.value) == (0.0, 1.0, 0.25)
    assert noise.evidence.high > 0.15, "twenty agents without an alarm prove little"
    assert strong.gain is not None
    assert strong.gain[0] == pytest.approx(0.3)
    text = as_markdown([noise, strong], TINY, date(2026, 1, 2), "A short form.")
    assert "| edges off | 20 | 0.0% (0.0% to" in text
    assert "+30.0 points (no interval below 8 markets)" in text
    many = results([outcome(STRONG, market, 0, fifth=(8, 10)) for market in range(9)])[0].gain
    assert many == pytest.approx((0.3, 0.3, 0.3))
    assert "A short form." in text
    assert all(line.count("|") in (0, 5, 8) for line in text.splitlines())


def test_what_is_asked_of_the_instrument_is_held_against_what_was_measured() -> None:
    def lines(study: str, hits: int, fifth: tuple[int, int] = (5, 10)) -> list[str]:
        words = [Word.EVIDENCE if number < hits else Word.NO_EDGE for number in range(100)]
        return list(held(results([outcome(study, number, 0, word, fifth=fifth) for number, word in enumerate(words)])))

    assert ["**it holds**, by its whole interval" in line for line in lines(NOISE, 0)] == [True]
    assert "**it holds** as measured" in lines(SHUFFLED, 4)[0]
    assert "**it does not hold** as measured" in lines(NOISE, 8)[0]
    assert "**it does not hold**, by its whole interval" in lines(NOISE, 30)[0]
    power, rise = lines(MEDIUM, 60, (2, 10))
    assert "at least 90% asked, 60.0%" in power
    assert "-30.0 points" in rise
    assert all("**it does not hold**, by its whole interval" in line for line in (power, rise))
    assert "**it holds**, by its whole interval" in lines(MEDIUM, 100, (7, 10))[1]
    assert lines(STRONG, 100) == lines(WEAK, 0) == []


def test_beside_the_power_stands_what_there_was_to_find() -> None:
    rows = [replace(outcome(MEDIUM, market, agent, Word.EVIDENCE), rule_sharpe=2.0 + market) for market in range(3) for agent in (0, 1)]
    by_pattern = {one.pattern: one for one in results(rows)[0].patterns}
    assert set(by_pattern) == {calibrate.pattern_of(0), calibrate.pattern_of(1)}
    assert all(one.rule_sharpe == pytest.approx(3.0) for one in by_pattern.values())


def test_agents_that_share_the_luck_of_their_market_count_for_less() -> None:
    markets = [number // 10 for number in range(300)]
    alone = share_interval([number % 10 == 0 for number in range(300)], markets)
    together = share_interval([market % 10 == 0 for market in markets], markets)
    assert alone.value == together.value == 0.1
    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert share_interval([], []).high == 1.0


def test_the_interval_of_a_share_holds_the_truth_as_often_as_it_says() -> None:
    random, held = np.random.default_rng(1), 0
    for _ in range(300):
        chance = random.beta(2, 18, 30)
        hits = [bool(random.random() < chance[number // 10]) for number in range(300)]
        share = share_interval(hits, [number // 10 for number in range(300)])
        held += share.low <= 0.1 <= share.high
    assert held >= 300 * 0.95 - 3 * math.sqrt(300 * 0.95 * 0.05)


@pytest.mark.slow
def test_one_market_with_its_agents_runs_through_the_whole_loop_and_the_vault() -> None:
    (found,) = calibrate.market_task(STRONG, 0, SMALL, 1, None)
    assert (found.study, found.versions >= 1, found.trials >= 1) == (STRONG, True, True)
    assert found.verdict in set(Word)


@pytest.mark.slow
def test_the_short_form_is_quiet_on_noise_and_sees_strong_edges(tmp_path: Path, shared_data: Path) -> None:
    """Eight agents on each kind of noise: an honest instrument alarms at most twice with 99 %, a broken one on most. Of the four on
    strong edges those that look for the more frequent one, the VWAP bounce, must be promising before the vault."""
    with ThreadPoolExecutor(2) as threads:
        bars = shared_data / "minute" / "blaizard_1m.parquet"
        rows = calibrate.calibrate(threads, tmp_path / "kept.jsonl", SHORT, bars if bars.exists() else None, quiet)
    assert all(row.learned == Word.PROMISING for row in rows if row.study == STRONG and "VWAP" in calibrate.pattern_of(row.agent))
    for one in results(rows):
        assert one.agents == SHORT.of(one.study).markets * SHORT.of(one.study).agents
        if one.study in (NOISE, SHUFFLED):
            assert one.evidence.count <= 2
