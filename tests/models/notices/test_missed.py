"""What a chat did not get is told in one line, each message once."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from models.database.engine import Database
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.missed import TOLD, tell_missed
from models.notices.outbox import OutboxMessage, State

CHAT, OTHER = 501, 502
BLOCKED = "Forbidden: bot was blocked by the user"
Lost = tuple[NoticeKind, int]


async def lose(
    database: Database,
    now: datetime,
    *kinds: NoticeKind,
    chat: int = CHAT,
    error: str = BLOCKED,
    state: State = State.DEAD,
    subject: int = 1,
) -> None:
    async with database.write() as session:
        for number, kind in enumerate(kinds):
            outbox.enqueue(session, kind, chat, subject, now, occasion=f"{now}{error[:20]}{state}{number}")
        await session.flush()
        await session.execute(
            update(OutboxMessage)
            .where(OutboxMessage.state == State.PENDING, OutboxMessage.kind != NoticeKind.MISSED)
            .values(state=state, error=error)
        )


async def tell(database: Database, now: datetime, since: datetime | None = None, chat: int = CHAT) -> None:
    async with database.write() as session:
        await tell_missed(session, chat, since, now)


async def told(database: Database, chat: int = CHAT) -> list[int]:
    """How many each line says."""
    async with database.read() as session:
        lines = select(OutboxMessage.subject_id).where(
            OutboxMessage.kind == NoticeKind.MISSED, OutboxMessage.chat_id == chat
        )
        return list(await session.scalars(lines.order_by(OutboxMessage.id)))


async def test_all_are_counted_in_one_line_and_once(database: Database, now: datetime) -> None:
    await lose(database, now, NoticeKind.QUESTIONED, NoticeKind.REOPENED, NoticeKind.RECEIPT)
    await lose(database, now, NoticeKind.REOPENED, error="Chat not found")
    await lose(database, now, NoticeKind.REOPENED, chat=OTHER)
    for _ in range(2):
        await tell(database, now)
    assert await told(database) == [4]
    await lose(database, now + timedelta(hours=1), NoticeKind.ANSWERED)
    await tell(database, now + timedelta(hours=1))
    assert await told(database) == [4, 1]
    assert await told(database, OTHER) == []


async def test_a_chat_that_missed_nothing_is_told_nothing(database: Database, now: datetime) -> None:
    await tell(database, now)
    for state in (State.SENT, State.DROPPED, State.HELD):
        await lose(database, now, NoticeKind.REOPENED, state=state)
    # Dead for another reason: the chat could be written to.
    await lose(database, now, NoticeKind.REOPENED, error=outbox.LINK_ENDED)
    await lose(database, now, NoticeKind.REOPENED, error="Bad Request: message is too long")
    await tell(database, now)
    assert await told(database) == []


@pytest.mark.parametrize(
    "kind",
    [NoticeKind.BLANK, NoticeKind.REFRESH, NoticeKind.WAITING, NoticeKind.REMOVE],
    ids=lambda kind: kind.value,
)
async def test_what_is_made_up_for_is_not_missed(database: Database, now: datetime, kind: NoticeKind) -> None:
    await lose(database, now, kind)
    await tell(database, now)
    assert await told(database) == []


async def test_what_was_lost_before_the_link_began_is_nobodys_here(database: Database, now: datetime) -> None:
    await lose(database, now - timedelta(seconds=1), NoticeKind.REOPENED, NoticeKind.REOPENED)
    await lose(database, now, NoticeKind.REOPENED)
    await tell(database, now, since=now)
    assert await told(database) == [1]


async def test_a_line_that_is_lost_itself_stands_for_what_it_told_of(database: Database, now: datetime) -> None:
    await lose(database, now, NoticeKind.REOPENED, NoticeKind.QUESTIONED)
    await tell(database, now)
    async with database.write() as session:
        line = (OutboxMessage.kind == NoticeKind.MISSED, OutboxMessage.state == State.PENDING)
        await session.execute(update(OutboxMessage).where(*line).values(state=State.DEAD, error=BLOCKED))
    await lose(database, now + timedelta(hours=1), NoticeKind.ANSWERED)
    await tell(database, now + timedelta(hours=1))
    assert await told(database) == [2, 3]


async def test_the_longest_reason_still_says_that_it_was_told(database: Database, now: datetime) -> None:
    await lose(database, now, NoticeKind.REOPENED, error=BLOCKED + "x" * (300 - len(BLOCKED)))
    await tell(database, now)
    async with database.read() as session:
        reason = await session.scalar(select(OutboxMessage.error).where(OutboxMessage.kind == NoticeKind.REOPENED))
    assert reason is not None
    assert reason.startswith(BLOCKED)
    assert reason.endswith(TOLD)
    assert len(reason) <= 300
