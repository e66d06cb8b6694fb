"""The bars the loop walks along, and the account's money on them: what it is worth, what it owes, how much it may buy."""

from libc.math cimport INFINITY, floor
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

from lab.backtest.book cimport *

import numpy as np

cdef double YEAR = 365.0
cdef int64_t FIRST = -9223372036854775807


cdef class Market:
    """The bars of all tickers as the loop reads them; what it holds stays alive with it."""

    def __init__(self, bars, atr=None, finer=None):
        self.open, self.high, self.low, self.close, self.volume = bars.open, bars.high, bars.low, bars.close, bars.volume
        if self.open.shape[0]:
            self.o, self.h, self.l, self.c = &self.open[0], &self.high[0], &self.low[0], &self.close[0]
        self.at, self.minute, self.ticker_ends = bars.at, bars.minute, bars.ticker_ends
        self.segment_starts, self.segment_session, self.borrow = bars.segment_starts, bars.segment_session, bars.borrow
        self.session_days, self.session_starts = bars.sessions, bars.session_starts
        self.has_atr = atr is not None
        if atr is not None:
            self.atr = atr
        self.has_finer = finer is not None
        if finer is not None:
            self.finer_open, self.finer_high, self.finer_low, self.finer_close = finer.open, finer.high, finer.low, finer.close
            self.finer_starts, self.finer_ends = finer.starts, finer.ends


