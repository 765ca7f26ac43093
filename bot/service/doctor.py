"""Checks everything that the program needs; for each part it reports `ok` or how to fix it (`laocert doctor`)."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from math import log2
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from telegram import Bot
from telegram.constants import ChatAction
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, TelegramError

from bot.http.server import bind
from bot.http.work import MESSAGE_WAITS, UPDATE_WAITS
from bot.inbound import webhook
from bot.papers.typesetting import missing_font
from bot.runtime.clock import Clock, utc_now
from bot.runtime.clock_offset import SECOND, WARN_BEYOND, least_offset, read_date
from bot.runtime.settings import MAKE_KEY, SET_KEY, Settings, SettingsRefused, hook_of, is_of_this_machine
from bot.service import upkeep
from bot.service.opening import Use, opened
from bot.telegram import api
from bot.telegram.clocks import ask_database
from models.audit import event_chain
from models.audit.sealings import newest_sealing
from models.base.clocks import LARGEST_OFFSET
from models.base.errors import DomainError
from models.chats import inbox
from models.database import sqlite, wal
from models.database.engine import Database
from models.database.trouble import Trouble, trouble_of
from models.notices import outbox
from models.operator.seal_check import check_seals
from models.schema import drift, roles, version
from models.succession.word_keeping import count_without_words

# Half of a check's timeout, in seconds.
PATIENCE = 10.0
# Least entropy of a secret key in bits, estimated from the frequencies of its letters; 32 random hexadecimal
# letters have about 110.
LEAST_BITS = 80


_MENDS = {
    Trouble.FULL: "make room on the disk of the database",
    Trouble.READ_ONLY: "let LAOCERT_DATABASE_URL lead to the primary, or check your rights to the file",
    Trouble.AWAY: "check the server, or the disk of the file",
    Trouble.BUSY: "see what holds its locks, and whether it has too many sessions",
}


@dataclass(frozen=True)
class Finding:
    """The result of one check. `detail` describes a part that is ok; `mend` is None then, and otherwise says what
    is wrong and how to fix it. A warning does not stop anything from running.
    """

    name: str
    detail: str
    mend: str | None = None
    is_warning: bool = False


def _well(name: str, detail: str) -> Finding:
    """The finding that a part is ok."""
    return Finding(name, detail)


def _ill(name: str, mend: str) -> Finding:
    """The finding that a part is not ok."""
    return Finding(name, "", mend)


def _warn(name: str, mend: str) -> Finding:
    return Finding(name, "", mend, is_warning=True)


async def examine(settings: Settings, clock: Clock = utc_now) -> list[Finding]:
    """Run all checks; changes nothing. A check that fails or takes over 20 s becomes a finding, no exception."""
    findings = [_secret_key(settings), _port(settings), _time_zone()]
    findings += await _guarded("database", lambda: _database(settings, clock))
    findings += await _guarded("documents", _documents)
    findings += await _guarded("Bot API", lambda: _bot_api(settings, clock))
    return findings


async def _guarded(name: str, check: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    """The findings of a check, or its failure as a finding."""
    try:
        async with asyncio.timeout(2 * PATIENCE):
            return await check()
    except DomainError as error:
        return [_ill(name, str(error))]
    except Exception as error:
        return [_ill(name, f"could not be checked ({type(error).__name__}); see docs/operations.md")]


def _secret_key(settings: Settings) -> Finding:
    """Whether the key is set and hard to guess, by the Shannon entropy of its letters, an upper bound."""
    name = "secret key"
    if settings.secret_key is None:
        return _ill(name, f"LAOCERT_SECRET_KEY is not set; {SET_KEY}")
    key = settings.secret_key.get_secret_value().strip()
    bits = -sum(count * log2(count / len(key)) for count in Counter(key).values())
    if bits < LEAST_BITS:
        return _ill(
            name,
            f"LAOCERT_SECRET_KEY can be guessed; make one: {MAKE_KEY},"
            " and keep the old one: LAOCERT_OLD_SECRET_KEYS",
        )
    return _well(name, f"{len(key)} letters")


def _port(settings: Settings) -> Finding:
    try:
        bind(settings).close()
    except SettingsRefused as error:
        return _ill("listener", f"{error} (while laocert run is running, it uses the port itself)")
    return _well("listener", f"{settings.listen} is free")


def _time_zone() -> Finding:
    try:
        ZoneInfo("Asia/Bangkok")
    except ZoneInfoNotFoundError:
        return _ill("time zone", "Asia/Bangkok is not known here; install tzdata")
    return _well("time zone", "Asia/Bangkok is known")


async def _database(settings: Settings, clock: Clock) -> list[Finding]:
    async with opened(settings, Use.REPAIRS, "laocert doctor") as database:
        revision, head = await version.revision(database), version.head()
        if revision != head:
            return [
                _ill("database", f"is at schema {revision or 'none'}, needed is {head}; run: laocert db upgrade")
            ]
        findings = [await _writes(database, revision, clock)]
        if database.is_sqlite:
            findings += [_wal(database), _mode(database)]
        else:
            findings.append(await _role(database))
        findings.append(await _work(database, clock))
        differences = await drift.check(database)
        record = await _record(database)
        words = await _words(database)
        seals = await _seals(database)
        server_clock = [] if database.is_sqlite else [await _server_clock(database, clock)]
    if differences:
        tables = _ill("locks and tables", f"{len(differences)} differences; run: laocert db check")
    else:
        tables = _well("locks and tables", "as they should be")
    return [*findings, tables, record, words, seals, *server_clock]


async def _writes(database: Database, revision: str, clock: Clock) -> Finding:
    """Whether an update could be stored; the trial is rolled back."""
    try:
        async with database.write() as session:
            await inbox.try_to_keep(session, random.getrandbits(62), clock())
    except Exception as error:
        trouble = trouble_of(error)
        if trouble is None:
            raise
        return _ill("database", f"cannot be written to: {trouble}; {_MENDS[trouble]}")
    return _well("database", f"answers, takes writes, schema {revision}")


async def _work(database: Database, clock: Clock) -> Finding:
    """Whether updates are processed and messages sent in time, by any program on the database."""
    async with database.read() as session:
        waits = {
            "update": ((await inbox.waiting(session)).oldest, UPDATE_WAITS),
            "message": ((await outbox.waiting(session)).oldest, MESSAGE_WAITS),
        }
    for what, (oldest, longest_wait) in waits.items():
        seconds = 0.0 if oldest is None else (clock() - oldest).total_seconds()
        if seconds > longest_wait:
            return _ill("work", f"the oldest {what} waits for {seconds:.0f} s; see the log of laocert run")
    return _well("work", "no update and no message waits for long")


def _wal(database: Database) -> Finding:
    """Whether SQLite's write-ahead log is short enough."""
    name, megabytes = "write-ahead log", wal.length(database.url) / upkeep.MEGABYTE
    if wal.is_long(database.url):
        return _ill(
            name,
            f"has {megabytes:.0f} MB, which makes reading slow; end what reads the database all the time,"
            " such as an open sqlite3: laocert run then cuts it off within a minute",
        )
    return _well(name, f"{megabytes:.1f} MB")


