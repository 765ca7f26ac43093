"""What may happen to a certification: review, confirmation, certificate, status and history.

An organization's officer certifies first (procedure, LAO steps 2 and 3), then its province's (procedure,
province steps 5 and 6). A certificate is a row that is only ever inserted; status is derived from the rows, and
an `lao` row of the newest round locks the register (models/triggers.py). Only the operator can end a revision, by
a reopening: another row; the certificates of the ended revision stay and no longer count.
"""

import enum
import hashlib
import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKey,
    Select,
    String,
    Text,
    UniqueConstraint,
    exists,
    func,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, joinedload, mapped_column, relationship

from models import audit, outbox
from models.account import Account, Officer, Role, officers_concerned
from models.base import Base, BigKey, DomainError, text_enum
from models.comparison import marked, numbers
from models.conversation import Language
from models.organization import Organization, lock_organization
from models.remark_table import Kind, Remark
from models.roster import Category, Headcount, NoRoster, Roster, RosterSummary, summarize_records
from models.round import Round, RoundState, current_round, require_open_round
from models.spot_check import SpotCheck, kept, require_passed
from models.statement import statement_name

# A press counts while the figures are still before the officer's eyes, not on last week's card.
CONFIRMATION_LIFETIME = timedelta(minutes=30)

# Crockford's base 32: no I, L, O or U to misread over the telephone.
CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 10


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


class UnknownCode(DomainError):
    """No certificate that the officer may see has this verification code."""


class ReopenRefused(DomainError):
    """The organization cannot be reopened; the message says why."""


class NotYetCertified(DomainError):
    """A province can certify only what the organization has certified."""


class SelfApproval(DomainError):
    """Who certified for the organization may not certify the same figures for its province."""


class ExplanationMissing(DomainError):
    """The numbers differ from the last round's by more than the set share, and the LAO has not said why.

    `review` holds them.
    """

    def __init__(self, review: "Review") -> None:
        super().__init__(review.organization.dla_code)
        self.review = review


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
    account_username: Mapped[str] = mapped_column(String(64))
    # What was agreed to: level, version and language of models/statement.py.
    statement: Mapped[str] = mapped_column(String(40))
    # The last hash of the organization's audit chain before the certificate.
    audit_head: Mapped[str] = mapped_column(String(64))
    code: Mapped[str] = mapped_column(String(CODE_LENGTH), unique=True)
    is_late: Mapped[bool]
    certified_at: Mapped[datetime]
    # Of a province: seed, sample, marks and times of its spot-check as JSON (models/spot_check.py).
    spot_check: Mapped[str | None] = mapped_column(Text)

    organization: Mapped[Organization] = relationship(lazy="raise")
    round: Mapped[Round] = relationship(lazy="raise")

    @property
    def headcount(self) -> Headcount:
        """The numbers that were certified."""
        return Headcount(self.officials, self.permanent_employees, self.contract_employees)

    @property
    def status(self) -> Status:
        """What the organization's status was by it."""
        return Status.LAO_CERTIFIED if self.level is Level.LAO else Status.PROVINCE_CERTIFIED


