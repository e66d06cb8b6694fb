"""Does the instrument work? Studies of the whole loop and its verdict, on markets where the truth is known.

On noise (a demo market with its edges off; real bars whose returns were shuffled) *evidence of an edge* must be rare; on markets
with planted edges it must be found. Each agent runs the built-in loop in memory, takes every refinement proposed, and is then put up
for graduation: the vault, the last fifth of its market, is opened once. Several agents share a market, so their outcomes are not
independent; intervals leave out whole markets (`share_interval`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.agents.jobs import AccountRules, BarsSlice, Scripts, account_of
from lab.agents.proof.rules import SURE, VAULT_SURE, Word, final_verdict
from lab.agents.strategist import Brief
from lab.errors import LabError

if TYPE_CHECKING:
    from datetime import date

    import polars as pl

    from lab.agents.proof.views import VaultReport

Progress = Callable[[float, str], None]

NOISE, SHUFFLED, WEAK, MEDIUM, STRONG = "edges off", "real bars, shuffled", "weak edges", "medium edges", "strong edges"
LEARNING_SHARE = 0.8
LEAST_MARKETS = 8
"""Fewer can't be resampled: their spread would be taken for far too small."""
NAIVE_T = 1.645
"""The naive rule: the best version's t-value on the bars it was found on, one-sided at 5 %."""
AGENTS: tuple[str, ...] = (
    "A conservative VWAP bounce scalper",
    "A balanced gap and go day trader",
    "A balanced VWAP bounce day trader",
    "An aggressive gap and go momentum trader",
    "An aggressive VWAP bounce scalper",
    "A conservative gap and go day trader",
    "A balanced support bounce mean-reversion trader",
    "A conservative support bounce day trader",
    "A conservative VWAP bounce day trader",
    "An aggressive support bounce scalper",
)
"""Whom a study asks: each looks for a pattern that has an edge planted in the demo market."""

PATTERNS = ("VWAP bounce", "gap and go", "support bounce")


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a study is done."""

    markets: int
    agents: int
    """On each market, of AGENTS in order."""
    sessions: int
    """The vault included."""
    tickers: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All studies. Noise needs many agents, for alarms are rare; an edge needs long histories, or no honest rule can tell it from luck."""

    noise: Size
    planted: Size
    iterations: int

    def of(self, study: str) -> Size:
        return self.noise if study in (NOISE, SHUFFLED) else self.planted


FULL = Plan(Size(markets=30, agents=10, sessions=200, tickers=6), Size(markets=10, agents=6, sessions=600, tickers=12), iterations=10)
"""300 agents on each kind of noise, 60 on each strength of edges."""
SHORT = Plan(Size(markets=4, agents=2, sessions=90, tickers=3), Size(markets=4, agents=2, sessions=90, tickers=3), iterations=3)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one agent."""

    study: str
    market: int
    agent: int
    versions: int
    iterations: int
    trials: int
    learned: str
    """The verdict on the learning span alone."""
    verdict: str
    """With the vault."""
    best_t: float | None
    vault_trades: int
    vault_sharpe: float | None
    first: tuple[int, int]
    """Wins and trades of the first version in the vault."""
    fifth: tuple[int, int]
    """Of the fifth, or of the last where there were fewer."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of agents with its interval."""

    count: int
    of: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class StudyResult:
    study: str
    agents: int
    markets: int
    evidence: Share
    promising: Share
    """At least promising on the learning span."""
    naive: Share
    mean_trials: float
    mean_versions: float
    first_win_rate: float | None
    fifth_win_rate: float | None
    patterns: tuple[tuple[str, Share], ...]
    """Evidence by the pattern the agents look for."""
    gain: tuple[float, float | None, float | None] | None
    """Rise of the win rate in the vault from the first version to the fifth: value and 95 % interval (None below 8 markets);
    None where nothing was traded."""


def tasks(plan: Plan, real_bars: Path | None) -> list[tuple[str, int]]:
    """Every (study, market) there is to do, all studies side by side: broken off early, each has some."""
    studies = [NOISE, *((SHUFFLED,) if real_bars is not None else ()), WEAK, MEDIUM, STRONG]
    most = max(plan.noise.markets, plan.planted.markets)
    return [(study, market) for market in range(most) for study in studies if market < plan.of(study).markets]


def inputs_version() -> str:
    """Of what outcomes depend on besides the size: another version's are not mixed with them."""
    from lab.backtest import ENGINE_VERSION
    from lab.market.demo import DEMO_VERSION

    return f"engine {ENGINE_VERSION}, demo {DEMO_VERSION}, agents {AGENTS}, rules {SURE} {VAULT_SURE}"


