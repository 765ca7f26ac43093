"""Links that begin are announced; links that end leave nothing readable in their chat."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.access import NotYours
from models.accounts.account import Officer, active_officer, find_account
from models.audit.event_chain import AuditEvent, Event
from models.chats.conversation import Awaiting, Card, Conversation, Language, note_card
from models.database.engine import Database
from models.links import account_admin
from models.links.dispute import NEW, end_disputed_link, load_dispute, new_links
from models.links.link import announce_link, disable_account, take_away_late, unlink_officer
from models.notices import outbox, sending
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from tests.support import Clock, link

LAO, OTHER = "lao5110201", "lao6110301"
CHAT, COLLEAGUE, OPERATOR = 501, 502, 900


async def linked(country: Database, now: datetime, username: str = LAO, chat: int = CHAT) -> Officer:
    async with country.write() as session:
        return await link(session, username, chat, now, f"ทดสอบ {chat}")


async def sent(country: Database, kind: NoticeKind, message: int, at: datetime, chat: int = CHAT) -> None:
    """A message that arrived."""
    async with country.write() as session:
        outbox.enqueue(session, kind, chat, message, at)
        await session.flush()
        row = await session.scalar(select(OutboxMessage.id).where(OutboxMessage.subject_id == message))
        assert row is not None
        await sending.mark_sent(session, row, message, at)


async def end(country: Database, now: datetime, chat: int = CHAT, but: int | None = None) -> bool:
    async with country.write() as session:
        officer = await active_officer(session, chat)
        assert officer is not None
        return await unlink_officer(session, officer, now, but=but)


async def rows(country: Database) -> list[OutboxMessage]:
    async with country.read() as session:
        return list(await session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))


async def blanks(country: Database, chat: int = CHAT) -> list[int]:
    """The messages that are to be blanked, in the order in which they will be."""
    return [row.subject_id for row in await rows(country) if row.kind is NoticeKind.BLANK and row.chat_id == chat]


async def cards(country: Database) -> set[tuple[int, int]]:
    async with country.read() as session:
        return {(card.chat_id, card.message_id) for card in await session.scalars(select(Card))}


async def events(country: Database, kind: Event) -> int:
    async with country.read() as session:
        return await session.scalar(select(func.count()).where(AuditEvent.kind == kind)) or 0


# --- the end of a link --------------------------------------------------------------------------------------


async def test_cards_and_notices_are_taken_away_newest_first_and_receipts_stay(
    country: Database, clock: Clock
) -> None:
    await linked(country, clock())
    async with country.write() as session:
        for message in (10, 14):
            await note_card(session, CHAT, message, clock())
        await note_card(session, COLLEAGUE, 11, clock())
    await sent(country, NoticeKind.COLLEAGUE_CERTIFIED, 12, clock())
    await sent(country, NoticeKind.RECEIPT, 13, clock())
    await sent(country, NoticeKind.LINKED, 15, clock())
    await sent(country, NoticeKind.COLLEAGUE_CERTIFIED, 16, clock(), COLLEAGUE)
    assert await end(country, clock())
    assert await blanks(country) == [15, 14, 12, 10]
    assert await blanks(country, COLLEAGUE) == []
    assert await cards(country) == {(COLLEAGUE, 11)}


async def test_the_card_under_the_own_thumb_stays_and_is_blanked_with_the_next_link(
    country: Database, clock: Clock
) -> None:
    await linked(country, clock())
    async with country.write() as session:
        for message in (10, 14):
            await note_card(session, CHAT, message, clock())
    await end(country, clock(), but=14)
    assert await blanks(country) == [10]
    assert await cards(country) == {(CHAT, 14)}
    await linked(country, clock())
    await end(country, clock())
    assert await blanks(country) == [10, 14]


async def test_a_notice_that_became_the_card_is_taken_away(country: Database, clock: Clock) -> None:
    """A tap edits the message that it is on: an old notice may show the numbers of today."""
    await sent(country, NoticeKind.COLLEAGUE_CERTIFIED, 12, clock() - timedelta(days=3))
    await linked(country, clock())
    async with country.write() as session:
        session.add(
            Conversation(
                chat_id=CHAT,
                language=Language.THAI,
                awaiting=Awaiting.NOTHING,
                card_message_id=12,
                told_private_only=False,
            )
        )
    await end(country, clock())
    assert await blanks(country) == [12]


async def test_what_was_sent_before_the_link_began_is_not_its(country: Database, clock: Clock) -> None:
    await linked(country, clock())
    await sent(country, NoticeKind.COLLEAGUE_CERTIFIED, 12, clock())
    clock.move(days=1)
    await end(country, clock())
    clock.move(days=1)
    await linked(country, clock())
    await sent(country, NoticeKind.COLLEAGUE_CERTIFIED, 20, clock())
    await end(country, clock())
    assert await blanks(country) == [12, 20]


async def test_what_was_not_sent_yet_is_dead_and_what_concerns_the_chat_itself_is_not(
    country: Database, clock: Clock
) -> None:
    await linked(country, clock())
    states = {1: State.PENDING, 2: State.UNCERTAIN, 3: State.HELD, 4: State.SENDING, 5: State.SENT}
    async with country.write() as session:
        for subject in states:
            outbox.enqueue(session, NoticeKind.COLLEAGUE_CERTIFIED, CHAT, subject, clock())
        for number, kind in enumerate((NoticeKind.RECEIPT, NoticeKind.HANDED_OVER, NoticeKind.PIN_BLOCKED), 6):
            outbox.enqueue(session, kind, CHAT, number, clock())
        outbox.enqueue(session, NoticeKind.COLLEAGUE_CERTIFIED, COLLEAGUE, 9, clock())
        await session.flush()
        for subject, state in states.items():
            await session.execute(
                update(OutboxMessage).where(OutboxMessage.subject_id == subject).values(state=state)
            )
    await end(country, clock())
    found = {row.subject_id: (row.state, row.error) for row in await rows(country)}
    dead = (State.DEAD, outbox.LINK_ENDED)
    waiting = (State.PENDING, None)
    assert [found[subject] for subject in range(1, 10)] == [
        *(dead, dead, dead),
        *((State.SENDING, None), (State.SENT, None)),
        *(waiting, waiting, waiting, waiting),
    ]


async def test_a_message_is_blanked_once_more_only_when_the_first_time_may_have_been_too_early(
    country: Database, clock: Clock
) -> None:
    async def enqueue() -> int:
        async with country.write() as session:
            return await outbox.enqueue_blanks(session, CHAT, [10], clock())

    async def all_are(state: State) -> None:
        async with country.write() as session:
            await session.execute(update(OutboxMessage).values(state=state))

    assert [await enqueue(), await enqueue()] == [1, 0]
    await all_are(State.SENDING)
    assert [await enqueue(), await enqueue()] == [1, 0]
    async with country.write() as session:
        first = (await session.scalars(select(OutboxMessage.id).order_by(OutboxMessage.id))).first()
        assert first is not None
        await sending.drop(session, first)
    await all_are(State.SENDING)
    assert [await enqueue(), len(await blanks(country))] == [1, 2]


async def test_a_link_ends_once(country: Database, clock: Clock) -> None:
    officer = await linked(country, clock())

    async def try_to() -> bool:
        async with country.write() as session:
            found = await session.scalar(select(Officer).where(Officer.id == officer.id))
            assert found is not None
            await session.refresh(found, ["account"])
            return await unlink_officer(session, found, clock())

    assert sorted(await asyncio.gather(*(try_to() for _ in range(6)))) == [False] * 5 + [True]
    assert await events(country, Event.UNLINKED) == 1


async def test_a_message_that_is_noted_while_its_link_ends_is_blanked_by_one_of_the_two(
    country: Database, clock: Clock
) -> None:
    for message in range(10, 30):
        await linked(country, clock())
        async with country.write() as session:
            outbox.enqueue(session, NoticeKind.COLLEAGUE_CERTIFIED, CHAT, message, clock())
            await session.flush()
            row = await session.scalar(select(OutboxMessage).where(OutboxMessage.subject_id == message))
            assert row is not None
            assert await sending.mark_sending(session, [row], clock())

        async def note(row: OutboxMessage = row, message: int = message) -> None:
            async with country.write() as session:
                await take_away_late(session, CHAT, message, clock())
                await sending.mark_sent(session, row.id, message, clock())

        await asyncio.gather(note(), end(country, clock()))
        assert message in await blanks(country)


@pytest.mark.parametrize("way", ["unlink one", "unlink all", "disable"])
async def test_the_operator_ends_links_and_their_chats_are_blanked(
    country: Database, clock: Clock, way: str
) -> None:
    officer = await linked(country, clock())
    await linked(country, clock(), chat=COLLEAGUE)
    async with country.write() as session:
        for chat in (CHAT, COLLEAGUE):
            await note_card(session, chat, 10, clock())
    async with country.write() as session:
        if way == "disable":
            assert await disable_account(session, await find_account(session, LAO), clock()) == 2
        else:
            which = officer.id if way == "unlink one" else None
            ended = await account_admin.unlink(session, LAO, which, clock())
            assert officer.id in [one.id for one in ended]
    both = way != "unlink one"
    assert (await blanks(country), await blanks(country, COLLEAGUE)) == ([10], [10] if both else [])
    async with country.read() as session:
        assert len(await account_admin.account_links(session, LAO)) == (0 if both else 1)
        assert len(await account_admin.all_links(session, LAO)) == 2


# --- the beginning of a link --------------------------------------------------------------------------------


async def announced(country: Database, officer: Officer, now: datetime) -> None:
    async with country.write() as session:
        await announce_link(session, await session.merge(officer), now)


async def test_a_new_link_is_announced_once_to_the_others_of_its_account(country: Database, clock: Clock) -> None:
    await linked(country, clock())
    await linked(country, clock(), chat=503)
    await end(country, clock(), chat=503)
    await linked(country, clock(), OTHER, 504)
    new = await linked(country, clock(), chat=COLLEAGUE)
    for _ in range(2):
        await announced(country, new, clock())
    assert [(row.kind, row.chat_id, row.subject_id) for row in await rows(country)] == [
        (NoticeKind.LINKED, CHAT, new.id)
    ]


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
