"""`laocert broadcast`: the operator's word to all officers of a side, and how far it is."""

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

# --report without a number.
NEWEST = 0


@dataclass(frozen=True)
class FollowTimes:
    """How the command follows an announcement to its end; all in seconds."""

    # Between looks at what was sent.
    look_every: float = 1.0
    # Without progress, after which the command asks whether anything sends.
    still: float = 10.0
    # Without progress, after which a command that nobody watches ends.
    give_up: float = 60.0


# Whoever invokes the command may give others (click, Context.obj).
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
@click.option("--again", is_flag=True, help="Also when the same was announced to the same within the hour.")
@click.option(
    "--report",
    "number",
    type=click.IntRange(NEWEST),
    is_flag=False,
    flag_value=NEWEST,
    metavar="[N]",
    show_default=False,
    help="Send nothing: print how far an announcement is; without N, or with 0, the newest.",
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
    """Announce something to all officers of a side; shows it and asks before anything is queued.

    `laocert run` sends it, to an officer with quiet hours after them.
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
    made = writing(lambda session: announce(session, audience, body, now(), again=again))
    _print(_followed(made, times, as_json), as_json)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BroadcastRefused(
            f"{file.name} cannot be read: {error.strerror}; check its name and rights"
        ) from None


def _preview(audience: Audience, body: str, chats: int) -> list[str]:
    """The message as its readers will see it, and how many they are."""
    rule = "─" * 40
    message = [rule, heading(texts(Language.THAI)), "", body, rule]
    return [*message, f"to {audience}: {chats:,} chats of role {audience.role}"]


# --- how far it is ------------------------------------------------------------------------------------------


def _reported(number: int | None) -> Report:
    async def look(database: Database) -> Report:
        async with database.read() as session:
            return await report(session, await load_broadcast(session, number), now())

    return with_database(look, Use.LOOKS)


def _followed(made: Broadcast, times: FollowTimes, as_json: bool) -> Report:
    """Its progress until nothing more is sent for now. An interrupt ends the watching, not the sending."""
    try:
        with progress(quiet=as_json) as tell:
            return with_database(lambda database: _follow(database, made, times, tell), Use.LOOKS)
    except KeyboardInterrupt:
        click.echo(f"the rest is sent by laocert run; see: laocert broadcast --report {made.id}", err=True)
        return _reported(made.id)


async def _follow(
    database: Database, made: Broadcast, times: FollowTimes, tell: Callable[[str, int, int], None]
) -> Report:
    loop = asyncio.get_running_loop()
    settled, since, was_asked = -1, loop.time(), False
    while True:
        async with database.read() as session:
            found = await report(session, made, now())
        tell(f"announcement {made.id}", found.settled, found.chats)
        if found.waiting == found.put_off:
            return found
        if found.settled > settled:
            settled, since = found.settled, loop.time()
        still = loop.time() - since
        if still >= times.still and not was_asked:
            click.echo("nothing was sent for a while: is laocert run running?", err=True)
            was_asked = True
        if still >= times.give_up and not sys.stderr.isatty():
            return found
        await asyncio.sleep(times.look_every)


def _print(found: Report, as_json: bool) -> None:
    made = found.broadcast
    counts = {
        "chats": found.chats,
        "delivered": found.delivered,
        "unreachable": found.unreachable,
        "dead": found.dead,
        "waiting": found.waiting,
        "put_off": found.put_off,
    }
    if as_json:
        echo_json({"id": made.id, "audience": made.audience, "made_at": made.made_at, **counts})
        return
    click.echo(f"announcement {made.id} to {made.audience}, {thai_time(made.made_at)}: {found.chats:,} chats")
    later = f" ({found.put_off:,} of them for the end of quiet hours or a pause)" if found.put_off else ""
    click.echo(
        f"delivered {found.delivered:,}, unreachable {found.unreachable:,}, dead {found.dead:,},"
        f" waiting {found.waiting:,}{later}"
    )
    if found.waiting:
        click.echo(f"see later: laocert broadcast --report {made.id}")
