"""The words of a trader's plain English: which of them speak for which choice, and how they are found in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Cue:
    """Words that speak for a choice. A blank stands for blanks or a hyphen, `*` for any ending of the word, `~` for up to two words."""

    choice: str
    words: tuple[str, ...]
    weight: int = 1
    negated: bool = False
    """Speaks for the choice where the words stand under a negation: "skip falling markets"."""


RISK_CUES = (
    Cue(
        "conservative",
        (
            "conservative*",
            "cautious*",
            "careful*",
            "safe",
            "safely",
            "safety",
            "low risk",
            "risk averse",
            "defensive*",
            "prudent*",
            "capital preservation",
            "preserve* capital",
            "protect* capital",
            "small risk",
            "small losses",
            "small position*",
            "little risk",
        ),
        2,
    ),
    Cue("balanced", ("balanced", "moderate*", "medium risk", "measured", "normal risk"), 2),
    Cue("balanced", ("patient*", "steady", "disciplined")),
    Cue(
        "aggressive",
        (
            "aggressive*",
            "bold*",
            "high risk",
            "risky",
            "daring",
            "fearless*",
            "risk taker",
            "risk taking",
            "big bets",
            "all in",
            "yolo",
            "maximum profit",
        ),
        2,
    ),
)
STYLE_CUES = (
    Cue("scalper", ("scalp*", "quick in and out", "quick profits", "quick trades", "few minutes", "in and out"), 4),
    Cue(
        "swing trader", ("swing trad*", "swing*", "overnight position*", "hold for days", "several days", "multi day", "holds for weeks"), 4
    ),
    Cue("momentum trader", ("momentum",), 4),
    Cue("mean-reversion trader", ("mean reversion", "mean reverting", "reversion", "reversal*", "contrarian", "counter trend"), 4),
    Cue("breakout trader", ("breakout trad*", "breakout*", "break out*", "breaks out"), 3),
    Cue("trend follower", ("trend follow*", "follow* the trend", "follow* trend*", "ride* the trend", "ride* trend*", "with the trend"), 4),
    Cue("day trader", ("day trad*", "intraday"), 3),
    Cue(
        "mean-reversion trader",
        ("fade*", "fading", "oversold", "overbought", "overextended", "overreaction*", "sell offs", "bounce*", "snap back"),
    ),
    Cue("momentum trader", ("gap and go", "strength", "strong stocks", "runners", "explosive")),
    Cue("trend follower", ("pull back*", "pullback*", "uptrend*", "trend*")),
)
GAP_AND_GO = ("gap and go", "gap n go", "gap & go", "gap continuation*", "gap* ~ continu*", "gap* and run*", "gap* and hold*")
"""Names the trade in the gap's direction outright; any other gap is the opposite trade where one speaks of fading it."""
FOCUS_CUES = (
    Cue(
        "VWAP fade",
        (
            "vwap ~ fade*",
            "vwap ~ fading",
            "fade* ~ vwap",
            "fading ~ vwap",
            "far ~ vwap",
            "stretched ~ vwap",
            "extended ~ vwap",
            "return* to ~ vwap",
            "away from vwap",
            "back to ~ vwap",
            "vwap ~ reversion",
            "revert* to ~ vwap",
        ),
        3,
    ),
    Cue(
        "VWAP bounce",
        (
            "vwap bounce*",
            "dip* to ~ vwap",
            "dip* into ~ vwap",
            "off ~ vwap",
            "touch* ~ vwap",
            "pull back* to ~ vwap",
            "pullback* to ~ vwap",
            "reclaim* ~ vwap",
            "vwap reclaim*",
            "vwap pullback*",
            "vwap pull back*",
            "vwap hold*",
            "hold* vwap",
        ),
        3,
    ),
    Cue("VWAP bounce", ("vwap", "volume weighted average price")),
    Cue(
        "gap fill",
        (
            "gap fill*",
            "fill* ~ gap*",
            "gap* ~ fill*",
            "fade* ~ gap*",
            "fading ~ gap*",
            "gap* ~ fade*",
            "gap* ~ fading",
            "closing ~ gap*",
            "gap* ~ close*",
            "gap reversal*",
            "against ~ gap*",
            "short* ~ gap* up*",
            "short* ~ gap*",
            "sell* ~ gap* up*",
            "buy* ~ gap* down*",
            "failed gap*",
        ),
        3,
    ),
    Cue("gap and go", (*GAP_AND_GO, "gap up*", "gaps up", "gapping up", "buy* ~ gap*"), 3),
    Cue("gap and go", ("gap*", "gapper*")),
    Cue(
        "opening-range breakout",
        (
            "opening range*",
            "open range*",
            "orb",
            "opening drive",
            "morning breakout*",
            "opening breakout*",
            "break* ~ first ~ minute*",
            "range of the first ~ minutes",
            "first ~ minute range*",
            "first ~ minutes* high",
        ),
        3,
    ),
    Cue("RSI-2 reversal", ("rsi", "rsi 2", "oversold", "overbought", "connors", "washed out", "capitulation"), 2),
    Cue(
        "Bollinger squeeze",
        ("bollinger*", "squeeze*", "volatility contraction", "coil*", "compression", "tight range*", "consolidation*"),
        2,
    ),
    Cue(
        "trend pull-back",
        ("pull back*", "pullback*", "buy* ~ dip*", "dip buy*", "retracement*", "trend follow*", "moving average*", "ema"),
        2,
    ),
    Cue("trend pull-back", ("trend*", "uptrend*")),
    Cue(
        "support bounce",
        (
            "at support",
            "near support",
            "into support",
            "to support",
            "support bounce*",
            "bounce* off support",
            "support level*",
            "support zone*",
            "double bottom*",
            "off support",
            "key level*",
        ),
        4,
    ),
    Cue("support bounce", ("support", "bottoms", "levels")),
    Cue("high-tight flag", ("high tight flag*", "bull flag*", "flag*", "pennant*"), 3),
    Cue(
        "parabolic exhaustion",
        (
            "parabolic*",
            "exhaustion",
            "blow off*",
            "climax*",
            "overextended",
            "short* ~ spike*",
            "short* ~ rall*",
            "fade* ~ spike*",
            "fade* ~ rall*",
        ),
        3,
    ),
    Cue("opening-range breakout", ("breakout*", "break out*", "new highs")),
    Cue("RSI-2 reversal", ("mean reversion", "mean reverting", "reversal*", "contrarian", "sell off*", "selloff*", "snap back*")),
    Cue("gap and go", ("momentum",)),
)
FALLING_MARKET = (
    "downtrend*",
    "down trend*",
    "down market*",
    "bear market*",
    "bearish",
    "falling market*",
    "weak market*",
    "market is down",
    "market is falling",
    "falling stocks",
)
VOLATILE_MARKET = ("volatile", "high volatility", "high vix", "wild", "panic*", "fast market*", "fast moving")
MARKET_CUES = (
    Cue(
        "rising market",
        (
            "uptrend*",
            "up trend*",
            "up market*",
            "bull market*",
            "bullish",
            "rising market*",
            "strong market*",
            "market is up",
            "market is rising",
            "rising stocks",
        ),
    ),
    Cue("rising market", FALLING_MARKET, negated=True),
    Cue("falling market", FALLING_MARKET),
    Cue("sideways market", ("sideways", "range bound", "ranging", "choppy", "flat market*", "range trad*")),
    Cue("calm market", ("calm", "quiet", "low volatility", "low vix", "stable")),
    Cue("calm market", VOLATILE_MARKET, negated=True),
    Cue("volatile market", VOLATILE_MARKET),
    Cue(
        "liquid stocks",
        ("liquid", "high volume", "large cap*", "big cap*", "mega cap*", "blue chip*", "heavily traded", "s&p 500", "big names"),
    ),
    Cue("technology stocks", ("tech", "technology", "semiconductor*", "software", "nasdaq", "faang", "chip stocks", "ai stocks")),
    Cue("gapping stocks", ("gapper*", "gap up*", "gaps up", "gapping", "gap* stocks", "earnings gap*", "gap and go")),
)
_TRADING_WORDS = (
    "stock*",
    "bull flag*",
    "support level*",
    "trade",
    "trades",
    "trader*",
    "trading",
    "scalp*",
    "vwap",
    "momentum",
    "breakout*",
    "mean reversion",
    "pullback*",
    "pull back*",
    "rsi",
    "macd",
    "bollinger",
    "moving average*",
    "equities",
    "shares",
    "ticker*",
    "backtest*",
    "intraday",
    "candle*",
    "uptrend*",
    "downtrend*",
    "bullish",
    "bearish",
    "stop loss*",
    "volatility",
    "oversold",
    "overbought",
    "opening range*",
    "sell off*",
    "selloff*",
    "nasdaq",
    "s&p 500",
    "spy",
    "gap and go",
    "gap fill*",
    "swing trad*",
    "day trad*",
    "etf*",
    "earnings",
    "portfolio",
    "contrarian",
)
_LOOSE_TRADING_WORDS = (
    "buy*",
    "sell*",
    "market*",
    "price*",
    "gap*",
    "support",
    "resistance",
    "trend*",
    "profit*",
    "long",
    "short",
    "volume",
    "dip*",
    "reversal*",
    "risk",
    "open",
    "close",
    "breaks",
    "bounce*",
    "rally",
    "rallies",
    "highs",
    "lows",
    "levels",
    "tech",
    "strategy",
    "fade*",
    "squeeze*",
)
"""One of these alone may stand in any sentence ("buy me a sandwich"); two of them speak of trading."""
MOST_READ = 4000
"""Characters of a text that are read: the detection runs at every key stroke."""

