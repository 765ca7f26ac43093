"""Erasing an officer's chat data where the law asks for it (Personal Data Protection Act B.E. 2562, section 33).

Erased is what the bot keeps of the person to talk with it. What stays, because it may not be changed, and why, is
in docs/security.md, "What an officer's erasure leaves".
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
    """No officer has this number."""

    def __init__(self, officer_id: int) -> None:
        super().__init__(f"there is no officer {officer_id}; see: laocert account links USERNAME --all")


async def require_officer(session: AsyncSession, officer_id: int) -> None:
    """Raises UnknownOfficer."""
    if await session.get(Officer, officer_id) is None:
        raise UnknownOfficer(officer_id)


class AlreadyForgotten(DomainError):
    """The officer's data has been erased before."""

    def __init__(self, officer_id: int) -> None:
        super().__init__(f"officer {officer_id} has been forgotten already")


class ErasureRefused(DomainError):
    """An erasure needs a name and a reason: it is recorded for good."""

    def __init__(self, option: str) -> None:
        super().__init__(f"{option} must say something, in at most {MAX_TEXT:,} letters; it is recorded for good")


@dataclass(frozen=True)
class Erasure:
    """What was erased, and what is left of the person.

    `was_linked`: the link was active and has ended. `blanks` messages in the chat are still to be taken away.
    `is_linked_elsewhere`: the person is linked by a newer row, so that its chat's data was kept. `other_rows` are
    the person's other officers. `certificates` and `remarks` bear its name for good.
    """

    officer_id: int
    was_linked: bool
    is_linked_elsewhere: bool
    blanks: int
    other_rows: list[int]
    certificates: int
    remarks: int


async def forget_officer(session: AsyncSession, officer_id: int, by: str, reason: str, now: datetime) -> Erasure:
    """Erase what the bot keeps of an officer: its name, position, PIN and Telegram number, and its chat's data.

    An active link is ended, so that the chat is blanked; blanks that wait are the one thing kept of the chat until
    they are done. `by` and `reason` are recorded. Raises UnknownOfficer, AlreadyForgotten, ErasureRefused.
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
    rows = list(others)
    is_linked_elsewhere = any(one.unlinked_at is None for one in rows)
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
        other_rows=[one.id for one in rows],
        certificates=await _count(session, select(Certification.id).where(Certification.officer_id == officer.id)),
        remarks=await _count(session, select(Remark.id).where(Remark.officer_id == officer.id)),
    )


async def _erase_chat(session: AsyncSession, person: int) -> None:
    """All that is kept under the person's Telegram number, but for blanks that are still to be done."""
    undone = (State.PENDING, State.SENDING, State.UNCERTAIN)
    for statement in (
        delete(Conversation).where(Conversation.chat_id == person),
        delete(Card).where(Card.chat_id == person),
        delete(Keypad).where(Keypad.user_id == person),
        delete(throttle.Throttle).where(
            throttle.Throttle.key.in_([throttle.chat_key(person), throttle.pin_key(person)])
        ),
        delete(OutboxMessage).where(
            OutboxMessage.chat_id == person,
            or_(OutboxMessage.kind != NoticeKind.BLANK, OutboxMessage.state.not_in(undone)),
        ),
        delete(InboxUpdate).where(InboxUpdate.sender == person),
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
    """A number that is no user's: those are positive."""
    return -officer.id
