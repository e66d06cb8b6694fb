"""The session so far, the session before, and the clock."""

from collections.abc import Callable

KERNELS: dict[str, tuple[int, str, str, Callable[[int], int] | None]]
