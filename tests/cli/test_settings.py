"""What the environment sets: read as meant, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.settings import BadSetting, Glyphs, Settings


def test_what_is_set_is_used_and_the_rest_is_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "HOME": "/tmp/x",
        "MOUSE": "off",
        "GLYPHS": "ascii",
        "PROCESSES": "3",
        "LAB_BUDGET": "2.5",
        "CLAUDE_EFFORT": "",
    }.items():
        monkeypatch.setenv(f"LAB_{name}", value)
    found = Settings()
    assert (found.home, found.mouse, found.glyphs, found.processes) == (Path("/tmp/x"), False, Glyphs.ASCII, 3)
    assert (found.lab_budget, found.agent_budget, found.claude_effort, found.blind) == (2.5, 1.0, "", True)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("PROCESSES", "many", "a number from 1 to 64"),
        ("PROCESSES", "2.5", "a whole number"),
        ("PROCESSES", "65", "1 to 64"),
        ("LAB_BUDGET", "nan", "0 to 100,000"),
        ("BLIND", "perhaps", "true or false"),
        ("GLYPHS", "runes", "auto, unicode, ascii, words"),
    ],
)
def test_a_value_that_means_nothing_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, wanted: str) -> None:
    monkeypatch.setenv(f"LAB_{name}", value)
    with pytest.raises(BadSetting, match=wanted) as refused:
        Settings()
    assert f"LAB_{name} is '{value}'" in str(refused.value)