_NEGATIONS = re.compile(
    r"(?:\b(?:not|no|never|avoid(?:s|ing)?|without|skip(?:s|ping)?|ignor(?:e|es|ing)|nor|neither|except|than|instead\s+of"
    r"|stay(?:s|ing)?\s+away\s+from|hates?|dislikes?)|n['’]t)\b"
    r"(?!\s+(?:only|just|less)\b)(?P<between>(?:\W+[\w&']+){0,3}?)\W+$",
    re.IGNORECASE,
)


def mentions(text: str, words: Iterable[str], *, negated: bool = False) -> tuple[str, ...]:
    """The places in `text`, as written there, at which one of `words` stands without a negation, or under one. `*` is any ending."""
    return tuple(m.group(0) for m in _find(text, tuple(words)) if is_negated(text, m.start()) is negated)


def avoided(text: str, cues: Sequence[Cue]) -> frozenset[str]:
    """The choices that `text` names under a negation."""
    return frozenset(c.choice for c in cues if any(is_negated(text, m.start()) for m in _find(text, c.words)))


def weigh(text: str, cues: Sequence[Cue]) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Choice -> (weight of the words that speak for it, those words as written)."""
    found: dict[str, tuple[int, tuple[str, ...]]] = {}
    for cue in cues:
        words = tuple(dict.fromkeys(mentions(text, cue.words, negated=cue.negated)))
        if words:
            weight, earlier = found.get(cue.choice, (0, ()))
            found[cue.choice] = (weight + cue.weight * len(words), tuple(dict.fromkeys((*earlier, *words))))
    return found


def speaks_of_trading(text: str) -> bool:
    """Whether `text` is about trading at all; negated words count too."""
    if _find(text, _TRADING_WORDS):
        return True
    return len({m.group(0).lower() for m in _find(text, _LOOSE_TRADING_WORDS)}) >= 2


def _pattern(phrase: str) -> str:
    between = r"(?:[\s\-]+[\w&']+){0,2}[\s\-]+"
    escaped = re.escape(phrase).replace(r"\ \~\ ", between).replace(r"\ ", r"[\s\-]+").replace(r"\*", r"\w*")
    return rf"(?<!\w){escaped}(?!\w)"


@cache
def _compiled(words: tuple[str, ...]) -> re.Pattern[str]:
    # The longest phrase first: at one place "gap and go" must win over "gap".
    return re.compile("|".join(_pattern(w) for w in sorted(words, key=len, reverse=True)), re.IGNORECASE)


def _find(text: str, words: tuple[str, ...]) -> list[re.Match[str]]:
    return list(_compiled(words).finditer(text, 0, MOST_READ))


def is_negated(text: str, start: int) -> bool:
    """Whether what starts there stands under a negation before it in its clause."""
    clause = re.split(r"[.,;:!?()\n]|\b(?:but|while|though)\b", text[max(0, start - 80) : start], flags=re.IGNORECASE)[-1]
    found = _NEGATIONS.search(clause if clause.endswith((" ", "-")) else clause + " ")
    return found is not None
