"""The end of a program that met an error it did not expect: what is written down, and what the person reads."""

from __future__ import annotations

import logging
import shutil
import sys
import textwrap
import traceback
from pathlib import Path

from lab.tui.text import clean


def log_crash(home: Path) -> str:
    """Append the error that is being handled to the workspace's log, without local variables. Returns a sentence that says where."""
    log = home / "logs" / "lab.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(log, encoding="utf-8")
        log.chmod(0o600)
        record = logging.LogRecord("lab.tui", logging.CRITICAL, "", 0, traceback.format_exc(), None, None)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        handler.emit(record)
        handler.close()
    except OSError as error:
        return f"The log {log} could not be written: {error.strerror}."
    return f"What happened is written in {log}."


def print_last_words(words: str) -> None:
    """Print on lines of their own, broken between words."""
    width = max(20, shutil.get_terminal_size().columns - 1)
    lines = textwrap.wrap(clean(words), width, break_long_words=False, break_on_hyphens=False)
    sys.stderr.write("\r" + "\n".join(lines) + "\n")
