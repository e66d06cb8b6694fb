"""The lines of an execution script that mean something: their names, what they hold, and what they say against each other."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from itertools import pairwise

from lab.script.catalogue import nearest
from lab.script.entries import number_text
from lab.script.errors import ScriptError
from lab.script.nodes import Kind, Node
from lab.script.source import Source

TARGETS = ("target", "target_2", "target_3")
FRACTIONS = ("fraction", "fraction_2", "fraction_3")
"""Which part of the position leaves at each target."""
EXECUTION_RESULTS = (
    *("entry", "stop", *TARGETS, *FRACTIONS, "trail", "break_even", "exit", "max_bars", "flat_by", "cooldown"),
    *("size", "risk", "risk_move"),
)

AMOUNTS: dict[str, tuple[str, str, str]] = {
    "trail": ("a distance in price", "Measure it in average true ranges, or in dollars", "trail = 2 * atr(14)"),
    "risk_move": ("a move of the price", "Measure it in average true ranges, or in dollars", "risk_move = 2 * atr(20)"),
    "size": ("an amount of dollars", "Write how many dollars a position is worth", "size = 10000"),
}
"""Line -> what it holds, in words, what to do about anything else, and an example."""


def check_amount(source: Source, place: ast.expr, node: Node, name: str) -> None:
    """Raises ScriptError unless the line holds a number, and one above 0."""
    words, suggestion, example = AMOUNTS[name]
    if node.kind not in (Kind.NUMBER, Kind.CONSTANT):
        raise source.error(place, f"`{name}` must be {words}, not {node.kind.value}", suggestion, example)
    if node.value is not None and not 0 < node.value <= 1e9:
        raise source.error(place, f"`{name}` must be above 0 and at most 1,000,000,000, not {number_text(node.value)}", suggestion, example)


OTHER_NAMES = {
    "trailing_stop": "trail", "trail_stop": "trail", "trailing": "trail", "trailing_distance": "trail", "trail_distance": "trail",
    "breakeven": "break_even", "break_even_at": "break_even", "breakeven_r": "break_even", "break_even_r": "break_even",
    "take_profit": "target", "takeprofit": "target", "tp": "target", "profit_target": "target", "target1": "target", "target_1": "target",
    "take_profit_2": "target_2", "target2": "target_2", "tp2": "target_2", "target3": "target_3", "tp3": "target_3",
    "partial": "fraction", "scale_out": "fraction", "fraction_1": "fraction", "position_size": "size", "dollars": "size", "shares": "size",
    "stop_loss": "stop", "stoploss": "stop", "sl": "stop", "qty": "size", "quantity": "size", "stake_amount": "size",
    "cool_down": "cooldown", "time_stop": "max_bars", "max_hold": "max_bars", "bars_max": "max_bars", "risk_percent": "risk",
}  # fmt: skip
"""What other languages and people call a line of the execution script."""

_COSTS = ("slippage", "commission", "commissions", "fee", "fees")
"""What people would set in a script, and a universe has settings for."""

EXAMPLES = {
    **{name: f"{name} = close + side * 2 * atr(14)" for name in TARGETS},
    **{name: f"{name} = 0.5" for name in FRACTIONS},
    **{name: example for name, (_, _, example) in AMOUNTS.items()},
    "break_even": "break_even = 1.0",
    "cooldown": "cooldown = 10",
    "max_bars": "max_bars = 60",
    "risk": "risk = 0.5",
    "entry": "entry = at_open()",
    "stop": "stop = close - side * 1.5 * atr(14)",
    "flat_by": 'flat_by = "15:55"',
    "exit": "exit = crosses_below(close, ema(close, 20))",
}


_DISTANCES = ("atr", "true_range", "range_", "stdev", "body")
_PRICES = ("open", "high", "low", "close")


def _is_distance(node: ast.expr) -> bool:
    """Whether an expression is plainly so many average ranges and no price."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _DISTANCES
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        sides = [node.left, node.right] if isinstance(node.op, ast.Mult) else [node.left]
        return any(_is_distance(one) and (_is_factor(other) or len(sides) == 1) for one, other in zip(sides, reversed(sides), strict=True))
    return False


def _is_factor(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "param"
    if isinstance(node, ast.BinOp):
        return _is_factor(node.left) and _is_factor(node.right)
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id == "side")


def _is_price(node: ast.expr) -> bool:
    """Whether an expression is plainly a price, or one with a distance added."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        return _is_price(node.left) and _is_distance(node.right)
    return isinstance(node, ast.Name) and node.id in _PRICES


def _has_side(node: ast.expr) -> bool:
    """Whether an expression is a product with `side`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        return _has_side(node.left) or _has_side(node.right)
    return isinstance(node, ast.Name) and node.id == "side"


