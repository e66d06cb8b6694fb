"""The way from learning to trading on paper, in lines: the checklist, the vault, the studies behind it, and every decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from lab.agents.proof.views import Checklist, CheckRow, GraduationRow, ProofView, moved
from lab.tui.text import bar, clean, number, percent, plural, sentence
from lab.tui.widgets.flow import BLANK, Line
from lab.tui.widgets.proof import MUTED, UNDER_WAY

LEARNING = "learning"


def vault_question(checklist: Checklist) -> str:
    """What a person reads before the vault is opened."""
    vault = checklist.vault
    before = "was never opened" if vault.openings == 0 else f"was opened {plural(vault.openings, 'time')}"
    unseen = ", which nobody has looked at" if not vault.openings and not vault.seen_by else ""
    seen = f" {vault.seen_by:,} variants were tried on learning spans that hold sessions of it." if vault.seen_by else ""
    return (
        f"Open the vault for version {checklist.version} of {checklist.agent}? It holds the sessions after {vault.learning_until}, to "
        f"{vault.last_session}{unseen}. So far it {before}.{seen} An opening counts for ever: each one makes the next "
        "have to show more, for every agent on these sessions. It can't be taken back."
    )


def graduation_lines(
    checklist: Checklist, runs: Sequence[ProofView], decisions: Sequence[GraduationRow], trials: Mapping[str, int], keys: Mapping[str, str]
) -> list[Line]:
    """Everything needed to decide. `keys` are those of what can be done there: "study", "open_vault", "graduate", "send_back"…"""
    passed = sum(row.passed for row in checklist.rows)
    version = f"version {clean(checklist.version)}" if checklist.version else "no measured version yet"
    top = Content.assemble(
        (f"{clean(checklist.status).replace('_', ' ')}", "bold"),
        (f"  {version}: {passed} of {len(checklist.rows)} rules passed", MUTED),
    )
    lines: list[Line] = [(top, 0), *_what_next(checklist, keys), BLANK]
    for row in checklist.rows:
        lines += _rule(row)
    vault = checklist.vault
    opened = "never opened" if not vault.openings else f"opened {plural(vault.openings, 'time')}, last {vault.opened_at[-1]:%Y-%m-%d}"
    span = f"learning span {vault.first_session} to {vault.learning_until}, vault to {vault.last_session}: {opened}"
    lines += [BLANK, (Content.assemble(("Vault    ", "bold"), span), 9)]
    tried = ", ".join(f"{clean(purpose)} {amount:,}" for purpose, amount in trials.items()) or "none"
    lines.append((Content.assemble(("Trials   ", "bold"), (f"in the ledger of this agent: {tried}", "")), 9))
    for run in runs:
        if run.state in UNDER_WAY:
            now = f"{bar(run.progress, 12)} {run.progress:.0%} {clean(run.note)}".rstrip()
            lines.append((Content.assemble((f"{clean(run.kind)}  ", "bold"), (now, "$text-accent")), 9))
    newest = {run.kind: run for run in reversed(runs)}
    for run in newest.values():
        if run.state == "failed":
            lines.append((Content.assemble((f"{clean(run.kind)} failed  ", "$text-error"), clean(run.failure)), 9))
    if checklist.missing:
        lines.append((Content.assemble(("Missing  ", "bold"), f"{', '.join(map(clean, checklist.missing))}"), 9))
    if decisions:
        lines += [BLANK, (Content.styled("Decisions", "bold"), 0)]
    for decision in decisions:
        lines += _decision(decision)
    return lines


def _rule(row: CheckRow) -> list[Line]:
    mark, style = ("[x]", "bold") if row.passed else ("[ ]", MUTED)
    as_share = "%" in row.says
    known = percent(row.found) if as_share else number(row.found, 0 if (row.found or 0.0).is_integer() else 2)
    found = "not measured" if row.found is None else f"found {known}"
    lines: list[Line] = [(Content.assemble((f"{mark} ", style), clean(row.says), (f"  {found}", "bold")), 4)]
    if row.detail:
        lines.append((Content.styled(f"    {clean(row.detail)}", MUTED), 4))
    return lines


def _what_next(checklist: Checklist, keys: Mapping[str, str]) -> list[Line]:
    if checklist.status != LEARNING:
        return [_quiet(f"It trades on paper. {keys['send_back']} sends it back to learning, which is recorded.")]
    said = []
    if "study" in keys and any(kind in checklist.missing for kind in ("walk-forward", "robustness")):
        said.append(f"{keys['study']} makes the studies that are missing.")
    if "vault" in checklist.missing:
        said.append(f"{keys['open_vault']} opens the vault for this version, after a warning.")
    else:
        said.append(f"{keys['graduate']} lets it trade on paper: you decide.")
    if "rules" in keys:
        said.append(f"{keys['rules']} changes a bound.")
    if "discard" in keys:
        said.append(f"{keys['discard']} turns it down, with your reason: this version does not come back.")
    return [_quiet(" ".join(said))]


def _decision(row: GraduationRow) -> list[Line]:
    words = f"{row.decided_at:%Y-%m-%d %H:%M} UTC  {moved(row.from_status, row.to_status)}, version {row.version}"
    lines: list[Line] = [(Content(clean(words)), 2)]
    if row.overruled:
        lines.append((Content.styled(f"  overruled: {', '.join(map(clean, row.overruled))}", "$text-warning"), 2))
    if row.note:
        lines.append((Content.styled(f"  {sentence(row.note)}", MUTED), 2))
    return lines


def _quiet(words: str) -> Line:
    return Content.styled(words, MUTED), 0
