"""Arithmetic, comparisons and logic, bar by bar."""

from collections.abc import Callable

KERNELS: dict[str, tuple[int, str, str, Callable[[int], int] | None]]
