"""The live card of a province officer: one message with what waits for the province, usually edited in place.

Operations that change what the card shows mark it (models/notices/card_marks.py). When the courier reaches the
mark, `decide` chooses from the state at that moment: edit the message, replace it by a new one (which makes the
phone ring), or do nothing. A burst of certificates therefore causes one edit.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from models.accounts.account import Account, Officer
from models.base.clocks import is_ahead
from models.certification.certificate import Certification, Level, is_live
from models.notices import outbox
from models.notices.card_marks import enqueue, hold_card, queue_changes
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from models.notices.tables import ProvinceCard, Rhythm
from models.notices.timing import Preference, load_preference, next_time, quiet_end
from models.organizations.organization import Province, has_namesake
from models.province.progress import (
    ButtonName,
    ProvinceCounts,
    count_statuses_in,
    is_waiting,
    province_organizations,
)
from models.rounds.round import Round, current_round

# Minimum interval between two rings: 200 certificates within ten minutes ring about ten times.
RING_EVERY = timedelta(seconds=60)
NOTHING = timedelta(0)
# Telegram deletes messages for 48 hours (Bot API, deleteMessage): a new message replaces a card of nearly that
# age.
LASTS = timedelta(hours=47)
# How many names the card shows: as many as fit a phone's screen without scrolling.
NEWEST = 5


@dataclass(frozen=True)
class WaitingOrganization:
    """An organization that waits for its province. `certificate` is the id of its LAO's certificate."""

    name: ButtonName
    certificate: int


@dataclass(frozen=True)
class Showing:
    """The content of a card: the newest round, the province's counts, and up to NEWEST waiting ones, newest first.

    `message_id` is the message to edit; None to send a new one.
    """

    round: Round | None
    counts: ProvinceCounts
    newest: list[WaitingOrganization]
    message_id: int | None

    @property
    def waiting(self) -> int:
        """How many organizations wait for the province."""
        return self.counts.waiting


# --- before the call ----------------------------------------------------------------------------------------


async def decide(session: AsyncSession, message: OutboxMessage, now: datetime) -> Showing | datetime | None:
    """Decide what to do with a due REFRESH or WAITING message of the outbox.

    Returns the content to show, the time until which the message must wait, or None if there is nothing to send.
    The courier calls this in the transaction that takes the message from the outbox, then calls Telegram, then
    `ended`. Locks the card's row. Raises ValueError for another kind.
    """
    card, showing = await _look(session, message.subject_id)
    if card is None or showing is None:
        return None
    if card.rung_at is not None and is_ahead(card.rung_at, NOTHING, now):
        # A clock that was ahead stored this time, so it does not tell whether the officer has looked since.
        card.rung_at = None
    card.ring_at, is_edit_enough = await _plan_ring(session, card, showing, now)
    match message.kind:
        case NoticeKind.REFRESH:
            return await _decide_edit(session, message.chat_id, card, showing, now, shows_news=is_edit_enough)
        case NoticeKind.WAITING:
            return await _decide_ring(session, card, showing, now)
        case _:
            raise ValueError(f"{message.kind} is no message of the live card")


async def _decide_edit(
    session: AsyncSession, chat_id: int, card: ProvinceCard, showing: Showing, now: datetime, *, shows_news: bool
) -> Showing | None:
    """Return the content of the edit, or None for no edit. Enqueues the planned ring.

    `shows_news`: the officer learns the news by this edit, without a ring.
    """
    if card.ring_at is not None:
        await _queue_ring(session, card, chat_id, now)
    if not showing.waiting:
        card.new_from = card.telling_from = None
    if card.message_id is None or (card.ring_at is not None and card.ring_at <= now):
        await session.flush()
        return None
    card.edited_at, card.shows_waiting = now, showing.waiting > 0
    if shows_news:
        _begin_telling(card)
    await session.flush()
    return showing