def calibrate(executor: Executor, kept: Path, plan: Plan, real_bars: Path | None, progress: Progress) -> list[Outcome]:
    """Run what `kept` does not hold yet and return all outcomes. Each market's are written as they come: broken off, it goes on there.

    Raises what `progress` raises.
    """
    known: dict[tuple[str, int], list[Outcome]] = {}
    for one in read_outcomes(kept):
        known.setdefault((one.study, one.market), []).append(one)
    if kept.exists() and not kept.read_bytes().endswith(b"\n"):
        with kept.open("a", encoding="utf-8") as file:
            file.write("\n")
    wanted = tasks(plan, real_bars)
    left = [task for task in wanted if task not in known]
    bars = None if real_bars is None else str(real_bars)
    waiting: dict[Future[tuple[Outcome, ...]], tuple[str, int]] = {
        executor.submit(market_task, study, market, plan.of(study), plan.iterations, bars): (study, market) for study, market in left
    }
    try:
        while waiting:
            progress(1 - len(waiting) / len(wanted), f"{len(wanted) - len(waiting)} of {len(wanted)} markets")
            for future in wait(waiting, 1.0, FIRST_COMPLETED).done:
                task = waiting.pop(future)
                known[task] = list(future.result())
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([asdict(one) for one in known[task]]) + "\n")
    finally:
        for future in waiting:
            future.cancel()
    progress(1.0, f"{len(wanted)} of {len(wanted)} markets")
    return [one for task in wanted for one in known[task]]


def read_outcomes(kept: Path) -> Iterator[Outcome]:
    """What earlier runs left; a line that was not written to its end is done again."""
    if not kept.exists():
        return
    for line in kept.read_text(encoding="utf-8").splitlines():
        try:
            rows = json.loads(line)
        except json.JSONDecodeError:
            continue
        for row in rows:
            yield Outcome(**{**row, "first": tuple(row["first"]), "fifth": tuple(row["fifth"])})


def market_task(study: str, market: int, size: Size, iterations: int, real_bars: str | None) -> tuple[Outcome, ...]:
    """All agents of one market, in a pool process."""
    frame, timeframe = _market(study, market, size, real_bars)
    days = frame["session"].unique().sort().to_list()
    until = days[max(0, int(len(days) * LEARNING_SHARE) - 1)]
    return tuple(_agent(study, market, number, frame, until, timeframe, iterations) for number in range(size.agents))


def _market(study: str, market: int, size: Size, real_bars: str | None) -> tuple[pl.DataFrame, str]:
    from lab.market.context import USUAL_CONTEXT
    from lab.market.demo import EdgeStrength, make_market_frames

    if study == SHUFFLED:
        assert real_bars is not None
        return _shuffled_market(Path(real_bars), market, size), "1m"
    strength = {NOISE: EdgeStrength.NONE, WEAK: EdgeStrength.WEAK, MEDIUM: EdgeStrength.MEDIUM, STRONG: EdgeStrength.STRONG}[study]
    seed = 10_000 + 97 * market
    made = make_market_frames(seed=seed, sessions=size.sessions, tickers=size.tickers, edges=strength)
    return made.with_context(USUAL_CONTEXT), "1m"


def _shuffled_market(file: Path, market: int, size: Size) -> pl.DataFrame:
    """Some of the file's tickers with their returns shuffled; other tickers and another shuffling for each market."""
    import numpy as np
    import polars as pl

    from lab.agents.proof.null_arm import shuffled
    from lab.market.bars import BARS_SCHEMA, place_in_sessions

    raw = pl.read_parquet(file)
    tickers = sorted(raw["ticker"].unique().to_list())
    rng = np.random.default_rng(20_000 + market)
    chosen = sorted(rng.choice(len(tickers), min(size.tickers, len(tickers)), replace=False).tolist())
    parts = []
    for name in (tickers[number] for number in chosen):
        own = raw.filter(pl.col("ticker") == name).unique("timestamp")
        placed = place_in_sessions(own, "1m").filter(pl.col("regular")).with_columns(ticker=pl.lit(name))
        parts.append(placed.select(pl.col(column).cast(kind) for column, kind in BARS_SCHEMA.items()))
    bars = pl.concat(parts)
    days = bars["session"].unique().sort().tail(size.sessions).to_list()
    bars = bars.filter(pl.col("session") >= days[0])
    names = tuple(tickers[number] for number in chosen)
    span = BarsSlice("", names, "1m", days[0], days[-1], None, None, "", False, days[-1])
    return shuffled(bars, None, span, market)


