"""Work shared among threads, as many as Polars has; compiled loops run side by side in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from typing import TypeVar

import polars as pl

S = TypeVar("S")
T = TypeVar("T")


def on_all_processors(work: Callable[[], None], most: int) -> None:
    """Call `work` in several threads at once, at most `most`, this one among them. What one of them raises is raised here."""
    problems: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as problem:
            problems.append(problem)

    threads = [Thread(target=guarded) for _ in range(min(pl.thread_pool_size(), most) - 1)]
    for thread in threads:
        thread.start()
    guarded()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def both(first: Callable[[], S], second: Callable[[], T]) -> tuple[S, T]:
    """The results of two calls, made side by side where there are processors for it."""
    waiting: list[Callable[[], None]] = []
    one: list[S] = []
    other: list[T] = []
    waiting += [lambda: one.append(first()), lambda: other.append(second())]

    def work() -> None:
        while waiting:
            try:
                call = waiting.pop(0)
            except IndexError:
                return
            call()

    on_all_processors(work, 2)
    return one[0], other[0]


def side_by_side(work: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """The results in their order, made in several threads at once; no more than one a thread waits to be taken."""
    threads = pl.thread_pool_size()
    if threads < 2:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        begun: deque[Future[T]] = deque()
        for item in items:
            begun.append(pool.submit(work, item))
            if len(begun) > threads:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
