"""The terminal the program runs in, watched for its loss: a line that dropped ends the program instead of keeping a core busy.

A terminal can go without a signal: SIGHUP is ignored (`nohup`, some supervisors) or the terminal is not the controlling one. Then reading
gives an error or nothing for ever, and writing fails; Textual's own driver spins on the one and dies silently of the other.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable
from io import TextIOWrapper
from typing import IO, Any, cast

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key
from textual.message import Message

from lab.settings import Settings
from lab.tui.glyphs import chosen_glyphs, first_environment, in_glyphs
from lab.tui.shorter import FORGET, Shorter

LOST_STATUS = 128 + signal.SIGHUP
"""The status a program ends with that a lost terminal ended, as if the signal had come."""
_PATIENCE_SECONDS = 0.25
"""How long an orderly end may take once nobody can see it any more."""
_TICK_MS = 100
"""How often an unfinished escape sequence is looked at."""
_UNFINISHED_SECONDS = 1.0
_READ_BYTES = 4096


class _Line:
    """The way to the terminal; once it fails it takes everything and sends nothing, so that nobody waits for it."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._lost = False

    def write(self, text: str) -> None:
        self._try(lambda: self._file.write(text))

    def flush(self) -> None:
        self._try(self._file.flush)

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()

    def _try(self, send: Callable[[], object]) -> None:
        if not self._lost:
            try:
                send()
            except (OSError, ValueError):
                self._lost = True


class Terminal(LinuxDriver):
    """Textual's driver for Unix terminals, which tells the app when its terminal is gone."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._stop_reads, self._stop_writes = os.pipe()
        """Wakes the thread that reads what is typed."""
        self._glyphs = chosen_glyphs(Settings().glyphs, first_environment())
        self._shorter = Shorter()
        if self._file is not None:
            self._file = cast(TextIOWrapper, _Line(self._file))

    def write(self, data: str) -> None:
        """Send it, made shorter, in the signs the terminal has.

        Here and not in the thread that writes: that would wait for its turn while the program goes on to what is not seen yet.
        """
        super().write(in_glyphs(self._shorter.shorten(data), self._glyphs))

    def process_message(self, message: Message) -> None:
        if isinstance(message, Key):
            self._app.typed_at = time.monotonic()  # type: ignore[attr-defined]  # the app is a LabApp
        super().process_message(message)

    @property
    def has_mouse(self) -> bool:
        """Whether the mouse speaks to the program; otherwise it is the terminal's own, for selecting text."""
        return self._mouse

    def give_mouse(self, to_program: bool) -> None:
        """Give the mouse to the program or leave it to the terminal."""
        if to_program:
            self._mouse = True
            self._enable_mouse_support()
        else:
            self._disable_mouse_support()
            self._mouse = False

    def forget(self) -> None:
        """Send everything anew from now on: what the terminal shows is not known any more, such as after a change of its size."""
        self.write(FORGET)

    def run_input_thread(self) -> None:
        """Pass on what is typed until the driver stops or the terminal is gone."""
        poll = select.poll()
        poll.register(self.fileno, select.POLLIN)
        poll.register(self._stop_reads, select.POLLIN)
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        typed_at = 0.0
        while not self.exit_event.is_set():
            # A sequence that was begun is looked at until it can't be meant as one any more; then there is nothing to wake up for.
            lately = time.monotonic() - typed_at < _UNFINISHED_SECONDS
            for descriptor, found in poll.poll(_TICK_MS if lately else None):
                if descriptor != self.fileno:
                    continue
                data = b""
                if found & select.POLLIN:
                    try:
                        data = os.read(self.fileno, _READ_BYTES)
                    except OSError:
                        data = b""
                if not data:
                    self._lost()
                    return
                typed_at = time.monotonic()
                if text := decode(data):  # nothing yet of a character cut in two; the parser takes it for the end
                    for message in parser.feed(text):
                        self.process_message(message)
            for message in parser.tick():
                self.process_message(message)

    def disable_input(self) -> None:
        os.write(self._stop_writes, b"x")
        super().disable_input()
        os.read(self._stop_reads, 1)

    def _lost(self) -> None:
        """End the program, in order if it can, but soon: whoever could be asked is gone."""
        end = threading.Timer(_PATIENCE_SECONDS, os._exit, (LOST_STATUS,))
        end.daemon = True
        end.start()
        self._loop.call_soon_threadsafe(self._app.exit, None, LOST_STATUS)
