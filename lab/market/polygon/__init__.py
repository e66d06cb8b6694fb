"""Polygon (by its new name Massive) as a source of bars, splits, dividends, news, tickers and indices."""

from __future__ import annotations

SOURCE = "polygon"
"""The name of this source, in the manifest of the cache and in the database."""