class Reopening(Base):
    """The end of a revision: its certificates stay in the history, the register can be changed. Insert only."""

    __tablename__ = "reopening"
    __table_args__ = (
        UniqueConstraint("organization_code", "round_id", "revision"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"))
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    # The revision that ended.
    revision: Mapped[int]
    by_name: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    reopened_at: Mapped[datetime]

    organization: Mapped[Organization] = relationship(lazy="raise")
    round: Mapped[Round] = relationship(lazy="raise")


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
class Demands:
    """What must be there before something is certified, by the settings (docs/contract.md, Settings).

    `spot_check_size`: so many records a province must have checked (0: none). `difference_percent`: a category
    that differs by more from the last round's must be explained (100: never).
    """

    spot_check_size: int
    difference_percent: int


@dataclass(frozen=True)
class Review:
    """What an officer looks at before certifying: one organization's register and certificates, now."""

    organization: Organization
    round: Round | None
    roster: RosterSummary
    revision: int
    lao: Certification | None
    province: Certification | None
    # Of this revision, as soon as it is drawn.
    spot_check: SpotCheck | None
    # What was certified in the newest earlier round in which anything was, and that round's fiscal year.
    previous: Headcount | None
    previous_year: int | None
    # What the organization has said, in this revision, of the difference between them and these very numbers.
    explanation: Remark | None
    # Of the round's thread: all but answers and decisions; and the questions that wait for an answer.
    remarks: int
    open_questions: int

    @property
    def status(self) -> Status:
        """Derived from the certificates."""
        return _status([made.level for made in (self.lao, self.province) if made is not None])

    def marked(self, difference_percent: int) -> tuple[Category, ...]:
        """The categories that differ from the last round's by more than the set share."""
        return marked(self.roster.headcount, self.previous, difference_percent)

    def lacks_explanation(self, difference_percent: int) -> bool:
        """Whether the organization must say why its numbers differ before it certifies them (issue 6)."""
        return self.explanation is None and bool(self.marked(difference_percent))

    @property
    def fingerprint(self) -> str:
        """16 letters that change with the round, the revision or anything in the register."""
        round_id = self.round.id if self.round else 0
        seen = f"{self.organization.dla_code}/{round_id}/{self.revision}/{self.roster.digest}"
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


def is_live(made: type[Certification] | type[Remark] | type[SpotCheck]) -> ColumnElement[bool]:
    """A condition on what belongs to a revision: that has not been ended by a reopening."""
    return ~exists().where(
        Reopening.organization_code == made.organization_code,
        Reopening.round_id == made.round_id,
        Reopening.revision == made.revision,
    )


def is_open(question: type[Remark]) -> ColumnElement[bool]:
    """A condition on the remarks of the newest round: a question that waits for its answer."""
    answer = aliased(Remark)
    answered = exists().where(answer.answers_id == question.id)
    return (question.kind == Kind.QUESTION) & is_live(question) & ~answered


async def live_certificates(
    session: AsyncSession, dla_code: str, round_: Round | None
) -> dict[Level, Certification]:
    """The certificates that count for an organization in a round, by level."""
    if round_ is None:
        return {}
    rows = await session.scalars(
        select(Certification).where(
            Certification.organization_code == dla_code,
            Certification.round_id == round_.id,
            is_live(Certification),
        )
    )
    return {row.level: row for row in rows}


def _with_checks(dla_code: str) -> Select[*tuple[Certification, SpotCheck | None]]:
    """An organization's live certificates of all rounds, each with the spot-check of its revision, as they are now
    in the database. Two certificates a year.
    """
    return (
        select(Certification, SpotCheck)
        .outerjoin(
            SpotCheck,
            (SpotCheck.organization_code == Certification.organization_code)
            & (SpotCheck.round_id == Certification.round_id)
            & (SpotCheck.revision == Certification.revision),
        )
        .where(Certification.organization_code == dla_code, is_live(Certification))
        .options(joinedload(SpotCheck.items), joinedload(Certification.round))
        .execution_options(populate_existing=True)
    )


async def load_standing(
    session: AsyncSession, dla_code: str, round_: Round | None
) -> tuple[dict[Level, Certification], SpotCheck | None]:
    """The certificates that count for an organization in a round, by level, and the spot-check of their revision;
    in one query, as they are now in the database.
    """
    if round_ is None:
        return {}, None
    rows = await session.execute(_with_checks(dla_code).where(Certification.round_id == round_.id))
    found = rows.unique().all()
    return {made.level: made for made, _ in found}, next((check for _, check in found), None)


async def current_revision(session: AsyncSession, dla_code: str, round_: Round) -> int:
    """1, and one more for each reopening in the round."""
    ended = select(func.count()).where(Reopening.organization_code == dla_code, Reopening.round_id == round_.id)
    return 1 + (await session.scalar(ended) or 0)


async def own_status(session: AsyncSession, dla_code: str) -> tuple[Round | None, Status]:
    """The newest round and how far an organization is in it."""
    round_ = await current_round(session)
    return round_, _status(await live_certificates(session, dla_code, round_))


def _status(certificates: Collection[Level]) -> Status:
    if Level.PROVINCE in certificates:
        return Status.PROVINCE_CERTIFIED
    return Status.LAO_CERTIFIED if Level.LAO in certificates else Status.UNCERTIFIED


async def review(session: AsyncSession, officer: Officer, dla_code: str) -> Review:
    """What the register holds now, who has certified it in the newest round, and what it is compared with.

    Raises NotYours, also for an unknown organization, and NoRoster. Three queries.
    """
    row = (await session.execute(_standing(dla_code))).one_or_none()
    if row is None:
        raise NotYours
    organization, round_, roster, ended, remarks, open_questions, said = row
    require_sight(officer.account, organization)
    if roster is None:
        raise NoRoster(dla_code)
    summary, revision = await summarize_records(session, roster), ended + 1
    now, check, before = await _now_and_before(session, dla_code, round_)
    answers = said is not None and said.revision == revision and said.about == numbers(summary.headcount)
    return Review(
        organization=organization,
        round=round_,
        roster=summary,
        revision=revision,
        lao=now.get(Level.LAO),
        province=now.get(Level.PROVINCE),
        spot_check=check,
        previous=before.headcount if before else None,
        previous_year=before.round.fiscal_year if before else None,
        explanation=said if answers else None,
        remarks=remarks,
        open_questions=open_questions,
    )


def _standing(dla_code: str) -> Select[*tuple[Any, ...]]:
    """One row: an organization, the newest round, its register's import, how many of its revisions have ended,
    its remarks, open questions, and what it explained last; the last six of that round.
    """
    newest = select(func.max(Round.id)).scalar_subquery()
    thread = (Remark.organization_code == dla_code) & (Remark.round_id == newest)
    said = aliased(Remark)
    last_said = select(func.max(Remark.id)).where(thread, Remark.kind == Kind.EXPLANATION).scalar_subquery()
    counts = (
        select(func.count()).where(Reopening.organization_code == dla_code, Reopening.round_id == newest),
        select(func.count()).where(thread, Remark.answers_id.is_(None)),
        select(func.count()).where(thread, is_open(Remark)),
    )
    return (
        select(Organization, Round, Roster, *(count.scalar_subquery() for count in counts), said)
        .select_from(Organization)
        .outerjoin(Round, Round.id == newest)
        .outerjoin(Roster, Roster.organization_code == Organization.dla_code)
        .outerjoin(said, said.id == last_said)
        .where(Organization.dla_code == dla_code)
        .options(joinedload(Organization.province))
        .execution_options(populate_existing=True)
    )


async def _now_and_before(
    session: AsyncSession, dla_code: str, round_: Round | None
) -> tuple[dict[Level, Certification], SpotCheck | None, Certification | None]:
    """The certificates that count in a round, by level, with their spot-check; and of the newest earlier round
    with any, the one of the higher level.
    """
    if round_ is None:
        return {}, None, None
    made = (await session.execute(_with_checks(dla_code))).unique().all()
    earlier = [one for one, _ in made if one.round_id < round_.id]
    before = max(earlier, key=lambda one: (one.round_id, one.revision, one.level is Level.PROVINCE), default=None)
    now = [(one, check) for one, check in made if one.round_id == round_.id]
    return {one.level: one for one, _ in now}, next((check for _, check in now), None), before


@dataclass(frozen=True)
class History:
    """All certificates of an organization, and the reopenings that ended some of them; both newest first."""

    organization: Organization
    certificates: list[Certification]
    reopenings: list[Reopening]

    def end_of(self, made: Certification) -> Reopening | None:
        """The reopening that ended a certificate's revision."""
        key = (made.round_id, made.revision)
        return next((one for one in self.reopenings if (one.round_id, one.revision) == key), None)


async def history(session: AsyncSession, officer: Officer, dla_code: str) -> History:
    """Every revision whole, with its numbers (procedure, LAO step 3). Raises NotYours."""
    organization = await find_organization(session, officer, dla_code)
    made = await session.scalars(
        select(Certification)
        .where(Certification.organization_code == dla_code)
        .options(joinedload(Certification.round))
        .order_by(Certification.id.desc())
    )
    reopened = await session.scalars(
        select(Reopening).where(Reopening.organization_code == dla_code).order_by(Reopening.id.desc())
    )
    return History(organization, list(made), list(reopened))


async def find_by_code(
    session: AsyncSession, officer: Officer, code: str
) -> tuple[Certification, Reopening | None]:
    """The certificate with a verification code, and what ended it. Raises UnknownCode, also for one that the
    officer may not see: a code tells nothing to outsiders.
    """
    made = await certificate_by_code(session, code)
    try:
        require_sight(officer.account, made.organization)
    except NotYours:
        raise UnknownCode from None
    return made, await ended_by(session, made)


async def certificate_by_code(session: AsyncSession, code: str) -> Certification:
    """The certificate with a verification code, whoever asks. Raises UnknownCode."""
    # Crockford's base 32: what looks alike is alike.
    tidy = code.upper().replace("-", "").replace(" ", "").translate(str.maketrans("OIL", "011"))
    made = await session.scalar(
        select(Certification)
        .where(Certification.code == tidy)
        .options(
            joinedload(Certification.organization).joinedload(Organization.province),
            joinedload(Certification.round),
        )
    )
    if made is None:
        raise UnknownCode(f"no certificate has the code {code}; check it letter by letter")
    return made


async def ended_by(session: AsyncSession, made: Certification) -> Reopening | None:
    """The reopening that ended a certificate's revision."""
    return await session.scalar(
        select(Reopening).where(
            Reopening.organization_code == made.organization_code,
            Reopening.round_id == made.round_id,
            Reopening.revision == made.revision,
        )
    )


async def load_reopening(session: AsyncSession, reopening_id: int) -> Reopening:
    """One reopening with its organization, province and round, for a notice about it."""
    return (
        await session.scalars(
            select(Reopening)
            .where(Reopening.id == reopening_id)
            .options(
                joinedload(Reopening.organization).joinedload(Organization.province), joinedload(Reopening.round)
            )
        )
    ).one()


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
    *,
    demands: Demands,
) -> tuple[Confirmation, Review]:
    """Before the warning: note which figures the officer is about to confirm.

    `fingerprint` is that of the review that the officer pressed on. Raises NotYours, NoOpenRound, NoRoster,
    AlreadyCertified, NotYetCertified, SelfApproval, RosterChanged, ExplanationMissing, SpotCheckMissing,
    SpotCheckFailed.
    """
    organization = await find_organization(session, officer, dla_code)
    _require_level(officer.account, organization, level)
    open_round = await require_open_round(session)
    shown = await review(session, officer, dla_code)
    _require_certifiable(shown, officer, level, fingerprint, demands)
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
    session: AsyncSession,
    officer: Officer,
    nonce: str,
    now: datetime,
    rng: random.Random,
    language: Language = Language.THAI,
    *,
    demands: Demands,
) -> Certification:
    """The irreversible press: insert the certificate, and the notices that it causes, in this transaction.

    Raises ConfirmationExpired, NotYours, NoOpenRound, NoRoster, AlreadyCertified, NotYetCertified, SelfApproval,
    RosterChanged, ExplanationMissing, SpotCheckMissing, SpotCheckFailed.
    """
    confirmation = await find_confirmation(session, officer, nonce)
    # A link that is ended at this moment ends before or after the certificate, never beside it. The officer's row
    # is locked before the organization's, as whoever ends a link does.
    await session.refresh(officer, ["unlinked_at"], with_for_update={"read": True})
    if officer.unlinked_at is not None:
        raise NotYours
    # The first lock of all that certifies or changes a register; what is read below cannot change any more.
    await lock_organization(session, confirmation.organization_code)
    await session.refresh(confirmation)
    organization = await find_organization(session, officer, confirmation.organization_code)
    _require_level(officer.account, organization, confirmation.level)
    open_round = await require_open_round(session)
    shown = await review(session, officer, organization.dla_code)
    _require_confirmable(shown, confirmation, officer, now, demands)
    confirmation.used_at = now
    certification = _certificate(shown, open_round, officer, confirmation.level, now, rng)
    certification.statement = statement_name(confirmation.level, language)
    certification.audit_head = await audit.chain_head(session, organization.dla_code)
    session.add(certification)
    await session.flush()
    await audit.record(
        session, audit.Event.CERTIFIED, organization.dla_code, now, certificate=snapshot(certification)
    )
    await _announce(session, officer, certification, organization, now)
    return certification


