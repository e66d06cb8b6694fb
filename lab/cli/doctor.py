"""`lab doctor`: what may be wrong here, each with what to do."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli.tables import print_json, print_table
from lab.settings import Settings


def doctor_command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Look at versions, keys (whether there are any), database, bars, worker and terminal. Exit status 1 where something is wrong."""
    from lab.agents.doctor import Health, examine
    from lab.work.health import worker_finding

    settings = Settings()
    found = [*examine(settings.home, settings.config), worker_finding(settings.home)]
    if as_json:
        print_json(found)
    else:
        print_table(("", "Area", "", "Found"), [(one.health.value, one.area, one.name, one.says) for one in found])
        for one in found:
            if one.advice and one.health is not Health.FINE:
                print(f"{one.area} {one.name}: {one.advice}")
    raise typer.Exit(1 if any(one.health is Health.PROBLEM for one in found) else 0)
