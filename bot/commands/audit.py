"""`laocert audit`: take heads of the record, and check that nothing in it was changed."""

from dataclasses import asdict

import click

from bot.commands.common import echo_json, json_option, now, reading, thai_time, writing
from models.audit.event_chain import take_head
from models.base.errors import DomainError
from models.operator.verification import verify as verify_record
from models.succession.word_keeping import keep_words as keep


class RecordBroken(DomainError):
    """`audit verify` has found breaks in the record; the message says how many and what to do."""


class RecordUnchecked(DomainError):
    """`audit verify` lacks a key, so that a part of the record could not be checked."""


@click.group(epilog="Example: laocert audit verify --head 1234-0f1e2d…")
def audit() -> None:
    """The record of what happened."""


@audit.command(epilog="Example: laocert audit head >> heads-on-paper.txt")
@json_option
def head(as_json: bool) -> None:
    """Print the digest over all that was recorded so far. File it where this database's keeper cannot reach."""
    moment = now()
    digest = writing(lambda session: take_head(session, moment))
    if as_json:
        echo_json({"head": digest, "at": moment})
    else:
        click.echo(digest)


def without_words(certificates: int) -> str:
    """The line for the operator that so many older certificates lack their organizations' names."""
    return (
        f"{certificates:,} certificates from before schema 0012 do not contain their organizations' names;"
        " run: laocert audit keep-words"
    )


@audit.command(epilog="Example: laocert audit keep-words")
@json_option
def keep_words(as_json: bool) -> None:
    """Store the organizations' names in older certificates, once after the upgrade to schema 0012.

    Certificates from before do not contain the name and place of their organization. This stores the present ones
    with each of them, and the time, and records one event. Safe to repeat.
    """
    moment = now()
    outcome = writing(lambda session: keep(session, moment))
    if as_json:
        echo_json({"certificates": outcome.certificates, "kept_at": outcome.kept_at})
    elif outcome.kept_at is None:
        click.echo("every certificate has its words already; nothing was changed")
    else:
        click.echo(
            f"{outcome.certificates:,} certificates have their words now, as of {thai_time(outcome.kept_at)}"
        )


@audit.command(epilog="Example: laocert audit verify --head 1234-0f1e2d…")
@click.option(
    "--head", "filed_head", metavar="HEAD", help="An earlier output of `laocert audit head`, from a file."
)
@json_option
def verify(filed_head: str | None, as_json: bool) -> None:
    """Check all chains, and certificates, their words, reopenings, remarks and locked rosters against them."""
    findings = reading(lambda session: verify_record(session, filed_head))
    if as_json:
        echo_json({"ok": findings.is_well} | asdict(findings))
    elif findings.is_well or findings.breaks:
        for line in findings.breaks:
            click.echo(line)
        if findings.unchecked:
            click.echo(findings.unchecked)
        if findings.unrecorded:
            unrecorded = ", ".join(findings.unrecorded)
            click.echo(f"made before there was a record, not covered: {unrecorded}")
        if findings.without_words:
            click.echo(without_words(findings.without_words))
        click.echo(
            f"checked {findings.events} events, {findings.certificates} certificates,"
            f" {findings.rosters} locked rosters"
        )
    if findings.breaks:
        raise RecordBroken(
            f"the record is broken in {len(findings.breaks)} places; keep this database as it is and bring"
            " a backup beside it (docs/operations.md)"
        )
    if findings.unchecked:
        raise RecordUnchecked(findings.unchecked)
