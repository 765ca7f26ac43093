"""The thread of remarks, as both sides read it."""

from datetime import datetime

from models.certification.review import review
from models.database.engine import Database
from models.remarks.thread import ENTRIES_PER_PAGE, read_entry, read_thread
from tests.models.remarks.questions import FIRST, LAO, PROVINCE, question, reply
from tests.support import link


async def test_the_thread_is_read_newest_first(country: Database, now: datetime) -> None:
    asked = [await question(country, now) for _ in range(ENTRIES_PER_PAGE + 1)]
    made = await reply(country, asked[0].id, now)
    async with country.write() as session:
        for who in (LAO, PROVINCE):
            officer = await link(session, *who, now)
            newest = await read_thread(session, officer, FIRST, 0)
            assert [entry.said.id for entry in newest.entries] == [one.id for one in reversed(asked[1:])]
            assert all(entry.is_open and entry.reply is None for entry in newest.entries)
            last = await read_thread(session, officer, FIRST, 999)
            assert (last.page, last.pages) == (1, 2)
            (entry,) = last.entries
            assert (entry.said.id, entry.is_open) == (asked[0].id, False)
            assert entry.reply is not None
            assert entry.reply.id == made.id
            # By the answer's own number, too: that is what its notice bears.
            assert (await read_entry(session, officer, made.id)).said.id == asked[0].id
        shown = await review(session, officer, FIRST)
        assert (shown.remarks, shown.open_questions) == (4, 3)
