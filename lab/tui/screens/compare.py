"""Two versions of a strategy beside each other: what changed in words, in figures and in the scripts."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content

from lab.agents.views import VersionComparison
from lab.tui.actions import BACK, Action
from lab.tui.screen import LabScreen
from lab.tui.text import clean
from lab.tui.widgets.comparison import side_by_side
from lab.tui.widgets.diff import change_sentences, script_diffs
from lab.tui.widgets.flow import BLANK, Flow
from lab.tui.widgets.tabs import Reader


class CompareScreen(LabScreen[VersionComparison]):
    """Opened with the ids of the two versions, the older first."""

    PLACE = "compare"
    TITLE = "Compare"
    ACTIONS = (Action("swap", "s", "Swap", "Looks at the change the other way round."), BACK)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (112, "-wide")]  # noqa: RUF012  # an instance list is what Textual declares
    CSS = """
    CompareScreen #sides, CompareScreen .side { height: auto; }
    CompareScreen .side { width: 1fr; }
    CompareScreen Flow { margin-bottom: 1; }
    CompareScreen.-wide #sides { layout: horizontal; }
    CompareScreen.-wide .side { padding-right: 2; }
    """

    def __init__(self, a_id: int, b_id: int) -> None:
        super().__init__()
        self._ids = (a_id, b_id)

    def compose_body(self) -> ComposeResult:
        with Reader(), Container(id="sides"):
            with Vertical(classes="side"):
                yield Flow(id="words")
                yield Flow(id="figures")
            with Vertical(classes="side"):
                yield Flow(id="scripts")

    def on_mount(self) -> None:
        self.query_one(Reader).focus()

    def load(self) -> VersionComparison:
        return self.lab.compare_versions(*self._ids)

    def show(self, data: VersionComparison) -> None:
        a, b = data.a, data.b
        self.subtitle = f"version {a.version} → {b.version}"
        current = next((version.version for version in (a, b) if version.is_current), None)
        note = f" ({clean(current)} is current)" if current else ""
        title = Content.assemble((f"From {clean(a.version)} to {clean(b.version)}", "bold $text-accent"), (note, "$foreground-muted"))
        self.query_one("#words", Flow).show([(title, 2), *change_sentences(data.changes)])
        self.query_one("#figures", Flow).show(side_by_side(data))
        scripts = script_diffs(a.scan_script, a.execution_script, b.scan_script, b.execution_script)
        legend = Content.assemble(("- ", "$text-error"), f"{clean(a.version)}   ", ("+ ", "$text-success"), clean(b.version))
        self.query_one("#scripts", Flow).show([(legend, 0), BLANK, *scripts])

    def action_swap(self) -> None:
        self._ids = (self._ids[1], self._ids[0])
        self.reload()
