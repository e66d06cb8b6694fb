"""A trade opened from the iteration's list: its candles, its facts, and the way to the next one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.agents.errors import NotThere
from lab.agents.jobs import VaultClosed
from lab.agents.service import Lab
from lab.agents.trade_view import _bars
from lab.agents.version_trades import Became, between
from lab.agents.views import TradeRow
from lab.tui.widgets.breakdowns import BreakdownTable
from lab.tui.widgets.candles import Candle, CandleChart, Moment, Rung, candle_chart, framed
from lab.tui.widgets.changed_trades import summary_lines
from lab.tui.widgets.evidence import AnalysisPane
from lab.tui.widgets.trades import TradesTable
from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import FakeLab
from tests.tui.session import session

START = datetime(2025, 9, 3, 13, 30, tzinfo=UTC)


def _candles(prices: list[float]) -> list[Candle]:
    return [
        Candle(START + timedelta(minutes=n), price, price + 0.4, price - 0.3, price + (0.2 if n % 2 else -0.2), price)
        for n, price in enumerate(prices)
    ]


@given(
    prices=st.lists(st.floats(0.01, 1e5, allow_nan=False), min_size=1, max_size=300),
    width=st.integers(10, 160),
    height=st.integers(3, 50),
)
@settings(max_examples=60, deadline=None)
def test_a_chart_of_any_prices_keeps_to_its_room(prices: list[float], width: int, height: int) -> None:
    rungs = [Rung("E", prices[0], START, None, must=True), Rung("S", prices[0] * 0.9)]
    drawn = candle_chart(_candles(prices), rungs, [Moment("E", START)], width, height)
    if width >= 24 and height >= 6:
        lines = drawn.split("\n", allow_blank=True)
        assert len(lines) == height
        assert max(line.cell_length for line in lines) <= width


def test_what_rose_and_what_fell_is_told_apart_without_colour() -> None:
    rose = [Candle(START, 100.0, 101.0, 100.0, 101.0)]
    fell = [Candle(START, 101.0, 101.0, 100.0, 100.0)]
    assert "\u2503" in candle_chart(rose, (), (), 60, 12).plain
    assert "\u2588" in candle_chart(fell, (), (), 60, 12).plain
    assert "\u2503" not in candle_chart(fell, (), (), 60, 12).plain


def test_how_many_bars_a_candle_is_made_of_is_said() -> None:
    prices = [100.0] * 100
    assert "a candle" not in candle_chart(_candles(prices[:40]), (), (), 60, 12).plain
    assert candle_chart(_candles(prices), (), (), 60, 12).plain.endswith("3 a candle")


@given(length=st.integers(1, 400), first=st.integers(0, 399), held=st.integers(1, 400), columns=st.integers(12, 200))
@settings(max_examples=60, deadline=None)
def test_a_short_trade_is_shown_with_as_many_bars_around_it_as_there_is_room_for(length: int, first: int, held: int, columns: int) -> None:
    candles = _candles([100.0] * length)
    first = min(first, length - 1)
    last = min(length, first + held)
    shown = framed(candles, (first, last), columns)
    assert set(candles[first:last]) <= set(shown), "the trade itself is always there"
    assert len(shown) == min(length, max(last - first, columns // 2)), "no more than fit, and no empty half"


def test_orders_are_named_at_their_price_and_time() -> None:
    chart = candle_chart(
        _candles([100.0] * 20),
        [Rung("E", 100.1, START, None, must=True), Rung("S", 99.8), Rung("T", 130.0)],
        [Moment("E", START + timedelta(minutes=3)), Moment("X", START + timedelta(minutes=9))],
        60,
        14,
    ).plain
    assert "100.10 E" in chart
    assert "99.80 S" in chart
    assert "130.00" not in chart, "a target far away must not flatten the candles"
    assert "E           X" in chart


async def test_enter_on_a_trade_shows_it_and_one_key_the_next(make_app: MakeApp, fake: FakeLab) -> None:
    fake.headline = "\x1b[31m[b]Shares[/b] rise"
    async with session(make_app, fake, (120, 36)) as s:
        await s.open("iteration", 12)
        await s.press("right", "right", "right", "right", "down", "enter")
        await s.at("trade")
        for words in ("AMD long", "2 of 40", "101.00 E", "New York", "[b]Shares[/b] rise", "RSI 14", "SYNTHETIC", "+1.10R"):
            await s.sees(words)
        assert "\x1b" not in s.text()
        await s.press("right")
        await s.sees("AAPL long")
        await s.press("h")
        await s.sees("AMD long")
        await s.press("h", "h")
        await s.is_told("This is the first trade of the list.")
        await s.press("escape")
        await s.until(lambda: s.place == "iteration", "back at the list")


async def test_trades_are_stepped_through_in_the_order_and_choice_of_the_list(make_app: MakeApp, fake: FakeLab) -> None:
    async with session(make_app, fake) as s:
        await s.open("iteration", 12)
        await s.press(*["right"] * 4, "o", "slash", *"nvda", "enter")
        table = s.app.screen.query_one(TradesTable)
        await s.until(lambda: len(table.rows) == 10, "only one ticker")
        await s.press("down", "enter")
        await s.at("trade")
        await s.sees("NVDA")
        await s.sees("2 of 10")
        await s.press("l")
        await s.sees("3 of 10")
        assert s.app.screen.data.place == 8


async def test_a_trade_of_a_real_iteration_shows_the_bars_it_saw(make_app: MakeApp, learned: Lab) -> None:
    trade = learned.trades(1)[3]
    view = learned.trade(1, 3)
    assert view.trade == trade
    entered = next(bar for bar in view.bars if bar.started_at == trade.entry_at)
    assert entered.low <= trade.entry_price <= entered.high
    assert any(name == "RSI 14" for name, _ in view.context)
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.open("iteration", 1)
        await s.press(*["right"] * 4, "down", "down", "down", "enter")
        await s.at("trade")
        await s.sees(f"{trade.entry_price:,.2f} E")
        await s.sees(f"{trade.ticker} long")
        assert len(s.app.screen.query_one(CandleChart)._given[0]) == len(view.bars)


def test_the_bars_of_a_trade_never_reach_into_the_vault(learned: Lab) -> None:
    universe = learned.state().universes[0]
    trades = len(learned.trades(1))
    for place in range(trades - 5, trades):
        assert max(bar.started_at.date() for bar in learned.trade(1, place).bars) <= universe.learning_until


def test_a_slice_that_asks_for_later_bars_is_refused(learned: Lab) -> None:
    from lab.agents.span import learning_span
    from lab.store.models import Universe

    with learned.store.read() as rows:
        span = learning_span(rows.get_one(Universe, 1), learned.workspace.bars)
    trade = learned.trades(1)[0]
    later = trade.exit_at + timedelta(days=400)
    bars, _, _ = _bars(span, replace(trade, exit_at=later), trade.entry_at)
    assert bars[-1].started_at.date() <= span.last
    with pytest.raises(VaultClosed):
        replace(span, last=span.last + timedelta(days=1))


def test_a_trade_that_is_gone_is_said(learned: Lab) -> None:
    with pytest.raises(NotThere, match="not there any more"):
        learned.trade(1, 10_000)


def test_the_trades_behind_a_piece_of_evidence_are_those_it_counted(learned: Lab) -> None:
    pack, trades = learned.evidence(1), learned.trades(1)
    assert pack is not None
    assert len(pack.buckets) > 20
    for bucket in pack.buckets:
        places = learned.trades_behind(1, bucket.id)
        assert len(places) == bucket.trades, bucket
        assert sum(trades[place].pnl > 0 for place in places) == bucket.wins
    for one in (*pack.best, *pack.worst):
        (place,) = learned.trades_behind(1, one.id)
        assert trades[place].pnl == one.pnl
    assert learned.trades_behind(1, pack.figures[0].id) == ()


async def test_a_citation_of_a_real_analysis_leads_to_the_drawn_bucket_and_its_trades(make_app: MakeApp, learned: Lab) -> None:
    async with session(make_app, learned, (120, 36)) as s:  # type: ignore[arg-type]
        await s.open("iteration", 1)
        await s.press("right")
        pack = learned.evidence(1)
        analysis = s.app.screen.query_one(AnalysisPane)
        assert pack is not None
        wanted = next(row.id for row in learned.iteration(1).evidence if row.id in analysis.cited_ids and pack.bucket(row.id))
        await s.press("full_stop")
        while analysis.chosen is None or analysis.chosen.id != wanted:
            await s.press("full_stop")
        await s.press("v")
        table = s.app.screen.query_one(BreakdownTable)
        assert table.cursor_id == wanted
        await s.press("enter")
        bucket = pack.bucket(wanted)
        assert bucket is not None
        await s.until(lambda: len(s.app.screen.query_one(TradesTable).rows) == bucket.trades, "its trades alone")


def test_a_version_compared_with_itself_made_the_same_trades(learned: Lab) -> None:
    version = learned.agent(1).versions[0].id
    compared = learned.compare_trades(version, version)
    assert (compared.changed, compared.same, compared.missing) == ((), len(learned.trades(1)), "")


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_every_trade_of_two_versions_is_the_same_or_accounted_for(data: st.DataObject) -> None:
    def trades() -> list[TradeRow]:
        minutes = sorted(data.draw(st.sets(st.integers(0, 30), max_size=12)))
        made = [(data.draw(st.sampled_from((3, 5))), float(data.draw(st.integers(-9, 9)))) for _ in minutes]
        return [
            TradeRow("A", "long", START + timedelta(minutes=n), START + timedelta(minutes=n + held), 1.0, 1.0, 1.0, pnl, 1.0, held, "stop")
            for n, (held, pnl) in zip(minutes, made, strict=True)
        ]

    a, b = trades(), trades()
    found = between(1, a, 2, b)
    appeared, vanished, otherwise = (len(found.of(became)) for became in Became)
    assert appeared + otherwise + found.same == len(b)
    assert vanished + otherwise + found.same == len(a)
    for one in found.changed:
        assert (a if one.iteration_id == 1 else b)[one.place] == one.trade
    came = sum(one.trade.pnl for one in found.of(Became.APPEARED)) - sum(one.trade.pnl for one in found.of(Became.VANISHED))
    came += sum(one.trade.pnl - one.before.pnl for one in found.of(Became.ENDED_OTHERWISE) if one.before is not None)
    resized = found.same_pnl[1] - found.same_pnl[0]
    assert came + resized == sum(trade.pnl for trade in b) - sum(trade.pnl for trade in a), "the parts add up to the change"
    assert ("by another size" in summary_lines(found)[0][0].plain) == (resized != 0)
