"""The session so far, the session before, and the clock."""

from libc.math cimport NAN, sqrt

from lab.script.kernels.step cimport Step, Truth

cdef Py_ssize_t DAY_MINUTES = 1440
cdef short OPEN_MINUTE = 570


cdef inline bint begins(int* session, Py_ssize_t i) noexcept nogil:
    return i == 0 or session[i] != session[i - 1]


cdef void vwap(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* price = <double*>step.x[0]
    cdef double* volume = <double*>step.x[1]
    cdef int* session = <int*>step.x[2]
    cdef double* out = <double*>step.out
    cdef double traded = step.state[0], shares = step.state[1], value
    cdef Py_ssize_t i
    for i in range(start, end):
        if begins(session, i):
            traded = shares = 0.0
        value = NAN
        if price[i] == price[i] and volume[i] == volume[i]:
            traded += price[i] * volume[i]
            shares += volume[i]
            value = traded / shares
        out[i] = value if -1e100 <= value <= 1e100 else NAN
    step.state[0], step.state[1] = traded, shares


cdef void vwap_deviation(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Squares are taken around the session's first price: around zero they would drown the variance in rounding."""
    cdef double* price = <double*>step.x[0]
    cdef double* volume = <double*>step.x[1]
    cdef int* session = <int*>step.x[2]
    cdef double* out = <double*>step.out
    cdef double first = step.state[0], traded = step.state[1], squares = step.state[2], shares = step.state[3], d, centre, value
    cdef Py_ssize_t i
    for i in range(start, end):
        if begins(session, i):
            first = NAN
            traded = squares = shares = 0.0
        if first != first:
            first = price[i]
        out[i] = NAN
        if price[i] == price[i] and volume[i] == volume[i]:
            d = price[i] - first
            traded += d * volume[i]
            squares += d * d * volume[i]
            shares += volume[i]
            centre = traded / shares
            value = squares / shares - centre * centre
            if -1e100 <= value <= 1e100:
                out[i] = sqrt(value) if value > 0.0 else 0.0
    step.state[0], step.state[1], step.state[2], step.state[3] = first, traded, squares, shares


cdef void extreme_so_far(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """The largest (p is 1) or smallest (p is -1) of the session so far; missing where this bar's is."""
    cdef double* x = <double*>step.x[0]
    cdef int* session = <int*>step.x[1]
    cdef double* out = <double*>step.out
    cdef double best = step.state[0], p = step.p
    cdef Py_ssize_t i
    for i in range(start, end):
        if begins(session, i):
            best = NAN
        if x[i] == x[i]:
            if not best * p >= x[i] * p:
                best = x[i]
            out[i] = best
        else:
            out[i] = NAN
    step.state[0] = best


cdef void first_known(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """The session's first known value, from its bar on."""
    cdef double* x = <double*>step.x[0]
    cdef int* session = <int*>step.x[1]
    cdef double* out = <double*>step.out
    cdef double first = step.state[0]
    cdef Py_ssize_t i
    for i in range(start, end):
        if begins(session, i):
            first = NAN
        if first != first:
            first = x[i]
        out[i] = first
    step.state[0] = first


cdef void opening_extreme(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """The largest (p is 1) or smallest (p is -1) of the session's bars before minute n; none until then."""
    cdef double* x = <double*>step.x[0]
    cdef int* session = <int*>step.x[1]
    cdef short* minute = <short*>step.x[2]
    cdef double* out = <double*>step.out
    cdef double best = step.state[0], p = step.p
    cdef Py_ssize_t i, n = step.n
    for i in range(start, end):
        if begins(session, i):
            best = NAN
        out[i] = NAN
        if minute[i] >= n:
            out[i] = best
        elif x[i] == x[i] and not best * p >= x[i] * p:
            best = x[i]
    step.state[0] = best


cdef void added_up_so_far(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Running sum of the session; missing values are passed over."""
    cdef double* x = <double*>step.x[0]
    cdef int* session = <int*>step.x[1]
    cdef double* out = <double*>step.out
    cdef double running = step.state[0]
    cdef Py_ssize_t i
    for i in range(start, end):
        if begins(session, i):
            running = 0.0
        if x[i] == x[i]:
            running += x[i]
            out[i] = running
        else:
            out[i] = NAN
    step.state[0] = running


cdef void bar_of_session(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef int* session = <int*>step.x[0]
    cdef double* out = <double*>step.out
    cdef double bar = step.state[0]
    cdef Py_ssize_t i
    for i in range(start, end):
        bar = 1.0 if begins(session, i) else bar + 1.0
        out[i] = bar
    step.state[0] = bar


cdef void nth_so_far(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """True only on the session's n-th bar where the condition holds."""
    cdef Truth* c = <Truth*>step.x[0]
    cdef int* session = <int*>step.x[1]
    cdef Truth* out = <Truth*>step.out
    cdef double held = step.state[0], n = <double>step.n
    cdef Py_ssize_t i
    for i in range(start, end):
        if begins(session, i):
            held = 0.0
        if c[i] == 1:
            held += 1.0
        out[i] = 2 if c[i] == 1 and held != n else c[i]
    step.state[0] = held


cdef void previous_close(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """The last known close of the sessions before."""
    cdef double* close = <double*>step.x[0]
    cdef int* session = <int*>step.x[1]
    cdef double* out = <double*>step.out
    cdef double last = step.state[0], held = step.state[1]
    cdef Py_ssize_t i
    if start == 0:
        last = held = NAN
    for i in range(start, end):
        if begins(session, i) and last == last:
            held = last
        if close[i] == close[i]:
            last = close[i]
        out[i] = held
    step.state[0], step.state[1] = last, held


cdef void relative_volume(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Volume over the mean of its last n bars at the same time of day, all of which must be known."""
    cdef double* volume = <double*>step.x[0]
    cdef short* minute = <short*>step.x[1]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t n = step.n, i, j
    cdef double* kept
    cdef double* seen
    cdef double summed, value
    if start == 0:
        for i in range(DAY_MINUTES):
            step.state[i * (n + 1) + n] = 0.0
    for i in range(start, end):
        kept = step.state + (<Py_ssize_t>minute[i] % DAY_MINUTES) * (n + 1)
        seen = kept + n
        out[i] = NAN
        if seen[0] >= n:
            summed = 0.0
            for j in range(n):
                summed += kept[j]
            value = volume[i] / (summed / n)
            if -1e100 <= value <= 1e100:
                out[i] = value
        kept[<Py_ssize_t>seen[0] % n] = volume[i]
        seen[0] += 1.0


cdef void minutes_since(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Minutes from minute n to the bar."""
    cdef short* minute = <short*>step.x[0]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i, n = step.n
    for i in range(start, end):
        out[i] = <double>(minute[i] - n)


cdef void minutes_to_close(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef short* minute = <short*>step.x[0]
    cdef short* close_minute = <short*>step.x[1]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = <double>(close_minute[i] - minute[i])


cdef void time_between(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """True from minute p to before minute q."""
    cdef short* minute = <short*>step.x[0]
    cdef Truth* out = <Truth*>step.out
    cdef short first = <short>step.p, after = <short>step.q
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = 2 - ((minute[i] >= first) & (minute[i] < after))


cdef void day_of_week(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """1 Monday to 7 Sunday; day 0 was a Thursday."""
    cdef int* session = <int*>step.x[0]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = <double>(((session[i] + 3) % 7 + 7) % 7 + 1)


cdef void last_bars(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """The session's shortest step so far is the length of a bar; a missing bar makes a step look longer until the next.

    Half an hour from the open to the next bar may be what is left of an hourly bar that began before the open: it counts while it is all
    that is known.
    """
    cdef int* session = <int*>step.x[0]
    cdef short* minute = <short*>step.x[1]
    cdef short* close_minute = <short*>step.x[2]
    cdef Truth* out = <Truth*>step.out
    cdef double shortest = step.state[0], gone, length
    cdef bint cut
    cdef Py_ssize_t i, n = step.n
    for i in range(start, end):
        if begins(session, i):
            shortest = NAN
            out[i] = 0
            continue
        gone = <double>(minute[i] - minute[i - 1])
        cut = gone == 30.0 and minute[i - 1] == OPEN_MINUTE and begins(session, i - 1)
        if not cut and not shortest <= gone:
            shortest = gone
        length = gone if shortest != shortest else shortest
        out[i] = 1 if <double>(close_minute[i] - minute[i]) <= length * n else 2
    step.state[0] = shortest


KERNELS = {
    "vwap": (<size_t>&vwap, "nns", "n", lambda n: 2),
    "vwap_deviation": (<size_t>&vwap_deviation, "nns", "n", lambda n: 4),
    "extreme_so_far": (<size_t>&extreme_so_far, "ns", "n", lambda n: 1),
    "first_known": (<size_t>&first_known, "ns", "n", lambda n: 1),
    "opening_extreme": (<size_t>&opening_extreme, "nsm", "n", lambda n: 1),
    "added_up_so_far": (<size_t>&added_up_so_far, "ns", "n", lambda n: 1),
    "bar_of_session": (<size_t>&bar_of_session, "s", "n", lambda n: 1),
    "nth_so_far": (<size_t>&nth_so_far, "cs", "c", lambda n: 1),
    "previous_close": (<size_t>&previous_close, "ns", "n", lambda n: 2),
    "relative_volume": (<size_t>&relative_volume, "nm", "n", lambda n: 1440 * (n + 1)),
    "minutes_since": (<size_t>&minutes_since, "m", "n", None),
    "minutes_to_close": (<size_t>&minutes_to_close, "mM", "n", None),
    "time_between": (<size_t>&time_between, "m", "c", None),
    "day_of_week": (<size_t>&day_of_week, "s", "n", None),
    "last_bars": (<size_t>&last_bars, "smM", "c", lambda n: 1),
}
