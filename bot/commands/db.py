"""`laocert db`: the schema of the database."""

import click

from bot.commands.common import echo_json, json_option, with_database
from models import schema
from models.base import DomainError


class DatabaseDiffers(DomainError):
    """`db check` found something."""


@click.group(epilog="Example: laocert db upgrade")
def db() -> None:
    """The database: bring it to this program's schema, and check it."""


@db.command(epilog="Example: laocert db upgrade")
def upgrade() -> None:
    """Bring the schema to this program's, in one transaction. Safe to repeat."""
    before, after = with_database(schema.upgrade, needs_head=False)
    click.echo(
        f"the database is at schema {after} already" if before == after else f"schema {before or 'none'} → {after}"
    )


@db.command(epilog="Example: laocert db check --json")
@json_option
def check(as_json: bool) -> None:
    """Compare tables, indexes and triggers with this program's, and look for damage."""
    found = with_database(schema.check, needs_head=False)
    if as_json:
        echo_json({"ok": not found, "differences": found})
    elif not found:
        click.echo("the database is as it should be")
    else:
        for line in found:
            click.echo(line)
    if found:
        raise DatabaseDiffers(
            f"the database is not as it should be ({len(found)}); run: laocert db upgrade, or restore a backup"
        )
