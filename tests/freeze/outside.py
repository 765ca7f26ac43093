"""What other programs, stored rows, sealed bytes, signed events and old buttons know laocert by, as lines of text.

Read from what the program does, or from values in its source (tests/freeze/reading.py). No line names a module, a
file of code, or a Python name that is stored nowhere: moving and renaming code changes nothing here.

    make freeze

writes tests/freeze/outside.txt anew.
"""

import ast
import asyncio
import enum
import hashlib
import inspect
import io
import json
import os
import random
import re
import tempfile
import zlib
from collections.abc import Callable, Coroutine, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import click
import openpyxl
from click.testing import CliRunner
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from sqlalchemy import Enum as EnumColumn
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import CreateIndex, CreateTable
from telegram.error import NetworkError

from bot.cli import Program, cli
from bot.commands.common import echo_json
from bot.http import scrape
from bot.http.app import make_app
from bot.http.stored import Stored
from bot.http.webhook import SECRET_HEADER, Webhook
from bot.papers import template
from bot.papers.spreadsheet import Column as SheetColumn
from bot.runtime.metrics import TALLY, Tally
from bot.runtime.settings import Settings
from bot.service.listener import Probes
from handlers import locales
from handlers.chat.commands import link_to, menu
from handlers.chat.taps.tap import Tap, all_kinds
from handlers.chat.turn import Right
from models.accounts import pin, throttle
from models.accounts.account import find_account
from models.audit import event_chain
from models.base.errors import DomainError
from models.base.tables import Base
from models.certification.certificate import Certification, Level, snapshot
from models.certification.review import Review
from models.certification.spot_check import Mark, SpotCheck, SpotCheckItem, kept
from models.certification.statement import agreed_statement, statement_name
from models.chats.conversation import Language
from models.chats.inbox import Waiting
from models.database.engine import Database
from models.database.lease import Lease
from models.imports.sent_roster import RosterTemplate
from models.imports.tabular.table import Column as FileColumn
from models.links import invitation
from models.links.link import add_link
from models.notices import outbox
from models.notices.kind import RULES, Audience, NoticeKind
from models.notices.outbox import OutboxMessage
from models.organizations.organization import Organization, Province
from models.register import draft
from models.register.roster import Category, Record, Roster, RosterSummary, summarize
from models.register.sampling import sample
from models.rounds.round import Round
from models.schema import postgresql_triggers, sqlite_triggers, version
from models.security import passwords
from models.security.keys import Keyring
from models.security.row_seal import SealedRow, identity_of, row_name, seal_for
from models.security.sealing import Seal, Unreadable
from tests.freeze.reading import (
    PACKAGES,
    Call,
    calls,
    calls_of,
    constants,
    expressions,
    modules,
    payloads,
    shape,
    texts_of,
    without_names,
)
from tests.freeze.reading import (
    template as template_of,
)
from tests.support import KEYRING, settle

PLACE = Path(__file__).with_name("outside.txt")
NOW = datetime(2026, 11, 2, 2, 30, tzinfo=UTC)
CODE = "5110201"
# The first byte of what zlib has compressed (RFC 1950).
_ZLIB = b"\x78"
SECTIONS: dict[str, Callable[[], Iterable[str]]] = {}

# Made by the first release: what a database holds must be opened and matched by all that follow.
PIN_OF_77 = (
    "e68a98c8:$argon2id$v=19$m=19456,t=2,p=1$HGahEdcyD5VoqVIjYApE4A$CtJ6PUSZKnPYzNuel8G/FTTpVVPe2nHUGMEWfMWipmY"
)
PASSWORD = "$argon2id$v=19$m=19456,t=2,p=1$Lyn/LCwXfMAkR6QNF4Vj3g$XSQAyRtLg01z10uFhajAPSJL72Y2tcpX9UhQx3nnhkA"


def section(title: str, *, in_order: bool = False) -> Callable[[Callable[[], Iterable[str]]], None]:
    """A part of the snapshot. Its lines are sorted, each there once, but for texts of several lines `in_order`."""

    def note(gather: Callable[[], Iterable[str]]) -> None:
        SECTIONS[title] = gather if in_order else lambda: sorted(set(gather()))

    return note


