"""What the environment sets for Claude, in the terms of the agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.agents.claude.config import ClaudeSettings
    from lab.settings import Settings


def claude_settings(settings: Settings) -> ClaudeSettings:
    from lab.agents.budget.money import Daily
    from lab.agents.claude.config import ClaudeSettings

    return ClaudeSettings(
        config_folder=settings.config,
        model=settings.claude_model,
        base_url=settings.claude_url,
        blind=settings.blind,
        effort=settings.claude_effort,
        news_model=settings.claude_news_model,
        daily=Daily(round(settings.agent_budget * 1e6), round(settings.lab_budget * 1e6)),
    )
