"""`laocert status`: how far the organizations are, by province."""

import click
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from bot.commands.common import echo_json, echo_table, json_option, province_option, reading
from bot.commands.round import facts
from models.certificate import Status
from models.progress import ProvinceCounts, count_statuses, require_province
from models.round import Round, current_round
from models.thai import arabic_digits


@click.command(epilog="Example: laocert status --province 11")
@province_option
@json_option
def status(province: str | None, as_json: bool) -> None:
    """How many organizations are uncertified, LAO-certified and province-certified in the newest round."""

    async def look(session: AsyncSession) -> tuple[Round | None, list[ProvinceCounts]]:
        code = None if province is None else (await require_province(session, arabic_digits(province))).code
        return await current_round(session), await count_statuses(session, code)

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


def _numbers(counts: list[ProvinceCounts]) -> dict[str, int]:
    """The sums by status, and of all."""
    by_status = {status.value: sum(count.of(status) for count in counts) for status in Status}
    return {**by_status, "organizations": sum(by_status.values())}
