"""The person's keys for Polygon and for Claude: from the environment, the system's keyring, or a file that only they can read."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from pydantic import SecretStr

from lab.agents.errors import KeyNotKept

VARIABLE = "POLYGON_API_KEY"
FILE = "polygon.key"
"""In the config folder."""
ANTHROPIC_VARIABLE = "ANTHROPIC_API_KEY"
ANTHROPIC_FILE = "anthropic.key"
KEYRING_SERVICE = "lab"
"""Under which the system's keyring is asked, with the variable's name as the user; only where the package `keyring` is installed."""

_FILE_MODE = 0o600
_LONGEST = 1000


def polygon_key(path: Path, environment: Mapping[str, str] | None = None) -> SecretStr | None:
    """The key in the variable `POLYGON_API_KEY`, else in the system's keyring, else the one in the file; None where there is none.

    A key file that others could read is closed to them.
    """
    return _given(VARIABLE, environment) or _in_keyring(VARIABLE) or _kept(path)


def anthropic_key(folder: Path, environment: Mapping[str, str] | None = None) -> SecretStr | None:
    """The key in the variable `ANTHROPIC_API_KEY`, else in the system's keyring, else in a file of the config folder; or None."""
    return _given(ANTHROPIC_VARIABLE, environment) or _in_keyring(ANTHROPIC_VARIABLE) or _kept(folder / ANTHROPIC_FILE)


def _given(variable: str, environment: Mapping[str, str] | None) -> SecretStr | None:
    given = (os.environ if environment is None else environment).get(variable, "").strip()
    return SecretStr(given) if given else None


def _in_keyring(user: str) -> SecretStr | None:
    try:
        keyring = import_module("keyring")
        kept = keyring.get_password(KEYRING_SERVICE, user)
    except Exception:
        # Not installed, locked, or no desktop to ask: each of its backends has errors of its own.
        return None
    return SecretStr(kept.strip()) if kept and kept.strip() else None


def _kept(path: Path) -> SecretStr | None:
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
    _save(path, key, VARIABLE)


def save_anthropic_key(folder: Path, key: SecretStr, in_keyring: bool = False) -> str:
    """Keep the key in a file (0600) of the config folder, whole or not at all, or in the system's keyring. Returns where.

    Raises KeyNotKept.
    """
    if not in_keyring:
        _save(folder / ANTHROPIC_FILE, key, ANTHROPIC_VARIABLE)
        return str(folder / ANTHROPIC_FILE)
    try:
        keyring = import_module("keyring")
    except ImportError as error:
        raise KeyNotKept("The package `keyring` is not installed: `pip install keyring`, or leave --keyring out.") from error
    try:
        keyring.set_password(KEYRING_SERVICE, ANTHROPIC_VARIABLE, key.get_secret_value().strip())
    except Exception as error:
        # Each of its backends has errors of its own, whose words may hold what was to be kept.
        raise KeyNotKept(
            f"The system's keyring did not take the key ({type(error).__name__}): leave --keyring out to keep it in a file."
        ) from None
    return "the system's keyring"


def _save(path: Path, key: SecretStr, variable: str) -> None:
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
        raise KeyNotKept(f"The key could not be kept in {path}: {error.strerror}. It can be given in {variable} instead.") from error


__all__ = ["ANTHROPIC_VARIABLE", "FILE", "VARIABLE", "anthropic_key", "polygon_key", "save_anthropic_key", "save_polygon_key"]
