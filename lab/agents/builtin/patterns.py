"""The library of well-known patterns, each written as scan and execution script for an agent's temper and bar length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.agents.builtin.setting import Horizon, Setting
from lab.agents.builtin.writing import Scripts, execution, number, param, scan

Lines = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of the library."""

    name: str
    """One of `lab.agents.personality.FOCUSES`."""
    idea: str
    """What it bets on, in a sentence."""
    suits: tuple[str, ...]
    """Trading styles it comes natural to."""
    write: Callable[[Setting], Scripts]


def _stop(s: Setting, minutes: float, hours: float, days: float, *, below: str = "close", sided: bool = False) -> str:
    """So many average ranges on the losing side of `below`, wider for bolder agents."""
    width = s.ranges(minutes, hours, days) * s.pick(0.9, 1.0, 1.2)
    width = round(width * 4) / 4
    side = "side * " if sided else ""
    return f"{below} - {side}{param(width, width / 2, width * 2, 0.25)} * atr({s.bars(30, 14, 14)})"


def _target(r: float) -> str:
    return f"close + {param(r, 0.5, 5, 0.25)} * (close - stop)"


def _vwap_bounce(s: Setting) -> Scripts:
    ran = s.move(s.pick(0.5, 0.4, 0.3), s.pick(1.2, 1.0, 0.8), s.pick(3, 2.5, 2))
    near = s.move(0.05, 0.2, 0.5)
    value = "vwap()" if s.intraday else _rolling_vwap(s)
    lines = [
        ("value", value),
        ("ran", f"was(close > value * (1 + {param(ran, ran / 2, ran * 3, ran / 4)} / 100), {s.bars(60, 10, 10)})"),
        ("dip", f"low <= value * (1 + {param(near, 0, near * 4, near)} / 100)"),
        ("held", "close > value and close > open"),
    ]
    if s.intraday:
        long = 'ran and dip and held and time_between("10:00", "15:00")'
    else:
        lines.append(("trend", f"value > ago(value, {s.bars(0, 14, 10)})"))
        long = "ran and dip and held and trend"
    r = 1.25 if s.style == "scalper" else 2.0
    return Scripts(
        scan(s, "VWAP bounce: buy the dip to the volume-weighted price after the stock ran ahead of it", lines, long=long, score=_score(s)),
        execution(
            s,
            stop=_stop(s, 5, 2, 1.5),
            target=_target(r),
            leave=f"crosses_below(close, value * {number(1 - s.move(0.3, 0.6, 1.5) / 100)})",
            hold_minutes=45 if s.style == "scalper" else 120,
            hold_hours=10,
            hold_days=8,
        ),
    )


def _vwap_fade(s: Setting) -> Scripts:
    far = s.move(s.pick(1.4, 1.1, 0.9), s.pick(2.5, 2, 1.6), s.pick(6, 5, 4))
    value = "vwap()" if s.intraday else _rolling_vwap(s)
    rsi = f"rsi(close, {s.bars(14, 7, 5)})"
    lines = [
        ("value", value),
        ("stretch", "(close / value - 1) * 100"),
        ("far", param(far, far / 2, far * 2, far / 10)),
        ("weak", f"stretch < -far and lowest({rsi}, {s.bars(5, 3, 3)}) < {param(s.pick(25, 30, 35), 10, 40, 5)}"),
        ("turn", "close > open and close > ago(high, 1)"),
    ]
    window = ' and time_between("10:00", "15:00")' if s.intraday else ""
    short = ""
    if s.shorts:
        lines += [
            ("strong", f"stretch > far and highest({rsi}, {s.bars(5, 3, 3)}) > {param(s.pick(75, 70, 65), 60, 90, 5)}"),
            ("tire", "close < open and close < ago(low, 1)"),
        ]
        short = f"strong and tire{window}"
    return Scripts(
        scan(
            s,
            "VWAP fade: price far from its volume-weighted mean turns back towards it",
            lines,
            long=f"weak and turn{window}",
            short=short,
            score="abs(stretch)",
        ),
        execution(s, stop=_stop(s, 6, 2, 1.5, sided=s.shorts), target="value", hold_minutes=90, hold_hours=14, hold_days=8),
    )


