"""Guidance in words, turned into changes of the scripts: what the person asks for outranks the strategist's own ideas."""

from __future__ import annotations

from dataclasses import dataclass

from lab.agents.demands import clock, flat_by, limits, unusable, windows
from lab.agents.words import FALLING_MARKET, VOLATILE_MARKET, mentions

EVERY_CONTEXT = frozenset({"market", "levels", "news", "prev_day"})
"""The context namespaces that a wish may need."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing the person asked for: a condition to add, or a parameter to move."""

    title: str
    words: tuple[str, ...]
    """The words it was read from."""
    condition: str = ""
    parameter: str = ""
    """"stop", "target", "risk", "threshold" or "flat_by": what to move."""
    factor: float = 1.0
    value: str = ""
    """What the line "risk" or "flat_by" is to say, where the person named it."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    words: tuple[str, ...]
    title: str
    condition: str = ""
    parameter: str = ""
    factor: float = 1.0
    negated: bool = False
    """Read from the words when they stand under a negation ("avoid Fridays")."""
    needs: str = ""
    """The context namespace it can't do without."""
    intraday: bool = False


_MEANINGS: tuple[_Meaning, ...] = (
    _Meaning(
        ("wider stop*", "widen the stop*", "looser stop*", "larger stop*", "more room", "give it room"),
        "wider stop",
        parameter="stop",
        factor=1.4,
    ),
    _Meaning(
        ("tighter stop*", "tighten the stop*", "closer stop*", "smaller stop*", "cut losses", "smaller losses"),
        "tighter stop",
        parameter="stop",
        factor=0.7,
    ),
    _Meaning(
        ("larger target*", "bigger target*", "higher target*", "further target*", "let winners run", "let profits run", "bigger wins"),
        "larger target",
        parameter="target",
        factor=1.5,
    ),
    _Meaning(
        (
            "smaller target*",
            "closer target*",
            "nearer target*",
            "lower target*",
            "take profit* earlier",
            "quick profit*",
            "take profits sooner",
        ),
        "smaller target",
        parameter="target",
        factor=0.7,
    ),
    _Meaning(
        ("less risk", "risk less", "lower risk", "halve the risk", "smaller position*", "safer"),
        "half the risk",
        parameter="risk",
        factor=0.5,
    ),
    _Meaning(("more risk", "risk more", "higher risk", "larger position*", "bigger position*"), "more risk", parameter="risk", factor=1.5),
    _Meaning(
        ("fewer trades", "more selective", "stricter", "be picky", "pickier", "quality over quantity"),
        "stricter threshold",
        parameter="threshold",
        factor=1.3,
    ),
    _Meaning(
        ("more trades", "less selective", "more signals", "looser filter*", "trade more often"),
        "looser threshold",
        parameter="threshold",
        factor=0.75,
    ),
    _Meaning(
        ("volume", "high volume", "heavy volume", "more volume", "loud"),
        "only on high volume",
        "relative_volume(10) > param(1.5, low=1, high=4, step=0.25)",
    ),
    _Meaning(("morning*", "before noon", "first hours", "early"), "only in the morning", 'time_between("09:30", "12:00")', intraday=True),
    _Meaning(("afternoon*", "after lunch", "late in the day"), "only in the afternoon", 'time_between("13:00", "16:00")', intraday=True),
    _Meaning(("lunch*", "midday", "noon"), "not around noon", 'not time_between("11:30", "13:30")', negated=True, intraday=True),
    _Meaning(
        ("the open", "opening", "first minutes", "first half hour"),
        "not in the first half hour",
        "minutes_since_open() >= 30",
        negated=True,
        intraday=True,
    ),
    _Meaning(("morning*",), "not in the morning", 'time_between("12:00", "16:00")', negated=True, intraday=True),
    _Meaning(
        ("uptrend*", "rising market*", "market is up", "market is rising", "bull market*", "with the market", "market up"),
        "only when the market is not falling",
        "market.trend >= 0",
        needs="market",
    ),
    _Meaning(
        FALLING_MARKET,
        "only when the market is not falling",
        "market.trend >= 0",
        negated=True,
        needs="market",
    ),
    _Meaning(
        FALLING_MARKET,
        "only when the market is not rising",
        "market.trend <= 0",
        needs="market",
    ),
    _Meaning(("calm", "quiet market*", "low volatility"), "not in a volatile market", "market.volatility <= 1", needs="market"),
    _Meaning(
        VOLATILE_MARKET,
        "not in a volatile market",
        "market.volatility <= 1",
        negated=True,
        needs="market",
    ),
    _Meaning(VOLATILE_MARKET, "not in a calm market", "market.volatility >= 1", needs="market"),
    _Meaning(
        ("at support", "near support", "close to support", "support"),
        "only near support",
        "close < levels.support * (1 + param(1, low=0.25, high=4, step=0.25) / 100)",
        needs="levels",
    ),
    _Meaning(
        ("resistance",),
        "not just below resistance",
        "levels.resistance > close * (1 + param(0.5, low=0.1, high=3, step=0.1) / 100)",
        negated=True,
        needs="levels",
    ),
    _Meaning(("good news", "positive news", "favourable news", "favorable news"), "only on good news", "news.sentiment > 0", needs="news"),
    _Meaning(("bad news", "negative news"), "not on bad news", "nz(news.sentiment, 0) >= 0", negated=True, needs="news"),
    _Meaning(
        ("with news", "on news", "after news", "news catalyst*", "fresh news", "in the news"),
        "only with news of the last session",
        "news.count_1d >= 1",
        needs="news",
    ),
    _Meaning(("no news", "without news", "avoid news"), "not with news of the last session", "news.count_1d == 0", needs="news"),
    _Meaning(
        ("headlines", "news days", "fresh news", "news catalyst*", "in the news"),
        "not with news of the last session",
        "news.count_1d == 0",
        negated=True,
        needs="news",
    ),
    _Meaning(
        ("high vix", "vix is high", "vix above"),
        "only when the VIX is high",
        "market.vix > param(20, low=12, high=40, step=1)",
        needs="market",
    ),
    _Meaning(
        ("low vix", "vix is low", "vix below"),
        "only when the VIX is low",
        "market.vix < param(20, low=12, high=40, step=1)",
        needs="market",
    ),
    _Meaning(("gap*",), "not after a large gap", "abs(gap()) < param(1, low=0.25, high=4, step=0.25)", negated=True),
    *(
        _Meaning((f"{day}*",), f"not on {day.title()}s", f"day_of_week() != {number}", negated=True)
        for number, day in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday"), start=1)
    ),
)


