"""`laocert organization`: another name for an organization, and its end."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from bot.commands.common import by_option, echo_json, json_option, now, reading, reason_option, writing
from models.rounds.round import parse_closing_date
from models.succession import closing, renaming
from models.succession.closing import Closing
from models.succession.decision import Decision, decision
from models.succession.renaming import Renaming

_F = TypeVar("_F", bound=Callable[..., Any])

_EXAMPLE = "--by 'สถ. กองกฎหมาย' --reason 'ประกาศกระทรวงมหาดไทย'"


def _change_options(command: _F) -> _F:
    """What every change of an organization is given."""
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
    """An organization gets another name, or ends. Certificates stay as they are."""


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
    decided = _decision(by, reason, gazette, effective)
    renamed: Renaming = (
        reading(lambda session: renaming.look_at_renaming(session, dla_code, name))
        if dry_run
        else writing(lambda session: renaming.rename(session, dla_code, name, decided, now()))
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
    decided = _decision(by, reason, gazette, effective)
    closed: Closing = (
        reading(lambda session: closing.look_at_closing(session, dla_code))
        if dry_run
        else writing(lambda session: closing.close(session, dla_code, decided, now()))
    )
    if as_json:
        echo_json(
            {
                "organization": dla_code,
                "name": closed.name,
                "status": closed.status.value,
                "accounts": closed.accounts,
                "chats": closed.chats,
                "effective_on": decided.effective_on,
                "dry_run": dry_run,
            }
        )
        return
    done, ended = ("would be closed", "would end") if dry_run else ("is closed", "have ended")
    click.echo(f"{dla_code} {closed.name} {done}; it was {closed.status.value.replace('_', ' ')}")
    click.echo(f"accounts disabled: {closed.accounts}; links of chats that {ended}: {closed.chats}")
