"""What may happen to a certification: confirmation, certificate, and the operator's way back.

An organization's officer certifies first (procedure, LAO steps 2 and 3), then its province's (procedure,
province steps 5 and 6). A certificate is a row that is only ever inserted; status is derived from the rows, and
an `lao` row of the newest round locks the register (models/schema/triggers.py). Only the operator can end a
revision, by a reopening: another row; the certificates of the ended revision stay and no longer count.
"""

import random
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, joinedload, mapped_column

from models.accounts.access import NotYours, find_organization, require_sight
from models.accounts.account import Account, Officer, Role, officers_concerned
from models.audit import event_chain
from models.audit.replay import seals_of
from models.audit.row_seal import hold_sealed, require_good_seal, require_newest
from models.base.clocks import LARGEST_OFFSET, is_past
from models.base.coverage import Coverage, covered
from models.base.errors import DomainError
from models.base.tables import Base, text_enum
from models.certification.certificate import CODE_ALPHABET, CODE_LENGTH, Certification, Level, Reopening, snapshot
from models.certification.remark import operator_name
from models.certification.review import ExplanationMissing, Review, RosterChanged, live_certificates, review
from models.certification.spot_check import hand_in_correct, kept, record_hand_in, require_passed, require_recorded
from models.certification.statement import statement_digest, statement_name
from models.chats.conversation import Language
from models.notices import card_marks, outbox
from models.notices.kind import NoticeKind
from models.organizations.organization import Organization, lock_organization
from models.register.certified import keep_certified
from models.register.roster import Roster, load_records, summarize
from models.rounds.round import Round, RoundState, require_open_round
from models.security.row_seal import Sealed, SealedRow

# A press counts while the figures are still before the officer's eyes, not on last week's card.
CONFIRMATION_LIFETIME = timedelta(minutes=30)


class ReopenRefused(DomainError):
    """The organization cannot be reopened; the message says why."""


class NotYetCertified(DomainError):
    """A province can certify only what the organization has certified."""


class SelfApproval(DomainError):
    """Who certified for the organization may not certify the same figures for its province."""


class ConfirmationExpired(DomainError):
    """The confirmation is unknown, another officer's, or too old: look at the numbers again."""


class ClockWrong(DomainError):
    """The program's clock is off by more than LARGEST_OFFSET, and what was asked for would bear its time for good.

    `organization_code` is whose register it is about; `confirmation` the warning that may be confirmed once more
    when the clock is right.
    """

    def __init__(self, organization_code: str, confirmation: "Confirmation | None" = None) -> None:
        super().__init__(organization_code)
        self.organization_code = organization_code
        self.confirmation = confirmation


class AlreadyCertified(DomainError):
    """Someone has certified this organization; `certification` says who and when."""

    def __init__(self, organization: Organization, certification: "Certification") -> None:
        super().__init__(certification.code)
        self.organization = organization
        self.certification = certification


class Confirmation(SealedRow, Base):
    """A warning that was shown: who may confirm what, bound to the figures on the screen, good once."""

    COVERAGE: ClassVar[Coverage] = covered(
        sealed="nonce officer_id organization_code round_id level fingerprint shown_at used_at"
    )

    __tablename__ = "confirmation"

    nonce: Mapped[str] = mapped_column(String(32), primary_key=True)
    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"))
    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"))
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    level: Mapped[Level] = mapped_column(text_enum(Level))
    fingerprint: Mapped[str] = mapped_column(String(16))
    shown_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    SEALS: ClassVar[tuple[Sealed, ...]] = (
        Sealed(
            (
                "officer_id",
                "organization_code",
                "round_id",
                "level",
                "fingerprint",
                "shown_at",
                "used_at",
            )
        ),
    )


@dataclass(frozen=True)
class Demands:
    """What must be there before something is certified, by the settings (docs/contract.md, Settings).

    `spot_check_size`: so many records a province must have checked (0: none). `difference_percent`: a category
    that differs by more from the last round's must be explained (100: never).
    """

    spot_check_size: int
    difference_percent: int


# Of a clock that is right, or was never compared.
RIGHT = timedelta(0)


def require_right_clock(
    clock_offset: timedelta, organization_code: str, confirmation: "Confirmation | None" = None
) -> None:
    """Before anything whose time stands on a certificate. `clock_offset` is how far the clock is known to be off.

    Raises ClockWrong.
    """
    if abs(clock_offset) > LARGEST_OFFSET:
        raise ClockWrong(organization_code, confirmation)


