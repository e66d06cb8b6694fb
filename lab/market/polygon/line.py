"""Calls to Polygon's REST API: at the plan's rate, with time limits, tried again where that helps, and the key never shown."""

from __future__ import annotations

import ipaddress
import json
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import urllib3
from polygon import RESTClient
from pydantic import SecretStr
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError, SSLError

from lab.market.errors import MarketError
from lab.market.polygon.pace import Pace

_SLICE_SECONDS = 0.1
_MOST_CONNECTIONS = 8
_MOST_TRIES = 5
_MOST_TRIES_UNHEARD = 2
"""Before the first reply: somebody without a network shall not wait for five tries."""
_BUSY_WAITS = (15.0, 30.0, 60.0, 60.0)
_TROUBLE_WAITS = (1.0, 2.0, 4.0, 8.0)
_LONGEST_WAIT = 120.0

Tick = Callable[[str], None]
"""Called ten times a second with what is waited for ("" for a reply); what it raises ends the call."""
Ask = Callable[[Any], urllib3.BaseHTTPResponse]
"""One request, made with the vendor's own client, unread: `raw=True`."""


class PolygonError(MarketError):
    """Polygon gave no bars, or none that can be trusted. `field` says what to change: "key", "tickers", "span", "timeframe" or ""."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from; a test's clock runs faster."""

    now: Callable[[], float] = time.monotonic
    """Seconds since some moment, never falling."""
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait for one call, in seconds."""

    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    """Without a single byte."""
    call_seconds: float = 120.0
    """For the whole of it, however slowly bytes drip in."""


class Unreachable(PolygonError):
    """Polygon does not answer, or is too busy to: asking for something else would fail as well."""


class NotInPlan(PolygonError):
    """The plan of the key does not include what was asked for."""


class _Refused(Exception):
    """An answer with a status other than 200."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(str(status))
        self.status, self.headers, self.body = status, headers, body


class _TryAgain(Exception):
    """A failure that may pass. `wait_seconds` is what the server asked for; `busy` that it was 429."""

    def __init__(self, sentence: str, *, busy: bool = False, wait_seconds: float | None = None) -> None:
        super().__init__(sentence)
        self.busy, self.wait_seconds = busy, wait_seconds


class _Wire:
    """Stands where Polygon's client keeps its connections.

    The client reads no time limit of its own, hides status and headers, and follows redirects; this passes limits, follows
    nothing, and hands over what was answered.
    """

    def __init__(self, pools: urllib3.PoolManager, limits: Limits) -> None:
        self._pools = pools
        self._timeout = urllib3.Timeout(connect=limits.connect_seconds, read=limits.read_seconds)

    def request(self, method: str, url: str, fields: Any = None, headers: Any = None) -> urllib3.BaseHTTPResponse:
        reply = self._pools.request(method, url, fields=fields, headers=headers, timeout=self._timeout, retries=False, redirect=False)
        if reply.status != 200:
            raise _Refused(reply.status, dict(reply.headers), reply.data)
        return reply


