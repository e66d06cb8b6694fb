"""The built-in strategist's analysis: what happened, where the edge is and is not, what hung on luck, what next.

Every sentence with a figure cites the evidence it comes from. What is said depends on what stands out; how it is said
depends on the agent's temper and on a seed of its name and version, so two agents do not read alike.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lab.agents.builtin import insights
from lab.agents.builtin.insights import NOTABLE_P
from lab.agents.builtin.patterns import pattern_of
from lab.agents.builtin.setting import Horizon, horizon_of
from lab.agents.builtin.wishes import EVERY_CONTEXT, wishes
from lab.agents.dimensions import OUTCOME_COLUMNS
from lab.agents.evidence import MIN_TRADES, Bucket, EvidencePack, Figure, TradeEvidence
from lab.agents.strategist import Analysis, AnalysisRequest, Verdict
from lab.agents.summary import PROMISING

MIN_SESSIONS = 25
"""On fewer sessions too few are held back to confirm a change on."""
PLANNED_LOSS_R = 1.3
"""A trade that lost more than so much lost clearly more than its stop allowed for."""
NOTABLE_R = 0.05
SINGLE_P = 0.05
"""P-value up to which a belief that was held before these trades is spoken of as seen in them, or as not holding; corrected, up to which
a difference is called beyond luck."""


def analyse(request: AnalysisRequest) -> Analysis:
    """The text and the insights for a result."""
    writer = _Writer(request, request.subject.evidence)
    return Analysis(text="\n\n".join(p for p in writer.paragraphs() if p), insights=insights.learned(request))


@dataclass(frozen=True, slots=True)
class _Writer:
    request: AnalysisRequest
    pack: EvidencePack

    def paragraphs(self) -> list[str]:
        if not self.pack.trades:
            return [self._no_trades(), self._next()]
        return [
            " ".join(part for part in (self._headline(), self._payoff()) if part),
            self._parent(),
            " ".join(part for part in (self._edge(), self._hole(), self._ticker()) if part),
            " ".join(part for part in (self._luck(), self._exits()) if part),
            " ".join(part for part in (self._funnel(), self._costs(), self._story()) if part),
            " ".join(part for part in (self._known(), self._next()) if part),
        ]

    def _pick(self, topic: str, *choices: str) -> str:
        """One of several ways to say it, always the same for the same agent, version and topic."""
        seed = f"{self.request.name}|{self.request.subject.version}|{self.request.iteration_number}|{topic}"
        return choices[int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") % len(choices)]

    # --- what happened

    def _no_trades(self) -> str:
        signals = self.pack.figure("signals")
        if signals is None or not signals.value:
            return (
                f"My {pattern_of(self.request.subject.scan_script)} found nothing at all on this span. That is no result, good or bad:"
                " one of my conditions asks for something these stocks never did."
            )
        skips = self.pack.funnel[2:]
        why = f" Most of them ended as “{skips[0].name}” ({_count(skips[0])})." if skips else ""
        return f"My signals came ({_count(signals)}), but not one became a trade.{why} Before I judge the idea I have to fix the way in."

    def _headline(self) -> str:
        pack, pattern = self.pack, pattern_of(self.request.subject.scan_script)
        mean, rate, trades = pack.figure("mean R"), pack.figure("win rate"), pack.figure("trades")
        if mean is None or rate is None or trades is None:
            return ""
        few = pack.trades < MIN_TRADES
        earned = mean.interval is not None and mean.interval.low > 0
        lost = mean.interval is not None and mean.interval.high < 0
        if few:
            judgement = "fewer than thirty, so whatever they say, I give no verdict yet"
        elif earned:
            judgement = self._earned()
        elif lost:
            judgement = self._lost()
        else:
            judgement = self._pick("even", "and I can't tell the result from chance", "and what they made is within the range of luck")
        won = f"I won {_percent(rate)}{_between(rate, percent=True)}, {_r(mean)} a trade on average{_between(mean)}."
        return f"{pattern[0].upper()}{pattern[1:]}, version {self.request.subject.version}: {_count(trades)} trades, {judgement}. {won}"

    def _earned(self) -> str:
        """For a mean R whose interval lies above zero: no more than the account's Sharpe ratio and the verdict bear out."""
        sharpe = self.pack.figure("Sharpe ratio")
        paid = self._pick("good", "and after costs they paid", "and the average one made money after costs")
        if sharpe is None or sharpe.interval is None:
            return f"{paid}, but there are too few days to say whether the account did by more than luck"
        if sharpe.interval.low <= 0:
            return f"{paid}, but the account as a whole may owe it to luck: its Sharpe interval reaches below zero [{sharpe.id}]"
        if self.pack.verdict != PROMISING:
            return f"{paid}, though the best of all that was tried on these bars could show as much by luck"
        return paid

    def _lost(self) -> str:
        sharpe = self.pack.figure("Sharpe ratio")
        if sharpe is not None and sharpe.interval is not None and sharpe.interval.high < 0:
            return self._pick(
                "bad", "and after costs they lost, steadily enough that I can't call it bad luck", "and the average one cost me money"
            )
        return "and after costs the average one lost, though for the account as a whole bad luck is not ruled out"

    def _payoff(self) -> str:
        win, loss = self.pack.figure("average win"), self.pack.figure("average loss")
        sharpe, drawdown, total = self.pack.figure("Sharpe ratio"), self.pack.figure("maximum drawdown"), self.pack.figure("total return")
        parts = []
        if win is not None and loss is not None:
            need = (
                "so I can be wrong more often than right"
                if win.value > -loss.value * 1.1
                else ("so I have to be right more often than wrong" if win.value < -loss.value * 0.9 else "about even odds")
            )
            parts.append(f"A win brings {_r(win)}, a loss {_r(loss)}, {need}.")
        if total is not None and drawdown is not None:
            parts.append(
                f"The account made {_signed_percent(total)} with a worst fall of {_percent(drawdown)}{self._drawdown_feeling(drawdown)}."
            )
        if sharpe is not None:
            wide = sharpe.interval is not None and sharpe.interval.low < 0 < sharpe.interval.high
            parts.append(f"Sharpe {_plain(sharpe)}{_between(sharpe)}" + (": the interval spans zero." if wide else "."))
        return " ".join(parts)

    def _drawdown_feeling(self, drawdown: Figure) -> str:
        if self.request.personality.risk == "conservative" and drawdown.value > 0.04:
            return ", deeper than I like"
        if self.request.personality.risk == "aggressive" and drawdown.value < 0.05:
            return ", which I can live with easily"
        return ""

    def _parent(self) -> str:
        parent = self.request.parent
        if parent is None:
            return ""
        change = "; ".join(parent.changes) or "the scripts"
        before, moved = self.pack.figure("Sharpe ratio before"), self.pack.figure("daily difference from the parent")
        figures = f" (Sharpe was {_plain(before)})" if before is not None else ""
        size = f", {moved.value * 1e4:+.1f} bps a day{_between(moved, scale=1e4)}" if moved is not None else ""
        against = f"Against version {parent.parent_version}{figures} the change ({change})"
        days = "the same days"
        if parent.whole is not None and (unseen := self.pack.figure("sessions it was not chosen on")) is not None:
            days = f"the {_count(unseen)} sessions it was not chosen on"
        if parent.comparison.verdict is Verdict.BETTER:
            return f"{against} helped{size}: on {days} it is better by more than chance explains."
        if parent.comparison.verdict is Verdict.WORSE:
            return f"{against} hurt{size}, on {days}. I would go back."
        return f"{against} shows no clear effect on {days}{size}: I keep it as an open question."

    # --- where the edge is and is not

    def _edge(self) -> str:
        good = self._notable(up=True)
        if not good:
            weak = self._strongest(up=True)
            if weak is None:
                return "The breakdowns are too thin to compare anything."
            return (
                f"No corner of this is clearly better than the rest. The nearest is {_where(weak)} with {weak.mean_r:+.2f}R over"
                f" {weak.trades} trades [{weak.id}], and with so many ways to cut the trades one always looks like that."
            )
        lead = self._pick("edge", "It does better", "I do better", "My trades do better")
        text = f"{lead} {_where(good[0])} than elsewhere: {_against_the_rest(good[0])}."
        if len(good) > 1:
            also = "The same goes for" if _is_sure(good[0]) == _is_sure(good[1]) else "Less surely it does so for"
            text += f" {also} trades {_where(good[1])}: {_against_the_rest(good[1])}."
        return text

    def _hole(self) -> str:
        bad = self._notable(up=False)
        if not bad:
            return ""
        lead = self._pick("hole", "It does worse", "I do worse", "My trades do worse")
        return f"{lead} {_where(bad[0])} than elsewhere: {_against_the_rest(bad[0])}."

    def _ticker(self) -> str:
        tickers = [b for b in self.pack.dimension("ticker") if b.trades >= 3]
        total = sum(b.total_r for b in self.pack.dimension("ticker"))
        best = max(tickers, key=lambda b: b.total_r, default=None)
        if best is None or total <= 0 or best.total_r < 0.4 * total:
            return ""
        if best.total_r >= total:
            return f"Without {best.name} ({best.total_r:+.1f}R [{best.id}]) nothing would be left; a single name is not an edge."
        return f"Much of it is {best.name} alone, {best.total_r:+.1f}R [{best.id}]; a single name is not an edge."

    def _tested(self) -> list[Bucket]:
        return [b for b in self.pack.buckets if b.corrected_p is not None and b.column not in OUTCOME_COLUMNS | {"ticker"}]

    def _notable(self, *, up: bool) -> list[Bucket]:
        """Clearly different buckets, the clearest first, one of each dimension."""
        found: dict[str, Bucket] = {}
        for bucket in sorted(self._tested(), key=lambda b: (b.corrected_p or 0.0, -abs(b.r_lift or 0.0))):
            if (bucket.corrected_p or 0.0) <= NOTABLE_P and ((bucket.r_lift or 0.0) > 0) == up:
                found.setdefault(bucket.column, bucket)
        return [b for b in found.values() if up is False or b.mean_r > 0]

    def _strongest(self, *, up: bool) -> Bucket | None:
        return max(self._tested(), key=lambda b: (b.r_lift or 0.0) if up else -(b.r_lift or 0.0), default=None)

    # --- luck, exits, what was left out

    def _luck(self) -> str:
        net, mean = self.pack.figure("net profit"), self.pack.figure("mean R")
        without = self.pack.figure("net profit without the five best trades")
        if net is None or without is None:
            return ""
        if net.value > 0 and without.value <= 0:
            return (
                f"Luck: take away my five best trades and the profit of {_dollars(net)} becomes {_dollars(without)}."
                " A handful of trades carries it all."
            )
        if net.value > 0 and mean is not None and mean.interval is not None and mean.interval.low > 0:
            return (
                "It does not hang on a few lucky ones:"
                f" without my five best trades there are still {_dollars(without)} of {_dollars(net)} left."
            )
        if net.value > 0:
            return (
                f"I made {_dollars(net)}, and {_dollars(without)} without the five best trades;"
                " the spread of single results is still wide enough to hide a zero."
            )
        return f"Nor was it one accident: the loss is {_dollars(net)}, and {_dollars(without)} without even my five best trades."

    def _exits(self) -> str:
        exits = sorted(self.pack.dimension("exit_reason"), key=lambda b: -b.trades)
        if not exits:
            return ""
        top = exits[0]
        share = f"{top.trades} of my trades ended by “{top.name}” at {top.mean_r:+.2f}R on average [{top.id}]"
        remark = {
            "stop": "the entry is early or the stop too close for this noise",
            "target": "the target is near enough to be met, perhaps too near",
            "max bars": "the move is still going when my time is up"
            if top.mean_r > 0.05
            else "the move I wait for mostly does not come in time",
            "exit rule": "my own exit rule decides, more than stop or target",
            "flat by": "the close decides for me, so I enter too late in the day or ask for too much",
        }.get(top.name, "")
        paid = max(exits, key=lambda b: b.total_r)
        extra = f" What pays is “{paid.name}”, {paid.total_r:+.1f}R in all [{paid.id}]." if paid is not top and paid.total_r > 0 else ""
        return f"{share}{': ' + remark if remark else ''}.{extra}"

    def _funnel(self) -> str:
        signals, traded, skips = self.pack.figure("signals"), self.pack.figure("signals traded"), self.pack.funnel[2:]
        if signals is None or traded is None or not skips or traded.value > 0.8 * signals.value:
            return ""
        first = skips[0]
        meaning = {
            "no slot": "my account was full, so which signal comes first matters",
            "in position": "I was already in the stock, so they say nothing new",
            "after cut-off": "they came too late in the day",
            "too small": "the stop was so wide or the account so small that not one share fitted",
            "no cash": "my money was tied up",
            "no fill": "the price I asked for never came",
        }.get(first.name, "")
        left_out = f"the largest loss on the way is “{first.name}” ({_count(first)})"
        return f"Of {_count(signals)} signals I took {_count(traded)}; {left_out}{': ' + meaning if meaning else ''}."

    def _costs(self) -> str:
        costs, net = self.pack.figure("costs of the trades"), self.pack.figure("net profit")
        if costs is None or net is None or costs.value <= 0:
            return ""
        gross = net.value + costs.value
        if net.value < 0 < gross:
            return (
                f"Before costs I was ahead; {_dollars(costs)} of costs turned it into {_dollars(net)}:"
                " fewer or larger trades are the way out."
            )
        if gross > 0 and costs.value > 0.3 * gross:
            return f"Costs took {_dollars(costs)} and left me {_dollars(net)}, too large a share for comfort."
        return ""

    def _story(self) -> str:
        if not self.pack.worst:
            return ""
        worst, best = self.pack.worst[0], self.pack.best[0]
        trend = {-1.0: " against a falling market", 1.0: " in a rising market"}.get(worst.context.get("market.trend", 0.0), "")
        return (
            f"The worst: {worst.ticker}{trend}, {worst.r_multiple:+.1f}R, out by “{worst.exit_reason}” [{worst.id}].{_why_more(worst)}"
            f" The best: {best.ticker}, {best.r_multiple:+.1f}R [{best.id}]."
        )

    # --- memory and what next

    def _known(self) -> str:
        said = []
        for insight in self.request.subject.knowledge[:6]:
            bucket = insights.bucket_of(insight, self.pack)
            effect = insight.supporting_data.get("effect")
            if bucket is None or bucket.r_lift is None or bucket.p_value is None or not isinstance(effect, (int, float)):
                continue
            agrees = (bucket.r_lift > 0) == (effect > 0)
            if bucket.p_value >= SINGLE_P:
                verb = "can't be told from luck in these trades"
            else:
                verb = "shows in these trades" if agrees else "does not hold this time"
            said.append(
                f"What I believed of {bucket.dimension} “{bucket.name}” {verb}: {bucket.r_lift:+.2f}R against the rest [{bucket.id}]."
            )
        return " ".join(said[:2])

    def _next(self) -> str:
        """What the proposal that follows will do, and no more: it is not yet known which change will hold up."""
        parts = [self._guidance()]
        if self.pack.sessions < MIN_SESSIONS:
            parts.append("Next I need more history: on so few sessions no change could be confirmed.")
        elif not self.pack.trades:
            parts.append("Next I try to loosen what holds the signals back.")
        elif self.pack.trades < MIN_TRADES:
            parts.append("Next I need more trades before I may believe anything: looser thresholds or a longer span.")
        else:
            parts.append(
                self._pick(
                    "next",
                    "Next I test a few changes, each alone, and propose one only if it holds up on sessions it was not chosen on.",
                    "Next I try filters and single steps of stop, target and thresholds, and expect little: most will not hold up"
                    " on sessions they were not chosen on.",
                )
            )
        if self.request.synthetic:
            parts.append("All of this is on synthetic bars, so it says something about me, nothing about a real market.")
        return " ".join(part for part in parts if part)

    def _guidance(self) -> str:
        asked = self.request.subject.guidance.strip()
        if not asked:
            return ""
        intraday = horizon_of(self.request.subject.timeframe) is not Horizon.DAYS
        if wishes(asked, EVERY_CONTEXT, intraday=intraday):
            return f"You asked for “{asked}”: what of it can be made a change of these scripts on these bars goes before my own ideas."
        return f"You asked for “{asked}”, in which I find nothing that I can turn into a change of these scripts."