def _gap_and_go(s: Setting) -> Scripts:
    gap = s.move(s.pick(1.2, 1.0, 0.7), s.pick(1.2, 1.0, 0.7), s.pick(1.5, 1.2, 0.9))
    lines: Lines = [("gapped", f"gap() > {param(gap, 0.3, 4, 0.1)}")]
    if s.horizon is Horizon.MINUTES:
        lines.append(("breaks", "crosses_above(close, opening_range_high(5))"))
        long = f'first_in_session(gapped and breaks and {_loud(s, 1.0)} and time_between("09:35", "11:00"))'
    elif s.horizon is Horizon.HOURS:
        lines.append(("strong", "close > open and close > session_open() and minutes_since_open() <= 60"))
        long = f"first_in_session(gapped and strong and {_loud(s, 0.8)})"
    else:
        lines.append(("strong", "close > open and (close - low) > 0.6 * (high - low)"))
        long = f"gapped and strong and {_loud(s, 1.0)}"
    return Scripts(
        scan(s, "Gap and go: a stock that opens higher on volume keeps going", lines, long=long, score="gap()"),
        execution(
            s,
            stop=_stop(s, 7, 1.5, 1.2),
            target=_target(s.pick(2.0, 2.5, 3.0)),
            leave="crosses_below(close, vwap())" if s.intraday else "",
            hold_minutes=180,
            hold_hours=10,
            hold_days=5,
        ),
    )


def _gap_fill(s: Setting) -> Scripts:
    gap = s.move(s.pick(1.0, 0.8, 0.6), s.pick(1.0, 0.8, 0.6), s.pick(1.2, 1.0, 0.8))
    lines: Lines = [("size", param(gap, 0.3, 4, 0.1)), ("closed_at", "session_open() / (1 + gap() / 100)")]
    if s.horizon is Horizon.MINUTES:
        up, down = "crosses_above(close, opening_range_high(15))", "crosses_below(close, opening_range_low(15))"
        window = ' and time_between("09:45", "12:00")'
    elif s.horizon is Horizon.HOURS:
        up, down, window = "close > session_open()", "close < session_open()", " and minutes_since_open() <= 120"
    else:
        up, down, window = "close > open", "close < open", ""
    long = f"first_in_session(gap() < -size and {up} and close < closed_at{window})"
    short = f"first_in_session(gap() > size and {down} and close > closed_at{window})" if s.shorts else ""
    return Scripts(
        scan(s, "Gap fill: an overnight gap that stops running is filled", lines, long=long, short=short, score="abs(gap())"),
        execution(s, stop=_stop(s, 6, 1.5, 1.2, sided=s.shorts), target="closed_at", hold_minutes=180, hold_hours=14, hold_days=5),
    )


def _opening_range_breakout(s: Setting) -> Scripts:
    if s.horizon is Horizon.MINUTES:
        opening = 30 if s.risk == "conservative" else 15
        begin = "10:00" if opening == 30 else "09:45"
        lines: Lines = [("top", f"opening_range_high({opening})"), ("bottom", f"opening_range_low({opening})")]
        window = f'{_loud(s, 1.2)} and time_between("{begin}", "12:30")'
        long = f"first_in_session(crosses_above(close, top) and {window})"
        short = f"first_in_session(crosses_below(close, bottom) and {window})" if s.shorts else ""
    else:
        n = s.bars(0, 14, 20)
        lines = [("top", f"ago(highest(high, {n}), 1)"), ("bottom", f"ago(lowest(low, {n}), 1)")]
        long = f"crosses_above(close, top) and {_loud(s, 1.1)}"
        short = f"crosses_below(close, bottom) and {_loud(s, 1.1)}" if s.shorts else ""
    return Scripts(
        scan(
            s,
            "Opening-range breakout: the side that breaks the first range on volume wins the day",
            lines,
            long=long,
            short=short,
            score=_score(s),
        )
        if s.intraday
        else scan(
            s, "Range breakout: the side that breaks the recent range on volume goes on", lines, long=long, short=short, score=_score(s)
        ),
        execution(s, stop=_stop(s, 6, 2, 2, sided=s.shorts), target=_target(2.0), hold_minutes=180, hold_hours=21, hold_days=15),
    )


def _rsi_reversal(s: Setting) -> Scripts:
    low = s.pick(5, 8, 12)
    if s.horizon is Horizon.MINUTES:
        drop = s.pick(1.2, 1.0, 0.8)
        lines: Lines = [
            ("sold", f"roc(close, {s.bars(30, 0, 0)}) < -{param(drop, 0.4, 3, 0.1)}"),
            ("washed", f"was(rsi(close, 2) < {param(low, 2, 30, 1)}, 3)"),
            ("turn", "close > open and close > ago(close, 1)"),
        ]
        long = 'sold and washed and turn and time_between("09:45", "15:00")'
    else:
        lines = [
            ("trend", f"close > sma(close, {s.bars(0, 140, 200)})"),
            ("washed", f"rsi(close, 2) < {param(low, 2, 30, 1)}"),
        ]
        long = "trend and washed"
    return Scripts(
        scan(s, "RSI-2 reversal: a sharp sell-off that has run its course snaps back", lines, long=long, score="-rsi(close, 2)"),
        execution(
            s,
            stop=_stop(s, 6, 3, 3),
            target=_target(1.5) if s.intraday else "",
            leave="" if s.intraday else f"close > sma(close, {s.bars(0, 7, 5)})",
            hold_minutes=60,
            hold_hours=14,
            hold_days=8,
        ),
    )


