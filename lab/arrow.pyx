"""Columns handed to Polars without a copy, by the Arrow C data interface."""

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset


cdef void release_schema(ArrowSchema* schema) noexcept:
    schema.release = NULL


cdef void release_array(ArrowArray* array) noexcept with gil:
    free(<void*>array.buffers)
    Py_DECREF(<object>array.private_data)
    array.release = NULL


cdef void forget_schema(object capsule) noexcept:
    cdef ArrowSchema* schema = <ArrowSchema*>PyCapsule_GetPointer(capsule, "arrow_schema")
    if schema.release != NULL:
        schema.release(schema)
    free(schema)


cdef void forget_array(object capsule) noexcept:
    cdef ArrowArray* array = <ArrowArray*>PyCapsule_GetPointer(capsule, "arrow_array")
    if array.release != NULL:
        array.release(array)
    free(array)


cdef class Column:
    """An array of Arrow made of buffers that others own."""

    def __arrow_c_array__(self, requested_schema=None):
        cdef ArrowSchema* schema = <ArrowSchema*>malloc(sizeof(ArrowSchema))
        cdef ArrowArray* array = <ArrowArray*>malloc(sizeof(ArrowArray))
        cdef const void** buffers = <const void**>malloc(4 * sizeof(void*))
        if schema == NULL or array == NULL or buffers == NULL:
            raise MemoryError
        memset(schema, 0, sizeof(ArrowSchema))
        memset(array, 0, sizeof(ArrowArray))
        schema.format = self.format
        schema.name = ""
        schema.flags = 2
        schema.release = release_schema
        buffers[0] = self.known if self.missing else NULL
        buffers[1] = self.values
        array.n_buffers = 2
        if self.letters != NULL:
            buffers[2], buffers[3] = self.letters, self.letter_count
            array.n_buffers = 4
        array.length, array.null_count = self.length, self.missing
        array.buffers = buffers
        # This object holds the owner, and the number of letters that a buffer points at.
        Py_INCREF(self)
        array.private_data = <void*>self
        array.release = release_array
        return PyCapsule_New(schema, "arrow_schema", forget_schema), PyCapsule_New(array, "arrow_array", forget_array)


def repeated_text(list texts, const int64_t[::1] counts, uint64_t[:, ::1] views):
    """Each text as many times as its count says, one after another; `views` is room for two numbers a row."""
    cdef Py_ssize_t k, i, at = 0, until
    cdef bytes text, letters = b"".join(text for text in texts if len(text) > 12) + b"\0"
    cdef int32_t offset = 0, size
    cdef uint64_t[2] view
    cdef char* inside = <char*>view
    cdef uint64_t first, second
    cdef uint64_t* out
    cdef Column made = Column()
    if len(texts) != counts.shape[0] or views.shape[1] != 2:
        raise ValueError("a count for each text, two numbers a row")
    for k in range(counts.shape[0]):
        if counts[k] < 0 or at + counts[k] > views.shape[0]:
            raise ValueError("no room for so many rows")
        text, until = texts[k], at + counts[k]
        size = <int32_t>len(text)
        memset(view, 0, 16)
        memcpy(inside, &size, 4)
        if size <= 12:
            memcpy(inside + 4, <const char*>text, size)
        else:
            # Longer texts stand apart; the view has their first letters, the number of the buffer (0), and the place in it.
            memcpy(inside + 4, <const char*>text, 4)
            memcpy(inside + 12, &offset, 4)
            offset += size
        first, second, out = view[0], view[1], &views[0, 0] if views.shape[0] else NULL
        with nogil:
            for i in range(at, until):
                out[2 * i] = first
                out[2 * i + 1] = second
        at = until
    made.format = "vu"
    made.owner, made.length = (views, letters), at
    made.letters, made.letter_count = <const char*>letters, [len(letters)]
    if at:
        made.values = &views[0, 0]
    return made
