"""What can go wrong with bars, each as a sentence the person can act on."""

from __future__ import annotations

from lab.errors import LabError


class MarketError(LabError):
    """Something about the cached bars or a file to import is not as it must be."""


class MissingBars(MarketError):
    """Bars were asked for that are not cached."""


class DamagedBars(MarketError):
    """A cached file does not have the content it was written with."""


class CacheUnwritable(MarketError):
    """The folder of the bars cache can't be written: full, read-only or forbidden."""


class MixedBars(MarketError):
    """Real bars would take the place of synthetic ones of the same name, or the other way round."""


class UnreadableFile(MarketError):
    """A file to import can't be understood."""


class UnknownColumns(UnreadableFile):
    """A file to import may hold bars, but it isn't known which of its columns is which."""

    def __init__(self, sentence: str, missing: tuple[str, ...], recognised: dict[str, str]) -> None:
        super().__init__(sentence)
        self.missing = missing
        """Our names that have no column of the file."""
        self.recognised = recognised
        """Our name -> the file's column, as far as known."""
