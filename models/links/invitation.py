"""Invitations: one-time codes that link a chat without a password, and hand a link over to a successor.

A code is 128 random bits, so that it cannot be guessed. Only its hash is stored, so that a stolen database
contains no usable code. Every invalid code (unknown, used, expired, its account disabled, or the link to hand over
ended) gives the same error, so that an attacker learns nothing.
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
from models.base.grants import Grants
from models.base.tables import Base, BigKey
from models.links.link import AlreadyLinked, add_link, unlink_officer
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.organizations.organization import Organization
from models.security.row_seal import Sealed, SealedRow

_BITS = 128
# 128 bits in base64url: a deep link may carry only letters, digits, - and _ (Bot API, "Deep linking").
_CODE = re.compile(r"[A-Za-z0-9_-]{22}")


def is_code(word: str) -> bool:
    """Whether a word has the shape of an invitation's code."""
    return _CODE.fullmatch(word) is not None


class Invitation(SealedRow, Base):
    """One code, stored as its hash. With `from_officer_id` it hands over that officer's link to the successor."""

    COVERAGE: ClassVar[Coverage] = covered(
        "id account_id code_hash from_officer_id made_at",
        "the event by which it was made",
        sealed="id account_id code_hash from_officer_id made_at expires_at used_at used_by_id",
    )

    __tablename__ = "invitation"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE", operator="SELECT, INSERT, UPDATE")

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
        """The audit chain of the account's unit; None when the account is not loaded."""
        account: Account | None = self.__dict__.get("account")
        return account.unit if account is not None else None

    account: Mapped[Account] = relationship(lazy="raise")
    from_officer: Mapped[Officer | None] = relationship(lazy="raise", foreign_keys=[from_officer_id])
    used_by: Mapped[Officer | None] = relationship(lazy="raise", foreign_keys=[used_by_id])


class InvitationRefused(DomainError):
    """The code is not valid, or no longer; the error does not say why."""


class OwnHandover(DomainError):
    """An officer used the code made to hand over the officer's own link."""


class AccountDisabled(DomainError):
    """The account is disabled, so that nobody can be invited to it."""

    def __init__(self, username: str) -> None:
        super().__init__(f"{username} is disabled; run: laocert account enable {username}")


async def invite(
    session: AsyncSession, account: Account, lifetime: timedelta, now: datetime, by: Officer | None = None
) -> str:
    """Return a new code that links one chat to an account, once, within `lifetime`. It cannot be shown again.

    A code made `by` an officer hands over that officer's own link; the officer's earlier unused codes end. Raises
    AccountDisabled; BadSeal or RecordBroken when the account or the officer was changed without the secret key.
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
    """End the unused codes of an account and record it. Returns how many were ended."""
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


async def _end(session: AsyncSession, now: datetime, condition: ColumnElement[bool]) -> list[int]:
    """End the usable invitations that meet a condition; return their ids."""
    invitations = await session.scalars(
        select(Invitation)
        .where(condition, *_usable(now))
        .order_by(Invitation.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    # An invitation with a bad seal is invalid anyway. Ending it would write a good seal.
    invitations_to_end = [
        invitation for invitation in invitations.all() if await has_good_seal(session, invitation)
    ]
    for invitation in invitations_to_end:
        invitation.expires_at = now
    await session.flush()
    return [invitation.id for invitation in invitations_to_end]


def _usable(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Invitation.used_at.is_(None), Invitation.expires_at > now


async def find_invitation(session: AsyncSession, code: str, now: datetime) -> Invitation:
    """Return the valid invitation with this code, with its account, organization or province, and `from_officer`.

    Raises InvitationRefused for an invalid code, and BadSeal or RecordBroken when the invitation, its account or
    the officer was changed without the secret key.
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
    """Check that a user with this link, or none, may use an invitation.

    An officer already linked to the account may use an invitation of the operator to choose a new PIN. A handover
    does not allow a new PIN to a colleague: one officer could then sign as another.

    Raises OwnHandover for the officer who made the handover, and AlreadyLinked in all other cases.
    """
    if linked is None:
        return
    if linked.id == invitation.from_officer_id:
        raise OwnHandover
    if linked.account_id != invitation.account_id or invitation.from_officer_id is not None:
        raise AlreadyLinked


async def accept(session: AsyncSession, user_id: int, code: str, now: datetime) -> Officer:
    """Use a code: link the Telegram user to its account, and end the link that it hands over. Returns the officer.

    An officer already linked to the account keeps the link and may choose a new PIN (models/accounts/pin.py).

    Raises InvitationRefused, OwnHandover, AlreadyLinked, BadSeal, RecordBroken; the code then stays usable.
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
    """Return the invitation with this code if this officer has used it, otherwise None.

    Two quick taps on one code are thus not counted as an attempt with a used code.
    """
    if not _CODE.fullmatch(code):
        return None
    invitation: Invitation | None = await session.scalar(
        select(Invitation).where(Invitation.code_hash == _hash(code), Invitation.used_by_id == officer.id)
    )
    return invitation


async def _hand_over(session: AsyncSession, leaver: Officer, successor: Officer, now: datetime) -> None:
    """End the old link, record the handover, and notify its chat of the successor."""
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
    """Lock all rows on which the validity of a code depends.

    Two users of one code, and whoever disables the account or ends the link, are thus serialized. SQLite's BEGIN
    IMMEDIATE has the same effect. The order, account, officer, invitation, is that of other transactions. Raises
    InvitationRefused for an unknown code.
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
    """Return the stored hash of a code. Raises InvitationRefused for text without the shape of a code."""
    if not _CODE.fullmatch(code):
        raise InvitationRefused
    return hashlib.sha256(code.encode()).hexdigest()
