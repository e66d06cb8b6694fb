"""One pass over the bars of a frame: which can be traded at."""


def mark_usable(
    const double[::1] open,
    const double[::1] high,
    const double[::1] low,
    const double[::1] close,
    unsigned char[::1] usable,
):
    cdef Py_ssize_t i, count = open.shape[0], unusable = 0
    cdef bint good
    if not (high.shape[0] == low.shape[0] == close.shape[0] == usable.shape[0] == count):
        raise ValueError("the columns differ in length")
    with nogil:
        for i in range(count):
            # Written so that a NaN anywhere is not usable.
            good = (
                (low[i] > 0) & (low[i] <= open[i]) & (low[i] <= close[i])
                & (high[i] >= open[i]) & (high[i] >= close[i]) & (high[i] <= 1.7976931348623157e308)
            )
            usable[i] = good
            unusable += not good
    return unusable
