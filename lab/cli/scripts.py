"""`lab script …` and `lab functions`: strategy scripts in files, checked, laid out, explained, compared and run."""

from __future__ import annotations

import difflib
import sys
import textwrap
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from lab.agents import scripting
from lab.cli.tables import number, print_json, print_table, say
from lab.settings import Settings

if TYPE_CHECKING:
    from lab.agents.scripting import ScriptFile
    from lab.agents.vocabulary import Word

LAYOUT = """A file holds a strategy: its scan script, then a line `# execution`, then its execution script. A line `# scan`
may stand first. A file without `# execution` is a scan alone. An execution script in a file of its own is given with --execution. The
file `-` is standard input."""

ABOUT = "Check, lay out, explain, compare and run strategy scripts."
app = typer.Typer(help=f"{ABOUT}\n\n{LAYOUT}", no_args_is_help=True, rich_markup_mode=None)

OneFile = Annotated[str, typer.Argument(metavar="FILE", help="The file of the strategy.")]
Files = Annotated[list[str], typer.Argument(metavar="FILE...", help="Files, a strategy each.")]
Execution = Annotated[str | None, typer.Option(metavar="FILE", help="The execution script, where it has a file of its own (for one FILE).")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter; may be given more than once.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("check", epilog="Example: lab script check bounce.lab")
def check_command(files: Files, execution: Execution = None, as_json: Json = False) -> None:
    """Print every error with its line, a caret under the place, and what would be right. Exit status 1 where there is any."""
    found = [(file, scripting.findings(file)) for file in _read_all(files, execution)]
    wrong = sum(len(problems) for _, problems in found)
    if as_json:
        print_json([problem for _, problems in found for problem in problems])
    else:
        for file, problems in found:
            if not problems:
                print(f"{file.path}: right ({'a scan alone' if file.execution is None else 'scan and execution'})")
            for problem in problems:
                print("\n".join(_rendered(problem)))
    if wrong:
        files_wrong = sum(1 for _, problems in found if problems)
        say(f"lab: {_plural(wrong, 'error')} in {_plural(files_wrong, 'file')}.", quiet=True)
        raise typer.Exit(1)


@app.command("fmt", epilog="Example: lab script fmt bounce.lab")
def fmt_command(
    files: Files,
    execution: Execution = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit status 1 where a file is not laid out so.")] = False,
) -> None:
    """Write scripts in their canonical layout, comments kept; from standard input to standard output."""
    loose = []
    for file in _read_all(files, execution):
        neat = scripting.formatted(file)
        if file.path == scripting.STANDARD_INPUT and not check:
            sys.stdout.write(neat.text)
        elif neat != file:
            loose.append(file.path)
            if not check:
                scripting.write_scripts(neat)
                print(f"{file.path}: laid out")
    if check and loose:
        say(f"lab: not in canonical layout: {', '.join(loose)}. `lab script fmt` writes it.", quiet=True)
        raise typer.Exit(1)


@app.command("explain", epilog="Example: lab script explain bounce.lab")
def explain_command(file: OneFile, execution: Execution = None, as_json: Json = False) -> None:
    """Say a strategy in plain English, line by line."""
    lines = scripting.explained(scripting.read_scripts(file, execution))
    if as_json:
        print_json(lines)
        return
    for position, line in enumerate(lines):
        if position == 0 or line.script != lines[position - 1].script:
            print(f"{'' if position == 0 else chr(10)}{line.script} script")
        print(f"{line.line:>4}  {line.source}")
        print(textwrap.fill(line.words, 100, initial_indent="      ", subsequent_indent="      "))


@app.command("params", epilog="Example: lab script params bounce.lab --set loud=4")
def params_command(file: OneFile, execution: Execution = None, values: Set = None, as_json: Json = False) -> None:
    """List the numbers a strategy marks with `param`, with their bounds; --set writes new ones into the file."""
    scripts = scripting.read_scripts(file, execution)
    if values:
        if file == scripting.STANDARD_INPUT:
            raise typer.BadParameter("--set writes into the file, so it needs one", param_hint="--set")
        scripts = scripting.with_parameters(scripts, _values(values))
        scripting.write_scripts(scripts)
    rows = scripting.parameters(scripts)
    if as_json:
        print_json(rows)
        return
    if not rows:
        print("No parameters. Mark a number as free to vary: param(3.0, low=1.0, high=5.0)")
        return
    print_table(
        ("Parameter", "Script", "Value", "Low", "High", "Step"),
        [(row.name, row.script, *(_plain(value) for value in (row.value, row.low, row.high, row.step))) for row in rows],
    )


@app.command("diff", epilog="Example: lab script diff old.lab new.lab --text")
def diff_command(
    a: Annotated[str, typer.Argument(metavar="A", help="The earlier strategy.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The later strategy.")],
    text: Annotated[bool, typer.Option("--text", help="Print the changed lines as well.")] = False,
) -> None:
    """Say in words what changed in meaning between two strategies; layout and comments don't count."""
    old, new = scripting.read_scripts(a), scripting.read_scripts(b)
    for change in scripting.changes(old, new) or ("No change in meaning.",):
        print(change)
    if text:
        lines = difflib.unified_diff(old.text.splitlines(), new.text.splitlines(), a, b, lineterm="")
        print("\n".join(["", *lines]))


@app.command("run", epilog='Example: lab script run bounce.lab --universe "Demo market"')
def run_command(
    file: OneFile,
    universe: Annotated[str | None, typer.Option(help="What it is run on; the newest universe where it is left out.")] = None,
    execution: Execution = None,
    values: Set = None,
    risk: Annotated[str, typer.Option(help="Whose account it has: conservative, balanced or aggressive.")] = "balanced",
    as_json: Json = False,
) -> None:
    """Run a strategy over a universe's learning span and print what came of it.

    Each variant run is a trial in the ledger, like those of the agents: the more are tried on the same bars, the more a good result
    may be luck. With --set the file stays as it is.
    """
    from lab.agents.service import Lab
    from lab.cli.listing import print_result
    from lab.cli.run import universe_for
    from lab.work.executor import Executor

    scripts = scripting.read_scripts(file, execution)
    if scripts.execution is None:
        raise scripting.NoScript(f"{file} is a scan alone; a run needs an execution script as well: after a line `# execution`.")
    scripts = scripting.with_parameters(scripts, _values(values or []))
    with closing(Lab(Settings().home)) as lab, Executor(1) as executor:
        chosen = universe_for(lab, universe, as_json)
        tried = lab.try_scripts(scripts.scan, scripts.execution or "", chosen.id, executor, risk)
    if as_json:
        print_json({"universe": chosen, "run": tried})
        return
    label = "SYNTHETIC DATA: " if chosen.synthetic else ""
    print(f"{label}{chosen.name}, {_plural(len(chosen.tickers), 'ticker')}, {chosen.timeframe} bars")
    print(f"Learning span {chosen.first_session} to {chosen.learning_until}; the vault after it stays closed")
    print_result(tried.result)
    again = "" if tried.first_time else " These very scripts had been tested on them before: no new trial."
    print(f"Trials: {_plural(tried.trials, 'variant')} tested on these bars so far, this one included.{again}")


def functions_command(
    words: Annotated[list[str] | None, typer.Argument(metavar="[WORD]...", help="A name, a meaning or a category.")] = None,
    as_json: Json = False,
) -> None:
    """Search the functions and fields of the strategy language by name, meaning or category; list all without a word."""
    from lab.agents.vocabulary import extension_problems, search

    for problem in extension_problems():
        say(f"lab: {problem}", quiet=True)
    found = search(" ".join(words or []))
    if as_json:
        print_json(found)
    elif words:
        print("\n\n".join("\n".join(_entry(word)) for word in found))
    else:
        _list_all(found)


def _list_all(words: list[Word]) -> None:
    category = ""
    for word in words:
        if word.category != category:
            print(f"{'' if not category else chr(10)}{word.category.capitalize()}")
            category = word.category
        print(f"  {word.signature}: {word.meaning}")


def _entry(word: Word) -> list[str]:
    lines = [word.signature, *textwrap.wrap(f"{word.meaning} ({word.category})", 100, initial_indent="  ", subsequent_indent="  ")]
    for argument in word.arguments:
        default = f"; {argument.default} where it is left out" if argument.default else ""
        takes = f"{argument.takes} {argument.bounds}".rstrip()
        lines.append(f"    {argument.name}: {argument.meaning}, {takes}{default}")
    if word.warm_up and word.warm_up != "none":
        lines.append(f"  Warm-up: {word.warm_up}")
    if word.source:
        lines += textwrap.wrap(f"Source: {word.source}", 100, initial_indent="  ", subsequent_indent="    ")
    if word.synonyms:
        lines.append(f"  Elsewhere called: {', '.join(word.synonyms)}")
    return [*lines, f"  Example: {word.example}"] if word.example else lines


def _rendered(problem: scripting.Finding) -> list[str]:
    lines = [f"{problem.path}:{problem.line}:{problem.column}: {problem.message}{'' if problem.message.endswith('.') else '.'}"]
    if problem.source_line:
        shown = "".join(character if " " <= character <= "~" else "?" for character in problem.source_line)
        lines += ["    " + shown, "    " + " " * (problem.column - 1) + "^"]
    if problem.suggestion:
        lines.append(f"  {problem.suggestion}{'' if problem.suggestion.endswith(('.', '?')) else '.'}")
    if problem.example:
        lines.append(f"  Example: {problem.example}")
    return lines


def _read_all(files: list[str], execution: str | None) -> list[ScriptFile]:
    if execution is not None and len(files) > 1:
        raise typer.BadParameter("it goes with one FILE", param_hint="--execution")
    return [scripting.read_scripts(file, execution) for file in files]


def _values(pairs: list[str]) -> dict[str, float]:
    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        try:
            if not equals:
                raise ValueError
            values[name.strip()] = float(value)
        except ValueError:
            raise typer.BadParameter(f"{pair!r} must be NAME=NUMBER, such as loud=4", param_hint="--set") from None
    return values


def _plain(value: float | None) -> str:
    return number(None) if value is None else f"{value:g}"


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
