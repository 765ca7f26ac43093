"""`laocert outbox`: messages that a restore has held."""

import click

from bot.commands.common import now, writing
from models.outbox import drop_held, release_held


@click.group(epilog="Example: laocert outbox release")
def outbox() -> None:
    """Messages that wait to be sent."""


@outbox.command(epilog="Example: laocert outbox release")
@click.option("--drop", is_flag=True, help="Do not send them: they were sent before the copy was brought back.")
def release(drop: bool) -> None:
    """Send the messages that a restore held, or drop them."""
    if drop:
        click.echo(f"{writing(drop_held)} messages will not be sent")
    else:
        click.echo(f"{writing(lambda session: release_held(session, now()))} messages will be sent")
