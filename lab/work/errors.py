"""What can happen to work in progress, each as a sentence."""

from __future__ import annotations

from lab.errors import LabError


class WorkError(LabError):
    """A piece of work could not be done."""


class LeaseLost(WorkError):
    """Another worker has this iteration now (or it was deleted): stop, and store nothing more of it."""


class IterationCancelled(WorkError):
    """A person cancelled the iteration: stop, and store nothing more of it."""


class TaskFailed(WorkError):
    """A computation in a process of the pool ended without a result."""


class TaskTookTooLong(TaskFailed):
    """It was ended because it ran past its limit of time."""


class TaskTooLarge(TaskFailed):
    """It was ended because it needed more memory than it may have."""


class WorkerNotStarted(WorkError):
    """The worker program could not be started."""
