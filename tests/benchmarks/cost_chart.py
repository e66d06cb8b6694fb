"""Draws what the common job costs by the number of bars, from the figures `test_cost_is_linear` leaves in cost.json.

Run: python -m tests.benchmarks.cost_chart    (writes docs/pictures/cost.svg)
"""

from __future__ import annotations

import json
from pathlib import Path

FIGURES = Path(__file__).with_name("cost.json")
PICTURE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "cost.svg"
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 640, 320, 60, 44, 40


def drawn(rows: list[tuple[int, float, float, int]]) -> str:
    """An SVG: seconds of the whole job against millions of bars, with the straight line through the first size."""
    most_bars, most_seconds = max(row[0] for row in rows), max(row[1] for row in rows) * 1.15

    def at(bars: float, seconds: float) -> str:
        x = _LEFT + (_WIDTH - _LEFT - 20) * bars / most_bars
        y = _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * seconds / most_seconds
        return f"{x:.1f},{y:.1f}"

    def text(place: str, words: str, anchor: str) -> str:
        x, y = place.split(",")
        return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'

    each = min(seconds / bars for bars, seconds, _, _ in rows)
    points = [at(bars, seconds) for bars, seconds, _, _ in rows]
    dots = [f'<circle cx="{point.split(",")[0]}" cy="{point.split(",")[1]}" r="4" fill="#2a78c2"/>' for point in points]
    labels = []
    for (bars, seconds, _, _), point in zip(rows, points, strict=True):
        x, y = (float(number) for number in point.split(","))
        labels.append(text(f"{x:.1f},{_HEIGHT - 24}", f"{bars / 1e6:.0f}", "middle"))
        labels.append(text(f"{x - 6:.1f},{y - 8:.1f}", f"{seconds:.2f} s", "end" if x > _LEFT + 60 else "start"))
    start, end = at(0, 0), at(most_bars, each * most_bars)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="12">',
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
            text(f"{_LEFT},22", "Seconds of a whole backtest (scan, account, metrics) by millions of bars", "start"),
            f'<polyline points="{start} {end}" stroke="#999" stroke-dasharray="5 4" fill="none"/>',
            f'<polyline points="{" ".join(points)}" stroke="#2a78c2" stroke-width="2" fill="none"/>',
            *dots,
            *labels,
            text(f"{_WIDTH - 20},{_HEIGHT - 6}", f"dashed: {each * 1e9:.0f} ns a bar", "end"),
            "</svg>\n",
        ]
    )


def main() -> None:
    PICTURE.write_text(drawn(json.loads(FIGURES.read_text())))


if __name__ == "__main__":
    main()