def _why_more(worst: TradeEvidence) -> str:
    """Why a trade lost more than its stop allowed for."""
    if worst.r_multiple >= -PLANNED_LOSS_R:
        return ""
    through = f"it ran {worst.beyond_stop_r:.1f}R through my stop" if worst.beyond_stop_r >= NOTABLE_R else ""
    costs = f"costs took {worst.costs_r:.1f}R" if worst.costs_r >= NOTABLE_R else ""
    why = " and ".join(part for part in (through, costs) if part)
    return f" More than the planned loss: {why} [{worst.id}]." if why else ""


def _where(bucket: Bucket) -> str:
    """A bucket as part of a sentence."""
    name = bucket.name
    return {
        "hour": f"from {name}",
        "weekday": f"on {name}s",
        "market.trend": {"up": "in a rising market", "down": "in a falling market"}.get(name, "in a market without trend"),
        "market.volatility": f"at {name} market volatility",
        "market.change": f"when the market's day is {name}",
        "support_distance_percent": f"with support {name} away",
        "resistance_distance_percent": f"with resistance {name} away",
        "relative_volume": f"with volume {name} the usual",
        "volume_burst": f"with volume {name} that of the bars before",
        "rsi": f"with RSI {name}",
        "vwap_distance_percent": f"with VWAP {name} away",
        "gap_percent": f"after a gap of {name}",
        "direction": f"on the {name} side",
    }.get(bucket.column, f"at {bucket.dimension} {name}")


