# The bars and the account as the rest of the loop sees them.

from libc.stdint cimport int64_t

from lab.backtest.book cimport TARGETS, Book


cdef class Market:
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


# A position's part of what the account is worth.
cdef struct Mark:
    double value
    double exposure


cdef class Money:
    cdef Market m
    # plan
    cdef int size_kind, targets, is_whole
    cdef int64_t cut_off
    cdef double risk
    cdef double[TARGETS] fraction
    cdef bint last_takes_rest
    # account and costs
    cdef double max_exposure, max_position, buying_power, min_position
    cdef double rate, per_share, slippage_atr, cap, borrow_rate, margin_rate
    # signals
    cdef const double[::1] size
    # state
    cdef double cash
    cdef Book* books
    cdef int* live
    cdef int64_t[::1] cuts
    cdef int alive, tickers
    cdef int64_t session
    # Per ticker, as of the moment that was asked about last; nothing where no position is held.
    cdef Mark* marks
    cdef int64_t marked_at
    cdef bint marked_seen
    # out
    cdef double[::1] interest

    cdef double _worth(self, int64_t at, bint seen, double* gross) noexcept nogil
    cdef void _mark(self, int ticker) noexcept nogil
    cdef double _value(self, Book* book, double shares, int64_t row, double price) noexcept nogil
    cdef double _borrow_fee(self, int64_t entry, int64_t row) noexcept nogil
    cdef void _charge_interest(self, int64_t at, int kind) noexcept nogil
    cdef double _unit_costs(self, double price, int64_t row) noexcept nogil
    cdef double _rounded(self, double shares) noexcept nogil
    cdef int _size(self, Book* book, double price, int64_t at) noexcept nogil
    cdef void _share_out(self, Book* book) noexcept nogil
    cdef int64_t _segment_of(self, int64_t row) noexcept nogil
    cdef int64_t _segment_end(self, int64_t segment) noexcept nogil
    cdef int64_t _cut_off_row(self, int64_t segment) noexcept nogil
