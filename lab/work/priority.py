"""How far a process stands back behind the interface, which has niceness 0."""

from __future__ import annotations

import os
import time
from pathlib import Path

_AUTOGROUP = Path("/proc/self/autogroup")
_ATTEMPTS = 3
_BETWEEN_SECONDS = 0.11
"""The kernel takes one such change in a tenth of a second from all users who are not root."""


def stand_back(niceness: int) -> None:
    """Give this process, and all it starts, at least this niceness.

    Linux shares the processor between sessions before it looks at the niceness inside one (sched_autogroup, on by default in most
    distributions): a process that leads its session gives the session its niceness too, without which it would stand back behind nobody.
    """
    own = os.nice(max(0, niceness - os.nice(0)))
    if os.getsid(0) != os.getpid():
        return  # the session is the terminal's, and so is its share
    for _ in range(_ATTEMPTS):
        try:
            _AUTOGROUP.write_text(str(own), encoding="ascii")
        except BlockingIOError:
            time.sleep(_BETWEEN_SECONDS)
        except OSError:
            return  # not Linux, or no such sharing
        else:
            return
