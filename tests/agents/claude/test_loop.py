"""The whole loop with a model: what is stored, what is paid, what is not paid twice."""

from __future__ import annotations

from sqlmodel import select

from lab.store.models import ModelCall


def test_an_iteration_with_a_model_runs_to_its_end(lab, agent_id, think, model) -> None:
    view = think(lab, agent_id)
    with lab.store.read() as session:
        calls = session.exec(select(ModelCall)).all()
    for c in calls:
        print(
            c.purpose,
            c.attempt,
            c.state,
            c.reserved_micros,
            c.charged_micros,
            c.input_tokens,
            c.cache_write_tokens,
            c.cache_read_tokens,
            c.output_tokens,
            c.stop_reason,
            c.error,
        )
    print(view.row.status, view.explanation, view.analysis)
    print(len(calls[-1].prompt))
    assert 0