async def review_confirmation(
    session: AsyncSession, officer: Officer, nonce: str, now: datetime, *, demands: Demands
) -> tuple[Confirmation, Review]:
    """Before the PIN is asked: the confirmation with its figures, as far as it could be certified now.

    Raises what `certify` raises.
    """
    confirmation = await find_confirmation(session, officer, nonce)
    organization = await find_organization(session, officer, confirmation.organization_code)
    _require_level(officer.account, organization, confirmation.level)
    await require_open_round(session)
    shown = await review(session, officer, organization.dla_code)
    _require_confirmable(shown, confirmation, officer, now, demands)
    return confirmation, shown


def _require_confirmable(
    shown: Review, confirmation: Confirmation, officer: Officer, now: datetime, demands: Demands
) -> None:
    _require_certifiable(shown, officer, confirmation.level, confirmation.fingerprint, demands)
    if confirmation.used_at is not None or now - confirmation.shown_at > CONFIRMATION_LIFETIME:
        raise ConfirmationExpired


def _require_certifiable(
    shown: Review, officer: Officer, level: Level, fingerprint: str, demands: Demands
) -> None:
    existing = shown.lao if level is Level.LAO else shown.province
    if existing is not None:
        raise AlreadyCertified(shown.organization, existing)
    if level is Level.PROVINCE and shown.lao is None:
        raise NotYetCertified
    if level is Level.PROVINCE and shown.lao is not None and shown.lao.user_id == officer.user_id:
        raise SelfApproval
    if shown.fingerprint != fingerprint:
        raise RosterChanged(shown)
    if shown.lao is not None and shown.lao.roster_digest != shown.roster.digest:
        # Only someone who took the triggers away can have done that.
        raise RosterChanged(shown)
    if level is Level.LAO and shown.lacks_explanation(demands.difference_percent):
        raise ExplanationMissing(shown)
    if level is Level.PROVINCE:
        require_passed(shown.spot_check, size=demands.spot_check_size, records=shown.roster.headcount.total)


