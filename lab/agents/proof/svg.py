"""Charts of a tear sheet as inline SVG: no script, no outside resource, told apart by dashes and labels as well as by colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

WIDTH, HEIGHT = 860, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 12, 30
_STROKES = (("#1f5fa8", ""), ("#a2611b", "6 4"), ("#3d7a3d", "2 3"), ("#7a3d7a", "8 3 2 3"))


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    points: Sequence[tuple[date, float]]


def line_chart(lines: Sequence[Line], title: str, percent: bool = False, zero: float | None = None) -> str:
    """Lines over days; `zero` draws a rule at that value."""
    lines = [line for line in lines if line.points]
    if not lines:
        return ""
    days = [day.toordinal() for line in lines for day, _ in line.points]
    values = [value for line in lines for _, value in line.points] + ([] if zero is None else [zero])
    first, last, (low, high) = min(days), max(days), _room(values)

    def x(day: date) -> float:
        return _LEFT + (day.toordinal() - first) / max(1, last - first) * (WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _TOP + (high - value) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    parts = [*_grid(low, high, y, percent)]
    if zero is not None:
        parts.append(f'<line class="rule" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(zero):.1f}" y2="{y(zero):.1f}"/>')
    for number, line in enumerate(lines):
        colour, dash = _STROKES[number % len(_STROKES)]
        drawn = " ".join(f"{x(day):.1f},{y(value):.1f}" for day, value in line.points)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" stroke-dasharray="{dash}" points="{drawn}"/>')
    for day, anchor in ((date.fromordinal(first), "start"), (date.fromordinal(last), "end")):
        parts.append(f'<text x="{x(day):.1f}" y="{HEIGHT - 10}" text-anchor="{anchor}">{day}</text>')
    return _figure(parts, title, [line.name for line in lines])


def pair_chart(rows: Sequence[tuple[str, float | None, float | None]], names: tuple[str, str], title: str) -> str:
    """Two bars a row, beside each other: what was seen where something was chosen, and where it was judged."""
    values = [value for _, *pair in rows for value in pair if value is not None]
    if not values:
        return ""
    low, high = _room([*values, 0.0])

    def y(value: float) -> float:
        return _TOP + (high - value) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    step = (WIDTH - _LEFT - _RIGHT) / len(rows)
    parts = [*_grid(low, high, y, False)]
    for number, (label, *pair) in enumerate(rows):
        start = _LEFT + step * number
        for place, value in enumerate(pair):
            if value is None:
                continue
            colour, _ = _STROKES[place]
            top, bottom = min(y(value), y(0)), max(y(value), y(0))
            left = start + step * (0.15 + 0.36 * place)
            hollow = f'fill="none" stroke="{colour}" stroke-width="1.6"' if place else f'fill="{colour}"'
            parts.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{step * 0.32:.1f}" height="{max(1.0, bottom - top):.1f}" {hollow}>'
                f"<title>{escape(names[place])} {value:.2f}</title></rect>"
            )
        parts.append(f'<text x="{start + step / 2:.1f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(label)}</text>')
    parts.append(f'<line class="rule" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>')
    return _figure(parts, title, [f"{names[0]} (filled)", f"{names[1]} (outlined)"])


def histogram(values: Sequence[float], title: str, bins: int = 30) -> str:
    """How often values fall where; what lies beyond the 1st and 99th percentile is put into the outermost bars."""
    if len(values) < 2:
        return ""
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 100], ordered[-1 - len(ordered) // 100]
    if high <= low:
        return ""
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, max(0, int((value - low) / (high - low) * bins)))] += 1
    most, step = max(counts), (WIDTH - _LEFT - _RIGHT) / bins
    parts = []
    for number, count in enumerate(counts):
        tall = count / most * (HEIGHT - _TOP - _BOTTOM)
        colour = _STROKES[0][0] if low + (number + 0.5) * (high - low) / bins >= 0 else _STROKES[1][0]
        parts.append(
            f'<rect x="{_LEFT + step * number:.1f}" y="{HEIGHT - _BOTTOM - tall:.1f}" width="{step - 1:.1f}" height="{tall:.1f}" '
            f'fill="{colour}"><title>{count}</title></rect>'
        )
    for at, value, anchor in ((_LEFT, low, "start"), (WIDTH - _RIGHT, high, "end")):
        parts.append(f'<text x="{at}" y="{HEIGHT - 10}" text-anchor="{anchor}">{value:+.2f}</text>')
    if low < 0 < high:
        zero = _LEFT - low / (high - low) * (WIDTH - _LEFT - _RIGHT)
        parts.append(f'<line class="rule" x1="{zero:.1f}" x2="{zero:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>')
    return _figure(parts, title, [])


def heat_table(
    rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[float | None]], corner: str, own: tuple[int, int]
) -> str:
    """A table whose cells are shaded by their value and hold it as a number; the chosen one is framed."""
    values = [value for row in cells for value in row if value is not None]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = []
    for r, (name, row) in enumerate(zip(rows, cells, strict=True)):
        drawn = []
        for c, value in enumerate(row):
            if value is None:
                drawn.append("<td>·</td>")
                continue
            share = (value - low) / (high - low) if high > low else 0.5
            mark = ' class="own"' if (r, c) == own else ""
            drawn.append(f'<td{mark} style="background:rgba(31,95,168,{0.06 + 0.5 * share:.2f})">{value:.2f}</td>')
        body.append(f"<tr><th>{escape(name)}</th>{''.join(drawn)}</tr>")
    return f'<table class="heat"><tr><th>{escape(corner)}</th>{head}</tr>{"".join(body)}</table>'


def _room(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    space = (high - low) * 0.05 or max(abs(high), 1.0) * 0.05
    return low - space, high + space


def _grid(low: float, high: float, y: object, percent: bool) -> list[str]:
    assert callable(y)
    size = 10 ** math.floor(math.log10((high - low) / 4))
    step = next(size * factor for factor in (1, 2, 5, 10) if (high - low) / (size * factor) <= 6)
    found, at = [], math.ceil(low / step) * step
    while at <= high:
        text = f"{at * 100:.0f}%" if percent else f"{at:,.0f}" if step >= 1 else f"{at:.{max(0, -math.floor(math.log10(step)))}f}"
        found.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(at):.1f}" y2="{y(at):.1f}"/>')
        found.append(f'<text x="{_LEFT - 6}" y="{y(at) + 4:.1f}" text-anchor="end">{text}</text>')
        at += step
    return found


def _figure(parts: Sequence[str], title: str, names: Sequence[str]) -> str:
    legend = []
    for number, name in enumerate(names):
        colour, dash = _STROKES[number % len(_STROKES)]
        drawn = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        swatch = f'<svg width="30" height="8"><line x1="0" x2="30" y1="4" y2="4" {drawn}/></svg>'
        legend.append(f"<span>{swatch} {escape(name)}</span>")
    chart = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title, quote=True)}">{"".join(parts)}</svg>'
    return f"<figure><figcaption>{escape(title)} {' '.join(legend)}</figcaption>{chart}</figure>"
