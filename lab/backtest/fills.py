"""When and at what price an order fills: the rules of entry and exit, written for longs (shorts come mirrored, see `bars.Side`).

Every price returned lies within [low, high] of its bar. Where the order of prices within a bar is unknown, the worse one is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

import numpy as np

from lab.backtest.bars import Bars, Side
from lab.backtest.plan import Plan
from lab.backtest.reasons import ExitReason, SkipReason

if TYPE_CHECKING:
    from lab.backtest.bars import Bools

_FIRST_CHUNK = 48
_LARGEST_CHUNK = 8192


class Moment(Enum):
    """The moment of a bar at which an entry or exit filled: what of the bar is known to lie after or before it."""

    OPEN = auto()
    AT_LIMIT = auto()
    AT_STOP = auto()
    CLOSE = auto()


class Release(Enum):
    """When an order's or position's slot and money come back to the account."""

    WITH_BAR = auto()
    """At the close of the bar in which it ended."""
    NEXT_SESSION = auto()
    """When a later session opens: the ticker printed no bar any more that day, which nobody knew before the day was over."""
    NEVER = auto()
    """At the end of the run: the ticker has no further bar."""


@dataclass(frozen=True, slots=True)
class Fill:
    """An order that meets its price. `price` is mirrored for shorts."""

    row: int
    price: float
    moment: Moment


@dataclass(frozen=True, slots=True)
class Lapse:
    """An order that never meets its price."""

    reason: SkipReason
    release: Release
    row: int
    """The bar with which the order ended; only of meaning for `Release.WITH_BAR`."""


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a position. `price` is mirrored for shorts."""

    row: int
    price: float
    reason: ExitReason
    moment: Moment
    release: Release


def find_entry(bars: Bars, side: Side, plan: Plan, signal_row: int) -> Fill | Lapse:
    """What becomes of the order of a signal, as far as prices decide it.

    At open: the next bar's open. Limit: the first bar that trades below the price, at the price or at a better open. Stop
    entry: the first bar that reaches the price, at the price or at a worse open. With `flat_by`, only bars of the signal's own
    session that start before it count.
    """
    ticker_end = int(bars.ticker_ends[bars.ticker[signal_row]])
    first = signal_row + 1
    stop_row = min(first + plan.expiry_bars, ticker_end)
    at_end = Release.NEVER
    if plan.flat_by_minute is not None:
        session_end = bars.segment_end(bars.segment_of(signal_row))
        cut_off = _cut_off_row(bars, first, session_end, plan.flat_by_minute)
        if first < session_end and cut_off == first:
            return Lapse(SkipReason.AFTER_CUT_OFF, Release.WITH_BAR, first)
        if cut_off < min(session_end, stop_row):
            return _search(side, plan, signal_row, first, cut_off) or Lapse(SkipReason.NO_FILL, Release.WITH_BAR, cut_off)
        if session_end < first + plan.expiry_bars:
            stop_row, at_end = session_end, Release.NEXT_SESSION
    if first >= stop_row:
        return Lapse(SkipReason.NO_NEXT_BAR, at_end, signal_row)
    found = _search(side, plan, signal_row, first, stop_row)
    if found is not None:
        return found
    expired = stop_row == first + plan.expiry_bars
    return Lapse(SkipReason.NO_FILL, Release.WITH_BAR if expired else at_end, stop_row - 1)


def _search(side: Side, plan: Plan, signal_row: int, first: int, end: int) -> Fill | None:
    """The first fill in rows first..end-1."""
    if side.entry is None:
        return Fill(first, float(side.open[first]), Moment.OPEN)
    price = float(side.entry[signal_row])
    is_limit = plan.entry_kind == "limit"
    chunk = _FIRST_CHUNK
    while first < end:
        until = min(first + chunk, end)
        hits: Bools = side.low[first:until] < price if is_limit else side.high[first:until] >= price
        at = int(hits.argmax())
        if hits[at]:
            row = first + at
            opening = float(side.open[row])
            if (opening < price) if is_limit else (opening >= price):
                return Fill(row, opening, Moment.OPEN)
            return Fill(row, price, Moment.AT_LIMIT if is_limit else Moment.AT_STOP)
        first, chunk = until, min(chunk * 4, _LARGEST_CHUNK)
    return None


