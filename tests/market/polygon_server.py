"""A server on loopback that answers as Polygon does: bars of any length, splits, dividends, news, tickers; and misbehaves on demand."""

from __future__ import annotations

import json
import math
import threading
import time
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
    """As they were traded; where `adjusted=true` is asked for they are divided by the splits."""
    splits: dict[str, list[tuple[date, float]]] = field(default_factory=dict)
    """By ticker: (execution date, new shares for one)."""
    dividends: dict[str, list[tuple[date, float]]] = field(default_factory=dict)
    news: list[dict[str, Any]] = field(default_factory=list)
    """Articles as the vendor sends them, in any order."""
    tickers: list[dict[str, Any]] = field(default_factory=list)
    recorded: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Whole replies by path, given instead of all else."""
    page_size: int = 500
    faults: dict[int, Fault] = field(default_factory=dict)
    """By the number of the page of bars, from 1."""
    every: Fault | None = None
    asked: list[str] = field(default_factory=list)
    queries: list[dict[str, list[str]]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    """When each call came, by this process's monotonic clock."""
    every_path: dict[str, Fault] = field(default_factory=dict)
    """By the beginning of a path: what goes wrong with each call of it."""
    any_call: dict[int, Fault] = field(default_factory=dict)
    """By the number of the call of whatever kind, from 1."""
    port: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked_for(self, beginning: str) -> list[str]:
        """The paths asked for that begin so."""
        return [path for path in self.asked if path.startswith(beginning)]

    @property
    def pages(self) -> list[str]:
        """The pages of bars asked for."""
        return self.asked_for("/v2/aggs/")


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
        path, query = unquote(parts.path), parse_qs(parts.query)
        with state.guard:
            state.asked.append(path)
            state.queries.append(query)
            state.times.append(time.monotonic())
            number = len(state.asked)
            aggregate = len(state.pages) if path.startswith("/v2/aggs/") else 0
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            self.send(Reply({"status": "ERROR", "request_id": "1", "error": "Unknown API Key"}, 401))
            return
        reply = Reply(state.recorded[path] if path in state.recorded else self.page(path, query))
        faults = [fault for beginning, fault in state.every_path.items() if path.startswith(beginning)]
        if aggregate:
            faults.append(state.faults.get(aggregate, state.every or (lambda reply: None)))
        faults.append(state.any_call.get(number, lambda reply: None))
        for fault in faults:
            fault(reply)
        self.send(reply)

    def page(self, path: str, query: dict[str, list[str]]) -> dict[str, Any]:
        if path.startswith("/v2/aggs/"):
            return self.bars(path, query)
        if path == "/v1/marketstatus/now":
            return {"market": "open", "serverTime": "2024-07-05T11:00:00-04:00", "exchanges": {"nyse": "open", "nasdaq": "open"}}
        listed = self.listed(path, query)
        offset = int(query.get("cursor", ["0"])[0])
        size = min(self.polygon.page_size, int(query.get("limit", ["1000"])[0]))
        shown = listed[offset : offset + size]
        document: dict[str, Any] = {"status": "OK", "request_id": "1", "count": len(shown), "results": shown}
        if path.startswith("/v3/reference/splits"):
            del document["count"]  # as the vendor's replies have none
        if offset + len(shown) < len(listed):
            kept = "&".join(f"{name}={values[0]}" for name, values in query.items() if name != "cursor")
            document["next_url"] = f"{self.polygon.url}{path}?cursor={offset + len(shown)}&{kept}"
        return document

    def listed(self, path: str, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        def inside(field: str, value: str) -> bool:
            low, high, below = (query.get(f"{field}.{end}", [edge])[0] for end, edge in (("gte", ""), ("lte", "~"), ("lt", "~")))
            return low <= value <= high and value < below

        state, ticker = self.polygon, query.get("ticker", [""])[0]
        if path == "/v3/reference/splits":
            return [
                {"id": f"E{name}{day}", "execution_date": str(day), "split_from": 1, "split_to": ratio, "ticker": name}
                for name, found in state.splits.items()
                for day, ratio in found
                if ticker in ("", name) and inside("execution_date", str(day))
            ]
        if path == "/v3/reference/dividends":
            return [
                {
                    "cash_amount": cash,
                    "dividend_type": "CD",
                    "ex_dividend_date": str(day),
                    "frequency": 4,
                    "ticker": name,
                    "currency": "USD",
                }
                for name, found in state.dividends.items()
                for day, cash in found
                if ticker == name and inside("ex_dividend_date", str(day))
            ]
        if path == "/v2/reference/news":
            found = [one for one in state.news if ticker in one["tickers"] and inside("published_utc", one["published_utc"])]
            return sorted(found, key=lambda one: one["published_utc"])
        if path == "/v3/reference/tickers":
            words = query.get("search", [""])[0].lower()
            found = [one for one in state.tickers if words in f"{one['ticker']} {one['name']}".lower()]
            return [one for one in found if not ticker or one["ticker"] == ticker]
        raise AssertionError(path)

    def bars(self, path: str, query: dict[str, list[str]]) -> dict[str, Any]:
        _, _, _, _, ticker, _, _, _, first, last = path.split("/")
        adjusted = query.get("adjusted", ["true"])[0] == "true"
        known = [bar for bar in self.polygon.bars.get(ticker, []) if _not_before(bar, first) and _day(bar) <= last]
        if adjusted and not ticker.startswith("I:"):
            known = [_adjusted(bar, self.polygon.splits.get(ticker, [])) for bar in known]
        offset = int(query.get("cursor", ["0"])[0])
        shown = known[offset : offset + self.polygon.page_size]
        document: dict[str, Any] = {"ticker": ticker, "queryCount": len(shown), "resultsCount": len(shown)}
        if not ticker.startswith("I:"):
            document["adjusted"] = adjusted
        if shown:
            document["results"] = [dict(bar) for bar in shown]
        document |= {"status": "OK", "request_id": "1", "count": len(shown)}
        if offset + len(shown) < len(known):
            document["next_url"] = f"{self.polygon.url}{path}?cursor={offset + len(shown)}&adjusted={query.get('adjusted', ['true'])[0]}"
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


def split_bars(bars: list[Bar], day: date, ratio: float) -> list[Bar]:
    """The bars as they are traded when one share becomes `ratio` on that day."""
    return [
        {**bar, **{name: bar[name] / ratio for name in "ohlc"}, "v": bar["v"] * ratio} if _day(bar) >= str(day) else bar for bar in bars
    ]


def _adjusted(bar: Bar, splits: list[tuple[date, float]]) -> Bar:
    factor = math.prod(ratio for day, ratio in splits if _day(bar) < str(day))
    return {**bar, **{name: bar[name] / factor for name in "ohlc"}, "v": bar["v"] * factor}


def _not_before(bar: Bar, first: str) -> bool:
    return bar["t"] >= int(first) if first.isdigit() else _day(bar) >= first


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
