"""What the commands share: options, the database, the clock, output as JSON or tables, questions, and progress."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from sqlalchemy.ext.asyncio import AsyncSession

from bot.papers import thai
from bot.runtime.settings import load_settings
from bot.service.opening import Use, opened
from models.base.errors import DomainError
from models.database.engine import Database

_T = TypeVar("_T")

# Times on the terminal, in Bangkok's time and the Buddhist Era.
thai_time = thai.numeric_time

province_option = click.option("--province", metavar="CODE", help="Only the province with this two-digit code.")
by_option = click.option(
    "--by",
    required=True,
    metavar="NAME",
    help="The person or office that decides; stored, and shown to the officers.",
)
reason_option = click.option(
    "--reason", required=True, metavar="TEXT", help="Why; stored and shown like the name."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")


class NotAgreed(DomainError):
    """The operator did not agree to a command's question; the message says that nothing was done."""


def now() -> datetime:
    """The present time in UTC, by this machine's clock."""
    return datetime.now(UTC)


def echo_json(facts: object) -> None:
    """Print facts as JSON; Thai letters are not escaped, times are ISO 8601."""
    click.echo(json.dumps(facts, ensure_ascii=False, indent=2, default=_json_value))


def _json_value(value: Any) -> str:
    return str(value.isoformat())


def echo_table(table: Any) -> None:
    """Print a rich table as wide as the terminal, or 200 columns wide when stdout is no terminal."""
    width = None if sys.stdout.isatty() else 200
    # Names are data: rich must not interpret markup or emoji codes in them.
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def echo_lines(lines: list[str], *, to_stderr: bool = False) -> None:
    """Print lines to stdout, or to stderr."""
    for line in lines:
        click.echo(line, err=to_stderr)


def ask(question: str, what: list[str], *, otherwise: str, as_json: bool) -> None:
    """Print the lines `what`, and ask the operator a yes-or-no question on stderr; the default is no.

    `otherwise`: what has not happened without a yes. `as_json`: stdout is for JSON only, so the lines go to
    stderr; they are not printed when stdin is no terminal.

    Raises NotAgreed for any answer but yes, for Ctrl-C and Ctrl-D, and when stdin is no terminal.
    """
    is_anybody_there = sys.stdin is not None and sys.stdin.isatty()
    if is_anybody_there or not as_json:
        echo_lines(what, to_stderr=as_json)
    if not is_anybody_there:
        where = "what the command shows without --json" if as_json else "what is shown"
        raise NotAgreed(f"there is no terminal to ask at, and {otherwise}; look at {where}, then give --yes")
    try:
        is_agreed = click.confirm(question, err=True)
    except click.Abort:
        # End the line of the question.
        click.echo(err=True)
        is_agreed = False
    if not is_agreed:
        raise NotAgreed(otherwise)


def with_database(operation: Callable[[Database], Awaitable[_T]], use: Use) -> _T:
    """Run an operation on the database of the settings; its result. Raises the operation's errors, and those of
    `bot.service.opening.opened`.
    """
    context = click.get_current_context(silent=True)

    async def run() -> _T:
        async with opened(load_settings(), use, context.command_path if context else "laocert") as database:
            return await operation(database)

    return asyncio.run(run())


def reading(operation: Callable[[AsyncSession], Awaitable[_T]], use: Use = Use.LOOKS) -> _T:
    """Run an operation in a read-only session. `use` is RECORDS when the command will write afterwards. Raises as
    `with_database`.
    """

    async def run(database: Database) -> _T:
        async with database.read() as session:
            return await operation(session)

    return with_database(run, use)


def writing(operation: Callable[[AsyncSession], Awaitable[_T]]) -> _T:
    """Run an operation in one write transaction, committed at its end. Raises as `with_database`."""

    async def run(database: Database) -> _T:
        async with database.write() as session:
            return await operation(session)

    return with_database(run, Use.RECORDS)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Show progress on a terminal as bars on stderr, else as one line on stdout for each step. Gives a function to
    call with (step, done, total); a total of 0 is unknown.

    `quiet`: no lines, because stdout is for JSON.
    """
    if not sys.stderr.isatty():
        with _plain_steps(quiet) as report:
            yield report
        return
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step)
            bars.update(tasks[step], completed=done, total=total or None)

        yield show


@contextmanager
def _plain_steps(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    printed_steps: set[str] = set()

    def tell(step: str, _done: int, _total: int) -> None:
        if step not in printed_steps and not quiet:
            click.echo(f"{step} …")
        printed_steps.add(step)

    yield tell
