"""What may happen to a certification: review, confirmation, certificate, status and history.

An organization's officer certifies first (procedure, LAO steps 2 and 3), then its province's (procedure,
province steps 5 and 6). A certificate is a row that is only ever inserted; status is derived from the rows, and
an `lao` row of the newest round locks the register (models/triggers.py).
"""

import enum
import hashlib
import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from models import outbox
from models.account import Account, Officer, Role
from models.base import Base, BigKey, DomainError, text_enum
from models.organization import Organization, lock_organization
from models.roster import Headcount, RosterSummary, load_summary
from models.round import Round, current_round, require_open_round

# A press counts while the figures are still before the officer's eyes, not on last week's card.
CONFIRMATION_LIFETIME = timedelta(minutes=30)

# Crockford's base 32: no I, L, O or U to misread over the telephone.
CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 10

# Ours to count up when a certified organization is reopened; each organization and round starts with it.
FIRST_REVISION = 1


class Level(enum.StrEnum):
    """Who certified: the organization itself, then its province."""

    LAO = "lao"
    PROVINCE = "province"


class Status(enum.StrEnum):
    """How far an organization is in a round."""

    UNCERTIFIED = "uncertified"
    LAO_CERTIFIED = "lao_certified"
    PROVINCE_CERTIFIED = "province_certified"


class NotYours(DomainError):
    """The officer's account has no right to this organization or act."""


class NotYetCertified(DomainError):
    """A province can certify only what the organization has certified."""


class ConfirmationExpired(DomainError):
    """The confirmation is unknown, another officer's, or too old: look at the numbers again."""


class AlreadyCertified(DomainError):
    """Someone has certified this organization; `certification` says who and when."""

    def __init__(self, organization: Organization, certification: "Certification") -> None:
        super().__init__(certification.code)
        self.organization = organization
        self.certification = certification


class RosterChanged(DomainError):
    """The register is not what the officer saw; `review` holds the new numbers."""

    def __init__(self, review: "Review") -> None:
        super().__init__(review.organization.dla_code)
        self.review = review


