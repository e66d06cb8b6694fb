"""The words of the strategy language as an editor, a search and a help line need them, free of anything that computes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lab.agents.errors import NotThere


@dataclass(frozen=True, slots=True)
class ArgumentWord:
    """An argument of a function. `default` is empty where it must be given."""

    name: str
    takes: str
    """What it may be, in words."""
    meaning: str
    default: str
    bounds: str
    """In words, or empty."""


@dataclass(frozen=True, slots=True)
class Word:
    """A function, a field or a word of the grammar."""

    name: str
    kind: str
    """"function", "field", "line" (see `lines`) or "word"."""
    category: str
    signature: str
    meaning: str
    source: str
    """Where a function's formula comes from; empty for the rest."""
    example: str
    warm_up: str
    arguments: tuple[ArgumentWord, ...] = ()
    synonyms: tuple[str, ...] = ()
    """What other languages call it."""


def _grammar(name: str, signature: str, meaning: str, example: str, *arguments: ArgumentWord) -> Word:
    return Word(name, "word", "grammar", signature, meaning, "", example, "", arguments)


_BOUND = "a number written out"
_GRAMMAR: tuple[Word, ...] = (
    _grammar(
        "param",
        "param(default, low=, high=, step=)",
        "a number that sweeps and refinements may vary between its bounds",
        "loud = volume > param(3.0, low=1.0, high=5.0) * sma(volume, 20)",
        ArgumentWord("default", _BOUND, "what it is unless set from outside", "", ""),
        ArgumentWord("low", _BOUND, "the least it may be", "none", ""),
        ArgumentWord("high", _BOUND, "the most it may be", "none", ""),
        ArgumentWord("step", _BOUND, "by what it is varied; 1 where only whole numbers fit", "none", ""),
    ),
    _grammar("side", "side", "in an execution script: 1 while a long is evaluated, -1 for a short", "stop = close - side * atr(14)"),
    _grammar("and", "a and b", "true where both are", "long = close > open and volume > 0"),
    _grammar("or", "a or b", "true where either is", "long = gap() > 2 or gap() < -2"),
    _grammar("not", "not a", "true where it is false", "long = not falling(close, 3)"),
    _grammar("if", "a if condition else b", "one of two values, bar by bar", "stop = low if side > 0 else high"),
    _grammar("else", "a if condition else b", "one of two values, bar by bar", "stop = low if side > 0 else high"),
    _grammar(
        "def", "def name(a, b): return ...", "a function of one's own: one expression", "def near(band): return close < vwap() * band"
    ),
    _grammar("return", "def name(a, b): return ...", "what a function of one's own gives", "def near(band): return close < vwap() * band"),
)

RESULTS: dict[str, tuple[tuple[str, str], ...]] = {
    "scan": (
        ("long", "the condition for a long signal"),
        ("short", "the condition for a short signal"),
        ("score", "who goes first when slots are short: the highest"),
    ),
    "execution": (
        ("entry", "how to get in: at_open(), limit(price, bars=5) or stop_entry(price, bars=5)"),
        ("stop", "the price at which the trade is given up; required"),
        ("target", "the price at which the profit is taken"),
        ("fraction", "which part of the position leaves at the target, such as 0.5; the whole unless given"),
        ("target_2", "a second target for what is left; likewise target_3"),
        ("fraction_2", "which part of the position leaves at the second target; all that is left unless given"),
        ("target_3", "a third target for what is left"),
        ("fraction_3", "which part of the position leaves at the third target; all that is left unless given"),
        ("trail", "how far behind the best price since the entry the stop follows, such as 2 * atr(14)"),
        ("break_even", "the profit, in multiples of the risk, at which the stop moves to the entry price"),
        ("exit", "a condition that ends the trade at the next open"),
        ("max_bars", "the most bars a trade is held"),
        ("flat_by", 'the New York time to be out by, such as "15:55"'),
        ("cooldown", "how many bars must pass between leaving a ticker and entering it again"),
        ("risk", "percent of equity lost if the stop is hit"),
        ("risk_move", "the move of the price over which the risk is lost, such as 2 * atr(20), instead of the distance to the stop"),
        ("size", "dollars a position is worth, instead of a size by risk"),
    ),
}
"""Script -> the names that mean something to the engine, with their meaning."""