def _mode(database: Database) -> Finding:
    """Whether others on this machine can open the files of a SQLite database."""
    name, files = "file's mode", sqlite.open_to_others(database.url)
    if files:
        return _warn(name, f"others on this machine can open {' '.join(files)}; run: chmod 600 {' '.join(files)}")
    return _well(name, "for its owner alone")


async def _role(database: Database) -> Finding:
    """Whether the bot's role of PostgreSQL can do more than the chat does."""
    name = "database's role"
    async with database.engine.connect() as connection:
        user, more = await connection.run_sync(roles.beyond_the_chat)
    if more is None:
        return _well(name, f"{user} can do what the chat does")
    return _warn(name, f"the bot connects as {user}, {more}; give it a role of its own: docs/operations.md, Roles")


async def _server_clock(database: Database, clock: Clock) -> Finding:
    server_time, took = await ask_database(database)
    return _compared("database's clock", "the database's", least_offset(clock(), server_time, took))


async def _record(database: Database) -> Finding:
    """Whether events can be appended to the record under the secret key, and the keys of all events are known."""
    name, keys = "record", database.keyring
    if keys is None:
        return _well(name, "not compared, because no secret key is set")
    async with database.read() as session:
        try:
            await event_chain.require_known_key(session)
        except event_chain.KeyUnknown as error:
            return _ill(name, str(error))
        newest, events = await event_chain.newest_key(session), await event_chain.count_by_key(session)
    without_key = {
        key_id: count for key_id, count in events.items() if keys.key(event_chain.PURPOSE, key_id) is None
    }
    if lost := without_key.keys() - set(keys.lost):
        count = sum(without_key[key_id] for key_id in lost)
        return _ill(
            name,
            f"{count} events were made with a key that is not here ({', '.join(sorted(map(ascii, lost)))});"
            " name it in LAOCERT_OLD_SECRET_KEYS, then run: laocert audit verify",
        )
    if newest is None:
        return _well(name, "empty, takes any key")
    which = "the key in use" if newest == keys.current_id else "an old key, the next is under the new one"
    return _well(name, f"{sum(events.values())} events, the newest under {which}")


async def _words(database: Database) -> Finding:
    """Whether every certificate bears its organization's name."""
    async with database.read() as session:
        older = await count_without_words(session)
    if older:
        return _ill(
            "certificates",
            f"{older:,} do not contain their organizations' names; run: laocert audit keep-words",
        )
    return _well("certificates", "each contains its organization's name")


