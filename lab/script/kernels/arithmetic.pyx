"""Arithmetic, comparisons and logic, bar by bar."""

from libc.math cimport NAN, fabs, floor, log as natural_log, pow as power_of, sqrt as square_root

from lab.script.kernels.step cimport Step, Truth, wide

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define ASK_FOR(place) __builtin_prefetch(place)
    #else
    #define ASK_FOR(place) ((void)0)
    #endif
    """
    void ASK_FOR(const void* place) noexcept nogil


cdef inline double bounded(double value) noexcept nogil:
    return value if -1e100 <= value <= 1e100 else NAN


cdef wide check(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Notes whether a field holds what is no plausible number; a missing one is none. Has the next stretch fetched meanwhile."""
    cdef double* a = <double*>step.x[0]
    cdef Py_ssize_t i
    cdef int wrong = 0
    for i in range(end, end + end - start, 8):
        ASK_FOR(&a[i])
    for i in range(start, end):
        wrong |= fabs(a[i]) > 1e15
    step.wrong |= wrong


cdef wide copy(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = a[i]


cdef wide copy_condition(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef Truth* a = <Truth*>step.x[0]
    cdef Truth* out = <Truth*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = a[i]


cdef wide negate(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = -a[i]


cdef wide add(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* b = <double*>step.x[1]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = a[i] + b[i]


cdef wide subtract(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* b = <double*>step.x[1]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = a[i] - b[i]


cdef wide multiply(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* b = <double*>step.x[1]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = a[i] * b[i]


cdef wide multiply_bounded(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* b = <double*>step.x[1]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = bounded(a[i] * b[i])


cdef wide divide(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* b = <double*>step.x[1]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = bounded(a[i] / b[i])


cdef wide scale(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """a * p + q, out of bounds missing."""
    cdef double* a = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef double p = step.p, q = step.q
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = bounded(a[i] * p + q)


cdef wide power(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef double p = step.p
    cdef Py_ssize_t i
    if p == 2.0:
        for i in range(start, end):
            out[i] = bounded(a[i] * a[i])
        return
    for i in range(start, end):
        # Anything to the power of nought is one, even what is missing.
        out[i] = NAN if a[i] != a[i] else bounded(power_of(a[i], p))


cdef wide less(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* b = <double*>step.x[1]
    cdef Truth* out = <Truth*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = <Truth>((<long long>1 if a[i] < b[i] else <long long>0) | (<long long>2 if a[i] >= b[i] else <long long>0))


cdef wide less_equal(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* b = <double*>step.x[1]
    cdef Truth* out = <Truth*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = <Truth>((<long long>1 if a[i] <= b[i] else <long long>0) | (<long long>2 if a[i] > b[i] else <long long>0))


cdef wide equal(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* b = <double*>step.x[1]
    cdef Truth* out = <Truth*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = <Truth>((a[i] == b[i]) | (((a[i] < b[i]) | (a[i] > b[i])) << 1))


cdef wide both(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """And: unknown and false is false, unknown and true unknown."""
    cdef Truth* a = <Truth*>step.x[0]
    cdef Truth* b = <Truth*>step.x[1]
    cdef Truth* out = <Truth*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = (a[i] & b[i] & 1) | ((a[i] | b[i]) & 2)


cdef wide either(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Or: unknown or true is true, unknown or false unknown."""
    cdef Truth* a = <Truth*>step.x[0]
    cdef Truth* b = <Truth*>step.x[1]
    cdef Truth* out = <Truth*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = ((a[i] | b[i]) & 1) | (a[i] & b[i] & 2)


cdef wide opposite(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef Truth* a = <Truth*>step.x[0]
    cdef Truth* out = <Truth*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = <Truth>(((a[i] & 1) << 1) | (a[i] >> 1))


cdef wide choose(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """An unknown condition chooses neither: what is missing stays missing."""
    cdef Truth* c = <Truth*>step.x[0]
    cdef double* a = <double*>step.x[1]
    cdef double* b = <double*>step.x[2]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = a[i] if c[i] == 1 else (b[i] if c[i] == 2 else NAN)


cdef wide choose_condition(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef Truth* c = <Truth*>step.x[0]
    cdef Truth* a = <Truth*>step.x[1]
    cdef Truth* b = <Truth*>step.x[2]
    cdef Truth* out = <Truth*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = a[i] if c[i] == 1 else (b[i] if c[i] == 2 else 0)


cdef wide absolute(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = fabs(a[i])


cdef wide smaller(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* b = <double*>step.x[1]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = a[i] if a[i] < b[i] else (b[i] if b[i] <= a[i] else NAN)


cdef wide larger(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* b = <double*>step.x[1]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = a[i] if a[i] > b[i] else (b[i] if b[i] >= a[i] else NAN)


cdef wide clip(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Held between p and q."""
    cdef double* a = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef double p = step.p, q = step.q
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = p if a[i] < p else (q if a[i] > q else a[i])


cdef wide root(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = square_root(a[i]) if a[i] >= 0.0 else NAN


cdef wide logarithm(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = natural_log(a[i]) if a[i] > 0.0 else NAN


cdef wide sign(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = 1.0 if a[i] > 0.0 else (-1.0 if a[i] < 0.0 else a[i] * 0.0)


cdef wide rounded(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """To 1 / p, halves up."""
    cdef double* a = <double*>step.x[0]
    cdef double* out = <double*>step.out
    cdef double p = step.p, back = 1.0 / step.p
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = floor(a[i] * p + 0.5) * back


cdef wide instead(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* a = <double*>step.x[0]
    cdef double* b = <double*>step.x[1]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = a[i] if a[i] == a[i] else b[i]


cdef wide where_known(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """b where a is known too."""
    cdef double* a = <double*>step.x[0]
    cdef double* b = <double*>step.x[1]
    cdef double* out = <double*>step.out
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = b[i] if a[i] == a[i] else NAN


cdef wide typical(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef double* high = <double*>step.x[0]
    cdef double* low = <double*>step.x[1]
    cdef double* close = <double*>step.x[2]
    cdef double* out = <double*>step.out
    cdef double third = 1.0 / 3.0
    cdef Py_ssize_t i
    for i in range(start, end):
        out[i] = (high[i] + low[i] + close[i]) * third


cdef wide money_flow(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Volume by where the bar closed in its range, from -1 to 1 times it."""
    cdef double* high = <double*>step.x[0]
    cdef double* low = <double*>step.x[1]
    cdef double* close = <double*>step.x[2]
    cdef double* volume = <double*>step.x[3]
    cdef double* out = <double*>step.out
    cdef double place
    cdef Py_ssize_t i
    for i in range(start, end):
        place = (close[i] + close[i] - high[i] - low[i]) / (high[i] - low[i]) if high[i] > low[i] else (high[i] + low[i] + close[i]) * 0.0
        out[i] = place * volume[i]


cdef wide efficiency(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Kaufman's smoothing from the way gone and the distance covered; where nothing moved it is as fast as can be, as in TA-Lib."""
    cdef double* way = <double*>step.x[0]
    cdef double* moved = <double*>step.x[1]
    cdef double* out = <double*>step.out
    cdef double share
    cdef Py_ssize_t i
    for i in range(start, end):
        share = NAN
        if way[i] > 0.0:
            share = fabs(moved[i]) / way[i]
            share = 1.0 if share > 1.0 else share
        elif way[i] == way[i]:
            share = 1.0
        share = share * (2.0 / 3.0 - 2.0 / 31.0) + 2.0 / 31.0
        out[i] = share * share


KERNELS = {
    "check": (<size_t>&check, "n", "", None),
    "copy": (<size_t>&copy, "n", "n", None),
    "copy_condition": (<size_t>&copy_condition, "c", "c", None),
    "negate": (<size_t>&negate, "n", "n", None),
    "add": (<size_t>&add, "nn", "n", None),
    "subtract": (<size_t>&subtract, "nn", "n", None),
    "multiply": (<size_t>&multiply, "nn", "n", None),
    "multiply_bounded": (<size_t>&multiply_bounded, "nn", "n", None),
    "divide": (<size_t>&divide, "nn", "n", None),
    "scale": (<size_t>&scale, "n", "n", None),
    "power": (<size_t>&power, "n", "n", None),
    "less": (<size_t>&less, "nn", "c", None),
    "less_equal": (<size_t>&less_equal, "nn", "c", None),
    "equal": (<size_t>&equal, "nn", "c", None),
    "and": (<size_t>&both, "cc", "c", None),
    "or": (<size_t>&either, "cc", "c", None),
    "not": (<size_t>&opposite, "c", "c", None),
    "choose": (<size_t>&choose, "cnn", "n", None),
    "choose_condition": (<size_t>&choose_condition, "ccc", "c", None),
    "absolute": (<size_t>&absolute, "n", "n", None),
    "smaller": (<size_t>&smaller, "nn", "n", None),
    "larger": (<size_t>&larger, "nn", "n", None),
    "clip": (<size_t>&clip, "n", "n", None),
    "root": (<size_t>&root, "n", "n", None),
    "logarithm": (<size_t>&logarithm, "n", "n", None),
    "sign": (<size_t>&sign, "n", "n", None),
    "rounded": (<size_t>&rounded, "n", "n", None),
    "instead": (<size_t>&instead, "nn", "n", None),
    "where_known": (<size_t>&where_known, "nn", "n", None),
    "typical": (<size_t>&typical, "nnn", "n", None),
    "money_flow": (<size_t>&money_flow, "nnnn", "n", None),
    "efficiency": (<size_t>&efficiency, "nn", "n", None),
}
