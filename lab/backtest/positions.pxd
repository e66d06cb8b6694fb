# How positions live, for the loop.

from libc.stdint cimport int64_t

from lab.backtest.book cimport Book
from lab.backtest.money cimport Money


cdef class Positions(Money):
    # plan
    cdef int64_t max_bars
    cdef double break_even
    cdef bint has_exit, has_trail
    # signals
    cdef const unsigned char[::1] long_exit, short_exit
    cdef const double[::1] long_trail, short_trail
    cdef int64_t[::1] signal_segment

    cdef void _live_through(self, int ticker, Book* book) noexcept nogil
    cdef void _take_target(self, Book* book, double* left, int k, int64_t row, double price) noexcept nogil
    cdef void _leave(self, Book* book, double* left, double shares, int64_t row, double price, int reason, int release) noexcept nogil
    cdef bint _settle(self, Book* book, double* left, int64_t row, int moment, double low, double high, double level, int set_by) noexcept nogil
