"""Importing a file of bars: its path, what was detected (each part correctable), progress, and the report."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, ItemGrid, Vertical, VerticalScroll
from textual.content import Content
from textual.suggester import Suggester
from textual.widgets import Button, Input, Label, Select, Static

from lab.agents.views import ImportPreview, ImportReport
from lab.errors import LabError
from lab.tui.actions import BACK, Action
from lab.tui.progress import Progress, Stopped
from lab.tui.screen import LabScreen
from lab.tui.text import Tone as T
from lab.tui.text import bar, clean, plural, safe, toned

ROLES = ("timestamp", "ticker", "open", "high", "low", "close", "volume")
DATA_ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".gz", ".bz2", ".xz", ".zip")
TIMEFRAMES = ("1m", "2m", "5m", "10m", "15m", "30m", "1h", "1d")


class PathSuggester(Suggester):
    """Completes a path with the first matching folder or data file."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        return await asyncio.to_thread(complete_path, value)


def complete_path(value: str) -> str | None:
    """`value` completed by the first folder, CSV or Parquet file that begins so; None where there is none."""
    folder, _, start = value.rpartition("/")
    try:
        entries = sorted(Path(folder + "/" if value.startswith("/") or folder else ".").expanduser().iterdir())
    except (OSError, RuntimeError):
        return None
    for entry in entries:
        if entry.name.startswith(start) and (start or not entry.name.startswith(".")):
            if entry.is_dir():
                return value + entry.name[len(start) :] + "/"
            if entry.suffix.lower() in DATA_ENDINGS:
                return value + entry.name[len(start) :]
    return None


