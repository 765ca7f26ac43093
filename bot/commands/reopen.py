"""`laocert reopen` and the petitions that ask for it."""

import click
from rich.table import Table

from bot.commands.common import (
    by_option,
    echo_json,
    echo_table,
    json_option,
    now,
    reading,
    reason_option,
    thai_time,
    writing,
)
from models.certification.certify import reopen as reopen_organization
from models.certification.remark import Remark, operator_reason
from models.remarks.petition import decide as decide_petition
from models.remarks.petition import list_petitions


@click.command(epilog="Example: laocert reopen 2110101 --by 'สถ. กองบุคลากร' --reason 'นับซ้ำ 1 ราย'")
@click.argument("dla_code")
@by_option
@reason_option
def reopen(dla_code: str, by: str, reason: str) -> None:
    """End the certified revision of an organization: its register can be changed and must be certified anew."""
    ended = writing(lambda session: reopen_organization(session, dla_code, by, operator_reason(reason), now()))
    click.echo(f"{dla_code} is reopened; revision {ended.revision} has ended and stays in the history")


@click.command(epilog="Example: laocert petitions --json")
@json_option
def petitions(as_json: bool) -> None:
    """The petitions that wait for a decision, oldest first: an organization's (lao) or its province's (province),
    whose spot-check has failed.
    """
    found = reading(list_petitions)
    if as_json:
        echo_json([_facts(one) for one in found])
        return
    if not found:
        click.echo("no petition waits")
        return
    table = Table("ID", "Code", "Organization", "Province", "Made", "Side", "By", "Petition")
    for one in found:
        table.add_row(
            str(one.id),
            one.organization_code,
            one.organization.full_name,
            one.organization.province.name_th,
            thai_time(one.made_at),
            one.side or "",
            one.author,
            one.body,
        )
    echo_table(table)


def _facts(one: Remark) -> dict[str, object]:
    return {
        "id": one.id,
        "organization": one.organization_code,
        "name": one.organization.full_name,
        "province": one.organization.province_code,
        "fiscal_year": one.round.fiscal_year,
        "revision": one.revision,
        "made_at": one.made_at,
        "side": one.side,
        "author": one.author,
        "petition": one.body,
    }


@click.group(epilog="Example: laocert petition decide 7 --grant --by 'สถ.' --reason 'นับซ้ำจริง'")
def petition() -> None:
    """Decide petitions."""


@petition.command(epilog="Example: laocert petition decide 7 --refuse --by 'สถ.' --reason 'จำนวนถูกต้องแล้ว'")
@click.argument("number", metavar="ID", type=int)
@click.option("--grant", is_flag=True, help="Reopen the organization.")
@click.option("--refuse", is_flag=True, help="Leave it locked.")
@by_option
@reason_option
def decide(number: int, grant: bool, refuse: bool, by: str, reason: str) -> None:
    """Close a petition: grant it, which reopens the organization, or refuse it."""
    if grant == refuse:
        raise click.UsageError("give either --grant or --refuse")
    made = writing(
        lambda session: decide_petition(session, number, granted=grant, by=by, reason=reason, now=now())
    )
    outcome = "granted; the organization is reopened" if grant else "refused; it stays locked"
    click.echo(f"petition {number} of {made.organization_code} is {outcome}")
