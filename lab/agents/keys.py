"""The person's key for Polygon: from the environment, or from a file that only they can read."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr

from lab.agents.errors import KeyNotKept

VARIABLE = "POLYGON_API_KEY"
FILE = "polygon.key"
"""In the config folder."""

_FILE_MODE = 0o600
_LONGEST = 1000


def polygon_key(path: Path, environment: Mapping[str, str] | None = None) -> SecretStr | None:
    """The key in the variable `POLYGON_API_KEY`, else the one in the file; None where there is none.

    A key file that others could read is closed to them.
    """
    given = (os.environ if environment is None else environment).get(VARIABLE, "").strip()
    if given:
        return SecretStr(given)
    try:
        with path.open("rb") as file:
            information = os.fstat(file.fileno())
            if stat.S_IMODE(information.st_mode) & 0o077 and information.st_uid == os.geteuid():
                os.fchmod(file.fileno(), _FILE_MODE)
            kept = file.read(_LONGEST).decode("utf-8", "replace").strip()
    except OSError:
        return None
    return SecretStr(kept) if kept else None


def save_polygon_key(path: Path, key: SecretStr) -> None:
    """Keep the key in the file (0600), whole or not at all. Raises KeyNotKept where the folder can't be written."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made 0600
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(key.get_secret_value().strip() + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise KeyNotKept(f"The key could not be kept in {path}: {error.strerror}. It can be given in {VARIABLE} instead.") from error


__all__ = ["FILE", "VARIABLE", "polygon_key", "save_polygon_key"]
