"""Marks on the live cards of province officers: the card's content has changed (models/province/live_card.py).

Every operation that changes what a card shows calls `touch` in its own transaction, so that a rollback leaves no
mark. `touch` increments the card's version and enqueues one refresh if none is pending. The courier decides later
whether to edit or to ring (`decide`).

Both `touch` and the courier's `decide` lock the card's row. A change during `decide` therefore waits, sees that
the refresh is being sent, and enqueues another.
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

# Minimum interval between two edits of a card.
EDIT_EVERY = timedelta(seconds=3)
# Below every certificate's id, so that every waiting organization is news.
ALL_IS_NEW = 0


async def touch(session: AsyncSession, province_code: str, now: datetime, *, arrived: int | None = None) -> None:
    """Mark the cards of a province's officers as changed. Call it last in a transaction: it locks the cards' rows.

    `arrived` is the id of the certificate of an organization that began to wait. Only such news may ring.
    """
    await _touch(session, now, _Whose.OF_PROVINCE, province_code, arrived)


async def touch_all(session: AsyncSession, now: datetime) -> None:
    """Mark the cards of all provinces as changed: a round was opened or closed."""
    await _touch(session, now, _Whose.ALL)


async def touch_own(session: AsyncSession, officer: Officer, now: datetime) -> None:
    """Mark the card of one officer as changed: its content, or the times at which it may ring."""
    await _touch(session, now, _Whose.OF_OFFICER, officer.id)


async def begin(session: AsyncSession, officer: Officer, now: datetime) -> None:
    """Create the card of an officer who has just been linked and is ready.

    All organizations that already wait count as news, so that the card is sent at once and later changes are
    edits.
    """
    await _touch(session, now, _Whose.OF_OFFICER, officer.id, ALL_IS_NEW)


async def _touch(
    session: AsyncSession,
    now: datetime,
    whose: "_Whose",
    owner: str | int | None = None,
    arrived: int | None = None,
) -> None:
    """Mark the cards, in order of officer id, and enqueue a refresh of each card that has none pending.

    `owner`: the province code or the officer id that `whose` refers to.
    """
    statement = _marking(session.get_bind().dialect.name, whose)
    marked = await session.scalars(statement, {"arrived": arrived} | ({} if owner is None else {"of": owner}))
    await queue_changes(session, list(marked), now)


class _Whose(enum.Enum):
    """Whose cards are marked: those of the province `:of`, everybody's, or that of the officer `:of`."""

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
    # On the Core table: for an ORM insert, SQLAlchemy takes the execution parameters for column values.
    insertion = insert_of(database, ProvinceCard.core()).from_select(
        ["officer_id", "changes", "shows_waiting", "new_from"], cards
    )
    lower = or_(ProvinceCard.new_from.is_(None), ProvinceCard.new_from > insertion.excluded.new_from)
    statement: ReturningInsert[int] = insertion.on_conflict_do_update(
        index_elements=[ProvinceCard.officer_id],
        set_={
            "changes": ProvinceCard.changes + 1,
            "new_from": case((lower, insertion.excluded.new_from), else_=ProvinceCard.new_from),
        },
    ).returning(ProvinceCard.officer_id)
    return statement


async def queue_changes(session: AsyncSession, officer_ids: list[int], now: datetime) -> None:
    """Enqueue a refresh of each officer's card that has none pending. The caller holds the locks on the cards."""
    cards = await session.execute(_without_change(), {"officers": officer_ids})
    for card, chat_id in cards.all():
        next_edit = now if card.edited_at is None else card.edited_at + EDIT_EVERY
        due = now if is_ahead(next_edit, EDIT_EVERY, now) else max(now, next_edit)
        enqueue(session, NoticeKind.REFRESH, card, chat_id, now, due)
    await session.flush()


@cache
def _without_change() -> Select[*tuple[ProvinceCard, int]]:
    """Select the cards of `:officers` without a pending refresh, reloaded, each with its chat id."""
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
    """Enqueue an edit or a ring of a card, due at `due`. The caller holds the lock on the card."""
    # Each outbox row of the card gets a dedupe key of its own.
    card.changes += 1
    outbox.enqueue(session, kind, chat_id, card.officer_id, now, occasion=str(card.changes), due_at=due)


async def hold_card(session: AsyncSession, officer_id: int) -> ProvinceCard | None:
    """Lock an officer's card until the transaction ends, and return it reloaded; None if there is none."""
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
    """Note that the officer has tapped or written, and so has seen what rang before, unless the session is idle.

    Returns whether the tapped message `message_id` is the officer's live card.
    """
    is_news = card.rung_at is not None and (officer.last_seen_at is None or officer.last_seen_at <= card.rung_at)
    if is_news and not is_idle:
        officer.last_seen_at = now
        await session.flush()
    if message_id is None or card.message_id == message_id:
        return message_id is not None
    # The officer may tap a new card before the courier has stored its message id.
    return card.telling_from is not None and await _is_new_card(session, officer, message_id)


async def _is_new_card(session: AsyncSession, officer: Officer, message_id: int) -> bool:
    """Return whether a message that is not the card read by `look` is its successor: the card has been updated to
    it since, or neither the outbox nor the chat's cards know the message yet.

    One statement, because the courier could store the message id between two.
    """
    noted = exists().where(OutboxMessage.chat_id == officer.user_id, OutboxMessage.message_id == message_id)
    is_screen = exists().where(Card.chat_id == officer.user_id, Card.message_id == message_id)
    is_new = or_(ProvinceCard.message_id == message_id, ~or_(noted, is_screen))
    return bool(await session.scalar(select(is_new).where(ProvinceCard.officer_id == officer.id)))


async def plan_anew(session: AsyncSession, officer: Officer, now: datetime) -> None:
    """Decide anew when the card rings next, because the officer has changed the notice preference."""
    await touch_own(session, officer, now)
    card = await hold_card(session, officer.id)
    if card is not None:
        card.ring_at = None
        await session.flush()
