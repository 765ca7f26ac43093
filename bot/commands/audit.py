"""`laocert audit`: take heads of the record, and check that nothing in it was changed."""

from dataclasses import asdict

import click

from bot.commands.common import echo_json, json_option, now, reading, thai_time, writing
from models.audit.event_chain import take_head
from models.base.errors import DomainError
from models.succession.word_keeping import keep_words as keep
from models.verification.verify import verify as verify_record


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


def without_words(certificates: int) -> str:
    """What an operator is told while older certificates do not say what their organizations were called."""
    return (
        f"{certificates:,} certificates from before schema 0012 do not say what their organizations were called;"
        " run: laocert audit keep-words"
    )


@audit.command(epilog="Example: laocert audit keep-words")
@json_option
def keep_words(as_json: bool) -> None:
    """Keep the names of older certificates, once after the upgrade to schema 0012.

    A certificate from before does not say what its organization was called and where it lay. What stands in the
    database now is kept for each of them, with the moment, and recorded as one event. Safe to repeat.
    """
    moment = now()
    kept = writing(lambda session: keep(session, moment))
    if as_json:
        echo_json({"certificates": kept.certificates, "kept_at": kept.kept_at})
    elif kept.kept_at is None:
        click.echo("every certificate has its words already; nothing was changed")
    else:
        click.echo(f"{kept.certificates:,} certificates have their words now, as of {thai_time(kept.kept_at)}")


@audit.command(epilog="Example: laocert audit verify --head 1234-0f1e2d…")
@click.option("--head", "filed", metavar="HEAD", help="What `laocert audit head` printed once and was filed.")
@json_option
def verify(filed: str | None, as_json: bool) -> None:
    """Check all chains, and certificates, their words, reopenings, remarks and locked rosters against them."""
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
        if found.without_words:
            click.echo(without_words(found.without_words))
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