async def _decide_ring(
    session: AsyncSession, card: ProvinceCard, showing: Showing, now: datetime
) -> Showing | datetime | None:
    """Return the content of the new message, the time at which to ring instead, or None for no reason to ring."""
    if card.ring_at is not None and card.ring_at <= now:
        _begin_telling(card)
    await session.flush()
    if card.ring_at is None:
        return None
    return replace(showing, message_id=None) if card.ring_at <= now else card.ring_at


async def _look(session: AsyncSession, officer_id: int) -> tuple[ProvinceCard | None, Showing | None]:
    """Lock an officer's card for the rest of the transaction. Returns it with its content, read after the lock.

    The card is None if it or the officer's link is gone; the content is None if the province has no organizations.
    """
    row = (await session.execute(_card_and_province(), {"officer": officer_id})).first()
    card, province = row or (None, None)
    if card is None or province is None:
        return None, None
    round_ = await current_round(session)
    counts = await count_statuses_in(session, round_, province)
    if not counts:
        return card, None
    newest = await _newest_waiting(session, counts[0].province, round_)
    return card, Showing(round_, counts[0], newest, card.message_id)


@cache
def _card_and_province() -> Select[*tuple[ProvinceCard, str | None]]:
    """Select the card of the linked officer `:officer` (FOR UPDATE, reloaded) and the officer's province code."""
    return (
        select(ProvinceCard, Account.province_code)
        .join(Officer, Officer.id == ProvinceCard.officer_id)
        .join(Account, Account.id == Officer.account_id)
        .where(
            ProvinceCard.officer_id == bindparam("officer"),
            Officer.unlinked_at.is_(None),
        )
        .with_for_update(of=ProvinceCard)
        .execution_options(populate_existing=True)
    )


async def _newest_waiting(
    session: AsyncSession, province: Province, round_: Round | None
) -> list[WaitingOrganization]:
    if round_ is None:
        return []
    rows = await session.execute(_waiting_statement(province.code, round_.id))
    return [WaitingOrganization(ButtonName.of(row, province), row.certificate) for row in rows]


@cache
def _waiting_statement(province_code: str, round_id: int) -> Select[*tuple[Any, ...]]:
    organizations, certification = province_organizations(province_code, round_id), aliased(Certification)
    certificate = (
        select(func.max(certification.id))
        .where(
            certification.organization_code == organizations.c.dla_code,
            certification.round_id == round_id,
            certification.level == Level.LAO,
            is_live(certification),
        )
        .correlate(organizations)
        .scalar_subquery()
    )
    return (
        select(
            organizations,
            has_namesake(organizations.c).label("has_namesake"),
            certificate.label("certificate"),
        )
        .where(is_waiting(organizations))
        .order_by(literal_column("certificate").desc())
        .limit(NEWEST)
    )


async def _plan_ring(
    session: AsyncSession, card: ProvinceCard, showing: Showing, now: datetime
) -> tuple[datetime | None, bool]:
    """Return when the card will ring (None: not at all), and whether an edit is enough to show the news."""
    if not _has_news(card, showing):
        return None, True
    preference = await load_preference(session, card.officer_id)
    if preference.rhythm is Rhythm.OFF:
        return None, True
    seen_at = await session.scalar(_seen(), {"officer": card.officer_id})
    if preference.rhythm is Rhythm.AT_ONCE and is_unread(card, seen_at, now):
        return None, True
    return ring_time(card, preference, now), False


@cache
def _seen() -> Select[datetime | None]:
    return select(Officer.last_seen_at).where(Officer.id == bindparam("officer"))


def _has_news(card: ProvinceCard, showing: Showing) -> bool:
    """Return whether an organization waits that is still news to the officer."""
    news_from = [certificate for certificate in (card.new_from, card.telling_from) if certificate is not None]
    return bool(news_from and showing.newest and showing.newest[0].certificate >= min(news_from))


