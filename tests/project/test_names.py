"""One word for one thing: what scripts may name is what the market delivers."""

from __future__ import annotations

from lab.market.context import CONTEXT_SCHEMA
from lab.script import FIELDS


def test_every_context_name_a_script_may_use_is_delivered_and_none_is_delivered_that_it_may_not_use() -> None:
    assert {name for name, field in FIELDS.items() if field.namespace} == set(CONTEXT_SCHEMA)
