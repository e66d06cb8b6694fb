"""The clipboard of a person whose program runs within tmux, which keeps the terminal's own sequence (OSC 52) from the terminal."""

from __future__ import annotations

import subprocess

_PATIENCE_SECONDS = 2.0


def copy_by_tmux(text: str) -> None:
    """Give the text to tmux, which keeps it as its newest buffer and passes it on to the terminal it runs in."""
    for options in (["-w"], []):  # before tmux 3.2 there is no -w
        try:
            done = subprocess.run(
                ["tmux", "load-buffer", *options, "-"],
                input=text.encode(),
                capture_output=True,
                timeout=_PATIENCE_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return
        if done.returncode == 0:
            return
