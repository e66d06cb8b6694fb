"""How a position lives and ends, bar by bar: its stop, its targets and its other exits."""

from libc.math cimport INFINITY, isfinite
from libc.stdint cimport int64_t

from lab.backtest.book cimport *
from lab.backtest.money cimport Market, Money

import numpy as np


cdef class Positions(Money):
    """The exits of an account's positions."""

    def __init__(self, Market market, plan, account, costs, signals):
        super().__init__(market, plan, account, costs, signals)
        self.max_bars = -1 if plan.max_bars is None else plan.max_bars
        self.break_even = INFINITY if plan.break_even_r is None else plan.break_even_r
        self.has_exit, self.has_trail = plan.has_exit, plan.has_trail
        if self.has_exit:
            self.long_exit, self.short_exit = signals.long_exit, signals.short_exit
        if self.has_trail:
            self.long_trail, self.short_trail = signals.long_trail, signals.short_trail
        self.signal_segment = np.empty(len(signals.row), dtype=np.int64)

    cdef void _live_through(self, int ticker, Book* book) noexcept nogil:
        """How a position ends, found out bar by bar. It takes effect only when the time of each exit comes."""
        cdef double sign = -1.0 if book.is_short else 1.0
        cdef double o, h, l, c, level = book.stop, risk = book.fill - book.stop, left = book.bought, trail
        cdef int64_t entry = book.fill_row, row = entry, last, cut, due, segment
        cdef int end_reason = BY_END_OF_DATA, release = NEVER, set_by = BY_STOP, moment, reason, k, settled
        cdef bint first, is_due = False, reached, doubtful
        cdef const unsigned char* leaves = NULL
        cdef const double* trails = NULL
        cdef const double* opens = self.m.o
        cdef const double* highs = self.m.h
        cdef const double* lows = self.m.l
        cdef const double* closes = self.m.c
        cdef double nearest, worst, best
        cdef int64_t quiet
        cdef bint is_still = not self.has_exit and not self.has_trail and self.break_even == INFINITY
        if self.has_exit:
            leaves = &self.short_exit[0] if book.is_short else &self.long_exit[0]
        if self.has_trail:
            trails = &self.short_trail[0] if book.is_short else &self.long_trail[0]
        last = self.m.ticker_ends[ticker] - 1
        cut = last + 1
        if self.cut_off >= 0:
            segment = self.signal_segment[book.signal]
            if entry >= self._segment_end(segment):
                segment = self._segment_of(entry)
            cut = self._segment_end(segment)
            if cut - 1 < last:
                last, end_reason = cut - 1, BY_FLAT_BY
            release = NEXT_SESSION
            cut = max(entry + 1, self._cut_off_row(segment))
        due = min(last, cut if self.max_bars < 0 else min(cut, entry + self.max_bars))
        # While prices are looked at, what the account will ask of these bars comes closer.
        for k in range(1, 4):
            if entry + 8 * k <= due:
                lab_prefetch(&self.m.at[entry + 8 * k])
                lab_prefetch(&closes[entry + 8 * k])
        book.exits = book.hung = 0
        book.bars_held = 0
        book.worst = book.best = book.fill
        while True:
            first = row == entry
            moment = book.moment if first else MOMENT_OPEN
            if is_still and not first:
                # Most bars reach neither stop nor target, and nothing else looks at them: they are passed in one go.
                nearest, worst, best, quiet = INFINITY, book.worst, book.best, row
                for k in range(self.targets):
                    if book.quantity[k] > 0:
                        nearest = min(nearest, book.target[k])
                if book.is_short:
                    while row < due and -highs[row] > level and -lows[row] <= nearest:
                        worst, best = min(worst, -highs[row]), max(best, -lows[row])
                        row += 1
                else:
                    while row < due and lows[row] > level and highs[row] <= nearest:
                        worst, best = min(worst, lows[row]), max(best, highs[row])
                        row += 1
                book.worst, book.best = worst, best
                book.bars_held += row - quiet
            if book.is_short:
                o, h, l, c = -opens[row], -lows[row], -highs[row], -closes[row]
            else:
                o, h, l, c = opens[row], highs[row], lows[row], closes[row]
            if not first:
                reason = -1
                if is_due:
                    reason = BY_RULE
                elif self.max_bars >= 0 and row - entry >= self.max_bars:
                    reason = BY_MAX_BARS
                elif row >= cut:
                    reason = BY_FLAT_BY
                elif o <= level:
                    reason = set_by
                if reason >= 0:
                    self._leave(book, &left, left, row, o, reason, WITH_BAR)
                    break
                for k in range(self.targets):
                    if o > book.target[k]:
                        self._take_target(book, &left, k, row, o)
                if left <= 0:
                    break
            reached = False
            for k in range(self.targets):
                reached |= book.quantity[k] > 0 and h > book.target[k]
            settled = 0
            if l <= level:
                doubtful = reached or moment == MOMENT_STOP
                if doubtful:
                    settled = self._settle(book, &left, row, moment, l, h, level, set_by)
                if not settled:
                    book.hung |= doubtful
                    see(book, o if not first else level)
                    self._leave(book, &left, left, row, level, set_by, WITH_BAR)
                    book.bars_held += 1
                    break
            elif reached:
                doubtful = False
                if moment == MOMENT_LIMIT:
                    for k in range(self.targets):
                        doubtful |= book.quantity[k] > 0 and h > book.target[k] and c <= book.target[k]
                if doubtful:
                    settled = self._settle(book, &left, row, moment, l, h, level, set_by)
                if not settled:
                    book.hung |= doubtful
                    for k in range(self.targets):
                        if (c if moment == MOMENT_LIMIT else h) > book.target[k]:
                            self._take_target(book, &left, k, row, book.target[k])
            if left <= 0:
                if not first:
                    see(book, o)
                book.bars_held += 1
                break
            # Held to the close. Of the entry bar counts what is known to lie after the fill.
            see(book, c)
            if moment != MOMENT_STOP:
                see(book, l)
            if moment != MOMENT_LIMIT:
                see(book, h)
            book.bars_held += 1
            if row == last:
                self._leave(book, &left, left, row, c, end_reason, release)
                break
            # What this close moves counts from the next bar on.
            if self.break_even != INFINITY and book.fill > level and book.best >= book.fill + self.break_even * risk:
                level, set_by = book.fill, BY_BREAK_EVEN
            if trails != NULL:
                trail = trails[row]
                if isfinite(trail) and trail > 0 and book.best - trail > level:
                    level, set_by = book.best - trail, BY_TRAIL
            is_due = leaves != NULL and leaves[row] != 0
            row += 1

    cdef void _take_target(self, Book* book, double* left, int k, int64_t row, double price) noexcept nogil:
        if book.quantity[k] > 0:
            self._leave(book, left, book.quantity[k], row, price, BY_TARGET, WITH_BAR)
            book.quantity[k] = 0

    cdef void _leave(self, Book* book, double* left, double shares, int64_t row, double price, int reason, int release) noexcept nogil:
        cdef Leave* leave = &book.leave[book.exits]
        if left[0] - shares <= ROUNDING * book.bought:
            shares = left[0]
        left[0] -= shares
        leave.row, leave.price, leave.shares, leave.reason, leave.release = row, price, shares, reason, release
        leave.costs = shares * self._unit_costs(-price if book.is_short else price, row)
        book.exits += 1
        see(book, price)

    cdef bint _settle(
        self, Book* book, double* left, int64_t row, int moment, double low, double high, double level, int set_by
    ) noexcept nogil:
        """Let finer bars decide what came first within a bar. False, and nothing done, where they don't tell."""
        cdef int64_t i, begin, end
        cdef double o, h, l, c, least = INFINITY, most = -INFINITY
        cdef int k, within
        cdef bint reached
        if not self.m.has_finer:
            return False
        begin, end = self.m.finer_starts[row], self.m.finer_ends[row]
        for i in range(begin, end):
            least = min(least, -self.m.finer_high[i] if book.is_short else self.m.finer_low[i])
            most = max(most, -self.m.finer_low[i] if book.is_short else self.m.finer_high[i])
        if least > low or most < high:
            return False  # part of the bar is missing
        if moment == MOMENT_LIMIT:
            while begin < end and (-self.m.finer_high[begin] if book.is_short else self.m.finer_low[begin]) >= book.fill:
                begin += 1
        elif moment == MOMENT_STOP:
            while begin < end and (-self.m.finer_low[begin] if book.is_short else self.m.finer_high[begin]) < book.fill:
                begin += 1
        if begin == end:
            return False
        for i in range(begin, end):
            if book.is_short:
                o, h, l, c = -self.m.finer_open[i], -self.m.finer_low[i], -self.m.finer_high[i], -self.m.finer_close[i]
            else:
                o, h, l, c = self.m.finer_open[i], self.m.finer_high[i], self.m.finer_low[i], self.m.finer_close[i]
            within = MOMENT_OPEN
            if i == begin and moment == MOMENT_LIMIT and o >= book.fill or i == begin and moment == MOMENT_STOP and o < book.fill:
                within = moment
            elif i > begin or moment == MOMENT_OPEN:
                o = min(max(o, low), high)
                if o <= level:
                    self._leave(book, left, left[0], row, o, set_by, WITH_BAR)
                    return True
                for k in range(self.targets):
                    if o > book.target[k]:
                        self._take_target(book, left, k, row, o)
                if left[0] <= 0:
                    return True
            reached = False
            for k in range(self.targets):
                reached |= book.quantity[k] > 0 and h > book.target[k]
            if l <= level:
                book.hung |= reached or within == MOMENT_STOP
                self._leave(book, left, left[0], row, level, set_by, WITH_BAR)
                return True
            for k in range(self.targets):
                if h > book.target[k] and book.quantity[k] > 0:
                    if within == MOMENT_LIMIT and c <= book.target[k]:
                        book.hung = True
                    else:
                        self._take_target(book, left, k, row, book.target[k])
            if left[0] <= 0:
                return True
        return True
