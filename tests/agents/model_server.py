"""A server on loopback that speaks the Messages API: replies, streams, counts tokens, keeps a prompt cache and a bill, and errs on demand.

What it answers is scripted by the test (`Model.script`), or comes from a brain, a function of the request. `competent` is
one that writes as the built-in strategist would, so that the whole loop runs as it does with a key.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-ant-aSecretKeyOfSomebody-4711"
MODEL = "claude-sonnet-5-5"
NEVER = 30.0
LOOKBACK = 20
"""Blocks before a cache mark in which an earlier request's prefix is found."""
BYTES_A_TOKEN = 3
"""Fewer than in English prose: scripts and figures take more tokens."""

Body = dict[str, Any]
Block = dict[str, Any]


@dataclass
class Usage:
    """What one call used."""

    input: int
    cache_write: int
    cache_read: int
    output: int
    message: str = ""
    """The id of the reply that it stands for."""
    request: str = ""
    """What was asked, as `request_of` names it."""

    def document(self) -> dict[str, int]:
        return {
            "input_tokens": self.input,
            "cache_creation_input_tokens": self.cache_write,
            "cache_read_input_tokens": self.cache_read,
            "output_tokens": self.output,
        }


@dataclass
class Reply:
    """What is answered: content with a stop reason, or an error."""

    content: Sequence[Block] = ()
    stop_reason: str = "end_turn"
    status: int = 200
    error: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    cut_after_events: int | None = None
    event_error: str | None = None
    """A stream that breaks off with an error event of this type."""
    raw_event: bytes | None = None
    """Sent in the middle of the stream as it is."""
    whole: bool = False
    """Sent in one piece though a stream was asked for."""
    output_tokens: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)


Brain = Callable[[Body], Reply]


def says(document: Any, **more: Any) -> Reply:
    """A reply whose text is this document as JSON, or this text."""
    text = document if isinstance(document, str) else json.dumps(document)
    return Reply([{"type": "text", "text": text}], **more)


def uses(name: str, values: dict[str, Any], identifier: str = "toolu_1") -> Reply:
    return Reply([{"type": "tool_use", "id": identifier, "name": name, "input": values}], "tool_use")


def fails(status: int, kind: str, message: str = "no", headers: dict[str, str] | None = None, **details: Any) -> Reply:
    error: dict[str, Any] = {"type": kind, "message": message}
    if details:
        error["details"] = details
    return Reply(status=status, error={"type": "error", "error": error, "request_id": "req_1"}, headers=headers or {})


