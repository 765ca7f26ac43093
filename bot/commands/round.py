"""`laocert round`: open, close, reopen and list the yearly rounds."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TypeVar

import click
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from bot.commands.common import (
    ask,
    by_option,
    echo_json,
    echo_lines,
    echo_table,
    json_option,
    now,
    reading,
    reason_option,
    thai_time,
    writing,
    yes_option,
)
from bot.service.opening import Use
from models.base.calendar import BUDDHIST_ERA
from models.operator.closing import (
    Changed,
    Closing,
    Opening,
    RoundReopening,
    close_as_agreed,
    list_reopenings,
    look_at_closing,
    look_at_opening,
    open_as_agreed,
    reopen_round,
)
from models.rounds.round import Round, list_rounds, parse_closing_date

_Ends = TypeVar("_Ends")
_Done = TypeVar("_Done")


@click.group("round", epilog="Example: laocert round open --fiscal-year 2570 --closes 2570-09-15")
def round_() -> None:
    """The yearly round. One is open at a time; nothing can be certified outside it."""


@round_.command("open", epilog="Example: laocert round open --fiscal-year 2570 --closes 2570-09-15")
@click.option("--fiscal-year", type=int, required=True, metavar="YEAR", help="Buddhist year, for example 2570.")
@click.option(
    "--closes",
    metavar="YYYY-MM-DD",
    help="Last day, Christian or Buddhist year. Certificates after it are marked late.",
)
@yes_option
@json_option
def open_(fiscal_year: int, closes: str | None, yes: bool, as_json: bool) -> None:
    """Open the round of a fiscal year. This ends the locks and petitions of the round before: if there are any,
    their numbers are shown and the command asks first.
    """
    closes_on = parse_closing_date(closes) if closes is not None else None

    def agree(opening: Opening) -> None:
        if opening.locked or opening.petitions:
            otherwise = f"round {fiscal_year} was not opened"
            ask(f"Open round {fiscal_year}?", _opening_lines(opening), otherwise=otherwise, as_json=as_json)

    opened, opening = _agreed(
        lambda session: look_at_opening(session, fiscal_year, closes_on, now()),
        None if yes else agree,
        lambda session, agreed: open_as_agreed(session, fiscal_year, closes_on, agreed, now()),
    )
    if as_json:
        echo_json(facts(opened) | {"ended": _opening_facts(opening)})
        return
    until = f", until {_thai_day(opened)}" if closes_on else ""
    click.echo(f"round {opened.fiscal_year} is open{until}")


@round_.command(epilog="Example: laocert round close")
@yes_option
@json_option
def close(yes: bool, as_json: bool) -> None:
    """Close the open round, after showing what that ends and asking.

    What is certified stays locked until the next round opens; until then `laocert round reopen` undoes it.
    """

    def agree(closing: Closing) -> None:
        question = f"Close round {closing.fiscal_year} for the whole nation?"
        otherwise = f"round {closing.fiscal_year} was not closed"
        ask(question, _closing_lines(closing), otherwise=otherwise, as_json=as_json)

    closing = _agreed(
        look_at_closing, None if yes else agree, lambda session, agreed: close_as_agreed(session, agreed, now())
    )
    if as_json:
        echo_json(facts(closing.round) | {"ended": _ended(closing)})
        return
    if yes:
        echo_lines(_closing_lines(closing))
    click.echo(f"round {closing.fiscal_year} is closed")


def _agreed(
    look: Callable[[AsyncSession], Awaitable[_Ends]],
    agree: Callable[[_Ends], None] | None,
    do: Callable[[AsyncSession, _Ends | None], Awaitable[_Done]],
    *,
    is_repeated: bool = False,
) -> _Done:
    """Run the operation `do` after the operator has agreed to what it ends.

    `look` reads what it would end, `agree` shows that and asks. When that has changed before the commit, the
    operator is asked again. Without `agree` nothing is asked. Raises NotAgreed.
    """
    ends = None
    if agree is not None:
        ends = reading(look, Use.RECORDS)
        if is_repeated:
            click.echo("this has changed in the meantime; it now ends:", err=True)
        agree(ends)
    try:
        return writing(lambda session: do(session, ends))
    except Changed:
        return _agreed(look, agree, do, is_repeated=True)


@round_.command(epilog="Example: laocert round reopen --by 'สถ. กองบุคลากร' --reason 'ปิดก่อนกำหนดโดยผิดพลาด'")
@by_option
@reason_option
@json_option
def reopen(by: str, reason: str, as_json: bool) -> None:
    """Undo the closing of the newest round: all goes on as before it, with the same closing date."""
    reopened = writing(lambda session: reopen_round(session, by, reason, now()))
    if as_json:
        echo_json(facts(reopened))
        return
    until = f", until {_thai_day(reopened)}" if reopened.closes_on else ""
    click.echo(f"round {reopened.fiscal_year} is open again{until}")


@round_.command("list", epilog="Example: laocert round list --json")
@json_option
def list_(as_json: bool) -> None:
    """All rounds, newest first. Dates are in the Buddhist Era, in JSON as ISO 8601."""
    rounds = reading(list_rounds)
    reopenings = reading(list_reopenings)
    if as_json:
        echo_json(
            [
                facts(round_row) | {"reopenings": list(map(asdict, reopenings.get(round_row.fiscal_year, [])))}
                for round_row in rounds
            ]
        )
        return
    if not rounds:
        click.echo("no round yet; open one: laocert round open --fiscal-year 2570")
        return
    table = Table("Fiscal year", "State", "Opened", "Last day", "Closed", "Reopened")
    for round_row in rounds:
        closed = thai_time(round_row.closed_at) if round_row.closed_at else ""
        reopened = "\n".join(map(_reopening_line, reopenings.get(round_row.fiscal_year, [])))
        table.add_row(
            str(round_row.fiscal_year),
            round_row.state.value,
            thai_time(round_row.opened_at),
            _thai_day(round_row),
            closed,
            reopened,
        )
    echo_table(table)


def facts(round_: Round) -> dict[str, object]:
    """A round's facts for JSON."""
    return {
        "fiscal_year": round_.fiscal_year,
        "state": round_.state.value,
        "closes_on": round_.closes_on,
        "opened_at": round_.opened_at,
        "closed_at": round_.closed_at,
    }


