"""The account meeting every signal, fill and exit of all tickers in order of time, by the rules that `engine.py` states."""

from libc.math cimport INFINITY, floor, isfinite
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

import numpy as np

VERSION = "2"

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define lab_prefetch(place) __builtin_prefetch(place)
    #else
    #define lab_prefetch(place) ((void) 0)
    #endif
    """
    void lab_prefetch(const void* place) noexcept nogil

# What a plan's entry is.
cdef enum:
    AT_OPEN, LIMIT, STOP_ENTRY

# The moment of a bar at which something filled: what of the bar is known to lie after or before it.
cdef enum:
    MOMENT_OPEN, MOMENT_LIMIT, MOMENT_STOP

# When an order's or a position's slot and money come back: at the close of the bar in which it ended, when a later session
# opens (the ticker printed no bar any more that day, which nobody knew before the day was over), or at the end of the run.
cdef enum:
    WITH_BAR, NEXT_SESSION, NEVER

# In the order in which they happen at one timestamp.
cdef enum:
    OPENING, FILLING, CLOSING, MEETING

cdef enum:
    IDLE, WAITING, LAPSED, HELD

# What a position size is measured by.
cdef enum:
    BY_RISK, BY_MOVE, BY_DOLLARS

# Places in `lab.backtest.reasons.SkipReason`; 0 is a signal that was traded.
cdef enum:
    TRADED, NO_PRICE, CONFLICTING, AFTER_CUT_OFF, IN_POSITION, ORDER_PENDING, COOLDOWN, NO_STOP, NO_ENTRY_PRICE, NO_SIZE
    NO_SLOT, NO_NEXT_BAR, NO_FILL, STOP_BEYOND_ENTRY, TARGET_BEYOND_ENTRY, NO_CASH, NO_VOLUME, TOO_SMALL

# Places in `lab.backtest.reasons.ExitReason`.
cdef enum:
    BY_STOP, BY_TRAIL, BY_BREAK_EVEN, BY_TARGET, BY_RULE, BY_MAX_BARS, BY_FLAT_BY, BY_END_OF_DATA

cdef enum:
    TARGETS = 3
    EXITS = 4

# Of a share; less is what rounding leaves of an account that is full.
cdef double SMALLEST_FRACTION = 1e-6
# Relative slack when rounding shares, so that 99.9999999999 from binary fractions is 100.
cdef double ROUNDING = 1e-9
cdef double YEAR = 365.0
cdef int64_t LAST = 9223372036854775807


cdef struct Event:
    int64_t at
    int kind
    int64_t signal_at
    double behind        # minus the score: a higher score comes first
    int ticker


cdef struct Leave:
    int64_t row
    double price         # mirrored for shorts
    double shares
    double costs
    int reason
    int release


cdef struct Book:
    int state
    int is_short
    int moment
    int hung
    int exits
    int next_exit
    int reason           # of the order that lapsed
    int64_t signal       # place among the signals
    int64_t signal_row
    int64_t fill_row
    int64_t cursor       # last row whose close was seen
    int64_t cooled       # first row that may signal again
    int64_t bars_held
    double fill          # mirrored for shorts, as stop and targets
    double stop
    double equity        # marked to market at the signal's close
    double shares        # in the books now
    double bought
    double entry_costs
    double worst
    double best
    double target[TARGETS]
    double quantity[TARGETS]
    Leave leave[EXITS]


cdef class Market:
    """The bars of all tickers as the loop reads them; what it holds stays alive with it."""

    cdef const double[::1] open, high, low, close, volume, borrow, atr
    cdef const int64_t[::1] at, ticker_ends, segment_starts, segment_session, session_days, session_starts
    cdef const short[::1] minute
    cdef const double[::1] finer_open, finer_high, finer_low, finer_close
    cdef const int64_t[::1] finer_starts, finer_ends
    cdef bint has_finer, has_atr
    # Where the columns begin: what is read at every bar of a position.
    cdef const double* o
    cdef const double* h
    cdef const double* l
    cdef const double* c

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


cdef class Loop:
    """One run of one plan on one account."""

    cdef Market m
    # plan
    cdef int entry_kind, size_kind, targets, is_whole
    cdef int64_t expiry, max_bars, cut_off, cooldown
    cdef double break_even, risk, fraction[TARGETS]
    cdef bint last_takes_rest
    # account and costs
    cdef double start, max_exposure, max_position, buying_power, min_position
    cdef double rate, per_share, slippage_atr, cap, borrow_rate, margin_rate
    cdef int max_positions
    # signals
    cdef const int64_t[::1] row, ends
    cdef const unsigned char[::1] is_short, conflicting
    cdef const double[::1] score, stop, entry, size
    cdef const double[:, ::1] target
    cdef const unsigned char[::1] long_exit, short_exit
    cdef const double[::1] long_trail, short_trail
    cdef bint has_exit, has_trail
    # state
    cdef double cash
    cdef Book* books
    cdef Event* heap
    cdef int* live
    cdef int64_t* place
    cdef int64_t[::1] signal_at, signal_segment, cuts
    cdef int events, alive, tickers
    cdef int64_t session, trades, fills
    # out
    cdef unsigned char[::1] skip
    cdef double[::1] interest
    cdef int64_t[:, ::1] trade_rows
    cdef double[:, ::1] trade_values
    cdef int64_t[:, ::1] fill_rows
    cdef double[:, ::1] fill_values

    def __cinit__(self, Market market, *args, **kwargs):
        self.tickers = market.ticker_ends.shape[0]
        self.books = <Book*> calloc(self.tickers + 1, sizeof(Book))
        self.heap = <Event*> calloc(self.tickers + 1, sizeof(Event))
        self.live = <int*> calloc(self.tickers + 1, sizeof(int))
        self.place = <int64_t*> calloc(self.tickers + 1, sizeof(int64_t))
        if not (self.books and self.heap and self.live and self.place):
            raise MemoryError

    def __dealloc__(self):
        free(self.books)
        free(self.heap)
        free(self.live)
        free(self.place)

    def __init__(self, Market market, plan, account, costs, signals):
        cdef int k
        self.m = market
        self.entry_kind = ("at_open", "limit", "stop_entry").index(plan.entry_kind)
        self.size_kind = ("risk", "move", "dollars").index(plan.size_kind)
        self.expiry = plan.expiry_bars
        self.max_bars = -1 if plan.max_bars is None else plan.max_bars
        self.cut_off = -1 if plan.flat_by_minute is None else plan.flat_by_minute
        self.cooldown = plan.cooldown_bars
        self.break_even = INFINITY if plan.break_even_r is None else plan.break_even_r
        self.risk = plan.risk_percent
        self.targets = len(plan.fractions)
        for k in range(self.targets):
            self.fraction[k] = plan.fractions[k]
        self.last_takes_rest = sum(plan.fractions) >= 1 - ROUNDING
        self.start = self.cash = account.starting_equity
        self.max_positions, self.is_whole = account.max_positions, account.whole_shares
        self.max_exposure, self.max_position, self.min_position = account.max_exposure, account.max_position, account.min_position
        self.buying_power = account.buying_power
        self.rate, self.per_share, self.slippage_atr = costs.rate, costs.commission_per_share, costs.slippage_atr
        self.cap = INFINITY if costs.participation_cap is None else costs.participation_cap
        self.borrow_rate = costs.borrow_bps_per_year / 10_000 / YEAR
        self.margin_rate = costs.margin_bps_per_year / 10_000 / YEAR
        self.row, self.ends, self.is_short, self.conflicting = signals.row, signals.ends, signals.is_short, signals.conflicting
        self.score, self.stop, self.target = signals.score, signals.stop, signals.target
        if self.entry_kind != AT_OPEN:
            self.entry = signals.entry
        if self.size_kind != BY_RISK:
            self.size = signals.size
        self.has_exit, self.has_trail = plan.has_exit, plan.has_trail
        if self.has_exit:
            self.long_exit, self.short_exit = signals.long_exit, signals.short_exit
        if self.has_trail:
            self.long_trail, self.short_trail = signals.long_trail, signals.short_trail
        count = self.row.shape[0]
        self.skip = np.zeros(count, dtype=np.uint8)
        self.interest = np.zeros(self.m.session_starts.shape[0])
        self.trade_rows = np.empty((9, count), dtype=np.int64)
        self.trade_values = np.empty((9, count))
        self.signal_at = np.empty(count, dtype=np.int64)
        self.signal_segment = np.empty(count, dtype=np.int64)
        self.cuts = np.full(self.m.segment_starts.shape[0], -1, dtype=np.int64)
        exits = self.targets + 2
        self.fill_rows = np.empty((3, count * exits), dtype=np.int64)
        self.fill_values = np.empty((3, count * exits))

    def run(self):
        with nogil:
            self._run()
        trades, fills = self.trades, self.fills
        return (
            np.asarray(self.skip),
            np.asarray(self.interest),
            np.asarray(self.trade_rows)[:, :trades],
            np.asarray(self.trade_values)[:, :trades],
            np.asarray(self.fill_rows)[:, :fills],
            np.asarray(self.fill_values)[:, :fills],
        )

    cdef void _run(self) noexcept nogil:
        cdef int ticker
        cdef int64_t signal, segment = 0
        cdef Event event
        # Signals and sessions are both in order of rows: one walk finds where each signal stands.
        for signal in range(self.row.shape[0]):
            self.signal_at[signal] = self.m.at[self.row[signal]]
            while self._segment_end(segment) <= self.row[signal]:
                segment += 1
            self.signal_segment[signal] = segment
        for ticker in range(self.tickers):
            self.place[ticker] = self.ends[ticker - 1] if ticker else 0
            self._look_on(ticker)
        while self.events:
            event = self.heap[0]
            self._charge_interest(event.at, event.kind)
            self._pop()
            if event.kind == MEETING:
                self._meet(event.ticker, event.at)
            elif event.kind == FILLING:
                self._fill(event.ticker, event.at)
            else:
                self._end(event.ticker)
        self._charge_interest(LAST, OPENING)

    # signals

    cdef bint _blocked(self, int64_t signal) noexcept nogil:
        """Whether a signal is out of the question whatever the account holds; its reason is noted."""
        if self.conflicting[signal]:
            self.skip[signal] = CONFLICTING
            return True
        if self.cut_off >= 0 and self.m.minute[self.row[signal]] >= self.cut_off:
            self.skip[signal] = AFTER_CUT_OFF
            return True
        return False

    cdef void _pass_over(self, int ticker, int64_t until, int reason) noexcept nogil:
        """The ticker's signals before a row come to nothing."""
        cdef int64_t signal = self.place[ticker]
        while signal < self.ends[ticker] and self.row[signal] < until:
            if not self._blocked(signal):
                self.skip[signal] = reason
            signal += 1
        self.place[ticker] = signal

    cdef void _look_on(self, int ticker) noexcept nogil:
        """Wait for the ticker's next signal that the account has to decide on."""
        cdef int64_t signal = self.place[ticker], row
        while signal < self.ends[ticker]:
            row = self.row[signal]
            if not self._blocked(signal):
                if row < self.books[ticker].cooled:
                    self.skip[signal] = COOLDOWN
                elif not (isfinite(self.stop[signal]) and self.stop[signal] > 0):
                    self.skip[signal] = NO_STOP
                elif self.entry_kind != AT_OPEN and not (isfinite(self.entry[signal]) and self.entry[signal] > 0):
                    self.skip[signal] = NO_ENTRY_PRICE
                elif self.size_kind != BY_RISK and not (isfinite(self.size[signal]) and self.size[signal] > 0):
                    self.skip[signal] = NO_SIZE
                else:
                    self._push(self.signal_at[signal], MEETING, self.signal_at[signal], -self.score[signal], ticker)
                    if row + 1 < self.m.at.shape[0]:
                        # By the time the signal's turn comes, the bar that may fill it is at hand.
                        lab_prefetch(&self.m.o[row + 1])
                        lab_prefetch(&self.m.h[row + 1])
                        lab_prefetch(&self.m.l[row + 1])
                        lab_prefetch(&self.m.c[row + 1])
                        lab_prefetch(&self.m.at[row + 1])
                    break
            signal += 1
        self.place[ticker] = signal

    cdef void _meet(self, int ticker, int64_t at) noexcept nogil:
        cdef int64_t signal = self.place[ticker]
        cdef Book* book = &self.books[ticker]
        cdef double gross, sign
        cdef int k
        self.place[ticker] = signal + 1
        if self.alive >= self.max_positions:
            self.skip[signal] = NO_SLOT
            self._look_on(ticker)
            return
        sign = -1.0 if self.is_short[signal] else 1.0
        book.signal, book.signal_row, book.is_short = signal, self.row[signal], self.is_short[signal]
        book.stop = sign * self.stop[signal]
        for k in range(self.targets):
            book.target[k] = sign * self.target[k, signal]
        book.equity = self._worth(at, True, &gross)
        self.live[self.alive] = ticker
        self.alive += 1
        self._find_entry(ticker, book, sign)

    # entries

    cdef void _find_entry(self, int ticker, Book* book, double sign) noexcept nogil:
        """What becomes of the order of a signal, as far as prices decide it. It takes effect only when its time comes."""
        cdef int64_t ticker_end = self.m.ticker_ends[ticker]
        cdef int64_t first = book.signal_row + 1
        cdef int64_t until = min(first + self.expiry, ticker_end), segment, session_end, cut
        cdef int at_end = NEVER
        if self.cut_off >= 0:
            segment = self.signal_segment[book.signal]
            session_end = self._segment_end(segment)
            cut = max(first, self._cut_off_row(segment))
            if first < session_end and cut == first:
                self._lapse(ticker, book, AFTER_CUT_OFF, WITH_BAR, first)
                return
            if cut < min(session_end, until):
                if not self._search(ticker, book, sign, first, cut):
                    self._lapse(ticker, book, NO_FILL, WITH_BAR, cut)
                return
            if session_end < first + self.expiry:
                until, at_end = session_end, NEXT_SESSION
        if first >= until:
            self._lapse(ticker, book, NO_NEXT_BAR, at_end, book.signal_row)
        elif not self._search(ticker, book, sign, first, until):
            self._lapse(ticker, book, NO_FILL, WITH_BAR if until == first + self.expiry else at_end, until - 1)

    cdef bint _search(self, int ticker, Book* book, double sign, int64_t first, int64_t until) noexcept nogil:
        """The first bar of first..until-1 that meets the order's price."""
        cdef int64_t row = first
        cdef double price, opening
        cdef const double* highs = self.m.h
        cdef const double* lows = self.m.l
        book.moment = MOMENT_OPEN
        if self.entry_kind == AT_OPEN:
            book.fill = sign * self.m.open[row]
        else:
            price = sign * self.entry[book.signal]
            while row < until:
                if self.entry_kind == LIMIT:
                    if (lows[row] if sign > 0 else -highs[row]) < price:
                        break
                elif (highs[row] if sign > 0 else -lows[row]) >= price:
                    break
                row += 1
            if row == until:
                return False
            opening = sign * self.m.open[row]
            if (opening < price) if self.entry_kind == LIMIT else (opening >= price):
                book.fill = opening
            else:
                book.fill = price
                book.moment = MOMENT_LIMIT if self.entry_kind == LIMIT else MOMENT_STOP
        book.state, book.fill_row = WAITING, row
        self._pass_over(ticker, row, ORDER_PENDING)
        self._push(self.m.at[row], FILLING, self.signal_at[book.signal], -self.score[book.signal], ticker)
        return True

    cdef void _lapse(self, int ticker, Book* book, int reason, int release, int64_t row) noexcept nogil:
        book.state = LAPSED
        self.skip[book.signal] = reason
        self._release(ticker, book, release, row, book.signal_row, ORDER_PENDING)

    cdef void _release(self, int ticker, Book* book, int release, int64_t row, int64_t known_row, int reason) noexcept nogil:
        """Plan when the ticker is free again: its signals until then come to nothing, for `reason` unless that is 0."""
        cdef int64_t until = row, at, later
        cdef int kind = CLOSING
        if release == WITH_BAR:
            at = self.m.at[row]
        else:
            later = self.m.segment_session[self._segment_of(known_row)] + 1
            if release == NEVER or later >= self.m.session_starts.shape[0]:
                if reason:
                    self._pass_over(ticker, self.m.ticker_ends[ticker], reason)
                return
            until = self._segment_end(self._segment_of(known_row))
            at, kind = self.m.session_starts[later], OPENING
        if reason:
            self._pass_over(ticker, until, reason)
        self._push(at, kind, self.signal_at[book.signal], -self.score[book.signal], ticker)

    cdef void _fill(self, int ticker, int64_t at) noexcept nogil:
        cdef Book* book = &self.books[ticker]
        cdef int reason = TRADED, k
        cdef double price = -book.fill if book.is_short else book.fill
        if book.stop >= book.fill:
            reason = STOP_BEYOND_ENTRY
        for k in range(self.targets):
            if not isfinite(book.target[k]):
                book.target[k] = INFINITY
            elif reason == TRADED and book.target[k] <= book.fill:
                reason = TARGET_BEYOND_ENTRY
        if reason == TRADED:
            reason = self._size(book, price, at)
        if reason != TRADED:
            self.skip[book.signal] = reason
            self._free(ticker)
            return
        book.state = HELD
        book.shares = book.bought
        book.entry_costs = book.bought * self._unit_costs(price, book.fill_row)
        self.cash -= book.bought * book.fill + book.entry_costs
        book.cursor = book.fill_row - 1
        self._share_out(book)
        self._live_through(ticker, book)
        self._note(ticker, book)
        book.next_exit = 0
        self._plan_exit(ticker, book, True)

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

    cdef double _rounded(self, double shares) noexcept nogil:
        if shares == INFINITY:
            return shares
        if not self.is_whole:
            return shares if shares >= SMALLEST_FRACTION else 0.0
        return floor(shares * (1 + ROUNDING)) if shares > 0 else 0.0

    cdef double _unit_costs(self, double price, int64_t row) noexcept nogil:
        """Commission and slippage of a share that fills at a price, in dollars."""
        cdef double costs = price * self.rate + self.per_share
        if self.m.has_atr:
            costs += self.slippage_atr * self.m.atr[row - 1]
        return costs

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

    # positions

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
                    self._see(book, o if not first else level)
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
                    self._see(book, o)
                book.bars_held += 1
                break
            # Held to the close. Of the entry bar counts what is known to lie after the fill.
            self._see(book, c)
            if moment != MOMENT_STOP:
                self._see(book, l)
            if moment != MOMENT_LIMIT:
                self._see(book, h)
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

    cdef inline void _see(self, Book* book, double price) noexcept nogil:
        book.worst = min(book.worst, price)
        book.best = max(book.best, price)

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
        self._see(book, price)

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

    cdef void _plan_exit(self, int ticker, Book* book, bint is_new) noexcept nogil:
        """Wait for the next exit; on entry, the signals until the last one come to nothing."""
        cdef Leave* last = &book.leave[book.exits - 1]
        cdef Leave* leave = &book.leave[book.next_exit]
        cdef int64_t until
        if is_new:
            if last.release == WITH_BAR:
                until = last.row
            elif last.release == NEVER or self.m.segment_session[self._segment_of(last.row)] + 1 >= self.m.session_starts.shape[0]:
                until = self.m.ticker_ends[ticker]
            else:
                until = self._segment_end(self._segment_of(last.row))
            self._pass_over(ticker, until, IN_POSITION)
        self._release(ticker, book, leave.release, leave.row, leave.row, 0)

    cdef void _end(self, int ticker) noexcept nogil:
        """A lapsed order's or an ended position's slot comes back, and with every exit its money."""
        cdef Book* book = &self.books[ticker]
        cdef Leave* leave
        cdef int64_t row
        cdef int release
        if book.state == HELD:
            row, release = book.leave[book.next_exit].row, book.leave[book.next_exit].release
            while book.next_exit < book.exits:
                leave = &book.leave[book.next_exit]
                if leave.row != row or leave.release != release:
                    break
                self.cash += self._value(book, leave.shares, leave.row, -leave.price if book.is_short else leave.price) - leave.costs
                book.shares -= leave.shares
                book.next_exit += 1
            if book.next_exit < book.exits:
                self._plan_exit(ticker, book, False)
                return
            book.cooled = row + self.cooldown
        self._free(ticker)

    cdef void _free(self, int ticker) noexcept nogil:
        cdef int i, kept = 0
        self.books[ticker].state = IDLE
        for i in range(self.alive):
            if self.live[i] != ticker:
                self.live[kept] = self.live[i]
                kept += 1
        self.alive = kept
        self._look_on(ticker)

    # money

    cdef double _worth(self, int64_t at, bint seen, double* gross) noexcept nogil:
        """Equity and gross exposure, positions marked at their last close: of bars up to `at` if `seen`, else of bars before it."""
        cdef double equity = self.cash, price
        cdef Book* book
        cdef int i
        cdef int64_t last
        gross[0] = 0
        for i in range(self.alive):
            book = &self.books[self.live[i]]
            if book.state != HELD:
                continue
            last = book.leave[book.exits - 1].row
            while book.cursor < last and (self.m.at[book.cursor + 1] <= at if seen else self.m.at[book.cursor + 1] < at):
                book.cursor += 1
            if book.cursor < book.fill_row:
                price = -book.fill if book.is_short else book.fill
            else:
                price = self.m.close[book.cursor]
            equity += self._value(book, book.shares, max(book.cursor, book.fill_row), price)
            gross[0] += book.shares * price
        return equity

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
            while low < high:
                middle = (low + high) // 2
                if self.m.minute[middle] < self.cut_off:
                    low = middle + 1
                else:
                    high = middle
            self.cuts[segment] = low
        return self.cuts[segment]

    # events

    cdef void _push(self, int64_t at, int kind, int64_t signal_at, double behind, int ticker) noexcept nogil:
        cdef int place = self.events, parent
        cdef Event event = Event(at, kind, signal_at, behind, ticker)
        self.events += 1
        while place > 0:
            parent = (place - 1) >> 1
            if not is_before(&event, &self.heap[parent]):
                break
            self.heap[place] = self.heap[parent]
            place = parent
        self.heap[place] = event

    cdef void _pop(self) noexcept nogil:
        cdef int place = 0, child
        cdef Event event
        self.events -= 1
        event = self.heap[self.events]
        while True:
            child = 2 * place + 1
            if child >= self.events:
                break
            if child + 1 < self.events and is_before(&self.heap[child + 1], &self.heap[child]):
                child += 1
            if not is_before(&self.heap[child], &event):
                break
            self.heap[place] = self.heap[child]
            place = child
        self.heap[place] = event

    # notes

    cdef void _note(self, int ticker, Book* book) noexcept nogil:
        cdef int64_t t = self.trades, f
        cdef int k
        cdef Leave* leave
        cdef double sign = -1.0 if book.is_short else 1.0
        cdef double gained = 0, spent = book.entry_costs, value = 0, risk = book.fill - book.stop, borrowed
        self._note_fill(t, book.fill_row, -1, sign * book.fill, book.bought, book.entry_costs)
        for k in range(book.exits):
            leave = &book.leave[k]
            borrowed = leave.shares * self._borrow_fee(book.fill_row, leave.row) if book.is_short else 0.0
            gained += leave.shares * (leave.price - book.fill)
            spent += leave.costs + borrowed
            value += leave.shares * leave.price
            self._note_fill(t, leave.row, leave.reason, sign * leave.price, leave.shares, leave.costs + borrowed)
        leave = &book.leave[book.exits - 1]
        self.trade_rows[0, t] = book.signal
        self.trade_rows[1, t] = ticker
        self.trade_rows[2, t] = book.signal_row
        self.trade_rows[3, t] = book.fill_row
        self.trade_rows[4, t] = leave.row
        self.trade_rows[5, t] = book.bars_held
        self.trade_rows[6, t] = leave.reason
        self.trade_rows[7, t] = book.hung
        self.trade_rows[8, t] = leave.release == NEVER
        self.trade_values[0, t] = sign * book.fill
        self.trade_values[1, t] = sign * (leave.price if book.exits == 1 else value / book.bought)
        self.trade_values[2, t] = book.bought
        self.trade_values[3, t] = gained - spent
        self.trade_values[4, t] = spent
        self.trade_values[5, t] = (gained - spent) / (book.bought * risk)
        self.trade_values[6, t] = min(0.0, (book.worst - book.fill) / risk)
        self.trade_values[7, t] = max(0.0, (book.best - book.fill) / risk)
        self.trade_values[8, t] = sign * book.stop
        self.trades += 1

    cdef void _note_fill(self, int64_t trade, int64_t row, int reason, double price, double shares, double costs) noexcept nogil:
        cdef int64_t f = self.fills
        self.fill_rows[0, f], self.fill_rows[1, f], self.fill_rows[2, f] = trade, row, reason
        self.fill_values[0, f], self.fill_values[1, f], self.fill_values[2, f] = price, shares, costs
        self.fills += 1


cdef inline bint is_before(const Event* a, const Event* b) noexcept nogil:
    if a.at != b.at:
        return a.at < b.at
    if a.kind != b.kind:
        return a.kind < b.kind
    if a.signal_at != b.signal_at:
        return a.signal_at < b.signal_at
    if a.behind != b.behind:
        return a.behind < b.behind
    return a.ticker < b.ticker
