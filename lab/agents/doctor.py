"""What may be wrong with an installation and a workspace, each with what to do: looked at without changing anything.

It opens no workspace, so it also speaks where none can be opened. Keys are only looked for, never shown.
"""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lab.errors import LabError

PACKAGES = ("textual", "polars", "sqlalchemy", "anthropic", "numpy", "exchange-calendars")
LITTLE_SPACE = 500_000_000


class Health(StrEnum):
    FINE = "fine"
    NOTE = "note"
    """Works, with something missing."""
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    area: str
    """"versions", "keys", "workspace", "database", "bars", "worker" or "terminal"."""
    name: str
    health: Health
    says: str
    advice: str = ""
    """What to do, a sentence; empty where there is nothing to do."""


def examine(home: Path, config: Path, environment: Mapping[str, str] | None = None) -> list[Finding]:
    """Everything that can be looked at from outside the program. Reads files and the database; takes a moment on a large one."""
    return [*installation(home, config, environment), *terminal(environment)]


def installation(home: Path, config: Path, environment: Mapping[str, str] | None = None) -> list[Finding]:
    """What has nothing to do with the terminal: versions, keys, workspace, database, bars."""
    given = os.environ if environment is None else environment
    return [*_versions(), *_keys(config, given), *_workspace(home), *_database(home), *_bars(home)]


def terminal(environment: Mapping[str, str] | None = None) -> list[Finding]:
    """What the terminal of this process can do. Reads nothing but the environment."""
    return [*_terminal(os.environ if environment is None else environment)]


def _versions() -> Iterator[Finding]:
    yield Finding("versions", "Python", Health.FINE, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding("versions", name, Health.PROBLEM, "is not installed", "Install lab again with `uv sync`.")
    yield Finding("versions", "packages", Health.FINE, ", ".join(found))
    from lab.store.sqlite import journal_mode

    safe = journal_mode(sqlite3.sqlite_version_info) == "wal"
    says = f"{sqlite3.sqlite_version}" + ("" if safe else ": its write-ahead log can lose data, so a slower journal is used")
    advice = "" if safe else "It is safe as it is; a Python with SQLite 3.51.3 or newer lets several processes read while one writes."
    yield Finding("versions", "SQLite", Health.FINE if safe else Health.NOTE, says, advice)


def _keys(config: Path, environment: Mapping[str, str]) -> Iterator[Finding]:
    from lab.agents.keys import ANTHROPIC_VARIABLE, FILE, VARIABLE, anthropic_key, polygon_key

    anthropic, polygon = anthropic_key(config, environment), polygon_key(config / FILE, environment)
    for name, variable, kept, without, how in (
        ("Anthropic", ANTHROPIC_VARIABLE, anthropic, "agents think with the built-in strategist", "`lab usage key` keeps one"),
        ("Polygon", VARIABLE, polygon, "bars come from files or the demo market", "The screen that fetches bars (F) keeps one"),
    ):
        if kept is None:
            yield Finding("keys", name, Health.NOTE, f"no key: {without}", f"{how}, or set {variable}.")
        else:
            where = "in the environment" if environment.get(variable, "").strip() else "kept by lab or the system's keyring"
            yield Finding("keys", name, Health.FINE, f"there is a key, {where}")


def _workspace(home: Path) -> Iterator[Finding]:
    if not home.exists():
        yield Finding("workspace", "folder", Health.NOTE, f"{home} is not there yet", "`lab` makes it at its first start.")
        return
    if not os.access(home, os.W_OK | os.X_OK):
        yield Finding("workspace", "folder", Health.PROBLEM, f"{home} can't be written", "Make it writable, or set LAB_HOME to another.")
    else:
        yield Finding("workspace", "folder", Health.FINE, str(home))
    free = shutil.disk_usage(home).free
    little = free < LITTLE_SPACE
    advice = "Make room: a full disk stops iterations and backups." if little else ""
    yield Finding("workspace", "disk", Health.PROBLEM if little else Health.FINE, f"{free / 1e9:,.1f} GB free", advice)


def _database(home: Path) -> Iterator[Finding]:
    from lab.store.head import HEAD
    from lab.store.workspace import Workspace

    workspace = Workspace(home)
    path = workspace.database_path
    if not path.exists():
        yield Finding("database", "file", Health.NOTE, "there is none yet", "`lab` makes it at its first start.")
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    readable = bool(mode & 0o077)
    advice = f"`chmod 600 {path}`." if readable else ""
    yield Finding(
        "database", "file", Health.PROBLEM if readable else Health.FINE, f"{path.stat().st_size / 1e6:,.1f} MB, mode {mode:o}", advice
    )
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            wrong = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)") if row[0] != "ok"]
            held = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        yield Finding("database", "content", Health.PROBLEM, f"can't be read: {error}", workspace.recovery_advice())
        return
    if wrong:
        yield Finding("database", "content", Health.PROBLEM, f"is damaged: {'; '.join(wrong)}", workspace.recovery_advice())
    else:
        yield Finding("database", "content", Health.FINE, "is sound")
    if held is None or held[0] != HEAD:
        found = "none" if held is None else held[0]
        advice = "`lab` brings an older one up to date after a backup; for a newer one install the newer lab."
        yield Finding("database", "schema", Health.NOTE, f"is {found}; this lab works with {HEAD}", advice)
    else:
        yield Finding("database", "schema", Health.FINE, f"{HEAD}, as this lab expects")
    backups = workspace.backup_files()
    says = f"{len(backups)} checked, the newest {backups[0].name}" if backups else "none yet: one is made before each change of the schema"
    yield Finding("database", "backups", Health.FINE, says)