cdef class Money:
    """What an account holds, and what its rules and the costs say of it."""

    def __cinit__(self, Market market, *args, **kwargs):
        self.tickers = market.ticker_ends.shape[0]
        self.books = <Book*> calloc(self.tickers + 1, sizeof(Book))
        self.live = <int*> calloc(self.tickers + 1, sizeof(int))
        self.marks = <Mark*> calloc(self.tickers + 1, sizeof(Mark))
        if not (self.books and self.live and self.marks):
            raise MemoryError

    def __dealloc__(self):
        free(self.books)
        free(self.live)
        free(self.marks)

    def __init__(self, Market market, plan, account, costs, signals):
        cdef int k
        self.m = market
        self.size_kind = ("risk", "move", "dollars").index(plan.size_kind)
        self.cut_off = -1 if plan.flat_by_minute is None else plan.flat_by_minute
        self.risk = plan.risk_percent
        self.targets = len(plan.fractions)
        for k in range(self.targets):
            self.fraction[k] = plan.fractions[k]
        self.last_takes_rest = sum(plan.fractions) >= 1 - ROUNDING
        self.cash = account.starting_equity
        self.marked_at = FIRST
        self.is_whole = account.whole_shares
        self.max_exposure, self.max_position, self.min_position = account.max_exposure, account.max_position, account.min_position
        self.buying_power = account.buying_power
        self.rate, self.per_share, self.slippage_atr = costs.rate, costs.commission_per_share, costs.slippage_atr
        self.cap = INFINITY if costs.participation_cap is None else costs.participation_cap
        self.borrow_rate = costs.borrow_bps_per_year / 10_000 / YEAR
        self.margin_rate = costs.margin_bps_per_year / 10_000 / YEAR
        if self.size_kind != BY_RISK:
            self.size = signals.size
        self.interest = np.zeros(self.m.session_starts.shape[0])
        self.cuts = np.full(self.m.segment_starts.shape[0], -1, dtype=np.int64)

    cdef double _worth(self, int64_t at, bint seen, double* gross) noexcept nogil:
        """Equity and gross exposure, positions marked at their last close: of bars up to `at` if `seen`, else of bars before it.

        Many signals and fills share a moment: every position is marked once for it, so that cost grows with bars, not with tickers squared.
        """
        cdef double equity = self.cash
        cdef int i
        if at != self.marked_at or seen != self.marked_seen:
            self.marked_at, self.marked_seen = at, seen
            for i in range(self.alive):
                self._mark(self.live[i])
        gross[0] = 0
        for i in range(self.alive):
            equity += self.marks[self.live[i]].value
            gross[0] += self.marks[self.live[i]].exposure
        return equity

    cdef void _mark(self, int ticker) noexcept nogil:
        """Note what the ticker's position is worth at the moment all others were marked for."""
        cdef Book* book = &self.books[ticker]
        cdef Mark* mark = &self.marks[ticker]
        cdef double price
        cdef int64_t last, at = self.marked_at
        mark.value, mark.exposure = 0, 0
        if book.state != HELD:
            return
        last = book.leave[book.exits - 1].row
        while book.cursor < last and (self.m.at[book.cursor + 1] <= at if self.marked_seen else self.m.at[book.cursor + 1] < at):
            book.cursor += 1
        if book.cursor < book.fill_row:
            price = -book.fill if book.is_short else book.fill
        else:
            price = self.m.close[book.cursor]
        mark.value = self._value(book, book.shares, max(book.cursor, book.fill_row), price)
        mark.exposure = book.shares * price

    cdef double _value(self, Book* book, double shares, int64_t row, double price) noexcept nogil:
        """What shares of a position are worth at a price: negative for shorts, the fee for borrowing them taken off."""
        if not book.is_short:
            return shares * price
        return -shares * price - shares * self._borrow_fee(book.fill_row, row)

    cdef double _borrow_fee(self, int64_t entry, int64_t row) noexcept nogil:
        """Dollars a borrowed share has cost from one row to another: each calendar night on that day's close."""
        return (self.m.borrow[self._segment_of(row)] - self.m.borrow[self._segment_of(entry)]) * self.borrow_rate

    cdef void _charge_interest(self, int64_t at, int kind) noexcept nogil:
        """For each night before this moment, interest on what the account owes."""
        cdef int64_t nights
        while self.session < self.m.session_starts.shape[0]:
            if at < self.m.session_starts[self.session] or (at == self.m.session_starts[self.session] and kind == OPENING):
                return
            if self.session and self.cash < 0:
                nights = self.m.session_days[self.session] - self.m.session_days[self.session - 1]
                self.interest[self.session] = -self.cash * nights * self.margin_rate
                self.cash -= self.interest[self.session]
            self.session += 1

    cdef double _unit_costs(self, double price, int64_t row) noexcept nogil:
        """Commission and slippage of a share that fills at a price, in dollars."""
        cdef double costs = price * self.rate + self.per_share
        if self.m.has_atr:
            costs += self.slippage_atr * self.m.atr[row - 1]
        return costs

    cdef double _rounded(self, double shares) noexcept nogil:
        if shares == INFINITY:
            return shares
        if not self.is_whole:
            return shares if shares >= SMALLEST_FRACTION else 0.0
        return floor(shares * (1 + ROUNDING)) if shares > 0 else 0.0

    # sizes

    cdef int _size(self, Book* book, double price, int64_t at) noexcept nogil:
        cdef double equity, gross = 0, own, room, volume, unit
        equity = self._worth(at, False, &gross)
        if book.equity <= 0 or equity <= 0:
            return NO_CASH
        unit = price + self._unit_costs(price, book.fill_row)
        if self.size_kind == BY_DOLLARS:
            own = self.size[book.signal] / price
        elif self.size_kind == BY_MOVE:
            own = book.equity * self.risk / 100 / self.size[book.signal]
        else:
            own = book.equity * self.risk / 100 / (book.fill - book.stop)
        own = min(own, self.max_position * book.equity / price)
        room = min((self.max_exposure * equity - gross) / price, (self.buying_power * equity - gross) / unit)
        volume = INFINITY if self.cap == INFINITY else self.cap * self.m.volume[book.fill_row]
        if self._rounded(own) <= 0:
            return TOO_SMALL
        if self._rounded(volume) <= 0:
            return NO_VOLUME
        if self._rounded(room) <= 0:
            return NO_CASH
        book.bought = self._rounded(min(own, min(room, volume)))
        if book.bought * price < self.min_position * book.equity:
            return TOO_SMALL
        return TRADED

    cdef void _share_out(self, Book* book) noexcept nogil:
        """How many shares leave at each target; the stop covers the rest."""
        cdef double left = book.bought
        cdef int k
        for k in range(self.targets):
            if k == self.targets - 1 and self.last_takes_rest:
                book.quantity[k] = left
            else:
                book.quantity[k] = min(self._rounded(book.bought * self.fraction[k]), left)
            left -= book.quantity[k]

    # bars

    cdef int64_t _segment_of(self, int64_t row) noexcept nogil:
        """The (ticker, session) segment of a row."""
        cdef int64_t low = 0, high = self.m.segment_starts.shape[0], middle
        while high - low > 1:
            middle = (low + high) // 2
            if self.m.segment_starts[middle] <= row:
                low = middle
            else:
                high = middle
        return low

    cdef int64_t _segment_end(self, int64_t segment) noexcept nogil:
        return self.m.segment_starts[segment + 1] if segment + 1 < self.m.segment_starts.shape[0] else self.m.at.shape[0]

    cdef int64_t _cut_off_row(self, int64_t segment) noexcept nogil:
        """The first row of a segment that starts at or after `flat_by`; the segment's end if none does."""
        cdef int64_t low = self.m.segment_starts[segment], high, middle
        if self.cuts[segment] < 0:
            high = self._segment_end(segment)
            # A session of minutes without gaps has it where it is to be expected.
            middle = low + self.cut_off - self.m.minute[low]
            if low < middle < high and self.m.minute[middle] >= self.cut_off and self.m.minute[middle - 1] < self.cut_off:
                low = high = middle
            while low < high:
                middle = (low + high) // 2
                if self.m.minute[middle] < self.cut_off:
                    low = middle + 1
                else:
                    high = middle
            self.cuts[segment] = low
        return self.cuts[segment]