class ImportFile(LabScreen[None]):
    """Nothing is written before the person has seen what was detected and chosen Import."""

    PLACE = "import_file"
    TITLE = "Import bars"
    ACTIONS = (Action("import_bars", "ctrl+g", "Import", "Imports the file as it is described here."), BACK)
    CSS = """
    ImportFile #body { padding: 1 2 0 2; }
    ImportFile .row { height: 1; }
    ImportFile .row > Label { width: 11; color: $text-muted; }
    ImportFile .row > Input, ImportFile .row > Select { width: 1fr; max-width: 40; }
    ImportFile #path { max-width: 100%; }
    ImportFile .why { width: 1fr; padding: 0 0 0 11; color: $text-muted; height: auto; }
    ImportFile .assumption { height: auto; color: $text-muted; }
    ImportFile #hint, ImportFile #problem { height: auto; margin-top: 1; }
    ImportFile #hint { color: $text-muted; }
    ImportFile #problem { color: $text-error; display: none; }
    ImportFile #plan, ImportFile #making, ImportFile #report { display: none; height: 1fr; margin-top: 1; scrollbar-size-vertical: 1; }
    ImportFile #fields { height: 1fr; scrollbar-size-vertical: 1; }
    ImportFile #list { height: 1fr; margin: 1 0; scrollbar-size-vertical: 1; }
    ImportFile #found { height: auto; margin-bottom: 1; }
    ImportFile ItemGrid { height: auto; grid-gutter: 0 3; margin-bottom: 1; }
    ImportFile #sample { height: auto; color: $text-muted; margin-top: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    ImportFile #go { margin-top: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._preview: ImportPreview | None = None
        self._progress: Progress | None = None

    def compose_body(self) -> ComposeResult:
        with Horizontal(classes="row"):
            yield Label("File")
            yield Input(placeholder="/path/to/bars.csv or .parquet", id="path", compact=True, suggester=PathSuggester())
        yield Static(
            "Type the path of a CSV or Parquet file or of a folder of them (→ completes it), then enter. It needs a time, open, high, "
            "low, close and volume; a ticker column where it holds several stocks.",
            id="hint",
        )
        yield Static(id="problem")
        with Vertical(id="plan"):
            yield VerticalScroll(id="fields", can_focus=False)
            yield Button("Import", id="go", variant="primary", compact=True)
        with Vertical(id="making"):
            yield Static(id="bar")
            yield Static(id="note")
        with Vertical(id="report"):
            yield Static(id="outcome")
            with VerticalScroll(id="list"):
                yield Static(id="problems")
            yield Button("Done", id="done", variant="primary", compact=True)

    @on(Input.Submitted, "#path")
    def _look_at_file(self, event: Input.Submitted) -> None:
        path = event.value.strip().strip("'\"")
        if not path:
            self._problem("Type the path of a file first.")
            return
        self.run_worker(self._inspect(path), group="inspect", exclusive=True)

    def _read_preview(self, path: str) -> ImportPreview:
        return self.lab.preview_import(str(Path(path).expanduser()))

    async def _inspect(self, path: str) -> None:
        self._problem("")
        try:
            preview = await asyncio.to_thread(self._read_preview, path)
        except LabError as error:
            self._problem(str(error))
            self.query_one("#plan").display = False
            return
        self._preview = preview
        await self._show_plan(preview)

    def _problem(self, sentence: str) -> None:
        problem = self.query_one("#problem", Static)
        problem.update(safe(sentence))
        problem.display = bool(sentence)
        self.query_one("#hint").display = not sentence and self._preview is None

    async def _show_plan(self, preview: ImportPreview) -> None:
        self.query_one("#hint").display = False
        self.query_one("#plan").display = True
        fields = self.query_one("#fields", VerticalScroll)
        await fields.remove_children()
        tickers = ", ".join(preview.tickers[:8]) + (f" and {len(preview.tickers) - 8} more" if len(preview.tickers) > 8 else "")
        await fields.mount(
            Static(Content.assemble((f"{preview.rows:,} rows", "bold"), " of ", safe(tickers or "one ticker")), id="found"),
            ItemGrid(*[self._column_row(preview, role) for role in ROLES], min_column_width=28),
            _row("Time zone", Input(clean(preview.time_zone), id="zone", compact=True)),
            Static(safe(preview.time_zone_reason), classes="why"),
            _row("Timeframe", _select(list(dict.fromkeys((*TIMEFRAMES, preview.timeframe))), preview.timeframe, "timeframe", blank=False)),
            _row("Call it", Input(self._free_name(preview), id="name", compact=True)),
            *[Static(safe(f"· {sentence}"), classes="assumption") for sentence in preview.assumptions],
            Static(_sample(preview), id="sample"),
        )
        self.query_one("#go").focus()
        self.refresh_actions()

    def _free_name(self, preview: ImportPreview) -> str:
        """The file's name, with a number where a universe is called that already."""
        taken = {universe.name for universe in self.lab_app.state.universes} if self.lab_app.state else set()
        stem = clean(Path(preview.path).name.partition(".")[0]) or "bars"
        return next(name for name in (stem, *(f"{stem} {n}" for n in range(2, len(taken) + 3))) if name not in taken)

    def _column_row(self, preview: ImportPreview, role: str) -> Horizontal:
        return _row(
            "time" if role == "timestamp" else role,
            _select(list(preview.file_columns), preview.columns.get(role), f"column-{role}", blank=role == "ticker"),
        )

    def _corrected(self, preview: ImportPreview) -> ImportPreview:
        columns = {}
        for role in ROLES:
            value = self.query_one(f"#column-{role}", Select).value
            if isinstance(value, str):
                columns[role] = value
        timeframe = self.query_one("#timeframe", Select).value
        zone = self.query_one("#zone", Input).value.strip()
        return replace(preview, columns=columns, time_zone=zone, timeframe=str(timeframe))

    def why_not(self, name: str) -> str | None:
        if name == "import_bars":
            if self._progress is not None:
                return "The import is under way."
            if self.query_one("#report").display:
                return "The file is imported."
            if self._preview is None:
                return "Type the path of a file first, then enter."
        return super().why_not(name)

    @on(Button.Pressed, "#go")
    def action_import_bars(self) -> None:
        if self._preview is not None and self._progress is None:
            self.run_worker(self._import(self._corrected(self._preview), self.query_one("#name", Input).value.strip()), group="import")

    async def _import(self, preview: ImportPreview, name: str) -> None:
        if not name:
            self._problem("Give the universe a name: agents are told what they trade by it.")
            self.query_one("#name").focus()
            return
        self._problem("")
        self._progress = progress = Progress()
        plan, making = self.query_one("#plan"), self.query_one("#making")
        plan.display, making.display = False, True
        timer = self.set_interval(0.1, self._look)
        try:
            report = await asyncio.to_thread(self.lab.import_bars, preview, name, progress.report)
        except Stopped:
            return
        except LabError as error:
            self._problem(str(error))
            plan.display = True
            plan.query_one("#go").focus()
        else:
            self._show_report(report)
        finally:
            progress.stop()  # ends the thread too where the screen was left meanwhile
            timer.stop()
            making.display = False
            self._progress = None
            self.lab_app.wake()

    def _look(self) -> None:
        if self._progress is not None:
            width = max(10, self.query_one("#bar").content_size.width - 6)
            self.query_one("#bar", Static).update(Content(f"{bar(self._progress.fraction, width)} {self._progress.fraction:4.0%}"))
            self.query_one("#note", Static).update(safe(self._progress.note, T.MUTED))

    def _show_report(self, report: ImportReport) -> None:
        self.query_one("#path").disabled = True
        self.query_one("#report").display = True
        made = " as the universe " if report.universe else ""
        tickers = plural(len(report.tickers), "ticker")
        done = f"{report.rows:,} rows of {tickers} ({report.timeframe}) are in the cache{made}"
        known = f"\n\n{plural(len(report.problems), 'thing')} to know about these bars" if report.problems else ""
        name = safe(report.universe, T.STRONG, lines=False)
        self.query_one("#outcome", Static).update(Content.assemble(toned("✓ ", T.GOOD), safe(done), name, ".", toned(known, T.STRONG)))
        self.query_one("#problems", Static).update(_problems(report))
        self.query_one("#done").focus()

    @on(Button.Pressed, "#done")
    def _done(self) -> None:
        self.dismiss(None)

    def action_back(self) -> None:
        """Leave; an import under way is stopped."""
        if self._progress is not None:
            self._progress.stop()
        self.dismiss(None)


