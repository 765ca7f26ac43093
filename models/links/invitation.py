"""Invitations: one-time codes that link a chat without a password, and hand a link over to a successor.

A code is 128 random bits, so that none can be guessed, and of it only the hash is kept, so that a stolen database
opens nothing. What makes a code invalid (unknown, used, late, its account disabled, the link ended that it would
hand over) is one answer for all: who tries codes learns nothing.
"""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import ColumnElement, ForeignKey, String, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, contains_eager, joinedload, mapped_column, relationship

from models.accounts.account import Account, Officer, allow_new_pin
from models.audit import event_chain
from models.audit.row_seal import has_good_seal, require_newest
from models.base.clocks import is_past
from models.base.coverage import Coverage, covered
from models.base.errors import DomainError
from models.base.tables import Base, BigKey
from models.links.link import AlreadyLinked, add_link, unlink_officer
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.organizations.organization import Organization
from models.security.row_seal import Sealed, SealedRow

_BITS = 128
# 128 bits in base64url: all that a deep link may carry is letters, digits, - and _ (Bot API, "Deep linking").
_CODE = re.compile(r"[A-Za-z0-9_-]{22}")


def is_code(word: str) -> bool:
    """Whether a word has the shape of an invitation's code."""
    return _CODE.fullmatch(word) is not None


class Invitation(SealedRow, Base):
    """One code, of which only the hash is kept. With `from_officer_id` it hands that officer's link over."""

    COVERAGE: ClassVar[Coverage] = covered(
        "id account_id code_hash from_officer_id made_at",
        "the event by which it was made",
        sealed="id account_id code_hash from_officer_id made_at expires_at used_at used_by_id",
    )

    __tablename__ = "invitation"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    from_officer_id: Mapped[int | None] = mapped_column(ForeignKey("officer.id"))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by_id: Mapped[int | None] = mapped_column(ForeignKey("officer.id"))

    SEALS: ClassVar[tuple[Sealed, ...]] = (
        Sealed(
            (
                "account_id",
                "code_hash",
                "from_officer_id",
                "made_at",
                "expires_at",
                "used_at",
                "used_by_id",
            )
        ),
    )

    @property
    def recorded_in(self) -> str | None:
        """The chain of its account's unit, where the account is loaded."""
        account: Account | None = self.__dict__.get("account")
        return account.unit if account is not None else None

    account: Mapped[Account] = relationship(lazy="raise")
    from_officer: Mapped[Officer | None] = relationship(lazy="raise", foreign_keys=[from_officer_id])
    used_by: Mapped[Officer | None] = relationship(lazy="raise", foreign_keys=[used_by_id])


class InvitationRefused(DomainError):
    """The code opens nothing (any more); why is not told."""


class OwnHandover(DomainError):
    """An officer has opened the code by which it wants to hand over its own link."""


class AccountDisabled(DomainError):
    """Nobody can be invited to an account that is disabled."""

    def __init__(self, username: str) -> None:
        super().__init__(f"{username} is disabled; run: laocert account enable {username}")


