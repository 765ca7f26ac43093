"""`laocert audit`: read the record, take heads of it, and check that nothing in it was changed."""

import json
from dataclasses import asdict

import click
from sqlalchemy.ext.asyncio import AsyncSession

from bot.commands.common import echo_json, echo_lines, json_option, now, reading, thai_time, writing
from bot.commands.event_words import printable, sentence
from models.audit.event_chain import SYSTEM, take_head
from models.audit.reading import (
    Entry,
    Wanted,
    find_event,
    parse_kind,
    read_events,
    require_organization,
)
from models.base.errors import DomainError
from models.base.thai import arabic_digits
from models.operator.erasure import require_officer
from models.province.progress import require_province
from models.rounds.round import parse_closing_date
from models.succession.word_keeping import keep_words as keep
from models.verification.findings import Findings, meaning_of
from models.verification.verify import verify as verify_record

# So many lines fit no screen, and are read in a moment.
MOST_EVENTS = 10_000


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


def _report(found: Findings, *, lists_all: bool) -> list[str]:
    lines: list[str] = []
    if (first := _first(found)) is not None:
        lines = [printable(first["what"]), f"  it means: {first['means']}", f"  what to do: {first['do']}"]
        others = [printable(line) for line in found.breaks[1:]]
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


@audit.command("list", epilog="Example: laocert audit list --organization 5110201 --since 2569-11-01")
@click.option("--organization", metavar="CODE", help="Only what concerns this organization.")
@click.option("--province", metavar="CODE", help="Only what stands in this province's own chain.")
@click.option(
    "--officer",
    "officer_id",
    type=click.IntRange(1, 2**63 - 1),
    metavar="ID",
    help="Only what this officer did or underwent.",
)
@click.option("--event", "kind", metavar="KIND", help="Only events of one kind, for example certified.")
@click.option("--since", metavar="DATE", help="From this day on (YYYY-MM-DD, Christian or Buddhist year).")
@click.option("--until", metavar="DATE", help="Up to this day, which is included.")
@click.option(
    "--limit", type=click.IntRange(1, MOST_EVENTS), default=50, show_default=True, help="The newest so many."
)
@json_option
def list_(
    organization: str | None,
    province: str | None,
    officer_id: int | None,
    kind: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List events in plain words, the newest first, with times in Bangkok."""
    if organization is not None and province is not None:
        raise click.UsageError("give --organization or --province, not both")
    event = None if kind is None else parse_kind(kind)
    first, last = (None if day is None else parse_closing_date(arabic_digits(day)) for day in (since, until))

    async def read(session: AsyncSession) -> list[Entry]:
        chain = None
        if organization is not None:
            chain = await require_organization(session, arabic_digits(organization))
        elif province is not None:
            chain = (await require_province(session, arabic_digits(province))).code
        if officer_id is not None:
            await require_officer(session, officer_id)
        return await read_events(session, Wanted(chain, officer_id, event, first, last), limit + 1)

    found = reading(read)
    entries, has_more = found[:limit], len(found) > limit
    if as_json:
        echo_json({"events": [_facts(entry) for entry in entries], "has_more": has_more})
        return
    echo_lines([_line(entry) for entry in entries] or ["no such event was recorded"])
    if has_more:
        click.echo(f"there are older ones; --limit shows up to {MOST_EVENTS:,}, --until what was before", err=True)


@audit.command(epilog="Example: laocert audit show 1234")
@click.argument("number", metavar="NUMBER")
@json_option
def show(number: str, as_json: bool) -> None:
    """Show one event whole: by its number in `audit list`, or as CHAIN/NUMBER (5110201/7, system/12)."""
    entry = reading(lambda session: find_event(session, arabic_digits(number)))
    if as_json:
        echo_json(_facts(entry) | {"key": entry.key_id, "hash": entry.mac})
        return
    name = f", {entry.unit}" if entry.unit else ""
    lines = [
        f"event {entry.id}, of {thai_time(entry.at)}: {sentence(entry)}",
        f"  chain: {entry.chain}{name}, number {entry.number} in it",
        f"  kind: {entry.kind}",
    ]
    lines += [f"  {name}: {_value(value)}" for name, value in sorted(entry.details.items())]
    lines += [f"  key: {entry.key_id}", f"  hash: {entry.mac}"]
    echo_lines([printable(line) for line in lines])


def _line(entry: Entry) -> str:
    where = "system" if entry.chain == SYSTEM else f"{entry.chain} {entry.unit or ''}".rstrip()
    return f"{entry.id:>7}  {thai_time(entry.at)}  {printable(where)}: {sentence(entry)}"


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _facts(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "chain": entry.chain,
        "number": entry.number,
        "unit": entry.unit,
        "kind": entry.kind,
        "at": entry.at,
        "sentence": sentence(entry),
        "details": entry.details,
    }
