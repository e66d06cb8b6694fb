"""The line to the model: one request, its reply put together from the stream, nothing read into it."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lab.agents.budget.prices import Tokens
from lab.agents.claude.errors import Bill, CallFailed, refused
from lab.agents.errors import StrategistFailed

if TYPE_CHECKING:
    from pydantic import SecretStr

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 120.0
"""A reply that brings nothing for so long is given up."""
COUNT_SECONDS = 10.0
LARGEST_REPLY_BYTES = 4_000_000
_BYTES_OVERHEAD, _SHARE_OVER, _TOKENS_OVER = 2_000, 0.10, 500
"""The server's own words around tools and schemas; its count is an estimate, so a tenth and some tokens are added to it."""

Watch = Callable[[str], Awaitable[None]]
"""Told the text of the reply so far."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply as it came."""

    content: tuple[dict[str, Any], ...]
    """The blocks, each as the API names it: "text", "tool_use", "thinking"…"""
    stop_reason: str
    tokens: Tokens
    latency_ms: int
    raw: str
    """All of it as JSON, to be stored."""
    call_id: int = 0
    """The row of the call that brought it."""


@dataclass(slots=True)
class _Assembly:
    """A reply while it comes in."""

    message: dict[str, Any] = field(default_factory=dict)
    content: list[dict[str, Any]] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)
    stop: dict[str, Any] = field(default_factory=dict)
    json_parts: dict[int, list[str]] = field(default_factory=dict)
    ended: bool = False
    broken: str = ""

    def take(self, event: Mapping[str, Any]) -> None:
        """Raises KeyError, TypeError, IndexError, AttributeError or ValueError for an event of no known form."""
        match event.get("type"):
            case "message_start":
                self.message = {key: value for key, value in event["message"].items() if key not in ("content", "usage")}
                self.usage = dict(event["message"].get("usage") or {})
            case "content_block_start":
                self.content.append(dict(event["content_block"]))
            case "content_block_delta":
                self._grow(int(event["index"]), event["delta"])
            case "content_block_stop":
                index = int(event["index"])
                if index in self.json_parts:
                    text = "".join(self.json_parts.pop(index))
                    self.content[index]["input"] = json.loads(text) if text.strip() else {}
            case "message_delta":
                self.stop |= {key: value for key, value in event["delta"].items() if value is not None}
                self.usage |= {key: value for key, value in (event.get("usage") or {}).items() if value is not None}
            case "message_stop":
                self.ended = True

    def _grow(self, index: int, delta: Mapping[str, Any]) -> None:
        block = self.content[index]
        match delta.get("type"):
            case "text_delta":
                block["text"] = block.get("text", "") + str(delta["text"])
            case "input_json_delta":
                self.json_parts.setdefault(index, []).append(str(delta["partial_json"]))
            case "thinking_delta":
                block["thinking"] = block.get("thinking", "") + str(delta["thinking"])
            case "signature_delta":
                block["signature"] = block.get("signature", "") + str(delta["signature"])

    @property
    def text(self) -> str:
        return "".join(str(block.get("text", "")) for block in self.content if block.get("type") == "text")

    def raw(self) -> str:
        unfinished = {str(index): "".join(parts) for index, parts in self.json_parts.items()}
        extra: dict[str, Any] = {"unfinished_input": unfinished} if unfinished else {}
        extra |= {"broken": self.broken} if self.broken else {}
        return json.dumps({**self.message, **self.stop, "content": self.content, "usage": self.usage, **extra})


