"""`laocert audit`: take heads of the record, and check that nothing in it was changed."""

from dataclasses import asdict

import click

from bot.commands.common import echo_json, echo_lines, json_option, now, reading, thai_time, writing
from models.audit.event_chain import take_head
from models.base.errors import DomainError
from models.succession.word_keeping import keep_words as keep
from models.verification.findings import Findings, meaning_of
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
@click.option("--all", "lists_all", is_flag=True, help="List every break, not the first alone.")
@json_option
def verify(filed: str | None, lists_all: bool, as_json: bool) -> None:
    """Check all chains, and what was recorded against what stands in the database.

    docs/security.md says of each table what is covered.
    """
    found = reading(lambda session: verify_record(session, filed))
    if as_json:
        echo_json({"ok": found.is_well} | asdict(found) | {"first": _first(found)})
    elif found.is_well or found.breaks:
        echo_lines(_report(found, lists_all=lists_all))
    if found.breaks:
        raise RecordBroken(
            f"the record is broken in {len(found.breaks)} places; keep this database as it is and bring a backup"
            " beside it (docs/operations.md)"
        )
    if found.unchecked:
        raise RecordUnchecked(found.unchecked)


def _first(found: Findings) -> dict[str, str] | None:
    """The first break with what it means and what to do."""
    if found.first is None:
        return None
    meaning = meaning_of(found.first)
    return {"what": found.breaks[0], "about": found.first, "means": meaning.means, "do": meaning.do}


def shown(line: str) -> str:
    """What somebody may have written into the database, harmless on a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _report(found: Findings, *, lists_all: bool) -> list[str]:
    lines: list[str] = []
    if (first := _first(found)) is not None:
        lines = [shown(first["what"]), f"  it means: {first['means']}", f"  what to do: {first['do']}"]
        others = [shown(line) for line in found.breaks[1:]]
        if others and not lists_all:
            lines.append(f"and {len(others):,} more; --all lists them")
        lines += others if lists_all else []
    if found.unchecked:
        lines.append(found.unchecked)
    if found.unrecorded:
        lines.append(f"made before there was a record, not covered: {', '.join(found.unrecorded)}")
    if found.without_words:
        lines.append(without_words(found.without_words))
    if found.without_events:
        lines.append(found.without_events)
    lines.append(
        f"checked {found.events} events, {found.certificates} certificates, {found.rosters} locked rosters"
    )
    return lines
