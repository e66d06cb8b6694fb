"""Runs the steps of a script over one ticker's bars, a stretch at a time, so that what lies between two steps stays in the cache."""

from libc.stdlib cimport calloc, free
from libc.string cimport memset

from lab.script.kernels.step cimport Kernel, Step

cdef Py_ssize_t ROWS = 1024

BETWEEN, COLUMN, WHOLE = 0, 1, 2

cdef struct Slot:
    char* base
    Py_ssize_t width
    int kind

cdef struct Call:
    Step step
    Kernel kernel
    int operands
    int x[5]
    int out


cdef class Machine:
    cdef Slot* slots
    cdef Call* calls
    cdef int slot_count, call_count
    cdef object kept

    def __cinit__(self, list slots, list calls, Py_ssize_t longest):
        cdef int i, j
        cdef Py_ssize_t size, k
        cdef double* numbers
        self.slot_count, self.call_count = <int>len(slots), <int>len(calls)
        self.slots = <Slot*>calloc(self.slot_count + 1, sizeof(Slot))
        self.calls = <Call*>calloc(self.call_count + 1, sizeof(Call))
        if self.slots == NULL or self.calls == NULL:
            raise MemoryError
        for i, (kind, width, value) in enumerate(slots):
            self.slots[i].kind, self.slots[i].width = kind, width
            if kind == WHOLE:
                continue
            size = (ROWS if kind == BETWEEN else (longest if longest > 0 else 1)) * <Py_ssize_t>width
            self.slots[i].base = <char*>calloc(size, 1)
            if self.slots[i].base == NULL:
                raise MemoryError
            if value is not None and width == 8:
                numbers = <double*>self.slots[i].base
                for k in range(ROWS):
                    numbers[k] = value
            elif value is not None:
                memset(self.slots[i].base, 1 if value else 2, ROWS)
        for i, (address, operands, out, n, p, q, state) in enumerate(calls):
            self.calls[i].kernel = <Kernel><size_t>address
            self.calls[i].operands, self.calls[i].out = <int>len(operands), out
            for j, operand in enumerate(operands):
                self.calls[i].x[j] = operand
            self.calls[i].step.n, self.calls[i].step.p, self.calls[i].step.q = n, p, q
            self.calls[i].step.state = <double*>calloc(state + 1, sizeof(double))
            if self.calls[i].step.state == NULL:
                raise MemoryError

    def __dealloc__(self):
        cdef int i
        if self.slots != NULL:
            for i in range(self.slot_count):
                if self.slots[i].kind != WHOLE:
                    free(self.slots[i].base)
            free(self.slots)
        if self.calls != NULL:
            for i in range(self.call_count):
                free(self.calls[i].step.state)
            free(self.calls)

    def bind(self, int slot, const unsigned char[::1] column):
        if not 0 <= slot < self.slot_count or self.slots[slot].kind != WHOLE:
            raise ValueError("no such column")
        self.slots[slot].base = <char*>&column[0] if column.shape[0] else NULL

    def run(self, Py_ssize_t first, Py_ssize_t length):
        cdef Py_ssize_t start = 0, end
        cdef int i, j, wrong = 0
        cdef Call* call
        with nogil:
            while start < length:
                end = start + ROWS if start + ROWS < length else length
                for i in range(self.call_count):
                    call = &self.calls[i]
                    for j in range(call.operands):
                        call.step.x[j] = place(&self.slots[call.x[j]], first, start)
                    call.step.out = place(&self.slots[call.out], first, start) if call.out >= 0 else NULL
                    call.kernel(&call.step, start, end)
                    wrong |= call.step.wrong
                start = end
        return wrong == 0


cdef inline void* place(Slot* slot, Py_ssize_t first, Py_ssize_t start) noexcept nogil:
    """Where the ticker's first row would be, so that kernels count rows from it whatever they are handed."""
    if slot.kind == 2:
        return slot.base + first * slot.width
    if slot.kind == 0:
        return slot.base - start * slot.width
    return slot.base