def _agent(study: str, market: int, number: int, frame: pl.DataFrame, until: date, timeframe: str, iterations: int) -> Outcome:
    import polars as pl

    from lab.agents.demands import limits
    from lab.agents.personality import detect, risk_config
    from lab.agents.proof.loop import learn

    instructions = AGENTS[number % len(AGENTS)]
    personality = detect(instructions).personality
    config = risk_config(personality, instructions) | limits(instructions).config()
    rules = AccountRules(int(config["max_positions"]), float(config["max_exposure"]), float(config["max_position"]))
    context = frozenset({"levels", "prev_day"} | ({"market"} if frame["market.trend"].null_count() < frame.height else set()))
    brief = Brief(f"agent {number}", instructions, "", personality, config, timeframe, context)
    seed = market * 100 + number
    try:
        learned = learn(frame.filter(pl.col("session") <= until), brief, rules, iterations, seed)
    except LabError as error:
        return Outcome(study, market, number, 0, 0, 0, f"failed: {error}", Word.NO_VERDICT, None, 0, None, (0, 0), (0, 0))
    versions = learned.versions
    first, fifth = versions[0], versions[min(4, len(versions) - 1)]
    looked = {one.scripts: _in_vault(frame, one.scripts, rules, until, seed) for one in (first, fifth, versions[-1])}
    last = looked[versions[-1].scripts]
    return Outcome(
        study=study,
        market=market,
        agent=number,
        versions=len(versions),
        iterations=learned.iterations,
        trials=learned.trials.count,
        learned=learned.verdict.word,
        verdict=final_verdict(learned.verdict, last).word,
        best_t=learned.best_t,
        vault_trades=last.trades,
        vault_sharpe=last.sharpe,
        first=(looked[first.scripts].wins, looked[first.scripts].trades),
        fifth=(looked[fifth.scripts].wins, looked[fifth.scripts].trades),
    )


def _in_vault(frame: pl.DataFrame, scripts: Scripts, rules: AccountRules, until: date, seed: int) -> VaultReport:
    import polars as pl

    from lab.agents.proof.studies import in_the_vault
    from lab.backtest import run_backtest
    from lab.script import compile_strategy

    strategy = compile_strategy(scripts.scan, scripts.execution)
    evaluated = strategy.evaluate(frame).filter(pl.col("session") > until)
    account, costs = account_of(rules)
    return in_the_vault(run_backtest(strategy, evaluated, account, costs), {}, seed)


# --- what the outcomes come to


def results(outcomes: Sequence[Outcome]) -> list[StudyResult]:
    """A row a study, in the order in which they came."""
    return [_result(study, [one for one in outcomes if one.study == study]) for study in dict.fromkeys(one.study for one in outcomes)]


def _result(study: str, outcomes: Sequence[Outcome]) -> StudyResult:
    markets = [one.market for one in outcomes]
    wins1, trades1 = sum(one.first[0] for one in outcomes), sum(one.first[1] for one in outcomes)
    wins5, trades5 = sum(one.fifth[0] for one in outcomes), sum(one.fifth[1] for one in outcomes)
    return StudyResult(
        study=study,
        agents=len(outcomes),
        markets=len(set(markets)),
        evidence=share_interval([one.verdict == Word.EVIDENCE for one in outcomes], markets),
        promising=share_interval([one.learned == Word.PROMISING for one in outcomes], markets),
        naive=share_interval([(one.best_t or 0.0) > NAIVE_T for one in outcomes], markets),
        mean_trials=sum(one.trials for one in outcomes) / max(1, len(outcomes)),
        mean_versions=sum(one.versions for one in outcomes) / max(1, len(outcomes)),
        first_win_rate=wins1 / trades1 if trades1 else None,
        fifth_win_rate=wins5 / trades5 if trades5 else None,
        patterns=tuple(_by_pattern(outcomes)),
        gain=_gain(outcomes),
    )


def _by_pattern(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, Share]]:
    for pattern in PATTERNS:
        own = [one for one in outcomes if pattern in AGENTS[one.agent % len(AGENTS)]]
        if own:
            yield pattern, share_interval([one.verdict == Word.EVIDENCE for one in own], [one.market for one in own])


