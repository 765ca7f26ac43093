"""Messages on their way into the outbox: each cause once, and with its transaction."""

from sqlalchemy import select, update

from models.database.engine import Database
from models.notices import outbox, sending
from models.notices.outbox import OutboxMessage, State
from tests.models.links.chats import CHAT, blanks
from tests.support import Clock


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
