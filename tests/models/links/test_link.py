"""Links that begin are announced; links that end leave nothing readable in their chat."""

import asyncio
from datetime import datetime, timedelta

from sqlalchemy import select, update

from models.accounts.account import Officer, active_officer
from models.audit.event_chain import Event
from models.chats.conversation import Awaiting, Card, Conversation, Language, note_card
from models.database.engine import Database
from models.links.link import take_away_late, unlink_officer
from models.notices import outbox, sending
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from tests.models.links.chats import CHAT, COLLEAGUE, OTHER, announced, blanks, events, linked, rows
from tests.support import Clock


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


async def cards(country: Database) -> set[tuple[int, int]]:
    async with country.read() as session:
        return {(card.chat_id, card.message_id) for card in await session.scalars(select(Card))}


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


# --- the beginning of a link --------------------------------------------------------------------------------


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