class ModelLine:
    """A connection to one server with one key. The package's own retries are off: each attempt is paid for knowingly."""

    def __init__(self, key: SecretStr, base_url: str, silence_seconds: float = SILENCE_SECONDS) -> None:
        import httpx2
        from anthropic import AsyncAnthropic

        timeout = httpx2.Timeout(silence_seconds, connect=CONNECT_SECONDS)
        secret = key.get_secret_value()
        if not secret.isascii() or not secret.isprintable():
            raise StrategistFailed("The key for Claude has characters that no key has: give it again with `lab usage key`.")
        self._client = AsyncAnthropic(api_key=secret, base_url=base_url, max_retries=0, timeout=timeout)
        self._silence_seconds = silence_seconds
        self._counts = True
        self._key = key

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._client.close()

    def _without_key(self, said: Any) -> Any:
        """What a server says of an error is stored and shown, and some say again what was sent to them."""
        told, secret = json.dumps(said), json.dumps(self._key.get_secret_value())[1:-1]
        return json.loads(told.replace(secret, "(the key)")) if secret in told else said

    async def most_prompt_tokens(self, body: Mapping[str, Any]) -> int:
        """An upper bound of the prompt's tokens: the server's own count with a margin, or the prompt's bytes where it has none."""
        bytes_bound = len(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")) + _BYTES_OVERHEAD
        if not self._counts:
            return bytes_bound
        import anthropic

        counted = {key: value for key, value in body.items() if key != "max_tokens"}
        try:
            found = await self._client.messages.count_tokens(**counted, timeout=COUNT_SECONDS)
            return min(bytes_bound, int(found.input_tokens * (1 + _SHARE_OVER)) + _TOKENS_OVER)
        except anthropic.NotFoundError:
            self._counts = False
        except (anthropic.AnthropicError, TypeError, ValueError):
            pass
        return bytes_bound

    async def ask(self, body: Mapping[str, Any], watch: Watch | None = None) -> Answer:
        """Send a request and wait for the whole reply. Raises CallFailed, which says what it means for the money."""
        import anthropic
        import httpx2

        began, assembly, model = time.monotonic(), _Assembly(), str(body["model"])
        try:
            async with self._client.messages.with_streaming_response.create(**body, stream=True) as response:
                if "json" in response.headers.get("content-type", ""):
                    _take_whole(assembly, await response.read())
                else:
                    size = 0
                    async for line in response.iter_lines():
                        size += len(line)
                        if size > LARGEST_REPLY_BYTES:
                            raise CallFailed(
                                "The reply is longer than any that was asked for.", Bill.UNKNOWN, again=False, reply=assembly.raw()
                            )
                        if line.startswith("data:"):
                            _take_line(assembly, line[5:].strip())
                            if watch is not None and "text_delta" in line:
                                await watch(assembly.text)
        except anthropic.APIStatusError as error:
            raise refused(error.status_code, self._without_key(error.body), model, error.response.headers) from error
        except (anthropic.APITimeoutError, httpx2.TimeoutException) as error:
            raise CallFailed(
                f"The model did not answer within {self._silence_seconds:.0f} s.", Bill.UNKNOWN, again=True, reply=assembly.raw()
            ) from error
        except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
            cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) else error
            if isinstance(cause, (httpx2.ConnectError, httpx2.ConnectTimeout)):
                sentence = f"No connection to {self._client.base_url}: check the network, or LAB_CLAUDE_URL."
                raise CallFailed(sentence, Bill.NOTHING, again=True) from error
            raise CallFailed("The connection broke while the model answered.", Bill.UNKNOWN, again=True, reply=assembly.raw()) from error
        except anthropic.AnthropicError as error:
            raise CallFailed(f"The request could not be sent: {error}.", Bill.UNKNOWN, again=False, reply=assembly.raw()) from error
        if not assembly.ended:
            raise CallFailed("The reply was cut off in the middle.", Bill.UNKNOWN, again=True, reply=assembly.raw())
        latency_ms = int((time.monotonic() - began) * 1000)
        return Answer(tuple(assembly.content), str(assembly.stop.get("stop_reason", "")), _tokens(assembly), latency_ms, assembly.raw())


def answer_from(raw: str, call_id: int) -> Answer:
    """The answer that was stored as `Answer.raw`."""
    message = json.loads(raw)
    assembly = _Assembly(usage=message.get("usage") or {})
    return Answer(tuple(message["content"]), str(message.get("stop_reason", "")), _tokens(assembly), 0, raw, call_id)


def _take_line(assembly: _Assembly, data: str) -> None:
    try:
        event = json.loads(data)
        if event.get("type") == "error":
            said = "".join(letter for letter in str((event.get("error") or {}).get("message", "")) if letter.isprintable())[:300]
            again = (event.get("error") or {}).get("type") in ("overloaded_error", "api_error", "rate_limit_error", "timeout_error")
            raise CallFailed(f"The server broke the reply off: {said}.", Bill.UNKNOWN, again=again, reply=assembly.raw())
        assembly.take(event)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError):
        assembly.broken = data[:20_000]


def _take_whole(assembly: _Assembly, body: bytes) -> None:
    """A server that does not stream sends the message in one piece."""
    text = body.decode("utf-8", "replace")
    try:
        message = json.loads(text)
        assembly.content = [dict(block) for block in message["content"]]
        assembly.usage = dict(message["usage"])
        assembly.stop = {"stop_reason": str(message["stop_reason"])}
        assembly.message = {key: value for key, value in message.items() if key not in ("content", "usage", "stop_reason")}
        assembly.ended = True
    except (KeyError, TypeError, ValueError):
        assembly.broken = text[:20_000]


def _tokens(assembly: _Assembly) -> Tokens:
    """The usage the server reports. Raises CallFailed where it reports none: then what it cost is unknown."""
    usage = assembly.usage

    def count(value: Any) -> int:
        return max(0, int(value or 0))

    try:
        written = count(usage.get("cache_creation_input_tokens"))
        hour = min(written, count((usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens")))
        return Tokens(
            input=count(usage["input_tokens"]),
            cache_write=written - hour,
            cache_write_hour=hour,
            cache_read=count(usage.get("cache_read_input_tokens")),
            output=count(usage["output_tokens"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CallFailed(
            "The reply does not say what it used, so its cost is unknown.", Bill.UNKNOWN, again=False, reply=assembly.raw()
        ) from error
