"""The command line: `lab` opens the program, its commands do the same work without a screen."""

from __future__ import annotations

import sys

from lab.cli.plain import print_plainly
from lab.compiled import outdated
from lab.errors import LabError


def main() -> None:
    """The entry point of `lab`. What the commands need is loaded only for a command: the screen comes up sooner without it."""
    old = outdated()
    if old is not None:
        print(f"lab: {old}", file=sys.stderr)
    try:
        if len(sys.argv) == 1:
            from lab.cli.program import open_program

            sys.exit(open_program())
        from lab.cli.commands import app

        print_plainly()
        app(prog_name="lab")
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
