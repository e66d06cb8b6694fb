"""The one ancestor of every error that is the person's to act on: its text is a sentence they will read."""

from __future__ import annotations

from typing import Any


class LabError(Exception):
    """An expected failure; `str(error)` is shown as it is, on stderr or on the screen."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as it is: a subclass whose constructor takes more than the sentence reaches another process whole."""
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[LabError], args: tuple[Any, ...], attributes: dict[str, Any]) -> LabError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error