async def _seals(database: Database) -> Finding:
    """Whether every row that decides has a good seal, since when, and under which key."""
    name = "seals"
    if database.keyring is None:
        return _well(name, "not compared, for there is no secret key")
    async with database.read() as session:
        newest = await newest_sealing(session)
        if newest is None:
            return _warn(name, "the rows that decide are not sealed yet; run: laocert keys seal")
        found = await check_seals(session)
    if found.bad:
        return _ill(name, f"{len(found.bad):,} rows have a seal that does not fit; run: laocert seal check")
    when = f"{found.rows:,} rows, all sealed since {newest.at:%Y-%m-%d}"
    if newest.key_id != database.keyring.current_id:
        return _warn(name, f"{when} under key {ascii(newest.key_id)[1:-1]:.16}; run: laocert keys rotate")
    until = "" if newest.pin_until is None else f", PINs under older keys until {newest.pin_until}"
    return _well(name, f"{when} under the key in use{until}")


async def _documents() -> list[Finding]:
    """Whether Typst can typeset a line of Thai in the certificates' font."""
    if missing := await asyncio.to_thread(missing_font):
        return [_ill("documents", f"the font {missing} is not there; install the locked dependencies again")]
    return [_well("documents", "typst and its font are there")]


async def _bot_api(settings: Settings, clock: Clock) -> list[Finding]:
    if settings.bot_token is None:
        return [_ill("Bot API", "LAOCERT_BOT_TOKEN is not set; put the token from @BotFather in .env")]
    try:
        async with api.short_lived(settings.bot_token.get_secret_value(), settings.api_url) as bot:
            well = _well("Bot API", f"answers, the bot is @{bot.username}{_openly(settings.api_url)}")
            return [well, await _webhook(settings, bot), *await _operator(settings, bot), await _clock(bot, clock)]
    except InvalidToken:
        return [_ill("Bot API", "LAOCERT_BOT_TOKEN is not known to Telegram; see @BotFather")]
    except TelegramError as error:
        host = urlsplit(settings.api_url).hostname
        return [
            _ill("Bot API", f"{host} does not answer ({error.message}); check the network and LAOCERT_API_URL")
        ]


def _openly(api_url: str) -> str:
    """A warning that the way to the Bot API is not encrypted; empty when it is, or leads to this machine."""
    parts = urlsplit(api_url)
    is_guarded = parts.scheme == "https" or is_of_this_machine(parts.hostname or "")
    return (
        ""
        if is_guarded
        else "; over http, so that others on the network can read everything (LAOCERT_API_INSECURE)"
    )


async def _webhook(settings: Settings, bot: Bot) -> Finding:
    state = await webhook.look(bot)
    if fault := state.fault(hook_of(settings)):
        return _ill("updates", fault)
    way = "posted" if state.url else "polled"
    return _well("updates", f"{way}, {state.pending} wait at Telegram")


async def _operator(settings: Settings, bot: Bot) -> list[Finding]:
    """Whether the bot can write to the operator's chat; only a chat action is sent."""
    chat = settings.operator_chat
    if chat is None:
        return [_well("operator's chat", "none is set, nobody is told of petitions")]
    well = "can be written to"
    try:
        try:
            await bot.get_chat(chat)
            await bot.send_chat_action(chat, ChatAction.TYPING)
        except ChatMigrated as error:
            well += f"; it has become the supergroup {error.new_chat_id}, which LAOCERT_OPERATOR_CHAT may say"
            await bot.send_chat_action(error.new_chat_id, ChatAction.TYPING)
    except (BadRequest, Forbidden) as error:
        mend = "write to the bot from it, or add the bot to it, and check LAOCERT_OPERATOR_CHAT"
        return [_ill("operator's chat", f"cannot be written to ({error.message}); {mend}")]
    return [_well("operator's chat", well)]


async def _clock(bot: Bot, clock: Clock) -> Finding:
    """Compare this machine's clock with the Date header of one answer."""
    offsets: list[timedelta] = []

    def note(header: str, took: float) -> None:
        date = read_date(header)
        if date is not None:
            offsets.append(least_offset(clock(), date, took, SECOND))

    api.tell_dates(bot, note)
    await bot.get_me()
    if not offsets:
        return _well("clock", "the Bot API's server sends no time to compare with")
    return _compared("clock", "the Bot API's", offsets[0])


def _compared(name: str, whose: str, offset: timedelta) -> Finding:
    if abs(offset) <= WARN_BEYOND:
        return _well(name, f"within {WARN_BEYOND.seconds} s of {whose}")
    way = "ahead of" if offset > timedelta(0) else "behind"
    stops = "; so far off, nothing can be certified" if abs(offset) > LARGEST_OFFSET and name == "clock" else ""
    return _ill(
        name,
        f"this machine is {abs(offset).total_seconds():.0f} s {way} {whose}; set the clock that is wrong, and keep"
        f" both by NTP{stops}",
    )
