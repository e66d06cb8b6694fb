"""What goes on from bar to bar without a window: averages, running sums, values held since something happened, and Wilder's systems."""

from libc.math cimport NAN

from lab.script.kernels.step cimport Step, Truth


cdef void seeded(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Exponential average of weight p over the known values, started from the mean of the first n."""
    cdef double* x = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef double p = step.p, rest = 1.0 - step.p, average = step.state[0], known = step.state[1], n = <double>step.n
    cdef Py_ssize_t i
    if start == 0:
        average = known = 0.0
    for i in range(start, end):
        if x[i] != x[i]:
            out[i] = NAN
        elif known >= n:
            average = average * rest + x[i] * p
            out[i] = average
        else:
            known += 1.0
            average += x[i]
            out[i] = NAN
            if known == n:
                average /= n
                out[i] = average
    step.state[0], step.state[1] = average, known


cdef void adaptive(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Average that moves towards x by a share of its own on every bar, started from the value before the first known share."""
    cdef double* x = <double*>step.x[0]
    cdef double* share = <double*>step.x[1]
    cdef double* out = <double*>step.out
    cdef double average = step.state[0], before = step.state[1]
    cdef Py_ssize_t i
    if start == 0:
        average = before = NAN
    for i in range(start, end):
        out[i] = NAN
        if x[i] != x[i]:
            continue
        if share[i] == share[i]:
            if average != average:
                average = before
            average += share[i] * (x[i] - average)
            out[i] = average
        before = x[i]
    step.state[0], step.state[1] = average, before


cdef void added_up(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Running sum; missing values are passed over."""
    cdef double* x = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef double running = step.state[0]
    cdef Py_ssize_t i
    if start == 0:
        running = 0.0
    for i in range(start, end):
        if x[i] == x[i]:
            running += x[i]
            out[i] = running
        else:
            out[i] = NAN
    step.state[0] = running


cdef void value_when(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef Truth* c = <Truth*>step.x[0]
    cdef double* x = <double*>step.x[1]
    cdef double* out = <double*>step.out
    cdef double held = step.state[0]
    cdef Py_ssize_t i
    if start == 0:
        held = NAN
    for i in range(start, end):
        if c[i] == 1 and x[i] == x[i]:
            held = x[i]
        out[i] = held
    step.state[0] = held


cdef void bars_since(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef Truth* c = <Truth*>step.x[0]
    cdef double* out = <double*>step.out
    cdef double at = step.state[0]
    cdef Py_ssize_t i
    if start == 0:
        at = NAN
    for i in range(start, end):
        if c[i] == 1:
            at = <double>i
        out[i] = <double>i - at
    step.state[0] = at


cdef void held_since(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """True where the second condition has held on a bar after the one where the first last did."""
    cdef Truth* event = <Truth*>step.x[0]
    cdef Truth* c = <Truth*>step.x[1]
    cdef Truth* out = <Truth*>step.out
    cdef double held = step.state[0]
    cdef Py_ssize_t i
    if start == 0:
        held = -1.0
    for i in range(start, end):
        if event[i] == 1:
            held = 0.0
        elif held == 0.0 and c[i] == 1:
            held = 1.0
        out[i] = 1 if held == 1.0 else 2
    step.state[0] = held


cdef void extreme_since(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """The largest (p is 1) or smallest (p is -1) since the condition last held, this bar and that one included."""
    cdef Truth* event = <Truth*>step.x[0]
    cdef double* x = <double*>step.x[1]
    cdef double* out = <double*>step.out
    cdef double p = step.p, best = step.state[0], begun = step.state[1]
    cdef Py_ssize_t i
    if start == 0:
        best, begun = NAN, 0.0
    for i in range(start, end):
        if event[i] == 1:
            best, begun = NAN, 1.0
        if x[i] == x[i] and not best * p >= x[i] * p:
            best = x[i]
        out[i] = best if begun == 1.0 and x[i] == x[i] else NAN
    step.state[0], step.state[1] = best, begun


cdef void anchored_vwap(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef Truth* anchor = <Truth*>step.x[0]
    cdef double* price = <double*>step.x[1]
    cdef double* volume = <double*>step.x[2]
    cdef double* out = <double*>step.out
    cdef double traded = step.state[0], shares = step.state[1], begun = step.state[2], value
    cdef Py_ssize_t i
    if start == 0:
        traded = shares = begun = 0.0
    for i in range(start, end):
        if anchor[i] == 1:
            traded = shares = 0.0
            begun = 1.0
        out[i] = NAN
        if price[i] == price[i] and volume[i] == volume[i] and begun == 1.0:
            traded += price[i] * volume[i]
            shares += volume[i]
            value = traded / shares
            if -1e100 <= value <= 1e100:
                out[i] = value
    step.state[0], step.state[1], step.state[2] = traded, shares, begun


cdef void parabolic(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Wilder's parabolic stop-and-reverse with steps of p up to q; bars without a high or low are passed over."""
    cdef double* high = <double*>step.x[0]
    cdef double* low = <double*>step.x[1]
    cdef double* out = <double*>step.out
    cdef double* state = step.state
    cdef double limit = step.q, size = step.p if step.p < step.q else step.q, down, top, bottom
    cdef double stop = state[0], extreme = state[1], share = state[2], high_before = state[3], low_before = state[4]
    cdef bint rising = state[5] > 0.0, started = state[6] > 0.0
    cdef Py_ssize_t i
    if start == 0:
        stop = extreme = share = high_before = low_before = NAN
        rising, started = True, False
    for i in range(start, end):
        out[i] = NAN
        top, bottom = high[i], low[i]
        if top != top or bottom != bottom:
            continue
        if high_before != high_before:
            high_before, low_before = top, bottom
            continue
        if not started:
            started = True
            down = low_before - bottom
            rising = not (down > 0 and top - high_before < down)
            share = size
            if rising:
                extreme, stop = top, low_before
            else:
                extreme, stop = bottom, high_before
            high_before, low_before = top, bottom
        if rising and bottom <= stop:
            rising = False
            stop = max(extreme, high_before, top)
            out[i] = stop
            share, extreme = size, bottom
            stop = max(stop + share * (extreme - stop), high_before, top)
        elif rising:
            out[i] = stop
            if top > extreme:
                extreme, share = top, min(share + size, limit)
            stop = min(stop + share * (extreme - stop), low_before, bottom)
        elif top >= stop:
            rising = True
            stop = min(extreme, low_before, bottom)
            out[i] = stop
            share, extreme = size, top
            stop = min(stop + share * (extreme - stop), low_before, bottom)
        else:
            out[i] = stop
            if bottom < extreme:
                extreme, share = bottom, min(share + size, limit)
            stop = max(stop + share * (extreme - stop), high_before, top)
        high_before, low_before = top, bottom
    state[0], state[1], state[2], state[3], state[4] = stop, extreme, share, high_before, low_before
    state[5], state[6] = <double>rising, <double>started


cdef void supertrend(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """The trailing band: below the price in a rising trend, above it in a falling one; it starts as a falling one."""
    cdef double* middle = <double*>step.x[0]
    cdef double* close = <double*>step.x[1]
    cdef double* width = <double*>step.x[2]
    cdef double* out = <double*>step.out
    cdef double lower = step.state[0], upper = step.state[1], before = step.state[2], low, high
    cdef bint rising = step.state[3] > 0.0
    cdef Py_ssize_t i
    if start == 0:
        lower = upper = before = NAN
        rising = False
    for i in range(start, end):
        out[i] = NAN
        if middle[i] != middle[i] or close[i] != close[i] or width[i] != width[i]:
            continue
        low, high = middle[i] - width[i], middle[i] + width[i]
        if before == before:
            low = low if low > lower or before < lower else lower
            high = high if high < upper or before > upper else upper
            rising = close[i] >= low if rising else close[i] > high
        lower, upper, before = low, high, close[i]
        out[i] = low if rising else high
    step.state[0], step.state[1], step.state[2], step.state[3] = lower, upper, before, <double>rising


KERNELS = {
    "seeded": (<size_t>&seeded, "n", "n", lambda n: 2),
    "adaptive": (<size_t>&adaptive, "nn", "n", lambda n: 2),
    "added_up": (<size_t>&added_up, "n", "n", lambda n: 1),
    "value_when": (<size_t>&value_when, "cn", "n", lambda n: 1),
    "bars_since": (<size_t>&bars_since, "c", "n", lambda n: 1),
    "held_since": (<size_t>&held_since, "cc", "c", lambda n: 1),
    "extreme_since": (<size_t>&extreme_since, "cn", "n", lambda n: 2),
    "anchored_vwap": (<size_t>&anchored_vwap, "cnn", "n", lambda n: 3),
    "parabolic": (<size_t>&parabolic, "nn", "n", lambda n: 7),
    "supertrend": (<size_t>&supertrend, "nnn", "n", lambda n: 4),
}