_SCAN_EXAMPLES = {
    "long": "long = close > vwap() and volume > 2 * sma(volume, 20)",
    "short": "short = close < vwap() and volume > 2 * sma(volume, 20)",
    "score": "score = volume / sma(volume, 20)",
}


@lru_cache(maxsize=1)
def lines() -> tuple[Word, ...]:
    """The names of `RESULTS` as words: what stands left of the equals sign, so no part of an expression and not in `vocabulary`."""
    from lab.script.lines import EXAMPLES, OTHER_NAMES

    called: dict[str, list[str]] = {}
    for other, ours in OTHER_NAMES.items():
        called.setdefault(ours, []).append(other)
    examples = EXAMPLES | _SCAN_EXAMPLES
    return tuple(
        Word(
            name, "line", f"lines of the {script} script", f"{name} = ...", meaning, "", examples[name], "", (), tuple(called.get(name, ()))
        )
        for script, named in RESULTS.items()
        for name, meaning in named
    )


def _line_names(word: Word, wanted: str) -> bool:
    names = [name.replace("_", " ") for name in (word.name, *word.synonyms)]
    return any(name.startswith(wanted) for name in names)


@lru_cache(maxsize=1)
def vocabulary() -> dict[str, Word]:
    """Every word of the language by name: functions by category, then fields, then the grammar's own."""
    from lab.script import CATALOGUE, FIELDS, Category
    from lab.script.catalogue import SYNONYMS

    called: dict[str, list[str]] = {}
    for other, ours in SYNONYMS.items():
        called.setdefault(ours, []).append(other)
    found: dict[str, Word] = {}
    for category in Category:
        for function in CATALOGUE.values():
            if function.category is category:
                found[function.name] = Word(
                    function.name,
                    "function",
                    category.value,
                    function.signature,
                    function.meaning,
                    function.source,
                    function.example,
                    function.warm_up,
                    tuple(
                        ArgumentWord(
                            argument.name,
                            argument.takes.value,
                            argument.meaning,
                            _default(argument.default),
                            argument.bounds,
                        )
                        for argument in function.arguments
                    ),
                    tuple(called.get(function.name, ())),
                )
    for field in FIELDS.values():
        group = f"fields of {field.namespace}" if field.namespace else "fields of the bar"
        found[field.name] = Word(field.name, "field", group, field.name, field.meaning, "", "", "")
    for word in _GRAMMAR:
        found.setdefault(word.name, word)
    return found


def _default(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:g}"


def search(words: str) -> list[Word]:
    """What the words name or mean, best first, the lines a script is made of among it; the whole language for "".

    Raises:
        NotThere: nothing fits.
    """
    from lab.script import search_catalogue
    from lab.script.catalogue import nearest

    known = vocabulary()
    if not words.strip():
        return [*known.values(), *lines()]
    wanted = " ".join(words.lower().replace("_", " ").split())
    found = [word for word in lines() if _line_names(word, wanted)]
    found += [known[word.name] for word in _GRAMMAR if word.name == words.strip().lower() and known[word.name] is word]
    found += [known[entry.name] for entry in search_catalogue(words)]
    found += [word for word in lines() if word not in found and all(part in word.meaning.lower() for part in wanted.split())]
    if not found:
        close = nearest(words, [*known, *(word.name for word in lines())])
        hint = f"Did you mean {close}?" if close else "`lab functions` lists them all."
        raise NotThere(f"The language has nothing named or meaning {words!r}. {hint}")
    return found


def extension_problems() -> tuple[str, ...]:
    """What is wrong with functions of a person's own packages that were left out, a sentence each."""
    from lab.script import EXTENSION_PROBLEMS

    return EXTENSION_PROBLEMS
