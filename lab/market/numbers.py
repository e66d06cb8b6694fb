"""Reading prices and volumes that are written as text, with decimal points or commas."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_SIGNS = r"[\s\u00a0\u202f'’$€£\x80]"
"""Blanks and apostrophes part thousands in some countries; a currency's sign (\\x80 is a misread €) says nothing new."""


def commas_are_points(prices: Sequence[pl.Series], separator: str) -> bool:
    """Whether the file writes 101,25 for 101.25. Where its prices don't tell, semicolons between fields do."""
    commas, points = False, False
    for column in prices:
        if column.dtype != pl.String:
            continue
        texts = column.str.replace_all(_SIGNS, "")
        if texts.str.contains(r",\d*\.").any():
            return False
        if texts.str.contains(r"\.\d*,").any() or texts.str.contains(r"^[-+]?\d*,(\d{1,2}|\d{4,})$").any():
            return True
        commas |= bool(texts.str.contains(",", literal=True).any())
        points |= bool(texts.str.contains(".", literal=True).any())
    return separator == ";" and (commas or not points)


def numbers(column: pl.Series, comma_is_point: bool) -> pl.Series:
    """The column as numbers, null where a text is none."""
    if column.dtype != pl.String:
        return column.cast(pl.Float64, strict=False)
    if not comma_is_point:
        plain = column.cast(pl.Float64, strict=False)
        if plain.null_count() == column.null_count():
            return plain
    texts = column.str.replace_all(_SIGNS, "")
    if not comma_is_point:
        return texts.str.replace_all(",", "", literal=True).cast(pl.Float64, strict=False)
    written = texts.filter(texts.str.contains(r"[.,]"))
    # Volumes such as 1.234.567 part thousands; one such as 5000.0 was written by a program that has no commas there.
    parted = written.str.contains(",", literal=True).any() or written.str.contains(r"^[-+]?\d{1,3}(\.\d{3})+$").all()
    if parted:
        texts = texts.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    return texts.cast(pl.Float64, strict=False)