def wishes(guidance: str, context: frozenset[str], *, intraday: bool) -> tuple[Wish, ...]:
    """What `guidance` asks for, as far as the built-in strategist understands it; each change once."""
    found: dict[str, Wish] = {}
    asked, out = limits(guidance), flat_by(guidance)
    if asked.risk_percent is not None:
        found["risk"] = Wish(f"risk {asked.risk_percent:g}% a trade", asked.words[:1], parameter="risk", value=f"{asked.risk_percent:g}")
    if out is not None and intraday:
        found["flat_by"] = Wish(f"out by {clock(out[0])}", (out[1],), parameter="flat_by", value=clock(out[0]))
    for meaning in _MEANINGS:
        if (meaning.needs and meaning.needs not in context) or (meaning.intraday and not intraday):
            continue
        said = mentions(guidance, meaning.words, negated=meaning.negated)
        if said:
            wish = Wish(meaning.title, said, meaning.condition, meaning.parameter, meaning.factor)
            found.setdefault(meaning.condition or meaning.parameter, wish)
    for window in windows(guidance) if intraday else ():
        found.setdefault(window.condition, Wish(window.title, (window.words,), condition=window.condition))
    return tuple(found.values())


def beyond_scripts(guidance: str, *, intraday: bool) -> str:
    """What of `guidance` is understood but is no matter of the scripts, in sentences; empty where there is nothing of the kind."""
    asked, said = limits(guidance), []
    if asked.max_positions is not None:
        said.append(f"How many positions are held at most ({asked.max_positions}) is no matter of the scripts: set it in my settings.")
    if not intraday and (times := windows(guidance)):
        said.append(f"“{times[0].words}” can't be kept on bars that have no time of day.")
    return " ".join((*said, *unusable(guidance, "")))