@dataclass
class Model:
    """The server's state: how it answers, what it received, what it bills."""

    brain: Brain = field(default=lambda body: says("{}"))
    script: dict[int, Reply | Brain] = field(default_factory=dict)
    """By the number of the call, from 1; other calls go to the brain."""
    models: frozenset[str] = frozenset({MODEL})
    key: str = KEY
    received: list[bytes] = field(default_factory=list)
    """Every request: path, headers and body."""
    bodies: list[Body] = field(default_factory=list)
    """Of calls for a message."""
    bill: list[Usage] = field(default_factory=list)
    """A row a call that is billed."""
    prefixes: set[bytes] = field(default_factory=set)
    counts_tokens: bool = True
    port: int = 0
    calls: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def request_of(body: Body) -> str:
    """A name for a request: the same for the same content, streamed or not."""
    plain = {key: value for key, value in body.items() if key != "stream"}
    return sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def tokens(data: Any) -> int:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return -(-len(text.encode("utf-8", "replace")) // BYTES_A_TOKEN)


def prompt_usage(model: Model, body: Body) -> tuple[int, int, int]:
    """Input, cache write and cache read tokens: the prompt in the order tools, system, messages, cut at its cache marks."""
    blocks: list[Any] = [*body.get("tools", [])]
    blocks += [{"format": body.get("output_config", {}).get("format")}]  # the schema changes what the server puts before all else
    system = body.get("system", [])
    blocks += [{"type": "text", "text": system}] if isinstance(system, str) else system
    for message in body["messages"]:
        content = message["content"]
        inside = [{"type": "text", "text": content}] if isinstance(content, str) else content
        blocks += [{"role": message["role"], **block} for block in inside]
    total, so_far, ends, marks = 0, b"", [], []
    for place, block in enumerate(blocks):
        plain = {key: value for key, value in block.items() if key != "cache_control"}
        so_far += json.dumps(plain, sort_keys=True).encode() + b"\n"
        total += tokens(plain)
        ends.append((so_far, total))
        if "cache_control" in block:
            marks.append(place)
    read = 0
    with model.lock:
        for mark in marks:
            # As the API does: from a mark it looks back for what an earlier request left.
            kept = [count for prefix, count in ends[max(0, mark - LOOKBACK) : mark + 1] if prefix in model.prefixes]
            read = max([read, *kept])
        model.prefixes.update(ends[mark][0] for mark in marks)
    cached = ends[marks[-1]][1] if marks else 0
    return total - max(cached, read), max(0, cached - read), read


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    model: Model

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        model = self.model
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        with model.lock:
            model.received.append(f"{self.path}\n{self.headers}".encode() + raw)
        try:
            body = json.loads(raw)
            self._answer(body)
        except OSError:
            self.close_connection = True

    def _answer(self, body: Body) -> None:
        model = self.model
        if model.key not in (self.headers.get("x-api-key"), self.headers.get("authorization", "").removeprefix("Bearer ")):
            return self._error(fails(401, "authentication_error", "invalid x-api-key"))
        if self.path.split("?")[0] == "/v1/messages/count_tokens":
            if not model.counts_tokens:
                return self._error(fails(404, "not_found_error", "Not found"))
            total = sum(tokens(block) for block in (*body.get("tools", []), *body.get("system", []), *body["messages"]))
            return self._json(200, {"input_tokens": total + tokens(body.get("output_config", {}))})
        if wrong := _refused(body):
            return self._error(fails(400, "invalid_request_error", wrong))
        if body["model"] not in model.models:
            return self._error(fails(404, "not_found_error", f"model: {body['model']}"))
        with model.lock:
            model.calls += 1
            number = model.calls
            model.bodies.append(body)
        planned = model.script.get(number, model.brain)
        reply = planned if isinstance(planned, Reply) else planned(body)
        if reply.hang:
            model.done.wait(NEVER)
            self.close_connection = True
            return None
        if reply.error is not None or reply.status != 200:
            return self._error(reply)
        return self._message(body, reply, number)

    def _message(self, body: Body, reply: Reply, number: int) -> None:
        written = tokens(list(reply.content)) if reply.output_tokens is None else reply.output_tokens
        usage = Usage(*prompt_usage(self.model, body), min(written, body["max_tokens"]), f"msg_{number}", request_of(body))
        with self.model.lock:
            self.model.bill.append(usage)
        head = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": body["model"], "stop_sequence": None, **reply.extra}
        if reply.whole or not body.get("stream"):
            return self._json(200, {**head, "content": list(reply.content), "stop_reason": reply.stop_reason, "usage": usage.document()})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for place, event in enumerate(_events(head, reply, usage)):
            if reply.cut_after_events is not None and place >= reply.cut_after_events:
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(2)
                return None
            if place == 2 and reply.raw_event is not None:
                self._chunk(reply.raw_event)
            self._chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        self._chunk(b"")
        self.wfile.flush()
        return None

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _error(self, reply: Reply) -> None:
        self._json(reply.status, reply.error, reply.headers)

    def _json(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()


def _refused(body: Body) -> str:
    """What the newest models answer with an error."""
    if {"temperature", "top_p", "top_k"} & body.keys():
        return "sampling parameters are not supported"
    if body.get("thinking", {}).get("type") in ("disabled", "enabled"):
        return "thinking: this type is not supported"
    if body.get("tool_choice", {}).get("type") in ("any", "tool"):
        return "tool_choice: forced tool use is not supported"
    if body["messages"][-1]["role"] == "assistant" and not any(b["type"] == "server_tool_use" for b in body["messages"][-1]["content"]):
        return "prefill is not supported"
    if sum(json.dumps(body).count(f'"cache_control": {mark}') for mark in ('{"type": "ephemeral"}',)) > 4:
        return "a maximum of 4 blocks with cache_control may be provided"
    asked = [b["id"] for m in body["messages"] if m["role"] == "assistant" for b in m["content"] if b["type"] == "tool_use"]
    answered = [b["tool_use_id"] for m in body["messages"] if m["role"] == "user" for b in m["content"] if b["type"] == "tool_result"]
    return "" if asked == answered else "each tool_use needs its tool_result"


def _events(head: Body, reply: Reply, usage: Usage) -> Iterator[Body]:
    started = {**usage.document(), "output_tokens": 1}
    yield {"type": "message_start", "message": {**head, "content": [], "stop_reason": None, "usage": started}}
    yield {"type": "ping"}
    for index, block in enumerate(reply.content):
        if block["type"] == "tool_use":
            yield {"type": "content_block_start", "index": index, "content_block": {**block, "input": {}}}
            text = json.dumps(block["input"])
            for part in (text[: len(text) // 2], text[len(text) // 2 :]):
                yield {"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": part}}
        elif block["type"] == "thinking":
            yield {"type": "content_block_start", "index": index, "content_block": {**block, "thinking": "", "signature": ""}}
            for kind in ("thinking", "signature"):
                yield {"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta", kind: block[kind]}}
        else:
            yield {"type": "content_block_start", "index": index, "content_block": {**block, "text": ""}}
            text = block.get("text", "")
            for at in range(0, len(text), 40):
                yield {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text[at : at + 40]}}
        if reply.event_error is not None:
            yield {"type": "error", "error": {"type": reply.event_error, "message": "Overloaded"}}
            return
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": reply.stop_reason, "stop_sequence": None, **reply.extra},
        "usage": usage.document(),
    }
    yield {"type": "message_stop"}