def lines_of(title: str) -> list[str]:
    """The lines of one section as the program is now."""
    return list(SECTIONS[title]())


def write() -> None:
    """Write the snapshot anew."""
    parts = [f"[{title}]\n" + "".join(f"{line}\n" for line in lines_of(title)) for title in SECTIONS]
    PLACE.write_text("\n".join(parts), encoding="utf-8")


def written() -> dict[str, list[str]]:
    """The snapshot's sections."""
    found: dict[str, list[str]] = {}
    for line in PLACE.read_text(encoding="utf-8").splitlines():
        if title := re.fullmatch(r"\[(.+)\]", line):
            found[title[1]] = []
        elif line:
            found[next(reversed(found))].append(line)
    return found


def _text(value: object) -> str:
    """Anything in one line of JSON."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _headed(heading: str, text: str) -> Iterator[str]:
    """The filled lines of a text, each behind its heading."""
    return (f"{heading} | {line.rstrip()}" for line in text.splitlines() if line.strip())


def _strings(enumeration: type[enum.Enum]) -> str:
    return " ".join(str(member.value) for member in enumeration)


# --- stored values -------------------------------------------------------------------------------------------


def _subclasses(kind: type) -> Iterator[type]:
    modules()
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)


@section("texts that stand for one of several, in their order")
def _enumerations() -> Iterator[str]:
    roots = {package.__name__ for package in PACKAGES}
    for kind in _subclasses(enum.StrEnum):
        # Rights are of the program alone.
        if kind.__module__.split(".")[0] in roots and kind is not Right:
            yield _strings(kind)


@section("columns that hold one of several texts")
def _enumerated_columns() -> Iterator[str]:
    modules()
    for table in Base.metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, EnumColumn):
                yield f"{table.name}.{column.name}: {' '.join(sorted(column.type.enums))}"


@section("texts by which the beginning of a stored or given text is known")
def _prefixes() -> Iterator[str]:
    for call in calls():
        name = getattr(call.node.func, "attr", "")
        if name in ("removeprefix", "startswith") and call.node.args:
            for text in texts_of(call, call.node.args[0]):
                yield _text(text)


# --- buttons -------------------------------------------------------------------------------------------------


def _example(hint: Any, place: int) -> Any:
    if hint is int:
        return place + 1
    return f"text{place + 1}" if hint is str else next(iter(hint))


def _typed(kind: type[Tap]) -> dict[str, Any]:
    return {name: kind.__annotations__[name] for name in kind.__match_args__}


# A refused tap stands in the audit chain by the name of its class: these names are stored.
@section("taps: name in the audit chain, and what its button carries")
def _taps() -> Iterator[str]:
    for kind in all_kinds():
        hints = _typed(kind)
        example = {name: _example(hint, place) for place, (name, hint) in enumerate(hints.items())}
        yield f"{kind.__name__} {kind(**example).pack()}"
        for place, (name, hint) in enumerate(hints.items()):
            if isinstance(hint, type) and issubclass(hint, enum.StrEnum):
                for member in hint:
                    packed = kind(**example | {name: member}).pack()
                    yield f"{kind.__name__} {packed} = {place + 1}: {member.value}"


@section("commands of the chat, and links to it")
def _chat_commands() -> Iterator[str]:
    for language, pairs in menu().items():
        for name, description in pairs:
            yield f"command {language or '(all)'} /{name}: {description}"
    yield f"link of a certificate {link_to('bot', 'ABCDEFGHJK')}"
    for node, names in expressions(ast.JoinedStr):
        if "https://t.me/" in (text := template_of(node, names)):
            yield f"link {text}"


# --- the audit chain -----------------------------------------------------------------------------------------


def _is_event(value: Any) -> bool:
    return isinstance(value, event_chain.Event)


EVENTS = "events of the audit chain: their details, with texts that stand in the source"


@section(EVENTS)
def _events() -> Iterator[str]:
    for call in [*calls_of(event_chain.record), *calls_of(event_chain.Link)]:
        if call.names.get(call.around[-1].name) is event_chain.record:
            # It hands on what all the others give it.
            continue
        events = constants(call, call.arguments()["kind"], lambda value: isinstance(value, event_chain.Event))
        for event in events or ["(not known)"]:
            for details in payloads(call):
                told = (f"{key}={'|'.join(texts)}" if texts else key for key, texts in sorted(details.items()))
                yield f"{event}: {' '.join(told)}"


# --- the outbox ----------------------------------------------------------------------------------------------


@section("dedupe keys: what is added for an occasion, by kind")
def _occasions() -> Iterator[str]:
    for call in calls_of(outbox.enqueue):
        given = call.arguments()
        kinds = constants(call, given["kind"], lambda value: isinstance(value, NoticeKind))
        occasion = given.get("occasion")
        for kind in kinds or ["(not known)"]:
            yield f"{kind}{'' if occasion is None else ': ' + without_names(occasion)}"


@section("urgency of a notice, and kinds with rules of their own")
def _rules_of_kinds() -> Iterator[str]:
    for kind in NoticeKind:
        rules = {
            "for any chat": RULES[kind].audience is Audience.ANY_CHAT,
            "kept when the link ends": RULES[kind].stays,
            "changes a message": RULES[kind].change is not None,
            "bulk": RULES[kind].is_bulk,
        }
        held = [rule for rule, holds in rules.items() if holds]
        yield ", ".join([f"{kind.value}: urgency {RULES[kind].urgency}", *held])


# --- by example, on a small database ------------------------------------------------------------------------


async def _on_a_database() -> dict[str, list[str]]:
    database = Database("sqlite+aiosqlite:///:memory:", KEYRING)
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    try:
        async with database.write() as session:
            chain = await _chained(session)
        await settle(database, NOW)
        async with database.write() as session:
            return {"chain": chain, "queued": await _queued(session), "kept": await _kept(session)}
    finally:
        await database.close()


async def _queued(session: AsyncSession) -> list[str]:
    for kind in NoticeKind:
        outbox.enqueue(session, kind, 11, 22, NOW)
    outbox.enqueue(session, NoticeKind.REFRESH, 11, 22, NOW, "occasion")
    await outbox.enqueue_blanks(session, 11, [33], NOW)
    await session.flush()
    chats = select(OutboxMessage.chat_id).where(OutboxMessage.kind == NoticeKind.RECEIPT)
    await outbox.enqueue_all(session, NoticeKind.BROADCAST, chats, 44, NOW)
    return list(await session.scalars(select(OutboxMessage.dedupe_key)))


async def _chained(session: AsyncSession) -> list[str]:
    details = {"ข้อความ": "ไทย", "number": 1, "nothing": None, "day": date(2026, 9, 30)}
    for chain in ("10", event_chain.SYSTEM):
        for _ in range(2):
            await event_chain.record(session, event_chain.Event.EXPORTED, chain, NOW, **details)
    head = await event_chain.take_head(session, NOW)
    rows = await session.scalars(select(event_chain.AuditEvent))
    return [f"head {head}"] + [
        f"{row.chain} {row.number} {row.kind} {row.key_id} {row.mac} {row.details}" for row in rows
    ]


def _opened(purpose: str, sealed: bytes, about: str = "") -> str:
    """What is in sealed bytes with associated data, or that they do not open."""
    try:
        inside = Seal(KEYRING, purpose).open(sealed, about.encode())
    except Unreadable:
        return f"does not open under {purpose}"
    return (zlib.decompress(inside) if inside[:1] == _ZLIB else inside).decode()


async def _kept(session: AsyncSession) -> list[str]:
    account = await find_account(session, f"lao{CODE}")
    code = await invitation.invite(session, account, timedelta(days=1), NOW)
    hashed = await session.scalar(select(invitation.Invitation.code_hash))
    officer = await add_link(session, 77, account, NOW, "password")
    await pin.open_keypad(session, officer, pin.Purpose.SET, "subject", "heading", NOW, random.Random(1))
    keypad = await session.get_one(pin.Keypad, officer.user_id)
    about = f'[77,"{keypad.nonce}","set","subject","{NOW.isoformat()}"]'
    on_keypad = re.sub("[0-9],?", "", _opened("keypad", keypad.sealed, about))
    sent = draft.SentRoster("x.csv", ("ก",), (Record("1", "ชื่อ", Category.OFFICIAL, "p", "l", "r"),))
    stored = await draft.keep_draft(session, officer.id, CODE, sent, "", NOW)
    drafted = _opened("roster draft", stored.sealed)
    stored.sealed = b"sealed"
    name = stored.key
    session.expunge(stored)
    return [
        f"invitation: {len(code)} letters, kept as SHA-256: {hashed == hashlib.sha256(code.encode()).hexdigest()}",
        f"keypad, sealed: {on_keypad}, with {about}",
        f"register in a sent file, sealed: {drafted}; its name in buttons: {name}",
        f"throttle: {throttle.name_key(session, 'name')} {throttle.chat_key(77)} {throttle.pin_key(77)}",
    ]


@cache
def _examples() -> dict[str, list[str]]:
    return _run(_on_a_database())


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


@section("dedupe keys by example: subject 22, chat 11")
def _dedupe_keys() -> Iterable[str]:
    return _examples()["queued"]


@section("the audit chain by example: chain, number, kind, key id, HMAC, details")
def _chain() -> Iterator[str]:
    yield from _examples()["chain"]
    yield f"in the place of a hash from before there was a chain: {event_chain.UNRECORDED}"


@section("what is kept sealed or hashed, by example")
def _sealed() -> Iterator[str]:
    yield from _examples()["kept"]
    yield f"a PIN of the first release matches: {pin.pin_matches(KEYRING, 77, PIN_OF_77, '804915')}"
    yield f"a password of the first release matches: {passwords.password_matches(PASSWORD, 'ถูกต้อง-horse-1')}"


# --- keys ----------------------------------------------------------------------------------------------------


def _purposes() -> set[str]:
    """What keys are derived for: the texts that a seal or a keyring's methods are given."""
    methods = {name for name, _ in inspect.getmembers(Keyring, inspect.isfunction) if not name.startswith("_")}
    found = {inspect.signature(Seal).parameters["purpose"].default}
    for call in calls():
        if call.callee is Seal and "purpose" in call.arguments():
            found |= set(texts_of(call, call.arguments()["purpose"]))
        elif getattr(call.node.func, "attr", None) in methods and call.node.args:
            found |= set(texts_of(call, call.node.args[0]))
    return found


