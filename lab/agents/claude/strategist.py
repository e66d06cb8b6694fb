"""The strategist that asks a Claude model: it drafts and interprets, the laboratory compiles, measures and checks every figure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lab.agents.builtin import insights as measured
from lab.agents.builtin.patterns import pattern_of
from lab.agents.claude import figures, telling
from lab.agents.claude.blind import Veil
from lab.agents.claude.calls import Caller, Request
from lab.agents.claude.line import Answer
from lab.agents.claude.prompts import Prompt, prompt
from lab.agents.claude.reading import read_news
from lab.agents.claude.schemas import AnalysisReply, InsightReply, ProposalReply, R, StrategyReply, growing_text, one_of, read
from lab.agents.claude.tools import Toolbox, TradeBars, definitions
from lab.agents.errors import StrategistFailed
from lab.agents.evidence import EvidencePack
from lab.agents.personality import FOCUSES
from lab.agents.strategist import (
    Analysis,
    AnalysisRequest,
    Brief,
    InsightDraft,
    KnowledgeType,
    NewsLine,
    NewsReading,
    NoRefinement,
    ProposalRequest,
    RefinementDraft,
    StrategyDraft,
    TestBench,
    VariantResult,
    Verdict,
)
from lab.script import ScriptError, check

CORRECTIONS = 3
"""So often does a script that does not compile go back with its error."""
TURNS = 10
"""Replies of the model, at most, in the search for one refinement."""
_STRATEGY_TOKENS, _ANALYSIS_TOKENS, _PROPOSAL_TOKENS = 3_000, 3_000, 2_500
FORMS = (StrategyReply, AnalysisReply, ProposalReply)
MIN_SESSIONS = 10
"""Sessions to confirm a change on, below which none but what the person asks for is looked for."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a strategist needs of an iteration beside the requests themselves."""

    veil: Veil
    trade_bars: TradeBars
    history: Callable[[], Awaitable[str]]
    """The agent's versions, a line each."""
    reader: Caller | None = None
    """Asks the model that reads headlines; None where that is the one that thinks."""


