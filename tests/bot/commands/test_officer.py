"""`laocert officer forget`: what it erases, what it leaves, and what it says of both."""

import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import inspect, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.cli import cli
from models.accounts import pin, throttle
from models.accounts.account import Officer, active_officer
from models.audit import event_chain
from models.certification.certificate import Certification, Level
from models.chats import inbox
from models.chats.conversation import load_conversation, note_card
from models.database.engine import Database
from models.links.link import unlink_officer
from models.notices import outbox, sending
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.province.listing import Listing, load_listing
from models.province.visit import Visit, note_opened
from models.remarks.petition import petition
from models.remarks.question import answer, ask
from tests.conftest import NOW, apart
from tests.support import ORGANIZATIONS, SECRET_KEY, certify_as, link

FIRST, SECOND, *_ = (code for code, *_ in ORGANIZATIONS)
# Long enough to be found in a whole database.
PERSON, COLLEAGUE = 7_314_159_265, 7_271_828_182
# As tests/support.py gives them.
NAME, POSITION = "ทดสอบ ลงนาม", "ปลัด"
TYPED = "คำที่พิมพ์ค้นหา"
WHY = ("--by", "ผู้ดูแลระบบ", "--reason", "คำขอที่ 7/2570")
Run = Callable[..., Result]


@pytest.fixture
def laocert(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAOCERT_DATABASE_URL", database_url)
    monkeypatch.setenv("LAOCERT_SECRET_KEY", SECRET_KEY)
    for module in ("account", "officer"):
        monkeypatch.setattr(f"bot.commands.{module}.now", lambda: NOW)

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, arguments, prog_name="laocert")
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run


