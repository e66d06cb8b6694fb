"""Why a model is not called, each as a sentence a person can act on."""

from __future__ import annotations

from datetime import datetime

from lab.agents.errors import IterationPaused, StrategistFailed


class Unpriced(StrategistFailed):
    """The model has no price, so what a call would cost can't be known."""


class BadPrices(StrategistFailed):
    """The file of prices can't be read."""


class OutOfBudget(IterationPaused):
    """The day's budget does not cover the next call. `until` is the start of the next New York day."""

    def __init__(self, sentence: str, until: datetime) -> None:
        super().__init__(sentence, until)
