"""`laocert audit`: take heads of the record, and check that nothing in it was changed."""

from dataclasses import asdict

import click

from bot.commands.common import echo_json, json_option, now, reading, writing
from models.audit.event_chain import take_head
from models.base.errors import DomainError
from models.operator.verification import verify as verify_record


class RecordBroken(DomainError):
    """`audit verify` found something."""


class RecordUnchecked(DomainError):
    """`audit verify` lacks a key."""


@click.group(epilog="Example: laocert audit verify --head 1234-0f1e2d…")
def audit() -> None:
    """The record of what happened."""


@audit.command(epilog="Example: laocert audit head >> heads-on-paper.txt")
@json_option
def head(as_json: bool) -> None:
    """Print the digest over all that was recorded so far. File it where this database's keeper cannot reach."""
    moment = now()
    taken = writing(lambda session: take_head(session, moment))
    if as_json:
        echo_json({"head": taken, "at": moment})
    else:
        click.echo(taken)


@audit.command(epilog="Example: laocert audit verify --head 1234-0f1e2d…")
@click.option("--head", "filed", metavar="HEAD", help="What `laocert audit head` printed once and was filed.")
@json_option
def verify(filed: str | None, as_json: bool) -> None:
    """Check all chains, and certificates, reopenings, remarks and locked rosters against them."""
    found = reading(lambda session: verify_record(session, filed))
    if as_json:
        echo_json({"ok": found.is_well} | asdict(found))
    elif found.is_well or found.breaks:
        for line in found.breaks:
            click.echo(line)
        if found.unchecked:
            click.echo(found.unchecked)
        if found.unrecorded:
            click.echo(f"made before there was a record, not covered: {', '.join(found.unrecorded)}")
        click.echo(
            f"checked {found.events} events, {found.certificates} certificates, {found.rosters} locked rosters"
        )
    if found.breaks:
        raise RecordBroken(
            f"the record is broken in {len(found.breaks)} places; keep this database as it is and bring a backup"
            " beside it (docs/operations.md)"
        )
    if found.unchecked:
        raise RecordUnchecked(found.unchecked)
