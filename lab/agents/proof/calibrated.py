"""What the outcomes of `lab calibrate` come to: shares with their intervals, whether they hold what is asked, and the page for the docs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from lab.agents.proof.calibrate import MEDIUM, NOISE, PATTERNS, SHUFFLED, Outcome, Plan, Size, pattern_of
from lab.agents.proof.rules import Word

if TYPE_CHECKING:
    from datetime import date

LEAST_MARKETS = 8
"""Fewer can't be resampled: their spread would be taken for far too small."""
NAIVE_T = 1.645
"""The naive rule: the best version's t-value on the bars it was found on, one-sided at 5 %."""
MOST_ALARMS = 0.05
LEAST_POWER = 0.90


@dataclass(frozen=True, slots=True)
class Share:
    """A share of agents with its interval."""

    count: int
    of: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PatternResult:
    """The agents of a study that look for one pattern."""

    pattern: str
    evidence: Share
    rule_sharpe: float | None
    """Annual, of trading by the planted rule itself: the mean over markets; None where nothing is planted."""


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
    patterns: tuple[PatternResult, ...]
    """By the pattern the agents look for."""
    gain: tuple[float, float | None, float | None] | None
    """Rise of the win rate in the vault from the first version to the fifth: value and 95 % interval (None below 8 markets);
    None where nothing was traded."""
    cpu_seconds: float
    """Processor time it took."""


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
        cpu_seconds=sum(one.cpu_seconds for one in outcomes),
    )


def _by_pattern(outcomes: Sequence[Outcome]) -> Iterator[PatternResult]:
    for pattern in PATTERNS:
        own = [one for one in outcomes if pattern_of(one.agent) == pattern]
        if own:
            sharpes = {one.market: one.rule_sharpe for one in own if one.rule_sharpe is not None}
            evidence = share_interval([one.verdict == Word.EVIDENCE for one in own], [one.market for one in own])
            yield PatternResult(pattern, evidence, fmean(sharpes.values()) if sharpes else None)


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
        f"noise {_size(plan.noise)}; with planted edges {_size(plan.planted)}. The rules and the edges' sizes were settled on markets of "
        f"other seeds. {note}".rstrip(),
        "",
        *(f"- {line}" for line in held(found)),
        "",
        "| study | agents | *evidence of an edge* | *promising* before the vault | naive rule (best t > 1.645) | trials | versions |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in found:
        shares = " | ".join(share_in_words(share) for share in (one.evidence, one.promising, one.naive))
        lines.append(f"| {one.study} | {one.agents} | {shares} | {one.mean_trials:.0f} | {one.mean_versions:.1f} |")
    lines += [
        "",
        "*Evidence of an edge* by the pattern the agents look for; in brackets the annual Sharpe ratio that trading exactly by the "
        "planted rule earned on these markets after costs:",
        "",
    ]
    lines += [f"| study | {' | '.join(PATTERNS)} |", "| --- | --- | --- | --- |"]
    for one in found:
        own = {row.pattern: row for row in one.patterns}
        lines.append(f"| {one.study} | {' | '.join(_pattern(own.get(name)) for name in PATTERNS)} |")
    lines += ["", "Win rate in the vault, which no version was refined on:", ""]
    lines += ["| study | first version | fifth | rise |", "| --- | --- | --- | --- |"]
    for one in found:
        lines.append(f"| {one.study} | {rate_in_words(one.first_win_rate)} | {rate_in_words(one.fifth_win_rate)} | {_rise(one.gain)} |")
    lines += ["", "Intervals are 95 %, and leave out whole markets, since agents on one market share its luck."]
    lines += [f"Processor time: {sum(one.cpu_seconds for one in found) / 60:,.0f} minutes of one core."]
    return "\n".join(lines) + "\n"


def held(found: Sequence[StudyResult]) -> Iterator[str]:
    """What is asked of the instrument beside what was measured, in sentences: it holds, it does not, or too little is known to say."""
    for one in found:
        share = one.evidence
        if one.study in (NOISE, SHUFFLED):
            said = _held(share.high <= MOST_ALARMS, share.low > MOST_ALARMS, share.value <= MOST_ALARMS)
            yield f"False alarms, {one.study}: at most {MOST_ALARMS:.0%} asked, {share_in_words(share)} measured: {said}."
        if one.study == MEDIUM:
            said = _held(share.low >= LEAST_POWER, share.high < LEAST_POWER, share.value >= LEAST_POWER)
            yield f"Power, {one.study}: at least {LEAST_POWER:.0%} asked, {share_in_words(share)} measured: {said}."
            if one.gain is not None:
                rise, low, high = one.gain
                sure, against = low is not None and low > 0, high is not None and high < 0
                said = _held(sure, against, rise > 0)
                yield f"Win rate out of sample, {one.study}: a rise asked, {_rise(one.gain)} measured: {said}."


def _held(sure: bool, against: bool, looks: bool) -> str:
    if sure:
        return "**it holds**, by its whole interval"
    if against:
        return "**it does not hold**, by its whole interval"
    return (
        "**it holds** as measured, but the interval reaches beyond"
        if looks
        else "**it does not hold** as measured; the interval reaches across"
    )


def _pattern(row: PatternResult | None) -> str:
    if row is None:
        return "-"
    planted = "" if row.rule_sharpe is None else f" [{row.rule_sharpe:.1f}]"
    return f"{share_in_words(row.evidence)} of {row.evidence.of}{planted}"


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
