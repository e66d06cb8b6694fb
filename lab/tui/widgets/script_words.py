"""Reading a script around the cursor: its tokens, the word being typed, what could complete it, and the call it stands in.

Pure functions over text, quick enough for every key; nothing here needs the script to be right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from lab.agents.vocabulary import RESULTS, Word

_TOKENS = re.compile(
    r"(?P<comment>\#.*$)"
    r"|(?P<string>\"\"\".*?(?:\"\"\"|\Z)|\"[^\"\n]*\"?|'[^'\n]*'?)"
    r"|(?P<number>(?<![\w.])\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)"
    r"|(?P<sign>[(),\[\]\n=])",
    re.MULTILINE | re.DOTALL,
)
_KEYWORDS = frozenset({"and", "or", "not", "if", "else", "def", "return", "True", "False"})
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.\w*)?$")
_DEFINITION = re.compile(r"^(?:def\s+)?([A-Za-z_]\w*)[ \t]*(?:=(?!=)|\()", re.MULTILINE)
_STATEMENT = re.compile(r"(?:def\s+[A-Za-z_]|[A-Za-z_]\w*[ \t]*=(?!=))")
_ORDERS = "entry orders"
MOST_CANDIDATES = 40
_BY_NAME = 3
"""From this rank on candidates stand by name; before it in the order they have, which is the more telling one."""


class Token(Enum):
    """What a piece of a script is; the rest is plain."""

    COMMENT = auto()
    STRING = auto()
    NUMBER = auto()
    KEYWORD = auto()
    PARAM = auto()
    FUNCTION = auto()
    FIELD = auto()
    DEFINITION = auto()


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that could stand where the cursor is."""

    name: str
    shown: str
    """As the list shows it: a function with its arguments."""
    insert: str
    detail: str


@dataclass(frozen=True, slots=True)
class Call:
    """The innermost call around the cursor."""

    name: str
    argument: int
    """Which argument the cursor is in, from 0."""
    keyword: str
    """Its name where it is given by name, else empty."""


def tokens(line: str, words: Mapping[str, Word]) -> Iterator[tuple[int, int, Token]]:
    """The parts of one line that mean something, with where they begin and end."""
    for match in _TOKENS.finditer(line):
        kind = _kind(match, line, words)
        if kind is not None:
            yield match.start(), match.end(), kind


def _kind(match: re.Match[str], line: str, words: Mapping[str, Word]) -> Token | None:
    text = match[0]
    match match.lastgroup:
        case "comment":
            return Token.COMMENT
        case "string":
            return Token.STRING
        case "number":
            return Token.NUMBER
        case "name":
            after = line[match.end() :].lstrip()
            if text in _KEYWORDS:
                return Token.KEYWORD
            if after[:1] == "=" and after[:2] != "==":  # a line's name, or that of an argument
                return None if line[: match.start()].strip() else Token.DEFINITION
            if text == "param":
                return Token.PARAM
            word = words.get(text)
            if word is not None and word.kind == "field":
                return Token.FIELD
            return Token.FUNCTION if word is not None and word.kind == "function" and after[:1] == "(" else None
    return None


def word_before(line: str, column: int) -> str:
    """The name that ends at the cursor, dots included; empty inside a comment or a text and where there is none."""
    before = line[:column]
    for match in _TOKENS.finditer(before):
        inside = match.lastgroup == "comment" or (match.lastgroup == "string" and not _closed(match[0]))
        if inside and match.end() == column:
            return ""
    found = _WORD.search(before)
    return found[0] if found else ""


def _closed(text: str) -> bool:
    return len(text) > 1 and text[-1] == text[0]


def defined_names(text: str) -> list[str]:
    """The names a script gives a meaning to, in their order: its lines and its own functions."""
    return list(dict.fromkeys(match[1] for match in _DEFINITION.finditer(text)))


def call_at(text: str, row: int, column: int) -> Call | None:
    """The innermost call whose brackets the cursor is between, or None."""
    lines = text.split("\n")[: row + 1]
    lines[-1] = lines[-1][:column]
    # An unclosed bracket above must not swallow what follows: a statement begins afresh.
    start = next((at for at in range(len(lines) - 1, -1, -1) if _STATEMENT.match(lines[at])), 0)
    before = "\n".join(lines[start:])
    calls: list[Call] = []
    last = ""
    for match in _TOKENS.finditer(before):
        token = match[0]
        if match.lastgroup == "name":
            last = token
            continue
        if match.lastgroup == "sign":
            if token in "([":
                touching = before[: match.start()].rstrip().endswith(last) if last else False
                calls.append(Call(last if token == "(" and touching else "", 0, ""))
            elif token in ")]" and calls:
                calls.pop()
            elif token == "," and calls:
                calls[-1] = Call(calls[-1].name, calls[-1].argument + 1, "")
            elif token == "=" and calls and last and before[match.end() : match.end() + 1] != "=":
                calls[-1] = Call(calls[-1].name, calls[-1].argument, last)
        if match.lastgroup in ("comment", "string") and match.end() == len(before) and not _closed(token):
            return None
        last = ""
    named = [call for call in calls if call.name]
    return named[-1] if named else None


def candidates(
    word: str, line: str, column: int, script: str, words: Mapping[str, Word], own: Iterable[str], call: Call | None
) -> list[Candidate]:
    """What could complete the word, best first: names that begin so, then names with a part or a synonym that does.

    At the start of a line these are the names the engine acts on; elsewhere what an expression may hold.
    """
    if call is None and not line[: column - len(word)].strip():
        named = [Candidate(name, name, f"{name} = ", meaning) for name, meaning in RESULTS[script]]
        named.append(Candidate("def", "def name(a): return ...", "def ", words["def"].meaning if "def" in words else ""))
        return [found for found in named if found.name.startswith(word.lower())]
    wanted = word.lower()
    ranked: list[tuple[int, Candidate]] = []
    begins_argument = line[: column - len(word)].rstrip().endswith((",", "("))
    if call is not None and begins_argument and call.name in words:
        for argument in words[call.name].arguments:
            if argument.default and argument.name.startswith(wanted):
                given = f"{argument.name}="
                ranked.append((0, Candidate(given, given, given, argument.meaning)))
    for name in own:
        if name.lower().startswith(wanted):
            ranked.append((1, Candidate(name, name, name, "a line of the script")))
    for known in words.values():
        rank = _rank(known, wanted)
        if rank is not None and _fits(known, script):
            ranked.append((rank, Candidate(known.name, known.signature, _insert(known), known.meaning)))
    ranked.sort(key=lambda pair: (pair[1].name != word, pair[0], pair[1].name if pair[0] >= _BY_NAME else ""))
    best: dict[str, Candidate] = {}
    for _, found in ranked:
        best.setdefault(found.name, found)
    return list(best.values())[:MOST_CANDIDATES]


def _rank(word: Word, wanted: str) -> int | None:
    name = word.name.lower()
    if name.startswith(wanted):
        return 2 if word.kind == "field" else 3
    parts = name.replace(".", "_").split("_")
    if any(part.startswith(wanted) for part in parts[1:]):
        return 4
    return 5 if any(other.startswith(wanted) for other in word.synonyms) else None


def _fits(word: Word, script: str) -> bool:
    return word.name not in ("def", "return") and (script == "execution" or (word.category != _ORDERS and word.name != "side"))


def _insert(word: Word) -> str:
    if word.kind == "function" or word.name == "param":
        return f"{word.name}(" if word.arguments else f"{word.name}()"
    return word.name
