"""Windows of the last n bars.

Sums, highest and lowest cut the bars into groups of n (van Herk 1992): a window is the end of one group and the beginning of the next, so
its result is one operation on two running ones. Nothing is ever subtracted again: no rounding piles up, and a missing value is missing in
the windows that hold it and in no other.
"""

from libc.math cimport NAN, fabs, sqrt
from libc.string cimport memset

from lab.script.kernels.step cimport Step, Truth, wide


cdef wide total(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Sum of the last n, times p."""
    cdef double* x = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef double* tail = step.state
    cdef Py_ssize_t n = step.n, i = start, place = start % n, j, until
    cdef double running = step.state[n] if place else 0.0
    cdef double p = step.p
    while i < end:
        until = i - place + n - 1
        if until > end:
            until = end
        if i < n - 1:
            while i < until:
                running += x[i]
                out[i] = NAN
                i += 1
        else:
            place = i % n
            while i < until:
                running += x[i]
                place += 1
                out[i] = tail[place] + running
                i += 1
        if i < end:
            running += x[i]
            out[i] = running
            running = 0.0
            for j in range(n - 1, -1, -1):
                running += x[i - n + 1 + j]
                tail[j] = running
            running = 0.0
            i += 1
        place = i % n
    step.state[n] = running
    if p != 1.0:
        for i in range(start, end):
            out[i] *= p


cdef wide mean(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* out = <double*>step.out
    cdef double n = <double>step.n
    cdef Py_ssize_t i
    total(step, start, end)
    for i in range(start, end):
        out[i] /= n


cdef inline double over(double a, double b) noexcept nogil:
    """The larger; missing where either is."""
    return a if a > b else (b if b >= a else NAN)


cdef void extreme(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """The largest of the last n, times q, of values times q: q is 1, or -1 for the smallest."""
    cdef double* x = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef double* tail = step.state
    cdef Py_ssize_t n = step.n, i, place, j
    cdef double q = step.q
    cdef double running = step.state[n]
    place = start % n
    for i in range(start, end):
        running = x[i] * q if place == 0 else over(running, x[i] * q)
        if place == n - 1:
            out[i] = running * q
            running = x[i] * q
            tail[n - 1] = running
            for j in range(n - 2, -1, -1):
                running = over(running, x[i - n + 1 + j] * q)
                tail[j] = running
            place = 0
        else:
            place += 1
            out[i] = NAN if i < n - 1 else over(tail[place], running) * q
    step.state[n] = running


cdef void highest(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    step.q = 1.0
    extreme(step, start, end)


cdef void lowest(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    step.q = -1.0
    extreme(step, start, end)


cdef void deviation(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Standard deviation, dividing by n.

    Sums are of distances from a value of the group before, which is near the window's mean: squares of the values themselves would
    drown the spread in rounding.
    """
    cdef double* x = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t n = step.n, i, place, j
    cdef double* tail = step.state
    cdef double* tail_squares = step.state + n
    cdef double first, second, anchor, same, d, one, other, spread
    if start == 0:
        step.state[2 * n] = 0.0
        step.state[2 * n + 1] = 0.0
        step.state[2 * n + 2] = NAN
        step.state[2 * n + 3] = 0.0
    first, second, anchor, same = step.state[2 * n], step.state[2 * n + 1], step.state[2 * n + 2], step.state[2 * n + 3]
    place = start % n
    for i in range(start, end):
        if place == 0:
            first = second = 0.0
            if i == 0:
                anchor = x[0]
        same = same + 1.0 if i > 0 and x[i] == x[i - 1] else 1.0
        if anchor != anchor and x[i] == x[i]:
            # The first known value after missing ones: sums begun before it are missing anyway.
            anchor = x[i]
        d = x[i] - anchor
        first += d
        second += d * d
        one, other = first, second
        if place == n - 1:
            anchor = x[i] if x[i] == x[i] else anchor
            first = second = 0.0
            for j in range(n - 1, -1, -1):
                d = x[i - n + 1 + j] - anchor
                first += d
                second += d * d
                tail[j], tail_squares[j] = first, second
            place = 0
        else:
            place += 1
            if i >= n - 1:
                one, other = one + tail[place], other + tail_squares[place]
        if i < n - 1:
            out[i] = NAN
        elif same >= n:
            # Equal values have no spread, where sums would leave one of rounding.
            out[i] = x[i] * 0.0
        else:
            spread = (other - one * one / n) / n
            out[i] = sqrt(spread) if spread > 0.0 else (0.0 if spread <= 0.0 else NAN)
    step.state[2 * n], step.state[2 * n + 1], step.state[2 * n + 2], step.state[2 * n + 3] = first, second, anchor, same


cdef wide weighted(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """The newest of n values weighs n, the oldest 1. Two running sums would cost less, but lose a digit with every tenfold of history."""
    cdef double* x = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t n = step.n, i, lag, first = start if start > n - 1 else n - 1
    cdef double weight
    for i in range(start, end if end < n - 1 else n - 1):
        out[i] = NAN
    for i in range(first, end):
        out[i] = 0.0
    for lag in range(n):
        weight = <double>(n - lag) / (<double>n * (<double>n + 1.0) / 2.0)
        for i in range(first, end):
            out[i] += x[i - lag] * weight


cdef wide mean_distance(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Mean distance of the last n values from their mean."""
    cdef double* x = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef double* means = step.state
    cdef Py_ssize_t n = step.n, i, lag, first = start if start > n - 1 else n - 1
    for i in range(start, end if end < n - 1 else n - 1):
        out[i] = NAN
    for i in range(first, end):
        means[i - start] = 0.0
        out[i] = 0.0
    for lag in range(n):
        for i in range(first, end):
            means[i - start] += x[i - lag]
    for i in range(first, end):
        means[i - start] /= n
    for lag in range(n):
        for i in range(first, end):
            out[i] += fabs(x[i - lag] - means[i - start])
    for i in range(first, end):
        out[i] /= n


cdef void since_largest(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """How many bars ago the largest of the last n values was; the latest of equals."""
    cdef double* x = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t n = step.n, i, j, at = <Py_ssize_t>step.state[0], gap = <Py_ssize_t>step.state[1]
    if start == 0:
        at, gap = 0, -1
    for i in range(start, end):
        if x[i] != x[i]:
            gap = i
        elif at <= i - n or not (x[at] > x[i]):
            if x[at] <= x[i]:
                at = i
            else:
                at = i
                for j in range(i - 1, (i - n if i >= n else -1), -1):
                    if x[j] > x[at]:
                        at = j
        out[i] = <double>(i - at) if i >= n - 1 and gap <= i - n else NAN
    step.state[0], step.state[1] = <double>at, <double>gap


cdef wide share_below(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Percent of the other n - 1 values of the last n that are below the newest, equal ones counting half."""
    cdef double* x = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t n = step.n, i, j, gap = <Py_ssize_t>step.state[0]
    cdef long long below
    if start == 0:
        gap = -1
    for i in range(start, end):
        if x[i] != x[i]:
            gap = i
        if i < n - 1 or gap > i - n:
            out[i] = NAN
            continue
        below = 0
        for j in range(i - n + 1, i):
            below += (x[j] < x[i]) + (x[j] <= x[i])
        out[i] = <double>below / 2.0 / (n - 1) * 100.0
    step.state[0] = <double>gap


cdef void count(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """In how many of the last n bars a condition held; missing where it is unknown in one of them."""
    cdef Truth* c = <Truth*>step.x[0]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t n = step.n, i
    cdef long long held = <long long>step.state[0], unknown = <long long>step.state[1]
    if start == 0:
        held = unknown = 0
    for i in range(start, end):
        held += c[i] & 1
        unknown += c[i] == 0
        if i >= n:
            held -= c[i - n] & 1
            unknown -= c[i - n] == 0
        out[i] = <double>held if i >= n - 1 and unknown == 0 else NAN
    step.state[0], step.state[1] = <double>held, <double>unknown


cdef wide ago(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* x = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t n = step.n, i, first = start if start > n else n
    for i in range(start, end if end < n else n):
        out[i] = NAN
    for i in range(first, end):
        out[i] = x[i - n]


cdef wide change(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* x = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t n = step.n, i, first = start if start > n else n
    for i in range(start, end if end < n else n):
        out[i] = NAN
    for i in range(first, end):
        out[i] = x[i] - x[i - n]


cdef wide rate_of_change(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* x = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef double ratio
    cdef Py_ssize_t n = step.n, i, first = start if start > n else n
    for i in range(start, end if end < n else n):
        out[i] = NAN
    for i in range(first, end):
        ratio = x[i] / x[i - n]
        out[i] = ratio * 100.0 - 100.0 if -1e100 <= ratio <= 1e100 else NAN


cdef wide true_range(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* high = <double*>step.x[0]
    cdef double* low = <double*>step.x[1]
    cdef double* close = <double*>step.x[2]
    cdef double* out = <double*>step.out
    cdef double top, bottom, before
    cdef Py_ssize_t i
    if start == 0:
        out[0] = NAN
        start = 1
    for i in range(start, end):
        before = close[i - 1]
        top = high[i] if high[i] > before else (before if before >= high[i] else NAN)
        bottom = low[i] if low[i] < before else (before if before <= low[i] else NAN)
        out[i] = top - bottom


cdef void crosses(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """True where a rises above b, having been at or below it before; a known false of either bar is false whatever the other is."""
    cdef double* a = <double*>step.x[0]
    cdef double* b = <double*>step.x[1]
    cdef Truth* out = <Truth*>step.out
    cdef double before_a = step.state[0], before_b = step.state[1]
    cdef Truth now, then
    cdef Py_ssize_t i
    if start == 0:
        before_a = before_b = NAN
    for i in range(start, end):
        if i > start:
            before_a, before_b = a[i - 1], b[i - 1]
        now = <Truth>((a[i] > b[i]) | ((a[i] <= b[i]) << 1))
        then = <Truth>((before_a <= before_b) | ((before_a > before_b) << 1))
        out[i] = (now & then & 1) | ((now | then) & 2)
    step.state[0], step.state[1] = a[end - 1], b[end - 1]


cdef void point_of_control(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Middle of the price step in which most was traded in the last n bars; p steps cut the window's lowest to highest evenly."""
    cdef double* price = <double*>step.x[0]
    cdef double* volume = <double*>step.x[1]
    cdef double* low = <double*>step.x[2]
    cdef double* high = <double*>step.x[3]
    cdef double* out = <double*>step.out
    cdef double* filled = step.state
    cdef Py_ssize_t n = step.n, steps = <Py_ssize_t>step.p, i, j, at, best
    cdef double size, bottom
    cdef bint known
    for i in range(start, end):
        out[i] = NAN
        if i < n - 1:
            continue
        bottom = low[i]
        size = (high[i] - bottom) / steps
        if not size > 0.0:
            continue
        memset(filled, 0, steps * sizeof(double))
        known = True
        for j in range(i - n + 1, i + 1):
            if price[j] != price[j] or volume[j] != volume[j]:
                known = False
                break
            at = <Py_ssize_t>((price[j] - bottom) / size)
            at = 0 if at < 0 else (steps - 1 if at >= steps else at)
            filled[at] += volume[j]
        if not known:
            continue
        best = 0
        for at in range(1, steps):
            if filled[at] > filled[best]:
                best = at
        if filled[best] > 0.0:
            out[i] = bottom + (best + 0.5) * size


def _group(n):
    return n + 1


KERNELS = {
    "total": (<size_t>&total, "N", "n", _group),
    "mean": (<size_t>&mean, "N", "n", _group),
    "highest": (<size_t>&highest, "N", "n", _group),
    "lowest": (<size_t>&lowest, "N", "n", _group),
    "deviation": (<size_t>&deviation, "N", "n", lambda n: 2 * n + 4),
    "weighted": (<size_t>&weighted, "N", "n", None),
    "mean_distance": (<size_t>&mean_distance, "N", "n", lambda n: 4096),
    "since_largest": (<size_t>&since_largest, "N", "n", lambda n: 2),
    "share_below": (<size_t>&share_below, "N", "n", lambda n: 1),
    "count": (<size_t>&count, "C", "n", lambda n: 2),
    "ago": (<size_t>&ago, "N", "n", None),
    "change": (<size_t>&change, "N", "n", None),
    "rate_of_change": (<size_t>&rate_of_change, "N", "n", None),
    "true_range": (<size_t>&true_range, "nnN", "n", None),
    "crosses": (<size_t>&crosses, "nn", "c", lambda n: 2),
    "point_of_control": (<size_t>&point_of_control, "NNnn", "n", lambda n: 128),
}
