# What is still to happen, the earliest first: a heap of at most one event a ticker.

from libc.stdint cimport int64_t

cdef struct Event:
    int64_t at
    int kind
    int64_t signal_at
    double behind        # minus the score: a higher score comes first
    int ticker


cdef struct Queue:
    Event* heap
    int count


cdef inline bint is_before(const Event* a, const Event* b) noexcept nogil:
    if a.at != b.at:
        return a.at < b.at
    if a.kind != b.kind:
        return a.kind < b.kind
    if a.signal_at != b.signal_at:
        return a.signal_at < b.signal_at
    if a.behind != b.behind:
        return a.behind < b.behind
    return a.ticker < b.ticker


cdef inline void push(Queue* queue, int64_t at, int kind, int64_t signal_at, double behind, int ticker) noexcept nogil:
    cdef Event* heap = queue.heap
    cdef int place = queue.count, parent
    cdef Event event = Event(at, kind, signal_at, behind, ticker)
    queue.count += 1
    while place > 0:
        parent = (place - 1) >> 1
        if not is_before(&event, &heap[parent]):
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = event


cdef inline void pop(Queue* queue) noexcept nogil:
    cdef Event* heap = queue.heap
    cdef int place = 0, child
    cdef Event event
    queue.count -= 1
    event = heap[queue.count]
    while True:
        child = 2 * place + 1
        if child >= queue.count:
            break
        if child + 1 < queue.count and is_before(&heap[child + 1], &heap[child]):
            child += 1
        if not is_before(&heap[child], &event):
            break
        heap[place] = heap[child]
        place = child
    heap[place] = event
