"""The built-in strategist's first strategy: which pattern suits the agent, and why."""

from __future__ import annotations

from lab.agents.builtin.edits import leave_by, narrow
from lab.agents.builtin.patterns import PATTERNS, Pattern, pattern_named
from lab.agents.builtin.setting import Horizon, Setting, setting_of
from lab.agents.builtin.writing import Scripts
from lab.agents.demands import clock, flat_by, limits, windows
from lab.agents.personality import named_focuses
from lab.agents.strategist import Brief, KnowledgeType, StrategyDraft


def draft(brief: Brief) -> StrategyDraft:
    """The pattern that guidance, instructions, personality and knowledge speak for most, written for the agent."""
    pattern, because = _choose(brief)
    setting = setting_of(brief)
    scripts = pattern.write(setting)
    title, _, idea = scripts.scan.partition("\n")[0].lstrip("# ").partition(": ")
    temper = {
        "conservative": "I set the bar high and the stop close: fewer signals, smaller losses.",
        "aggressive": "I set the bar low and give each trade room: more signals, deeper swings.",
    }.get(brief.personality.risk, "I start from ordinary thresholds and let the evidence move them.")
    pace = {
        Horizon.MINUTES: "Everything is opened and closed within the session.",
        Horizon.HOURS: "With only a few bars a session, positions may stay for several sessions.",
        Horizon.DAYS: "On daily bars there is no time of day, so I hold for days and leave by rule.",
    }[setting.horizon]
    scripts, kept = _as_asked(brief, setting, scripts, pattern.name)
    return StrategyDraft(
        scan_script=scripts.scan,
        execution_script=scripts.execution,
        pattern=pattern.name,
        rationale=f"I start with {pattern.name}, {because}. The bet: {idea}. {temper} {pace}{kept}",
        version_notes=f"First version: {title}",
    )


def _as_asked(brief: Brief, setting: Setting, scripts: Scripts, pattern: str) -> tuple[Scripts, str]:
    """The scripts with the direction, times and risk that the person named, and a sentence on each."""
    from lab.script import check

    text, said = f"{brief.instructions}. {brief.guidance}", []
    sides = {line.split("=")[0].strip() for line in scripts.scan.splitlines()} & {"long", "short"}
    if not setting.longs and sides == {"long", "short"}:
        scan = "".join(line for line in scripts.scan.splitlines(keepends=True) if line.split("=")[0].strip() != "long")
        scripts = Scripts(scan, scripts.execution)
        said.append("I only sell short, as you asked.")
    elif not setting.longs and "short" not in sides:
        said.append(f"You asked for short only, but my {pattern} buys: I know no short side of it.")
    elif setting.shorts and sides == {"long", "short"}:
        said.append("I also sell short, as you asked.")
    elif setting.shorts and "short" not in sides:
        said.append(f"You speak of selling short; my {pattern} only buys.")
    for window in windows(text):
        if setting.horizon is Horizon.DAYS:
            said.append(f"“{window.words}” I can't keep: a daily bar has no time of day.")
            continue
        narrowed = Scripts(narrow(scripts.scan, window.condition), scripts.execution)
        if not check(narrowed.scan, narrowed.execution):
            scripts = narrowed
            said.append(f"I trade {window.title}, as you asked.")
    out = flat_by(text)
    if out is not None and setting.horizon is not Horizon.DAYS:
        scripts = Scripts(scripts.scan, leave_by(scripts.execution, clock(out[0])))
        said.append(f"I am out by {clock(out[0])}, as you asked.")
    asked = limits(text)
    if asked.risk_percent is not None:
        said.append(f"I risk {setting.risk_percent:g}% of equity a trade, as you asked. {asked.clamped}".strip())
    return scripts, "".join(f" {sentence}" for sentence in said)


def _choose(brief: Brief) -> tuple[Pattern, str]:
    """The pattern with the most votes, and the weightiest reason in words. Words of the person weigh most."""
    votes: dict[str, float] = {p.name: 0.0 for p in PATTERNS}
    reasons: dict[str, tuple[float, str]] = {}

    def vote(name: str, weight: float, reason: str) -> None:
        if name in votes:
            votes[name] += weight
            if weight > reasons.get(name, (0.0, ""))[0]:
                reasons[name] = (weight, reason)

    for name in named_focuses(brief.guidance):
        vote(name, 16, "because you asked for it")
    for name in named_focuses(brief.instructions):
        vote(name, 2, "which your instructions name")
    for place, name in enumerate(brief.personality.focus):
        vote(name, 5 - min(place, 4), "which is what I am here to look for")
    for pattern in PATTERNS:
        if brief.personality.style in pattern.suits:
            vote(pattern.name, 1 - pattern.suits.index(brief.personality.style) / 4, f"which comes natural to a {brief.personality.style}")
    for insight in brief.knowledge:
        if insight.knowledge_type == KnowledgeType.FAILURE:
            vote(insight.pattern_type, -2 * insight.confidence, "")
        elif insight.knowledge_type == KnowledgeType.PATTERN_RULE:
            vote(insight.pattern_type, insight.confidence, "which has worked for me before")
    best = max(votes, key=lambda name: votes[name])
    return pattern_named(best), reasons.get(best, (0.0, "the plainest pattern I know"))[1]