@section("purposes of derived keys: the key for each, and a sealed text")
def _derived() -> Iterator[str]:
    yield f"(id of the secret key) {KEYRING.current_id}"
    for purpose in _purposes():
        key = KEYRING.all_keys(purpose)[0]
        nonce = bytes(12)
        sealed = nonce + AESGCM(key).encrypt(nonce, b"sealed", None)
        yield f"{purpose}: {key.hex()}; {sealed.hex()} holds: {_opened(purpose, sealed)}"


# --- digests -------------------------------------------------------------------------------------------------

_RECORDS = [
    Record("0002", "บุคคล สอง", Category.PERMANENT_EMPLOYEE, "คนงาน", "", "rn"),
    Record("0001", "บุคคล หนึ่ง", Category.OFFICIAL, "ปลัด", "กลาง", "r-"),
    Record("0003", "บุคคล สาม", Category.CONTRACT_EMPLOYEE, "ผู้ช่วย", "ต้น", "nn"),
    Record("0004", "บุคคล สี่", Category.OFFICIAL, "นิติกร", "ชำนาญการ", "rr"),
]


@section("digests and documents by example")
def _digests() -> Iterator[str]:
    roster = Roster(organization_code=CODE, file_name="x.csv", imported_at=NOW, menu_names=["ประวัติ", "การศึกษา"])
    summary = summarize(roster, _RECORDS)
    yield f"register: {summary.digest}"
    yield f"fingerprint of a confirmation: {_review(summary).fingerprint(Level.LAO)}"
    numbers = [(f"{number:04}", category) for number, category in enumerate(list(Category) * 9)]
    yield f"sample of a seed: {' '.join(sample('0f1e2d', numbers, 7))}"
    yield f"spot-check of a certificate: {kept(_spot_check())}"
    yield f"certificate in the audit chain: {_text(snapshot(_certificate()))}"
    for model in sorted(SealedRow.__subclasses__(), key=lambda model: model.__name__):
        for sealed in model.SEALS:
            values = dict.fromkeys((*identity_of(model), *sealed.columns), NOW)
            seal = seal_for(KEYRING, model, sealed, values)
            yield f"{sealed.into} of {row_name(model, values)}: {seal}, of {' '.join(sealed.columns)}"
    for level in Level:
        for language in Language:
            name = statement_name(level, language)
            yield f"statement {name}: {agreed_statement(name)}"


