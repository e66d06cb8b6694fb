"""Between the typed results and the JSON in which the database keeps them."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def to_json(value: Any) -> dict[str, Any]:
    """A dataclass as a JSON object; dates become ISO text, tuples lists."""
    dumped: dict[str, Any] = _adapter(type(value)).dump_python(value, mode="json")
    return dumped


def from_json(kind: type[T], data: dict[str, Any]) -> T:
    """The dataclass that `to_json` was given. Raises pydantic's ValidationError for JSON of another shape."""
    value: T = _adapter(kind).validate_python(data)
    return value