async def _require_level(
    session: AsyncSession, account: Account, organization: Organization, level: Level
) -> None:
    await require_sight(session, account, organization)
    if account.role.value != level.value:
        raise NotYours


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
    clock_offset: timedelta = RIGHT,
) -> tuple[Confirmation, Review]:
    """Before the warning: note which figures the officer is about to confirm.

    `fingerprint` is that of the review, or of the spot-check's summary, that the officer pressed on.

    Raises NotYours, NoOpenRound, NoRoster, AlreadyCertified, NotYetCertified, SelfApproval, RosterChanged,
    ExplanationMissing, SpotCheckMissing, SpotCheckFailed, ClockWrong, BadSeal, RecordBroken.
    """
    organization = await find_organization(session, officer, dla_code)
    await _require_level(session, officer.account, organization, level)
    open_round = await require_open_round(session)
    shown = await review(session, officer, dla_code)
    _require_certifiable(shown, officer, level, fingerprint, demands)
    require_right_clock(clock_offset, dla_code)
    # Before the event that names them: what was put back must not become the newest.
    await require_newest(session, officer.account.unit, [officer.account, officer])
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
    await event_chain.record(
        session,
        event_chain.Event.WARNED,
        officer.account.unit,
        now,
        officer=officer.id,
        organization=dla_code,
        round=open_round.fiscal_year,
        level=level.value,
        confirmation=confirmation.nonce,
        seals=seals_of([officer.account, officer, confirmation]),
    )
    return confirmation, shown


async def find_confirmation(session: AsyncSession, officer: Officer, nonce: str) -> Confirmation:
    """A warning that was shown to this officer. Raises ConfirmationExpired, BadSeal."""
    found = await session.get(Confirmation, nonce)
    if found is None or found.officer_id != officer.id:
        raise ConfirmationExpired
    await require_good_seal(session, found)
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
    clock_offset: timedelta = RIGHT,
) -> Certification:
    """The irreversible press: insert the certificate, and the notices that it causes, in this transaction. The
    province's hands in its spot-check, where that was not done before.

    Raises ConfirmationExpired, NotYours, NoOpenRound, NoRoster, AlreadyCertified, NotYetCertified, SelfApproval,
    RosterChanged, ExplanationMissing, SpotCheckMissing, SpotCheckFailed, SpotCheckAltered, ClockWrong (the
    confirmation stays good); BadSeal and RecordBroken where somebody without the secret key has changed what it
    rests on.
    """
    confirmation = await find_confirmation(session, officer, nonce)
    # A link that is ended at this moment ends before or after the certificate, never beside it. The officer's row
    # is locked before the organization's, as whoever ends a link does.
    await hold_sealed(session, officer, read=True)
    if officer.unlinked_at is not None:
        raise NotYours
    # The first lock of all that certifies or changes a register; what is read below cannot change any more.
    await lock_organization(session, confirmation.organization_code)
    await session.refresh(confirmation)
    await require_newest(session, officer.account.unit, [officer.account, officer, confirmation])
    organization = await find_organization(session, officer, confirmation.organization_code)
    await _require_level(session, officer.account, organization, confirmation.level)
    open_round = await require_open_round(session)
    shown = await review(session, officer, organization.dla_code)
    _require_confirmable(shown, confirmation, officer, now, demands, clock_offset)
    confirmation.used_at = now
    if confirmation.level is Level.PROVINCE:
        await require_recorded(session, shown.spot_check)
        check = hand_in_correct(shown.spot_check, now)
        await session.flush()
        if check is not None:
            await record_hand_in(session, check, now)
    certification = _certificate(shown, open_round, officer, confirmation.level, now, rng)
    certification.statement = statement_name(confirmation.level, language)
    certification.audit_head = await event_chain.chain_head(session, organization.dla_code)
    session.add(certification)
    await session.flush()
    await event_chain.record(
        session,
        event_chain.Event.CERTIFIED,
        organization.dla_code,
        now,
        certificate=snapshot(certification),
        statement_sha256=statement_digest(certification.statement),
        confirmation=confirmation.nonce,
        seals=seals_of([officer.account, officer, confirmation]),
    )
    await _announce(session, officer, certification, organization, now)
    return certification


