"""`laocert db`: the database's schema, backup and restore."""

from pathlib import Path

import click

from bot.commands.audit import without_words
from bot.commands.common import echo_json, json_option, with_database
from bot.commands.keys import without_seals
from bot.runtime.settings import load_settings, role_names
from bot.service.backup import backup as make_backup
from bot.service.opening import Use
from bot.service.restore import restore as bring_back
from models.base.errors import DomainError
from models.database.engine import Database
from models.operator.sealing import count_accepted_unsealed
from models.schema import drift, roles, version
from models.succession.word_keeping import count_without_words


class DatabaseDiffers(DomainError):
    """The database or a restored copy differs from what this program expects; the message says what to do."""


@click.group(epilog="Example: laocert db upgrade")
def db() -> None:
    """The database: bring it to this program's schema, and check it."""


@db.command(epilog="Example: laocert db upgrade")
def upgrade() -> None:
    """Migrate the schema, and the rights of PostgreSQL's roles, to this program's version, in one transaction.
    Safe to repeat.
    """
    names = role_names(load_settings())

    async def bring(database: Database) -> tuple[str | None, str, int, int, list[str]]:
        before, after = await version.upgrade(database, names)
        by_hand = [] if names is None else await roles.check(database, names)
        async with database.read() as session:
            unsealed = await count_accepted_unsealed(session)
            return before, after, await count_without_words(session), unsealed, by_hand

    before, after, older, unsealed, by_hand = with_database(bring, Use.UPGRADES)
    click.echo(
        f"the database is at schema {after} already" if before == after else f"schema {before or 'none'} → {after}"
    )
    if older:
        click.echo(without_words(older))
    if unsealed:
        click.echo(without_seals(unsealed))
    if by_hand:
        raise DatabaseDiffers(
            "the schema is up, but roles are not as they should be, which another than the tables' owner must mend"
            f" ({'; '.join(by_hand)}); see docs/operations.md, Roles"
        )


@db.command(epilog="Example: laocert db check --json")
@json_option
def check(as_json: bool) -> None:
    """Compare tables, indexes, constraints, triggers and rights with this program's, and look for damage."""
    names = role_names(load_settings())

    async def look(database: Database) -> tuple[list[str], bool]:
        return await drift.check(database, names), await drift.can_check_in_full(database)

    differences, in_full = with_database(look, Use.REPAIRS)
    if not in_full:
        click.echo(
            "constraints, defaults and conditions of indexes were not compared: this role may not create a schema;"
            " check as the owner of the tables",
            err=True,
        )
    if as_json:
        echo_json({"ok": not differences, "in_full": in_full, "differences": differences})
    elif not differences:
        click.echo("the database is as it should be")
    else:
        for line in differences:
            click.echo(line)
    if differences:
        raise DatabaseDiffers(
            f"the database is not as it should be ({len(differences)}); run: laocert db upgrade,"
            " or restore a backup"
        )


@db.command(epilog="Example: laocert db backup laocert-2570-02-01.backup")
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy the whole database to a new file, also while the bot runs, and verify the copy."""
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
    """Replace the database by a copy, verify it and the record in it, and hold its unsent messages. A copy of
    another schema is put back but not verified; exit code 1 then, and when something does not fit.
    """
    names = role_names(load_settings())
    restored = with_database(lambda database: bring_back(database, file, force=force, names=names), Use.REPAIRS)
    click.echo(f"{restored.held} unsent messages are held; send or drop them: laocert outbox release [--drop]")
    if restored.schema is not None:
        raise DatabaseDiffers(
            f"restored, at schema {restored.schema}, and not checked: this program needs {version.head()}; run:"
            " laocert db upgrade, then laocert audit verify"
        )
    for line in (*restored.differences, *restored.findings.breaks, *filter(None, [restored.findings.unchecked])):
        click.echo(line)
    click.echo(
        f"restored: {restored.findings.events} events, {restored.findings.certificates} certificates,"
        f" {restored.findings.rosters} locked rosters checked"
    )
    if restored.unsealed:
        click.echo(without_seals(restored.unsealed))
    if restored.differences or restored.findings.breaks:
        raise DatabaseDiffers("the copy is not as it should be; try an older one, and keep this one")
    if restored.findings.unknown_keys:
        raise DatabaseDiffers("the copy is back, and what could be checked of it is as it should be")