def _certificate(
    shown: Review, open_round: Round, officer: Officer, level: Level, now: datetime, rng: random.Random
) -> Certification:
    roster = shown.roster
    return Certification(
        organization_code=shown.organization.dla_code,
        round_id=open_round.id,
        revision=shown.revision,
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
        account_username=officer.account.username,
        code="".join(rng.choices(CODE_ALPHABET, k=CODE_LENGTH)),
        is_late=open_round.is_late(now),
        certified_at=now,
        spot_check=kept(shown.spot_check) if level is Level.PROVINCE else None,
    )


def snapshot(made: Certification) -> dict[str, str]:
    """All that a certificate keeps, as text: what the audit chain binds, and what is compared with it later.

    A column that holds nothing is left out, so that columns can be added.
    """
    kept = {column.key: getattr(made, column.key) for column in Certification.__table__.columns}
    return {
        key: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
        for key, value in kept.items()
        if value is not None
    }


async def _announce(
    session: AsyncSession,
    actor: Officer,
    certification: Certification,
    organization: Organization,
    now: datetime,
) -> None:
    """Queue the actor's receipt and the notices to everybody else whom the certificate concerns."""
    outbox.enqueue(session, outbox.Kind.RECEIPT, actor.user_id, certification.id, now)
    roles = [Role.LAO, Role.PROVINCE] if certification.level is Level.LAO else [Role.LAO]
    for officer in await officers_concerned(session, organization, *roles):
        if officer.id == actor.id:
            continue
        if certification.level is Level.PROVINCE:
            kind = outbox.Kind.PROVINCE_CERTIFIED
        elif officer.account.role is Role.PROVINCE:
            kind = outbox.Kind.AWAITS_PROVINCE
        else:
            kind = outbox.Kind.COLLEAGUE_CERTIFIED
        outbox.enqueue(session, kind, officer.user_id, certification.id, now)
    await session.flush()