def looking(database: Database, look: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
    """Look at the database beside the command, which has an event loop of its own."""
    found: list[Any] = []

    async def do() -> None:
        own = Database(database.url.render_as_string(hide_password=False))
        async with own.read() as session:
            found.append(await look(session))
        await own.close()

    apart(do())
    return found[0]


async def _where(session: AsyncSession, needle: str) -> set[str]:
    """Every table and column in which something stands."""
    connection = await session.connection()
    columns = await connection.run_sync(
        lambda sync: {
            table: [column["name"] for column in inspect(sync).get_columns(table)]
            for table in inspect(sync).get_table_names()
        }
    )
    places = set()
    for table, names in columns.items():
        for name in names:
            found = await session.execute(
                text(f'SELECT count(*) FROM "{table}" WHERE CAST("{name}" AS TEXT) LIKE :needle'),
                {"needle": f"%{needle}%"},
            )
            if found.scalar():
                places.add(f"{table}.{name}")
    return places


def where(database: Database, needle: object) -> set[str]:
    return looking(database, lambda session: _where(session, str(needle)))


@pytest.fixture
async def person(country: Database) -> int:
    """Somebody who has certified and petitioned, with everything that is ever kept of a chat; the officer's id."""
    await certify_as(country, f"lao{FIRST}", PERSON, FIRST, Level.LAO, NOW)
    async with country.write() as session:
        officer = await link(session, f"lao{FIRST}", PERSON, NOW, NAME)
        await link(session, f"lao{FIRST}", COLLEAGUE, NOW, "ทดสอบ เพื่อนร่วมงาน")
        await petition(session, officer, "นับซ้ำหนึ่งราย", NOW, None)
        (await load_listing(session, officer)).words = TYPED
        await note_opened(session, officer, FIRST, 1, NOW)
        province = await link(session, "province11", 601, NOW, "ทดสอบ จังหวัด")
        asked = await ask(session, province, FIRST, "official", "เหตุใดจำนวนจึงลดลง", NOW)
        await answer(session, officer, asked.id, "เกษียณสองราย", NOW)
        conversation = await load_conversation(session, PERSON)
        conversation.username, conversation.draft = "ร่าง", "ร่างคำขอ"
        conversation.subject = f"answer:{PERSON}"
        for chat in (PERSON, COLLEAGUE):
            await note_card(session, chat, 10, NOW)
        await pin.open_keypad(session, officer, pin.Purpose.UNLOCK, "", "", NOW, random.Random(1))
        await throttle.admit(session, [throttle.chat_key(PERSON), throttle.pin_key(PERSON)], NOW)
        await inbox.store(session, 1, [inbox.Received(1, PERSON, b"sealed")], NOW)
        outbox.enqueue(session, NoticeKind.PIN_BLOCKED, PERSON, 1, NOW)
        outbox.enqueue(session, NoticeKind.COLLEAGUE_CERTIFIED, PERSON, 2, NOW)
        await session.flush()
        sent = await session.scalar(
            select(OutboxMessage.id).where(
                OutboxMessage.kind == NoticeKind.COLLEAGUE_CERTIFIED, OutboxMessage.chat_id == PERSON
            )
        )
        assert sent is not None
        await sending.mark_sent(session, sent, 12, NOW)
        return officer.id


def test_everything_of_the_chat_is_erased_but_what_must_stay(laocert: Run, country: Database, person: int) -> None:
    assert len(where(country, PERSON)) > 8
    assert where(country, TYPED) == {"listing.words"}
    said = laocert("officer", "forget", str(person), *WHY).stdout.splitlines()
    assert said == [
        f"officer {person} is forgotten: name, position, PIN and Telegram number are erased",
        "its link has ended",
        "erased: what was kept of its chat",
        "to be done by laocert run: 2 messages in the chat are taken away",
        "stays: name, position and Telegram number of the signer in 1 certificates, and in the record of them",
        "stays: name and position in 2 petitions or remarks",
        "stays: the Telegram number in the record of events, and all of it in copies made before this",
    ]
    # The blanks, by which the chat loses its messages, are gone when done
    # (tests/bot/outbound/test_courier_chats.py).
    assert where(country, PERSON) == {
        "certification.user_id",
        "audit_event.details",
        "outbox.chat_id",
        "outbox.dedupe_key",
    }
    assert where(country, NAME) == {"certification.officer_name", "remark.author", "audit_event.details"}
    assert where(country, TYPED) == set()
    for table in (Listing, Visit):
        assert looking(country, lambda session, table=table: session.scalar(select(table))) is None
    left = looking(
        country, lambda session: session.scalars(select(OutboxMessage).where(OutboxMessage.chat_id == PERSON))
    )
    assert [(row.kind, row.subject_id, row.state) for row in left] == [
        (NoticeKind.BLANK, 12, State.PENDING),
        (NoticeKind.BLANK, 10, State.PENDING),
    ]
    made = looking(country, lambda session: session.scalar(select(Certification)))
    assert (made.officer_name, made.officer_position, made.user_id) == (NAME, POSITION, PERSON)


def test_the_record_says_who_erased_and_names_nobody(laocert: Run, country: Database, person: int) -> None:
    laocert("officer", "forget", str(person), *WHY)
    newest = select(event_chain.AuditEvent).order_by(event_chain.AuditEvent.id.desc()).limit(1)
    event = looking(country, lambda session: session.scalar(newest))
    assert (event.kind, event.chain) == (event_chain.Event.FORGOTTEN, FIRST)
    details = json.loads(event.details)
    # Of its row as it is now, by number.
    assert set(details.pop("seals")) == {f"officer:{person}"}
    assert details == {"officer": person, "by": WHY[1], "reason": WHY[3]}
    laocert("audit", "verify")


def test_others_keep_theirs(laocert: Run, country: Database, person: int) -> None:
    before = where(country, COLLEAGUE)
    laocert("officer", "forget", str(person), *WHY)
    assert where(country, COLLEAGUE) == before
    [other] = json.loads(laocert("account", "links", f"lao{FIRST}", "--json").stdout)
    assert other["user_id"] == COLLEAGUE
    everybody = json.loads(laocert("account", "links", f"lao{FIRST}", "--all", "--json").stdout)
    assert [(one["officer"], one["full_name"], one["user_id"]) for one in everybody] == [
        (person, None, -person),
        (other["officer"], "ทดสอบ เพื่อนร่วมงาน", COLLEAGUE),
    ]
    assert "02/11/2569 09:30" in laocert("account", "links", f"lao{FIRST}", "--all").stdout


async def _move_on(country: Database, username: str) -> int:
    async with country.write() as session:
        officer = await active_officer(session, PERSON)
        assert officer is not None
        await unlink_officer(session, officer, NOW)
        new = await link(session, username, PERSON, NOW, NAME)
        await note_card(session, PERSON, 20, NOW)
        return new.id


def test_an_old_link_is_forgotten_without_the_new_one(laocert: Run, country: Database, person: int) -> None:
    new: list[int] = []

    async def move_on() -> None:
        own = Database(country.url.render_as_string(hide_password=False), country._info["keyring"])
        new.append(await _move_on(own, f"lao{SECOND}"))
        await own.close()

    apart(move_on())
    said = laocert("officer", "forget", str(person), *WHY).stdout
    assert "its link has ended" not in said
    assert "kept: the data of its chat, which is linked anew as another officer" in said
    assert f"not erased: the same person as officer {new[0]}" in said
    assert {"conversation.chat_id", "card.chat_id", "officer.user_id"} <= where(country, PERSON)
    again = looking(country, lambda session: session.scalar(select(Officer).where(Officer.id == new[0])))
    assert (again.full_name, again.user_id, again.unlinked_at) == (NAME, PERSON, None)


def test_refusals(laocert: Run, country: Database, person: int) -> None:
    untouched = where(country, PERSON)
    assert "there is no officer 999" in laocert("officer", "forget", "999", *WHY, code=1).stderr
    for by, reason, option in (("  ", "เหตุ", "--by"), ("ผู้ดูแล", " - ", "--reason"), ("ก" * 1001, "เหตุ", "--by")):
        said = laocert("officer", "forget", str(person), "--by", by, "--reason", reason, code=1).stderr
        assert said.startswith(f"{option} must say something")
    laocert("officer", "forget", str(person), code=2)
    assert where(country, PERSON) == untouched
    laocert("officer", "forget", str(person), *WHY)
    assert "forgotten already" in laocert("officer", "forget", str(person), *WHY, code=1).stderr
