"""`laocert audit`: list events, take heads, and verify that nothing was changed."""

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

# The largest `--limit`: more than anybody reads, and still fast.
MOST_EVENTS = 10_000


class RecordBroken(DomainError):
    """`audit verify` found breaks; the message says how many and what to do."""


class RecordUnchecked(DomainError):
    """`audit verify` lacks a key, so that some events could not be checked."""


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
    """Return the line that tells the operator how many older certificates lack their organizations' names."""
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
@click.option("--head", "filed_head", metavar="HEAD", help="What `laocert audit head` printed once and was filed.")
@click.option("--all", "lists_all", is_flag=True, help="List every break, not the first alone.")
@json_option
def verify(filed_head: str | None, lists_all: bool, as_json: bool) -> None:
    """Check all chains, and what was recorded against what stands in the database.

    docs/security.md says of each table what is covered.
    """
    findings = reading(lambda session: verify_record(session, filed_head))
    if as_json:
        echo_json({"ok": findings.is_well} | asdict(findings) | {"first": _first(findings)})
    elif findings.is_well or findings.breaks:
        echo_lines(_report(findings, lists_all=lists_all))
    if findings.breaks:
        raise RecordBroken(
            f"the record is broken in {len(findings.breaks)} places; keep this database as it is and bring"
            " a backup beside it (docs/operations.md)"
        )
    if findings.unchecked:
        raise RecordUnchecked(findings.unchecked)


def _first(findings: Findings) -> dict[str, str] | None:
    """Return the first break with its meaning and what to do, as JSON values; None without breaks."""
    if findings.first is None:
        return None
    meaning = meaning_of(findings.first)
    return {"what": findings.breaks[0], "about": findings.first, "means": meaning.means, "do": meaning.do}


def _report(findings: Findings, *, lists_all: bool) -> list[str]:
    lines: list[str] = []
    if (first := _first(findings)) is not None:
        lines = [printable(first["what"]), f"  it means: {first['means']}", f"  what to do: {first['do']}"]
        others = [printable(line) for line in findings.breaks[1:]]
        if others and not lists_all:
            lines.append(f"and {len(others):,} more; --all lists them")
        lines += others if lists_all else []
    if findings.unchecked:
        lines.append(findings.unchecked)
    if findings.unrecorded:
        lines.append(f"made before there was a record, not covered: {', '.join(findings.unrecorded)}")
    if findings.without_words:
        lines.append(without_words(findings.without_words))
    if findings.not_compared:
        lines.append(findings.not_compared)
    counts = f"{findings.events} events, {findings.certificates} certificates, {findings.rosters} locked rosters"
    lines.append(f"checked {counts}")
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

    events = reading(read)
    entries, has_more = events[:limit], len(events) > limit
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
