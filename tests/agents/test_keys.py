"""A person's keys: looked for in the environment, then the system's keyring, then a file that only they can read."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked
from pydantic import SecretStr

from lab.agents.errors import KeyNotKept
from lab.agents.keys import ANTHROPIC_VARIABLE, FILE, anthropic_key, polygon_key, save_anthropic_key, save_polygon_key


class _Ring(KeyringBackend):
    """The `keyring` package's own interface over a dictionary."""

    priority = 1.0

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("no")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise KeyringLocked(f"could not keep {password}")
        self.kept[service, username] = password


@pytest.fixture
def ring() -> Iterator[_Ring]:
    before, ring = keyring.get_keyring(), _Ring()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def secret(key: SecretStr | None) -> str | None:
    return None if key is None else key.get_secret_value()


def test_the_environment_comes_before_the_keyring_and_that_before_the_file(ring: _Ring, tmp_path: Path) -> None:
    assert anthropic_key(tmp_path, {}) is None
    assert save_anthropic_key(tmp_path, SecretStr("in-file")) == str(tmp_path / "anthropic.key")
    assert secret(anthropic_key(tmp_path, {})) == "in-file"
    assert save_anthropic_key(tmp_path, SecretStr(" in-ring\n"), in_keyring=True) == "the system's keyring"
    assert ring.kept == {("lab", ANTHROPIC_VARIABLE): "in-ring"}
    assert secret(anthropic_key(tmp_path, {})) == "in-ring"
    assert secret(anthropic_key(tmp_path, {ANTHROPIC_VARIABLE: "given"})) == "given"
    assert "in-ring" not in repr(anthropic_key(tmp_path, {}))


def test_polygons_key_is_found_in_the_same_places(ring: _Ring, tmp_path: Path) -> None:
    save_polygon_key(tmp_path / FILE, SecretStr("in-file"))
    assert secret(polygon_key(tmp_path / FILE, {})) == "in-file"
    ring.kept["lab", "POLYGON_API_KEY"] = "in-ring"
    assert secret(polygon_key(tmp_path / FILE, {})) == "in-ring"
    assert secret(polygon_key(tmp_path / FILE, {"POLYGON_API_KEY": "given"})) == "given"


def test_a_locked_keyring_is_passed_by_and_says_so_when_it_is_to_keep_a_key(ring: _Ring, tmp_path: Path) -> None:
    save_anthropic_key(tmp_path, SecretStr("in-file"))
    ring.locked = True
    assert secret(anthropic_key(tmp_path, {})) == "in-file"
    with pytest.raises(KeyNotKept, match="keyring did not take the key") as refused:
        save_anthropic_key(tmp_path, SecretStr("sk-ant-canary"), in_keyring=True)
    assert "KeyringLocked" in str(refused.value)
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_key_file_is_readable_by_its_owner_alone_even_if_it_was_not(ring: _Ring, tmp_path: Path) -> None:
    save_anthropic_key(tmp_path / "config", SecretStr("k"))
    path = tmp_path / "config" / "anthropic.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert secret(anthropic_key(tmp_path / "config", {})) == "k"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
