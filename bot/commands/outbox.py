"""`laocert outbox`: lists messages and their states, retries dead ones, releases those that a restore held."""

from dataclasses import asdict

import click
from rich.table import Table

from bot.commands.common import echo_json, echo_table, json_option, now, reading, thai_time, writing
from models.notices import outbox_admin
from models.notices.outbox import State


@click.group(epilog="Example: laocert outbox list --state dead")
def outbox() -> None:
    """Messages that the bot sends on its own."""


@outbox.command("list", epilog="Example: laocert outbox list --account lao5110201")
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only those in this state.")
@click.option("--account", metavar="USERNAME", help="Only those to this account's officers.")
@click.option("--organization", metavar="CODE", help="Only those to the officers of this organization.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, metavar="N")
@json_option
def list_(state: str | None, account: str | None, organization: str | None, limit: int, as_json: bool) -> None:
    """Messages, the newest first: to whom, how far, and why not further. No name, no text."""
    if account is not None and organization is not None:
        raise click.UsageError("--account and --organization do not go together")
    messages = reading(
        lambda session: outbox_admin.list_messages(
            session,
            state=None if state is None else State(state),
            username=account,
            organization=organization,
            limit=limit,
        )
    )
    if as_json:
        echo_json({"counts": messages.counts, "messages": [asdict(message) for message in messages.messages]})
        return
    click.echo(" · ".join(f"{count} {name}" for name, count in messages.counts.items()))
    if messages.messages:
        echo_table(_table(messages.messages))


def _table(messages: list[outbox_admin.Message]) -> Table:
    table = Table("number", "kind", "to", "created", "due", "tries", "state", "reason", box=None)
    for message in messages:
        to = (
            "a chat without an officer"
            if message.account is None
            else f"{message.account}, officer {message.officer}"
        )
        table.add_row(
            str(message.number),
            message.kind,
            to,
            thai_time(message.created_at),
            thai_time(message.due_at),
            str(message.tries),
            message.state,
            message.reason or "",
        )
    return table


@outbox.command(epilog="Example: laocert outbox retry 17 18")
@click.argument("numbers", nargs=-1, required=True, type=int, metavar="NUMBER...")
def retry(numbers: tuple[int, ...]) -> None:
    """Try dead messages once more. All of them, or none when one is not dead or cannot arrive."""
    click.echo(f"{writing(lambda session: outbox_admin.retry(session, numbers, now()))} messages will be sent")


@outbox.command(epilog="Example: laocert outbox release")
@click.option("--drop", is_flag=True, help="Do not send them: they were sent before the copy was brought back.")
def release(drop: bool) -> None:
    """Send the messages that a restore held, or drop them."""
    if drop:
        click.echo(f"{writing(outbox_admin.drop_held)} messages will not be sent")
    else:
        click.echo(f"{writing(lambda session: outbox_admin.release_held(session, now()))} messages will be sent")
