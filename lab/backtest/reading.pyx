"""One pass each over the bars of a frame: which can be traded at, where sessions begin, where signals stand, what positions earned."""

from libc.stdint cimport int32_t, int64_t

import numpy as np

cdef double LARGEST = 1.7976931348623157e308


def count_unusable(const double[::1] open, const double[::1] high, const double[::1] low, const double[::1] close):
    cdef Py_ssize_t i, count = open.shape[0]
    cdef double good, bad = 0
    if not (high.shape[0] == low.shape[0] == close.shape[0] == count):
        raise ValueError("the columns differ in length")
    with nogil:
        for i in range(count):
            # Chained choices of doubles, which compilers turn into vectors; a NaN anywhere is not usable.
            good = 1.0 if low[i] > 0 else 0.0
            good = good if low[i] <= open[i] else 0.0
            good = good if low[i] <= close[i] else 0.0
            good = good if high[i] >= open[i] else 0.0
            good = good if high[i] >= close[i] else 0.0
            good = good if high[i] <= LARGEST else 0.0
            bad += 1.0 - good
    return int(bad)


def segments(const int64_t[::1] at, const int32_t[::1] day, const int64_t[::1] ticker_ends):
    cdef Py_ssize_t i, first = 0, end, count = at.shape[0], found = 0
    cdef int64_t disorder = -1
    cdef int64_t[::1] starts = np.empty(count, dtype=np.int64)
    cdef Py_ssize_t t
    with nogil:
        for t in range(ticker_ends.shape[0]):
            end = ticker_ends[t]
            if first < end:
                starts[found] = first
                found += 1
            for i in range(first + 1, end):
                if at[i] <= at[i - 1]:
                    disorder = i
                    break
                if day[i] != day[i - 1]:
                    starts[found] = i
                    found += 1
            if disorder >= 0:
                break
            first = end
    return np.asarray(starts)[:found].copy(), disorder


def merged(const int64_t[::1] longs, const int64_t[::1] shorts):
    cdef Py_ssize_t a = 0, b = 0, n = longs.shape[0], m = shorts.shape[0], k = 0
    row = np.empty(n + m, dtype=np.int64)
    is_short = np.empty(n + m, dtype=np.uint8)
    conflicting = np.zeros(n + m, dtype=np.uint8)
    cdef int64_t[::1] rows = row
    cdef unsigned char[::1] sides = is_short, both = conflicting
    with nogil:
        while a < n or b < m:
            if a < n and b < m and longs[a] == shorts[b]:
                both[k] = both[k + 1] = 1
            if b == m or (a < n and longs[a] <= shorts[b]):
                rows[k], sides[k] = longs[a], 0
                a += 1
            else:
                rows[k], sides[k] = shorts[b], 1
                b += 1
            k += 1
    return row, is_short, conflicting


def entry_order(const int64_t[::1] at, const int64_t[:] entry_row, const int64_t[:] ticker, int most):
    cdef Py_ssize_t i, k, first = 0, count = entry_row.shape[0]
    found = np.empty(count, dtype=np.int64)
    cdef int64_t[::1] order = found
    cdef int64_t moment = 0, here
    cdef bint crowded = False
    with nogil:
        for i in range(count):
            here = at[entry_row[i]]
            if i and here < moment:
                crowded = True
                break
            if i == 0 or here > moment:
                first, moment = i, here
            elif i - first >= most:
                crowded = True
                break
            k = i
            while k > first and ticker[order[k - 1]] > ticker[i]:
                order[k] = order[k - 1]
                k -= 1
            order[k] = i
    return None if crowded else found


def wilder_atr(const double[::1] high, const double[::1] low, const double[::1] close, const int64_t[::1] ticker_ends, int n):
    cdef Py_ssize_t i, first = 0, end, t
    found = np.empty(high.shape[0])
    cdef double[::1] out = found
    cdef double value, span
    with nogil:
        for t in range(ticker_ends.shape[0]):
            end = ticker_ends[t]
            value = 0
            for i in range(first, end):
                span = high[i] - low[i]
                if i > first:
                    span = max(high[i], close[i - 1]) - min(low[i], close[i - 1])
                # The mean of what there is until n bars are there, Wilder's average from then on.
                value += (span - value) / min(i - first + 1, n)
                out[i] = value
            first = end
    return found


def profits(
    const double[::1] close,
    const double[::1] borrow,
    const int64_t[::1] segment_starts,
    const int64_t[::1] segment_session,
    const int64_t[::1] trade_ticker_end,
    const unsigned char[::1] trade_settles_at_end,
    const signed char[::1] trade_sign,
    const int64_t[:, :] fill_rows,
    const double[:, :] fill_values,
    Py_ssize_t sessions,
    double borrow_rate,
):
    realised = np.zeros(sessions)
    unrealised = np.zeros(sessions)
    cdef double[::1] done = realised, open_ = unrealised
    cdef Py_ssize_t f, t, segment = 0, own, s, first = 0, last, row, end, segments_ = segment_starts.shape[0], rows = close.shape[0]
    cdef double entry = 0, sign, profit
    with nogil:
        for f in range(fill_rows.shape[1]):
            t, row = fill_rows[0, f], fill_rows[1, f]
            sign = trade_sign[t]
            if fill_rows[2, f] < 0:
                segment = _segment_of(segment_starts, row)
                first = segment_session[segment]
                entry = fill_values[0, f]
                done[first] -= fill_values[2, f]
                continue
            last = segment_session[_segment_of(segment_starts, row)]
            if trade_settles_at_end[t] and (f + 1 == fill_rows.shape[1] or fill_rows[0, f + 1] != t):
                last = sessions - 1
            done[last] += fill_values[1, f] * sign * (fill_values[0, f] - entry) - fill_values[2, f]
            own = segment
            for s in range(first, last):
                while own + 1 < segments_ and segment_starts[own + 1] < trade_ticker_end[t] and segment_session[own + 1] <= s:
                    own += 1
                end = segment_starts[own + 1] if own + 1 < segments_ else rows
                profit = sign * fill_values[1, f] * (close[end - 1] - entry)
                if sign < 0:
                    profit -= fill_values[1, f] * (borrow[own] - borrow[segment]) * borrow_rate
                open_[s] += profit
    return realised, unrealised


cdef Py_ssize_t _segment_of(const int64_t[::1] starts, Py_ssize_t row) noexcept nogil:
    cdef Py_ssize_t low = 0, high = starts.shape[0], middle
    while high - low > 1:
        middle = (low + high) // 2
        if starts[middle] <= row:
            low = middle
        else:
            high = middle
    return low
