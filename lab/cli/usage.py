"""`lab usage`: what models were asked and what it cost, budgets, prices, the key; and who thinks for an agent."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import SecretStr

from lab.agents.budget.views import By, UsageRow
from lab.agents.errors import BadAgent
from lab.cli.tables import print_json, print_table
from lab.settings import Settings
from lab.work.claude import claude_settings
from lab.work.launch import ensure_worker

if TYPE_CHECKING:
    from lab.agents.rules import Rule
    from lab.agents.service import Lab

app = typer.Typer(help="What models were asked and what it cost; budgets, prices and the key.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def usage_command(
    context: typer.Context,
    by: Annotated[By, typer.Option(help="What it is summed up by.")] = By.AGENT,
    days: Annotated[int, typer.Option(min=1, max=3660, help="How many New York days back, today included.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show usage and cost, and what of today's budgets is left."""
    if context.invoked_subcommand is None:
        with_lab(lambda lab: _usage(lab, by, days, as_json))


@app.command("calls", epilog="Example: lab usage calls --limit 20")
def calls_command(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List calls to models, newest first."""
    with_lab(lambda lab: _calls(lab, limit, as_json))


@app.command("call", epilog="Example: lab usage call 12")
def call_command(
    call: Annotated[int, typer.Argument(help="The call's id, as `lab usage calls` lists it.")],
    raw: Annotated[bool, typer.Option(help="The request and the reply as JSON, exactly as sent and received.")] = False,
) -> None:
    """Show what a model was sent and what it answered."""
    with_lab(lambda lab: _call(lab, call, raw))


@app.command("budget", epilog='Example: lab usage budget "VWAP Guardian" 2.50')
def budget_command(
    agent: Annotated[str | None, typer.Argument(help="The agent's name.")] = None,
    dollars: Annotated[float | None, typer.Argument(help="Dollars a New York day.")] = None,
    lab_dollars: Annotated[float | None, typer.Option("--lab", help="Set the whole lab's budget instead, in dollars a day.")] = None,
) -> None:
    """Show the budgets, or set one; iterations that waited for it go on."""
    if agent is not None and dollars is None and lab_dollars is None:
        raise typer.BadParameter("give the dollars a day after the agent's name")
    with_lab(lambda lab: _budget(lab, agent, dollars, lab_dollars))


@app.command("prices", epilog="Example: lab usage prices")
def prices_command() -> None:
    """Show the prices calls are reckoned with, and where your own go."""
    with_lab(_prices)


@app.command("key", epilog="Example: lab usage key < key.txt")
def key_command(
    keyring: Annotated[bool, typer.Option("--keyring", help="Keep it in the system's keyring instead.")] = False,
) -> None:
    """Keep a key for Claude in a file that only you can read; it is asked for, or read from standard input."""
    from lab.agents.keys import save_anthropic_key

    key = getpass.getpass("Key (not shown): ") if sys.stdin.isatty() else sys.stdin.readline()
    if not key.strip():
        raise BadAgent("key", "No key was given; nothing was changed.")
    print(f"Kept in {save_anthropic_key(Settings().config, SecretStr(key.strip()), keyring)}.")


def strategist_command(
    agent: Annotated[str, typer.Argument(help="The agent's name.")],
    choice: Annotated[str | None, typer.Argument(help="auto, built-in or claude; shown where it is left out.")] = None,
) -> None:
    """Show or choose which strategist thinks for an agent."""

    def act(lab: Lab) -> None:
        row = lab.agent_named(agent)
        print(lab.minds.sentence(row.id) if choice is None else lab.minds.choose(row.id, choice))

    with_lab(act)


def resume_command(iteration: Annotated[int, typer.Argument(help="The iteration's id, as `lab iterations` lists it.")]) -> None:
    """Let a failed or paused iteration go on from its last finished step; what was paid for is not paid again."""

    def act(lab: Lab) -> None:
        lab.minds.resume(iteration)
        ensure_worker(lab.workspace.home)
        print(f"Iteration {iteration} goes on.")

    with_lab(act)


def learn_command(
    agent: Annotated[str, typer.Argument(help="The agent's name.")],
    iterations: Annotated[int | None, typer.Option(help="End after so many iterations.")] = None,
    dollars: Annotated[float | None, typer.Option(help="End after its model calls have cost so much.")] = None,
    patience: Annotated[int | None, typer.Option(help="End after so many iterations without evidence of progress.")] = None,
    apply_better: Annotated[bool, typer.Option("--apply-better", help="Apply refinements measured as better, discard others.")] = False,
    off: Annotated[bool, typer.Option("--off", help="Learn only when told.")] = False,
    undo: Annotated[int | None, typer.Option(help="Take back this proposal, which the rule applied.")] = None,
) -> None:
    """Show how an agent learns by itself, or set it; without --apply-better refinements wait for you."""
    from lab.agents.rules import Refinements, Rule

    def act(lab: Lab) -> None:
        row = lab.agent_named(agent)
        if undo is not None:
            print(f"Version {lab.minds.undo(undo)} is current again.")
        elif off:
            lab.minds.set_rule(row.id, None)
        elif iterations is not None or dollars is not None or patience is not None:
            refinements = Refinements.APPLY_BETTER if apply_better else Refinements.WAIT
            micros = None if dollars is None else round(dollars * 1_000_000)
            lab.minds.set_rule(row.id, Rule(refinements, iterations, micros, patience))
            ensure_worker(lab.workspace.home)
        print(_learning(lab.minds.rule(row.id)))

    with_lab(act)


def _learning(rule: Rule | None) -> str:
    if rule is None:
        return "It learns only when told."
    if rule.stopped:
        return f"It learnt by itself. {rule.stopped}"
    ends = [f"after {rule.max_iterations} iterations"] if rule.max_iterations is not None else []
    ends += [f"after {_dollars(rule.max_micros, 2)}"] if rule.max_micros is not None else []
    ends += [f"after {rule.patience} iterations without evidence of progress"] if rule.patience is not None else []
    who = (
        "you decide on refinements" if rule.refinements.value == "wait" else "refinements measured as better are applied, others discarded"
    )
    return f"It learns by itself and ends {' or '.join(ends)}; {who}."


def with_lab(action: Callable[[Lab], Any]) -> None:
    """Run a command on the workspace with the settings for Claude."""
    from lab.agents.service import Lab

    settings = Settings()
    lab = Lab(settings.home, claude_settings(settings))
    try:
        action(lab)
    finally:
        lab.close()


def _usage(lab: Lab, by: By, days: int, as_json: bool) -> None:
    rows, budgets = lab.usage.by(by, days), lab.usage.budgets()
    if as_json:
        print_json({"usage": rows, "budgets": budgets})
        return
    if not rows:
        print(f"No model was asked in the last {days} days.")
    else:
        headings = (
            by.value.capitalize(),
            "Calls",
            "Failed",
            "In doubt",
            "Input",
            "Cache write",
            "Cache read",
            "Hit rate",
            "Output",
            "Cost",
        )
        print_table(headings, [_line(row) for row in (*rows, lab.usage.total(days))])
    print()
    shown = [each for each in budgets if each.agent_id == 0 or each.own or each.spent_micros or each.reserved_micros]
    print_table(
        ("Budget", "A day", "Spent today", "Under way", "Left"),
        [
            (b.name, _dollars(b.daily_micros, 2), _dollars(b.spent_micros), _dollars(b.reserved_micros), _dollars(b.left_micros))
            for b in shown
        ],
    )


def _line(row: UsageRow) -> tuple[str, ...]:
    rate = row.cache_hit_rate
    counts = (row.input_tokens, row.cache_write_tokens, row.cache_read_tokens)
    return (
        row.key,
        str(row.calls),
        str(row.failed),
        f"{row.in_doubt} ({_dollars(row.in_doubt_micros)})" if row.in_doubt else "0",
        *(f"{count:,}" for count in counts),
        "-" if rate is None else f"{rate:.0%}",
        f"{row.output_tokens:,}",
        _dollars(row.cost_micros),
    )


def _calls(lab: Lab, limit: int, as_json: bool) -> None:
    rows = lab.usage.calls(limit=limit)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("Id", "Agent", "Iteration", "Purpose", "Model", "State", "Input", "Cached", "Output", "Cost", "Seconds", "Ended by"),
        [
            (
                str(row.id),
                row.agent,
                str(row.iteration_number or "-"),
                f"{row.purpose} {row.attempt}",
                row.model,
                row.state,
                f"{row.input_tokens + row.cache_write_tokens:,}",
                f"{row.cache_read_tokens:,}",
                f"{row.output_tokens:,}",
                _dollars(row.charged_micros),
                f"{row.latency_ms / 1000:.1f}",
                row.error or row.stop_reason,
            )
            for row in rows
        ],
    )
    if not rows:
        print("No model was asked yet.")


def _call(lab: Lab, call_id: int, raw: bool) -> None:
    view = lab.usage.call(call_id)
    print(
        f"Call {view.row.id}: {view.row.agent}, {view.row.purpose}, {view.row.model}, {view.row.state}, {_dollars(view.row.charged_micros)}"
    )
    print(f"Prompt {view.prompt_version}, prices of {view.prices_of}")
    for title, text in (("SENT", view.prompt if raw else view.prompt_text), ("ANSWERED", view.reply if raw else view.reply_text)):
        print(f"\n=== {title}\n")
        print(_printable(text) or view.row.error or "(nothing)")


def _budget(lab: Lab, agent: str | None, dollars: float | None, lab_dollars: float | None) -> None:
    if lab_dollars is not None:
        lab.usage.set_budget(0, round(lab_dollars * 1_000_000))
    if agent is not None and dollars is not None:
        lab.usage.set_budget(lab.agent_named(agent).id, round(dollars * 1_000_000))
    if lab.state().unfinished_iterations:
        ensure_worker(lab.workspace.home)
    print_table(
        ("Budget", "A day", "Spent today", "Left"),
        [(b.name, _dollars(b.daily_micros, 2), _dollars(b.spent_micros), _dollars(b.left_micros)) for b in lab.usage.budgets()],
    )


def _prices(lab: Lab) -> None:
    print("Dollars per million tokens:")
    print_table(
        ("Model", "Since", "Input", "Output", "Cache write", "for an hour", "Cache read"),
        [
            (
                p.model,
                p.since.isoformat(),
                f"{p.input:g}",
                f"{p.output:g}",
                f"{p.cache_write:g}",
                f"{p.cache_write_hour:g}",
                f"{p.cache_read:g}",
            )
            for p in lab.usage.prices()
        ],
    )
    print(f"\nYour own prices go into {lab.usage.prices_path()}, in this form:\n")
    print('[[price]]\nmodel = "a-model"\nsince = 2026-11-01\ninput = 1.00\noutput = 5.00')
    print("cache_write = 1.25\ncache_write_hour = 2.00\ncache_read = 0.10")


def _dollars(micros: int, digits: int = 4) -> str:
    return f"${micros / 1e6:,.{digits}f}"


def _printable(text: str) -> str:
    """Without what a terminal would act on: a model's words are data."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text)
