"""Packages whose public names load on first use: nobody waits for the import of what they don't need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def names_on_use(package: str, modules: Mapping[str, tuple[str, ...]]) -> Callable[[str], object]:
    """The `__getattr__` of a package: `modules` says which of its modules, named from it on, holds which public names."""
    home = {name: module for module, names in modules.items() for name in names}

    def load(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{home[name]}"), name)

    return load
