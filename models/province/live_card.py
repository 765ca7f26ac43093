"""The one live card of a province's officer: what waits for the province, edited in place, rarely a new message.

Whatever changes what the card shows marks it (models/notices/card_marks.py). What is to be done is decided here,
when the mark has its turn, from the state then: edit the message in place, replace it by a new one, which makes
the phone ring, or nothing. So a burst of certificates is one edit.
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

# At most one ring in so long: 200 certificates in ten minutes may ring twelve times at most.
RING_EVERY = timedelta(seconds=60)
NOTHING = timedelta(0)
# A message can be deleted for 48 hours (Bot API, deleteMessage): news replaces a card that is about as old.
LASTS = timedelta(hours=47)
# As many names as a phone shows without scrolling.
NEWEST = 5


@dataclass(frozen=True)
class WaitingOrganization:
    """One that has certified and waits for its province; `certificate` is the id of its own."""

    name: ButtonName
    certificate: int


@dataclass(frozen=True)
class Showing:
    """What a card says: the newest round, the province's counts, and the newest that wait, newest first.

    `message_id` is the message to be edited; None: it is a new one.
    """

    round: Round | None
    counts: ProvinceCounts
    newest: list[WaitingOrganization]
    message_id: int | None

    @property
    def waiting(self) -> int:
        """How many wait for the province."""
        return self.counts.waiting


# --- before the call ----------------------------------------------------------------------------------------


async def decide(session: AsyncSession, message: OutboxMessage, now: datetime) -> Showing | datetime | None:
    """A queued edit or ring has its turn: what the card is to show, the time until which the message must wait, or
    None when there is nothing to send.

    Call it in the transaction that takes the message from the outbox; the call is made after that, and then
    `ended`.
    """
    card, shown = await _look(session, message.subject_id)
    if card is None or shown is None:
        return None
    if card.rung_at is not None and is_ahead(card.rung_at, NOTHING, now):
        # It rang under a clock that was ahead: whether the officer has looked since cannot be told.
        card.rung_at = None
    card.ring_at, is_told_by_edit = await _plan_ring(session, card, shown, now)
    match message.kind:
        case NoticeKind.REFRESH:
            return await _decide_edit(session, message.chat_id, card, shown, now, is_told=is_told_by_edit)
        case NoticeKind.WAITING:
            return await _decide_ring(session, card, shown, now)
        case _:
            raise ValueError(f"{message.kind} is no message of the live card")


async def _decide_edit(
    session: AsyncSession, chat_id: int, card: ProvinceCard, shown: Showing, now: datetime, *, is_told: bool
) -> Showing | None:
    """Whether the message is edited; a ring that is due now or later is queued. `is_told`: the edit tells the
    news.
    """
    if card.ring_at is not None:
        await _queue_ring(session, card, chat_id, now)
    if not shown.waiting:
        card.new_from = card.telling_from = None
    if card.message_id is None or (card.ring_at is not None and card.ring_at <= now):
        await session.flush()
        return None
    card.edited_at, card.shows_waiting = now, shown.waiting > 0
    if is_told:
        _begin_telling(card)
    await session.flush()
    return shown


async def _decide_ring(
    session: AsyncSession, card: ProvinceCard, shown: Showing, now: datetime
) -> Showing | datetime | None:
    """Whether a new message is sent, or when; None when there is no reason for it any more."""
    if card.ring_at is not None and card.ring_at <= now:
        _begin_telling(card)
    await session.flush()
    if card.ring_at is None:
        return None
    return replace(shown, message_id=None) if card.ring_at <= now else card.ring_at


async def _look(session: AsyncSession, officer_id: int) -> tuple[ProvinceCard | None, Showing | None]:
    """The card, held for the rest of the transaction, and what it should show: all that was committed before."""
    held = (await session.execute(_card_and_province(), {"officer": officer_id})).first()
    card, province = held or (None, None)
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
    """The card of the officer `officer`, if that is linked, as it is now, and its province."""
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
    found, made = province_organizations(province_code, round_id), aliased(Certification)
    certificate = (
        select(func.max(made.id))
        .where(
            made.organization_code == found.c.dla_code,
            made.round_id == round_id,
            made.level == Level.LAO,
            is_live(made),
        )
        .correlate(found)
        .scalar_subquery()
    )
    return (
        select(found, has_namesake(found.c).label("has_namesake"), certificate.label("certificate"))
        .where(is_waiting(found))
        .order_by(literal_column("certificate").desc())
        .limit(NEWEST)
    )


async def _plan_ring(
    session: AsyncSession, card: ProvinceCard, shown: Showing, now: datetime
) -> tuple[datetime | None, bool]:
    """When the card is to ring (None: not at all), and whether an edit is enough to tell the news."""
    if not _has_news(card, shown):
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


def _has_news(card: ProvinceCard, shown: Showing) -> bool:
    """Whether something waits that the officer was not told of."""
    untold = [number for number in (card.new_from, card.telling_from) if number is not None]
    return bool(untold and shown.newest and shown.newest[0].certificate >= min(untold))


def is_unread(card: ProvinceCard, seen_at: datetime | None, now: datetime) -> bool:
    """Whether a card that says that something waits has rung, and its officer has not looked since: then another
    ring would say nothing new.
    """
    if card.message_id is None or not card.shows_waiting or card.rung_at is None or now - card.rung_at > LASTS:
        return False
    return seen_at is None or seen_at <= card.rung_at


def ring_time(card: ProvinceCard, preference: Preference, now: datetime) -> datetime | None:
    """When news rings: as planned before, else at the preference's next time, and never within RING_EVERY."""
    earliest = now if card.rung_at is None else max(now, card.rung_at + RING_EVERY)
    planned = next_time(preference, earliest)
    if card.ring_at is not None and planned is not None:
        # A plan that has come true holds, one for later is the same; what lies beyond was planned by a clock that
        # was ahead.
        planned = min(card.ring_at, planned)
    # The courier may have been away: its first moment may be in quiet hours.
    return quiet_end(preference, now) if planned is not None and planned <= now else planned


def _begin_telling(card: ProvinceCard) -> None:
    """The call that follows tells all the news; what comes while it is made is new again."""
    told = [number for number in (card.new_from, card.telling_from) if number is not None]
    card.telling_from, card.new_from = min(told, default=None), None


async def _queue_ring(session: AsyncSession, card: ProvinceCard, chat_id: int, now: datetime) -> None:
    """Unless one waits that comes early enough; one that comes too late finds no reason any more."""
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
    """The call that `decide` was asked about was made. `new_message_id`: what a ring has sent. `is_gone`: the
    message that was to be edited is not in the chat any more.
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
    """A message that its officer has deleted is forgotten; news that it should have told may ring."""
    if is_gone:
        card.message_id, card.shows_waiting = None, False
        await session.flush()
        await queue_changes(session, [card.officer_id], now)
    else:
        card.telling_from = None
        await session.flush()


async def _rung(session: AsyncSession, card: ProvinceCard, chat_id: int, message_id: int, now: datetime) -> None:
    """A new message has arrived: it is the card from now on, and the old one goes."""
    if card.message_id is not None:
        outbox.enqueue(session, NoticeKind.REMOVE, chat_id, card.message_id, now)
    card.message_id, card.shows_waiting = message_id, True
    card.rung_at = card.edited_at = now
    card.telling_from = card.ring_at = None
    await session.flush()
