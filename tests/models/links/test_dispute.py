"""A new link that is nobody's: ended by a colleague who was told of it, and by nobody else."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.access import NotYours
from models.accounts.account import Officer, active_officer
from models.audit.event_chain import Event
from models.chats.conversation import note_card
from models.database.engine import Database
from models.links.dispute import NEW, end_disputed_link, load_dispute, new_links
from models.notices import outbox
from models.notices.kind import NoticeKind
from tests.models.links.chats import CHAT, COLLEAGUE, OPERATOR, OTHER, announced, blanks, events, linked, rows
from tests.support import Clock

Try = Callable[[Officer, Officer], Awaitable[tuple[Officer, bool]]]


@pytest.fixture
def dispute(country: Database, clock: Clock) -> Try:
    async def attempt(actor: Officer, against: Officer) -> tuple[Officer, bool]:
        async with country.write() as session:
            found = await active_officer(session, actor.user_id)
            assert found is not None
            return await end_disputed_link(session, found, against.id, clock(), OPERATOR)

    return attempt


async def test_a_colleague_ends_a_link_that_it_was_told_of(country: Database, clock: Clock, dispute: Try) -> None:
    old, new = await linked(country, clock()), await linked(country, clock(), chat=COLLEAGUE)
    async with country.write() as session:
        await note_card(session, COLLEAGUE, 10, clock())
    await announced(country, new, clock())
    clock.move(days=400)
    assert [ended for _, ended in (await dispute(old, new), await dispute(old, new))] == [True, False]
    assert await blanks(country, COLLEAGUE) == [10]
    told = [row for row in await rows(country) if row.kind is NoticeKind.LINK_DISPUTED]
    assert [(row.chat_id, row.subject_id) for row in told] == [(OPERATOR, new.id)]
    async with country.read() as session:
        assert await active_officer(session, COLLEAGUE) is None
        found = await load_dispute(session, new.id)
        assert found is not None
        assert found.colleague is not None
        assert (found.officer.id, found.colleague.id) == (new.id, old.id)


@pytest.mark.parametrize("what", ["older", "own", "another account's", "not announced", "unknown"])
async def test_no_other_link_can_be_disputed(country: Database, clock: Clock, dispute: Try, what: str) -> None:
    old, new = await linked(country, clock()), await linked(country, clock(), chat=COLLEAGUE)
    actor, against = old, new
    if what == "older":
        actor, against = new, old
        async with country.write() as session:
            outbox.enqueue(session, NoticeKind.LINKED, COLLEAGUE, old.id, clock())
    elif what == "own":
        actor = new
        async with country.write() as session:
            outbox.enqueue(session, NoticeKind.LINKED, COLLEAGUE, new.id, clock())
    elif what == "another account's":
        against = await linked(country, clock(), OTHER, 504)
        async with country.write() as session:
            outbox.enqueue(session, NoticeKind.LINKED, CHAT, against.id, clock())
    elif what == "unknown":
        against = Officer(id=10**6)
    with pytest.raises(NotYours):
        await dispute(actor, against)
    assert await events(country, Event.UNLINKED) == 0


async def test_the_list_offers_to_end_new_links_only(country: Database, clock: Clock) -> None:
    older = await linked(country, clock(), chat=503)
    own, new = await linked(country, clock()), await linked(country, clock(), chat=COLLEAGUE)
    unannounced = await linked(country, clock(), chat=505)
    await announced(country, new, clock())

    async def offered(session: AsyncSession) -> set[int]:
        return await new_links(session, own, [older, own, new, unannounced], clock())

    async with country.read() as session:
        assert await offered(session) == {new.id}
        clock.move(seconds=NEW.total_seconds())
        assert await offered(session) == set()


async def test_a_dispute_of_nobody_is_none(country: Database) -> None:
    async with country.read() as session:
        assert await load_dispute(session, 10**6) is None
