"""`python -m lab.work.sample_process`: a process that counts an editor's signals or runs its scripts, at low priority and within limits.

The first line it reads is the sample, every further one a pair of scripts; it answers a line a pair. All lines are JSON.
It ends when its input does, in the middle of a computation too.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from typing import Any

from lab.errors import LabError
from lab.work.confined import Limits, confine

LIMITS = Limits(memory_bytes=2 * 1024**3, cpu_seconds=3600, wall_seconds=10.0, niceness=10)
"""`wall_seconds` for one pair; whoever asked ends the process after it."""


def main() -> int:
    confine(os.getppid(), LIMITS)
    from lab.agents.results import from_json, to_json
    from lab.agents.sampling import Sample, count_signals, run_sample

    first = sys.stdin.readline()
    if not first:
        return 0
    sample = from_json(Sample, json.loads(first))
    waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(waiting,), daemon=True).start()
    while True:
        asked = waiting.get()
        try:
            answer = to_json((run_sample if asked["run"] else count_signals)(sample, asked["scan"], asked["execution"]))
        except LabError as error:
            answer = {"error": str(error)}
        except MemoryError:
            answer = {"error": "Counting these signals needs more memory than it may have."}
        except BaseException as error:  # Polars' PanicException is no Exception
            answer = {"error": f"The count failed with {type(error).__name__}."}
        sys.stdout.write(json.dumps({"id": asked["id"], **answer}) + "\n")
        sys.stdout.flush()


def _listen(waiting: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        waiting.put(json.loads(line))
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