async def invite(
    session: AsyncSession, account: Account, lifetime: timedelta, now: datetime, by: Officer | None = None
) -> str:
    """Make a code that links one chat to an account, once, within `lifetime`; it can be read nowhere later.

    Made `by` an officer, it hands that officer's own link over, and ends the codes that the officer made for it
    before. Raises AccountDisabled, BadSeal, RecordBroken.
    """
    if account.disabled_at is not None:
        raise AccountDisabled(account.username)
    if by is not None:
        await require_newest(session, account.unit, [account, by])
        await _end(session, now, Invitation.from_officer_id == by.id)
    code = secrets.token_urlsafe(_BITS // 8)
    invitation = Invitation(
        account_id=account.id,
        code_hash=_hash(code),
        from_officer_id=by.id if by else None,
        made_at=now,
        expires_at=now + lifetime,
    )
    session.add(invitation)
    await session.flush()
    await event_chain.record(
        session,
        event_chain.Event.INVITED,
        account.unit,
        now,
        username=account.username,
        invitation=invitation.id,
        expires_at=invitation.expires_at.isoformat(),
        code=invitation.code_hash,
        by="officer" if by else "operator",
        **({"officer": by.id} if by else {}),
    )
    return code


async def end_invitations(session: AsyncSession, account: Account, now: datetime) -> int:
    """End the codes of an account that were not used yet; how many."""
    ended = await _end(session, now, Invitation.account_id == account.id)
    if ended:
        await event_chain.record(
            session,
            event_chain.Event.INVITATIONS_ENDED,
            account.unit,
            now,
            username=account.username,
            invitations=ended,
        )
    return len(ended)


async def _end(session: AsyncSession, now: datetime, of_whom: ColumnElement[bool]) -> list[int]:
    """The numbers of those that were ended."""
    invitations = await session.scalars(
        select(Invitation)
        .where(of_whom, *_usable(now))
        .order_by(Invitation.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    # One whose seal does not fit opens nothing anyway, and is not made good by being ended.
    good = [invitation for invitation in invitations.all() if await has_good_seal(session, invitation)]
    for invitation in good:
        invitation.expires_at = now
    await session.flush()
    return [invitation.id for invitation in good]


def _usable(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Invitation.used_at.is_(None), Invitation.expires_at > now


async def find_invitation(session: AsyncSession, code: str, now: datetime) -> Invitation:
    """The invitation behind a code that can be used now, with its account, organization or province, and the
    officer that hands over. Raises InvitationRefused, and BadSeal or RecordBroken where somebody without the
    secret key has changed what it rests on.
    """
    leaver = aliased(Officer)
    invitation: Invitation | None = await session.scalar(
        select(Invitation)
        .join(Invitation.account)
        .outerjoin(leaver, Invitation.from_officer_id == leaver.id)
        .where(
            Invitation.code_hash == _hash(code),
            *_usable(now),
            Account.disabled_at.is_(None),
            or_(Invitation.from_officer_id.is_(None), leaver.unlinked_at.is_(None)),
        )
        .options(
            contains_eager(Invitation.account).joinedload(Account.organization).joinedload(Organization.province),
            contains_eager(Invitation.account).joinedload(Account.province),
            contains_eager(Invitation.from_officer.of_type(leaver)).joinedload(leaver.account),
        )
    )
    if invitation is None or is_past(invitation.made_at, invitation.expires_at - invitation.made_at, now):
        raise InvitationRefused
    leaving = [] if invitation.from_officer is None else [invitation.from_officer]
    await require_newest(session, invitation.account.unit, [invitation.account, *leaving, invitation])
    return invitation


def require_acceptable(invitation: Invitation, linked: Officer | None) -> None:
    """Whether somebody who has this link, or none, may use an invitation.

    One who is linked to the account already may use the operator's, for a new PIN. A handover gives no colleague
    a new PIN: with it one officer could sign as another.

    Raises OwnHandover, AlreadyLinked.
    """
    if linked is None:
        return
    if linked.id == invitation.from_officer_id:
        raise OwnHandover
    if linked.account_id != invitation.account_id or invitation.from_officer_id is not None:
        raise AlreadyLinked


async def accept(session: AsyncSession, user_id: int, code: str, now: datetime) -> Officer:
    """Use a code: link the Telegram user to its account, and end the link that it hands over.

    One who is linked to the account already may choose a new PIN (models/accounts/pin.py) and keeps its link.

    Raises InvitationRefused, OwnHandover, AlreadyLinked; the code can be used as before then.
    """
    await _hold(session, code)
    invitation = await find_invitation(session, code, now)
    linked = await session.scalar(
        select(Officer)
        .where(Officer.user_id == user_id, Officer.unlinked_at.is_(None))
        .options(joinedload(Officer.account))
    )
    require_acceptable(invitation, linked)
    if linked is None:
        officer = await add_link(session, user_id, invitation.account, now, "invitation")
    else:
        officer = linked
        await allow_new_pin(session, officer, now, by="invitation")
    invitation.used_at, invitation.used_by_id = now, officer.id
    await event_chain.record(
        session,
        event_chain.Event.INVITATION_USED,
        invitation.account.unit,
        now,
        invitation=invitation.id,
        officer=officer.id,
    )
    if invitation.from_officer is not None:
        await _hand_over(session, invitation.from_officer, officer, now)
    return officer


async def used_by(session: AsyncSession, code: str, officer: Officer) -> Invitation | None:
    """The invitation, when it is this officer who has used it; two quick taps are no trial of a used code."""
    if not _CODE.fullmatch(code):
        return None
    found: Invitation | None = await session.scalar(
        select(Invitation).where(Invitation.code_hash == _hash(code), Invitation.used_by_id == officer.id)
    )
    return found


async def _hand_over(session: AsyncSession, leaver: Officer, successor: Officer, now: datetime) -> None:
    """End the old link, and tell its chat to whom its work went."""
    await unlink_officer(session, leaver, now, by="handover")
    await event_chain.record(
        session,
        event_chain.Event.HANDED_OVER,
        leaver.account.unit,
        now,
        username=leaver.account.username,
        officer=leaver.id,
        successor=successor.id,
    )
    outbox.enqueue(session, NoticeKind.HANDED_OVER, leaver.user_id, successor.id, now)


async def _hold(session: AsyncSession, code: str) -> None:
    """Take all rows that decide whether a code is good, so that of two who use it at once one comes after the
    other, and so does who disables the account or ends the link. SQLite's BEGIN IMMEDIATE has that effect already.

    In the order in which others take them: the account, the officer, its invitations.
    """
    ids = (
        await session.execute(
            select(Invitation.id, Invitation.account_id, Invitation.from_officer_id).where(
                Invitation.code_hash == _hash(code)
            )
        )
    ).first()
    if ids is None:
        raise InvitationRefused
    rows = {Account.id: ids.account_id, Officer.id: ids.from_officer_id, Invitation.id: ids.id}
    for column, value in rows.items():
        if value is not None:
            await session.execute(select(column).where(column == value).with_for_update(key_share=True))


def _hash(code: str) -> str:
    """What is kept of a code. Raises InvitationRefused for what is none."""
    if not _CODE.fullmatch(code):
        raise InvitationRefused
    return hashlib.sha256(code.encode()).hexdigest()
