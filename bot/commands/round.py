"""`laocert round`: open, close and list the yearly rounds."""

import click
from rich.table import Table

from bot.commands.common import echo_json, echo_table, json_option, now, reading, thai_time, writing
from models.round import BUDDHIST_ERA, Round, close_round, list_rounds, open_round, parse_closing_date


@click.group("round", epilog="Example: laocert round open --fiscal-year 2570 --closes 2570-09-15")
def round_() -> None:
    """The yearly round. One is open at a time; nothing can be certified outside it."""


@round_.command("open", epilog="Example: laocert round open --fiscal-year 2570 --closes 2570-09-15")
@click.option("--fiscal-year", type=int, required=True, metavar="YEAR", help="Buddhist year, for example 2570.")
@click.option("--closes", metavar="YYYY-MM-DD", help="Last day, Christian or Buddhist year; later is marked late.")
def open_(fiscal_year: int, closes: str | None) -> None:
    """Open the round of a fiscal year; the locks of the round before end."""
    closes_on = parse_closing_date(closes) if closes is not None else None
    opened = writing(lambda session: open_round(session, fiscal_year, closes_on, now()))
    until = f", until {_thai_day(opened)}" if closes_on else ""
    click.echo(f"round {opened.fiscal_year} is open{until}")


@round_.command(epilog="Example: laocert round close")
def close() -> None:
    """Close the open round; what is certified stays locked until the next one opens."""
    closed = writing(lambda session: close_round(session, now()))
    click.echo(f"round {closed.fiscal_year} is closed")


@round_.command("list", epilog="Example: laocert round list --json")
@json_option
def list_(as_json: bool) -> None:
    """All rounds, newest first. Dates are in the Buddhist Era, in JSON as ISO 8601."""
    rounds = reading(list_rounds)
    if as_json:
        echo_json([facts(found) for found in rounds])
        return
    if not rounds:
        click.echo("no round yet; open one: laocert round open --fiscal-year 2570")
        return
    table = Table("Fiscal year", "State", "Opened", "Last day", "Closed")
    for found in rounds:
        closed = thai_time(found.closed_at) if found.closed_at else ""
        table.add_row(
            str(found.fiscal_year), found.state.value, thai_time(found.opened_at), _thai_day(found), closed
        )
    echo_table(table)


def facts(found: Round) -> dict[str, object]:
    """A round as JSON shows it."""
    return {
        "fiscal_year": found.fiscal_year,
        "state": found.state.value,
        "closes_on": found.closes_on,
        "opened_at": found.opened_at,
        "closed_at": found.closed_at,
    }


def _thai_day(found: Round) -> str:
    day = found.closes_on
    return f"{day:%d/%m}/{day.year + BUDDHIST_ERA}" if day else ""
