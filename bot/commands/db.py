"""`laocert db`: the schema of the database."""

from pathlib import Path

import click

from bot.commands.audit import without_words
from bot.commands.common import echo_json, json_option, with_database
from bot.commands.keys import without_seals
from bot.service.backup import backup as make_backup
from bot.service.opening import Use
from bot.service.restore import restore as bring_back
from models.base.errors import DomainError
from models.database.engine import Database
from models.operator.sealing import count_accepted_unsealed
from models.schema import drift, version
from models.succession.word_keeping import count_without_words


class DatabaseDiffers(DomainError):
    """`db check` found something."""


@click.group(epilog="Example: laocert db upgrade")
def db() -> None:
    """The database: bring it to this program's schema, and check it."""


@db.command(epilog="Example: laocert db upgrade")
def upgrade() -> None:
    """Bring the schema to this program's, in one transaction. Safe to repeat."""

    async def bring(database: Database) -> tuple[str | None, str, int, int]:
        before, after = await version.upgrade(database)
        async with database.read() as session:
            return before, after, await count_without_words(session), await count_accepted_unsealed(session)

    before, after, older, unsealed = with_database(bring, Use.UPGRADES)
    click.echo(
        f"the database is at schema {after} already" if before == after else f"schema {before or 'none'} → {after}"
    )
    if older:
        click.echo(without_words(older))
    if unsealed:
        click.echo(without_seals(unsealed))


@db.command(epilog="Example: laocert db check --json")
@json_option
def check(as_json: bool) -> None:
    """Compare tables, indexes, constraints and triggers with this program's, and look for damage."""

    async def look(database: Database) -> tuple[list[str], bool]:
        return await drift.check(database), await drift.can_check_in_full(database)

    found, in_full = with_database(look, Use.REPAIRS)
    if not in_full:
        click.echo(
            "constraints, defaults and conditions of indexes were not compared: this role may not create a schema;"
            " check as the owner of the tables",
            err=True,
        )
    if as_json:
        echo_json({"ok": not found, "in_full": in_full, "differences": found})
    elif not found:
        click.echo("the database is as it should be")
    else:
        for line in found:
            click.echo(line)
    if found:
        raise DatabaseDiffers(
            f"the database is not as it should be ({len(found)}); run: laocert db upgrade, or restore a backup"
        )


@db.command(epilog="Example: laocert db backup laocert-2570-02-01.backup")
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy the whole database to a new file, also while the bot runs, and read the copy to its end."""
    copied = with_database(lambda database: make_backup(database, file), Use.LOOKS)
    newest = "" if copied.newest_event is None else f", the newest event is {copied.newest_event}"
    click.echo(
        f"{file.name}: {copied.size:,} bytes, checked: {copied.rows:,} rows as in the database{newest};"
        " keep it where this machine's loss does not reach it"
    )


@db.command(epilog="Example: laocert db restore laocert-2570-02-01.backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a database that is not empty. The bot must be stopped.")
def restore(file: Path, force: bool) -> None:
    """Bring a copy back, check it and the record in it, and hold its unsent messages."""
    found = with_database(lambda database: bring_back(database, file, force=force), Use.REPAIRS)
    click.echo(f"{found.held} unsent messages are held; send or drop them: laocert outbox release [--drop]")
    if found.schema is not None:
        raise DatabaseDiffers(
            f"restored, at schema {found.schema}, and not checked: this program needs {version.head()}; run:"
            " laocert db upgrade, then laocert audit verify"
        )
    for line in (*found.differences, *found.findings.breaks, *filter(None, [found.findings.unchecked])):
        click.echo(line)
    click.echo(
        f"restored: {found.findings.events} events, {found.findings.certificates} certificates,"
        f" {found.findings.rosters} locked rosters checked"
    )
    if found.unsealed:
        click.echo(without_seals(found.unsealed))
    if found.differences or found.findings.breaks:
        raise DatabaseDiffers("the copy is not as it should be; try an older one, and keep this one")
    if found.findings.unknown_keys:
        raise DatabaseDiffers("the copy is back, and what could be checked of it is as it should be")