@contextmanager
def serving(model: Model) -> Iterator[Model]:
    """Answer on a free port of loopback until the block ends."""
    handler = type("Handler", (_Handler,), {"model": model})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.request_queue_size = 256
    model.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield model
    finally:
        model.done.set()
        server.shutdown()
        server.server_close()
        thread.join()


# --- a competent model


def asked(body: Body) -> str:
    """The first thing the person's side says."""
    return str(body["messages"][0]["content"][0]["text"])


def competent(body: Body) -> Reply:
    """Writes a strategy as the built-in strategist does, analyses by reading the evidence out, refines by stepping parameters."""
    text = asked(body)
    if body["system"][0]["text"].startswith("You sort headlines"):
        return _headlines(text)
    if body["system"][0]["text"].startswith("You read who"):
        return _personality(text)
    if text.startswith("Write the agent's first strategy"):
        return _in_its_form(_strategy(body, text))
    if "Explain the result" in text:
        return _in_its_form(_analysis(text))
    return _in_its_form(_refinement(body, text))


def _in_its_form(reply: Reply) -> Reply:
    """As the request's schema wants it: one of several kinds, inside "reply"."""
    if reply.stop_reason == "tool_use":
        return reply
    return says({"reply": json.loads(reply.content[0]["text"])})


def _headlines(text: str) -> Reply:
    words = {"earnings": "earnings", "expectations": "earnings", "outlook": "outlook", "broker": "rating", "lawsuit": "legal"}
    items = []
    for number, title in re.findall(r"^(\d+) \| [^|]+ \| (.*)$", text, re.MULTILINE):
        kind = next((kind for word, kind in words.items() if word in title), "other")
        tone = "positive" if re.search("beats|raise|record|wins|buyback", title) else "negative"
        items.append({"id": int(number), "kind": kind, "sentiment": tone, "relevance": "high"})
    return says({"items": items})


