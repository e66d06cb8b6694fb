# What the parts of the account's loop hold in common: the words of the rules, and what is known of a ticker's order or position.

from libc.stdint cimport int64_t

cdef extern from *:
    """
    #define LAB_SMALLEST_FRACTION 1e-6
    #define LAB_ROUNDING 1e-9
    """
    # Of a share; less is what rounding leaves of an account that is full.
    const double SMALLEST_FRACTION "LAB_SMALLEST_FRACTION"
    # Relative slack when rounding shares, so that 99.9999999999 from binary fractions is 100.
    const double ROUNDING "LAB_ROUNDING"

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define lab_prefetch(place) __builtin_prefetch(place)
    #else
    #define lab_prefetch(place) ((void) 0)
    #endif
    """
    void lab_prefetch(const void* place) noexcept nogil

# What a plan's entry is.
cdef enum:
    AT_OPEN, LIMIT, STOP_ENTRY

# The moment of a bar at which something filled: what of the bar is known to lie after or before it.
cdef enum:
    MOMENT_OPEN, MOMENT_LIMIT, MOMENT_STOP

# When an order's or a position's slot and money come back: at the close of the bar in which it ended, when a later session
# opens (the ticker printed no bar any more that day, which nobody knew before the day was over), or at the end of the run.
cdef enum:
    WITH_BAR, NEXT_SESSION, NEVER

# In the order in which they happen at one timestamp.
cdef enum:
    OPENING, FILLING, CLOSING, MEETING

cdef enum:
    IDLE, WAITING, LAPSED, HELD

# What a position size is measured by.
cdef enum:
    BY_RISK, BY_MOVE, BY_DOLLARS

# Places in `lab.backtest.reasons.SkipReason`; 0 is a signal that was traded.
cdef enum:
    TRADED, NO_PRICE, CONFLICTING, AFTER_CUT_OFF, IN_POSITION, ORDER_PENDING, COOLDOWN, NO_STOP, NO_ENTRY_PRICE, NO_SIZE
    NO_SLOT, NO_NEXT_BAR, NO_FILL, STOP_BEYOND_ENTRY, TARGET_BEYOND_ENTRY, NO_CASH, NO_VOLUME, TOO_SMALL

# Places in `lab.backtest.reasons.ExitReason`.
cdef enum:
    BY_STOP, BY_TRAIL, BY_BREAK_EVEN, BY_TARGET, BY_RULE, BY_MAX_BARS, BY_FLAT_BY, BY_END_OF_DATA

cdef enum:
    TARGETS = 3
    EXITS = 4


cdef struct Leave:
    int64_t row
    double price         # mirrored for shorts
    double shares
    double costs
    int reason
    int release


cdef struct Book:
    int state
    int is_short
    int moment
    int hung
    int exits
    int next_exit
    int reason           # of the order that lapsed
    int64_t signal       # place among the signals
    int64_t signal_row
    int64_t fill_row
    int64_t cursor       # last row whose close was seen
    int64_t cooled       # first row that may signal again
    int64_t bars_held
    double fill          # mirrored for shorts, as stop and targets
    double stop
    double equity        # marked to market at the signal's close
    double shares        # in the books now
    double bought
    double entry_costs
    double worst
    double best
    double target[TARGETS]
    double quantity[TARGETS]
    Leave leave[EXITS]


cdef inline void see(Book* book, double price) noexcept nogil:
    book.worst = min(book.worst, price)
    book.best = max(book.best, price)
