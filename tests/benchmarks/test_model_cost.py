"""What an iteration that asks a model uses and costs, at the prices of the day: `pytest -n 0 -s tests/benchmarks/test_model_cost.py`.

Tokens are the test server's count (three bytes each, more than real prompts have), the cost that of the shipped prices.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.agents.budget.money import Daily, budget_day
from lab.agents.budget.prices import Tokens, load_prices
from lab.agents.claude.config import MODEL, ClaudeSettings
from lab.agents.data import keep_universe
from lab.agents.loop import run_iteration
from lab.agents.service import Lab
from lab.agents.span import bars_folder
from lab.market import BarsCache, make_demo_market
from lab.store.models import utc_now
from tests.agents.conftest import INSTRUCTIONS, HeldLease
from tests.agents.model_server import KEY, Model, competent, serving

MOST_UNCACHED, MOST_OUTPUT, MOST_MICROS = 25_000, 6_000, 100_000


def test_tokens_and_cost_of_three_iterations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lab = Lab(tmp_path / "home")
    made = make_demo_market(BarsCache(bars_folder(lab.workspace.bars, synthetic=True)), lambda share, note: None, sessions=60)
    span = (made.first_session, made.last_session)
    universe = keep_universe(lab.workspace, lab.store, "Demo", made.tickers[:8], "1m", "demo", True, *span)
    agent_id = lab.create_agent("Ann", INSTRUCTIONS, lab.detect(INSTRUCTIONS).personality, universe.id)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    lines = [f"{MODEL}, price per call as of today; limits {MOST_UNCACHED:,} uncached in, {MOST_OUTPUT:,} out, ${MOST_MICROS / 1e6:.2f}"]
    with serving(Model(brain=competent)) as model, ThreadPoolExecutor(2) as threads:
        claude = ClaudeSettings(config_folder=tmp_path, base_url=model.url, daily=Daily(10**9, 10**9))
        for number in (1, 2, 3):
            iteration_id = lab.start_iteration(agent_id)
            asyncio.run(run_iteration(lab.store, iteration_id, threads, HeldLease(), claude=claude))
            rows = lab.usage.calls(iteration_id=iteration_id)
            uncached = sum(row.input_tokens + row.cache_write_tokens for row in rows)
            cached, output = sum(row.cache_read_tokens for row in rows), sum(row.output_tokens for row in rows)
            cost = sum(row.charged_micros for row in rows)
            tokens = f"{uncached:,} in uncached, {cached:,} from the cache, {output:,} out"
            lines.append(f"iteration {number}: {len(rows)} calls, {tokens}, ${cost / 1e6:.4f}")
            assert uncached <= MOST_UNCACHED
            assert output <= MOST_OUTPUT
            assert cost <= MOST_MICROS
            for proposal in lab.approvals():
                lab.discard(proposal.id, "no")
    prices = load_prices(lab.workspace.home)
    used = Tokens(input=MOST_UNCACHED, cache_read=60_000, output=MOST_OUTPUT)
    for name in sorted({price.model for price in prices.all}):
        lines.append(f"at the limits with {name}: ${prices.of(name, budget_day(utc_now())).cost_micros(used) / 1e6:.4f}")
    lab.close()
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201  (the point of it)