def _closing_lines(closing: Closing) -> list[str]:
    round_ = closing.round
    days_left = round_.days_left(now())
    days = "" if days_left is None else f"; its last day is {_thai_day(round_)}, {_distance(days_left)}"
    return [
        f"closing round {closing.fiscal_year} ends certifying{days}",
        f"not certified: {closing.uncertified:,} of {closing.organizations:,} organizations",
        f"waiting for their province: {closing.waiting:,}",
        f"petitions that wait for a decision and cannot be granted then: {closing.petitions:,}",
    ]


def _distance(days: int) -> str:
    if days == 0:
        return "today"
    number = f"{abs(days):,} day{'' if abs(days) == 1 else 's'}"
    return f"{number} from now" if days > 0 else f"{number} ago"


def _ended(closing: Closing) -> dict[str, int]:
    return {
        "organizations": closing.organizations,
        "uncertified": closing.uncertified,
        "waiting": closing.waiting,
        "petitions": closing.petitions,
    }


def _opening_facts(opening: Opening) -> dict[str, int | None]:
    return {"fiscal_year": opening.fiscal_year, "locked": opening.locked, "petitions": opening.petitions}


def _opening_lines(opening: Opening) -> list[str]:
    return [
        f"opening the next round ends what is left of round {opening.fiscal_year}, which cannot be reopened then",
        f"registers whose lock ends: {opening.locked:,}",
        f"petitions that end without a decision: {opening.petitions:,}",
    ]


def _reopening_line(reopening: RoundReopening) -> str:
    return f"{thai_time(reopening.at)}, {reopening.by}: {' '.join(reopening.reason.split())}"


def _thai_day(round_: Round) -> str:
    day = round_.closes_on
    return f"{day:%d/%m}/{day.year + BUDDHIST_ERA}" if day else ""
