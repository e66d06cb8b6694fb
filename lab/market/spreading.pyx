"""Columns packed into whole numbers, and spread out again."""

from libc.math cimport fabs, rint
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp

ctypedef fused Stored:
    uint8_t
    uint16_t
    uint32_t

ctypedef fused Whole:
    int16_t
    int32_t
    int64_t


cdef inline void spread(const Stored* stored, Whole* out, Py_ssize_t count, int64_t unit, int64_t base) noexcept nogil:
    cdef Py_ssize_t i
    if unit == 1:
        for i in range(count):
            out[i] = <Whole>(<Whole>stored[i] + <Whole>base)
    else:
        for i in range(count):
            out[i] = <Whole>(stored[i] * unit + base)


cdef inline void widen(const Stored* stored, char* out, int width, Py_ssize_t count, int64_t unit, int64_t base) noexcept nogil:
    if width == 2:
        spread(stored, <int16_t*>out, count, unit, base)
    elif width == 4:
        spread(stored, <int32_t*>out, count, unit, base)
    else:
        spread(stored, <int64_t*>out, count, unit, base)


def spread_whole(const unsigned char[::1] stored, unsigned char[::1] out, Py_ssize_t count, int64_t unit, int64_t base):
    cdef Py_ssize_t size = stored.shape[0] // count if count else 0, width = out.shape[0] // count if count else 0
    if not count:
        return
    if stored.shape[0] != count * size or out.shape[0] != count * width or size not in (1, 2, 4) or width not in (2, 4, 8):
        raise ValueError("one whole number for each")
    with nogil:
        if size == 1:
            widen(<const uint8_t*>&stored[0], <char*>&out[0], width, count, unit, base)
        elif size == 2:
            widen(<const uint16_t*>&stored[0], <char*>&out[0], width, count, unit, base)
        else:
            widen(<const uint32_t*>&stored[0], <char*>&out[0], width, count, unit, base)


def spread_decimals(const int32_t[::1] stored, double[::1] out, double divisor):
    cdef Py_ssize_t i
    if stored.shape[0] != out.shape[0]:
        raise ValueError("one number for each")
    with nogil:
        if divisor == 1:
            for i in range(out.shape[0]):
                out[i] = stored[i]
        else:
            for i in range(out.shape[0]):
                out[i] = stored[i] / divisor


def whole_decimals(const double[::1] values, int32_t[::1] stored, double divisor):
    cdef Py_ssize_t i
    cdef double whole, back
    cdef bint exact = True
    if stored.shape[0] != values.shape[0]:
        raise ValueError("one number for each")
    with nogil:
        for i in range(values.shape[0]):
            whole = rint(values[i] * divisor)
            if not fabs(whole) < 2147483648.0:
                exact = False
                break
            stored[i] = <int32_t>whole
            back = stored[i] / divisor
            if memcmp(&back, &values[i], sizeof(double)) != 0:
                exact = False
                break
    return exact
