"""The operator's word: what it may be, whom it goes to, that it is not said twice by a slip, and its report."""

import hashlib
import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from models.accounts.account import Role
from models.audit.event_chain import AuditEvent
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.outreach.broadcast import (
    MAX_TEXT,
    Audience,
    Broadcast,
    BroadcastRefused,
    Report,
    announce,
    broadcast_text,
    count_chats,
    is_recorded,
    load_broadcast,
    parse_audience,
    report,
)
from models.province.progress import UnknownProvince
from tests.conftest import NOW
from tests.support import link

WORDS = "ปิดระบบคืนนี้ 22.00 น."
LAO, PROVINCE = Audience(Role.LAO), Audience(Role.PROVINCE)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (WORDS, WORDS),
        (f"\ufeff{WORDS}\r\n", WORDS),
        ("\n\n  หนึ่ง  \r\n\r\nสอง\r\rสาม\n\n", "  หนึ่ง\n\nสอง\n\nสาม"),
        ("<b>ไม่ใช่</b> & https://example.org ⚠️", "<b>ไม่ใช่</b> & https://example.org ⚠️"),
        ("ก" * MAX_TEXT, "ก" * MAX_TEXT),
        ("7", "7"),
    ],
)
def test_a_text_is_kept_as_it_is(typed: str, kept: str) -> None:
    assert broadcast_text(typed.encode()) == kept


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        ("… ⚠️".encode(), "empty"),
        ("ก".encode() * (MAX_TEXT + 1), "3,501 characters"),
        ("ดี\nไม่\u202eดี".encode(), "line 2 contains the invisible character U+202E"),
        ("ดี\u200bดี".encode(), "line 1 contains the invisible character U+200B"),
        ("ดี\tดี".encode(), "U+0009"),
        ("ดี\x1b[31m".encode(), "U+001B"),
        ("ดี\u2028ดี".encode(), "U+2028"),
        ("ดี\u3164ดี".encode(), "U+3164"),
        ("ดี".encode("cp874"), "not UTF-8"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(BroadcastRefused, match=says.replace("+", r"\+")):
        broadcast_text(content)


@pytest.mark.parametrize(
    ("words", "audience"),
    [
        ("lao", LAO),
        ("province", PROVINCE),
        ("province:30", Audience(Role.PROVINCE, "30")),
        ("province:๓๐", Audience(Role.PROVINCE, "30")),
    ],
)
def test_audiences(words: str, audience: Audience) -> None:
    assert parse_audience(words) == audience


@pytest.mark.parametrize("words", ["", "all", "lao:11", "province:", "LAO", ":11"])
def test_no_audience(words: str) -> None:
    with pytest.raises(BroadcastRefused):
        parse_audience(words)


@pytest.fixture
async def linked(country: Database) -> Database:
    async with country.write() as session:
        for username, user in (("lao5110201", 501), ("lao5110201", 511), ("lao6110301", 502)):
            await link(session, username, user, NOW)
        for username, user in (("province11", 601), ("province12", 602)):
            await link(session, username, user, NOW)
        (await link(session, "lao6110302", 503, NOW)).full_name = None
    return country


@pytest.mark.parametrize(
    ("audience", "chats"),
    [(LAO, {501, 502, 511}), (PROVINCE, {601, 602}), (Audience(Role.PROVINCE, "12"), {602})],
)
async def test_it_goes_to_the_ready_officers_of_its_audience(
    linked: Database, audience: Audience, chats: set[int]
) -> None:
    async with linked.write() as session:
        assert await count_chats(session, audience) == len(chats)
        made = await announce(session, audience, WORDS, NOW)
    async with linked.read() as session:
        rows = list(await session.scalars(select(OutboxMessage).where(OutboxMessage.kind == NoticeKind.BROADCAST)))
        event = (await session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1))).one()
        assert await report(session, made, NOW) == Report(made, 0, 0, 0, len(chats), 0)
    assert {row.chat_id for row in rows} == chats
    assert {row.subject_id for row in rows} == {made.id}
    assert json.loads(event.details) == {
        "audience": str(audience),
        "broadcast": made.id,
        "chats": len(chats),
        "digest": hashlib.sha256(WORDS.encode()).hexdigest(),
    }


async def test_without_anybody_nothing_is_announced(country: Database) -> None:
    async with country.read() as session:
        with pytest.raises(BroadcastRefused, match="nobody is linked to province:11"):
            await count_chats(session, Audience(Role.PROVINCE, "11"))
        with pytest.raises(UnknownProvince):
            await count_chats(session, Audience(Role.PROVINCE, "99"))
        with pytest.raises(BroadcastRefused, match="no announcement 7"):
            await load_broadcast(session, 7)
        with pytest.raises(BroadcastRefused, match="nothing was announced"):
            await load_broadcast(session, None)


async def test_the_same_words_within_the_hour_are_a_slip(linked: Database) -> None:
    async def say(audience: Audience, words: str, minutes: int, *, again: bool = False) -> int:
        async with linked.write() as session:
            made = await announce(session, audience, words, NOW + timedelta(minutes=minutes), again=again)
        return made.id

    first = await say(LAO, WORDS, 0)
    with pytest.raises(BroadcastRefused, match="--again"):
        await say(LAO, WORDS, 59)
    assert await say(PROVINCE, WORDS, 1) > first
    assert await say(LAO, f"{WORDS}!", 1) > first
    assert await say(LAO, WORDS, 2, again=True) > first
    assert await say(LAO, WORDS, 62) > first
    async with linked.read() as session:
        rows = list(await session.scalars(select(OutboxMessage.subject_id).distinct()))
        assert len(rows) == 5
        assert (await load_broadcast(session, None)).body == WORDS
        assert (await load_broadcast(session, first)).id == first


async def test_the_report_counts_how_each_ended(linked: Database) -> None:
    async with linked.write() as session:
        for user in range(700, 706):
            await link(session, "lao6110303", user, NOW)
        made = await announce(session, LAO, WORDS, NOW)
        ends = {
            501: {"state": State.SENT},
            502: {"state": State.DEAD, "error": "Forbidden: bot was blocked by the user"},
            511: {"state": State.DEAD, "error": "the chat's link has ended"},
            700: {"state": State.DROPPED},
            701: {"state": State.SENDING},
            702: {"state": State.UNCERTAIN, "due_at": NOW + timedelta(minutes=1)},
            703: {"due_at": NOW + timedelta(hours=8)},
            704: {"state": State.HELD},
        }
        for chat, values in ends.items():
            await session.execute(update(OutboxMessage).where(OutboxMessage.chat_id == chat).values(**values))
    async with linked.read() as session:
        found = await report(session, made, NOW)
    assert found == Report(made, delivered=1, unreachable=1, dead=2, waiting=5, put_off=1)
    assert (found.chats, found.settled) == (9, 4)


@pytest.mark.parametrize(
    "change", [{}, {"body": "ข้อความอื่น"}, {"audience": "province"}], ids=["none", "words", "audience"]
)
async def test_only_what_the_record_tells_of_was_announced(linked: Database, change: dict[str, str]) -> None:
    """An announcement that was changed in the database, or put into it, is not the operator's."""
    async with linked.write() as session:
        made = await announce(session, LAO, WORDS, NOW)
        values = {"audience": made.audience, "body": WORDS, "made_at": NOW} | change
        assert await is_recorded(session, Broadcast(id=made.id, **values)) is (change == {})
        assert not await is_recorded(session, Broadcast(id=made.id + 1, **values))