# --- the way back, the operator's alone ---------------------------------------------------------------------


async def reopen(session: AsyncSession, dla_code: str, by: str, reason: str, now: datetime) -> Reopening:
    """End the current revision: the register can be changed and must be certified anew.

    The officers of both sides are told, with the reason. Raises UnknownOrganization, ReopenRefused.
    """
    await lock_organization(session, dla_code)
    organization = await session.get_one(
        Organization, dla_code, options=[joinedload(Organization.province)], populate_existing=True
    )
    round_ = await session.scalar(select(Round).where(Round.state == RoundState.OPEN).with_for_update(read=True))
    if round_ is None:
        raise ReopenRefused("no round is open, so what was reopened could not be certified again")
    certificates = await live_certificates(session, dla_code, round_)
    if not certificates:
        raise ReopenRefused(
            f"{organization.full_name} ({dla_code}) is not certified in round {round_.fiscal_year}"
        )
    reopening = Reopening(
        organization_code=dla_code,
        round_id=round_.id,
        revision=next(iter(certificates.values())).revision,
        by_name=by,
        reason=reason,
        reopened_at=now,
    )
    session.add(reopening)
    await session.flush()
    await audit.record(
        session,
        audit.Event.REOPENED,
        dla_code,
        now,
        reopening=reopening.id,
        round=round_.fiscal_year,
        revision=reopening.revision,
        by=by,
        reason=reason,
    )
    for officer in await officers_concerned(session, organization, Role.LAO, Role.PROVINCE):
        outbox.enqueue(session, outbox.Kind.REOPENED, officer.user_id, reopening.id, now)
    await session.flush()
    return reopening