def is_unread(card: ProvinceCard, seen_at: datetime | None, now: datetime) -> bool:
    """Return whether the card has rung and its officer has not looked since, so that another ring would say
    nothing new. `seen_at` is the officer's last look. False for a card older than LASTS or one that shows nothing
    waiting.
    """
    if card.message_id is None or not card.shows_waiting or card.rung_at is None or now - card.rung_at > LASTS:
        return False
    return seen_at is None or seen_at <= card.rung_at


def ring_time(card: ProvinceCard, preference: Preference, now: datetime) -> datetime | None:
    """Return when news rings: the earlier of the existing plan and the preference's next time.

    At least RING_EVERY after the last ring, and never in quiet hours. None if the preference allows no ring.
    """
    earliest = now if card.rung_at is None else max(now, card.rung_at + RING_EVERY)
    planned = next_time(preference, earliest)
    if card.ring_at is not None and planned is not None:
        # A plan that is due stays due. A later plan equals the next time, unless a clock that was ahead made it.
        planned = min(card.ring_at, planned)
    # After a pause of the courier, a due plan may meet quiet hours.
    return quiet_end(preference, now) if planned is not None and planned <= now else planned


def _begin_telling(card: ProvinceCard) -> None:
    """Mark all news as shown by the call that follows. Changes during the call count as news again."""
    news_from = [certificate for certificate in (card.new_from, card.telling_from) if certificate is not None]
    card.telling_from, card.new_from = min(news_from, default=None), None


async def _queue_ring(session: AsyncSession, card: ProvinceCard, chat_id: int, now: datetime) -> None:
    """Enqueue the planned ring, unless one is pending that is due by then.

    A pending ring that is due later stays: at its turn `decide` finds no reason left.
    """
    due = max(card.ring_at or now, now)
    if await session.scalar(_earlier_ring(), {"officer": card.officer_id, "due": due}) is None:
        enqueue(session, NoticeKind.WAITING, card, chat_id, now, due)


@cache
def _earlier_ring() -> Select[int]:
    return (
        select(OutboxMessage.id)
        .where(
            OutboxMessage.kind == NoticeKind.WAITING,
            OutboxMessage.subject_id == bindparam("officer"),
            literal_column(outbox.WAITS),
            OutboxMessage.due_at <= bindparam("due"),
        )
        .limit(1)
    )


# --- after the call -----------------------------------------------------------------------------------------


async def ended(
    session: AsyncSession,
    message: OutboxMessage,
    new_message_id: int | None,
    now: datetime,
    *,
    is_gone: bool = False,
) -> None:
    """Record the outcome of the call that followed `decide`.

    `new_message_id`: the message that a ring has sent, None if it failed. `is_gone`: the message to edit no longer
    exists in the chat. Raises ValueError for a kind that is not the live card's.
    """
    card = await hold_card(session, message.subject_id)
    if card is None:
        return
    match message.kind:
        case NoticeKind.REFRESH:
            await _edited(session, card, now, is_gone=is_gone)
        case NoticeKind.WAITING:
            if new_message_id is not None:
                await _rung(session, card, message.chat_id, new_message_id, now)
        case _:
            raise ValueError(f"{message.kind} is no message of the live card")


async def _edited(session: AsyncSession, card: ProvinceCard, now: datetime, *, is_gone: bool) -> None:
    """Record an edit. If the officer had deleted the message, forget it: the news may ring."""
    if is_gone:
        card.message_id, card.shows_waiting = None, False
        await session.flush()
        await queue_changes(session, [card.officer_id], now)
    else:
        card.telling_from = None
        await session.flush()


async def _rung(session: AsyncSession, card: ProvinceCard, chat_id: int, message_id: int, now: datetime) -> None:
    """Record that a new message arrived: it becomes the card, and the removal of the old one is enqueued."""
    if card.message_id is not None:
        outbox.enqueue(session, NoticeKind.REMOVE, chat_id, card.message_id, now)
    card.message_id, card.shows_waiting = message_id, True
    card.rung_at = card.edited_at = now
    card.telling_from = card.ring_at = None
    await session.flush()
