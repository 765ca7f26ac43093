"""What the commands share: the database, the clock, JSON, and progress."""

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

from bot.commands.roles import role_of
from bot.papers import thai
from bot.runtime.settings import load_settings
from bot.service.opening import Use, opened
from models.base.errors import DomainError
from models.database.engine import Database

_T = TypeVar("_T")

# On the terminal as on paper.
thai_time = thai.numeric_time

province_option = click.option("--province", metavar="CODE", help="Only the province with this two-digit code.")
by_option = click.option(
    "--by",
    required=True,
    metavar="NAME",
    help="The person or office that decides; kept, and shown to the officers.",
)
reason_option = click.option("--reason", required=True, metavar="TEXT", help="Why; kept like the name.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")


class NotAgreed(DomainError):
    """Nobody said yes to what a command asked; the message says that nothing was done."""


def now() -> datetime:
    """The clock of the commands."""
    return datetime.now(UTC)


def echo_json(facts: object) -> None:
    """Print facts for another program; Thai as it is."""
    click.echo(json.dumps(facts, ensure_ascii=False, indent=2, default=_json_value))


def _json_value(value: Any) -> str:
    return str(value.isoformat())


def echo_table(table: Any) -> None:
    """Print a rich table as wide as the terminal, or as wide as it needs where there is none."""
    width = None if sys.stdout.isatty() else 200
    # Names are data: no markup, no emoji codes in them.
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def echo_lines(lines: list[str], *, to_stderr: bool = False) -> None:
    """Print lines for a reader."""
    for line in lines:
        click.echo(line, err=to_stderr)


def ask(question: str, what: list[str], *, otherwise: str, as_json: bool) -> None:
    """Show the lines of what is asked about, and ask on stderr, where the answer is no unless it is yes.

    `otherwise` says what has not happened then. `as_json`: stdout is kept free for JSON, so that the lines go to
    stderr, and nowhere where nobody can be asked.

    Raises NotAgreed at any other answer, at its end (Ctrl-C, Ctrl-D), and where there is no terminal to ask at.
    """
    is_anybody_there = sys.stdin is not None and sys.stdin.isatty()
    if is_anybody_there or not as_json:
        echo_lines(what, to_stderr=as_json)
    if not is_anybody_there:
        where = "what the command shows without --json" if as_json else "what is shown"
        raise NotAgreed(f"nobody is there to be asked, and {otherwise}; look at {where}, then give --yes")
    try:
        is_agreed = click.confirm(question, err=True)
    except click.Abort:
        # The question's line has not ended.
        click.echo(err=True)
        is_agreed = False
    if not is_agreed:
        raise NotAgreed(otherwise)


def with_database(operation: Callable[[Database], Awaitable[_T]], use: Use) -> _T:
    """Run an operation on the database of the settings, as the role that the command needs. Raises what
    bot.service.opening.opened does.
    """
    context = click.get_current_context()

    async def run() -> _T:
        async with opened(load_settings(), use, context.command_path, role_of(context)) as database:
            return await operation(database)

    return asyncio.run(run())


def reading(operation: Callable[[AsyncSession], Awaitable[_T]], use: Use = Use.LOOKS) -> _T:
    """Run an operation that only looks; `use` is RECORDS when the command will write after it."""

    async def run(database: Database) -> _T:
        async with database.read() as session:
            return await operation(session)

    return with_database(run, use)


def writing(operation: Callable[[AsyncSession], Awaitable[_T]]) -> _T:
    """Run an operation in one transaction."""

    async def run(database: Database) -> _T:
        async with database.write() as session:
            return await operation(session)

    return with_database(run, Use.RECORDS)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Where an import tells its progress: bars on a terminal, one plain line a step when piped.

    `quiet`: nothing but bars, because the output is JSON.
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
    told: set[str] = set()

    def tell(step: str, _done: int, _total: int) -> None:
        if step not in told and not quiet:
            click.echo(f"{step} …")
        told.add(step)

    yield tell
