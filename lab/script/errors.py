"""The one error of the strategy language: where, what is wrong, the nearest right thing, and how it is written."""

from __future__ import annotations

from lab.errors import LabError


class ScriptError(LabError):
    """A mistake in a strategy script, worded for a person and a model alike.

    `str(error)` is one line; `render()` adds the source line with a caret below the place.
    """

    def __init__(
        self,
        message: str,
        *,
        script: str = "scan",
        line: int = 1,
        column: int = 1,
        suggestion: str = "",
        example: str = "",
        source_line: str = "",
    ) -> None:
        super().__init__(message)
        self.script = script
        """"scan" or "execution"."""
        self.line = line
        """1-based line."""
        self.column = column
        """1-based column."""
        self.message = message
        """What is wrong, a sentence without its full stop."""
        self.suggestion = suggestion
        """What to do instead, a sentence without its full stop, or empty."""
        self.example = example
        """A line of the right form, or empty."""
        self.source_line = source_line

    def __str__(self) -> str:
        text = f"{self.script} script, line {self.line}, column {self.column}: {self.message}."
        if self.suggestion:
            text += f" {_ended(self.suggestion)}"
        if self.example:
            text += f" Example: {self.example}"
        return text

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.message, self.script, self.line, self.column, self.suggestion, self.example, self.source_line))

    def render(self) -> str:
        """The error with its source line and a caret under the place, as several lines of text."""
        lines = [f"{self.script} script, line {self.line}, column {self.column}: {self.message}."]
        if self.source_line:
            shown = "".join(character if " " <= character <= "~" else "?" for character in self.source_line)
            lines += ["    " + shown, "    " + " " * (self.column - 1) + "^"]
        if self.suggestion:
            lines.append(_ended(self.suggestion))
        if self.example:
            lines.append(f"Example: {self.example}")
        return "\n".join(lines)


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith("?") else f"{sentence}."


def _rebuild(message: str, script: str, line: int, column: int, suggestion: str, example: str, source_line: str) -> ScriptError:
    return ScriptError(message, script=script, line=line, column=column, suggestion=suggestion, example=example, source_line=source_line)
