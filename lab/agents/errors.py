"""What can go wrong between a person and the agents, each with the sentence that is read."""

from __future__ import annotations

from datetime import datetime

from lab.errors import LabError


class NotThere(LabError):
    """Something was asked for that does not exist, or no longer does."""

    @classmethod
    def numbered(cls, what: str, number: int) -> NotThere:
        """For what is asked for by a number, which may never have been one: "iteration", 99."""
        return cls(f"There is no {what} {number} in this workspace.")


class AlreadyDecided(LabError):
    """Somebody, perhaps in another terminal, decided on this proposal first."""


class CannotUndo(LabError):
    """A decision can't be taken back any more."""


class BadAgent(LabError):
    """A name or instructions an agent can't be made of. `field` says at which input the sentence belongs."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class BadFetch(LabError):
    """Bars could not be fetched. `field` says at which input the sentence belongs: "key", "tickers", "timeframe", "span",
    "universe", or "" for none of them."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class BadUniverse(LabError):
    """A universe can't be made or changed so. `field` says at which input the sentence belongs: "name", "tickers", "rule", "as_of",
    "span", or "" for none of them."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class UnknownColumns(LabError):
    """Columns of a file to import are not recognised; what is needed to choose them comes with it."""

    def __init__(
        self,
        sentence: str,
        missing: tuple[str, ...],
        recognised: dict[str, str],
        file_columns: tuple[str, ...],
        sample: tuple[tuple[str, ...], ...],
    ) -> None:
        super().__init__(sentence)
        self.missing = missing
        """Our names that have no column of the file."""
        self.recognised = recognised
        """Our name -> the file's column, as far as known."""
        self.file_columns = file_columns
        self.sample = sample
        """First rows as text, in the order of `file_columns`."""


class KeyNotKept(LabError):
    """A key could not be written to its file."""


class CannotIterate(LabError):
    """An iteration can't start now."""


class BadScript(LabError):
    """A script does not compile, so it is not taken."""


class BadRange(LabError):
    """What a parameter shall be varied over can't be read."""


class IterationPaused(LabError):
    """An iteration can't go on before `until`; it keeps what it has and goes on from there."""

    def __init__(self, sentence: str, until: datetime) -> None:
        super().__init__(sentence)
        self.until = until


class StrategistFailed(LabError):
    """The strategist gave nothing that can be used."""
