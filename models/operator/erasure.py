"""Erasing an officer's chat data when the law requires it (Personal Data Protection Act B.E. 2562, section 33).

The data that the bot stores to talk with the person is erased. What must remain, and why, is in docs/security.md,
"What an officer's erasure leaves".
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.accounts import throttle
from models.accounts.account import Officer
from models.accounts.pin import Keypad
from models.audit import event_chain
from models.audit.repeated import forget_repeated
from models.base.errors import DomainError
from models.certification.certificate import Certification
from models.certification.remark import Remark
from models.chats.conversation import Card, Conversation
from models.chats.inbox import InboxUpdate
from models.links.link import unlink_officer
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.notices.tables import drop_card_and_preference
from models.province.listing import Listing
from models.province.visit import Visit
from models.register.draft import drop_draft

MAX_TEXT = 1000


class UnknownOfficer(DomainError):
    """There is no officer with this id."""

    def __init__(self, officer_id: int) -> None:
        super().__init__(f"there is no officer {officer_id}; see: laocert account links USERNAME --all")


async def require_officer(session: AsyncSession, officer_id: int) -> None:
    """Raise UnknownOfficer when there is no officer with this id."""
    if await session.get(Officer, officer_id) is None:
        raise UnknownOfficer(officer_id)


class AlreadyForgotten(DomainError):
    """The officer's data was erased before."""

    def __init__(self, officer_id: int) -> None:
        super().__init__(f"officer {officer_id} has been forgotten already")


class ErasureRefused(DomainError):
    """The name or the reason for an erasure, which are recorded permanently, is empty or too long."""

    def __init__(self, option: str) -> None:
        super().__init__(f"{option} must say something, in at most {MAX_TEXT:,} letters; it is recorded for good")


@dataclass(frozen=True)
class Erasure:
    """The result of an erasure, and what remains of the person.

    `was_linked` says that the erasure ended an active link. `is_linked_elsewhere` says that the person has another
    active link, so that the chat's data was not erased. `blanks` is the number of messages still to be blanked in
    the chat. `other_rows` are the ids of the person's other officers. `certificates` and `remarks` are the numbers
    of rows that keep the person's name permanently.
    """

    officer_id: int
    was_linked: bool
    is_linked_elsewhere: bool
    blanks: int
    other_rows: list[int]
    certificates: int
    remarks: int


async def forget_officer(session: AsyncSession, officer_id: int, by: str, reason: str, now: datetime) -> Erasure:
    """Erase an officer's name, position, PIN and Telegram user id, and the data of the chat.

    An active link is ended, which blanks the chat's messages; until that is done, the pending blanks remain. `by`
    and `reason` are recorded. Raises UnknownOfficer, AlreadyForgotten, ErasureRefused.
    """
    by, reason = _words("--by", by), _words("--reason", reason)
    officer = await session.scalar(
        select(Officer)
        .where(Officer.id == officer_id)
        .options(joinedload(Officer.account))
        .with_for_update(of=Officer)
    )
    if officer is None:
        raise UnknownOfficer(officer_id)
    if officer.user_id == nobody(officer):
        raise AlreadyForgotten(officer_id)
    person = officer.user_id
    was_linked = await unlink_officer(session, officer, now, by="operator")
    others = await session.scalars(
        select(Officer).where(Officer.user_id == person, Officer.id != officer.id).order_by(Officer.id)
    )
    other_officers = list(others)
    is_linked_elsewhere = any(row.unlinked_at is None for row in other_officers)
    if not is_linked_elsewhere:
        await _erase_chat(session, person)
        await forget_repeated(session, person)
    await session.execute(delete(Listing).where(Listing.officer_id == officer.id))
    await session.execute(delete(Visit).where(Visit.officer_id == officer.id))
    await drop_draft(session, officer.id)
    await drop_card_and_preference(session, officer.id)
    officer.full_name = officer.position = officer.pin_hash = None
    officer.may_set_pin_until = officer.last_seen_at = None
    officer.user_id = nobody(officer)
    await session.flush()
    await event_chain.record(
        session, event_chain.Event.FORGOTTEN, officer.account.unit, now, officer=officer.id, by=by, reason=reason
    )
    return Erasure(
        officer_id=officer.id,
        was_linked=was_linked,
        is_linked_elsewhere=is_linked_elsewhere,
        blanks=await _count(
            session,
            select(OutboxMessage.id).where(
                OutboxMessage.chat_id == person, OutboxMessage.kind == NoticeKind.BLANK
            ),
        ),
        other_rows=[row.id for row in other_officers],
        certificates=await _count(session, select(Certification.id).where(Certification.officer_id == officer.id)),
        remarks=await _count(session, select(Remark.id).where(Remark.officer_id == officer.id)),
    )


async def _erase_chat(session: AsyncSession, user_id: int) -> None:
    """Delete all rows with the Telegram user id, except pending blanks."""
    pending_states = (State.PENDING, State.SENDING, State.UNCERTAIN)
    for statement in (
        delete(Conversation).where(Conversation.chat_id == user_id),
        delete(Card).where(Card.chat_id == user_id),
        delete(Keypad).where(Keypad.user_id == user_id),
        delete(throttle.Throttle).where(
            throttle.Throttle.key.in_([throttle.chat_key(user_id), throttle.pin_key(user_id)])
        ),
        delete(OutboxMessage).where(
            OutboxMessage.chat_id == user_id,
            or_(OutboxMessage.kind != NoticeKind.BLANK, OutboxMessage.state.not_in(pending_states)),
        ),
        delete(InboxUpdate).where(InboxUpdate.sender == user_id),
    ):
        await session.execute(statement)


async def _count(session: AsyncSession, statement: Select[int]) -> int:
    return await session.scalar(select(func.count()).select_from(statement.subquery())) or 0


def _words(option: str, typed: str) -> str:
    tidy = " ".join(typed.split())
    if not any(letter.isalnum() for letter in tidy) or len(tidy) > MAX_TEXT:
        raise ErasureRefused(option)
    return tidy


def nobody(officer: Officer) -> int:
    """Return a negative placeholder for an erased user id; Telegram user ids are positive."""
    return -officer.id
