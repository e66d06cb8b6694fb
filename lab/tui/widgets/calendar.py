"""A ticker's sessions as a calendar: weeks by weekdays where there is room, else months by days; every state has a sign of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby

from textual.content import Content

from lab.agents.data_views import DayCoverage, SessionCoverage, SessionState
from lab.tui.text import TONE_STYLES, Tone, plural
from lab.tui.widgets.flow import BLANK, Line

MUTED = TONE_STYLES[Tone.MUTED]
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri")
_WEEKS = 53
_LABEL = 5
WEEKS_WIDTH = _LABEL + _WEEKS
"""Cells below which a year of weeks does not fit."""
_MONTH_LABEL = 9
_NAMED = 8
"""So many incomplete sessions are named by their dates."""

_COMPLETE, _HALF, _MOST, _FEW, _MISSING, _CLOSED = (
    ("█", Tone.GOOD),
    ("▄", Tone.GOOD),
    ("▓", Tone.WARN),
    ("░", Tone.WARN),
    ("×", Tone.BAD),
    ("·", Tone.MUTED),
)
LEGEND = (
    (_COMPLETE, "complete"),
    (_HALF, "half day"),
    (_MOST, "most bars"),
    (_FEW, "few bars"),
    (_MISSING, "none"),
    (_CLOSED, "closed"),
)
_Sign = tuple[str, Tone]
_OUTSIDE: _Sign = (" ", Tone.PLAIN)


def sign(session: SessionCoverage) -> tuple[str, Tone]:
    """The character and tone of a session. No two states share a character, so that it reads without colours."""
    if session.state is SessionState.MISSING:
        return _MISSING
    if session.state is SessionState.COMPLETE:
        return _HALF if session.half_day else _COMPLETE
    return _MOST if session.bars * 2 >= session.expected else _FEW


def legend() -> Line:
    parts = [Content.assemble((character, TONE_STYLES[tone]), (f" {words}", MUTED)) for (character, tone), words in LEGEND]
    return Content("   ").join(parts), 0


def calendar_lines(sessions: Sequence[SessionCoverage], width: int) -> list[Line]:
    """The sessions on `width` cells, the newest year first."""
    signs = {one.session: sign(one) for one in sessions}
    if not signs:
        return []
    first, last = min(signs), max(signs)
    draw = _year_of_weeks if width >= WEEKS_WIDTH else _year_of_months
    lines: list[Line] = []
    for year in range(last.year, first.year - 1, -1):
        lines += [*draw(year, signs, first, last, width), BLANK]
    return lines[:-1]


def summary_lines(days: DayCoverage) -> list[Line]:
    """How many sessions are complete, and the dates of those that are not."""
    counted = {state: days.count(state) for state in SessionState}
    parts = [plural(len(days.sessions), "session"), f"{counted[SessionState.COMPLETE]:,} complete"]
    parts += [f"{counted[state]:,} {state}" for state in (SessionState.PARTIAL, SessionState.MISSING) if counted[state]]
    parts += [plural(days.half_days, "half day")] if days.half_days else []
    return [(Content(", ".join(parts)), 2)]


def incomplete_lines(days: DayCoverage) -> list[Line]:
    """The newest sessions that lack bars, by their dates."""
    lines: list[Line] = []
    for state, label, tone in ((SessionState.MISSING, "No bars", Tone.BAD), (SessionState.PARTIAL, "Bars missing", Tone.WARN)):
        found = [one for one in days.sessions if one.state is state]
        if not found:
            continue
        shown = [f"{one.session}" + (f" ({one.bars} of {one.expected})" if one.bars else "") for one in found[: -_NAMED - 1 : -1]]
        more = f" and {len(found) - _NAMED:,} earlier" if len(found) > _NAMED else ""
        lines.append((Content.assemble((f"{label}: ", TONE_STYLES[tone]), ", ".join(shown) + more), 2))
    return lines


def _at(day: date, signs: dict[date, _Sign], first: date, last: date) -> _Sign:
    if not first <= day <= last:
        return _OUTSIDE
    return signs.get(day, _CLOSED)


def _line(label: str, cells: Sequence[_Sign], apart: int = 1) -> Line:
    parts: list[tuple[str, str]] = [(label, MUTED)]
    for tone, run in groupby(cells, key=lambda cell: cell[1]):
        parts.append(("".join(character.ljust(apart) for character, _ in run), TONE_STYLES[tone]))
    return Content.assemble(*parts).rstrip(), 0


def _year_of_weeks(year: int, signs: dict[date, _Sign], first: date, last: date, width: int) -> list[Line]:
    """A column a week, a row a weekday."""
    apart = 2 if width >= _LABEL + 2 * _WEEKS else 1
    monday = date(year, 1, 1) - timedelta(days=date(year, 1, 1).weekday())
    heading = [" "] * (_WEEKS * apart + 2)
    for month in range(1, 13):
        at = (date(year, month, 1) - monday).days // 7 * apart
        heading[at : at + 3] = f"{date(year, month, 1):%b}"
    lines: list[Line] = [_line(f"{year}".ljust(_LABEL), [("".join(heading).rstrip(), Tone.MUTED)])]
    for weekday, name in enumerate(WEEKDAYS):
        days = [monday + timedelta(days=7 * week + weekday) for week in range(_WEEKS)]
        cells = [_at(day, signs, first, last) if day.year == year else _OUTSIDE for day in days]
        lines.append(_line(name.ljust(_LABEL), cells, apart))
    return lines


def _year_of_months(year: int, signs: dict[date, _Sign], first: date, last: date, width: int) -> list[Line]:
    """A row a month, a column a day of it."""
    heading = "1   5    10   15   20   25   30"
    lines: list[Line] = [_line(f"{year}".ljust(_MONTH_LABEL), [(heading[: max(0, width - _MONTH_LABEL)], Tone.MUTED)])]
    for month in range(1, 13):
        start = date(year, month, 1)
        after = date(year + month // 12, month % 12 + 1, 1)
        if after <= first or start > last:
            continue
        days = [start + timedelta(days=n) for n in range((after - start).days)]
        cells = [_OUTSIDE if day.weekday() > 4 else _at(day, signs, first, last) for day in days]
        lines.append(_line(f"{start:%b}".ljust(_MONTH_LABEL), cells))
    return lines
