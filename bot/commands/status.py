"""`laocert status`: how far the organizations are, by province, and whom no reminder has reached."""

import click
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from bot.commands.common import echo_json, echo_table, json_option, province_option, reading
from bot.commands.round import facts
from models.base.thai import arabic_digits
from models.certification.certificate import Status
from models.outreach.unreached import Unreached, list_unreached
from models.province.progress import ProvinceCounts, count_statuses, require_province
from models.rounds.round import Round, current_round


@click.command(epilog="Example: laocert status --province 11")
@province_option
@click.option("--unreached", is_flag=True, help="List those that have not certified and that no reminder reaches.")
@json_option
def status(province: str | None, unreached: bool, as_json: bool) -> None:
    """How many organizations are uncertified, LAO-certified and province-certified in the newest round."""

    async def look(session: AsyncSession) -> tuple[Round | None, list[ProvinceCounts]]:
        return await current_round(session), await count_statuses(session, await _code(session, province))

    async def look_for_unreached(session: AsyncSession) -> list[Unreached]:
        return await list_unreached(session, await _code(session, province))

    if unreached:
        _print_unreached(reading(look_for_unreached), as_json)
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


def _print_unreached(found: list[Unreached], as_json: bool) -> None:
    if as_json:
        echo_json(
            [
                {
                    "organization": one.organization.dla_code,
                    "name": one.organization.full_name,
                    "district": one.organization.district_th,
                    "province": one.organization.province_code,
                    "why": one.why.value,
                }
                for one in found
            ]
        )
        return
    if not found:
        click.echo("every organization has certified, or somebody there can be reminded")
        return
    table = Table("Code", "Organization", "District", "Province", "Why")
    for one in found:
        where = one.organization
        table.add_row(
            where.dla_code, where.full_name, where.district_th, where.province.name_th, one.why.replace("_", " ")
        )
    echo_table(table)


def _numbers(counts: list[ProvinceCounts]) -> dict[str, int]:
    """The sums by status, and of all."""
    by_status = {status.value: sum(count.of(status) for count in counts) for status in Status}
    return {**by_status, "organizations": sum(by_status.values())}