class Certification(Base):
    """A certificate: the frozen numbers and who stood for them. Insert only."""

    __tablename__ = "certification"
    __table_args__ = (
        UniqueConstraint("organization_code", "round_id", "revision", "level"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"))
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"), index=True)
    revision: Mapped[int]
    level: Mapped[Level] = mapped_column(text_enum(Level))
    officials: Mapped[int]
    permanent_employees: Mapped[int]
    contract_employees: Mapped[int]
    with_empty_menus: Mapped[int]
    roster_digest: Mapped[str] = mapped_column(String(64))
    roster_file: Mapped[str] = mapped_column(String(255))
    roster_imported_at: Mapped[datetime]
    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"))
    officer_name: Mapped[str] = mapped_column(String(200))
    officer_position: Mapped[str] = mapped_column(String(200))
    user_id: Mapped[int] = mapped_column(BigInteger)
    code: Mapped[str] = mapped_column(String(CODE_LENGTH), unique=True)
    is_late: Mapped[bool]
    certified_at: Mapped[datetime]

    organization: Mapped[Organization] = relationship(lazy="raise")
    round: Mapped[Round] = relationship(lazy="raise")

    @property
    def headcount(self) -> Headcount:
        """The numbers that were certified."""
        return Headcount(self.officials, self.permanent_employees, self.contract_employees)


class Confirmation(Base):
    """A warning that was shown: who may confirm what, bound to the figures on the screen, good once."""

    __tablename__ = "confirmation"

    nonce: Mapped[str] = mapped_column(String(32), primary_key=True)
    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"))
    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"))
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    level: Mapped[Level] = mapped_column(text_enum(Level))
    fingerprint: Mapped[str] = mapped_column(String(16))
    shown_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Review:
    """What an officer looks at before certifying: one organization's register and certificates, now."""

    organization: Organization
    round: Round | None
    roster: RosterSummary
    lao: Certification | None
    province: Certification | None

    @property
    def status(self) -> Status:
        """Derived from the certificates."""
        return _status([made.level for made in (self.lao, self.province) if made is not None])

    @property
    def fingerprint(self) -> str:
        """16 letters that change with the round, the revision or anything in the register."""
        round_id = self.round.id if self.round else 0
        seen = f"{self.organization.dla_code}/{round_id}/{FIRST_REVISION}/{self.roster.digest}"
        return hashlib.sha256(seen.encode()).hexdigest()[:16]


# --- rights -------------------------------------------------------------------------------------------------


def require_sight(account: Account, organization: Organization) -> None:
    """An organization is seen by its own officers and its province's. Raises NotYours."""
    if account.role is Role.LAO and account.organization_code == organization.dla_code:
        return
    if account.role is Role.PROVINCE and account.province_code == organization.province_code:
        return
    raise NotYours


def _require_level(account: Account, organization: Organization, level: Level) -> None:
    require_sight(account, organization)
    if account.role.value != level.value:
        raise NotYours


# --- looking ------------------------------------------------------------------------------------------------


async def find_organization(session: AsyncSession, officer: Officer, dla_code: str) -> Organization:
    """An organization that the officer may see. Raises NotYours, also for an unknown code."""
    found = await session.scalar(
        select(Organization).where(Organization.dla_code == dla_code).options(joinedload(Organization.province))
    )
    if found is None:
        raise NotYours
    require_sight(officer.account, found)
    return found


async def _certificates(session: AsyncSession, dla_code: str, round_: Round | None) -> dict[Level, Certification]:
    if round_ is None:
        return {}
    rows = await session.scalars(
        select(Certification).where(
            Certification.organization_code == dla_code,
            Certification.round_id == round_.id,
            Certification.revision == FIRST_REVISION,
        )
    )
    return {row.level: row for row in rows}


async def own_status(session: AsyncSession, dla_code: str) -> tuple[Round | None, Status]:
    """The newest round and how far an organization is in it."""
    round_ = await current_round(session)
    return round_, _status(await _certificates(session, dla_code, round_))


def _status(certificates: Collection[Level]) -> Status:
    if Level.PROVINCE in certificates:
        return Status.PROVINCE_CERTIFIED
    return Status.LAO_CERTIFIED if Level.LAO in certificates else Status.UNCERTIFIED


async def review(session: AsyncSession, officer: Officer, dla_code: str) -> Review:
    """What the register holds now and who has certified it in the newest round.

    Raises NotYours, NoRoster.
    """
    organization = await find_organization(session, officer, dla_code)
    return await _review(session, organization, await current_round(session))


async def _review(session: AsyncSession, organization: Organization, round_: Round | None) -> Review:
    roster = await load_summary(session, organization.dla_code)
    certificates = await _certificates(session, organization.dla_code, round_)
    return Review(organization, round_, roster, certificates.get(Level.LAO), certificates.get(Level.PROVINCE))


async def history(
    session: AsyncSession, officer: Officer, dla_code: str
) -> tuple[Organization, list[Certification]]:
    """All certificates of an organization, newest first (procedure, LAO step 3). Raises NotYours."""
    organization = await find_organization(session, officer, dla_code)
    rows = await session.scalars(
        select(Certification)
        .where(Certification.organization_code == dla_code)
        .options(joinedload(Certification.round))
        .order_by(Certification.id.desc())
    )
    return organization, list(rows)


async def load_certification(session: AsyncSession, certification_id: int) -> Certification:
    """One certificate with its organization, province and round, for a notice about it."""
    return (
        await session.scalars(
            select(Certification)
            .where(Certification.id == certification_id)
            .options(
                joinedload(Certification.organization).joinedload(Organization.province),
                joinedload(Certification.round),
            )
        )
    ).one()


# --- certifying ---------------------------------------------------------------------------------------------


async def prepare_confirmation(
    session: AsyncSession,
    officer: Officer,
    level: Level,
    dla_code: str,
    fingerprint: str,
    now: datetime,
    rng: random.Random,
) -> tuple[Confirmation, Review]:
    """Before the warning: note which figures the officer is about to confirm.

    `fingerprint` is that of the review that the officer pressed on. Raises NotYours, NoOpenRound, NoRoster,
    AlreadyCertified, NotYetCertified, RosterChanged.
    """
    organization = await find_organization(session, officer, dla_code)
    _require_level(officer.account, organization, level)
    open_round = await require_open_round(session)
    shown = await _review(session, organization, open_round)
    _require_certifiable(shown, level, fingerprint)
    confirmation = Confirmation(
        nonce=f"{rng.getrandbits(96):024x}",
        officer_id=officer.id,
        organization_code=dla_code,
        round_id=open_round.id,
        level=level,
        fingerprint=fingerprint,
        shown_at=now,
    )
    session.add(confirmation)
    await session.flush()
    return confirmation, shown


async def find_confirmation(session: AsyncSession, officer: Officer, nonce: str) -> Confirmation:
    """A warning that was shown to this officer. Raises ConfirmationExpired."""
    found = await session.get(Confirmation, nonce)
    if found is None or found.officer_id != officer.id:
        raise ConfirmationExpired
    return found


async def certify(
    session: AsyncSession, officer: Officer, nonce: str, now: datetime, rng: random.Random
) -> Certification:
    """The irreversible press: insert the certificate, and the notices that it causes, in this transaction.

    Raises ConfirmationExpired, NotYours, NoOpenRound, NoRoster, AlreadyCertified, NotYetCertified, RosterChanged.
    """
    confirmation = await find_confirmation(session, officer, nonce)
    # The first lock of all that certifies or changes a register; what is read below cannot change any more.
    await lock_organization(session, confirmation.organization_code)
    await session.refresh(confirmation)
    organization = await find_organization(session, officer, confirmation.organization_code)
    _require_level(officer.account, organization, confirmation.level)
    open_round = await require_open_round(session)
    shown = await _review(session, organization, open_round)
    _require_certifiable(shown, confirmation.level, confirmation.fingerprint)
    if confirmation.used_at is not None or now - confirmation.shown_at > CONFIRMATION_LIFETIME:
        raise ConfirmationExpired
    confirmation.used_at = now
    certification = _certificate(shown, open_round, officer, confirmation.level, now, rng)
    session.add(certification)
    await session.flush()
    await _announce(session, officer, certification, organization, now)
    return certification


def _require_certifiable(shown: Review, level: Level, fingerprint: str) -> None:
    existing = shown.lao if level is Level.LAO else shown.province
    if existing is not None:
        raise AlreadyCertified(shown.organization, existing)
    if level is Level.PROVINCE and shown.lao is None:
        raise NotYetCertified
    if shown.fingerprint != fingerprint:
        raise RosterChanged(shown)
    if shown.lao is not None and shown.lao.roster_digest != shown.roster.digest:
        # Only someone who took the triggers away can have done that.
        raise RosterChanged(shown)


def _certificate(
    shown: Review, open_round: Round, officer: Officer, level: Level, now: datetime, rng: random.Random
) -> Certification:
    roster = shown.roster
    return Certification(
        organization_code=shown.organization.dla_code,
        round_id=open_round.id,
        revision=FIRST_REVISION,
        level=level,
        officials=roster.headcount.officials,
        permanent_employees=roster.headcount.permanent_employees,
        contract_employees=roster.headcount.contract_employees,
        with_empty_menus=roster.with_empty_menus,
        roster_digest=roster.digest,
        roster_file=roster.file_name,
        roster_imported_at=roster.imported_at,
        officer_id=officer.id,
        officer_name=officer.full_name,
        officer_position=officer.position,
        user_id=officer.user_id,
        code="".join(rng.choices(CODE_ALPHABET, k=CODE_LENGTH)),
        is_late=open_round.is_late(now),
        certified_at=now,
    )


async def _announce(
    session: AsyncSession,
    actor: Officer,
    certification: Certification,
    organization: Organization,
    now: datetime,
) -> None:
    """Queue the actor's receipt and the notices to everybody else whom the certificate concerns."""
    audience = Account.organization_code == organization.dla_code
    if certification.level is Level.LAO:
        audience |= Account.province_code == organization.province_code
    officers = await session.scalars(
        select(Officer)
        .join(Officer.account)
        .where(audience, Officer.unlinked_at.is_(None), Officer.position.is_not(None), Officer.id != actor.id)
        .options(joinedload(Officer.account))
    )
    outbox.enqueue(session, outbox.Kind.RECEIPT, actor.user_id, certification.id, now)
    for officer in officers:
        if certification.level is Level.PROVINCE:
            kind = outbox.Kind.PROVINCE_CERTIFIED
        elif officer.account.role is Role.PROVINCE:
            kind = outbox.Kind.AWAITS_PROVINCE
        else:
            kind = outbox.Kind.COLLEAGUE_CERTIFIED
        outbox.enqueue(session, kind, officer.user_id, certification.id, now)
    await session.flush()
