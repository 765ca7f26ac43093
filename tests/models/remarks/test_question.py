"""A province asks an organization, which answers; nothing is unlocked and nobody else sees it."""

import asyncio
from datetime import datetime

import pytest
from sqlalchemy import func, select, update

from models.accounts.access import NotYours
from models.certification.certificate import Level, Status
from models.certification.certify import reopen
from models.certification.remark import Remark, RemarkKind, RemarkRefused
from models.certification.review import own_status, review
from models.database.engine import Database
from models.notices.kind import NoticeKind as Notice
from models.notices.outbox import OutboxMessage
from models.province.progress import locked_organizations
from models.register.roster import PersonnelRecord
from models.remarks.petition import petition
from models.remarks.question import (
    MAX_OPEN,
    QuestionClosed,
    TooManyQuestions,
    Topic,
    UnknownRecord,
    about_record,
    answer,
    ask,
    find_record,
    open_questions,
    require_askable,
    topic_of,
)
from models.remarks.thread import read_entry, read_thread
from models.rounds.round import NoOpenRound, close_round, open_round
from models.verification.verify import verify
from tests.models.remarks.questions import (
    ANSWERED,
    ASKED,
    ELSEWHERE,
    FIRST,
    LAO,
    PROVINCE,
    SECOND,
    question,
    reply,
)
from tests.support import certify_as, link, put_roster


async def waiting(database: Database, organization: str = FIRST) -> list[int]:
    async with database.read() as session:
        return await open_questions(session, organization)


async def test_a_question_is_kept_told_and_answered(country: Database, now: datetime) -> None:
    await certify_as(country, *LAO, FIRST, Level.LAO, now)
    async with country.write() as session:
        await link(session, LAO[0], 502, now)
        await link(session, f"lao{SECOND}", 503, now)
        await link(session, PROVINCE[0], 602, now)
        await link(session, "province12", 603, now)
    asked = await question(country, now)
    assert (asked.kind, asked.about, asked.body, asked.revision) == (RemarkKind.QUESTION, "official", ASKED, 1)
    assert await waiting(country) == [asked.id]
    made = await reply(country, asked.id, now)
    assert (made.kind, made.answers_id, made.body) == (RemarkKind.ANSWER, asked.id, ANSWERED)
    assert await waiting(country) == []
    async with country.read() as session:
        # Nothing was unlocked by it.
        assert (await own_status(session, FIRST))[1] is Status.LAO_CERTIFIED
        assert await locked_organizations(session, {FIRST}) == {FIRST}
        told = await session.execute(
            select(OutboxMessage.kind, OutboxMessage.chat_id, OutboxMessage.subject_id).where(
                OutboxMessage.kind.in_([Notice.QUESTIONED, Notice.ANSWERED])
            )
        )
        assert {tuple(row) for row in told} == {
            (Notice.QUESTIONED, 501, asked.id),
            (Notice.QUESTIONED, 502, asked.id),
            (Notice.ANSWERED, 601, made.id),
            (Notice.ANSWERED, 602, made.id),
        }
        assert (await verify(session)).breaks == []


async def test_any_status_of_an_open_round_can_be_asked_about(country: Database, now: datetime) -> None:
    await question(country, now)
    await certify_as(country, *LAO, FIRST, Level.LAO, now)
    await question(country, now)
    # Neither the organization nor its province is kept from certifying.
    await certify_as(country, *PROVINCE, FIRST, Level.PROVINCE, now)
    asked = await question(country, now)
    assert len(await waiting(country)) == 3
    async with country.write() as session:
        await close_round(session, now)
    with pytest.raises(NoOpenRound):
        await question(country, now)
    # What was asked before can still be answered.
    await reply(country, asked.id, now)


async def test_one_answer_a_question(country: Database, now: datetime) -> None:
    asked = await question(country, now)
    ended = await asyncio.gather(
        *(reply(country, asked.id, now, (LAO[0], 510 + number)) for number in range(6)), return_exceptions=True
    )
    assert [type(one) for one in ended].count(Remark) == 1
    assert all(isinstance(one, Remark | QuestionClosed) for one in ended)
    # A follow-up is another question.
    again = await question(country, now)
    await reply(country, again.id, now)
    async with country.read() as session:
        assert await session.scalar(select(func.count()).where(Remark.kind == RemarkKind.ANSWER)) == 2