def _organization() -> Organization:
    return Organization(
        dla_code=CODE,
        type_code="subdistrict_municipality",
        type_th="เทศบาลตำบล",
        name_th="บางปู",
        district_th="เมืองสมุทรปราการ",
        province=Province(code="11", name_th="สมุทรปราการ", name_en="Samut Prakan"),
    )


def _review(summary: RosterSummary) -> Review:
    fields = dict.fromkeys(inspect.signature(Review).parameters)
    known = {"organization": _organization(), "round": Round(id=3), "roster": summary, "revision": 2}
    return Review(**fields | known)


def _spot_check() -> SpotCheck:
    item = SpotCheckItem(place=1, record_no="0001", mark=Mark.CORRECT, note="x", marked_at=NOW)
    return SpotCheck(seed="0f1e2d", drawn_at=NOW, handed_in_at=NOW, items=[item])


def _certificate() -> Certification:
    values: dict[type, Any] = {int: 1, bool: True, str: "text", datetime: NOW}
    columns = Certification.__table__.columns
    filled = {column.key: values.get(column.type.python_type, "text") for column in columns}
    return Certification(**filled | {"level": Level.PROVINCE})


# --- the database --------------------------------------------------------------------------------------------

_DIALECTS = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}


@section("tables and indexes")
def _tables() -> Iterator[str]:
    modules()
    for name, dialect in _DIALECTS.items():
        for table in Base.metadata.tables.values():
            ddl = str(CreateTable(table).compile(dialect=dialect))
            for line in filter(None, (line.strip().rstrip(",") for line in ddl.splitlines())):
                yield f"{name} {table.name} | {line}"
            yield f"{name} {table.name} | columns: {' '.join(column.name for column in table.columns)}"
            for index in table.indexes:
                yield f"{name} {table.name} | {str(CreateIndex(index).compile(dialect=dialect)).strip()}"
            for key, value in table.kwargs.items():
                yield f"{name} {table.name} | {key}: {value}"


