"""Which column of a file holds what: recognised by its name in several languages, corrected by the person."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from lab.market.bars import PRICES
from lab.market.errors import UnknownColumns, UnreadableFile

ROLES = ("timestamp", "time", "ticker", *PRICES, "volume")
"""Our names of columns; "time" is the clock where date and time stand apart."""
HOW = "The lab needs columns for the time, open, high, low and close, and best a ticker and a volume."

# English, then German, French and Spanish, without accents, spaces and signs.
_WORDS: dict[str, str] = {
    "timestamp": "timestamp datetime date windowstart time t ts bartime opentime starttime start "
    "zeitstempel datumzeit datumuhrzeit datum zeit uhrzeit horodatage dateheure heure fechahora fecha hora",
    "time": "time hour zeit uhrzeit heure hora",
    "ticker": "ticker symbol sym instrument ric name underlyingsymbol symbole simbolo kurzel kuerzel",
    "open": "open o openprice first eroffnung eroeffnung eroffnungskurs eroeffnungskurs eroffn ouverture ouv apertura",
    "high": "high h highprice max hoch hochst hoechst hochstkurs hoechstkurs tageshoch haut plushaut maximo",
    "low": "low l lowprice min tief tiefst tiefstkurs tagestief bas plusbas minimo",
    "close": "close c closeprice last price closelast schluss schlusskurs zuletzt cloture dernier cierre ultimo",
    "volume": "volume v vol shares totalvolume qty volumen stuck stueck",
}


def map_columns(file: str, names: Sequence[str], corrections: Mapping[str, str]) -> dict[str, str]:
    """Our name -> the file's column, as recognised, with the person's corrections ("" for a column that is not there).

    Raises `UnreadableFile` for a correction that names no column, or where the time or a price has none.
    """
    mapping = _recognised(names)
    corrected = {ours: _named(file, theirs, names) for ours, theirs in corrections.items()}
    if strange := [ours for ours in corrected if ours not in ROLES]:
        raise UnreadableFile(f"“{strange[0]}” is not a column of bars; name one of {', '.join(ROLES)}.")
    taken = set(corrected.values())
    mapping = {ours: theirs for ours, theirs in mapping.items() if theirs not in taken} | corrected
    mapping = {ours: mapping[ours] for ours in ROLES if mapping.get(ours)}
    if "timestamp" not in mapping and "time" in mapping and "time" not in corrected:
        mapping["timestamp"] = mapping.pop("time")
    _check(file, mapping, names)
    return mapping


def _recognised(names: Sequence[str]) -> dict[str, str]:
    plain = {_plain(name): name for name in reversed(names)}
    mapping: dict[str, str] = {}
    for ours, words in _WORDS.items():
        taken = set(mapping.values())
        match = next((plain[word] for word in words.split() if word in plain and plain[word] not in taken), None)
        if match is not None:
            mapping[ours] = match
    return mapping


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[^a-z]", "", letters)


def _named(file: str, theirs: str, names: Sequence[str]) -> str:
    """The column meant, also where capitals or blanks around it differ; "" stays."""
    if not theirs or theirs in names:
        return theirs

    def bare(name: str) -> str:
        return unicodedata.normalize("NFKC", name).strip(" \t\ufeff").casefold()

    alike = [name for name in names if bare(name) == bare(theirs)]
    if len(alike) != 1:
        raise UnreadableFile(f"{file} has no column “{theirs}”; its columns are {listed(names)}.")
    return alike[0]


def _check(file: str, mapping: Mapping[str, str], names: Sequence[str]) -> None:
    found = f"its columns are {listed(names)}"
    prices = [name for name in PRICES if name not in mapping]
    missing = tuple(name for name in ("timestamp", *PRICES) if name not in mapping)
    if len(prices) == len(PRICES):
        what, example = "no column with prices", "close"
    elif "timestamp" in missing:
        what, example = "no column with the time of the bars", "timestamp"
    elif missing:
        what, example = f"no column for {' and '.join(missing)}", missing[0]
    else:
        return
    raise UnknownColumns(f"{file} has {what}; {found}. {HOW} {_say(example)}", missing, dict(mapping))


def _say(ours: str) -> str:
    return f"Where a column has a name the lab doesn't know, say which it is: lab data import FILE --column {ours}=NAME."


def names_prices(names: Sequence[str]) -> bool:
    """Whether any of a file's columns is recognised as a price."""
    return any(ours in PRICES for ours in _recognised(names))


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them, not too many."""
    return ", ".join(names[:30]) + ("…" if len(names) > 30 else "")
