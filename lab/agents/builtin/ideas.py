"""What a refinement could be: the person's wishes first, then filters the evidence speaks for, then steps of parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.agents.builtin.edits import leave_by, moved, narrow, risk_to
from lab.agents.builtin.filters import MIN_KEPT, filters
from lab.agents.builtin.insights import change_topic
from lab.agents.builtin.setting import Horizon, horizon_of
from lab.agents.builtin.wishes import Wish, wishes
from lab.agents.evidence import Bucket, EvidencePack
from lab.agents.strategist import KnowledgeType, ProposalRequest, Variant

if TYPE_CHECKING:
    from lab.script import Parameter

MOST_FILTERS = 4
MOST_STRICTER = 2
"""Variants of each kind, so that a few trials go to every kind of change."""


@dataclass(frozen=True, slots=True)
class Idea:
    """A variant to be tested and where it comes from."""

    variant: Variant
    evidence_ids: tuple[str, ...]
    wished: tuple[str, ...] = ()
    """The person's words behind it; empty for the strategist's own."""


def ideas(request: ProposalRequest) -> tuple[Idea, ...]:
    """Distinct ideas that compile, differ from the version itself, were not discarded and are not known to have failed or hurt
    before; at most `max_variants`, best first. What the person asks for is tried again even so."""
    from lab.script import ScriptError, compile_strategy

    current = compile_strategy(request.subject.scan_script, request.subject.execution_script)
    refused = {current.script_hash, *(gone.script_hash for gone in request.discarded)}
    kept: list[Idea] = []
    for idea in _all(request, current.parameters):
        try:
            script_hash = compile_strategy(idea.variant.scan_script, idea.variant.execution_script).script_hash
        except ScriptError:
            continue
        known_bad = script_hash in request.failed or _hurt_before(request, idea)
        if script_hash not in refused and (idea.wished or not known_bad):
            refused.add(script_hash)
            kept.append(idea)
        if len(kept) == request.max_variants:
            break
    return tuple(kept)


def _hurt_before(request: ProposalRequest, idea: Idea) -> bool:
    from lab.script import describe_changes

    subject, variant = request.subject, idea.variant
    harmful = {i.supporting_data.get("topic") for i in subject.knowledge if i.knowledge_type == KnowledgeType.FAILURE}
    if not harmful:
        return False
    changes = describe_changes(subject.scan_script, subject.execution_script, variant.scan_script, variant.execution_script)
    return change_topic(changes) in harmful


def _all(request: ProposalRequest, parameters: tuple[Parameter, ...]) -> Iterator[Idea]:
    yield from _wished(request, parameters)
    pack = request.selection_evidence
    if pack.trades < MIN_KEPT:
        yield from _loosened(request, parameters)
        return
    filtered = [idea for idea in _filtered(request, pack) if not _failed_before(request, idea)]
    yield from filtered[:MOST_FILTERS]
    yield from _steps(request, parameters, pack)
    yield from filtered[MOST_FILTERS:]


def _filtered(request: ProposalRequest, pack: EvidencePack) -> Iterator[Idea]:
    """The filters the evidence speaks for, best first."""
    for found in filters(pack):
        cited = _whole(request, found.evidence_ids)
        seen = f"; over the whole span see [{', '.join(cited)}]" if cited else ""
        why = (
            f"On the sessions I choose on, trades it keeps made {found.kept_mean_r:+.2f}R on average, those it drops"
            f" {found.dropped_mean_r:+.2f}R{seen}."
        )
        scan = _narrowed(request.subject.scan_script, found.condition)
        yield Idea(Variant(scan, request.subject.execution_script, found.title, why), cited)


def _whole(request: ProposalRequest, selected: tuple[str, ...]) -> tuple[str, ...]:
    """The ids of the same buckets in the pack of the whole span: those a person can look up."""
    there = {(b.column, b.name): b.id for b in request.subject.evidence.buckets}
    named = [(b.column, b.name) for b in request.selection_evidence.buckets if b.id in selected]
    return tuple(there[name] for name in named if name in there)


def _failed_before(request: ProposalRequest, idea: Idea) -> bool:
    from lab.script import ScriptError, compile_strategy

    try:
        return compile_strategy(idea.variant.scan_script, idea.variant.execution_script).script_hash in request.failed
    except ScriptError:
        return True


def _wished(request: ProposalRequest, parameters: tuple[Parameter, ...]) -> Iterator[Idea]:
    subject = request.subject
    intraday = horizon_of(subject.timeframe) is not Horizon.DAYS
    asked = wishes(subject.guidance, request.context, intraday=intraday)
    changed = [(wish, _with_wish(request, wish, parameters, subject.scan_script, subject.execution_script)) for wish in asked]
    if len(asked) > 1:
        scan, execution = request.subject.scan_script, request.subject.execution_script
        for wish in asked:
            scan, execution = _with_wish(request, wish, parameters, scan, execution)
        title = " and ".join(w.title for w in asked)
        words = tuple(word for w in asked for word in w.words)
        yield Idea(Variant(scan, execution, title, "You asked for it."), (), words)
    for wish, (scan, execution) in changed:
        yield Idea(Variant(scan, execution, wish.title, "You asked for it."), (), wish.words)


def _with_wish(request: ProposalRequest, wish: Wish, parameters: tuple[Parameter, ...], scan: str, execution: str) -> tuple[str, str]:
    from lab.script import set_parameters

    if wish.condition:
        return _narrowed(scan, wish.condition), execution
    if wish.value:
        return scan, leave_by(execution, wish.value) if wish.parameter == "flat_by" else risk_to(execution, float(wish.value))
    if wish.parameter == "risk" and not any(p.name.startswith("execution.risk") for p in parameters):
        return scan, _risk(execution, wish.factor)
    if wish.parameter == "threshold":
        chosen = [p for p in parameters if p.script == "scan"]
    else:
        chosen = [p for p in parameters if p.name.startswith(f"execution.{wish.parameter}")][:1]
    values = {p.name: moved(p.value, wish.factor, p.low, p.high, p.step) for p in chosen}
    return set_parameters(scan, execution, values) if values else (scan, execution)


def _risk(execution: str, factor: float) -> str:
    import re

    return re.sub(r"(?m)^(risk\s*=\s*)(\d*\.?\d+)", lambda m: f"{m[1]}{min(5.0, float(m[2]) * factor):.4g}", execution)


def _loosened(request: ProposalRequest, parameters: tuple[Parameter, ...]) -> Iterator[Idea]:
    """With hardly a trade there is nothing to learn from: first of all, more signals."""
    from lab.script import set_parameters

    def idea(values: dict[str, float], title: str) -> Idea:
        scan, execution = set_parameters(request.subject.scan_script, request.subject.execution_script, values)
        return Idea(Variant(scan, execution, title, "Too few trades to learn from: loosen what holds signals back."), ())

    scan_parameters = [p for p in parameters if p.script == "scan"]
    for factor in (0.7, 0.5):
        values = {p.name: moved(p.value, factor, p.low, p.high, p.step) for p in scan_parameters}
        if values:
            yield idea(values, "lower thresholds" if factor == 0.7 else "much lower thresholds")
    for p in scan_parameters:
        for factor in (0.6, 1.5):
            value = moved(p.value, factor, p.low, p.high, p.step)
            yield idea({p.name: value}, f"{_readable(p.name)}: {p.value:g} to {value:g}")


def _steps(request: ProposalRequest, parameters: tuple[Parameter, ...], pack: EvidencePack) -> Iterator[Idea]:
    """Single steps of single parameters; what the exits complain about comes first."""
    from lab.script import set_parameters

    order: list[tuple[Parameter, float, str, tuple[str, ...]]] = []
    exits = {b.name: b for b in pack.dimension("exit_reason")}
    stopped, timed = _exit(exits, "stop"), _exit(exits, "max", "time", "flat")
    for p in parameters:
        if p.name.startswith("execution.stop"):
            if stopped is not None and stopped.trades > 0.5 * pack.trades:
                order.append(
                    (
                        p,
                        1.4,
                        f"{stopped.trades} of {pack.trades} trades on the sessions I choose on end at the stop.",
                        _whole(request, (stopped.id,)),
                    )
                )
            order += [(p, 0.7, "A closer stop makes the same move worth more R.", ()), (p, 1.4, "A wider stop survives more noise.", ())]
        elif p.name.startswith("execution.target"):
            if timed is not None and timed.trades > 0.4 * pack.trades:
                order.append(
                    (
                        p,
                        0.7,
                        f"{timed.trades} of {pack.trades} trades on the sessions I choose on run out of time.",
                        _whole(request, (timed.id,)),
                    )
                )
            order += [(p, 1.5, "A further target lets winners run.", ()), (p, 0.7, "A nearer target is met more often.", ())]
    order.sort(key=lambda step: not step[3])
    stricter = [(p, _stricter(request.subject.scan_script, p), "A stricter threshold keeps the clearer cases.", ()) for p in parameters]
    looser = [(p, 1 / factor, "A looser threshold finds more cases.", ()) for p, factor, _, _ in stricter]
    thresholds = [step for step in stricter if step[0].script == "scan"]
    order = [*thresholds[:MOST_STRICTER], *order, *thresholds[MOST_STRICTER:], *(s for s in looser if s[0].script == "scan")]
    for p, factor, why, cited in order:
        value = moved(p.value, factor, p.low, p.high, p.step)
        if value != p.value:
            scan, execution = set_parameters(request.subject.scan_script, request.subject.execution_script, {p.name: value})
            yield Idea(Variant(scan, execution, f"{_readable(p.name)}: {p.value:g} to {value:g}", why), cited)


def _narrowed(scan: str, condition: str) -> str:
    """The scan with the condition; unchanged, and so dropped as no idea, where it has no room left for one."""
    from lab.script import ScriptError

    try:
        return narrow(scan, condition)
    except ScriptError:
        return scan


def _stricter(scan: str, parameter: Parameter) -> float:
    """The factor that lets fewer bars through: by the sign of the comparison that the parameter stands behind."""
    name, _, nth = parameter.name.rpartition("_")
    line = next((text for text in scan.splitlines() if text.partition("=")[0].strip() == parameter.name), "")
    if not line:
        line = next((text for text in scan.splitlines() if text.partition("=")[0].strip() == name and nth.isdigit()), "")
    before = line.split("param(")[int(nth) - 1 if nth.isdigit() and "param(" in line else 0]
    upper = before.rfind("<") > before.rfind(">")
    negative = before.rstrip().endswith("-")
    return 0.7 if upper != negative else 1.35


def _exit(exits: dict[str, Bucket], *starts: str) -> Bucket | None:
    return next((bucket for name, bucket in exits.items() if name.lower().startswith(starts)), None)


def _readable(parameter: str) -> str:
    return parameter.removeprefix("execution.").replace("_", " ")
