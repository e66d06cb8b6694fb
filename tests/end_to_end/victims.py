"""A worker that is to be killed: the real one on the real database, in a process forked from one that has imported everything."""

from __future__ import annotations

import asyncio
import importlib
import os
import pkgutil
import signal
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from exchange_calendars import exchange_calendar_xnys
from sqlalchemy import event
from sqlalchemy.orm import configure_mappers
from sqlmodel import Session

from lab.work import worker

BESIDE = ("anthropic", "anyio._backends._asyncio", "arch.bootstrap", "h11", "httpcore2", "httpx2", "scipy.stats", "truststore")
"""What the lab's modules import only when they need it."""


def _import_everything() -> None:
    for room in ("script", "backtest", "market", "agents", "store", "work"):
        package = importlib.import_module(f"lab.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__") and ".migrations" not in module.name:
                importlib.import_module(module.name)
    for name in ("lab.settings", *BESIDE):
        importlib.import_module(name)
    configure_mappers()


def _keep_calendar() -> None:
    """The exchange's calendar takes a second to make: it is made once. Nothing of Polars may run before the fork, so not its table."""
    make: Callable[..., Any] = exchange_calendar_xnys.XNYSExchangeCalendar
    made: dict[tuple[Any, ...], Any] = {}

    def kept(**span: Any) -> Any:
        key = tuple(sorted(span.items()))
        return made[key] if key in made else made.setdefault(key, make(**span))

    exchange_calendar_xnys.XNYSExchangeCalendar = kept
    from datetime import date

    from lab.market import calendar

    kept(start=calendar._FIRST_KNOWN.isoformat(), end=date(date.today().year + calendar._YEARS_AHEAD, 12, 31).isoformat())


def _threads(processes: int, limits: object) -> Executor:
    """Computations in this process: those of its pool would each import everything anew, and die with it anyway."""
    return ThreadPoolExecutor(1)


def work(home: str) -> None:
    """Run what waits in the workspace, as `python -m lab.work HOME --drain` does."""
    worker.Executor = _threads  # type: ignore[assignment,misc]  # a class is replaced by what makes another
    asyncio.run(worker.run(Path(home), drain=True))


def work_until_commit(home: str, number: int, before: bool) -> None:
    """The same, but this process kills itself at its commit of that number (from 1): just before it, or as soon as it is done."""
    commits = 0

    def count(session: Session) -> None:
        nonlocal commits
        commits += 1
        if commits == number:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Session, "before_commit" if before else "after_commit", count)
    work(home)


def _warm_up() -> None:
    """Tables that are made on first need, of nothing but Python."""
    from datetime import date

    from lab.agents.claude import telling
    from lab.agents.claude.blind import Blind

    telling.language(Blind(("AAPL",), "SPY", "VIX", date(2024, 1, 2), date(2024, 12, 31), "anything"))


_import_everything()
_keep_calendar()
_warm_up()
__all__ = ["work", "work_until_commit"]
