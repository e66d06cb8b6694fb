"""A ticker against the others: ranks at each moment, and another ticker's value as of each bar."""

from libc.math cimport NAN
from libc.stdlib cimport free, malloc, qsort

cdef enum:
    RANK, PLACE, BREADTH


cdef int ascending(const void* a, const void* b) noexcept nogil:
    cdef double x = (<const double*>a)[0], y = (<const double*>b)[0]
    return (x > y) - (x < y)


cdef Py_ssize_t below(const double* values, Py_ssize_t count, double value, bint or_equal) noexcept nogil:
    """How many of the sorted values are smaller (or equal)."""
    cdef Py_ssize_t low = 0, high = count, middle
    while low < high:
        middle = (low + high) // 2
        if values[middle] < value or (or_equal and values[middle] == value):
            low = middle + 1
        else:
            high = middle
    return low


cdef void free_all(void* a, void* b, void* c, void* d) noexcept nogil:
    free(a)
    free(b)
    free(c)
    free(d)


cdef int each_moment(const long long* times, const double* x, double* out, const long long* firsts, const long long* lengths,
                     Py_ssize_t tickers, int what) noexcept nogil:
    cdef Py_ssize_t* at = <Py_ssize_t*>malloc(tickers * sizeof(Py_ssize_t))
    cdef long long* heads = <long long*>malloc(tickers * sizeof(long long))
    cdef Py_ssize_t* rows = <Py_ssize_t*>malloc(tickers * sizeof(Py_ssize_t))
    cdef double* values = <double*>malloc(tickers * sizeof(double))
    cdef Py_ssize_t t, count, known, smaller, up_to
    cdef long long now, never = 0x7fffffffffffffff
    cdef double held
    if at == NULL or heads == NULL or rows == NULL or values == NULL:
        free_all(at, heads, rows, values)
        return -1
    for t in range(tickers):
        at[t] = firsts[t]
        heads[t] = times[at[t]] if lengths[t] > 0 else never
    while True:
        now = never
        for t in range(tickers):
            now = heads[t] if heads[t] < now else now
        if now == never:
            break
        count = known = 0
        held = 0.0
        for t in range(tickers):
            if heads[t] == now:
                rows[count] = at[t]
                count += 1
                if x[at[t]] == x[at[t]]:
                    values[known] = x[at[t]]
                    held += x[at[t]]
                    known += 1
                at[t] += 1
                heads[t] = times[at[t]] if at[t] < firsts[t] + lengths[t] else never
        if what == BREADTH:
            for t in range(count):
                out[rows[t]] = held * 100.0 / known if known else NAN
            continue
        qsort(values, known, sizeof(double), ascending)
        for t in range(count):
            if x[rows[t]] != x[rows[t]]:
                out[rows[t]] = NAN
                continue
            up_to = below(values, known, x[rows[t]], True)
            if what == PLACE:
                out[rows[t]] = <double>(known - up_to + 1)
                continue
            smaller = below(values, known, x[rows[t]], False)
            out[rows[t]] = (<double>(smaller + 1 + up_to) / 2.0 - 1.0) * 100.0 / (known - 1) if known > 1 else NAN
    free_all(at, heads, rows, values)
    return 0


WAYS = {"rank": RANK, "place": PLACE, "breadth": BREADTH}


def among_all(str way, const long long[::1] times, const double[::1] x, double[::1] out, const long long[::1] firsts,
              const long long[::1] lengths):
    cdef int what = WAYS[way], problem
    if not times.shape[0] == x.shape[0] == out.shape[0] or firsts.shape[0] != lengths.shape[0]:
        raise ValueError("the columns differ in length")
    if times.shape[0] == 0:
        return
    with nogil:
        problem = each_moment(&times[0], &x[0], &out[0], &firsts[0], &lengths[0], firsts.shape[0], what)
    if problem:
        raise MemoryError


def rows_as_of(const long long[::1] times, const long long[::1] other, long long[::1] out):
    """Per time, the row of the last of the other times that is not later; -1 where there is none. Both are ascending."""
    cdef Py_ssize_t i, j = 0
    if out.shape[0] != times.shape[0]:
        raise ValueError("the columns differ in length")
    with nogil:
        for i in range(times.shape[0]):
            while j < other.shape[0] and other[j] <= times[i]:
                j += 1
            out[i] = j - 1
