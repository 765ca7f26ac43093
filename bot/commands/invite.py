"""`laocert invite`: a one-time link for an officer, on the terminal or as a slip for the official letter."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import FileIO
from pathlib import Path

import click
import segno
from telegram.error import InvalidToken, TelegramError

from bot.commands.common import echo_json, json_option, now, thai_time, with_database
from bot.papers.slip import slip as make_slip
from bot.runtime.settings import Settings, SettingsRefused, load_settings, require_bot
from bot.service.opening import Use
from bot.telegram import api
from models.accounts.account import find_account
from models.base.errors import DomainError
from models.database.engine import Database
from models.links.invitation import find_invitation
from models.links.invitation import invite as make_invitation

# For an officer beside the operator, and for a slip that is sent by letter.
LIFETIME = timedelta(minutes=10)
SLIP_LIFETIME = timedelta(days=14)
# Longest lifetimes; for a later day another invitation is made then.
MAX_MINUTES = 10_000
MAX_DAYS = 90


class InviteRefused(DomainError):
    """The link or its slip cannot be made; the message says why and how to fix it."""


@dataclass(frozen=True)
class Invited:
    """A new link. It is not stored, so that it cannot be shown again."""

    username: str
    name: str
    link: str
    expires_at: datetime


@click.command(epilog="Example: laocert invite lao2110101 --slip letter.pdf")
@click.argument("username")
@click.option(
    "--minutes",
    type=click.IntRange(1, MAX_MINUTES),
    metavar="N",
    help="How long the link is valid (default 10 minutes).",
)
@click.option(
    "--days", type=click.IntRange(1, MAX_DAYS), metavar="N", help="The same in days (default 14 with --slip)."
)
@click.option(
    "--slip",
    type=click.Path(path_type=Path),
    metavar="FILE.pdf",
    help="Write the slip for the official letter. A file that exists is not overwritten.",
)
@json_option
def invite(username: str, minutes: int | None, days: int | None, slip: Path | None, as_json: bool) -> None:
    """Make a link that links one chat to an account, once, without a password."""
    if minutes is not None and days is not None:
        raise click.UsageError("give either --minutes or --days")
    if slip is not None and slip.suffix.lower() != ".pdf":
        raise InviteRefused(f"{slip.name} does not end with .pdf; give it that name")
    lifetime = SLIP_LIFETIME if slip else LIFETIME
    if minutes or days:
        lifetime = timedelta(minutes=minutes or 0, days=days or 0)
    settings = load_settings()
    require_bot(settings)
    invited = with_database(lambda database: _invite(database, settings, username, lifetime, slip), Use.RECORDS)
    if as_json:
        echo_json(
            {
                "username": invited.username,
                "link": invited.link,
                "expires_at": invited.expires_at,
                "slip": slip and str(slip),
            }
        )
        return
    click.echo(invited.link)
    click.echo(
        f"links one chat to {invited.username} ({invited.name}), once, until {thai_time(invited.expires_at)}"
    )
    if slip is not None:
        click.echo(f"{slip.name} written; whoever holds it can act for the account: send it to the officer only")
    click.echo(f"\n{_qr(invited.link)}", nl=False)


async def _invite(
    database: Database, settings: Settings, username: str, lifetime: timedelta, slip: Path | None
) -> Invited:
    """Make the invitation and its slip, or neither: the file is written before the commit, and removed when that
    fails.
    """
    with nullcontext() if slip is None else _new_file(slip) as write:
        bot_username = await _bot_username(settings)
        async with database.write() as session:
            moment = now()
            code = await make_invitation(session, await find_account(session, username), lifetime, moment)
            account = (await find_invitation(session, code, moment)).account
            link = f"https://t.me/{bot_username}?start={code}"
            if write is not None:
                write(make_slip(account, link, bot_username, moment, moment + lifetime, settings.contact))
    return Invited(account.username, account.display_name, link, moment + lifetime)


async def _bot_username(settings: Settings) -> str:
    """The bot's username, for the link. Raises SettingsRefused, InviteRefused."""
    token, _keys = require_bot(settings)
    try:
        return await api.username(token, settings.api_url)
    except InvalidToken:
        raise SettingsRefused("LAOCERT_BOT_TOKEN is not known to Telegram; see @BotFather") from None
    except TelegramError as error:
        raise InviteRefused(
            f"the Bot API does not say the bot's name: {error.message}; check the network and LAOCERT_API_URL"
        ) from None


@contextmanager
def _new_file(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Create a new file with mode 0600; gives a function that writes to it. The file is removed when the block
    fails. Raises InviteRefused.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InviteRefused(f"{path.name} exists; give another name or remove it first") from None
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            yield lambda content: _write(path, file, content)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write(path: Path, file: FileIO, content: bytes) -> None:
    unwritten = memoryview(content)
    try:
        while unwritten:
            unwritten = unwritten[file.write(unwritten) :]
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> InviteRefused:
    mend = "check the directory, its space and your rights"
    return InviteRefused(f"{path} cannot be written: {error.strerror}; {mend}")


def _qr(link: str) -> str:
    """A QR code of a link, drawn with half blocks for a dark terminal."""
    text = io.StringIO()
    segno.make(link, micro=False).terminal(text, compact=True)
    return text.getvalue()