def find_exit(bars: Bars, side: Side, plan: Plan, fill: Fill, stop: float, target: float) -> Exit:
    """How a position that was filled at `fill` ends. `target` is infinite for none.

    Known before a bar and so done at its open: the exit rule (true at the close before), `max_bars`, `flat_by`. A stop or
    target that the open has passed fills at the open. Else the stop comes before the target. If the session (with `flat_by`)
    or the data ends first, the last bar's close is taken.
    """
    entry = fill.row
    last, end_reason, release = int(bars.ticker_ends[bars.ticker[entry]]) - 1, ExitReason.END_OF_DATA, Release.NEVER
    scheduled, reason = last + 1, ExitReason.END_OF_DATA
    if plan.flat_by_minute is not None:
        session_end = bars.segment_end(bars.segment_of(entry))
        if session_end - 1 < last:
            last, end_reason = session_end - 1, ExitReason.FLAT_BY
        release = Release.NEXT_SESSION
        scheduled, reason = _cut_off_row(bars, entry + 1, session_end, plan.flat_by_minute), ExitReason.FLAT_BY
    if plan.max_bars is not None and entry + plan.max_bars <= min(scheduled, last):
        scheduled, reason = entry + plan.max_bars, ExitReason.MAX_BARS
    if len(side.exit_rows):
        at = int(np.searchsorted(side.exit_rows, entry))
        if at < len(side.exit_rows) and int(side.exit_rows[at]) + 1 <= min(scheduled, last):
            scheduled, reason = int(side.exit_rows[at]) + 1, ExitReason.EXIT_RULE
    hit = _entry_bar_exit(side, fill, stop, target) if fill.moment is not Moment.OPEN else None
    hit = hit or _stop_or_target(side, entry + (fill.moment is not Moment.OPEN), min(scheduled, last + 1), stop, target)
    if hit is not None:
        return hit
    if scheduled <= last:
        return Exit(scheduled, float(side.open[scheduled]), reason, Moment.OPEN, Release.WITH_BAR)
    return Exit(last, float(side.close[last]), end_reason, Moment.CLOSE, release)


def _cut_off_row(bars: Bars, first: int, session_end: int, flat_by_minute: int) -> int:
    """The first row of first..session_end-1 that starts at or after the minute; `session_end` if none does."""
    return first + int(np.searchsorted(bars.minute[first:session_end], flat_by_minute))


def _entry_bar_exit(side: Side, fill: Fill, stop: float, target: float) -> Exit | None:
    """The rest of a bar in whose middle the entry filled.

    A limit was met on the way down: the target counts only if the close lies beyond it, for the high may have come before. A
    stop entry was met on the way up: the high came after, the low may have, and is taken as if it had.
    """
    row = fill.row
    if side.low[row] <= stop:
        return Exit(row, stop, ExitReason.STOP, Moment.AT_STOP, Release.WITH_BAR)
    reached = side.close[row] if fill.moment is Moment.AT_LIMIT else side.high[row]
    if reached > target:
        return Exit(row, target, ExitReason.TARGET, Moment.AT_LIMIT, Release.WITH_BAR)
    return None


def _stop_or_target(side: Side, first: int, end: int, stop: float, target: float) -> Exit | None:
    """The first bar of first..end-1 that reaches the stop or trades through the target."""
    chunk = _FIRST_CHUNK
    while first < end:
        until = min(first + chunk, end)
        hits: Bools = side.low[first:until] <= stop
        if target < np.inf:
            hits |= side.high[first:until] > target
        at = int(hits.argmax())
        if hits[at]:
            row = first + at
            opening = float(side.open[row])
            if opening <= stop:
                return Exit(row, opening, ExitReason.STOP, Moment.OPEN, Release.WITH_BAR)
            if opening > target:
                return Exit(row, opening, ExitReason.TARGET, Moment.OPEN, Release.WITH_BAR)
            if side.low[row] <= stop:
                return Exit(row, stop, ExitReason.STOP, Moment.AT_STOP, Release.WITH_BAR)
            return Exit(row, target, ExitReason.TARGET, Moment.AT_LIMIT, Release.WITH_BAR)
        first, chunk = until, min(chunk * 4, _LARGEST_CHUNK)
    return None
