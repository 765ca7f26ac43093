"""Marks on the live cards of a province's officers: that they show something else now
(models/province/live_card.py).

Whatever changes what a card shows calls `touch` in its own transaction: what is rolled back leaves no mark. That
only counts the change and queues a row of the outbox, where none waits; what is to be done is decided when it has
its turn.

The card's row is held by whoever marks it and by the courier while it looks. A change that comes during the look
therefore finds the queued row taken, and queues another.
"""

import enum
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import (
    BigInteger,
    Select,
    and_,
    bindparam,
    case,
    exists,
    false,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from models.accounts.account import Account, Officer
from models.base.clocks import is_ahead
from models.base.tables import insert_of
from models.chats.conversation import Card
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from models.notices.tables import ProvinceCard

# At most one edit in so long.
EDIT_EVERY = timedelta(seconds=3)
# Below every certificate's number: all that waits is new.
ALL_IS_NEW = 0


async def touch(session: AsyncSession, province_code: str, now: datetime, *, arrived: int | None = None) -> None:
    """The cards of a province show something else from now on; last in a transaction, for it holds their rows.

    `arrived` is the certificate of an organization that waits now: only such news may ring.
    """
    await _touch(session, now, _Whose.OF_PROVINCE, province_code, arrived)


async def touch_all(session: AsyncSession, now: datetime) -> None:
    """The cards of all provinces show something else: a round was opened or closed."""
    await _touch(session, now, _Whose.ALL)


async def touch_own(session: AsyncSession, officer: Officer, now: datetime) -> None:
    """The card of one officer shows something else, or may ring at other times."""
    await _touch(session, now, _Whose.OF_OFFICER, officer.id)


async def begin(session: AsyncSession, officer: Officer, now: datetime) -> None:
    """An officer is linked and ready. What waits already is new to it: its card comes at once, so that all that
    follows is an edit.
    """
    await _touch(session, now, _Whose.OF_OFFICER, officer.id, ALL_IS_NEW)


async def _touch(
    session: AsyncSession, now: datetime, whose: "_Whose", of: str | int | None = None, arrived: int | None = None
) -> None:
    """Mark the cards, in order of officer, and queue a change of each that has none waiting."""
    statement = _marking(session.get_bind().dialect.name, whose)
    marked = await session.scalars(statement, {"arrived": arrived} | ({} if of is None else {"of": of}))
    await queue_changes(session, list(marked), now)


class _Whose(enum.Enum):
    """Whose cards are marked: those of the province `of`, everybody's, or that of the officer `of`."""

    OF_PROVINCE = enum.auto()
    ALL = enum.auto()
    OF_OFFICER = enum.auto()


@cache
def _marking(database: str, whose: _Whose) -> ReturningInsert[int]:
    conditions = {
        _Whose.OF_PROVINCE: Account.province_code == bindparam("of"),
        _Whose.ALL: Account.province_code.is_not(None),
        _Whose.OF_OFFICER: and_(Account.province_code.is_not(None), Officer.id == bindparam("of")),
    }
    cards = (
        select(Officer.id, literal(1), false(), bindparam("arrived", type_=BigInteger))
        .join(Account, Account.id == Officer.account_id)
        .where(conditions[whose], Officer.unlinked_at.is_(None), Officer.position.is_not(None))
        .order_by(Officer.id)
    )
    # On the table: SQLAlchemy takes what an insert of objects is executed with for their columns.
    made = insert_of(database, ProvinceCard.core()).from_select(
        ["officer_id", "changes", "shows_waiting", "new_from"], cards
    )
    lower = or_(ProvinceCard.new_from.is_(None), ProvinceCard.new_from > made.excluded.new_from)
    statement: ReturningInsert[int] = made.on_conflict_do_update(
        index_elements=[ProvinceCard.officer_id],
        set_={
            "changes": ProvinceCard.changes + 1,
            "new_from": case((lower, made.excluded.new_from), else_=ProvinceCard.new_from),
        },
    ).returning(ProvinceCard.officer_id)
    return statement


async def queue_changes(session: AsyncSession, officer_ids: list[int], now: datetime) -> None:
    """Queue a change of each of the cards, which are held, unless one waits already."""
    found = await session.execute(_without_change(), {"officers": officer_ids})
    for card, chat_id in found.all():
        next_edit = now if card.edited_at is None else card.edited_at + EDIT_EVERY
        due = now if is_ahead(next_edit, EDIT_EVERY, now) else max(now, next_edit)
        enqueue(session, NoticeKind.REFRESH, card, chat_id, now, due)
    await session.flush()


@cache
def _without_change() -> Select[*tuple[ProvinceCard, int]]:
    """The cards of `officers` of which no change waits, as they are now, each with its chat."""
    waiting = exists().where(
        OutboxMessage.kind == NoticeKind.REFRESH,
        OutboxMessage.subject_id == ProvinceCard.officer_id,
        literal_column(outbox.WAITS),
    )
    return (
        select(ProvinceCard, Officer.user_id)
        .join(Officer, Officer.id == ProvinceCard.officer_id)
        .where(ProvinceCard.officer_id.in_(bindparam("officers", expanding=True)), ~waiting)
        .order_by(ProvinceCard.officer_id)
        .execution_options(populate_existing=True)
    )


def enqueue(
    session: AsyncSession, kind: NoticeKind, card: ProvinceCard, chat_id: int, now: datetime, due: datetime
) -> None:
    """Queue a change or a ring of a card that is held."""
    # Each of its rows has a number of its own.
    card.changes += 1
    outbox.enqueue(session, kind, chat_id, card.officer_id, now, occasion=str(card.changes), due_at=due)


async def hold_card(session: AsyncSession, officer_id: int) -> ProvinceCard | None:
    """An officer's card as it is now, held until the transaction ends."""
    return await session.scalar(_held(), {"officer": officer_id})


@cache
def _held() -> Select[ProvinceCard]:
    return (
        select(ProvinceCard)
        .where(ProvinceCard.officer_id == bindparam("officer"))
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def look(
    session: AsyncSession,
    officer: Officer,
    card: ProvinceCard,
    message_id: int | None,
    now: datetime,
    *,
    is_idle: bool,
) -> bool:
    """The officer has tapped or written: what rang before has been seen, unless its session is idle. Whether the
    message that it tapped is its live card.
    """
    is_news = card.rung_at is not None and (officer.last_seen_at is None or officer.last_seen_at <= card.rung_at)
    if is_news and not is_idle:
        officer.last_seen_at = now
        await session.flush()
    if message_id is None or card.message_id == message_id:
        return message_id is not None
    # A thumb may be quicker than the note that the new card has arrived.
    return card.telling_from is not None and await _is_new_card(session, officer, message_id)


async def _is_new_card(session: AsyncSession, officer: Officer, message_id: int) -> bool:
    """Whether a message of which `look`'s card does not know is the new one: that was noted since, or nothing was.

    One statement: between two, the note could make the message known, and its card was read before.
    """
    noted = exists().where(OutboxMessage.chat_id == officer.user_id, OutboxMessage.message_id == message_id)
    shown = exists().where(Card.chat_id == officer.user_id, Card.message_id == message_id)
    is_new = or_(ProvinceCard.message_id == message_id, ~or_(noted, shown))
    return bool(await session.scalar(select(is_new).where(ProvinceCard.officer_id == officer.id)))


async def plan_anew(session: AsyncSession, officer: Officer, now: datetime) -> None:
    """The officer has chosen other times: when the card is to ring next is decided again."""
    await touch_own(session, officer, now)
    card = await hold_card(session, officer.id)
    if card is not None:
        card.ring_at = None
        await session.flush()
