"""Forgetting an officer: what is erased, what stays, and what is recorded of it."""

import json
import random
from datetime import datetime

import pytest
from sqlalchemy import select

from models.accounts import pin, throttle
from models.accounts.account import Officer, active_officer
from models.audit.event_chain import AuditEvent, Event
from models.certification.certificate import Certification, Level
from models.chats import inbox
from models.chats.conversation import Card, Conversation, load_conversation, note_card
from models.chats.inbox import InboxUpdate
from models.database.engine import Database
from models.links.link import unlink_officer
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from models.operator.erasure import (
    MAX_TEXT,
    AlreadyForgotten,
    Erasure,
    ErasureRefused,
    UnknownOfficer,
    forget_officer,
)
from models.province.visit import Visit, note_opened
from models.remarks.petition import petition
from models.verification.verify import verify
from tests.models.register.rosters import drafts, person, proposed, sent
from tests.support import ORGANIZATIONS, certify_as, link

FIRST = ORGANIZATIONS[0][0]
LAO, PERSON, COLLEAGUE = f"lao{FIRST}", 501, 502
WHO, WHY = "ผู้ดูแลระบบ", "คำขอที่ 7/2570"


async def test_forgetting_an_officer_erases_its_file(country: Database, now: datetime) -> None:
    number, _ = await proposed(country, now, sent(person(1)))
    async with country.write() as session:
        await forget_officer(session, number, "ผู้ดูแลระบบ", "คำขอ 1/2570", now)
    assert await drafts(country) == 0


async def somebody(country: Database, now: datetime) -> int:
    """Somebody with all that is kept of a chat, beside a colleague with as much; its officer's number."""
    async with country.write() as session:
        for chat in (PERSON, COLLEAGUE):
            officer = await link(session, LAO, chat, now, f"ทดสอบ {chat}")
            (await load_conversation(session, chat)).draft = "ร่าง"
            await note_card(session, chat, 10, now)
            await pin.open_keypad(session, officer, pin.Purpose.UNLOCK, "", "", now, random.Random(1))
            await throttle.admit(session, [throttle.chat_key(chat), throttle.pin_key(chat)], now)
            await inbox.store(session, 1, [inbox.Received(chat, chat, b"sealed")], now)
            await note_opened(session, officer, FIRST, 1, now)
            outbox.enqueue(session, NoticeKind.PIN_BLOCKED, chat, 1, now)
        found = await active_officer(session, PERSON)
        assert found is not None
        return found.id


async def forget(country: Database, number: int, now: datetime, by: str = WHO, reason: str = WHY) -> Erasure:
    async with country.write() as session:
        return await forget_officer(session, number, by, reason, now)


async def kept(country: Database) -> dict[str, set[int]]:
    """Whose rows there are, by table."""
    async with country.read() as session:
        chats = {
            "conversation": Conversation.chat_id,
            "card": Card.chat_id,
            "keypad": pin.Keypad.user_id,
            "inbox": InboxUpdate.sender,
            "outbox": OutboxMessage.chat_id,
            "visit": Officer.user_id,
        }
        of_visit = select(Officer.user_id).join(Visit, Visit.officer_id == Officer.id)
        found = {
            name: set(await session.scalars(of_visit if name == "visit" else select(column)))
            for name, column in chats.items()
        }
        keys = await session.scalars(select(throttle.Throttle.key))
        return found | {"throttle": {int(key.rpartition(":")[2]) for key in keys}}


async def test_all_that_is_kept_of_the_person_goes_and_nothing_of_a_colleague(
    country: Database, now: datetime
) -> None:
    number = await somebody(country, now)
    assert set(map(frozenset, (await kept(country)).values())) == {frozenset({PERSON, COLLEAGUE})}
    done = await forget(country, number, now)
    assert (done.was_linked, done.is_linked_elsewhere, done.other_rows) == (True, False, [])
    left = await kept(country)
    # What must still be taken away from the chat.
    assert left.pop("outbox") == {PERSON, COLLEAGUE}
    assert done.blanks == 1
    assert set(map(frozenset, left.values())) == {frozenset({COLLEAGUE})}
    async with country.read() as session:
        row = await session.get_one(Officer, number)
        assert (row.user_id, row.full_name, row.position, row.pin_hash) == (-number, None, None, None)
        assert (row.unlinked_at, row.last_seen_at) == (now, None)
        assert await active_officer(session, PERSON) is None
        left_over = select(OutboxMessage.kind).where(OutboxMessage.chat_id == PERSON)
        assert list(await session.scalars(left_over)) == [NoticeKind.BLANK]


async def test_what_was_certified_and_said_stays_and_still_stands(country: Database, now: datetime) -> None:
    made = await certify_as(country, LAO, PERSON, FIRST, Level.LAO, now)
    async with country.write() as session:
        officer = await link(session, LAO, PERSON, now)
        await petition(session, officer, "นับซ้ำหนึ่งราย", now, None)
    done = await forget(country, officer.id, now)
    assert (done.certificates, done.remarks) == (1, 1)
    async with country.read() as session:
        assert (await session.get_one(Certification, made.id)).officer_name == made.officer_name
        assert (await verify(session)).breaks == []


async def test_the_record_says_who_erased_whom_by_number_and_why(country: Database, now: datetime) -> None:
    number = await somebody(country, now)
    await forget(country, number, now, by=f"  {WHO}\n", reason=f" {WHY} ")
    async with country.read() as session:
        (event,) = await session.scalars(select(AuditEvent).where(AuditEvent.kind == Event.FORGOTTEN))
        assert event.chain == FIRST
        seal = await session.scalar(select(Officer.seal).where(Officer.id == number))
        seals = {f"officer:{number}": seal}
        assert json.loads(event.details) == {"officer": number, "by": WHO, "reason": WHY, "seals": seals}


async def test_an_old_link_is_forgotten_without_the_chat_of_the_new_one(country: Database, now: datetime) -> None:
    number = await somebody(country, now)
    async with country.write() as session:
        officer = await active_officer(session, PERSON)
        assert officer is not None
        await unlink_officer(session, officer, now)
        new = await link(session, "lao6110301", PERSON, now)
    done = await forget(country, number, now)
    assert (done.was_linked, done.is_linked_elsewhere, done.other_rows) == (False, True, [new.id])
    assert PERSON in (await kept(country))["conversation"]
    async with country.read() as session:
        assert await active_officer(session, PERSON) is not None
    # Of a person with two rows, both are to be forgotten: then the chat goes, too.
    assert (await forget(country, new.id, now)).other_rows == []
    assert PERSON not in (await kept(country))["conversation"]


@pytest.mark.parametrize("words", ["", "   ", "...", "ก" * (MAX_TEXT + 1)])
async def test_it_wants_a_name_and_a_reason_for_they_are_recorded_for_good(
    country: Database, now: datetime, words: str
) -> None:
    number = await somebody(country, now)
    with pytest.raises(ErasureRefused, match="--by must say something"):
        await forget(country, number, now, by=words)
    with pytest.raises(ErasureRefused, match="--reason must say something"):
        await forget(country, number, now, reason=words)
    async with country.read() as session:
        assert await active_officer(session, PERSON) is not None


async def test_nobody_is_forgotten_twice_or_unknown(country: Database, now: datetime) -> None:
    number = await somebody(country, now)
    await forget(country, number, now, reason="ก" * MAX_TEXT)
    with pytest.raises(AlreadyForgotten, match=f"officer {number} has been forgotten already"):
        await forget(country, number, now)
    with pytest.raises(UnknownOfficer, match="no officer 999"):
        await forget(country, 999, now)