class PolygonLine:
    """A connection to Polygon with one key, for any number of threads. Raises PolygonError, its sentences free of the key."""

    def __init__(
        self,
        key: SecretStr,
        base_url: str,
        calls_per_minute: int,
        clock: Clock | None = None,
        limits: Limits | None = None,
        pace: Pace | None = None,
    ) -> None:
        """`pace` counts the calls together with other processes; without it those of this object are counted alone."""
        self.base_url = checked_base(base_url)
        self.host = urlsplit(self.base_url).netloc
        self._key = checked_key(key)
        self._clock = clock or Clock()
        self._limits = limits or Limits()
        self._pace = pace or Pace(calls_per_minute, now=self._clock.now)
        self.calls = 0
        """Answers received so far."""
        self._heard = False
        self._client: Any = RESTClient(api_key=self._key.get_secret_value(), base=self.base_url, retries=0)
        self._client.client.connection_pool_kw |= {"maxsize": _MOST_CONNECTIONS}
        self._client.client = _Wire(self._client.client, self._limits)

    def ask(self, request: Ask, tick: Tick, not_in_plan: str = "") -> dict[str, Any]:
        """The answer to `request`, read from its JSON.

        `not_in_plan` says what a person can do where their plan does not include it. Raises what `tick` raises.
        """
        return self._parsed(self._body(lambda: request(self._client), tick, not_in_plan))

    def following(self, path: str) -> Ask:
        """The request for the page at `path` (with its query), always of this line's own host."""

        def request(client: Any) -> urllib3.BaseHTTPResponse:
            reply: urllib3.BaseHTTPResponse = client.client.request("GET", self.base_url + path, headers=client.headers)
            return reply

        return request

    def readable(self, text: str) -> str:
        """What the server wrote, fit for a sentence: one line, printable, short, and without the key should it echo it."""
        text = text.replace(self._key.get_secret_value(), "…")
        return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:200]

    # Inside

    def _body(self, call: Callable[[], urllib3.BaseHTTPResponse], tick: Tick, not_in_plan: str) -> bytes:
        tries = 0
        while True:
            call_id = self._wait_for_turn(tick)
            tries += 1
            try:
                body = self._attend(call, tick, call_id, not_in_plan)
                self.calls += 1
                return body
            except _TryAgain as error:
                trouble = error
            if tries >= (_MOST_TRIES if self._heard else _MOST_TRIES_UNHEARD):
                raise Unreachable(f"{trouble} It was tried {tries} times; what came before is kept. Try again later.")
            usual = (_BUSY_WAITS if trouble.busy else _TROUBLE_WAITS)[tries - 1]
            wait = usual if trouble.wait_seconds is None else trouble.wait_seconds
            if wait > _LONGEST_WAIT:
                raise Unreachable(f"{trouble} It asks to wait {_length(wait)}: try again then; what came before is kept.")
            self._pause(wait, "trying again in", f"({trouble})", tick)

    def _wait_for_turn(self, tick: Tick) -> str:
        """The id of a call that may start now."""
        while True:
            call_id, wait = self._pace.take()
            if wait == 0.0:
                return call_id
            self._pause(wait, "waiting", f"for the plan's {self._pace.calls} calls a minute", tick)

    def _pause(self, seconds: float, before: str, after: str, tick: Tick) -> None:
        until = self._clock.now() + seconds
        while (rest := until - self._clock.now()) > 0:
            tick(f"{before} {_length(rest)} {after}")
            self._clock.sleep(min(rest, _SLICE_SECONDS))

    def _attend(self, call: Callable[[], urllib3.BaseHTTPResponse], tick: Tick, call_id: str, not_in_plan: str) -> bytes:
        """Make the call in a thread of its own, so that a person can leave while it hangs and a drip of bytes has an end."""
        answer: queue.SimpleQueue[bytes | BaseException] = queue.SimpleQueue()

        def work() -> None:
            result: bytes | BaseException
            try:
                result = call().data
            except BaseException as error:  # handed to the waiting thread, which raises it
                result = error
            with suppress(MarketError):  # a full disk: the call then counts until this process ends
                self._pace.end(call_id)
            answer.put(result)

        threading.Thread(target=work, name="polygon", daemon=True).start()
        deadline = time.monotonic() + self._limits.call_seconds
        while True:
            tick("")
            try:
                got = answer.get(timeout=_SLICE_SECONDS)
            except queue.Empty:
                if time.monotonic() > deadline:
                    slow = f"{self.host} sent its answer too slowly and was not done after {_length(self._limits.call_seconds)}."
                    raise _TryAgain(slow) from None
                continue
            if isinstance(got, bytes):
                self._heard = True
                return got
            self._explain(got, not_in_plan)

    def _explain(self, error: BaseException, not_in_plan: str) -> None:
        """Raise what went wrong as a sentence; never chained, because the original holds request and key in its frames."""
        if isinstance(error, _Refused):
            self._explain_status(error, not_in_plan)
        host = self.host
        if isinstance(error, (NewConnectionError, ConnectTimeoutError)):
            raise _TryAgain(f"{host} can't be reached: check the network connection.") from None
        if isinstance(error, ReadTimeoutError):
            raise _TryAgain(f"{host} did not answer within {_length(self._limits.read_seconds)}.") from None
        if isinstance(error, SSLError):
            raise PolygonError(f"No safe connection to {host} could be made: its certificate is not valid for it.") from None
        if isinstance(error, (HTTPError, OSError)):
            raise _TryAgain(f"The connection to {host} broke in the middle of an answer.") from None
        raise PolygonError(f"The call to {host} failed ({type(error).__name__}).") from None

    def _explain_status(self, refused: _Refused, not_in_plan: str) -> None:
        status, said = refused.status, self._said(refused.body)
        words = f" It says: {said}" if said else ""
        if status == 429:
            # A busy server has answered: it is there and knows the key's plan, so waiting is worth it.
            self._heard = True
            raise _TryAgain("More calls than the plan allows (429).", busy=True, wait_seconds=_retry_after(refused.headers)) from None
        if status >= 500:
            raise _TryAgain(f"{self.host} has a fault of its own (status {status}).", wait_seconds=_retry_after(refused.headers)) from None
        if status == 401 or (status == 403 and "api key" in said.lower()):
            raise PolygonError(f"{self.host} does not accept this key: copy it again from your account there.{words}", "key") from None
        if status == 403:
            advice = not_in_plan or "The plan of this key does not include these bars; try later dates or daily bars."
            raise NotInPlan(f"{advice}{words}", "span") from None
        if status == 404:
            raise PolygonError(f"{self.host} has nothing there: check the ticker and LAB_POLYGON_URL.{words}", "tickers") from None
        if status < 400:
            raise PolygonError(f"{self.host} sends elsewhere (status {status}), which is not followed: check LAB_POLYGON_URL.") from None
        raise PolygonError(f"{self.host} refused the call (status {status}).{words}") from None

    def _said(self, body: bytes) -> str:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return ""
        if not isinstance(document, dict):
            return ""
        said = document.get("error") or document.get("message") or ""
        return self.readable(said) if isinstance(said, str) else ""

    def _parsed(self, body: bytes) -> dict[str, Any]:
        try:
            document = json.loads(body, parse_constant=_no_such_number)
        except (ValueError, RecursionError):
            raise PolygonError(f"{self.host} sent an answer that is not JSON. It was not taken; try again later.") from None
        if not isinstance(document, dict):
            raise PolygonError(f"{self.host} sent an answer that is no reply of Polygon's: check LAB_POLYGON_URL.")
        return document


def checked_key(key: SecretStr) -> SecretStr:
    """The key without blanks around it; PolygonError for one that can't be a key. It is sent as a header, so it must be plain ASCII."""
    text = key.get_secret_value().strip()
    if not text:
        raise PolygonError("Enter your Polygon key: your account at polygon.io shows it.", "key")
    if len(text) > 200 or not text.isascii() or not text.isprintable() or " " in text:
        raise PolygonError("That can't be a Polygon key: it has letters and digits only. Copy it again.", "key")
    return SecretStr(text)


def checked_base(base_url: str) -> str:
    """The base URL without a slash at its end. PolygonError where the key would travel in the clear, or it is no base URL."""
    try:
        parts = urlsplit(base_url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
        raise PolygonError("LAB_POLYGON_URL must be like https://api.polygon.io, nothing before or after the host.")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(host)):
        raise PolygonError(f"LAB_POLYGON_URL must begin with https: the key would travel to {host} in the clear.")
    return f"{parts.scheme}://{parts.netloc}"


def _is_this_machine(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After header, given as such or as a date; None where there is none that can be read."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _no_such_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _length(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
