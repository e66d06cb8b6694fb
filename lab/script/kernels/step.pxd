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

cdef extern from *:
    """
    /* Loops over independent bars are compiled for wide registers too, and the processor at hand picks: the same operations, the same bits. */
    #if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
    #define WIDE_VOID __attribute__((target_clones("avx2", "default"))) void
    #else
    #define WIDE_VOID void
    #endif
    """
    ctypedef void wide "WIDE_VOID"
