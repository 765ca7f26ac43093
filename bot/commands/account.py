"""`laocert account`: accounts, their passwords, and the chats linked to them."""

import sys
from dataclasses import asdict

import click
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from bot.commands.common import (
    echo_json,
    echo_table,
    json_option,
    now,
    province_option,
    reading,
    thai_time,
    writing,
)
from bot.service.opening import Use
from models.accounts.account import Officer, find_account
from models.base.thai import arabic_digits
from models.links import account_admin
from models.province.progress import require_province
from models.security.passwords import hash_password


@click.group(epilog="Example: laocert account list --province 11")
def account() -> None:
    """Accounts and the chats linked to them."""


@account.command("list", epilog="Example: laocert account list --province 11 --json")
@province_option
@json_option
def list_(province: str | None, as_json: bool) -> None:
    """All accounts, each province's own first."""

    async def find(session: AsyncSession) -> list[account_admin.ListedAccount]:
        code = None if province is None else (await require_province(session, arabic_digits(province))).code
        return await account_admin.list_accounts(session, code)

    accounts = reading(find)
    if as_json:
        echo_json([asdict(listed_account) for listed_account in accounts])
        return
    table = Table("Username", "Role", "Code", "Unit", "Display name", "Chats", "State")
    for listed_account in accounts:
        state = (
            "disabled"
            if listed_account.disabled_at
            else "by invitation"
            if listed_account.by_invitation_only
            else "active"
        )
        table.add_row(
            listed_account.username,
            listed_account.role,
            listed_account.unit,
            listed_account.unit_name,
            listed_account.display_name,
            str(listed_account.links),
            state,
        )
    echo_table(table)
    click.echo(f"{len(accounts)} accounts")


@account.command(epilog="Example: laocert account disable lao2110101")
@click.argument("username")
def disable(username: str) -> None:
    """Refuse an account from now on and end the links of its chats."""
    ended = writing(lambda session: account_admin.disable(session, username, now()))
    click.echo(f"{username} is disabled; {ended} linked chats ended")


@account.command(epilog="Example: laocert account enable lao2110101")
@click.argument("username")
def enable(username: str) -> None:
    """Let a disabled account log in again; its chats must be linked anew."""
    was_disabled = writing(lambda session: account_admin.enable_account(session, username, now()))
    click.echo(f"{username} is enabled" if was_disabled else f"{username} was not disabled")


@account.command("reset-password", epilog="Example: laocert account reset-password lao2110101")
@click.argument("username")
@click.option("--password-stdin", is_flag=True, help="Read the new password from the first line of stdin.")
def reset_password(username: str, password_stdin: bool) -> None:
    """Give an account a new password, printed once. Chats that are linked stay linked (see: account unlink)."""

    async def require(session: AsyncSession) -> None:
        await find_account(session, username)

    # Checked before the slow hash, and before an unknown account waits for stdin.
    reading(require, Use.RECORDS)
    typed = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    password = account_admin.generate_password() if typed is None else typed
    account_admin.require_good_password(password)
    password_hash = hash_password(password)
    writing(lambda session: account_admin.set_password_hash(session, username, password_hash, now()))
    if password_stdin:
        click.echo(f"{username} has the new password")
    else:
        click.echo(password)


@account.command(epilog="Example: laocert account links lao2110101")
@click.argument("username")
@click.option("--all", "all_", is_flag=True, help="Also the links that have ended.")
@json_option
def links(username: str, all_: bool, as_json: bool) -> None:
    """The chats that are linked to an account now, each with its officer's number."""
    find = account_admin.all_links if all_ else account_admin.account_links
    officers = reading(lambda session: find(session, username))
    if as_json:
        echo_json([_link_facts(officer_row) for officer_row in officers])
        return
    if not officers:
        click.echo(f"no chat {'was ever' if all_ else 'is'} linked to {username}")
        return
    table = Table("Officer", "Name", "Position", "Linked since", "Last seen", *(["Ended"] if all_ else []))
    for officer_row in officers:
        times = (officer_row.linked_at, officer_row.last_seen_at, *([officer_row.unlinked_at] if all_ else []))
        table.add_row(
            str(officer_row.id),
            officer_row.full_name or "",
            officer_row.position or "",
            *(thai_time(moment) if moment else "" for moment in times),
        )
    echo_table(table)


def _link_facts(officer: Officer) -> dict[str, object]:
    return {
        "officer": officer.id,
        "user_id": officer.user_id,
        "full_name": officer.full_name,
        "position": officer.position,
        "linked_at": officer.linked_at,
        "last_seen_at": officer.last_seen_at,
        "unlinked_at": officer.unlinked_at,
    }


@account.command(epilog="Example: laocert account unlink lao2110101 --officer 12")
@click.argument("username")
@click.option("--officer", type=int, metavar="ID", help="The officer's number in: laocert account links USERNAME.")
@click.option("--all", "all_", is_flag=True, help="All officers of the account.")
def unlink(username: str, officer: int | None, all_: bool) -> None:
    """End the link of one officer's chat, or of all."""
    if all_ == (officer is not None):
        raise click.UsageError("give either --officer ID or --all")
    ended = writing(lambda session: account_admin.unlink(session, username, officer, now()))
    click.echo(f"{len(ended)} linked chats of {username} ended")
