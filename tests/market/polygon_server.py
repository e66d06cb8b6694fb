"""A server on loopback that answers aggregates as Polygon does, any number of bars over several pages, and misbehaves on demand."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

from lab.market import trading_sessions

KEY = "aSecretKeyOfSomebody123"
NEW_YORK = ZoneInfo("America/New_York")
NEVER = 4.0
"""Seconds that a hanging answer takes; longer than any test waits."""

Bar = dict[str, float]


@dataclass
class Reply:
    """What is sent; a fault changes it before."""

    document: dict[str, Any]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut_after: int | None = None
    hang: bool = False
    drip: bool = False


Fault = Callable[[Reply], None]


@dataclass
class Polygon:
    """The server's state: what it knows, how it errs, what it was asked."""

    bars: dict[str, list[Bar]] = field(default_factory=dict)
    page_size: int = 500
    faults: dict[int, Fault] = field(default_factory=dict)
    """By the number of the call, from 1."""
    every: Fault | None = None
    asked: list[str] = field(default_factory=list)
    queries: list[dict[str, list[str]]] = field(default_factory=list)
    port: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def some_bars(first: date, last: date, minutes: int, start: int = 480, end: int = 1020, price: float = 100.0) -> list[Bar]:
    """A bar every `minutes` New York minutes from `start` to `end` on every session; daily bars, stamped midnight, for 1440."""
    found: list[Bar] = []
    for session in trading_sessions(first, last)["session"].to_list():
        for minute in range(start, end, minutes) if minutes < 1440 else (0,):
            moment = datetime(session.year, session.month, session.day, minute // 60, minute % 60, tzinfo=NEW_YORK)
            mid = price * (1 + 0.01 * math.sin(len(found) / 37))
            stamp = int(moment.timestamp() * 1000)
            found.append(
                {"v": 1000.0 + len(found) % 7, "vw": mid, "o": mid, "c": mid + 0.1, "h": mid + 0.2, "l": mid - 0.2, "t": stamp, "n": 3}
            )
    return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20  # head and body in one write; else the system delays the second by 40 ms
    polygon: Polygon

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        state = self.polygon
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        state.asked.append(unquote(parts.path))
        state.queries.append(query)
        number = len(state.asked)
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            self.send(Reply({"status": "ERROR", "request_id": "1", "error": "Unknown API Key"}, 401))
            return
        reply = Reply(self.page(unquote(parts.path), query))
        fault = state.faults.get(number, state.every)
        if fault is not None:
            fault(reply)
        self.send(reply)

    def page(self, path: str, query: dict[str, list[str]]) -> dict[str, Any]:
        _, _, _, _, ticker, _, _, _, first, last = path.split("/")
        known = [bar for bar in self.polygon.bars.get(ticker, []) if first <= _day(bar) <= last]
        offset = int(query.get("cursor", ["0"])[0])
        shown = known[offset : offset + self.polygon.page_size]
        document: dict[str, Any] = {"ticker": ticker, "queryCount": len(shown), "resultsCount": len(shown), "adjusted": True}
        if shown:
            document["results"] = [dict(bar) for bar in shown]
        document |= {"status": "OK", "request_id": "1", "count": len(shown)}
        if offset + len(shown) < len(known):
            document["next_url"] = f"{self.polygon.url}{path}?cursor={offset + len(shown)}"
        return document

    def send(self, reply: Reply) -> None:
        body = reply.raw if reply.raw is not None else json.dumps(reply.document).encode()
        try:
            if reply.hang:
                self.polygon.done.wait(NEVER)
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if reply.drip:
                for place in range(len(body)):
                    self.wfile.write(body[place : place + 1])
                    self.wfile.flush()
                    if self.polygon.done.wait(0.05):
                        return
            if reply.cut_after is not None:
                self.wfile.write(body[: reply.cut_after])
                self.close_connection = True
                return
            self.wfile.write(body)
        except OSError:
            self.close_connection = True


def _day(bar: Bar) -> str:
    return datetime.fromtimestamp(bar["t"] / 1000, UTC).astimezone(NEW_YORK).date().isoformat()


@contextmanager
def serving(polygon: Polygon) -> Iterator[Polygon]:
    """Answer on a free port of loopback until the block ends."""
    handler = type("Handler", (_Handler,), {"polygon": polygon})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    polygon.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield polygon
    finally:
        polygon.done.set()
        server.shutdown()
        server.server_close()
        thread.join()
