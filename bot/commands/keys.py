"""`laocert keys`: seal all rows under the secret key, and reseal them under a new one."""

from dataclasses import asdict
from datetime import date

import click
from sqlalchemy.ext.asyncio import AsyncSession

from bot.commands.common import echo_json, json_option, now, progress, reading, thai_time, writing
from bot.service.opening import Use
from models.base.calendar import bangkok_day
from models.base.errors import DomainError
from models.operator import sealing
from models.operator.sealing import Sealing
from models.rounds.round import RoundRefused, parse_closing_date

dry_run_option = click.option("--dry-run", is_flag=True, help="Only count what would be sealed.")


class DayRefused(DomainError):
    """The value of --pin-until is not a date, or is in the past."""


@click.group(epilog="Example: laocert keys seal")
def keys() -> None:
    """The seals on the rows that decide: set them, and move them to a new secret key."""


@keys.command(epilog="Example: laocert keys seal --dry-run")
@dry_run_option
@json_option
def seal(dry_run: bool, as_json: bool) -> None:
    """Seal every row that has no seal yet, once, after the upgrade to schema 0015 or the restore of an older copy.

    From then on a row without a seal gives no right. Safe to repeat. Taps wait while it runs.
    """
    if dry_run:
        _echo_sealed(reading(sealing.look_at_sealing, Use.RECORDS), as_json=as_json, dry_run=True)
        return
    with progress(as_json) as report:
        moment = now()
        sealed = writing(lambda session: sealing.seal_all(session, moment, report))
    _echo_sealed(sealed, as_json=as_json, dry_run=False)


def _echo_sealed(sealed: Sealing, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        _echo_facts(sealed, dry_run=dry_run)
    elif sealed.since is not None:
        click.echo(f"every row has a seal since {thai_time(sealed.since)}; nothing was to be done")
    elif dry_run:
        click.echo(f"{_counted(sealed)} would be sealed")
    else:
        click.echo(f"{_counted(sealed)} were sealed; from now on a row without a seal gives no right")


@keys.command(epilog="Example: laocert keys rotate --pin-until 2570-03-31")
@click.option(
    "--pin-until",
    metavar="YYYY-MM-DD",
    help="The last day on which PINs that were set under an older key are taken; without it they always are.",
)
@dry_run_option
@json_option
def rotate(pin_until: str | None, dry_run: bool, as_json: bool) -> None:
    """Seal every row anew under a new LAOCERT_SECRET_KEY; the one before it is in LAOCERT_OLD_SECRET_KEYS.

    From then on seals under older keys are refused. PINs move to the new key as they are given. Taps wait while it
    runs.
    """
    until = None if pin_until is None else _day(pin_until)
    if dry_run:

        async def look(session: AsyncSession) -> Sealing:
            return await sealing.look_at_rotation(session, until)

        _echo_rotated(reading(look, Use.RECORDS), as_json=as_json, dry_run=True)
        return
    with progress(as_json) as report:
        moment = now()
        sealed = writing(lambda session: sealing.rotate(session, moment, until, report))
    _echo_rotated(sealed, as_json=as_json, dry_run=False)


def _echo_rotated(sealed: Sealing, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        _echo_facts(sealed, dry_run=dry_run)
        return
    if sealed.since is not None:
        click.echo(
            f"every row is sealed under this key since {thai_time(sealed.since)}; no row was to be sealed anew"
        )
    elif dry_run:
        click.echo(f"{_counted(sealed)} would be sealed anew")
    else:
        click.echo(f"{_counted(sealed)} were sealed anew; seals under older keys are refused from now on")
    if sealed.pin_until is not None:
        click.echo(f"PINs under older keys are taken until {sealed.pin_until}")


def _day(typed: str) -> date:
    try:
        day = parse_closing_date(typed)
    except RoundRefused as error:
        raise DayRefused(f"--pin-until: {error}") from None
    if day < bangkok_day(now()):
        raise DayRefused(f"--pin-until: the day {day} has passed; give a day from today on")
    return day


def _counted(sealed: Sealing) -> str:
    """Return the counts in words, such as `12 rows (5 organization, 7 account)`."""
    by_table = ", ".join(f"{count:,} {table}" for table, count in sealed.rows.items())
    unchecked_rows = f"; {sealed.unchecked:,} rows had a seal under the lost key and were not checked"
    return (
        f"{sealed.total:,} rows"
        + (f" ({by_table})" if by_table else "")
        + (unchecked_rows if sealed.unchecked else "")
    )


def _echo_facts(sealed: Sealing, *, dry_run: bool) -> None:
    echo_json(asdict(sealed) | {"total": sealed.total, "dry_run": dry_run})


def without_seals(rows: int) -> str:
    """Return the line that tells the operator how many rows have no seal and are accepted nevertheless."""
    return (
        f"{rows:,} rows that decide have no seal yet, so that whoever can write to the database can change them;"
        " run: laocert keys seal"
    )