class ClaudeStrategist:
    """Implements `lab.agents.strategist.Strategist` for one iteration."""

    def __init__(self, caller: Caller, around: Surroundings) -> None:
        self._caller, self._around, self._veil = caller, around, around.veil

    # --- the first strategy

    async def generate(self, brief: Brief) -> StrategyDraft:
        """A first strategy that compiles. Raises StrategistFailed after CORRECTIONS corrections that did not help."""
        asked, veil = prompt("generate"), self._veil
        text = asked.fill(
            timeframe=brief.timeframe,
            context=", ".join(sorted(brief.context)),
            guidance=telling.guidance(brief.guidance, veil),
            knowledge=telling.knowledge(brief.knowledge, veil),
            patterns=", ".join(FOCUSES),
        )
        messages = [_user(text)]
        for _ in range(1 + CORRECTIONS):
            answer = await self._ask("strategy", asked, brief.system_prompt, messages, _STRATEGY_TOKENS)
            reply = await self._read(StrategyReply, answer)
            scan, execution = veil.reveal_script(reply.scan), veil.reveal_script(reply.execution)
            problems = check(scan, execution)
            if not problems:
                return StrategyDraft(
                    scan_script=_ended(scan),
                    execution_script=_ended(execution),
                    pattern=reply.pattern,
                    rationale=veil.reveal(reply.rationale),
                    version_notes=veil.reveal(reply.notes) or f"First version: {reply.pattern}",
                )
            told = prompt("mistake").fill(problems=" ".join(_problem(error, veil) for error in problems[:5]))
            messages = [*messages, _assistant(answer), _user(told)]
        raise await self._caller.rejected(
            answer, f"The model wrote no script that compiles, though told its mistakes {CORRECTIONS} times. The last: {problems[0]}"
        )

    # --- the news

    async def read_news(self, lines: Sequence[NewsLine]) -> tuple[NewsReading, ...]:
        """What headlines report: choices from lists, by a call that has no tools."""
        return await read_news(self._around.reader or self._caller, self._veil, lines)

    # --- the analysis

    async def analyse(self, request: AnalysisRequest) -> Analysis:
        """What the model reads in the evidence; every figure in it stands in the evidence it cites, or is struck out."""
        asked, veil, subject = prompt("analyse"), self._veil, request.subject
        text = asked.fill(
            version=subject.version,
            timeframe=subject.timeframe,
            scripts=telling.scripts(subject.scan_script, subject.execution_script, veil),
            parent=telling.parent(request.parent, veil),
            guidance=telling.guidance(subject.guidance, veil),
            knowledge=telling.knowledge(subject.knowledge, veil),
            evidence=telling.evidence(subject.evidence, veil),
        )
        scripts = f"{subject.scan_script}\n{subject.execution_script}"
        messages, reply, wrong = [_user(text)], None, []
        for last in (False, True):
            answer = await self._ask("analysis", asked, subject.system_prompt, messages, _ANALYSIS_TOKENS, watched=True)
            reply = await self._read(AnalysisReply, answer)
            wrong = figures.unsound(reply.text, subject.evidence, scripts)
            if not wrong or last:
                break
            told = prompt("figures").fill(figures="; ".join(f"“{each.text}” ({each.why})" for each in wrong[:20]))
            messages = [*messages, _assistant(answer), _user(told)]
        assert reply is not None
        drafts = await asyncio.to_thread(_insights, request, reply.insights, veil)
        return Analysis(text=veil.reveal(figures.struck_out(reply.text, wrong)), insights=drafts)

    # --- the refinement

    async def propose(self, request: ProposalRequest, bench: TestBench) -> RefinementDraft | NoRefinement:
        """The variant the model chose among those it tested, if it holds up on the sessions it never saw."""
        subject = request.subject
        if request.current.confirmation.sessions < MIN_SESSIONS and not subject.guidance.strip():
            return NoRefinement(
                f"Of {request.current.whole.sessions} sessions {request.current.confirmation.sessions} are left to confirm a change on;"
                f" with fewer than {MIN_SESSIONS} nothing can be confirmed, so I propose nothing. Give me more history."
            )
        asked, veil = prompt("propose"), self._veil
        text = asked.fill(
            version=subject.version,
            timeframe=subject.timeframe,
            context=", ".join(sorted(request.context)),
            scripts=telling.scripts(subject.scan_script, subject.execution_script, veil),
            guidance=telling.guidance(subject.guidance, veil),
            knowledge=telling.knowledge(subject.knowledge, veil),
            discarded=telling.discarded(request.discarded, veil),
            evidence=telling.evidence(request.selection_evidence, veil),
            trials=str(request.max_variants),
            turns=str(TURNS),
        )
        box = Toolbox(request, bench, veil, self._around.trade_bars, self._around.history)
        messages = [_user(text)]
        for turn in range(1, TURNS + 1):
            answer = await self._ask("refinement", asked, subject.system_prompt, messages, _PROPOSAL_TOKENS, use_tools=True)
            if answer.stop_reason != "tool_use":
                return self._decided(request, await self._read(ProposalReply, answer), box.results)
            results = [await _used(box, block) for block in answer.content if block.get("type") == "tool_use"]
            if turn >= TURNS - 1:
                results.append({"type": "text", "text": "No turns are left for tools: reply with your choice now."})
            messages = [*messages, _assistant(answer), {"role": "user", "content": results}]
        return NoRefinement(
            f"I used all {TURNS} turns looking and testing ({_count(len(box.results))}) without coming to a choice, so I propose nothing."
        )

    def _decided(self, request: ProposalRequest, reply: ProposalReply, results: Sequence[VariantResult]) -> RefinementDraft | NoRefinement:
        why = self._veil.reveal(_without_figures(reply.rationale, request.selection_evidence))
        tested = _count(len(results))
        if reply.choice == 0:
            return NoRefinement(f"{why or 'I propose nothing.'} I tested {tested}.")
        if not 1 <= reply.choice <= len(results) or results[reply.choice - 1].results is None:
            return NoRefinement(f"I chose a change that I had not tested (I tested {tested}), so nothing is proposed.")
        chosen = results[reply.choice - 1]
        unseen = chosen.confirmation
        if unseen is None or ((unseen.mean_difference <= 0 or unseen.verdict is Verdict.WORSE) and not request.subject.guidance.strip()):
            title = chosen.variant.title
            return NoRefinement(
                f"Of {tested} I chose “{title}”, but on sessions I had not seen it did not hold up: that was luck, so I propose nothing."
            )
        cited = tuple(dict.fromkeys(i for i in figures_ids(reply.rationale) if i in request.selection_evidence.ids()))
        return RefinementDraft(
            title=self._veil.reveal(reply.title) or chosen.variant.title,
            rationale=f"{why} It is the one I chose of {tested}.",
            scan_script=_ended(chosen.variant.scan_script),
            execution_script=_ended(chosen.variant.execution_script),
            evidence_ids=cited,
            result=chosen,
        )

    # --- asking

    async def _read(self, form: type[R], answer: Answer) -> R:
        try:
            return read(form, answer)
        except StrategistFailed as error:
            raise await self._caller.rejected(answer, str(error)) from error

    async def _ask(
        self,
        purpose: str,
        asked: Prompt,
        agent: str,
        messages: Sequence[Mapping[str, Any]],
        max_tokens: int,
        *,
        use_tools: bool = False,
        watched: bool = False,
    ) -> Answer:
        """Tools, forms of replies and the language come first, the same whoever asks whatever; then the agent; then the question.

        So one agent's request finds in the server's cache what another's left there.
        """
        veil = self._veil
        system = [_cached(telling.language(veil)), _cached(veil.hide(agent))]
        kept = [*messages[:-1], _marked(messages[-1])]
        request = Request(purpose, asked.label, system, kept, one_of(*FORMS), max_tokens, definitions(), use_tools)
        watch = (lambda text: veil.reveal(growing_text(text))) if watched else None
        return await self._caller.call(request, watch)