@section("triggers and their functions", in_order=True)
def _triggers() -> Iterator[str]:
    statements = {
        "sqlite": sqlite_triggers.definitions().values(),
        "postgresql": postgresql_triggers.statements("public"),
    }
    for dialect in _DIALECTS:
        for statement in sorted(statements[dialect]):
            name = re.match(r"(?:CREATE (?:OR REPLACE )?(?:TRIGGER|FUNCTION)|ALTER TABLE) (\S+)", statement)
            assert name, statement
            yield from _headed(f"{dialect} {name[1]}", statement)


@section("migrations: revision, the one before, and a digest of the file")
def _migrations() -> Iterator[str]:
    for path in (version.MIGRATIONS / "versions").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        revision, down = (
            re.search(rf"^{name}(?:: [^=]+)? = (.+)$", text, re.MULTILINE)
            for name in ("revision", "down_revision")
        )
        assert revision, path
        assert down, path
        yield f"{revision[1]} after {down[1]}: {hashlib.sha256(text.encode()).hexdigest()[:16]}"


# A call may hold another one.
_LOCK = re.compile(
    r"pg_\w*advisory\w*\((?:[^()]|\([^()]*\))*\)|^LOCK TABLE .+|^PRAGMA \w+=\w+|application_name\W+\w+"
)


@section("advisory locks, table locks and pragmas")
def _locks() -> Iterator[str]:
    written_out = [node.value for node, _ in expressions(ast.Constant) if isinstance(node.value, str)]
    for text in [*written_out, *(template_of(node, names) for node, names in expressions(ast.JoinedStr))]:
        yield from (found[0] for found in _LOCK.finditer(text))


@section("leases: the lock of each in PostgreSQL, and its file beside SQLite's")
def _leases() -> Iterator[str]:
    names = {text for call in calls_of(Lease) for text in texts_of(call, call.arguments()["name"])}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            yield from _run(_held(name, Path(folder)))


