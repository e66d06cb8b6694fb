"""The Arrow C data interface, and columns that others own as arrays of it."""

from libc.stdint cimport int64_t


cdef struct ArrowSchema:
    const char* format
    const char* name
    const char* metadata
    int64_t flags
    int64_t n_children
    ArrowSchema** children
    ArrowSchema* dictionary
    void (*release)(ArrowSchema*) noexcept
    void* private_data

cdef struct ArrowArray:
    int64_t length
    int64_t null_count
    int64_t offset
    int64_t n_buffers
    int64_t n_children
    const void** buffers
    ArrowArray** children
    ArrowArray* dictionary
    void (*release)(ArrowArray*) noexcept
    void* private_data


cdef class Column:
    cdef object owner
    cdef const char* format
    cdef const void* values
    cdef const void* known
    cdef const void* letters
    cdef int64_t[1] letter_count
    cdef Py_ssize_t length, missing
