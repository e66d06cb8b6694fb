"""The checklist of a graduation: written rules with defaults, that a person may edit per agent, and overrule, which is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.agents.errors import BadAgent
from lab.agents.proof.rules import vault_sure
from lab.agents.proof.views import CheckRow, RobustnessReport, VaultReport
from lab.agents.views import ResultSummary


@dataclass(frozen=True, slots=True)
class Rule:
    key: str
    says: str
    """With {asked}, the bound."""
    default: float
    low: float
    high: float
    """What a person may set it to."""
    is_share: bool = False


RULES: tuple[Rule, ...] = (
    Rule("least_trades", "at least {asked} trades on the learning span", 100, 30, 100_000),
    Rule("least_deflated", "a deflated Sharpe ratio of at least {asked}", 0.95, 0.5, 0.9999, True),
    Rule("least_vault", "in the vault a Sharpe ratio above zero with a probability of at least {asked}", 0.8, 0.5, 0.9999, True),
    Rule("least_costs", "still earns at {asked} times the costs", 2.0, 1.0, 3.0),
    Rule("most_drawdown", "no drawdown deeper than {asked}, on the learning span or in the vault", 0.2, 0.01, 1.0, True),
    Rule("least_regimes", "earns in at least {asked} of the market's regimes it traded 10 times or more in", 2, 0, 9),
)
REGIME_TRADES = 10


def rules_of(own: Mapping[str, float]) -> dict[str, float]:
    """Every rule's bound: the agent's own where the person set one, else the default."""
    return {rule.key: float(own.get(rule.key, rule.default)) for rule in RULES}


def checked_rules(own: Mapping[str, float]) -> dict[str, float]:
    """The bounds a person sets, those that are the default left out. Raises BadAgent with the field "graduation"."""
    known = {rule.key: rule for rule in RULES}
    kept = {}
    for key, value in own.items():
        rule = known.get(key)
        if rule is None:
            raise BadAgent("graduation", f"There is no rule {key!r} for graduating; there are {', '.join(known)}.")
        if not rule.low <= value <= rule.high:
            raise BadAgent("graduation", f"{key} must be from {rule.low:g} to {rule.high:g}, not {value:g}.")
        if value != rule.default:
            kept[key] = float(value)
    return kept


def check_rows(
    own: Mapping[str, float],
    result: ResultSummary | None,
    robustness: RobustnessReport | None,
    vault: VaultReport | None,
    regimes: Sequence[tuple[str, int, float]],
    deflated: float | None = None,
) -> tuple[CheckRow, ...]:
    """The checklist. `regimes` are (name, trades, mean R) of the version's trades, `deflated` is the deflated Sharpe ratio over all
    that was tried up to now; what was not measured is not passed."""
    asked = rules_of(own)
    found: dict[str, tuple[float | None, bool, str]] = {
        "least_trades": _at_least(None if result is None else float(result.trades), asked["least_trades"]),
        "least_deflated": _at_least(deflated, asked["least_deflated"]),
        "least_vault": _vault(vault, asked["least_vault"]),
        "least_costs": _costs(robustness, asked["least_costs"]),
        "most_drawdown": _drawdown(result, vault, asked["most_drawdown"]),
        "least_regimes": _regimes(result, regimes, asked["least_regimes"]),
    }
    rows = []
    for rule in RULES:
        value, passed, detail = found[rule.key]
        bound = f"{asked[rule.key]:.0%}" if rule.is_share else f"{asked[rule.key]:g}"
        rows.append(CheckRow(rule.key, rule.says.format(asked=bound), asked[rule.key], value, passed, detail))
    return tuple(rows)


def _at_least(value: float | None, asked: float) -> tuple[float | None, bool, str]:
    return value, value is not None and value >= asked, "" if value is not None else "not measured yet"


def _figure(result: ResultSummary | None, name: str) -> float | None:
    return None if result is None else next((figure.value for figure in result.figures if figure.name == name), None)


def _vault(vault: VaultReport | None, asked: float) -> tuple[float | None, bool, str]:
    if vault is None:
        return None, False, "the vault was not opened for this version"
    bound = max(asked, vault_sure(vault.openings))
    if vault.seen_by:
        return vault.probability, False, f"{vault.seen_by} variants were tried on sessions of this vault: it was not unseen"
    raised = f"; {bound:.1%} is asked, since the vault was opened {vault.openings} times" if bound > asked else ""
    return vault.probability, (vault.probability or 0.0) >= bound, f"{vault.trades} trades in {vault.sessions} sessions{raised}"


def _costs(robustness: RobustnessReport | None, asked: float) -> tuple[float | None, bool, str]:
    if robustness is None:
        return None, False, "robustness was not studied for this version"
    tried = [(float(row.detail[1:]), row) for row in robustness.rows if row.name == "costs"]
    survived = max((multiple for multiple, row in tried if row.holds), default=None)
    edge = robustness.break_even_costs
    held = edge if edge is not None else survived
    return held, held is not None and held >= asked, "" if edge is None else f"the edge dies at {edge:.1f} times the costs"


def _drawdown(result: ResultSummary | None, vault: VaultReport | None, asked: float) -> tuple[float | None, bool, str]:
    if result is None:
        return None, False, "not measured yet"
    deepest = max(result.max_drawdown, 0.0 if vault is None else vault.max_drawdown)
    return deepest, deepest <= asked, "" if vault is not None else "on the learning span alone"


def _regimes(result: ResultSummary | None, regimes: Sequence[tuple[str, int, float]], asked: float) -> tuple[float | None, bool, str]:
    if result is None:
        return None, False, "not measured yet"
    covered = [(name, trades, mean) for name, trades, mean in regimes if trades >= REGIME_TRADES]
    earning = [name for name, _, mean in covered if mean > 0]
    detail = ", ".join(f"{name} {mean:+.2f}R over {trades}" for name, trades, mean in covered)
    return float(len(earning)), len(earning) >= asked, detail or f"no regime with {REGIME_TRADES} trades is known"
