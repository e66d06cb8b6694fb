"""Windows of the last n bars."""

from collections.abc import Callable

KERNELS: dict[str, tuple[int, str, str, Callable[[int], int] | None]]
