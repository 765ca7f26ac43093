"""`laocert broadcast`: an announcement to all officers of one role, and its progress."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from bot.commands.common import (
    ask,
    echo_json,
    echo_lines,
    json_option,
    now,
    progress,
    reading,
    thai_time,
    with_database,
    writing,
    yes_option,
)
from bot.service.opening import Use
from handlers.chat.texts import texts
from handlers.notices.announcement import heading
from models.chats.conversation import Language
from models.database.engine import Database
from models.outreach.broadcast import (
    Audience,
    Broadcast,
    BroadcastRefused,
    Report,
    announce,
    broadcast_text,
    count_chats,
    load_broadcast,
    parse_audience,
    report,
)

# The value of --report without a number.
NEWEST = 0


@dataclass(frozen=True)
class FollowTimes:
    """How the command follows the sending of an announcement; all in seconds."""

    # Between two reads of the progress.
    look_every: float = 1.0
    # Without progress, until the command asks whether `laocert run` runs.
    still: float = 10.0
    # Without progress, until the command ends when stderr is no terminal.
    give_up: float = 60.0


# Tests pass other times (click, Context.obj).
with_times = click.make_pass_decorator(FollowTimes, ensure=True)


def _audience(_context: click.Context, _option: click.Parameter, words: str | None) -> Audience | None:
    try:
        return None if words is None else parse_audience(words)
    except BroadcastRefused as error:
        raise click.BadParameter(str(error)) from None


@click.command(epilog="Example: laocert broadcast --to lao --text-file announcement.txt")
@click.option(
    "--to",
    "audience",
    callback=_audience,
    metavar="lao|province|province:CODE",
    help="All officers of organizations, all of provinces, or those of one province (not of its organizations).",
)
@click.option(
    "--text-file",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Plain text in UTF-8, 1 to 3,500 characters; it is sent as it is, under a heading.",
)
@yes_option
@click.option("--again", is_flag=True, help="Even if the same text went to the same officers within the hour.")
@click.option(
    "--report",
    "number",
    type=click.IntRange(NEWEST),
    is_flag=False,
    flag_value=NEWEST,
    metavar="[N]",
    show_default=False,
    help="Send nothing; print the progress of announcement N (without N, or with 0, of the newest).",
)
@json_option
@with_times
def broadcast(
    times: FollowTimes,
    audience: Audience | None,
    file: Path | None,
    yes: bool,
    again: bool,
    number: int | None,
    as_json: bool,
) -> None:
    """Announce something to all officers of one role. Shows it and asks before anything is queued.

    `laocert run` sends it; an officer in quiet hours gets it at their end.
    """
    if number is not None:
        if audience is not None or file is not None:
            raise click.UsageError("--report sends nothing: give it without --to and --text-file")
        _print(_reported(number or None), as_json)
        return
    if audience is None or file is None:
        raise click.UsageError("give --to and --text-file, or --report")
    body = broadcast_text(_read(file))
    chats = reading(lambda session: count_chats(session, audience), Use.RECORDS)
    preview = _preview(audience, body, chats)
    if not yes:
        ask(f"Send it to {chats:,} chats?", preview, otherwise="nothing was queued", as_json=as_json)
    elif not as_json:
        echo_lines(preview)
    announcement = writing(lambda session: announce(session, audience, body, now(), again=again))
    _print(_followed(announcement, times, as_json), as_json)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BroadcastRefused(
            f"{file.name} cannot be read: {error.strerror}; check its name and rights"
        ) from None


def _preview(audience: Audience, body: str, chats: int) -> list[str]:
    """The lines of the message as officers will see it, and the number of chats."""
    rule = "─" * 40
    message = [rule, heading(texts(Language.THAI)), "", body, rule]
    return [*message, f"to {audience}: {chats:,} chats of role {audience.role}"]


# --- progress -----------------------------------------------------------------------------------------------


def _reported(number: int | None) -> Report:
    async def look(database: Database) -> Report:
        async with database.read() as session:
            return await report(session, await load_broadcast(session, number), now())

    return with_database(look, Use.LOOKS)


def _followed(announcement: Broadcast, times: FollowTimes, as_json: bool) -> Report:
    """Print the progress until nothing more is to be sent now; the last report. Ctrl-C ends the watching, not the
    sending.
    """
    try:
        with progress(quiet=as_json) as tell:
            return with_database(lambda database: _follow(database, announcement, times, tell), Use.LOOKS)
    except KeyboardInterrupt:
        click.echo(f"the rest is sent by laocert run; see: laocert broadcast --report {announcement.id}", err=True)
        return _reported(announcement.id)


async def _follow(
    database: Database, announcement: Broadcast, times: FollowTimes, tell: Callable[[str, int, int], None]
) -> Report:
    loop = asyncio.get_running_loop()
    settled, since, was_asked = -1, loop.time(), False
    while True:
        async with database.read() as session:
            progress_report = await report(session, announcement, now())
        tell(f"announcement {announcement.id}", progress_report.settled, progress_report.chats)
        if progress_report.waiting == progress_report.put_off:
            return progress_report
        if progress_report.settled > settled:
            settled, since = progress_report.settled, loop.time()
        still = loop.time() - since
        if still >= times.still and not was_asked:
            click.echo("nothing was sent for a while: is laocert run running?", err=True)
            was_asked = True
        if still >= times.give_up and not sys.stderr.isatty():
            return progress_report
        await asyncio.sleep(times.look_every)


def _print(state: Report, as_json: bool) -> None:
    announcement = state.broadcast
    counts = {
        "chats": state.chats,
        "delivered": state.delivered,
        "unreachable": state.unreachable,
        "dead": state.dead,
        "waiting": state.waiting,
        "put_off": state.put_off,
    }
    if as_json:
        echo_json(
            {"id": announcement.id, "audience": announcement.audience, "made_at": announcement.made_at, **counts}
        )
        return
    made_at = thai_time(announcement.made_at)
    click.echo(f"announcement {announcement.id} to {announcement.audience}, {made_at}: {state.chats:,} chats")
    later = f" ({state.put_off:,} of them for the end of quiet hours or a pause)" if state.put_off else ""
    click.echo(
        f"delivered {state.delivered:,}, unreachable {state.unreachable:,}, dead {state.dead:,},"
        f" waiting {state.waiting:,}{later}"
    )
    if state.waiting:
        click.echo(f"see later: laocert broadcast --report {announcement.id}")