def share_interval(hits: Sequence[bool], markets: Sequence[int]) -> Share:
    """A share with Wilson's interval at the number of independent agents that its spread between markets is worth.

    Agents on one market share its luck: the variance of the share with whole markets left out one by one, over that of as many
    independent agents, is the design effect (Kish 1965) by which their number is divided; never below 1.
    """
    from scipy.stats import t

    from lab.backtest import wilson_interval

    n, count = len(hits), sum(hits)
    if not n:
        return Share(0, 0, 0.0, 0.0, 1.0)
    value, groups = count / n, sorted(set(markets))
    effect = 1.0
    if len(groups) > 1 and 0 < count < n:
        left = []
        for group in groups:
            others = [hit for hit, market in zip(hits, markets, strict=True) if market != group]
            left.append(sum(others) / len(others))
        jackknife = (len(groups) - 1) / len(groups) * sum((one - value) ** 2 for one in left)
        # few markets tell little of their own spread: Student's quantile takes the place of the normal one
        unsure = (float(t.ppf(0.975, len(groups) - 1)) / 1.96) ** 2
        effect = max(1.0, jackknife / (value * (1 - value) / n)) * unsure
    elif len(groups) < n and count in (0, n):
        # nothing varies, so nothing tells how alike agents of a market are: half as independent as they are many is taken
        effect = math.sqrt(n / len(groups))
    worth = max(1, round(n / effect))
    low, high = wilson_interval(min(worth, round(value * worth)), worth)
    return Share(count, n, value, min(low, value), max(high, value))


def _gain(outcomes: Sequence[Outcome]) -> tuple[float, float | None, float | None] | None:
    """The pooled win rate of fifth versions less that of first ones in the vault, with markets resampled 2,000 times."""
    import numpy as np

    groups = sorted({one.market for one in outcomes})
    table = np.array(
        [
            [sum(column) for column in zip(*[(*one.first, *one.fifth) for one in outcomes if one.market == group], strict=True)]
            for group in groups
        ],
        dtype=np.float64,
    )
    total = table.sum(axis=0)
    if not total[1] or not total[3]:
        return None
    rise = float(total[2] / total[3] - total[0] / total[1])
    if len(groups) < LEAST_MARKETS:
        return rise, None, None
    rng = np.random.default_rng(1)
    drawn = table[rng.integers(0, len(groups), (2_000, len(groups)))].sum(axis=1)
    usable = (drawn[:, 1] > 0) & (drawn[:, 3] > 0)
    spread = drawn[usable, 2] / drawn[usable, 3] - drawn[usable, 0] / drawn[usable, 1]
    low, high = np.quantile(spread, [0.025, 0.975])
    return rise, float(low), float(high)


def as_markdown(found: Sequence[StudyResult], plan: Plan, made_on: date, note: str) -> str:
    """The table for the docs, with what it took to make it."""
    lines = [
        "# Does the instrument work?",
        "",
        "Made by `lab calibrate`; the rules are at the head of `lab/agents/proof/rules.py`, the studies at that of "
        "`lab/agents/proof/calibrate.py`.",
        "",
        f"{made_on}: up to {plan.iterations} iterations an agent, every proposal taken, then the vault (the last fifth) is opened once. On "
        f"noise {_size(plan.noise)}; with planted edges {_size(plan.planted)}. {note}".rstrip(),
        "",
        "| study | agents | *evidence of an edge* | *promising* before the vault | naive rule (best t > 1.645) | trials | versions |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in found:
        shares = " | ".join(share_in_words(share) for share in (one.evidence, one.promising, one.naive))
        lines.append(f"| {one.study} | {one.agents} | {shares} | {one.mean_trials:.0f} | {one.mean_versions:.1f} |")
    lines += ["", "*Evidence of an edge* by the pattern the agents look for:", ""]
    lines += [f"| study | {' | '.join(PATTERNS)} |", "| --- | --- | --- | --- |"]
    for one in found:
        own = dict(one.patterns)
        cells = " | ".join(f"{share_in_words(own[name])} of {own[name].of}" if name in own else "-" for name in PATTERNS)
        lines.append(f"| {one.study} | {cells} |")
    lines += ["", "Win rate in the vault, which no version was refined on:", ""]
    lines += ["| study | first version | fifth | rise |", "| --- | --- | --- | --- |"]
    for one in found:
        lines.append(f"| {one.study} | {rate_in_words(one.first_win_rate)} | {rate_in_words(one.fifth_win_rate)} | {_rise(one.gain)} |")
    lines += ["", "Intervals are 95 %, and leave out whole markets, since agents on one market share its luck."]
    return "\n".join(lines) + "\n"


def _rise(gain: tuple[float, float | None, float | None] | None) -> str:
    if gain is None:
        return "-"
    value, low, high = gain
    spread = f"no interval below {LEAST_MARKETS} markets" if low is None or high is None else f"{low * 100:+.1f} to {high * 100:+.1f}"
    return f"{value * 100:+.1f} points ({spread})"


def _size(size: Size) -> str:
    return f"{size.markets} markets of {size.sessions} sessions and {size.tickers} tickers with {size.agents} agents each"


def share_in_words(share: Share) -> str:
    """ "3.0% (1.1% to 6.4%)"."""
    return f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})"


def rate_in_words(value: float | None) -> str:
    """A win rate, or a dash where nothing was traded."""
    return "-" if value is None else f"{value:.1%}"