def _bollinger_squeeze(s: Setting) -> Scripts:
    n = s.bars(30, 20, 20)
    lines: Lines = [
        ("top", f"bollinger_upper(close, {n}, 2)"),
        ("bottom", f"bollinger_lower(close, {n}, 2)"),
        ("width", "(top - bottom) / close"),
        (
            "tight",
            f"was(width <= lowest(width, {s.bars(120, 70, 60)}) * {param(s.pick(1.05, 1.1, 1.2), 1, 1.5, 0.05)}, {s.bars(10, 5, 5)})",
        ),
    ]
    window = ' and time_between("10:30", "15:00")' if s.intraday else ""
    long = f"first_in_session(tight and crosses_above(close, top) and {_loud(s, 1.3)}{window})"
    short = f"first_in_session(tight and crosses_below(close, bottom) and {_loud(s, 1.3)}{window})" if s.shorts else ""
    return Scripts(
        scan(s, "Bollinger squeeze: a quiet range that breaks on volume starts a move", lines, long=long, short=short, score=_score(s)),
        execution(
            s,
            stop=_stop(s, 5, 2, 2, sided=s.shorts),
            target=_target(2.0),
            hold_minutes=120,
            hold_hours=20,
            hold_days=15,
        ),
    )


def _trend_pull_back(s: Setting) -> Scripts:
    fast, slow = s.bars(20, 10, 10), s.bars(90, 50, 50)
    lines: Lines = [
        ("fast", f"ema(close, {fast})"),
        ("slow", f"sma(close, {slow})"),
        ("trend", f"fast > slow and slow > ago(slow, {s.bars(20, 10, 10)})"),
        ("dip", f"was(low < fast * (1 - {param(s.move(0.15, 0.4, 1.0), 0, s.move(0.6, 2, 5), s.move(0.05, 0.1, 0.25))} / 100), 3)"),
        ("resume", "crosses_above(close, fast) and close > open"),
    ]
    long = "trend and dip and resume" + (' and time_between("10:30", "15:00")' if s.intraday else "")
    return Scripts(
        scan(s, "Trend pull-back: buy the pause in a rising stock when it goes on", lines, long=long, score=_score(s)),
        execution(
            s,
            stop=_stop(s, 5, 2, 2),
            target=_target(s.pick(1.5, 2.0, 3.0)),
            leave="crosses_below(close, slow)",
            hold_minutes=120,
            hold_hours=20,
            hold_days=15,
        ),
    )


def _support_bounce(s: Setting) -> Scripts:
    near = s.move(0.3, 0.5, 1.0)
    drop = s.move(s.pick(0.7, 0.5, 0.4), s.pick(1.2, 1.0, 0.8), s.pick(3, 2.5, 2))
    back = s.bars(30, 7, 5)
    level = "levels.support" if "levels" in s.context else f"ago(lowest(low, {s.bars(780, 140, 60)}), {s.bars(60, 7, 5)})"
    lines: Lines = [
        ("level", level),
        ("at_level", f"level > 0 and lowest(low, {s.bars(5, 2, 2)}) <= level * (1 + {param(near, near / 4, near * 4, near / 4)} / 100)"),
        ("sold", f"lowest(roc(close, {back}), {s.bars(5, 2, 2)}) < -{param(drop, drop / 2, drop * 3, drop / 5)}"),
        ("turn", "close > level and close > open and close > ago(high, 1)"),
    ]
    long = "at_level and sold and turn" + (' and time_between("09:45", "15:15")' if s.intraday else "")
    return Scripts(
        scan(s, "Support bounce: a sharp sell-off into support finds buyers", lines, long=long, score=f"-roc(close, {back})"),
        execution(s, stop=_stop(s, 6, 2, 2), target=_target(s.pick(1.5, 1.75, 2.0)), hold_minutes=90, hold_hours=20, hold_days=10),
    )


