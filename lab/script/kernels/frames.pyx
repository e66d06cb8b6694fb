"""Between columns of bars and plain arrays: order checked in one pass, results handed to Polars without a copy."""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int64_t, uint8_t

from lab.arrow cimport ArrowArray, ArrowSchema, Column

cdef uint8_t[256] ONES
for _byte in range(256):
    ONES[_byte] = bin(_byte).count("1")


def mark_known(const double[::1] values, unsigned char[::1] known, Py_ssize_t first, Py_ssize_t length):
    """The bits of a stretch of rows. Those of a byte that other stretches have bits in too are left to `number_column`."""
    cdef Py_ssize_t i, j, start = (first + 7) // 8, end = (first + length) // 8
    cdef const double* x
    cdef double summed
    cdef uint8_t byte
    if not 0 <= first <= first + length <= values.shape[0] or known.shape[0] != (values.shape[0] + 7) // 8:
        raise ValueError("one bit for each value")
    with nogil:
        for i in range(start, end):
            x = &values[8 * i]
            summed = ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]))
            # Computed numbers are far from overflow, so a sum is not-a-number where one of them is.
            byte = 255
            if summed != summed:
                byte = 0
                for j in range(8):
                    byte |= (x[j] == x[j]) << j
            known[i] = byte


def number_column(const double[::1] values, unsigned char[::1] known, const long long[::1] firsts):
    """Numbers, missing where they are not-a-number; `known` has the bits that `mark_known` left for the stretches from `firsts` on."""
    cdef Py_ssize_t i, j, k, length = values.shape[0], present = 0
    cdef Column made = Column()
    if known.shape[0] != (length + 7) // 8:
        raise ValueError("one bit for each value")
    with nogil:
        for k in range(firsts.shape[0] + 1):
            # The byte in which a stretch begins, and the last one of all.
            i = firsts[k] // 8 if k < firsts.shape[0] else length // 8
            if 8 * i < length:
                known[i] = 0
                for j in range(8 * i, 8 * i + 8 if 8 * i + 8 < length else length):
                    known[i] |= (values[j] == values[j]) << (j - 8 * i)
        for i in range(known.shape[0]):
            present += ONES[known[i]]
    made.format, made.owner, made.length, made.missing = "g", (values, known), length, length - present
    if length:
        made.values, made.known = &values[0], &known[0]
    return made


def condition_column(const unsigned char[::1] values, unsigned char[::1] bits, const long long[::1] firsts, const long long[::1] lengths,
                     Py_ssize_t warm_up):
    """Conditions as bits: true where known to be true, never within the first `warm_up` of a ticker's bars."""
    cdef Py_ssize_t i, length = values.shape[0], whole = length // 8, j, k, until
    cdef uint8_t byte
    cdef Column made = Column()
    if bits.shape[0] != (length + 7) // 8:
        raise ValueError("one bit for each value")
    with nogil:
        for i in range(whole):
            byte = 0
            for j in range(8):
                byte |= (values[8 * i + j] & 1) << j
            bits[i] = byte
        if whole * 8 < length:
            byte = 0
            for j in range(length - 8 * whole):
                byte |= (values[8 * whole + j] & 1) << j
            bits[whole] = byte
        for k in range(firsts.shape[0]):
            until = firsts[k] + (warm_up if warm_up < lengths[k] else lengths[k])
            for i in range(firsts[k], until):
                bits[i >> 3] &= ~<uint8_t>(1 << (i & 7))
    made.format, made.owner, made.length = "b", (bits,), length
    if length:
        made.values = &bits[0]
    return made


def rows_held(const unsigned char[::1] values, const long long[::1] firsts, const long long[::1] lengths, Py_ssize_t warm_up,
              long long[::1] rows):
    """Fills in the rows at which a condition holds, as far as there is room, and returns how many there are."""
    cdef Py_ssize_t k, i, until, found = 0, room = rows.shape[0]
    with nogil:
        for k in range(firsts.shape[0]):
            i, until = firsts[k] + warm_up, firsts[k] + lengths[k]
            while i < until:
                if i + 8 <= until and ((<const unsigned long long*>&values[i])[0] & <unsigned long long>0x0101010101010101) == 0:
                    i += 8
                    continue
                if values[i] == 1:
                    if found < room:
                        rows[found] = i
                    found += 1
                i += 1
    return found


def steps_back(const long long[::1] times):
    """How many bars do not start after the one before them."""
    cdef Py_ssize_t i
    cdef long long found = 0
    with nogil:
        for i in range(1, times.shape[0]):
            found += <long long>1 if times[i] <= times[i - 1] else <long long>0
    return found


cdef struct ArrowArrayStream:
    int (*get_schema)(ArrowArrayStream*, ArrowSchema*) noexcept
    int (*get_next)(ArrowArrayStream*, ArrowArray*) noexcept
    const char* (*get_last_error)(ArrowArrayStream*) noexcept
    void (*release)(ArrowArrayStream*) noexcept
    void* private_data


def text_runs(object stream, Py_ssize_t most):
    """Rows at which a column of text (a capsule of an Arrow stream) may hold another text than the row before; None beyond `most`.

    Texts are compared as Arrow keeps them: up to 12 letters and bytes in place, longer ones by where they are.
    """
    cdef ArrowArrayStream* source = <ArrowArrayStream*>PyCapsule_GetPointer(stream, "arrow_array_stream")
    cdef ArrowSchema schema
    cdef ArrowArray array
    cdef const int64_t* views
    cdef Py_ssize_t i, at = 0, found
    cdef list rows = []
    cdef bint fits
    if source.get_schema(source, &schema) != 0:
        return None
    fits = schema.format[0] == b"v" and schema.format[1] == b"u"
    if schema.release != NULL:
        schema.release(&schema)
    while fits:
        if source.get_next(source, &array) != 0:
            return None
        if array.release == NULL:
            return rows
        if array.n_buffers < 2 or array.null_count != 0:
            fits = False
        elif array.length:
            views = <const int64_t*>array.buffers[1] + 2 * array.offset
            rows.append(at)
            i = 1
            while i < array.length and len(rows) <= most:
                with nogil:
                    while i < array.length and views[2 * i] == views[2 * i - 2] and views[2 * i + 1] == views[2 * i - 1]:
                        i += 1
                if i < array.length:
                    rows.append(at + i)
                    i += 1
            at += array.length
            fits = len(rows) <= most
        array.release(&array)
    return None
