"""`laocert organization`: renaming an organization, closing it, and its succession by another."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bot.commands.common import (
    by_option,
    echo_json,
    json_option,
    now,
    reading,
    reason_option,
    with_database,
    writing,
)
from bot.service.opening import Use
from models.imports.successions import succeed_from_file
from models.rounds.round import parse_closing_date
from models.succession import closing, renaming
from models.succession.closing import Closing
from models.succession.decision import Decision, decision
from models.succession.renaming import Renaming
from models.succession.succeeding import Outcome

_F = TypeVar("_F", bound=Callable[..., Any])

_EXAMPLE = "--by 'สถ. กองกฎหมาย' --reason 'ประกาศกระทรวงมหาดไทย'"


def _change_options(command: _F) -> _F:
    """The options that all changes of organizations share."""
    for decorate in (
        json_option,
        click.option("--dry-run", is_flag=True, help="Check everything and show it, write nothing."),
        click.option(
            "--effective",
            metavar="YYYY-MM-DD",
            help="The day that the decision names, today unless given; it is recorded, the change is made now.",
        ),
        click.option("--gazette", metavar="REF", help="Where the Royal Gazette publishes it; recorded."),
        reason_option,
        by_option,
    ):
        command = decorate(command)
    return command


def _decision(by: str, reason: str, gazette: str | None, effective: str | None) -> Decision:
    return decision(by, reason, gazette, parse_closing_date(effective) if effective else None, now())


@click.group(epilog=f"Example: laocert organization rename 6110301 บางปูใหม่ {_EXAMPLE}")
def organization() -> None:
    """An organization gets another name, ends, or goes on as another. Certificates stay as they are."""


@organization.command(epilog=f"Example: laocert organization rename 6110301 บางปูใหม่ {_EXAMPLE}")
@click.argument("dla_code", metavar="CODE")
@click.argument("name")
@_change_options
def rename(
    dla_code: str,
    name: str,
    by: str,
    reason: str,
    gazette: str | None,
    effective: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Give an organization another name, without its type; its code stays."""
    change_decision = _decision(by, reason, gazette, effective)
    renamed: Renaming = (
        reading(lambda session: renaming.look_at_renaming(session, dla_code, name))
        if dry_run
        else writing(lambda session: renaming.rename(session, dla_code, name, change_decision, now()))
    )
    if as_json:
        echo_json({"organization": dla_code, "before": renamed.before, "after": renamed.after, "dry_run": dry_run})
        return
    done = "would be called" if dry_run else "is called"
    click.echo(f"{dla_code} {renamed.before} {done} {renamed.after}")


@organization.command(epilog=f"Example: laocert organization close 6110301 {_EXAMPLE}")
@click.argument("dla_code", metavar="CODE")
@_change_options
def close(
    dla_code: str,
    by: str,
    reason: str,
    gazette: str | None,
    effective: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """End an organization that no other one succeeds. It cannot be taken back.

    Its accounts are disabled, its register is locked for ever, and it leaves lists, counts and reminders.
    """
    change_decision = _decision(by, reason, gazette, effective)
    closed: Closing = (
        reading(lambda session: closing.look_at_closing(session, dla_code))
        if dry_run
        else writing(lambda session: closing.close(session, dla_code, change_decision, now()))
    )
    if as_json:
        echo_json(
            {
                "organization": dla_code,
                "name": closed.name,
                "status": closed.status.value,
                "accounts": closed.accounts,
                "chats": closed.chats,
                "effective_on": change_decision.effective_on,
                "dry_run": dry_run,
            }
        )
        return
    done, ended = ("would be closed", "would end") if dry_run else ("is closed", "have ended")
    click.echo(f"{dla_code} {closed.name} {done}; it was {closed.status.value.replace('_', ' ')}")
    click.echo(f"accounts disabled: {closed.accounts}; links of chats that {ended}: {closed.chats}")


@organization.command(epilog=f"Example: laocert organization succeed changes.csv --dry-run {_EXAMPLE}")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--reopen", "reopens", is_flag=True, help="Reopen successors that are certified in the open round.")
@_change_options
def succeed(
    file: Path,
    reopens: bool,
    by: str,
    reason: str,
    gazette: str | None,
    effective: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Let organizations go on as others: upgrades, moves to another province, mergers. It cannot be taken back.

    Columns: from, to, kind (upgrade, move, merger), and of a successor that is new name (without its type), type,
    district, province; where they are needed also province_th and province_en (of a province that is new) and
    account (to which the officers of an organization that merges go over).
    """
    change_decision = _decision(by, reason, gazette, effective)
    outcomes = with_database(
        lambda database: succeed_from_file(
            database, file, change_decision, now(), reopens=reopens, dry_run=dry_run
        ),
        Use.LOOKS if dry_run else Use.RECORDS,
    )
    if as_json:
        echo_json({"dry_run": dry_run, "successions": [_facts(outcome) for outcome in outcomes]})
        return
    for outcome in outcomes:
        for line in _report_lines(outcome, dry_run):
            click.echo(line)


def _facts(outcome: Outcome) -> dict[str, object]:
    succession = outcome.succession
    return {
        "successor": succession.dla_code,
        "name": outcome.name,
        "kind": succession.kind.value,
        "is_new": succession.founding is not None,
        "predecessors": [
            {"organization": code, "name": name}
            for code, name in zip(succession.codes, outcome.names, strict=True)
        ],
        "records_copied": outcome.records,
        "chats_over": outcome.goes_over,
        "links_ended": outcome.links_end,
        "reopened": succession.reopens,
    }


def _report_lines(outcome: Outcome, dry_run: bool) -> list[str]:
    """The lines that say what a succession does, and what the operator must do next."""
    succession, founding = outcome.succession, outcome.succession.founding
    old = ", ".join(f"{code} {name}" for code, name in zip(succession.codes, outcome.names, strict=True))
    new = f"{succession.dla_code} {outcome.name}" + (" (new)" if founding else "")
    lines = [
        f"{old} {'would go on' if dry_run else 'goes on' if len(succession.codes) == 1 else 'go on'} as {new}"
    ]
    copied = "no register copied" if outcome.records is None else f"records copied: {outcome.records:,}"
    lines.append(f"  {copied}; chats that go over: {outcome.goes_over}; links that end: {outcome.links_end}")
    if succession.reopens:
        lines.append(f"  {succession.dla_code} {'would be' if dry_run else 'is'} reopened and must certify anew")
    if outcome.records is None and founding is not None:
        lines.append("  next: laocert import accounts, laocert import personnel")
    if founding is not None and founding.province is not None:
        lines.append(f"  province {founding.province_code} is new and has no account: laocert import accounts")
    return lines
