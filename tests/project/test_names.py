"""One word for one thing: what scripts may name is what the market delivers."""

from __future__ import annotations

from lab.agents import enrich, gaps
from lab.market.context import CONTEXT_SCHEMA, KNOWN_AT
from lab.market.news_columns import NEWS_COLUMNS
from lab.script import FIELDS


def test_every_context_name_a_script_may_use_is_delivered_and_none_is_delivered_that_it_may_not_use() -> None:
    assert {name for name, field in FIELDS.items() if field.namespace} == set(CONTEXT_SCHEMA)


def test_what_enrichment_keeps_and_what_may_be_missing_are_names_of_the_language() -> None:
    assert set(enrich.KNOWN_AT) == set(KNOWN_AT)
    assert set(enrich.FIELD_COLUMNS) <= set(FIELDS)
    assert {name for names in KNOWN_AT.values() for name in names} == set(CONTEXT_SCHEMA)
    assert gaps.OF_NEWS == NEWS_COLUMNS
    assert {*gaps.OF_MARKET, *gaps.OF_VIX, "market.breadth"} == {name for name in FIELDS if name.startswith("market.")}
