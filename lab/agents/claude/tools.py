"""The tools of an agent that looks for a refinement: each only reads, or proposes a variant to the test bench."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.agents.claude import telling
from lab.agents.claude.blind import Veil
from lab.agents.claude.schemas import clean
from lab.agents.evidence import EvidencePack
from lab.agents.strategist import ProposalRequest, TestBench, Variant, VariantResult
from lab.errors import LabError

LARGEST_RESULT = 3_000
"""Characters of a tool's answer."""
_FOUND = 8

TradeBars = Callable[[str], Awaitable[str]]
"""A trade's bars as numbers, by the id of its evidence."""


def definitions() -> list[dict[str, Any]]:
    """The tools as the model is told of them: the same bytes in every request."""

    def tool(name: str, description: str, required: Sequence[str] = (), **properties: str) -> dict[str, Any]:
        fields = {key: {"type": "string", "description": meaning} for key, meaning in properties.items()}
        schema = {"type": "object", "properties": fields, "required": list(required), "additionalProperties": False}
        return {"name": name, "description": description, "input_schema": schema}

    return [
        tool(
            "find_functions",
            "Functions and fields of the language by name or meaning, with arguments, bounds and what they mean.",
            ["word"],
            word="a name or one or two words",
        ),
        tool(
            "test_variant",
            "Run changed scripts on the learning span and compare them with the current version. Each call is a trial.",
            ["title", "why"],
            title="what changes, in a few words",
            why="the reason to try it, with ids of evidence",
            scan="the whole new scan script; leave out where it stays",
            execution="the whole new execution script; leave out where it stays",
        ),
        tool(
            "evidence", "All breakdowns of the trades by one dimension.", ["dimension"], dimension="such as hour of day or relative volume"
        ),
        tool("trade_bars", "The bars around one of the best or worst trades, entry price = 100.", ["id"], id="its id, such as S57"),
        tool("own_history", "Your versions with their results, and what you know."),
    ]


@dataclass(slots=True)
class Toolbox:
    """The tools of one proposal, with what they have been used for."""

    request: ProposalRequest
    bench: TestBench
    veil: Veil
    trade_bars: TradeBars
    history: Callable[[], Awaitable[str]]
    """The agent's versions, a line each."""
    results: list[VariantResult] = field(default_factory=list)
    """Of the variants tested, in the order of their numbers, from 1."""

    async def use(self, name: str, values: Mapping[str, Any]) -> tuple[str, bool]:
        """The tool's answer, and whether it is an error. Whatever the model asks for, nothing else happens."""
        texts = {key: clean(value) for key, value in values.items() if isinstance(value, str)}
        try:
            match name:
                case "find_functions":
                    answer = self._functions(texts.get("word", ""))
                case "test_variant":
                    answer = await self._test(texts)
                case "evidence":
                    answer = self._breakdown(self.request.selection_evidence, texts.get("dimension", ""))
                case "trade_bars":
                    answer = await self._bars(texts.get("id", ""))
                case "own_history":
                    answer = "\n".join(
                        part for part in (await self.history(), telling.knowledge(self.request.subject.knowledge, self.veil)) if part
                    )
                case _:
                    return f"There is no tool {name[:40]!r}.", True
        except LabError as error:
            return self.veil.hide(str(error))[:LARGEST_RESULT], True
        return answer[:LARGEST_RESULT], False

    def _functions(self, word: str) -> str:
        from lab.script import Function, search_catalogue

        lines = []
        for entry in search_catalogue(word[:60])[:_FOUND]:
            if isinstance(entry, Function):
                bounds = "; ".join(f"{a.name} {a.bounds}" for a in entry.arguments if a.bounds)
                lines.append(f"{entry.signature}: {entry.meaning}" + (f" ({bounds})" if bounds else ""))
            else:
                lines.append(f"{entry.name}: {entry.meaning}")
        return self.veil.hide("\n".join(lines)) or "Nothing of that name or meaning."

    async def _test(self, texts: Mapping[str, str]) -> str:
        from lab.script import compile_strategy

        if len(self.results) >= self.request.max_variants:
            return f"All {self.request.max_variants} trials are used up: reply with your choice."
        scan = self.veil.reveal_script(texts.get("scan") or "") or self.request.subject.scan_script
        execution = self.veil.reveal_script(texts.get("execution") or "") or self.request.subject.execution_script
        new = compile_strategy(scan, execution).script_hash
        old = compile_strategy(self.request.subject.scan_script, self.request.subject.execution_script).script_hash
        if new == old:
            return "That does the same as the current version: it is not tested."
        for gone in self.request.discarded:
            if gone.script_hash == new:
                who = "The person" if gone.by_person else "The agent's rule"
                reason = f": {self.veil.hide(gone.reason)}" if gone.reason else "."
                return f"{who} turned exactly this down{reason} It is not proposed again, so it is not tested."
        if new in self.request.failed:
            return "An earlier iteration tested exactly this and found it not worth proposing."
        for number, result in enumerate(self.results, 1):
            if result.script_hash == new:
                return telling.variant(number, result, self.veil)
        title, why = (" ".join(self.veil.reveal(texts.get(key, "")).split())[:300] for key in ("title", "why"))
        (result,) = await self.bench.test([Variant(scan, execution, title or "a change", why)])
        self.results.append(result)
        return telling.variant(len(self.results), result, self.veil)

    def _breakdown(self, pack: EvidencePack, dimension: str) -> str:
        wanted = dimension.strip().lower()
        titles = {bucket.dimension: bucket.column for bucket in pack.buckets}
        found = next((title for title, column in titles.items() if wanted and (wanted in title.lower() or wanted == column.lower())), None)
        if found is None:
            return f"There are breakdowns by {', '.join(titles)}."
        return "\n".join(telling.bucket(bucket, self.veil) for bucket in pack.buckets if bucket.dimension == found)

    async def _bars(self, identifier: str) -> str:
        pack = self.request.selection_evidence
        trade = next((each for each in (*pack.best, *pack.worst) if each.id == identifier.strip(" []")), None)
        if trade is None:
            return f"Bars are there for {', '.join(each.id for each in (*pack.best, *pack.worst))}."
        return await self.trade_bars(trade.id)