def _row(label: str, field: Input | Select[str]) -> Horizontal:
    return Horizontal(Label(label), field, classes="row")


def _select(options: list[str], value: str | None, name: str, *, blank: bool) -> Select[str]:
    choices = [(clean(option).replace("[", r"\["), option) for option in options]
    chosen = value if value in options else Select.NULL
    return Select(choices, value=chosen, prompt="none", allow_blank=blank or value not in options, id=name, compact=True)


def _problems(report: ImportReport) -> Content:
    """The report's sentences under their tickers, then what was taken for granted."""
    assumed = [safe(f"· {sentence}\n", T.MUTED) for sentence in report.assumptions]
    if not report.problems:
        nothing = toned("No gaps, duplicates, impossible prices or unadjusted splits were found.\n", T.MUTED)
        return Content("").join([nothing, *assumed]).rstrip()
    parts: list[Content] = []
    last = ""
    for problem in report.problems:
        ticker, _, sentence = problem.partition(": ")
        if ticker in report.tickers:
            if ticker != last:
                parts.append(safe(f"{ticker}\n", T.ACCENT))
                last = ticker
            parts.append(safe(f"  · {sentence}\n", lines=True))
        else:
            parts.append(safe(f"· {problem}\n"))
    return Content("").join([*parts, *assumed]).rstrip()


def _sample(preview: ImportPreview) -> Content:
    rows = [tuple(clean(cell) for cell in row) for row in (preview.file_columns, *preview.sample[:3])]
    widths = [min(24, max(len(row[n]) for row in rows if n < len(row))) for n in range(len(preview.file_columns))]
    lines = ["  ".join(cell[:width].ljust(width) for cell, width in zip(row, widths, strict=False)) for row in rows]
    return Content("First rows of the file\n" + "\n".join(lines))
