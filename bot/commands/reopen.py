"""`laocert reopen`, and the petitions for reopenings: `laocert petitions`, `laocert petition decide`."""

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
    """List the petitions that wait for a decision, oldest first: of organizations (lao), and of provinces whose
    spot-check has failed (province).
    """
    waiting_petitions = reading(list_petitions)
    if as_json:
        echo_json([_facts(petition_row) for petition_row in waiting_petitions])
        return
    if not waiting_petitions:
        click.echo("no petition waits")
        return
    table = Table("ID", "Code", "Organization", "Province", "Made", "Side", "By", "Petition")
    for petition_row in waiting_petitions:
        table.add_row(
            str(petition_row.id),
            petition_row.organization_code,
            petition_row.organization.full_name,
            petition_row.organization.province.name_th,
            thai_time(petition_row.made_at),
            petition_row.side or "",
            petition_row.author,
            petition_row.body,
        )
    echo_table(table)


def _facts(petition: Remark) -> dict[str, object]:
    return {
        "id": petition.id,
        "organization": petition.organization_code,
        "name": petition.organization.full_name,
        "province": petition.organization.province_code,
        "fiscal_year": petition.round.fiscal_year,
        "revision": petition.revision,
        "made_at": petition.made_at,
        "side": petition.side,
        "author": petition.author,
        "petition": petition.body,
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
    decision = writing(
        lambda session: decide_petition(session, number, granted=grant, by=by, reason=reason, now=now())
    )
    outcome = "granted; the organization is reopened" if grant else "refused; it stays locked"
    click.echo(f"petition {number} of {decision.organization_code} is {outcome}")
