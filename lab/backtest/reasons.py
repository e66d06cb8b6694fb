"""The fixed words for what becomes of a signal and for why a position was closed."""

from __future__ import annotations

from enum import StrEnum


class Direction(StrEnum):
    """The side of a signal or trade."""

    LONG = "long"
    SHORT = "short"


class SkipReason(StrEnum):
    """Why a signal did not become a trade. Listed in the order in which the engine asks."""

    NO_PRICE = "no price"
    """The signal's own bar has no usable prices (missing, not positive, or outside its own range)."""
    CONFLICTING = "conflicting"
    """The same bar says long and short; neither is taken."""
    AFTER_CUT_OFF = "after cut-off"
    """The signal's bar, or the bar that would fill it, starts at or after `flat_by`."""
    IN_POSITION = "in position"
    """The ticker is already held."""
    ORDER_PENDING = "order pending"
    """An earlier limit or stop entry of the ticker still waits."""
    COOLDOWN = "cooldown"
    """Too few bars since the ticker was left."""
    NO_STOP = "no stop"
    """The script gave no stop price (null, infinite or not positive) on the signal's bar."""
    NO_ENTRY_PRICE = "no entry price"
    """The script gave no limit or stop-entry price on the signal's bar."""
    NO_SIZE = "no size"
    """The script gave no size, or no price move to size by, on the signal's bar."""
    NO_SLOT = "no slot"
    """As many positions and waiting orders as the account allows."""
    NO_NEXT_BAR = "no next bar"
    """No bar followed (for strategies with `flat_by`: none in the same session)."""
    NO_FILL = "no fill"
    """The order expired, or its session or the data ended, before the price came."""
    STOP_BEYOND_ENTRY = "stop beyond entry"
    """The fill is at the stop or on its wrong side."""
    TARGET_BEYOND_ENTRY = "target beyond entry"
    """The fill is at the target or already past it."""
    NO_CASH = "no cash"
    """Exposure cap or buying power leave room for less than one share."""
    NO_VOLUME = "no volume"
    """The participation cap allows less than one share of the filling bar's volume."""
    TOO_SMALL = "too small"
    """The risk or the position cap pay for less than one share, or the position would be worth less than the account's least."""


class ExitReason(StrEnum):
    """Why a position, or a part of it, was closed."""

    STOP = "stop"
    TRAILING_STOP = "trailing stop"
    """The stop, after `trail` had drawn it."""
    BREAK_EVEN = "break even"
    """The stop, after `break_even` had drawn it to the fill's price."""
    TARGET = "target"
    EXIT_RULE = "exit rule"
    MAX_BARS = "max bars"
    FLAT_BY = "flat by"
    END_OF_DATA = "end of data"