def _places(source: Source) -> dict[str, ast.Assign]:
    """Each name that a line of the script gives, with its statement."""
    return {
        statement.targets[0].id: statement
        for statement in source.tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }


@functools.lru_cache(maxsize=64)
def _read_names(source: Source) -> frozenset[str]:
    return frozenset(node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))


def beside_the_meant(source: Source, lines: Mapping[str, Node | None]) -> list[ScriptError]:
    """Lines named as other languages name one that the script has as well, such as `stop_loss` beside `stop`: whoever wrote it thinks
    that it does something. Strategies that were stored with such a line still compile, since it changes nothing."""
    read = _read_names(source)
    return [
        source.error(
            statement,
            f"`{name}` is used nowhere and has no effect: `{OTHER_NAMES[name]}` is what counts",
            f"Take the line out, or write it as `{OTHER_NAMES[name]}`",
            EXAMPLES.get(OTHER_NAMES[name], "risk = 0.5"),
        )
        for name, statement in _places(source).items()
        if name not in read and OTHER_NAMES.get(name) in lines
    ]


def contradictions(source: Source, lines: Mapping[str, Node | None]) -> list[ScriptError]:
    """What execution lines, each right by itself, say against each other. Lines that are themselves wrong are left out."""
    places = _places(source)
    found: list[ScriptError] = []

    def wrong(name: str, message: str, suggestion: str, example: str) -> None:
        if name in places:
            found.append(source.error(places[name], message, suggestion, example))

    read = _read_names(source)
    for name in places:
        if name in _COSTS and name not in read:
            wrong(name, f"`{name}` has no effect here", "Costs belong to the universe: see `lab data costs`", "risk = 0.5")
            continue
        meant = OTHER_NAMES.get(name) or nearest(name, list(EXECUTION_RESULTS))
        if name not in EXECUTION_RESULTS and name not in read and meant and meant not in lines:
            wrong(name, f"`{name}` is used nowhere and has no effect", f"Did you mean `{meant}`?", EXAMPLES.get(meant, f"{meant} = close"))
    for name, statement in places.items():
        if name in ("stop", *TARGETS) and _is_distance(statement.value):
            wrong(name, f"`{name}` is a price, and this is a distance", "Measure it from the close or the low", EXAMPLES[name])
        elif name in ("trail", "risk_move") and _is_price(statement.value):
            wrong(name, f"`{name}` is a distance, and this is a price", "Leave out what it is measured from", EXAMPLES[name])
        elif name in ("trail", "risk_move") and _has_side(statement.value):
            wrong(name, f"`{name}` is above 0, whatever the side", "Leave `side` out", EXAMPLES[name])
    given = [name for name in TARGETS if name in lines]
    for before, name in pairwise(TARGETS):
        if name in lines and before not in lines:
            wrong(name, f"`{name}` needs a `{before}`", "Number the targets from the first on", f"{before} = close + side * 2 * atr(14)")
    for target, fraction in zip(TARGETS, FRACTIONS, strict=True):
        if fraction in lines and target not in lines:
            message = f"`{fraction}` is the part that leaves at `{target}`, and there is none"
            wrong(fraction, message, "Add that target, or take the line out", f"{target} = close + side * 2 * atr(14)")
        elif target in given[:-1] and fraction not in lines:
            message = f"`{target}` needs its `{fraction}`: which part of the position leaves there"
            wrong(target, message, f"Without it, nothing would be left for `{given[-1]}`", f"{fraction} = 0.5")
    parts = [node.value for name in FRACTIONS if (node := lines.get(name)) is not None and node.value is not None]
    last = next((name for name in reversed(FRACTIONS) if name in lines), "")
    whole = len(parts) == len(given) or len(parts) < len([name for name in FRACTIONS if name in lines])
    if sum(parts) > 1 + 1e-9:
        wrong(last, f"the fractions come to {number_text(round(sum(parts), 6))}", "Together they are 1 at most", f"{last} = 0.25")
    elif not whole and len(parts) == len(given) - 1 and sum(parts) > 1 - 1e-9:
        wrong(given[-1], f"nothing is left for `{given[-1]}`", "Let less than 1 leave at the targets before it", f"{last} = 0.5")
    for name in ("risk", "risk_move"):
        if "size" in lines and name in lines:
            message = f"`size` and `{name}` both say how large a position is"
            wrong(name, message, "Keep the one you mean", "size = 10000" if name == "risk" else "risk_move = 2 * atr(20)")
    return found