async def review_confirmation(
    session: AsyncSession,
    officer: Officer,
    nonce: str,
    now: datetime,
    *,
    demands: Demands,
    clock_offset: timedelta = RIGHT,
) -> tuple[Confirmation, Review]:
    """Before the PIN is asked: the confirmation with its figures, as far as it could be certified now.

    Raises what `certify` raises.
    """
    confirmation = await find_confirmation(session, officer, nonce)
    organization = await find_organization(session, officer, confirmation.organization_code)
    await _require_level(session, officer.account, organization, confirmation.level)
    await require_open_round(session)
    shown = await review(session, officer, organization.dla_code)
    _require_confirmable(shown, confirmation, officer, now, demands, clock_offset)
    return confirmation, shown


def _require_confirmable(
    shown: Review,
    confirmation: Confirmation,
    officer: Officer,
    now: datetime,
    demands: Demands,
    clock_offset: timedelta,
) -> None:
    _require_certifiable(shown, officer, confirmation.level, confirmation.fingerprint, demands)
    if confirmation.used_at is not None:
        raise ConfirmationExpired
    # A wrong clock does not tell how old the confirmation is.
    require_right_clock(clock_offset, confirmation.organization_code, confirmation)
    if is_past(confirmation.shown_at, CONFIRMATION_LIFETIME, now):
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
    if shown.fingerprint(level) != fingerprint:
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
        **asdict(shown.words),
    )


async def _announce(
    session: AsyncSession,
    actor: Officer,
    certification: Certification,
    organization: Organization,
    now: datetime,
) -> None:
    """Queue the actor's receipt and the notices to the organization's officers, and mark the province's cards."""
    outbox.enqueue(session, NoticeKind.RECEIPT, actor.user_id, certification.id, now)
    is_lao = certification.level is Level.LAO
    kind = NoticeKind.COLLEAGUE_CERTIFIED if is_lao else NoticeKind.PROVINCE_CERTIFIED
    colleagues = [one for one in await officers_concerned(session, organization, Role.LAO) if one.id != actor.id]
    await outbox.enqueue_each(session, kind, [one.user_id for one in colleagues], certification.id, now)
    arrived = certification.id if is_lao else None
    await card_marks.touch(session, organization.province_code, now, arrived=arrived)


# --- the way back, the operator's alone ---------------------------------------------------------------------


async def reopen(session: AsyncSession, dla_code: str, by: str, reason: str, now: datetime) -> Reopening:
    """End the current revision: the register can be changed and must be certified anew.

    The register as it was certified is kept, to show what changes (models/certification/changes.py). The officers
    of both sides are told, with the reason. Raises OperatorRefused, UnknownOrganization,
    ReopenRefused.
    """
    by = operator_name(by)
    await lock_organization(session, dla_code)
    organization = await session.get_one(
        Organization, dla_code, options=[joinedload(Organization.province)], populate_existing=True
    )
    round_ = await session.scalar(select(Round).where(Round.state == RoundState.OPEN).with_for_update(read=True))
    if round_ is None:
        raise ReopenRefused(
            "no round is open, so what was reopened could not be certified again; see: laocert round reopen --help"
        )
    await require_good_seal(session, round_)
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
    is_kept = await _keep_register(session, reopening, certificates)
    await event_chain.record(
        session,
        event_chain.Event.REOPENED,
        dla_code,
        now,
        reopening=reopening.id,
        round=round_.fiscal_year,
        revision=reopening.revision,
        by=by,
        reason=reason,
        register_kept=is_kept,
    )
    concerned = await officers_concerned(session, organization, Role.LAO, Role.PROVINCE)
    chats = [one.user_id for one in concerned]
    await outbox.enqueue_each(session, NoticeKind.REOPENED, chats, reopening.id, now)
    await card_marks.touch(session, organization.province_code, now)
    return reopening


async def _keep_register(
    session: AsyncSession, reopening: Reopening, certificates: dict[Level, Certification]
) -> bool:
    """Keep the register that a reopening has just unlocked, if it is still what was certified.

    Only someone who took the triggers away can have changed it. Then it is no copy of what was certified, and any
    record may have changed.
    """
    roster = await session.get(Roster, reopening.organization_code, populate_existing=True)
    records = await load_records(session, reopening.organization_code)
    lao = certificates.get(Level.LAO)
    if roster is None or lao is None or summarize(roster, records).digest != lao.roster_digest:
        return False
    by_province = Level.PROVINCE in certificates
    await keep_certified(session, reopening.id, by_province, roster.menu_names, records)
    return True