async def _held(name: str, folder: Path) -> list[str]:
    database = Database(f"sqlite+aiosqlite:///{folder / 'laocert.db'}")
    beside = Lease(database, name)
    await _kept_until(beside, beside.taken)
    await beside.give_back()
    await database.close()
    asked = _Asked()
    lease = Lease(SimpleNamespace(is_sqlite=False, engine=asked), name)  # type: ignore[arg-type]
    await _kept_until(lease, asked.news)
    return [f"{name}: file {entry}" for entry in os.listdir(folder)] + [f"{name}: {said}" for said in asked.said]


async def _kept_until(lease: Lease, news: asyncio.Event) -> None:
    keeping = asyncio.create_task(lease.keep())
    await asyncio.wait_for(news.wait(), 10)
    keeping.cancel()
    await asyncio.wait({keeping})


class _Asked:
    """In the place of an engine and its connection: notes what is asked by `scalar`."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.news = asyncio.Event()

    async def connect(self) -> "_Asked":
        return self

    async def execution_options(self, **_options: object) -> "_Asked":
        return self

    async def execute(self, *_asked: object) -> None:
        pass

    async def scalar(self, statement: object, values: object = None) -> bool:
        self.said.append(f"{statement} {_text(values)}")
        self.news.set()
        return True


# --- the command line ----------------------------------------------------------------------------------------


def _commands(
    command: click.Command = cli, path: str = "laocert", parent: click.Context | None = None
) -> Iterator[tuple[str, click.Command, click.Context]]:
    context = click.Context(
        command,
        parent=parent,
        info_name=path.rpartition(" ")[2],
        max_content_width=100,
        terminal_width=100,
        **command.context_settings,
    )
    yield path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _commands(inner, f"{path} {name}", context)


@section("help texts", in_order=True)
def _helps() -> Iterator[str]:
    for path, command, context in _commands():
        yield from _headed(path, command.get_help(context))


@section("options and arguments")
def _options() -> Iterator[str]:
    for path, command, _context in _commands():
        for parameter in command.params:
            names = " ".join([*parameter.opts, *parameter.secondary_opts])
            more = {"default": parameter.to_info_dict()["default"], "required": parameter.required}
            yield f"{path} {names} {_text(more)}"


@section("keys of what --json prints")
def _json_keys() -> Iterator[str]:
    for call in calls_of(echo_json):
        for line in shape(call, call.node.args[0]) or ["(not known)"]:
            yield from (f"{command} {line}" for command in _commands_of(call))


def _commands_of(call: Call, depth: int = 3) -> set[str]:
    """The commands in whose functions, or in what these call, something is called."""
    function = call.names.get(call.around[-1].name)
    owners = {path for path, command, _ in _commands() if command is function}
    if owners or not depth:
        return owners
    return {path for outer in calls_of(function) if outer.around for path in _commands_of(outer, depth - 1)}


@section("exit codes")
def _exit_codes() -> Iterator[str]:
    def raising(error: BaseException) -> click.Command:
        def act() -> None:
            raise error

        return click.Command("act", callback=act)

    endings = {
        "a rule refuses": DomainError("refused"),
        "interrupted": KeyboardInterrupt(),
        "unforeseen": RuntimeError("x"),
    }
    for what, error in endings.items():
        yield f"{what}: {CliRunner().invoke(Program(commands={'act': raising(error)}), ['act']).exit_code}"
    yield f"wrong usage: {CliRunner().invoke(cli, ['--nonsense']).exit_code}"
    yield f"done: {CliRunner().invoke(cli, ['--help']).exit_code}"


@section("settings")
def _settings() -> Iterator[str]:
    prefix = Settings.model_config["env_prefix"]
    described = Settings.model_json_schema()["properties"]
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        rules = {
            key: value for key, value in described[name].items() if key not in ("title", "default", "description")
        }
        yield f"{prefix}{name.upper()} = {_text(default)} {json.dumps(rules, sort_keys=True)}"


# --- what others read ----------------------------------------------------------------------------------------


@section("metrics")
def _metrics() -> Iterator[str]:
    collectors: list[Any] = []
    stored = Stored(Waiting(0, None), outbox.Waiting(dict.fromkeys(outbox.State, 0), None), {})
    # What other tests of this process have counted is no metric's name.
    with (
        patch.object(scrape, "TALLY", Tally()),
        patch.object(CollectorRegistry, "register", lambda _registry, one: collectors.append(one)),
    ):
        scrape.text(stored, NOW)
        families = [family for one in collectors for family in one.collect()]
    for family in families:
        labels = " ".join(getattr(family, "_labelnames", ()))
        yield f"{family.type} {family.name} {{{labels}}} {family.documentation}"
        for sample_ in family.samples:
            if sample_.labels and "version" not in sample_.labels:
                yield f"{sample_.name} {_text(sample_.labels)}"


@section("outcomes that are counted")
def _outcomes() -> Iterator[str]:
    for node, names in expressions(ast.Subscript):
        counter = node.value
        if isinstance(counter, ast.Attribute) and names.get(getattr(counter.value, "id", "")) is TALLY:
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            known = [part.value if isinstance(part, ast.Constant) else "…" for part in parts]
            # What is counted under no text of the source is in other sections.
            if set(known) != {"…"}:
                yield " ".join(known)


@section("paths that are served, and their answers while the Bot API is away")
def _paths() -> list[str]:
    return _run(_served())


async def _served() -> list[str]:
    database = Database("sqlite+aiosqlite:///:memory:")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    probes = Probes(SimpleNamespace(get_me=_no_answer), database, lambda: NOW)  # type: ignore[arg-type]
    probes.waiting_for("NetworkError")
    app = make_app(
        probes.readiness, probes.work, probes.stored, lambda: NOW, Webhook("secret"), "/(the webhook's)"
    )
    lines = [f"header of the webhook's secret: {SECRET_HEADER}"]
    for route in app.routes:
        lines.append(f"{' '.join(sorted(route.methods))} {route.path}")
        if "GET" in route.methods:
            answer = await route.endpoint(None)
            is_json = answer.media_type == "application/json"
            lines.append(
                f"{route.path} {answer.status_code} {answer.body.decode() if is_json else answer.media_type}"
            )
    await database.close()
    return lines


async def _no_answer() -> None:
    raise NetworkError("x")


# --- files ---------------------------------------------------------------------------------------------------


@section("columns of files that are imported: name, Thai name, letters at most")
def _imported_columns() -> Iterator[str]:
    for call in calls_of(FileColumn):
        given = [call.value(node) for node in call.node.args[:3]]
        if all(isinstance(one, str | int) for one in given):
            yield " | ".join(map(str, given))


@section("columns of files that are exported")
def _exported_columns() -> Iterator[str]:
    for module in modules():
        for value in vars(module).values():
            if isinstance(value, tuple) and value and all(isinstance(one, SheetColumn) for one in value):
                yield " | ".join(column.name for column in value)


@section("a register as a file to fill in")
def _template() -> Iterator[str]:
    organization = Organization(dla_code=CODE, type_th="อบต.", name_th="บางปู")
    content = template.xlsx(RosterTemplate(organization, ("ประวัติ", "การศึกษา"), tuple(_RECORDS)))
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    yield f"sheet {sheet.title}"
    for number, row in enumerate(sheet.iter_rows(values_only=True)):
        yield f"{number} {' | '.join(str(cell or '') for cell in row)}"


def _walk(folder: Traversable) -> Iterator[Traversable]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from () if entry.name == "__pycache__" else _walk(entry)
        else:
            yield entry


def data_files() -> list[Path]:
    """What lies in the packages beside the code."""
    return [
        Path(str(entry))
        for package in PACKAGES
        for entry in _walk(files(package))
        if not entry.name.endswith((".py", ".pyc"))
    ]


@section("data files of the wheel")
def _data() -> Iterable[str]:
    return [path.name for path in data_files()]


# --- words ---------------------------------------------------------------------------------------------------


@section("texts of the chat, each with a digest of the Thai one")
def _catalog() -> Iterator[str]:
    for message in locales.read():
        if message.id:
            digest = hashlib.sha256(str(message.string).encode()).hexdigest()[:8]
            yield f"{_text(message.id)} {digest}"


if __name__ == "__main__":
    write()
