"""What an iteration that asks a model uses and costs, at the prices of the day: `pytest -n 0 -s tests/benchmarks/test_model_cost.py`.

Tokens are the test server's count (three bytes each, more than real prompts have), the cost that of the shipped prices. One model
answers in few words; the other thinks before each reply and says as much as the prompts allow, close to the limit of output.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from lab.agents.budget.money import Daily, budget_day
from lab.agents.budget.prices import Tokens, load_prices
from lab.agents.budget.views import CallRow
from lab.agents.claude.config import MODEL, READER, ClaudeSettings
from lab.agents.data import keep_universe
from lab.agents.loop import run_iteration
from lab.agents.service import Lab
from lab.agents.span import bars_folder
from lab.market import BarsCache, make_demo_market
from lab.market.news import NewsCoverage
from lab.store.models import utc_now
from tests.agents.conftest import INSTRUCTIONS, HeldLease
from tests.agents.model_server import BYTES_A_TOKEN, KEY, Body, Brain, Model, Reply, competent, says, serving

MOST_UNCACHED, MOST_OUTPUT, MOST_MICROS = 25_000, 6_000, 100_000
THOUGHT_TOKENS = 420
"""Before each reply: what a model set to low effort thinks, and then some."""
_WORDS = "What happened here is that the entries came late in the move and the exits gave back what they had. "


def wordy(body: Body) -> Reply:
    """As competent, but it thinks first, and its texts are as long as they may be."""
    reply = competent(body)
    if "tools" not in body:
        return reply
    content = list(reply.content)
    if reply.stop_reason != "tool_use":
        told = json.loads(content[0]["text"])["reply"]
        if "insights" in told:
            told["text"] = f"{told['text']}\n\n{_words(220 - len(told['text'].split()))}"
            told["insights"] = [{**told["insights"][0], "insight": _words(20)} for _ in range(4)] if told["insights"] else []
        else:
            told["rationale"] = f"{told['rationale']} {_words(60)}"
        content = list(says({"reply": told}).content)
    thought = {"type": "thinking", "thinking": "t" * (BYTES_A_TOKEN * THOUGHT_TOKENS), "signature": "s" * 200}
    return replace(reply, content=[thought, *content])


def _words(count: int) -> str:
    return " ".join((_WORDS.split() * 20)[: max(0, count)])


def _used(rows: list[CallRow]) -> Tokens:
    """Of an iteration; what was written to the cache and what was not count alike against the limit of uncached input."""
    return Tokens(
        input=sum(row.input_tokens for row in rows),
        cache_write=sum(row.cache_write_tokens for row in rows),
        cache_read=sum(row.cache_read_tokens for row in rows),
        output=sum(row.output_tokens for row in rows),
    )


@pytest.mark.parametrize("brain", [competent, wordy], ids=["few words", "many words"])
def test_tokens_and_cost_of_three_iterations(
    brain: Brain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = Lab(tmp_path / "home")
    made = make_demo_market(BarsCache(bars_folder(lab.workspace.bars, synthetic=True)), lambda share, note: None, sessions=60)
    span = (made.first_session, made.last_session)
    universe = keep_universe(lab.workspace, lab.store, "Demo", made.tickers[:8], "1m", "demo", True, *span)
    since, until = (datetime.combine(day, time(), UTC) for day in span)
    lab.news.keep(made.news, NewsCoverage("demo", made.tickers, since, until + timedelta(days=2)))
    agent_id = lab.create_agent("Ann", INSTRUCTIONS, lab.detect(INSTRUCTIONS).personality, universe.id)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    prices, today = load_prices(lab.workspace.home), budget_day(utc_now())
    lines = [f"{brain.__name__}, {MODEL}; limits {MOST_UNCACHED:,} uncached in, {MOST_OUTPUT:,} out, ${MOST_MICROS / 1e6:.2f}"]
    most = Tokens()
    with serving(Model(brain=brain, models=frozenset({MODEL, READER}))) as model, ThreadPoolExecutor(2) as threads:
        claude = ClaudeSettings(config_folder=tmp_path, base_url=model.url, daily=Daily(10**9, 10**9), news_model=READER)
        for number in (1, 2, 3):
            model.prefixes.clear()  # as on another day: the first call of each iteration finds an empty cache
            iteration_id = lab.start_iteration(agent_id)
            asyncio.run(run_iteration(lab.store, iteration_id, threads, HeldLease(), claude=claude))
            rows = lab.usage.calls(iteration_id=iteration_id)
            used, cost = _used(rows), sum(row.charged_micros for row in rows)
            uncached = used.input + used.cache_write
            tokens = f"{uncached:,} in uncached, {used.cache_read:,} from the cache, {used.output:,} out"
            assert number > 1 or any(row.purpose == "news" for row in rows)
            lines.append(f"iteration {number}: {len(rows)} calls, {tokens}, ${cost / 1e6:.4f}")
            assert sum(row.purpose == "refinement" for row in rows) >= 4, "three variants and a choice"
            assert uncached <= MOST_UNCACHED
            assert used.output <= MOST_OUTPUT
            assert cost <= MOST_MICROS
            most = max(most, used, key=lambda each: prices.of(MODEL, today).cost_micros(each))
            for proposal in lab.approvals():
                lab.discard(proposal.id, "no")
    lines.append("the dearest of them, had it written as much as it may:")
    for name in sorted({price.model for price in prices.all}):
        cost = prices.of(name, today).cost_micros(replace(most, output=MOST_OUTPUT))
        lines.append(f"  with {name}: ${cost / 1e6:.4f}")
        assert name != MODEL or cost <= MOST_MICROS
    lab.close()
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201  (the point of it)