def _against_the_rest(bucket: Bucket) -> str:
    """The claim that was tested, the difference of means, with how sure it is."""
    more = "more" if (bucket.r_lift or 0.0) > 0 else "less"
    size = f"{bucket.mean_r:+.2f}R over {bucket.trades} trades, {abs(bucket.r_lift or 0.0):.2f}R {more} than the rest [{bucket.id}]"
    return f"{size}{_sure(bucket)}"


def _sure(bucket: Bucket) -> str:
    sure = ", beyond what luck explains even after correcting for all the ways I looked"
    return sure if _is_sure(bucket) else ", suggestive but no more than that"


def _is_sure(bucket: Bucket) -> bool:
    return (bucket.corrected_p or 0.0) < SINGLE_P


def _between(figure: Figure, *, percent: bool = False, scale: float = 1.0) -> str:
    if figure.interval is None:
        return f" [{figure.id}]"
    low, high = figure.interval.low * scale, figure.interval.high * scale
    shown = f"{low:.0%} to {high:.0%}" if percent else f"{low:.2f} to {high:.2f}"
    return f" ({shown}) [{figure.id}]"


def _count(figure: Figure) -> str:
    return f"{figure.value:,.0f} [{figure.id}]"


def _percent(figure: Figure) -> str:
    return f"{figure.value:.0%}" if figure.name == "win rate" else f"{figure.value:.1%} [{figure.id}]"


def _signed_percent(figure: Figure) -> str:
    return f"{figure.value:+.1%} [{figure.id}]"


def _r(figure: Figure) -> str:
    return f"{figure.value:+.2f}R" + ("" if figure.interval is not None else f" [{figure.id}]")


def _plain(figure: Figure) -> str:
    return f"{figure.value:.2f}" + ("" if figure.interval is not None else f" [{figure.id}]")


def _dollars(figure: Figure) -> str:
    sign = "-" if figure.value < 0 else ""
    return f"{sign}${abs(figure.value):,.0f} [{figure.id}]"
