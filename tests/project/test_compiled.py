"""What is compiled at install: a person who lacks it is told what to run, and a package that is built holds all of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lab import compiled

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path.relative_to(ROOT) for path in (ROOT / "lab").rglob("*.pyx"))


def test_a_module_that_was_not_compiled_is_named_with_what_to_run(tmp_path: Path) -> None:
    needed = ("__init__.py", "compiled.py", "errors.py", "on_use.py", "backtest/__init__.py", "backtest/reading.pyx")
    for name in (f"lab/{file}" for file in needed):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    code = "from lab.backtest.reading import mark_usable"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path)}
    )
    assert f"lab.backtest.reading of the program is missing: run `{compiled.REBUILD}` in {tmp_path}." in done.stderr


def test_a_module_older_than_its_source_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_PACKAGE", tmp_path)
    source, built = tmp_path / "loop.pyx", tmp_path / f"loop{compiled.EXTENSION_SUFFIXES[0]}"
    source.touch()
    built.touch()
    os.utime(source, (1_000, 1_000))
    os.utime(built, (2_000, 2_000))
    assert compiled.outdated() is None
    os.utime(source, (3_000, 3_000))
    assert compiled.REBUILD in (compiled.outdated() or "")


def test_every_compiled_module_has_its_types_beside_it() -> None:
    assert SOURCES
    assert [path for path in SOURCES if not (ROOT / path).with_suffix(".pyi").is_file()] == []


@pytest.mark.slow
def test_a_built_package_holds_the_themes_and_all_compiled_modules(tmp_path: Path) -> None:
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not on the PATH")
    # What is built is looked at, not run: optimizing it would take most of the time.
    hurried = tmp_path / "cc"
    hurried.write_text('#!/bin/sh\nexec cc "$@" -O0\n')
    hurried.chmod(0o700)
    env = os.environ | {"VIRTUAL_ENV": sys.prefix, "CC": str(hurried)}
    copied = shutil.copytree(
        ROOT, tmp_path / "checkout", ignore=shutil.ignore_patterns(".*", "build", "uv.lock", "tests", "*.so", "pictures", "__pycache__")
    )
    subprocess.run([uv, "build", "-q", "--no-build-isolation", "--out-dir", str(tmp_path), str(copied)], env=env, check=True)
    [wheel] = tmp_path.glob("*.whl")
    held = zipfile.ZipFile(wheel).namelist()
    assert [name for name in held if name.endswith((".pyx", ".c"))] == []
    for source in SOURCES:
        assert any(name.startswith(f"{source.with_suffix('')}.") and name.endswith((".so", ".pyd")) for name in held), source
    assert {f"lab/themes/{path.name}" for path in (ROOT / "themes").glob("*.toml")} <= set(held)
