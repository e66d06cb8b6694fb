"""The library of well-known patterns, each written as scan and execution script for an agent's temper and bar length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.agents.builtin.setting import Horizon, Setting
from lab.agents.builtin.writing import Scripts, execution, param, scan

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


def _vwap_bounce(s: Setting) -> Scripts:
    near = s.move(0.1, 0.3, 0.8)
    lines: Lines = [
        ("value", _value(s)),
        ("near", f"low <= value * (1 + {param(near)} / 100) and close > value"),
        ("loud", f"volume > {param(s.pick(1.5, 1.3, 1.1))} * sma(volume, 20)"),
    ]
    if s.intraday:
        long = 'near and loud and time_between("10:00", "15:00")'
    else:
        lines.append(("trend", f"value > ago(value, {s.bars(0, 14, 10)})"))
        long = "near and loud and trend"
    return Scripts(
        scan(
            s,
            "VWAP bounce: buyers defend the volume-weighted price when a dip to it comes on volume",
            lines,
            long=long,
            score="volume / sma(volume, 20)",
        ),
        execution(
            s,
            stop=_stop(s, 4, 2, 1.5),
            target=_target(1.25 if s.style == "scalper" else 2.0),
            hold_minutes=30 if s.style == "scalper" else 90,
            hold_hours=10,
            hold_days=8,
        ),
    )


def _vwap_fade(s: Setting) -> Scripts:
    far = s.move(s.pick(1.4, 1.1, 0.9), s.pick(2.5, 2, 1.6), s.pick(6, 5, 4))
    rsi, recent = f"rsi(close, {s.bars(14, 7, 5)})", s.bars(5, 3, 3)
    lines: Lines = [
        ("value", _value(s)),
        ("stretch", "(close / value - 1) * 100"),
        ("far", param(far)),
        ("weak", f"stretch < -far and lowest({rsi}, {recent}) < {param(s.pick(25, 30, 35), low=10, high=40, step=2.5)}"),
        ("turn", "close > open and close > ago(high, 1)"),
    ]
    short = ""
    if s.shorts:
        lines += [
            ("strong", f"stretch > far and highest({rsi}, {recent}) > {param(s.pick(75, 70, 65), low=60, high=90, step=2.5)}"),
            ("tire", "close < open and close < ago(low, 1)"),
        ]
        short = "strong and tire" + _between(s, "10:00", "15:00")
    return Scripts(
        scan(
            s,
            "VWAP fade: price far from its volume-weighted mean turns back towards it",
            lines,
            long="weak and turn" + _between(s, "10:00", "15:00"),
            short=short,
            score="abs(stretch)",
        ),
        execution(s, stop=_stop(s, 6, 2, 1.5, sided=s.shorts), target="value", hold_minutes=90, hold_hours=14, hold_days=8),
    )


def _gap_and_go(s: Setting) -> Scripts:
    gap = s.move(s.pick(1.2, 1.0, 0.8), s.pick(1.2, 1.0, 0.8), s.pick(1.5, 1.2, 0.9))
    gapped = ("gapped", f"gap() > {param(gap, low=0.3, high=5)}")
    strong = {
        Horizon.MINUTES: f'close > session_open() and time_between("{_bar_before_0935(s)}", "10:00")',
        Horizon.HOURS: "close > session_open() and minutes_since_open() <= 60",
        Horizon.DAYS: "close > open and close - low > 0.6 * (high - low)",
    }[s.horizon]
    return Scripts(
        scan(
            s,
            "Gap and go: a stock that opens higher and does not look back goes on",
            [gapped, ("strong", strong), ("loud", _loud(s, 0.8))],
            long="first_in_session(gapped and strong and loud)",
            score="gap()",
        ),
        execution(
            s,
            stop=_stop(s, 5, 1.5, 1.2),
            target=_target(s.pick(2.0, 2.5, 3.0)),
            hold_minutes=60,
            hold_hours=10,
            hold_days=5,
        ),
    )


def _gap_fill(s: Setting) -> Scripts:
    gap = s.move(s.pick(1.0, 0.8, 0.6), s.pick(1.0, 0.8, 0.6), s.pick(1.2, 1.0, 0.8))
    up, down = {
        Horizon.MINUTES: ("crosses_above(close, opening_range_high(15))", "crosses_below(close, opening_range_low(15))"),
        Horizon.HOURS: ("close > session_open()", "close < session_open()"),
        Horizon.DAYS: ("close > open", "close < open"),
    }[s.horizon]
    morning = _between(s, "09:45", "12:00") or (" and minutes_since_open() <= 120" if s.horizon is Horizon.HOURS else "")
    lines: Lines = [
        ("size", param(gap, low=0.3, high=4)),
        ("filled_at", "session_open() / (1 + gap() / 100)"),
        ("turns_up", f"gap() < -size and close < filled_at and {up}"),
    ]
    short = ""
    if s.shorts:
        lines.append(("turns_down", f"gap() > size and close > filled_at and {down}"))
        short = f"first_in_session(turns_down{morning})"
    return Scripts(
        scan(
            s,
            "Gap fill: an overnight gap that stops running is filled",
            lines,
            long=f"first_in_session(turns_up{morning})",
            short=short,
            score="abs(gap())",
        ),
        execution(s, stop=_stop(s, 6, 1.5, 1.2, sided=s.shorts), target="filled_at", hold_minutes=180, hold_hours=14, hold_days=5),
    )


def _opening_range_breakout(s: Setting) -> Scripts:
    if s.horizon is Horizon.MINUTES:
        opening, begin = (30, "10:00") if s.risk == "conservative" else (15, "09:45")
        title = "Opening-range breakout: the side that breaks the first range on volume wins the day"
        top, bottom, window = f"opening_range_high({opening})", f"opening_range_low({opening})", _between(s, begin, "12:30")
    else:
        n = s.bars(0, 14, 20)
        title = "Range breakout: the side that breaks the recent range on volume goes on"
        top, bottom, window = f"ago(highest(high, {n}), 1)", f"ago(lowest(low, {n}), 1)", ""
    lines: Lines = [("top", top), ("loud", _loud(s, 1.2)), ("breaks_up", "crosses_above(close, top) and loud")]
    short = ""
    if s.shorts:
        lines += [("bottom", bottom), ("breaks_down", "crosses_below(close, bottom) and loud")]
        short = f"first_in_session(breaks_down{window})"
    return Scripts(
        scan(s, title, lines, long=f"first_in_session(breaks_up{window})", short=short, score=_volume(s)),
        execution(s, stop=_stop(s, 6, 2, 2, sided=s.shorts), target=_target(2.0), hold_minutes=180, hold_hours=21, hold_days=15),
    )


def _rsi_reversal(s: Setting) -> Scripts:
    washed = param(s.pick(5, 8, 12), low=2, high=30, step=1)
    if s.intraday:
        back = s.bars(30, 7, 5)
        lines: Lines = [
            ("sold", f"roc(close, {back}) < -{param(s.pick(1.2, 1.0, 0.8))}"),
            ("washed", f"was(rsi(close, 2) < {washed}, 3)"),
            ("turn", "close > open and close > ago(close, 1)"),
        ]
        long = "sold and washed and turn" + _between(s, "09:45", "15:00")
    else:
        lines = [("trend", f"close > sma(close, {s.bars(0, 140, 200)})"), ("washed", f"rsi(close, 2) < {washed}")]
        long = "trend and washed"
    return Scripts(
        scan(s, "RSI-2 reversal: a sell-off too sharp to last snaps back", lines, long=long, score="-rsi(close, 2)"),
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
    n, past, recent = s.bars(30, 20, 20), s.bars(120, 70, 60), s.bars(10, 5, 5)
    lines: Lines = [
        ("top", f"bollinger_upper(close, {n}, 2)"),
        ("bottom", f"bollinger_lower(close, {n}, 2)"),
        ("width", "(top - bottom) / close"),
        ("tight", f"was(width <= lowest(width, {past}) * {param(s.pick(1.05, 1.1, 1.2), low=1, high=1.5)}, {recent})"),
        ("loud", _loud(s, 1.3)),
        ("breaks_up", "tight and loud and crosses_above(close, top)"),
    ]
    window, short = _between(s, "10:30", "15:00"), ""
    if s.shorts:
        lines.append(("breaks_down", "tight and loud and crosses_below(close, bottom)"))
        short = f"first_in_session(breaks_down{window})"
    return Scripts(
        scan(
            s,
            "Bollinger squeeze: a quiet range that breaks on volume starts a move",
            lines,
            long=f"first_in_session(breaks_up{window})",
            short=short,
            score=_volume(s),
        ),
        execution(s, stop=_stop(s, 5, 2, 2, sided=s.shorts), target=_target(2.0), hold_minutes=120, hold_hours=20, hold_days=15),
    )


def _trend_pull_back(s: Setting) -> Scripts:
    slope = s.bars(20, 10, 10)
    lines: Lines = [
        ("fast", f"ema(close, {s.bars(20, 10, 10)})"),
        ("slow", f"sma(close, {s.bars(90, 50, 50)})"),
        ("trend", f"fast > slow and slow > ago(slow, {slope})"),
        ("dip", f"was(low < fast * (1 - {param(s.move(0.15, 0.4, 1.0) * s.pick(1.4, 1.0, 0.7), low=0)} / 100), 3)"),
        ("resume", "crosses_above(close, fast) and close > open"),
    ]
    return Scripts(
        scan(
            s,
            "Trend pull-back: buy the pause in a rising stock when it goes on",
            lines,
            long="trend and dip and resume" + _between(s, "10:30", "15:00"),
            score=_volume(s),
        ),
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
    near = s.move(0.5, 1.5, 3.0)
    level = "levels.support" if "levels" in s.context else f"ago(lowest(low, {s.bars(780, 140, 60)}), {s.bars(60, 7, 5)})"
    oversold = s.pick(26, 29, 32) if s.intraday else s.pick(35, 40, 45)
    lines: Lines = [
        ("level", level),
        ("near", f"close > level and close < level * (1 + {param(near, low=near / 10)} / 100)"),
        ("sold", f"rsi(close, 14) < {param(oversold, low=15, high=50, step=1)}"),
    ]
    return Scripts(
        scan(
            s,
            "Support bounce: a sharp sell-off into support finds buyers",
            lines,
            long="near and sold" + _between(s, "09:50", "15:10"),
            score="-rsi(close, 14)",
        ),
        execution(s, stop=_stop(s, 5, 2, 2), target=_target(s.pick(1.5, 1.75, 2.0)), hold_minutes=40, hold_hours=20, hold_days=10),
    )


def _high_tight_flag(s: Setting) -> Scripts:
    pole, flag = s.bars(60, 20, 20), s.bars(15, 5, 6)
    run = s.move(s.pick(1.5, 1.2, 0.9), s.pick(4, 3, 2.5), s.pick(12, 9, 7))
    lines: Lines = [
        ("pole", f"ago(roc(close, {pole}), {flag}) > {param(run)}"),
        ("top", f"ago(highest(high, {flag}), 1)"),
        ("flag", f"(top - ago(lowest(low, {flag}), 1)) / close * 100 < {param(run * 0.4)}"),
        ("loud", _loud(s, 1.1)),
        ("breaks", "loud and crosses_above(close, top)"),
    ]
    return Scripts(
        scan(
            s,
            "High-tight flag: after a steep run and a narrow rest the run goes on",
            lines,
            long="pole and flag and breaks" + _between(s, "10:15", "15:15"),
            score=f"roc(close, {pole})",
        ),
        execution(s, stop=_stop(s, 5, 2, 2), target=_target(2.5), hold_minutes=90, hold_hours=20, hold_days=15),
    )


def _parabolic_exhaustion(s: Setting) -> Scripts:
    run = s.move(s.pick(1.8, 1.4, 1.1), s.pick(4, 3.5, 3), s.pick(12, 10, 8))
    recent = s.bars(5, 2, 2)
    lines: Lines = [
        ("steep", f"highest(roc(close, {s.bars(30, 7, 10)}), {recent}) > {param(run)}"),
        ("stretched", f"highest(zscore(close, {s.bars(60, 20, 20)}), {recent}) > {param(s.pick(2.5, 2.25, 2), low=1.5, high=4)}"),
        ("tires", "close < open and close < ago(low, 1)"),
    ]
    return Scripts(
        scan(
            s,
            "Parabolic exhaustion: sell the first weakness after a run too steep to last",
            lines,
            short="steep and stretched and tires" + _between(s, "09:45", "15:00"),
            score=_volume(s),
        ),
        execution(s, stop=_stop(s, 6, 2, 2, sided=True), target=_target(2.0), hold_minutes=90, hold_hours=14, hold_days=8),
    )


def _stop(s: Setting, minutes: float, hours: float, days: float, *, sided: bool = False) -> str:
    """So many average ranges on the losing side of the close, wider for bolder agents."""
    width = round(s.ranges(minutes, hours, days) * s.pick(0.9, 1.0, 1.2) * 2) / 2
    return f"close - {'side * ' if sided else ''}{param(max(0.5, width), step=0.5)} * atr({s.bars(30, 14, 14)})"


def _target(r: float) -> str:
    return f"close + {param(r, low=0.5, high=5)} * (close - stop)"


def _bar_before_0935(s: Setting) -> str:
    """The start of the bar that completes the first five minutes, or of the first bar where bars are longer."""
    return f"09:{max(30, 35 - int(s.bar_minutes)):02d}"


def _value(s: Setting) -> str:
    """The session's VWAP; on bars too long for that, the volume-weighted mean of the last week or month."""
    n = s.bars(0, 35, 20)
    return "vwap()" if s.intraday else f"total(close * volume, {n}) / total(volume, {n})"


def _between(s: Setting, start: str, end: str) -> str:
    return f' and time_between("{start}", "{end}")' if s.intraday else ""


def _loud(s: Setting, usual: float) -> str:
    return f"{_volume(s)} > {param(usual * s.pick(1.25, 1.0, 0.75), low=0.2, high=5)}"


def _volume(s: Setting) -> str:
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
