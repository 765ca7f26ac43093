"""The thread of remarks, as both sides read it."""

from datetime import datetime

import pytest

from models.accounts.access import NotYours
from models.certification.certificate import Level
from models.certification.certify import reopen
from models.certification.review import review
from models.database.engine import Database
from models.remarks.petition import decide, petition
from models.remarks.thread import ENTRIES_PER_PAGE, read_entry, read_thread
from models.rounds.round import close_round, open_round
from tests.models.remarks.questions import FIRST, LAO, PROVINCE, SECOND, question, reply
from tests.support import certify_as, link


async def test_the_thread_is_read_newest_first(country: Database, now: datetime) -> None:
    asked = [await question(country, now) for _ in range(ENTRIES_PER_PAGE + 1)]
    made = await reply(country, asked[0].id, now)
    async with country.write() as session:
        for who in (LAO, PROVINCE):
            officer = await link(session, *who, now)
            newest = await read_thread(session, officer, FIRST, 0)
            assert [entry.remark.id for entry in newest.entries] == [one.id for one in reversed(asked[1:])]
            assert all(entry.is_open and entry.reply is None for entry in newest.entries)
            last = await read_thread(session, officer, FIRST, 999)
            assert (last.page, last.pages) == (1, 2)
            (entry,) = last.entries
            assert (entry.remark.id, entry.is_open) == (asked[0].id, False)
            assert entry.reply is not None
            assert entry.reply.id == made.id
            # By the answer's own number, too: that is what its notice bears.
            assert (await read_entry(session, officer, made.id)).remark.id == asked[0].id
        shown = await review(session, officer, FIRST)
        assert (shown.remarks, shown.open_questions) == (4, 3)


async def test_a_petition_stands_in_it_with_its_decision_and_is_no_open_question(
    country: Database, now: datetime
) -> None:
    await certify_as(country, *LAO, FIRST, Level.LAO, now)
    async with country.write() as session:
        officer = await link(session, *LAO, now)
        made = await petition(session, officer, "ขอแก้ไขจำนวน", now, None)
        (entry,) = (await read_thread(session, officer, FIRST, 0)).entries
        assert (entry.remark.id, entry.reply, entry.is_open) == (made.id, None, False)
        decision = await decide(session, made.id, granted=False, by="ผู้ดูแล", reason="ไม่มีเหตุผล", now=now)
        (entry,) = (await read_thread(session, officer, FIRST, 0)).entries
        assert entry.reply is not None
        assert entry.reply.id == decision.id
        by_reply = await read_entry(session, officer, decision.id)
        assert (by_reply.remark.id, by_reply.is_open) == (made.id, False)
        assert by_reply.reply is not None
        assert by_reply.reply.id == decision.id


async def test_a_question_of_an_ended_revision_stays_and_is_not_open(country: Database, now: datetime) -> None:
    await certify_as(country, *LAO, FIRST, Level.LAO, now)
    asked = await question(country, now)
    async with country.write() as session:
        await reopen(session, FIRST, "ผู้ดูแล", "นับซ้ำ", now)
        officer = await link(session, *LAO, now)
        (entry,) = (await read_thread(session, officer, FIRST, 0)).entries
        assert (entry.remark.id, entry.is_open) == (asked.id, False)
        assert not (await read_entry(session, officer, asked.id)).is_open


async def test_the_thread_is_of_the_newest_round_and_what_was_said_before_can_be_read(
    country: Database, now: datetime
) -> None:
    asked = await question(country, now)
    async with country.write() as session:
        await close_round(session, now)
        officer = await link(session, *LAO, now)
        # A closed round is the newest one until the next opens.
        assert len((await read_thread(session, officer, FIRST, 0)).entries) == 1
        await open_round(session, 2571, None, now)
        found = await read_thread(session, officer, FIRST, 5)
        assert (found.entries, found.page, found.pages) == ([], 0, 1)
        assert (await read_entry(session, officer, asked.id)).remark.id == asked.id


async def test_others_read_neither_the_thread_nor_an_entry(country: Database, now: datetime) -> None:
    asked = await question(country, now)
    made = await reply(country, asked.id, now)
    async with country.write() as session:
        for username, user in ((f"lao{SECOND}", 502), ("province12", 602)):
            officer = await link(session, username, user, now)
            with pytest.raises(NotYours):
                await read_thread(session, officer, FIRST, 0)
            for number in (asked.id, made.id, 999):
                with pytest.raises(NotYours):
                    await read_entry(session, officer, number)
