"""`laocert status`: counts of organizations by province and status, and lists of those that are locked, lack
something that they need to certify, or are not reached by reminders.
"""

from collections.abc import Sequence

import click
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from bot.commands.common import echo_json, echo_table, json_option, province_option, reading, thai_time
from bot.commands.round import facts
from models.base.thai import arabic_digits
from models.certification.certificate import Status
from models.operator.incomplete import Incomplete, list_incomplete
from models.organizations.organization import Organization
from models.outreach.unreached import Unreached, list_unreached
from models.province.progress import (
    LockedOrganization,
    ProvinceCounts,
    count_statuses,
    list_locked,
    require_province,
)
from models.rounds.round import Round, current_round


@click.command(epilog="Example: laocert status --province 11")
@province_option
@click.option("--unreached", is_flag=True, help="List those that have not certified and that no reminder reaches.")
@click.option("--locked", is_flag=True, help="List those whose registers are certified and locked.")
@click.option("--incomplete", is_flag=True, help="List those without roster, account or officer.")
@json_option
def status(province: str | None, unreached: bool, locked: bool, incomplete: bool, as_json: bool) -> None:
    """How many organizations are uncertified, LAO-certified and province-certified in the newest round."""
    if unreached + locked + incomplete > 1:
        raise click.UsageError("give one of --unreached, --locked and --incomplete")

    async def look(session: AsyncSession) -> tuple[Round | None, list[ProvinceCounts]]:
        return await current_round(session), await count_statuses(session, await _code(session, province))

    async def look_for_unreached(session: AsyncSession) -> list[Unreached]:
        return await list_unreached(session, await _code(session, province))

    async def look_for_locked(session: AsyncSession) -> list[LockedOrganization]:
        return await list_locked(session, await _code(session, province))

    async def look_for_incomplete(session: AsyncSession) -> list[Incomplete]:
        return await list_incomplete(session, await _code(session, province))

    if unreached:
        _print_unreached(reading(look_for_unreached), as_json)
        return
    if locked:
        _print_locked(reading(look_for_locked), as_json)
        return
    if incomplete:
        _print_incomplete(reading(look_for_incomplete), as_json)
        return
    newest, counts = reading(look)
    if as_json:
        echo_json(
            {
                "round": facts(newest) if newest else None,
                "provinces": [
                    {
                        "code": count.province.code,
                        "name_th": count.province.name_th,
                        "name_en": count.province.name_en,
                        **_numbers([count]),
                    }
                    for count in counts
                ],
                "total": _numbers(counts),
            }
        )
        return
    click.echo(f"round {newest.fiscal_year}, {newest.state.value}" if newest else "no round yet")
    table = Table("Code", "Province", show_footer=len(counts) > 1)
    table.columns[1].footer = "Total"
    for name, total in _numbers(counts).items():
        table.add_column(name.replace("_", "-"), str(total), justify="right")
    for count in counts:
        numbers = _numbers([count]).values()
        table.add_row(count.province.code, count.province.name_th, *(str(number) for number in numbers))
    echo_table(table)


async def _code(session: AsyncSession, province: str | None) -> str | None:
    return None if province is None else (await require_province(session, arabic_digits(province))).code


def _print_unreached(unreached: list[Unreached], as_json: bool) -> None:
    if as_json:
        echo_json([{**_place(row.organization), "why": row.why.value} for row in unreached])
        return
    rows = [(row.organization, _words(row.why)) for row in unreached]
    _echo_organizations(rows, ("Why",), "every organization has certified, or somebody there can be reminded")


def _print_locked(locked: list[LockedOrganization], as_json: bool) -> None:
    if as_json:
        echo_json([{**_place(row.organization), "since": row.since, "status": row.status.value} for row in locked])
        return
    rows = [(row.organization, thai_time(row.since), _words(row.status)) for row in locked]
    _echo_organizations(rows, ("Since", "Status"), "no register is locked")


def _print_incomplete(incomplete: list[Incomplete], as_json: bool) -> None:
    if as_json:
        echo_json(
            [{**_place(row.organization), "lacks": [lack.value for lack in row.lacks]} for row in incomplete]
        )
        return
    rows = [(row.organization, ", ".join(map(_words, row.lacks))) for row in incomplete]
    _echo_organizations(rows, ("Lacks",), "every organization has a roster, an account and an officer")


def _words(value: str) -> str:
    return value.replace("_", " ")


def _place(organization: Organization) -> dict[str, str]:
    return {
        "organization": organization.dla_code,
        "name": organization.full_name,
        "district": organization.district_th,
        "province": organization.province_code,
    }


def _echo_organizations(
    rows: Sequence[tuple[Organization, *tuple[str, ...]]], columns: tuple[str, ...], otherwise: str
) -> None:
    """Print a table of organizations with further `columns`; without any, the line `otherwise`."""
    if not rows:
        click.echo(otherwise)
        return
    table = Table("Code", "Organization", "District", "Province", *columns)
    for organization, *texts in rows:
        table.add_row(
            organization.dla_code,
            organization.full_name,
            organization.district_th,
            organization.province.name_th,
            *texts,
        )
    echo_table(table)


def _numbers(counts: list[ProvinceCounts]) -> dict[str, int]:
    """The numbers of organizations by status, and of all."""
    by_status = {status.value: sum(count.of(status) for count in counts) for status in Status}
    return {**by_status, "organizations": sum(by_status.values())}