def _high_tight_flag(s: Setting) -> Scripts:
    pole, flag = s.bars(60, 20, 20), s.bars(15, 5, 6)
    run = s.move(s.pick(1.5, 1.2, 0.9), s.pick(4, 3, 2.5), s.pick(12, 9, 7))
    tight = run * 0.4
    lines: Lines = [
        ("pole", f"ago(roc(close, {pole}), {flag}) > {param(run, run / 2, run * 3, run / 10)}"),
        ("top", f"ago(highest(high, {flag}), 1)"),
        ("flag", f"(top - ago(lowest(low, {flag}), 1)) / close * 100 < {param(tight, tight / 2, tight * 2, tight / 10)}"),
    ]
    long = f"pole and flag and crosses_above(close, top) and {_loud(s, 1.1)}" + (
        ' and time_between("10:15", "15:15")' if s.intraday else ""
    )
    return Scripts(
        scan(s, "High-tight flag: after a steep run and a narrow rest the run goes on", lines, long=long, score=f"roc(close, {pole})"),
        execution(s, stop=_stop(s, 5, 2, 2), target=_target(2.5), hold_minutes=90, hold_hours=20, hold_days=15),
    )


def _parabolic_exhaustion(s: Setting) -> Scripts:
    run = s.move(s.pick(1.8, 1.4, 1.1), s.pick(4, 3.5, 3), s.pick(12, 10, 8))
    lines: Lines = [
        ("steep", f"highest(roc(close, {s.bars(30, 7, 10)}), {s.bars(5, 2, 2)}) > {param(run, run / 2, run * 2, run / 10)}"),
        ("stretched", f"highest(zscore(close, {s.bars(60, 20, 20)}), {s.bars(5, 2, 2)}) > {param(s.pick(2.5, 2.2, 2), 1.5, 4, 0.25)}"),
        ("tires", "close < open and close < ago(low, 1)"),
    ]
    short = "steep and stretched and tires" + (' and time_between("09:45", "15:00")' if s.intraday else "")
    return Scripts(
        scan(s, "Parabolic exhaustion: sell the first weakness after a run too steep to last", lines, short=short, score=_score(s)),
        execution(s, stop=_stop(s, 6, 2, 2, sided=True), target=_target(2.0), hold_minutes=90, hold_hours=14, hold_days=8),
    )


def _rolling_vwap(s: Setting) -> str:
    """On bars too long for a session's own VWAP, the volume-weighted mean of the last week or month."""
    n = s.bars(0, 35, 20)
    return f"total(close * volume, {n}) / total(volume, {n})"


def _loud(s: Setting, usual: float) -> str:
    return f"{_score(s)} > {param(round(usual * s.pick(1.2, 1.0, 0.8), 2), 0, 5, 0.25)}"


def _score(s: Setting) -> str:
    return "volume / sma(volume, 20)" if s.horizon is Horizon.DAYS else "relative_volume(10)"


PATTERNS: tuple[Pattern, ...] = (
    Pattern("VWAP bounce", "buyers defend the volume-weighted price of a stock that ran ahead", ("scalper", "day trader"), _vwap_bounce),
    Pattern("VWAP fade", "price far from its volume-weighted mean comes back", ("mean-reversion trader", "scalper"), _vwap_fade),
    Pattern(
        "gap and go", "overnight news is not priced in at once, so a strong gap goes on", ("momentum trader", "day trader"), _gap_and_go
    ),
    Pattern("gap fill", "an overnight gap without follow-through is filled", ("mean-reversion trader", "day trader"), _gap_fill),
    Pattern(
        "opening-range breakout",
        "the side that wins the opening range has the day",
        ("day trader", "breakout trader"),
        _opening_range_breakout,
    ),
    Pattern("RSI-2 reversal", "a sell-off too sharp to last snaps back", ("mean-reversion trader", "swing trader"), _rsi_reversal),
    Pattern("Bollinger squeeze", "quiet ranges end in moves", ("breakout trader",), _bollinger_squeeze),
    Pattern("trend pull-back", "a trend resumes after a pause", ("trend follower", "swing trader"), _trend_pull_back),
    Pattern("support bounce", "sellers stop where buyers came in before", ("mean-reversion trader", "swing trader"), _support_bounce),
    Pattern(
        "high-tight flag", "a steep run that rests without giving back goes on", ("momentum trader", "breakout trader"), _high_tight_flag
    ),
    Pattern("parabolic exhaustion", "the steepest part of a run is its end", ("mean-reversion trader",), _parabolic_exhaustion),
)


def pattern_named(name: str) -> Pattern:
    """The pattern of this name. Raises KeyError for a name not in the library."""
    return {p.name: p for p in PATTERNS}[name]


def pattern_of(scan_script: str) -> str:
    """The name of the pattern a scan script was written from, by its first comment; "own pattern" where there is none."""
    first = scan_script.lstrip().partition("\n")[0]
    named = first.lstrip("# ").partition(":")[0].lower() if first.startswith("#") else ""
    aliases = {"range breakout": "opening-range breakout"}
    return next((p.name for p in PATTERNS if p.name.lower() == aliases.get(named, named)), "own pattern")