def _bars(home: Path) -> Iterator[Finding]:
    from lab.agents.data import coverage
    from lab.store.workspace import Workspace

    try:
        rows = coverage(Workspace(home))
    except (LabError, OSError) as error:
        yield Finding("bars", "list", Health.PROBLEM, str(error), "`lab data repair` makes the list of bars anew.")
        return
    for name, part in (("real", [row for row in rows if not row.synthetic]), ("demo market", [row for row in rows if row.synthetic])):
        damaged = [f"{row.ticker} {row.timeframe}" for row in part if row.damaged_years]
        if damaged:
            says = f"damaged files of {', '.join(damaged[:5])}{' and others' if len(damaged) > 5 else ''}"
            yield Finding("bars", name, Health.PROBLEM, says, "`lab data repair` sets them aside and gets back what came from Polygon.")
        elif part:
            bars, tickers = sum(row.rows for row in part), len({row.ticker for row in part})
            yield Finding("bars", name, Health.FINE, f"{tickers:,} tickers, {bars:,} bars, none known as damaged")
        else:
            yield Finding("bars", name, Health.FINE, "none cached")


def _terminal(environment: Mapping[str, str]) -> Iterator[Finding]:
    term, colour = environment.get("TERM", ""), environment.get("COLORTERM", "")
    if "NO_COLOR" in environment:
        yield Finding(
            "terminal", "colours", Health.NOTE, "none, since NO_COLOR is set", "Everything is said in words too; unset it for colours."
        )
    elif colour in ("truecolor", "24bit"):
        yield Finding("terminal", "colours", Health.FINE, f"16 million ({term})")
    elif "256" in term:
        yield Finding("terminal", "colours", Health.FINE, f"256 ({term})")
    else:
        advice = "If your terminal knows more, set TERM=xterm-256color, or COLORTERM=truecolor."
        yield Finding("terminal", "colours", Health.NOTE, f"16 ({term or 'TERM is not set'})", advice)
    encoding = (getattr(sys.__stdout__, "encoding", None) or "").lower().replace("-", "")
    if encoding != "utf8":
        advice = "Set LANG to a UTF-8 locale, such as C.UTF-8, or charts show question marks."
        yield Finding("terminal", "characters", Health.PROBLEM, f"{encoding or 'unknown'} instead of UTF-8", advice)
    else:
        yield Finding("terminal", "characters", Health.FINE, "UTF-8")
    width, height = shutil.get_terminal_size()
    small = width < 80 or height < 24
    advice = "80x24 shows every function; below 60x20 lab asks for more room." if small else ""
    yield Finding("terminal", "size", Health.NOTE if small else Health.FINE, f"{width}x{height}", advice)
    over = [words for name, words in (("SSH_CONNECTION", "over SSH"), ("TMUX", "in tmux"), ("STY", "in screen")) if environment.get(name)]
    if over:
        advice = "For copying with y: `set -g set-clipboard on` in tmux." if "in tmux" in over else ""
        yield Finding("terminal", "connection", Health.FINE, " ".join(over), advice)
