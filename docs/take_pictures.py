#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = ["pyte>=0.8.2,<0.9", "pillow>=11,<13"]
# ///
"""Takes all pictures of README and guide anew: `uv run docs/take_pictures.py` (two minutes; needs the font DejaVu Sans Mono).

The program runs in a pseudo-terminal on a demo workspace of its own, keys are pressed as a person would, and what it wrote is drawn.
`--home` takes a workspace that is there (`lab demo --prepare --keep FOLDER`), `--only` one picture, `--program` another way to start lab.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import pyte
from PIL import Image, ImageDraw, ImageFont

PICTURES = Path(__file__).parent / "pictures"
NAMED = {"enter": "\r", "esc": "\x1b", "tab": "\t", "f2": "\x1bOQ", "down": "\x1b[B", "right": "\x1b[C"}
LARGE, SMALL = (120, 36), (80, 24)

# What is pressed, and the words that are waited for before the next key; the picture is taken after the last.
AGENTS = [("", "VWAP Guardian")]
TAB = ("l", "")
WALK: dict[str, tuple[tuple[int, int], list[tuple[str, str]]]] = {
    "dashboard-120x36": (LARGE, AGENTS),
    "dashboard-80x24": (SMALL, AGENTS),
    "creation-120x36": (LARGE, [*AGENTS, ("n", "New agent"), ("f2", "from “")]),
    "agent-120x36": (LARGE, [*AGENTS, ("enter", "Newest result")]),
    "iteration-120x36": (LARGE, [*AGENTS, ("enter", "Newest result"), TAB, ("enter", "Suggested")]),
    "analysis-120x36": (LARGE, [*AGENTS, ("enter", "Newest result"), TAB, ("enter", "Suggested"), ("l", "What it cites")]),
    "refinement-120x36": (
        LARGE,
        [*AGENTS, ("enter", "Newest result"), TAB, ("enter", "Suggested"), ("l", ""), ("TAB:Refinement", "unseen")],
    ),
    "trades-120x36": (LARGE, [*AGENTS, ("enter", "Newest result"), TAB, ("enter", "Suggested"), ("TAB:Trades", "Ticker")]),
    "trade-120x36": (
        LARGE,
        [*AGENTS, ("enter", "Newest result"), TAB, ("enter", "Suggested"), ("TAB:Trades", "Ticker"), ("enter", "Signal")],
    ),
    "editor-120x36": (LARGE, [*AGENTS, ("p", "unseen sessions"), ("e", "Both scripts are right")]),
    "approvals-120x36": (LARGE, [*AGENTS, ("p", "unseen sessions")]),
    "data-120x36": (LARGE, [*AGENTS, ("b", "complete")]),
}


class Terminal:
    """The program in a pseudo-terminal of this size."""

    def __init__(self, command: list[str], size: tuple[int, int]) -> None:
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self._pid, self._end = pty.fork()
        if self._pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8")
            os.environ.pop("NO_COLOR", None)
            os.execvp(command[0], command)
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def read(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self._end], [], [], left)[0]:
                # pyte takes CSI > and CSI = for colours
                self._stream.feed(re.sub(rb"\x1b\[[>=<][0-9;:]*[a-zA-Z]", b"", os.read(self._end, 65536)))

    def wait_for(self, words: str) -> None:
        until = time.monotonic() + 60
        while words not in self.text:
            if time.monotonic() > until:
                raise SystemExit(f"never saw {words!r}:\n{self.text}")
            self.read(0.1)
        self.read(0.8)  # what else is drawn

    def press(self, key: str) -> None:
        os.write(self._end, NAMED.get(key, key).encode())

    def close(self) -> None:
        os.kill(self._pid, signal.SIGTERM)
        os.close(self._end)
        os.waitpid(self._pid, 0)


def draw(screen: pyte.Screen, path: Path) -> None:
    """What the terminal shows, as PNG."""
    plain, bold = (ImageFont.truetype(f"DejaVuSansMono{kind}.ttf", 16) for kind in ("", "-Bold"))
    width, height = round(plain.getlength("M")), 20
    image = Image.new("RGB", (width * screen.columns, height * screen.lines), "#16161e")
    pen = ImageDraw.Draw(image)
    for y in range(screen.lines):
        for x in range(screen.columns):
            cell = screen.buffer[y][x]
            ink, ground = (
                "#" + (each if re.fullmatch("[0-9a-f]{6}", each) else usual) for each, usual in ((cell.fg, "c8d0f0"), (cell.bg, "16161e"))
            )
            ink, ground = (ground, ink) if cell.reverse else (ink, ground)
            pen.rectangle([x * width, y * height, x * width + width - 1, y * height + height - 1], fill=ground)
            if cell.data.strip():
                pen.text((x * width, y * height + 1), cell.data, font=bold if cell.bold else plain, fill=ink)
    image.quantize(256).save(path, optimize=True)


def take(name: str, program: list[str], out: Path) -> None:
    size, steps = WALK[name]
    terminal = Terminal(program, size)
    try:
        for key, words in steps:
            tab = key.removeprefix("TAB:") if key.startswith("TAB:") else ""
            for _ in range(12):
                if tab and f"[{tab}" in terminal.text:
                    break
                terminal.press("l" if tab else key)
                terminal.read(0.5)
                if not tab:
                    break
            terminal.wait_for(words)
        draw(terminal.screen, out / f"{name}.png")
    finally:
        terminal.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--out", type=Path, default=PICTURES)
    parser.add_argument("--only", choices=WALK)
    parser.add_argument("--program", default="uv run lab")
    chosen = parser.parse_args()
    program = shlex.split(chosen.program)
    home = chosen.home or Path(tempfile.mkdtemp()) / "demo"
    if not home.exists():
        subprocess.run([*program, "demo", "--prepare", "--keep", str(home)], check=True)
    os.environ.update(LAB_HOME=str(home), LAB_CONFIG=str(home / "config"))
    for name in [chosen.only] if chosen.only else WALK:
        take(name, program, chosen.out)
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