async def test_only_the_own_side_asks_and_answers(country: Database, now: datetime) -> None:
    asked = await question(country, now)
    async with country.write() as session:
        for username, user in ((LAO[0], 501), ("province12", 603), (f"lao{SECOND}", 502)):
            officer = await link(session, username, user, now)
            with pytest.raises(NotYours):
                await ask(session, officer, FIRST, Topic.WHOLE, ASKED, now)
        province = await link(session, *PROVINCE, now)
        for code in (ELSEWHERE, "9999999"):
            with pytest.raises(NotYours):
                await ask(session, province, code, Topic.WHOLE, ASKED, now)
            with pytest.raises(NotYours):
                await require_askable(session, province, code)
            with pytest.raises(NotYours):
                await find_record(session, province, code, "0001")
            with pytest.raises(NotYours):
                await read_thread(session, province, code, 0)
        for username, user in (PROVINCE, ("province12", 603), (f"lao{SECOND}", 502)):
            officer = await link(session, username, user, now)
            with pytest.raises(NotYours):
                await answer(session, officer, asked.id, ANSWERED, now)
        neighbour = await link(session, f"lao{SECOND}", 502, now)
        with pytest.raises(NotYours):
            await read_entry(session, neighbour, asked.id)
        with pytest.raises(NotYours):
            await answer(session, await link(session, *LAO, now), 999_999, ANSWERED, now)
    assert await waiting(country) == [asked.id]


async def test_only_questions_are_answered(country: Database, now: datetime) -> None:
    await certify_as(country, *LAO, FIRST, Level.LAO, now)
    async with country.write() as session:
        officer = await link(session, *LAO, now)
        asked = await petition(session, officer, "ขอแก้ไขจำนวน", now, None)
    with pytest.raises(QuestionClosed):
        await reply(country, asked.id, now)
    own = await question(country, now)
    made = await reply(country, own.id, now)
    with pytest.raises(QuestionClosed):
        await reply(country, made.id, now)


async def test_a_question_belongs_to_its_revision(country: Database, now: datetime) -> None:
    await certify_as(country, *LAO, FIRST, Level.LAO, now)
    old = await question(country, now)
    async with country.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "นับซ้ำ", now)
    assert await waiting(country) == []
    with pytest.raises(QuestionClosed):
        await reply(country, old.id, now)
    new = await question(country, now)
    assert new.revision == 2
    assert await waiting(country) == [new.id]
    async with country.write() as session:
        await close_round(session, now)
        await open_round(session, 2571, None, now)
        lao = await link(session, *LAO, now)
        assert (await review(session, lao, FIRST)).remarks == 0
        assert (await read_thread(session, lao, FIRST, 0)).entries == []
        # It can still be read by its number.
        assert (await read_entry(session, lao, new.id)).remark.id == new.id
    assert await waiting(country) == []
    with pytest.raises(QuestionClosed):
        await reply(country, new.id, now)


async def test_so_many_questions_wait_at_once(country: Database, now: datetime) -> None:
    first = await question(country, now)
    for _ in range(MAX_OPEN - 1):
        await question(country, now)
    with pytest.raises(TooManyQuestions):
        await question(country, now)
    await question(country, now, organization=SECOND)
    await reply(country, first.id, now)
    await question(country, now)
    assert len(await waiting(country)) == MAX_OPEN


async def test_questions_at_once_keep_the_limit(country: Database, now: datetime) -> None:
    for _ in range(MAX_OPEN - 3):
        await question(country, now)
    ended = await asyncio.gather(*(question(country, now) for _ in range(8)), return_exceptions=True)
    assert [type(one) for one in ended].count(Remark) == 3
    assert len(await waiting(country)) == MAX_OPEN


async def test_a_record_is_named_by_its_number(country: Database, now: datetime) -> None:
    async with country.write() as session:
        province = await link(session, *PROVINCE, now)
        assert await find_record(session, province, FIRST, " ๐๐๐๗ ") == "0007"
        for typed in ("0021", "7", "", "บุคคล ทดสอบ7", "\x000007", "0007' OR '1'='1", "9" * 5000):
            with pytest.raises(UnknownRecord):
                await find_record(session, province, FIRST, typed)
        # As an older version has stored it; and as one was typed later.
        old = update(PersonnelRecord).where(PersonnelRecord.organization_code == FIRST)
        await session.execute(old.where(PersonnelRecord.record_no == "0011").values(record_no="กํา-11"))
        for typed in ("กำ-11", "กํา\u2011๑๑", "กำ\u200b-１１"):
            assert await find_record(session, province, FIRST, typed) == "กํา-11"
        await session.execute(old.where(PersonnelRecord.record_no == "0012").values(record_no="กำ-11"))
        assert await find_record(session, province, FIRST, "กํา-11") == "กำ-11"
        # Of another organization, which has more.
        await put_roster(session, SECOND, (30, 0, 0), now)
        with pytest.raises(UnknownRecord):
            await ask(session, province, FIRST, about_record("0030"), ASKED, now)
    asked = await question(country, now, about_record("0007"))
    assert asked.about == "record:0007"
    assert topic_of(asked.about) == (Topic.RECORD, "0007")


async def test_what_is_no_text_is_no_question(country: Database, now: datetime) -> None:
    asked = await question(country, now)
    for typed in ("", "สั้น", "ก" * 1001, "12345 67890", "😀" * 9, "\u200b" * 50):
        async with country.write() as session:
            with pytest.raises(RemarkRefused):
                await ask(session, await link(session, *PROVINCE, now), FIRST, Topic.WHOLE, typed, now)
            with pytest.raises(RemarkRefused):
                await answer(session, await link(session, *LAO, now), asked.id, typed, now)
    assert await waiting(country) == [asked.id]
