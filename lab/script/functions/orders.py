"""How a position is entered: the right side of the execution script's `entry` line."""

from __future__ import annotations

from lab.script.entries import Category, Function, series, whole
from lab.script.nodes import Kind

_BARS = whole("bars", "how many bars the order lives", 5, 1, 390)

FUNCTIONS = (
    Function(
        "at_open",
        Category.ORDER,
        (),
        Kind.ORDER,
        "enter at the next bar's open",
        "definition",
        "entry = at_open()",
    ),
    Function(
        "limit",
        Category.ORDER,
        (series("price", "the limit price"), _BARS),
        Kind.ORDER,
        "enter when the price trades through a better one, within so many bars",
        "definition",
        "entry = limit(close - side * 0.2 * atr(14), bars=5)",
    ),
    Function(
        "stop_entry",
        Category.ORDER,
        (series("price", "the price that triggers"), _BARS),
        Kind.ORDER,
        "enter when the price breaks through a worse one, within so many bars",
        "definition",
        "entry = stop_entry(high, bars=3)",
    ),
)
