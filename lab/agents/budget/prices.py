"""Prices: dated data from a file a person can edit, and what a call costs by them. All sums are whole micro-dollars, rounded up."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from lab.agents.budget.errors import BadPrices, Unpriced

SHIPPED = Path(__file__).with_name("prices.toml")
FILE = "prices.toml"
"""A person's own prices, in the workspace folder."""
_KINDS = ("input", "output", "cache_write", "cache_write_hour", "cache_read")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a call used, by kind of price. The kinds don't overlap."""

    input: int = 0
    """Neither written to nor read from the cache."""
    cache_write: int = 0
    """Written to the cache for five minutes."""
    cache_write_hour: int = 0
    cache_read: int = 0
    output: int = 0

    @property
    def prompt(self) -> int:
        return self.input + self.cache_write + self.cache_write_hour + self.cache_read


@dataclass(frozen=True, slots=True)
class Rates:
    """Nano-dollars a token, which is a thousand times the dollars for a million."""

    input: int
    output: int
    cache_write: int
    cache_write_hour: int
    cache_read: int

    def nanos(self, used: Tokens) -> int:
        return (
            used.input * self.input
            + used.output * self.output
            + used.cache_write * self.cache_write
            + used.cache_write_hour * self.cache_write_hour
            + used.cache_read * self.cache_read
        )

    @property
    def dearest_input(self) -> int:
        return max(self.input, self.cache_write, self.cache_write_hour, self.cache_read)


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs from a day on."""

    model: str
    since: date
    rates: Rates
    long_above: int | None = None
    """A prompt of more tokens is billed at `long_rates` throughout."""
    long_rates: Rates | None = None

    def cost_micros(self, used: Tokens) -> int:
        """What a call that used so many tokens costs."""
        return _micros(self._rates(used.prompt).nanos(used))

    def most_micros(self, prompt_tokens: int, max_tokens: int) -> int:
        """The upper bound of a call: its whole prompt at the dearest rate of input, and as much output as it may write."""
        rates = self._rates(prompt_tokens)
        return _micros(prompt_tokens * rates.dearest_input + max_tokens * rates.output)

    def _rates(self, prompt_tokens: int) -> Rates:
        return self.long_rates if self.long_rates and self.long_above is not None and prompt_tokens > self.long_above else self.rates


@dataclass(frozen=True, slots=True)
class Prices:
    """All prices known, a person's own before the shipped ones."""

    all: tuple[Price, ...]
    path: Path
    """Where a person's own prices go."""

    def of(self, model: str, day: date) -> Price:
        """The price of the model on that day. Raises Unpriced."""
        dated = [price for price in self.all if price.model == model and price.since <= day]
        if not dated:
            raise Unpriced(
                f"The model {model!r} has no price, so it is not called. Add its price to {self.path} (`lab usage prices` shows the form), "
                "or choose another model with LAB_CLAUDE_MODEL."
            )
        return max(dated, key=lambda price: price.since)


def load_prices(home: Path) -> Prices:
    """The shipped prices, with those of a workspace's own file in place of them. Raises BadPrices naming file and entry."""
    own_path = home / FILE
    own = _read(own_path) if own_path.exists() else ()
    replaced = {price.model for price in own}
    return Prices((*own, *(price for price in _read(SHIPPED) if price.model not in replaced)), own_path)


def _read(path: Path) -> tuple[Price, ...]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadPrices(f"The prices in {path} can't be read: {error}.") from error
    entries = document.get("price", [])
    if not isinstance(entries, list):
        raise BadPrices(f"The prices in {path} have to be a list: each entry begins with [[price]].")
    return tuple(_price(entry, path, number) for number, entry in enumerate(entries, 1))


def _price(entry: Mapping[str, Any], path: Path, number: int) -> Price:
    model, since, long = entry.get("model"), entry.get("since"), entry.get("long")
    place = f"{path}, entry {number}"
    if not isinstance(model, str) or not isinstance(since, date):
        raise BadPrices(f"{place}: it needs `model`, a text, and `since`, a date such as 2026-10-07.")
    if long is None:
        return Price(model, since, _rates(entry, place))
    above = long.get("above") if isinstance(long, dict) else None
    if not isinstance(above, int) or above < 1:
        raise BadPrices(f"{place}: its [price.long] needs `above`, a number of tokens.")
    return Price(model, since, _rates(entry, place), above, _rates(long, place))


def _rates(entry: Mapping[str, Any], place: str) -> Rates:
    found = {}
    for kind in _KINDS:
        try:
            nanos = Decimal(entry[kind]) * 1000
        except (KeyError, TypeError, ValueError, InvalidOperation):
            raise BadPrices(f"{place}: {kind!r} has to be there, in dollars per million tokens.") from None
        if not nanos.is_finite() or nanos < 0 or nanos != nanos.to_integral_value():
            raise BadPrices(f"{place}: {kind!r} has to be zero or more dollars per million tokens, with at most three decimals.")
        found[kind] = int(nanos)
    return Rates(**found)


def _micros(nanos: int) -> int:
    return -(-nanos // 1000)


def dollars(micros: int, digits: int = 4) -> str:
    """An amount for a person: "$0.0312"."""
    return f"{'-' if micros < 0 else ''}${abs(micros) / 1e6:,.{digits}f}"
