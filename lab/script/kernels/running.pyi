"""What goes on from bar to bar without a window: averages, running sums, values held since something happened, and Wilder's systems."""

from collections.abc import Callable

KERNELS: dict[str, tuple[int, str, str, Callable[[int], int] | None]]
