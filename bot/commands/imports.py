"""`laocert import`: organizations, accounts and personnel from CSV or XLSX."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from bot.commands import register_changes
from bot.commands.common import echo_json, echo_lines, json_option, now, progress, with_database
from bot.service.opening import Use
from models.database.engine import Database
from models.imports import (
    ImportRefused,
    ImportResult,
    LeftOut,
    Problem,
    Progress,
    RegisterChange,
    import_accounts,
    import_organizations,
    import_personnel,
)
from models.imports.organizations import Missing

_F = TypeVar("_F", bound=Callable[..., Any])


def _import_options(command: _F) -> _F:
    for decorate in (
        json_option,
        click.option("--dry-run", is_flag=True, help="Check everything, write nothing."),
        click.argument("file", type=click.Path(path_type=Path)),
    ):
        command = decorate(command)
    return command


def _import(
    what: str, as_json: bool, dry_run: bool, operation: Callable[[Database, Progress], Awaitable[ImportResult]]
) -> None:
    with _problems_as_json(as_json), progress(quiet=as_json) as report:
        result = with_database(lambda database: operation(database, report), Use.LOOKS if dry_run else Use.RECORDS)
    if as_json:
        echo_json(_facts(result))
    else:
        _echo_result(what, result)


def _facts(result: ImportResult) -> dict[str, object]:
    return {
        "file_name": result.file_name,
        "rows": result.rows,
        "added": result.added,
        "updated": result.updated,
        "unchanged": result.unchanged,
        "dry_run": result.dry_run,
        "notes": list(map(str, result.notes)),
    }


@contextmanager
def _problems_as_json(as_json: bool) -> Iterator[None]:
    """With --json print every problem of a refused file as JSON on stdout; stderr has a line for each kind."""
    try:
        yield
    except ImportRefused as refusal:
        if as_json:
            echo_json({"problems": [_problem(problem) for problem in refusal.problems]})
        raise


def _problem(problem: Problem) -> dict[str, object]:
    column = None if problem.column is None else str(problem.column)
    return {"line": problem.line, "column": column, "what": str(problem.what), "mend": str(problem.mend)}


def _echo_result(what: str, result: ImportResult) -> None:
    done = "would be imported" if result.dry_run else "imported"
    counts = f"{what}: {result.added} new, {result.updated} replaced or changed, {result.unchanged} as before"
    for note in result.notes:
        click.echo(f"note: {note}")
    click.echo(f"{result.rows} rows of {result.file_name} {done}; {counts}")


@click.group("import", epilog="Example: laocert import organizations organizations.csv --dry-run")
def import_() -> None:
    """Import a CSV (UTF-8 or CP874) or XLSX file: all of its rows or, when one is wrong, none."""


@import_.command(epilog="Example: laocert import organizations organizations.csv --complete --dry-run")
@_import_options
@click.option("--complete", is_flag=True, help="The file has all organizations: list those that it lacks.")
def organizations(file: Path, dry_run: bool, as_json: bool, complete: bool) -> None:
    """Add or update organizations and their provinces, by dla_code. Removes none.

    Columns: dla_code, type_th, type_code, name_th, province_code, province_th, province_en, district_th.
    """
    with progress(quiet=as_json) as report:
        result = with_database(
            lambda database: import_organizations(
                database, file, now(), dry_run=dry_run, complete=complete, progress=report
            ),
            Use.LOOKS if dry_run else Use.RECORDS,
        )
    missing = None if result.missing is None else [_missing_facts(facts) for facts in result.missing]
    if as_json:
        echo_json(_facts(result) | ({} if missing is None else {"missing": missing}))
        return
    _echo_result("organizations", result)
    for facts in missing or ():
        click.echo(
            f"not in the file: {facts['organization']} {facts['name']}; if it has ended: {facts['command']}"
        )
    if complete and not missing:
        click.echo("the file has every organization that goes on")


def _missing_facts(missing_organization: Missing) -> dict[str, str]:
    """The facts of an organization that a file lacks, with the command that closes it."""
    command = f"laocert organization close {missing_organization.dla_code} --by NAME --reason TEXT"
    return {"organization": missing_organization.dla_code, "name": missing_organization.name, "command": command}


@import_.command(epilog="Example: laocert import accounts accounts.xlsx --dry-run")
@_import_options
def accounts(file: Path, dry_run: bool, as_json: bool) -> None:
    """Add or update accounts, by username. An empty password leaves the old one.

    Columns: username, password, role (lao or province), organization, display_name.
    """
    _import(
        "accounts",
        as_json,
        dry_run,
        lambda database, report: import_accounts(database, file, now(), dry_run=dry_run, progress=report),
    )


@import_.command(epilog="Example: laocert import personnel personnel.csv --dry-run")
@_import_options
@click.option("--allow-shrink", is_flag=True, help="Let registers lose more than 30 % of their records.")
@click.option("--skip-locked", is_flag=True, help="Import all others when some are certified, and list those.")
def personnel(file: Path, dry_run: bool, as_json: bool, allow_shrink: bool, skip_locked: bool) -> None:
    """Replace the whole roster of each organization that the file names. Certified ones are locked.

    Prints what is added, removed and changed before it writes. Refuses a roster that shrinks by more than 30 %.

    Columns: organization, record_no, full_name, category, position, level, then one for each menu of the register.
    """
    with _problems_as_json(as_json), ExitStack() as bars:
        report = bars.enter_context(progress(quiet=as_json))

        def announce(changes: Sequence[RegisterChange]) -> None:
            nonlocal report
            # Bars and lines do not mix: the bars are removed first, and drawn again below the lines.
            bars.close()
            if not as_json:
                for line in register_changes.lines(changes):
                    click.echo(line)
            report = bars.enter_context(progress(quiet=as_json))

        def tell(step: str, done: int, total: int) -> None:
            report(step, done, total)

        result = with_database(
            lambda database: import_personnel(
                database,
                file,
                now(),
                dry_run=dry_run,
                allow_shrink=allow_shrink,
                skip_locked=skip_locked,
                announce=announce,
                progress=tell,
            ),
            Use.LOOKS if dry_run else Use.RECORDS,
        )
    if as_json:
        locked = [
            {"organization": left_out.organization, "name": left_out.name, "rows": left_out.rows}
            for left_out in result.left_out
        ]
        echo_json(_facts(result) | {"changes": register_changes.facts(result.changes), "locked": locked})
    else:
        echo_lines(_lines_of_left_out(result.left_out))
        _echo_result("rosters", result)


def _lines_of_left_out(left_out: Sequence[LeftOut]) -> list[str]:
    if not left_out:
        return []
    rows = sum(organization.rows for organization in left_out)
    lines = [f"certified and locked, left out: {len(left_out):,} organizations, {rows:,} rows"]
    return lines + [
        f"  {organization.organization} {organization.name}: {organization.rows:,} rows"
        for organization in left_out
    ]
