"""What the interface and the process of its laboratory say to each other: dataclasses, pickled, over a socket between the two."""

from __future__ import annotations

import pickle
import socket
import struct
from dataclasses import dataclass
from typing import Any

_LENGTH = struct.Struct("!I")
REMEMBERED = 12
"""Calls whose last reply both sides remember, so that parts of it which have not changed are not sent again."""


def identity(path: tuple[str, ...], arguments: bytes) -> bytes:
    """By which both sides know that a call was made before."""
    return ".".join(path).encode() + arguments


@dataclass(frozen=True, slots=True)
class Call:
    """Something the interface wants to know or have done."""

    number: int
    path: tuple[str, ...]
    """Names from the laboratory to the function, such as ("usage", "calls")."""
    arguments: bytes
    """(positional, by name), pickled; functions among them are `Report`s."""


@dataclass(frozen=True, slots=True)
class Report:
    """Stands for a function of the interface that a long call tells its progress."""

    place: int


@dataclass(frozen=True, slots=True)
class Reported:
    number: int
    place: int
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """The person wants no more of this call: its next report raises the error."""

    number: int
    error: Exception


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a call: its value in parts, or an error."""

    number: int
    parts: tuple[bytes | None, ...] = ()
    """The value pickled, in one part or one for each of its rows; None for a part that is what it was in the reply before."""
    rows: type[list[Any]] | type[tuple[Any, ...]] | None = None
    """How the parts are put together; None where there is one."""
    error: BaseException | None = None


def send(connection: socket.socket, message: object) -> None:
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    connection.sendall(_LENGTH.pack(len(data)) + data)


def receive(connection: socket.socket) -> Any:
    """The next message. Raises EOFError where the other side is gone."""
    return pickle.loads(_exactly(connection, _LENGTH.unpack(_exactly(connection, _LENGTH.size))[0]))


def _exactly(connection: socket.socket, length: int) -> bytearray:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        try:
            got = connection.recv_into(view)
        except ConnectionError:
            got = 0
        if not got:
            raise EOFError
        view = view[got:]
    return data
