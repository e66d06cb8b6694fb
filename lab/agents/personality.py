"""An agent's personality: read from plain English by keywords, and turned into a system prompt and limits on risk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lab.agents.demands import limits, unusable
from lab.agents.views import DetectedPersonality, Personality
from lab.agents.words import FOCUS_CUES, GAP_AND_GO, MARKET_CUES, RISK_CUES, STYLE_CUES, avoided, mentions, speaks_of_trading, weigh

RISKS: tuple[str, ...] = ("conservative", "balanced", "aggressive")
STYLES: tuple[str, ...] = (
    "scalper",
    "day trader",
    "momentum trader",
    "mean-reversion trader",
    "breakout trader",
    "trend follower",
    "swing trader",
)
FOCUSES: tuple[str, ...] = (
    "VWAP bounce",
    "VWAP fade",
    "gap and go",
    "gap fill",
    "opening-range breakout",
    "RSI-2 reversal",
    "Bollinger squeeze",
    "trend pull-back",
    "support bounce",
    "high-tight flag",
    "parabolic exhaustion",
)
MARKETS: tuple[str, ...] = (
    "any market",
    "rising market",
    "falling market",
    "sideways market",
    "calm market",
    "volatile market",
    "liquid stocks",
    "technology stocks",
    "gapping stocks",
)


_DEFAULT_FOCUS = {
    "scalper": "VWAP bounce",
    "day trader": "opening-range breakout",
    "momentum trader": "gap and go",
    "mean-reversion trader": "RSI-2 reversal",
    "breakout trader": "opening-range breakout",
    "trend follower": "trend pull-back",
    "swing trader": "trend pull-back",
}
_RISK_LIMITS: dict[str, dict[str, float]] = {
    "conservative": {"risk_percent": 0.25, "max_positions": 4, "max_exposure": 0.8, "max_position": 0.2},
    "balanced": {"risk_percent": 0.5, "max_positions": 5, "max_exposure": 1.0, "max_position": 0.25},
    "aggressive": {"risk_percent": 1.0, "max_positions": 6, "max_exposure": 1.0, "max_position": 0.35},
}


def detect(text: str) -> DetectedPersonality:
    """The personality that `text` describes, with the words each part was read from. Pure and instant; any text will do.

    A word under a negation before it in the same clause ("not aggressive", "avoid gaps") does not count for its choice.
    """
    risk = weigh(text, RISK_CUES)
    style = weigh(text, STYLE_CUES)
    focus = _focuses(text)
    markets = weigh(text, MARKET_CUES)
    chosen_style = _best(style, STYLES) or "day trader"
    strong = max((weight for weight, _ in focus.values()), default=0)
    # A loose word ("gap") names a focus only where nothing names one outright ("VWAP fade").
    chosen_focus = tuple(sorted((f for f in FOCUSES if f in focus and (focus[f][0] >= 2 or strong < 2)), key=lambda f: -focus[f][0]))
    unwanted = avoided(text, FOCUS_CUES)
    default_focus = next((f for f in (_DEFAULT_FOCUS[chosen_style], *FOCUSES) if f not in unwanted), FOCUSES[0])
    chosen_markets = tuple(m for m in MARKETS if m in markets)
    because: dict[str, tuple[str, ...]] = {
        "risk": _words(risk, (_best(risk, RISKS),)),
        "style": _words(style, (_best(style, STYLES),)),
        "focus": _words(focus, chosen_focus),
        "markets": _words(markets, chosen_markets),
    }
    return DetectedPersonality(
        personality=Personality(
            risk=_best(risk, RISKS) or "balanced",
            style=chosen_style,
            focus=chosen_focus or (default_focus,),
            markets=chosen_markets or ("any market",),
        ),
        because=because,
        has_trading_content=speaks_of_trading(text),
        not_understood=unusable(text, chosen_style),
    )


def normalised(personality: Personality) -> Personality:
    """Without contradictions: "any market" beside another market is that other one; each choice once."""
    markets = tuple(dict.fromkeys(personality.markets))
    named = tuple(m for m in markets if m != "any market")
    return replace(personality, focus=tuple(dict.fromkeys(personality.focus)), markets=named or ("any market",))


def named_focuses(text: str) -> tuple[str, ...]:
    """The patterns `text` names outright, in the order of `FOCUSES`; empty where it names none."""
    found = _focuses(text)
    return tuple(f for f in FOCUSES if f in found and found[f][0] >= 2)


def _focuses(text: str) -> dict[str, tuple[int, tuple[str, ...]]]:
    """`weigh` for patterns. Whoever fades a gap trades against it: words such as "gap up" then name no gap and go."""
    found = weigh(text, FOCUS_CUES)
    if "gap fill" in found and not mentions(text, GAP_AND_GO):
        found.pop("gap and go", None)
    return found


def risk_config(personality: Personality, instructions: str = "") -> dict[str, float]:
    """Limits that suit the personality, those that `instructions` name before them: `risk_percent` of equity lost if a stop
    is hit, `max_positions` at a time, `max_exposure` and `max_position` as fractions of equity."""
    return _RISK_LIMITS.get(personality.risk, _RISK_LIMITS["balanced"]) | limits(instructions).config()


def system_prompt(name: str, instructions: str, personality: Personality, universe_words: str) -> str:
    """The prompt that makes a strategist speak and decide as this agent. `universe_words` says what it trades, in words."""
    bounds = risk_config(personality, instructions)
    focus = _listed(personality.focus)
    return "\n".join(
        (
            f"You are {name}, a {personality.risk} {personality.style} in a small trading laboratory. You trade {universe_words}.",
            "",
            "What the person who made you asked for, in their words:",
            *(f"> {line.strip()}" for line in instructions.strip().splitlines()),
            "",
            f"You look for {focus}. {_market_sentence(personality)}",
            _STYLE_SENTENCES.get(personality.style, ""),
            _RISK_SENTENCES.get(personality.risk, "")
            + f" You risk {bounds['risk_percent']:g} % of equity a trade, hold at most {bounds['max_positions']:g} positions"
            + f" and {bounds['max_exposure']:.0%} of equity in all, and never trade without a stop.",
            "",
            "How you work:",
            "- You write two short scripts in the laboratory's language: a scan that marks signals, and an execution that says",
            "  how to enter, stop, take profit and leave. Mark what may be varied with param(default, low=, high=).",
            "- You compute from the past only. A signal exists when its bar has closed; the earliest fill is the next bar's open.",
            "- One change at a time. A condition has to earn its place: fewer rules that hold beat many that fit.",
            "- You cite evidence. Every figure you state is followed by the id it comes from, such as [E3]; without one it is not stated.",
            "- Below 30 trades you give no verdict. You say what may be luck: how wide the interval is, what hangs on a few trades.",
            "- You remember what you learned, say when a result contradicts it, and never propose again what was discarded.",
            "- The person decides. What they ask for outranks your own ideas.",
            "",
            f"You speak in the first person, plainly, as an experienced {personality.style} would to a colleague:"
            " concrete, no hype, no boilerplate.",
        )
    )


_RISK_SENTENCES = {
    "conservative": "You would rather miss a trade than take a poor one: few, well-chosen signals, small losses, shallow drawdowns.",
    "balanced": "You weigh the size of a win against its odds and accept ordinary losing streaks as the price of an edge.",
    "aggressive": "You go for the large moves, take more signals and deeper drawdowns, but only where the average trade pays for them.",
}
_STYLE_SENTENCES = {
    "scalper": "You are in and out within minutes, so costs are your first enemy: an edge smaller than the spread is none.",
    "day trader": "You open and close within the session and are flat by the close.",
    "momentum trader": "You buy strength that volume confirms, let winners run and leave quickly when the move stalls.",
    "mean-reversion trader": "You buy what was sold too hard and sell it back to its mean; you do not catch what keeps falling.",
    "breakout trader": "You wait for the range to break on volume and leave at once when price falls back into it.",
    "trend follower": "You trade in the direction of the larger trend, enter on its pauses and stay while it lasts.",
    "swing trader": "You hold for several sessions, enter near turning points and give the stop room for the nights.",
}


def _market_sentence(personality: Personality) -> str:
    markets = tuple(m for m in personality.markets if m != "any market")
    return f"You want: {_listed(markets)}." if markets else "You trade in any market, and watch which one pays you."


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _best(found: dict[str, tuple[int, tuple[str, ...]]], order: Sequence[str]) -> str:
    return max((c for c in order if c in found), key=lambda c: found[c][0], default="")


def _words(found: dict[str, tuple[int, tuple[str, ...]]], choices: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for choice in choices if choice in found for word in found[choice][1]))
