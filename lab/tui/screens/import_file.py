"""Importing a file of bars: its path, what was detected (each part correctable), progress, and the report."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, ItemGrid, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Label, Select, Static

from lab.agents.errors import BadAgent, UnknownColumns
from lab.agents.views import FileGuess, ImportPreview, ImportReport
from lab.errors import LabError
from lab.tui.actions import BACK, Action
from lab.tui.progress import Progress, Stopped
from lab.tui.screens.form import WorkScreen, error_of, row
from lab.tui.text import Tone as T
from lab.tui.text import clean, plural, safe, toned
from lab.tui.widgets.paths import PathSuggester

ROLES = {
    "timestamp": "time",
    "time": "clock",
    "ticker": "ticker",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "volume": "volume",
}
"""Our name of a column -> what a person reads."""
OPTIONAL = ("time", "ticker", "volume")
TIMEFRAMES = ("1m", "2m", "5m", "10m", "15m", "30m", "1h", "1d")
ZONE_GUESS, TIMEFRAME_GUESS = "Time zone", "Timeframe"


class ImportFile(WorkScreen):
    """Nothing is written before the person has seen what was detected and chosen Import."""

    PLACE = "import_file"
    TITLE = "Import bars"
    ACTIONS = (Action("import_bars", "ctrl+g", "Import", "Imports the file as it is described here."), BACK)
    FIELDS: ClassVar[Mapping[str, str]] = {"universe": "name"}
    CSS = """
    ImportFile .row { height: 1; }
    ImportFile .row > Input, ImportFile .row > Select { max-width: 40; }
    ImportFile #path { max-width: 100%; }
    ImportFile .why { width: 1fr; }
    ImportFile #hint, ImportFile #problem { margin-top: 1; }
    ImportFile #plan { display: none; height: 1fr; margin-top: 1; }
    ImportFile #fields { height: 1fr; scrollbar-size-vertical: 1; }
    ImportFile #found { height: auto; margin-bottom: 1; }
    ImportFile ItemGrid { height: auto; grid-gutter: 0 3; margin-bottom: 1; }
    ImportFile #columns-error { padding: 0; margin-bottom: 1; }
    ImportFile #guesses { height: auto; color: $text-muted; }
    ImportFile #sample { height: auto; color: $text-muted; margin-top: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._path = ""
        self._preview: ImportPreview | None = None
        """What the file is as far as it is understood; None before that."""
        self._said: set[str] = set()
        """Of "time_zone" and "timeframe" those that the person has corrected."""
        self._progress: Progress | None = None

    def compose_form(self) -> ComposeResult:
        with Horizontal(classes="row"):
            yield Label("File")
            yield Input(placeholder="/path/to/bars.csv or .parquet", id="path", compact=True, suggester=PathSuggester())
        yield Static(
            "Type the path of a CSV or Parquet file or of a folder of them (→ completes it), then enter. It needs a time, open, high, "
            "low, close and volume; a ticker column where it holds several stocks.",
            id="hint",
            classes="hint",
        )
        yield Static(id="problem", classes="error")
        with Vertical(id="plan"):
            yield VerticalScroll(id="fields", can_focus=False)
            yield Button("Import", id="go", variant="primary", compact=True)

    # Looking at the file

    @on(Input.Submitted, "#path")
    def _look_at_file(self, event: Input.Submitted) -> None:
        path = event.value.strip().strip("'\"")
        if not path:
            self._problem("Type the path of a file first.")
            return
        self._inspect(path)

    @work(group="inspect", exclusive=True)
    async def _inspect(self, path: str) -> None:
        """Look at another file."""
        self._problem("")
        self._preview = None
        self._path = path
        self._said.clear()
        try:
            preview = await asyncio.to_thread(self.lab.preview_import, self._path)
        except UnknownColumns as error:
            await self._ask_columns(error)
        except LabError as error:
            self._problem(str(error))
            self.query_one("#plan").display = False
        else:
            await self._show_plan(preview)
        self.refresh_actions()

    def _problem(self, sentence: str) -> None:
        problem = self.query_one("#problem", Static)
        problem.update(safe(sentence))
        problem.display = bool(sentence)
        self.query_one("#hint").display = not sentence and self._preview is None

    async def _ask_columns(self, error: UnknownColumns) -> None:
        """The file's columns have names of its own: let the person say which is which."""
        missing = [ROLES.get(name, name) for name in error.missing]
        words = f"{missing[0]}" if len(missing) == 1 else f"{', '.join(missing[:-1])} and {missing[-1]}"
        which = "its column" if len(missing) == 1 else "their columns"
        await self._mount_fields(
            Static(
                safe(f"What this file calls the {words} is not known. Choose {which}; the rest is read from the file then."), id="found"
            ),
            self._columns(error.file_columns, error.recognised, all_blank=True),
            error_of("columns"),
            Static(_sample(error.file_columns, error.sample), id="sample"),
        )
        self.query_one("#go").display = False
        self.query_one(f"#column-{error.missing[0]}").focus()

    async def _show_plan(self, preview: ImportPreview) -> None:
        self._preview = preview
        await self._mount_fields(
            Static(id="found"),
            self._columns(preview.file_columns, preview.columns, all_blank=False),
            error_of("columns"),
            row("Time zone", Input(clean(preview.time_zone), id="zone", compact=True)),
            error_of("zone"),
            Static(id="zone-why", classes="why"),
            row("Timeframe", _select(list(dict.fromkeys((*TIMEFRAMES, preview.timeframe))), preview.timeframe, "timeframe", blank=False)),
            error_of("timeframe"),
            Static(id="timeframe-why", classes="why"),
            row("Call it", Input(self._free_name(preview), id="name", compact=True)),
            error_of("name"),
            Static(id="guesses"),
            Static(_sample(preview.file_columns, preview.sample), id="sample"),
        )
        self._describe(preview)
        self.query_one("#go").display = True
        self.query_one("#go").focus()

    async def _mount_fields(self, *widgets: Static | ItemGrid | Horizontal) -> None:
        self.query_one("#hint").display = False
        self.query_one("#plan").display = True
        fields = self.query_one("#fields", VerticalScroll)
        async with fields.batch():
            await fields.remove_children()
            await fields.mount(*widgets)

    def _describe(self, preview: ImportPreview) -> None:
        """What was found out, beside the fields that correct it."""
        tickers = ", ".join(preview.tickers[:8]) + (f" and {len(preview.tickers) - 8} more" if len(preview.tickers) > 8 else "")
        found = Content.assemble((f"{preview.rows:,} rows", "bold"), " of ", safe(tickers or "one ticker"))
        self.query_one("#found", Static).update(found)
        known = {guess.what: guess for guess in preview.guesses}
        zone, timeframe = known.pop(ZONE_GUESS, None), known.pop(TIMEFRAME_GUESS, None)
        self.query_one("#zone-why", Static).update(_guess(zone, "") if zone else safe(preview.time_zone_reason))
        self.query_one("#timeframe-why", Static).update(_guess(timeframe, "") if timeframe else "")
        rest = [_guess(guess, f"{guess.what}: ") for guess in known.values()]
        if not preview.guesses:
            rest = [safe(f"· {sentence}") for sentence in preview.assumptions]
        self.query_one("#guesses", Static).update(Content("\n").join(rest))

    def _free_name(self, preview: ImportPreview) -> str:
        """The file's name, with a number where a universe is called that already."""
        taken = {universe.name for universe in self.lab_app.state.universes} if self.lab_app.state else set()
        stem = clean(Path(preview.path).name.partition(".")[0]) or "bars"
        return next(name for name in (stem, *(f"{stem} {n}" for n in range(2, len(taken) + 3))) if name not in taken)

    def _columns(self, file_columns: tuple[str, ...], chosen: Mapping[str, str], *, all_blank: bool) -> ItemGrid:
        selects = [
            row(label, _select(list(file_columns), chosen.get(role), f"column-{role}", blank=all_blank or role in OPTIONAL))
            for role, label in ROLES.items()
        ]
        return ItemGrid(*selects, min_column_width=28)

    # Correcting

    def _chosen_columns(self) -> dict[str, str]:
        """Our name -> the file's column; "" for one that is said not to be there."""
        columns = {}
        for role in ROLES:
            value = self.query_one(f"#column-{role}", Select).value
            if isinstance(value, str):
                columns[role] = value
            elif role == "time":
                columns[role] = ""
        return columns

    def _corrected(self, preview: ImportPreview) -> ImportPreview:
        timeframe = self.query_one("#timeframe", Select).value
        return replace(preview, columns=self._chosen_columns(), time_zone=self.typed("zone"), timeframe=str(timeframe))

    @on(Select.Changed)
    def _chose(self, event: Select.Changed) -> None:
        name = event.select.id or ""
        preview = self._preview
        if preview is None:
            needed = [role for role in ROLES if role not in OPTIONAL]
            if all(role in self._chosen_columns() for role in needed):
                self._with_columns()
        elif name == "timeframe" and str(event.value) != preview.timeframe:
            self._see_correction(name)
        elif self._chosen_columns() != {"time": "", **preview.columns}:
            self._see_correction("columns")

    @on(Input.Submitted, "#zone")
    @on(Input.Blurred, "#zone")
    def _zone_typed(self) -> None:
        if self._preview is not None and self.typed("zone") != self._preview.time_zone:
            self._see_correction("zone")

    @work(group="inspect", exclusive=True)
    async def _with_columns(self) -> None:
        """All columns that are needed are chosen: what is the file then?"""
        columns = self._chosen_columns()
        self.all_right()
        try:
            preview = await asyncio.to_thread(self.lab.preview_import, self._path, columns)
        except LabError as error:
            self.wrong("columns", str(error))
        else:
            await self._show_plan(preview)
        self.refresh_actions()

    @work(group="inspect", exclusive=True)
    async def _see_correction(self, field: str) -> None:
        """What the file is with the person's corrections, said before anything is written."""
        preview = self._preview
        if preview is None:
            return
        wanted = self._corrected(preview)
        self._said |= {field for field in ("time_zone", "timeframe") if getattr(wanted, field) != getattr(preview, field)}
        zone = wanted.time_zone if "time_zone" in self._said else None
        timeframe = wanted.timeframe if "timeframe" in self._said else None
        columns = {"ticker": "", "volume": "", **wanted.columns}
        try:
            seen = await asyncio.to_thread(self.lab.preview_import, self._path, columns, zone, timeframe)
        except LabError as error:
            if self._preview is preview:
                self.wrong(field, str(error))
            return
        if self._preview is not preview or self.busy:
            return
        self.all_right()
        self._preview = seen
        # Where another column holds the times, its zone and timeframe are found out anew, unless the person said them.
        with self.prevent(Select.Changed, Input.Changed):
            if "time_zone" not in self._said:
                self.query_one("#zone", Input).value = clean(seen.time_zone)
            if "timeframe" not in self._said:
                self.query_one("#timeframe", Select).value = seen.timeframe
        self._describe(seen)

    # Importing

    def why_not(self, name: str) -> str | None:
        if name == "import_bars":
            if self.busy:
                return "The import is under way."
            if self.done:
                return "The file is imported."
            if self._preview is None:
                return "Choose the columns first." if self.query_one("#plan").display else "Type the path of a file first, then enter."
        return super().why_not(name)

    def action_import_bars(self) -> None:
        if self._preview is not None and not self.busy:
            self.run_worker(self._import(self._corrected(self._preview), self.typed("name")), group="import")

    async def _import(self, preview: ImportPreview, name: str) -> None:
        self.all_right()
        if not name:
            self.wrong("name", "Give the universe a name: agents are told what they trade by it.")
            return
        self._problem("")
        self._progress = progress = Progress()
        what = f"{clean(Path(preview.path).name)}: {preview.rows:,} rows of {plural(len(preview.tickers), 'ticker')}"
        self.query_one("#path").disabled = True
        self.begin(what, "esc stops the import: then nothing of it is in the cache.", progress.doing)
        report: ImportReport | None = None
        problem = ("", "")
        try:
            report = await asyncio.to_thread(self.lab.import_bars, preview, name, progress.report)
        except Stopped:
            problem = ("", "The import was stopped; nothing of it is in the cache.")
        except BadAgent as error:
            problem = (error.field, str(error))
        except LabError as error:
            problem = ("", str(error))
        finally:
            progress.stop()  # ends the thread too where the screen was left meanwhile
            self._progress = None
        self.end(form=report is None)
        if not self.is_attached:
            return
        if report is not None:
            self._show_report(report)
        else:
            self.query_one("#path").disabled = False
            self.call_after_refresh(self.wrong, *problem)
        self.lab_app.wake()

    def _show_report(self, report: ImportReport) -> None:
        made = " as the universe " if report.universe else ""
        tickers = plural(len(report.tickers), "ticker")
        done = f"{report.rows:,} rows of {tickers} ({report.timeframe}) are in the cache{made}"
        known = f"\n\n{plural(len(report.problems), 'thing')} to know about these bars" if report.problems else ""
        name = safe(report.universe, T.STRONG, lines=False)
        self.report(Content.assemble(toned("✓ ", T.GOOD), safe(done), name, ".", toned(known, T.STRONG)), _problems(report))

    @property
    def holds_work(self) -> bool:
        return self.is_mounted and self.busy

    def stop_work(self) -> None:
        if self._progress is not None:
            self._progress.stop()

    leave_work = stop_work


def _select(options: list[str], value: str | None, name: str, *, blank: bool) -> Select[str]:
    choices = [(clean(option).replace("[", r"\["), option) for option in options]
    chosen = value if value in options else Select.NULL
    return Select(choices, value=chosen, prompt="none", allow_blank=blank or value not in options, id=name, compact=True)


def _guess(guess: FileGuess, before: str) -> Content:
    """What was read into the file and how sure that is."""
    share = "certain" if guess.confidence >= 0.995 else f"{guess.confidence:.0%} sure"
    doubt = Content("") if guess.sure else toned(", ! check this", T.WARN)
    return Content.assemble(safe(f"{before}{guess.sentence} "), toned(f"({share}", T.MUTED), doubt, toned(")", T.MUTED))


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


def _sample(file_columns: tuple[str, ...], sample: tuple[tuple[str, ...], ...]) -> Content:
    rows = [tuple(clean(cell) for cell in row) for row in (file_columns, *sample[:3])]
    widths = [min(24, max(len(row[n]) for row in rows if n < len(row))) for n in range(len(file_columns))]
    lines = ["  ".join(cell[:width].ljust(width) for cell, width in zip(row, widths, strict=False)) for row in rows]
    return Content("First rows of the file\n" + "\n".join(lines))
