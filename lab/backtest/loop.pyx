"""The account meeting every signal, fill and exit of all tickers in order of time, by the rules that `engine.py` states."""

from libc.math cimport INFINITY, isfinite
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

from lab.backtest.book cimport *
from lab.backtest.money cimport Market
from lab.backtest.positions cimport Positions
from lab.backtest.queue cimport Event, Queue, pop, push

import numpy as np

VERSION = "2"

cdef int64_t LAST = 9223372036854775807


cdef class Loop(Positions):
    """One run of one plan on one account."""

    # plan and account
    cdef int entry_kind, max_positions
    cdef int64_t expiry, cooldown
    # signals
    cdef const int64_t[::1] row, ends
    cdef const unsigned char[::1] is_short, conflicting
    cdef const double[::1] score, stop, entry
    cdef const double[:, ::1] target
    # state
    cdef Queue queue
    cdef int64_t* place
    cdef int64_t[::1] signal_at
    cdef int64_t trades, fills
    # out
    cdef unsigned char[::1] skip
    cdef int64_t[:, ::1] trade_rows
    cdef double[:, ::1] trade_values
    cdef int64_t[:, ::1] fill_rows
    cdef double[:, ::1] fill_values

    def __cinit__(self, *args, **kwargs):
        self.queue.heap = <Event*> calloc(self.tickers + 1, sizeof(Event))
        self.place = <int64_t*> calloc(self.tickers + 1, sizeof(int64_t))
        if not (self.queue.heap and self.place):
            raise MemoryError

    def __dealloc__(self):
        free(self.queue.heap)
        free(self.place)

    def __init__(self, Market market, plan, account, costs, signals):
        super().__init__(market, plan, account, costs, signals)
        self.entry_kind = ("at_open", "limit", "stop_entry").index(plan.entry_kind)
        self.expiry = plan.expiry_bars
        self.cooldown = plan.cooldown_bars
        self.max_positions = account.max_positions
        self.row, self.ends, self.is_short, self.conflicting = signals.row, signals.ends, signals.is_short, signals.conflicting
        self.score, self.stop, self.target = signals.score, signals.stop, signals.target
        if self.entry_kind != AT_OPEN:
            self.entry = signals.entry
        count = self.row.shape[0]
        self.skip = np.zeros(count, dtype=np.uint8)
        self.trade_rows = np.empty((9, count), dtype=np.int64)
        self.trade_values = np.empty((9, count))
        self.signal_at = np.empty(count, dtype=np.int64)
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
        # Signals and sessions are both in order of rows: one walk finds where each signal stands. What is asked of its bar is asked
        # here, where the processor fetches many bars at once.
        for signal in range(self.row.shape[0]):
            self.signal_at[signal] = self.m.at[self.row[signal]]
            if self.conflicting[signal]:
                self.skip[signal] = CONFLICTING
            elif self.cut_off >= 0 and self.m.minute[self.row[signal]] >= self.cut_off:
                self.skip[signal] = AFTER_CUT_OFF
            while self._segment_end(segment) <= self.row[signal]:
                segment += 1
            self.signal_segment[signal] = segment
            if self.cut_off >= 0:
                self._cut_off_row(segment)
        for ticker in range(self.tickers):
            self.place[ticker] = self.ends[ticker - 1] if ticker else 0
            self._look_on(ticker)
        while self.queue.count:
            event = self.queue.heap[0]
            self._charge_interest(event.at, event.kind)
            pop(&self.queue)
            if event.kind == MEETING:
                self._meet(event.ticker, event.at)
            elif event.kind == FILLING:
                self._fill(event.ticker, event.at)
            else:
                self._end(event.ticker)
        self._charge_interest(LAST, OPENING)

    # signals

    cdef bint _blocked(self, int64_t signal) noexcept nogil:
        """Whether a signal still to come is out of the question whatever the account holds; its reason is noted."""
        return self.skip[signal] != TRADED

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
                    push(&self.queue, self.signal_at[signal], MEETING, self.signal_at[signal], -self.score[signal], ticker)
                    if row + 1 < self.m.at.shape[0]:
                        # By the time the signal's turn comes, the bar that may fill it is at hand.
                        lab_prefetch(&self.m.o[row + 1])
                        lab_prefetch(&self.m.h[row + 1])
                        lab_prefetch(&self.m.l[row + 1])
                        lab_prefetch(&self.m.c[row + 1])
                        lab_prefetch(&self.m.at[row + 1])
                        lab_prefetch(&self.m.volume[row + 1])
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
        self._mark(ticker)
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
        push(&self.queue, self.m.at[row], FILLING, self.signal_at[book.signal], -self.score[book.signal], ticker)
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
        push(&self.queue, at, kind, self.signal_at[book.signal], -self.score[book.signal], ticker)

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
        self._mark(ticker)
        self._note(ticker, book)
        book.next_exit = 0
        self._plan_exit(ticker, book, True)

    # exits

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
                self._mark(ticker)
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
