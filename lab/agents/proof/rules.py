"""The written rules by which a result gets its one word, with its reasons. `lab calibrate` measures how often they are wrong.

1. *no verdict yet*: fewer than 30 trades, or a curve too short or too flat for a Sharpe ratio.
2. *no edge seen*: on the learning span the Sharpe ratio's 95 % interval reaches zero, or the deflated Sharpe ratio, over all
   variants in the ledger that were tried on overlapping bars, is below 95 %; or the vault was opened and the version lost in it.
   The deflated ratio asks whether the true Sharpe ratio is above zero given what the best of so many tries without skill is
   expected to show: of the effective number of trials (`lab.backtest.effective_trials`: variants that move together tell less than
   their number), each with the spread that an estimate from so many sessions has by chance (1 / sessions).
3. *promising*: both are passed. It was refined on these sessions, so nothing more can be said without unseen ones.
4. *evidence of an edge*: promising, and in the vault at least 10 trades, a Sharpe ratio above zero, and a probability of at least
   80 % that the true one is too. That probability is asked for over all openings of the vault together (Bonferroni): the second
   opening has to show 90 %, the fourth 95 %. A vault whose sessions were part of any learning span was seen, and gives no evidence.

The budget of errors: at most 5 % of agents without an edge may reach *evidence*. Rule 2 should let 5 % through, rule 4 one in five of
those, so together 1 %: rule 2 may be wrong five times as often as it says. It was settled on markets that are none of the
published study's: of 130 agents on noise (demo seeds 500001-3 and 700001-6 with edges off, real bars shuffled with 700001-4) 5 were
*promising* after ten iterations and none of them passed the vault; at 70 % one would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lab.agents.views import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lab.agents.jobs import TrialsSoFar
    from lab.agents.proof.views import VaultReport

MIN_TRADES = 30
"""Below this many trades there is no verdict."""
SURE = 0.95
"""The probability of a positive Sharpe ratio, deflated for the number of trials, from which a result is called promising."""
VAULT_TRADES = 10
VAULT_SURE = 0.8
"""The probability that the true Sharpe ratio in the vault is positive, for a vault opened once."""


class Word(StrEnum):
    NO_VERDICT = "no verdict yet"
    NO_EDGE = "no edge seen"
    PROMISING = "promising"
    EVIDENCE = "evidence of an edge"


@dataclass(frozen=True, slots=True)
class Verdict:
    word: Word
    reason: str
    """Sentences."""


def learning_verdict(trades: int, sharpe: float | None, interval: Interval | None, deflated: float | None, trials: TrialsSoFar) -> Verdict:
    """What the learning span alone allows to say. `deflated` is the deflated Sharpe ratio over `trials`."""
    if trades < MIN_TRADES:
        return Verdict(Word.NO_VERDICT, f"{trades} trades; below {MIN_TRADES} nothing can be said.")
    if sharpe is None or interval is None:
        return Verdict(Word.NO_VERDICT, "The equity curve is too short or too flat for a Sharpe ratio.")
    spread = f"({interval.low:.2f} to {interval.high:.2f})"
    if interval.high < 0:
        return Verdict(Word.NO_EDGE, f"It loses: the Sharpe ratio's whole interval {spread} lies below zero.")
    if interval.low <= 0:
        return Verdict(Word.NO_EDGE, f"The Sharpe ratio's interval reaches down to {interval.low:.2f}: chance alone could give it.")
    tried = f"as the best of {trials.count} variants" if trials.count > 1 else "as the first variant"
    if deflated is None or deflated < SURE:
        odds = "can't be computed" if deflated is None else f"is {deflated:.1%}"
        return Verdict(Word.NO_EDGE, f"Its deflated Sharpe ratio, {tried} tried on these bars, {odds}; {SURE:.0%} is asked.")
    return Verdict(
        Word.PROMISING,
        f"Its deflated Sharpe ratio, {tried} tried on these bars, is {deflated:.1%}. It was refined on these sessions; "
        "only the vault, not yet asked, could show an edge.",
    )


def deflate(returns: Sequence[float] | NDArray[np.float64], trials: TrialsSoFar) -> tuple[float | None, float]:
    """The deflated Sharpe ratio of a result's daily returns, and the effective number of trials it is deflated by."""
    import numpy as np

    from lab.backtest import deflated_sharpe, effective_trials

    own = np.asarray(returns, dtype=np.float64)
    known = [own, *(other for other in trials.returns if len(other) == len(own))]
    # the result itself may be among the trials already: a copy changes nothing
    effective = effective_trials(np.array(known, dtype=np.float64).T, max(0, trials.count - len(known)))
    return deflated_sharpe(own, effective, 1 / max(1, len(own) - 1)), effective


def vault_sure(openings: int) -> float:
    """The probability that the vault has to show when it was opened so often."""
    return 1 - (1 - VAULT_SURE) / max(1, openings)


def final_verdict(learning: Verdict, vault: VaultReport) -> Verdict:
    """The verdict on a version with which the vault was opened; `learning` is that on its learning span."""
    asked = vault_sure(vault.openings)
    times = "once" if vault.openings == 1 else f"{vault.openings} times"
    span = f"In the vault ({vault.sessions} sessions, {vault.trades} trades, opened {times})"
    if learning.word is not Word.PROMISING:
        return Verdict(learning.word, f"{learning.reason} {span} nothing can make up for that.")
    before = learning.reason.partition(" It was refined")[0]
    if vault.sharpe is not None and vault.sharpe <= 0:
        return Verdict(Word.NO_EDGE, f"{span} it lost: a Sharpe ratio of {vault.sharpe:.2f}. What the learning span showed did not hold.")
    if vault.trades < VAULT_TRADES or vault.sharpe is None or vault.probability is None:
        return Verdict(Word.PROMISING, f"{before} {span} there is too little to say more; {VAULT_TRADES} trades are asked.")
    figures = f"its Sharpe ratio is {vault.sharpe:.2f}, positive with a probability of {vault.probability:.1%}"
    if vault.seen_by:
        return Verdict(
            Word.PROMISING,
            f"{before} {span} {figures}. But {vault.seen_by} variants were tried on learning spans that hold sessions of it: "
            "it was not unseen.",
        )
    if vault.probability < asked:
        return Verdict(Word.PROMISING, f"{before} {span} {figures}; {asked:.1%} is asked.")
    return Verdict(Word.EVIDENCE, f"{before} {span}, which it was not refined on, {figures}; {asked:.1%} is asked.")
