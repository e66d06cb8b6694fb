"""Every screen and modal by the name it is opened by."""

from __future__ import annotations

SCREENS: dict[str, str] = {
    "opening": "lab.tui.screens.opening:Opening",
    "cannot_open": "lab.tui.screens.opening:CannotOpen",
    "too_small": "lab.tui.screens.opening:TooSmall",
    "welcome": "lab.tui.screens.welcome:Welcome",
    "dashboard": "lab.tui.screens.dashboard:Dashboard",
    "import_file": "lab.tui.screens.import_file:ImportFile",
    "fetch": "lab.tui.screens.fetch:FetchBars",
    "data": "lab.tui.screens.data:DataScreen",
    "universe": "lab.tui.screens.universe:UniverseScreen",
    "help": "lab.tui.screens.help:Help",
    "confirm": "lab.tui.screens.confirm:Confirm",
    "find": "lab.tui.screens.find:FindLine",
    "go": "lab.tui.screens.go:GoTo",
    "creation": "lab.tui.screens.creation:CreationScreen",
    "agent": "lab.tui.screens.agent:AgentScreen",
    "iteration": "lab.tui.screens.iteration:IterationScreen",
    "letters": "lab.tui.screens.letters:Letters",
    "tour": "lab.tui.screens.tour:Tour",
    "waiting": "lab.tui.screens.leaving:Waiting",
    "ask_line": "lab.tui.screens.ask_line:AskLine",
    "doctor": "lab.tui.screens.doctor:DoctorScreen",
    "log": "lab.tui.screens.log:LogScreen",
    "usage": "lab.tui.screens.usage:UsageScreen",
    "call": "lab.tui.screens.call:CallScreen",
    "trade": "lab.tui.screens.trade:TradeScreen",
    "approvals": "lab.tui.screens.approvals:ApprovalsScreen",
    "editor": "lab.tui.screens.editor:EditorScreen",
    "sample": "lab.tui.screens.sample:SampleScreen",
    "compare": "lab.tui.screens.compare:CompareScreen",
}
"""Name -> module and class, imported when first opened."""