async def _used(box: Toolbox, block: Mapping[str, Any]) -> dict[str, Any]:
    values = block.get("input")
    answer, failed = await box.use(str(block.get("name", "")), values if isinstance(values, dict) else {})
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": str(block.get("id", "")), "content": answer}
    return result | {"is_error": True} if failed else result


def _insights(request: AnalysisRequest, replies: Sequence[InsightReply], veil: Veil) -> tuple[InsightDraft, ...]:
    """What the lab's own measure licenses; where the model speaks of the same, in the model's words.

    So an insight's effect, count, interval and confidence are never the model's, only how it is put.
    """
    drafts, pack, scan = list(measured.learned(request)), request.subject.evidence, request.subject.scan_script
    pattern = pattern_of(scan)
    for reply in replies:
        words, kind = veil.reveal(reply.insight), KnowledgeType(reply.kind)
        cited = [i for text in reply.evidence for i in figures_ids(text) or [text.strip(" []")]]
        same = next((n for n, draft in enumerate(drafts) if set(draft.evidence_ids) & set(cited)), None)
        if same is not None:
            if not figures.unsound(f"{reply.insight} [{drafts[same].evidence_ids[0]}]", pack, scan):
                drafts[same] = replace(drafts[same], insight=words)
            continue
        bucket = next((b for b in pack.buckets if b.id in cited and b.p_value is not None and b.r_lift is not None), None)
        if bucket is None or figures.unsound(f"{reply.insight} [{bucket.id}]", pack, scan):
            continue
        drafts.append(replace(measured.from_bucket(bucket, pattern), insight=words, knowledge_type=kind))
    return tuple(drafts)


def figures_ids(text: str) -> list[str]:
    """The ids that a text cites in brackets."""
    return [i for match in figures.IDS.finditer(text) for i in figures.split_ids(match[1])]


def _without_figures(rationale: str, pack: EvidencePack) -> str:
    return figures.struck_out(rationale, figures.unsound(rationale, pack, ""))


def _problem(error: ScriptError, veil: Veil) -> str:
    hint = f" {error.suggestion}." if error.suggestion else ""
    example = f" For example: {error.example}" if error.example else ""
    return veil.hide_script(f"Line {error.line} of the {error.script} script, column {error.column}: {error.message}.{hint}{example}")


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def _assistant(answer: Answer) -> dict[str, Any]:
    """The reply as it came, thinking included: the server checks that nothing of it was changed."""
    return {"role": "assistant", "content": list(answer.content)}


def _cached(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}


def _marked(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message with its end marked for the cache: the next turn reads all before it from there."""
    *before, last = message["content"]
    return {**message, "content": [*before, {**last, "cache_control": {"type": "ephemeral"}}]}


def _ended(script: str) -> str:
    return script.strip() + "\n"


def _count(number: int) -> str:
    return "one change" if number == 1 else f"{number} changes"


__all__ = ["CORRECTIONS", "TURNS", "ClaudeStrategist", "Surroundings"]
