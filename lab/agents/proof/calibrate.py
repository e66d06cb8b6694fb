"""Does the instrument work? Studies of the whole loop and its verdict, on markets where the truth is known.

On noise (a demo market with its edges off; real bars whose returns were shuffled) *evidence of an edge* must be rare; on markets
with planted edges it must be found. Each agent runs the built-in loop in memory, takes every refinement proposed, and is then put up
for graduation: the vault, the last fifth of its market, is opened once. Several agents share a market, so their outcomes are not
independent; intervals leave out whole markets (`lab.agents.proof.calibrated`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import asdict, dataclass, replace
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
STRENGTHS = {NOISE: "none", WEAK: "weak", MEDIUM: "medium", STRONG: "strong"}
"""`lab.market.demo.EdgeStrength` of the studies on demo markets."""
FIRST_SEED = 10_000
"""Of the studies' markets. What the rules ask was chosen on others (see `lab.agents.proof.rules`)."""
LEARNING_SHARE = 0.8
AGENTS: tuple[str, ...] = (
    "A conservative VWAP bounce scalper",
    "A balanced gap and go day trader",
    "A balanced support bounce mean-reversion trader",
    "A balanced VWAP bounce day trader",
    "An aggressive gap and go momentum trader",
    "A conservative support bounce day trader",
    "An aggressive VWAP bounce scalper",
    "A conservative gap and go day trader",
    "An aggressive support bounce scalper",
    "A conservative VWAP bounce day trader",
)
"""Whom a study asks: each looks for a pattern that has an edge planted in the demo market."""

PATTERNS = {"VWAP bounce": "VWAP bounce", "gap and go": "gap continuation", "support bounce": "reversal at a level"}
"""What the agents look for -> the planted edge (`lab.market.demo.edges`) that it is."""


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


FULL = Plan(Size(markets=30, agents=10, sessions=200, tickers=6), Size(markets=10, agents=10, sessions=2_000, tickers=8), iterations=10)
"""300 agents on each kind of noise, 100 on each strength of edges. Histories of eight years: with six, 89 of 100 found a medium edge here;
with eight, 40 of 40 did on markets of other seeds (910000 and up)."""
SHORT = Plan(Size(markets=4, agents=2, sessions=90, tickers=3), Size(markets=2, agents=2, sessions=240, tickers=5), iterations=4)
"""Shows that all of it runs, and that strong edges are seen where noise is not; too little for a rate."""


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
    deflated: float | None = None
    """The deflated Sharpe ratio on the learning span, over the effective number of trials below."""
    effective: float = 1.0
    vault_probability: float | None = None
    """That the true Sharpe ratio in the vault is positive."""
    rule_sharpe: float | None = None
    """Annual, of trading exactly by the planted rule on the whole of this market; None where nothing is planted."""
    cpu_seconds: float = 0.0
    """Processor time, with the agent's part of making the market."""


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
    began = time.process_time()
    frame = _market(study, market, size, real_bars)
    days = frame["session"].unique().sort().to_list()
    until = days[max(0, int(len(days) * LEARNING_SHARE) - 1)]
    rules = _rule_sharpes(study, frame)
    outcomes = [_agent(study, market, number, frame, until, iterations) for number in range(size.agents)]
    seconds = (time.process_time() - began) / len(outcomes)
    return tuple(replace(one, cpu_seconds=seconds, rule_sharpe=rules.get(pattern_of(one.agent))) for one in outcomes)


def pattern_of(agent: int) -> str:
    """What an agent looks for: one of `PATTERNS`."""
    return next(name for name in PATTERNS if name in AGENTS[agent % len(AGENTS)])


def _rule_sharpes(study: str, frame: pl.DataFrame) -> dict[str, float | None]:
    """What is there to be found: pattern -> the annual Sharpe ratio of trading by the planted rule itself."""
    from lab.backtest import run_backtest
    from lab.market.demo import EdgeStrength
    from lab.market.demo.edges import planted
    from lab.script import compile_strategy

    edges = {one.name: one for one in planted(EdgeStrength(STRENGTHS[study]))} if study in STRENGTHS else {}
    account, costs = account_of(AccountRules(5, 1.0, 0.25))
    found = {}
    for pattern, name in PATTERNS.items():
        if name in edges:
            strategy = compile_strategy(edges[name].rule, edges[name].execution)
            found[pattern] = run_backtest(strategy, strategy.evaluate(frame), account, costs).metrics.sharpe
    return found


def _market(study: str, market: int, size: Size, real_bars: str | None) -> pl.DataFrame:
    from lab.market.context import USUAL_CONTEXT
    from lab.market.demo import EdgeStrength, make_market_frames

    if study == SHUFFLED:
        assert real_bars is not None
        return _shuffled_market(Path(real_bars), market, size)
    seed = FIRST_SEED + 97 * market
    made = make_market_frames(seed=seed, sessions=size.sessions, tickers=size.tickers, edges=EdgeStrength(STRENGTHS[study]))
    return made.with_context(USUAL_CONTEXT)


def _shuffled_market(file: Path, market: int, size: Size) -> pl.DataFrame:
    """Some of the file's tickers with their returns shuffled; other tickers and another shuffling for each market."""
    import numpy as np
    import polars as pl

    from lab.agents.proof.null_arm import shuffled
    from lab.market.bars import BARS_SCHEMA, place_in_sessions

    raw = pl.read_parquet(file)
    tickers = sorted(raw["ticker"].unique().to_list())
    rng = np.random.default_rng(2 * FIRST_SEED + market)
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


def _agent(study: str, market: int, number: int, frame: pl.DataFrame, until: date, iterations: int) -> Outcome:
    import polars as pl

    from lab.agents.demands import limits
    from lab.agents.personality import detect, risk_config
    from lab.agents.proof.loop import learn

    instructions = AGENTS[number % len(AGENTS)]
    personality = detect(instructions).personality
    config = risk_config(personality, instructions) | limits(instructions).config()
    rules = AccountRules(int(config["max_positions"]), float(config["max_exposure"]), float(config["max_position"]))
    context = frozenset({"levels", "prev_day"} | ({"market"} if frame["market.trend"].null_count() < frame.height else set()))
    brief = Brief(f"agent {number}", instructions, "", personality, config, "1m", context)
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
        deflated=learned.deflated,
        effective=learned.effective_trials,
        vault_probability=last.probability,
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
