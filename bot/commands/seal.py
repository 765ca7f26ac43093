"""`laocert seal`: find rows with a bad seal, and reseal one after a manual repair."""

from dataclasses import asdict

import click

from bot.commands.common import echo_json, json_option, now, reading, thai_time, writing
from bot.commands.keys import without_seals
from bot.service.opening import Use
from models.base.errors import DomainError
from models.operator import seal_check
from models.operator.sealing import MODELS

# The most bad rows printed as lines; `--json` has all.
_MOST = 50


class SealsBad(DomainError):
    """`seal check` found rows with a bad seal."""


@click.group(epilog="Example: laocert seal check")
def seal() -> None:
    """Look at the seals of the rows that decide; accept one that was repaired by hand."""


@seal.command(epilog="Example: laocert seal check --json")
@json_option
def check(as_json: bool) -> None:
    """Look at the seal of every row; exit code 1 when one does not fit, is older than its newest event, or is
    missing since `keys seal`.
    """
    seals = reading(seal_check.check_seals, Use.RECORDS)
    if as_json:
        echo_json({"ok": not seals.bad} | asdict(seals))
    else:
        for row in seals.bad[:_MOST]:
            click.echo(
                f"{row.table} {row.id}: {seal_check.FAULTS[row.fault]}; {row.meaning}; {row.mend}; or, after a"
                f" manual repair: laocert seal accept {row.table} {row.id}"
            )
        if len(seals.bad) > _MOST:
            click.echo(f"and {len(seals.bad) - _MOST:,} rows more; see: laocert seal check --json")
        if seals.unsealed:
            click.echo(without_seals(seals.unsealed))
        if seals.unchecked:
            click.echo(
                f"{seals.unchecked:,} rows are sealed under a lost key and cannot be checked; look through them,"
                " then run: laocert keys rotate, or keys seal where it was never run"
            )
        since = "" if seals.since is None else f", all sealed since {thai_time(seals.since)}"
        click.echo(f"{seals.rows:,} rows were looked at{since}")
    if seals.bad:
        raise SealsBad(
            f"the seals of {len(seals.bad):,} rows do not fit; find out who wrote them before you repair any"
            " (docs/operations.md, The secret key)"
        )


@seal.command(epilog="Example: laocert seal accept officer 12 --by 'ศูนย์ข้อมูล' --reason 'แก้ชื่อที่พิมพ์ผิด'")
@click.argument("table", type=click.Choice([model.__tablename__ for model in MODELS]))  # type: ignore[attr-defined]
@click.argument("row_id", metavar="ID")
@click.option("--by", required=True, metavar="NAME", help="The person or office that vouches for it; recorded.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; recorded like the name.")
def accept(table: str, row_id: str, by: str, reason: str) -> None:
    """Seal a row as it stands, after a manual repair; who decided it and why is recorded."""
    moment = now()
    writing(lambda session: seal_check.accept(session, table, row_id, by, reason, moment))
    click.echo(f"{table} {row_id} is sealed as it stands; the record says by whose word and why")
