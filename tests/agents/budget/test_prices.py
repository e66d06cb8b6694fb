"""What a call costs: dated prices, a person's own before the shipped ones, an upper bound that holds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.agents.budget.errors import BadPrices, Unpriced
from lab.agents.budget.prices import FILE, Prices, Tokens, load_prices
from lab.agents.claude.config import MODEL

TODAY = date(2026, 11, 22)
COUNTS = st.integers(0, 300_000)
SHIPPED = load_prices(Path("/nowhere"))
MODELS = sorted({price.model for price in SHIPPED.all})

OWN = """
[[price]]
model = "my-model"
since = 2026-01-01
input = 0.001
output = 1
cache_write = 0
cache_write_hour = 0
cache_read = 0
"""


@pytest.fixture
def prices(tmp_path: Path) -> Prices:
    return load_prices(tmp_path)


def test_the_default_model_has_a_price(prices: Prices) -> None:
    price = prices.of(MODEL, TODAY)
    assert price.cost_micros(Tokens(input=1_000_000)) == 2_000_000
    assert price.cost_micros(Tokens(output=1_000_000)) == 10_000_000
    assert price.cost_micros(Tokens(cache_read=1_000_000)) == 100_000


def test_a_call_is_reckoned_with_the_prices_of_its_day(prices: Prices) -> None:
    assert prices.of(MODEL, date(2026, 10, 6)).cost_micros(Tokens(cache_read=1_000_000)) == 200_000
    assert prices.of(MODEL, date(2026, 10, 7)).cost_micros(Tokens(cache_read=1_000_000)) == 100_000


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=30, deadline=None)
@given(used=st.builds(Tokens, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS))
def test_no_call_costs_more_than_was_reserved_for_it(model: str, used: Tokens) -> None:
    price = SHIPPED.of(model, TODAY)
    assert price.cost_micros(used) <= price.most_micros(used.prompt, used.output)


def test_a_long_prompt_is_dear_throughout(prices: Prices) -> None:
    price = prices.of("claude-haiku-5-5", TODAY)
    assert price.cost_micros(Tokens(input=100_000)) == 10_000
    assert price.cost_micros(Tokens(input=100_001)) == 50_001
    assert price.cost_micros(Tokens(cache_read=200_000, output=1_000)) == 12_500


def test_a_model_without_a_price_is_refused_with_what_to_do(prices: Prices, tmp_path: Path) -> None:
    with pytest.raises(Unpriced, match=rf"'my-model' has no price.*{tmp_path / FILE}"):
        prices.of("my-model", TODAY)
    with pytest.raises(Unpriced):
        prices.of(MODEL, date(2020, 1, 1))


def test_a_persons_own_prices_take_the_place_of_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(OWN + OWN.replace("my-model", MODEL))
    own = load_prices(tmp_path)
    assert own.of("my-model", TODAY).cost_micros(Tokens(input=1)) == 1, "a part of a micro-dollar counts as a whole one"
    assert own.of(MODEL, TODAY).cost_micros(Tokens(input=1_000_000)) == 1_000
    assert own.of("claude-opus-5-5", TODAY).cost_micros(Tokens(input=1_000_000)) == 4_000_000


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[price", "can't be read"),
        ("price = 3", "have to be a list"),
        ("[[price]]\nsince = 2026-01-01", "needs `model`"),
        (OWN.replace("output = 1", 'output = "dear"'), "'output' has to be"),
        (OWN.replace("output = 1", "output = -1"), "'output' has to be"),
        (OWN.replace("output = 1", "output = nan"), "'output' has to be"),
        (OWN.replace("cache_read = 0", ""), "'cache_read' has to be there"),
        (OWN + "[price.long]\ninput = 1", "needs `above`"),
    ],
)
def test_a_mistake_in_the_file_of_prices_is_named_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(BadPrices, match=sentence) as error:
        load_prices(tmp_path)
    assert str(tmp_path / FILE) in str(error.value)
