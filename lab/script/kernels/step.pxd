# What a kernel is handed: its operands, its constants and its state. Rows count from the ticker's first bar.

ctypedef struct Step:
    void* x[5]
    void* out
    Py_ssize_t n
    double p
    double q
    double* state
    int wrong

ctypedef void (*Kernel)(Step* step, Py_ssize_t start, Py_ssize_t end) noexcept nogil

ctypedef unsigned char Truth
