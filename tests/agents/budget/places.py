"""Where the money is kept in tests: a SQLite workspace, or a PostgreSQL server started for the test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lab.store.database import Store
from lab.store.workspace import Workspace

PLACES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql"))]


def opened(place: str) -> Store:
    """The store at a workspace's folder or a server's URL."""
    return Store(place if place.startswith("postgresql") else Workspace(Path(place)))


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL server of its own, without a password, on a free port of loopback. Skips where it is not installed."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL here: install Debian's package `postgresql`")
    pytest.importorskip("psycopg", reason="no driver for PostgreSQL: install psycopg")
    as_other: list[str] = []
    if os.geteuid() == 0:
        # The server refuses to run as root.
        if shutil.which("setpriv") is None:
            pytest.skip("PostgreSQL does not run as root, and there is no setpriv to run it as somebody else")
        as_other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Not in the folder pytest gives: each start of pytest closes that to others, and the server is another user.
    with TemporaryDirectory(prefix="lab-postgresql-") as name:
        folder = Path(name)
        if as_other:
            shutil.chown(folder, "postgres", "postgres")
        with _server(programs, as_other, folder, port):
            yield f"postgresql+psycopg://lab@127.0.0.1:{port}/postgres"


@contextmanager
def _server(programs: Path, as_other: list[str], folder: Path, port: int) -> Iterator[None]:
    data, log, clean = folder / "data", folder / "log", {"PATH": os.environ["PATH"], "LC_ALL": "C"}

    def run(*command: str | Path) -> None:
        # To a file: the server keeps what it inherits open, and a pipe would never end.
        with (folder / "said").open("ab") as said:
            done = subprocess.run([*as_other, *command], stdout=said, stderr=said, check=False, env=clean, cwd=folder)
        assert done.returncode == 0, (folder / "said").read_text() + (log.read_text() if log.exists() else "")

    run(programs / "initdb", "-D", data, "-U", "lab", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=300 -c fsync=off"
    run(programs / "pg_ctl", "-D", data, "-l", log, "-w", "-t", "120", "-o", options, "start")
    try:
        yield
    finally:
        run(programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return next((path for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True) if (path / "initdb").exists()), None)