def _personality(text: str) -> Reply:
    from lab.agents.personality import detect

    found = detect(text)
    who, because = found.personality, found.because
    quotes = {f"{part}_words": list(words) for part, words in because.items()}
    return says({"risk": who.risk, "style": who.style, "focus": list(who.focus), "markets": list(who.markets), **quotes})


def _strategy(body: Body, text: str) -> Reply:
    from lab.agents.builtin import generate
    from lab.agents.personality import detect, risk_config
    from lab.agents.strategist import Brief

    instructions = "\n".join(re.findall(r"^> (.*)$", body["system"][1]["text"], re.MULTILINE))
    timeframe = re.search(r"on (\w+) bars", text)
    assert timeframe is not None
    personality = detect(instructions).personality
    brief = Brief("Agent", instructions, "", personality, risk_config(personality), timeframe[1], frozenset({"levels", "prev_day"}))
    draft = generate.draft(brief)
    return says(
        {
            "scan": draft.scan_script,
            "execution": draft.execution_script,
            "pattern": draft.pattern,
            "rationale": draft.rationale,
            "notes": draft.version_notes,
        }
    )


def _analysis(text: str) -> Reply:
    figures = dict(re.findall(r"^\[(E\d+)\] (.+)$", text, re.MULTILINE))
    told = []
    for identifier, line in figures.items():
        name, _, value = line.partition(": ")
        if name in ("trades", "win rate", "mean R", "net profit", "Sharpe ratio", "maximum drawdown", "total return"):
            told.append(f"My {name} came to {value} [{identifier}].")
    buckets = [(identifier, line) for identifier, line in figures.items() if "against the rest" in line]
    for identifier, line in buckets[:3]:
        found = re.match(r"(.+): (\d+) trades, (\d+)% won, mean ([+-][\d.]+)R, ([+-][\d.]+)R against", line)
        if found:
            told.append(f"With {found[1]} I made {found[4]}R over {found[2]} trades, {found[5]}R against the rest [{identifier}].")
    told.append("What of this is luck I can't tell yet; next I test a few changes, each alone.")
    insights = [{"kind": "pattern rule", "insight": "There may be something in this breakdown.", "evidence": [i]} for i, _ in buckets[:2]]
    return says({"text": " ".join(told), "insights": insights})


def _refinement(body: Body, text: str) -> Reply:
    from lab.script import compile_strategy, set_parameters

    found = re.search(r"Scan script:\n(.*?)\nExecution script:\n(.*?)\n(?:<|What|Turned|$)", text, re.DOTALL)
    assert found is not None
    scan, execution = found[1], found[2]
    steps = []
    for parameter in compile_strategy(scan, execution).parameters:
        for value in (parameter.low, parameter.high):
            if value is not None and value != parameter.value:
                steps.append((parameter, value))
    turn = sum(1 for message in body["messages"] if message["role"] == "assistant")
    if turn == 0:
        return uses("evidence", {"dimension": "hour of day"}, "toolu_0")
    if turn <= 3 and turn <= len(steps):
        parameter, value = steps[turn - 1]
        changed = dict(zip(("scan", "execution"), set_parameters(scan, execution, {parameter.name: value}), strict=True))
        changed = {parameter.script: changed[parameter.script]}
        title = f"{parameter.name} to {value:g}"
        return uses("test_variant", {"title": title, "why": "to see whether the threshold matters", **changed}, f"toolu_{turn}")
    results = re.findall(r"Variant (\d+): .*?([+-][\d.]+) basis points", json.dumps(body["messages"]))
    if not results:
        return says({"choice": 0, "title": "", "rationale": "Nothing I tried could be run."})
    number, gain = max(results, key=lambda each: float(each[1]))
    if float(gain) <= 0:
        return says({"choice": 0, "title": "", "rationale": "None of my ideas gained on the sessions I choose on."})
    return says({"choice": int(number), "title": f"variant {number}", "rationale": "It gained most on the sessions I choose on."})
