"""The operations on certifications: confirm, certify, and reopen.

First the organization's officer certifies (procedure, LAO steps 2 and 3), then the province's officer (procedure,
province steps 5 and 6). Certificates are only ever inserted. The status is derived from them, and an `lao`
certificate of the newest round locks the register (models/schema/triggers.py). Only the operator can end a
revision, by inserting a reopening: the certificates of the ended revision stay but are no longer live.
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
from models.audit.reading import authentic_events
from models.audit.replay import RecordBroken, seals_of
from models.audit.row_seal import hold_sealed, require_good_seal, require_newest
from models.base.clocks import LARGEST_OFFSET, is_past
from models.base.coverage import Coverage, covered
from models.base.errors import DomainError
from models.base.grants import Grants
from models.base.tables import Base, text_enum
from models.certification.certificate import (
    CODE_ALPHABET,
    CODE_LENGTH,
    Certification,
    Level,
    Reopening,
    events_since_certified,
    snapshot,
)
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

# How long a confirmation is valid, so that an officer cannot certify from a week-old message.
CONFIRMATION_LIFETIME = timedelta(minutes=30)


class ReopenRefused(DomainError):
    """The organization cannot be reopened: no round is open, or it is not certified. The message says which."""


class NotYetCertified(DomainError):
    """The organization has not certified the current revision, so that its province cannot certify yet."""


class SelfApproval(DomainError):
    """The user certified for the organization, and may not certify the same revision for its province."""


class ConfirmationExpired(DomainError):
    """The confirmation is unknown, another officer's, used, or too old: the officer must review the numbers
    again.
    """


class ClockWrong(DomainError):
    """The program's clock is off by more than LARGEST_OFFSET, so that an action whose time is permanent is
    refused.

    `organization_code` is the organization of the register. `confirmation`, if any, stays valid until the clock is
    right.
    """

    def __init__(self, organization_code: str, confirmation: "Confirmation | None" = None) -> None:
        super().__init__(organization_code)
        self.organization_code = organization_code
        self.confirmation = confirmation


class AlreadyCertified(DomainError):
    """The organization's revision is already certified at this level, by `certification`."""

    def __init__(self, organization: Organization, certification: "Certification") -> None:
        super().__init__(certification.code)
        self.organization = organization
        self.certification = certification


class Confirmation(SealedRow, Base):
    """A warning that an officer was shown before certifying.

    It can be confirmed once, for the figures it showed.
    """

    COVERAGE: ClassVar[Coverage] = covered(
        sealed="nonce officer_id organization_code round_id level fingerprint shown_at used_at"
    )

    __tablename__ = "confirmation"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE", operator="SELECT, DELETE")

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
    """The requirements for certifying, from the settings (docs/contract.md, Settings).

    `spot_check_size` is the number of records that a province must spot-check (0: no spot-check). A category that
    differs from the previous round by more than `difference_percent` must be explained (100: never).
    """

    spot_check_size: int
    difference_percent: int


# The offset of a clock that is right or was never compared.
RIGHT = timedelta(0)


def require_right_clock(
    clock_offset: timedelta, organization_code: str, confirmation: "Confirmation | None" = None
) -> None:
    """Raise ClockWrong when `clock_offset`, the clock's known error, exceeds LARGEST_OFFSET.

    Called before every action whose time is printed on a certificate.
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
    """Store and record a confirmation before the warning is shown; return it with the current review.

    `fingerprint` is that of the review or the spot-check summary on whose button the officer pressed.

    Raises NotYours, NoOpenRound, NoRoster, AlreadyCertified, NotYetCertified, SelfApproval, RosterChanged,
    ExplanationMissing, SpotCheckMissing, SpotCheckFailed, SpotCheckAltered, ClockWrong, BadSeal, RecordBroken.
    """
    organization = await find_organization(session, officer, dla_code)
    await _require_level(session, officer.account, organization, level)
    open_round = await require_open_round(session)
    current = await review(session, officer, dla_code)
    _require_certifiable(current, officer, level, fingerprint, demands)
    require_right_clock(clock_offset, dla_code)
    if level is Level.PROVINCE:
        await _require_recorded(session, current, open_round)
    else:
        await _require_reopened(session, current, open_round)
    # Checked before the event that names these rows: otherwise a row that was rolled back would become the newest.
    await require_newest(session, officer.account.unit, [officer.account, officer])
    await require_newest(session, event_chain.SYSTEM, [open_round])
    await require_newest(session, organization.dla_code, [organization])
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
    # Named only in its own chain, where it is looked for.
    own_organization = [organization] if officer.account.unit == dla_code else []
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
        seals=seals_of([officer.account, officer, confirmation, *own_organization]),
    )
    return confirmation, current


async def find_confirmation(session: AsyncSession, officer: Officer, nonce: str) -> Confirmation:
    """Return this officer's confirmation with a nonce.

    Raises ConfirmationExpired when there is none, and BadSeal.
    """
    confirmation = await session.get(Confirmation, nonce)
    if confirmation is None or confirmation.officer_id != officer.id:
        raise ConfirmationExpired
    await require_good_seal(session, confirmation)
    return confirmation


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
    """Certify irreversibly: insert the certificate, its event and its notices in the caller's transaction.

    `nonce` is that of the officer's confirmation. At the province level a correct spot-check is handed in too, if
    it was not before.

    Raises ConfirmationExpired, NotYours, NoOpenRound, NoRoster, AlreadyCertified, NotYetCertified, SelfApproval,
    RosterChanged, ExplanationMissing, SpotCheckMissing, SpotCheckFailed, SpotCheckAltered; ClockWrong, after which
    the confirmation stays valid; BadSeal and RecordBroken when a row it depends on was changed without the secret
    key.
    """
    confirmation = await find_confirmation(session, officer, nonce)
    # The lock serializes this transaction with one that ends the officer's link. The officer's row is locked
    # before the organization's, in the same order as there.
    await hold_sealed(session, officer, read=True)
    if officer.unlinked_at is not None:
        raise NotYours
    # Every operation that certifies or changes a register locks this row first, so what is read below cannot
    # change.
    await lock_organization(session, confirmation.organization_code)
    await session.refresh(confirmation)
    await require_newest(session, officer.account.unit, [officer.account, officer, confirmation])
    organization = await find_organization(session, officer, confirmation.organization_code)
    await _require_level(session, officer.account, organization, confirmation.level)
    open_round = await require_open_round(session)
    await require_newest(session, event_chain.SYSTEM, [open_round])
    await require_newest(session, organization.dla_code, [organization])
    current = await review(session, officer, organization.dla_code)
    _require_confirmable(current, confirmation, officer, now, demands, clock_offset)
    confirmation.used_at = now
    if confirmation.level is Level.PROVINCE:
        await _require_recorded(session, current, open_round)
        check = hand_in_correct(current.spot_check, now)
        await session.flush()
        if check is not None:
            await record_hand_in(session, check, now)
    else:
        await _require_reopened(session, current, open_round)
    certification = _certificate(current, open_round, officer, confirmation.level, now, rng)
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
        seals=seals_of([officer.account, officer, confirmation, organization]),
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
    """Check that a confirmation could be certified now, and return it with the current review.

    Called before the bot asks for the PIN. Raises what `certify` raises, except SpotCheckAltered and
    RecordBroken.
    """
    confirmation = await find_confirmation(session, officer, nonce)
    organization = await find_organization(session, officer, confirmation.organization_code)
    await _require_level(session, officer.account, organization, confirmation.level)
    await require_open_round(session)
    current = await review(session, officer, organization.dla_code)
    _require_confirmable(current, confirmation, officer, now, demands, clock_offset)
    return confirmation, current


def _require_confirmable(
    current: Review,
    confirmation: Confirmation,
    officer: Officer,
    now: datetime,
    demands: Demands,
    clock_offset: timedelta,
) -> None:
    _require_certifiable(current, officer, confirmation.level, confirmation.fingerprint, demands)
    if confirmation.used_at is not None:
        raise ConfirmationExpired
    # Checked before the age of the confirmation, which a wrong clock cannot measure.
    require_right_clock(clock_offset, confirmation.organization_code, confirmation)
    if is_past(confirmation.shown_at, CONFIRMATION_LIFETIME, now):
        raise ConfirmationExpired


def _require_certifiable(
    current: Review, officer: Officer, level: Level, fingerprint: str, demands: Demands
) -> None:
    existing = current.lao if level is Level.LAO else current.province
    if existing is not None:
        raise AlreadyCertified(current.organization, existing)
    if level is Level.PROVINCE and current.lao is None:
        raise NotYetCertified
    if level is Level.PROVINCE and current.lao is not None and current.lao.user_id == officer.user_id:
        raise SelfApproval
    if current.fingerprint(level) != fingerprint:
        raise RosterChanged(current)
    if current.lao is not None and current.lao.roster_digest != current.roster.digest:
        # The triggers lock a certified register, so somebody must have removed them to change it.
        raise RosterChanged(current)
    if level is Level.LAO and current.lacks_explanation(demands.difference_percent):
        raise ExplanationMissing(current)
    if level is Level.PROVINCE:
        require_passed(current.spot_check, size=demands.spot_check_size, records=current.roster.headcount.total)


async def _require_recorded(session: AsyncSession, current: Review, open_round: Round) -> None:
    """Check that what the province certifies on, the LAO's certificate and the spot-check, equals the record.

    Raises NotYetCertified, SpotCheckAltered, RecordBroken.
    """
    if current.lao is None:
        raise NotYetCertified
    require_recorded(current.spot_check, await events_since_certified(session, current.lao, open_round.opened_at))


async def _require_reopened(session: AsyncSession, current: Review, open_round: Round) -> None:
    """Check that an event records each reopening of the round, on which the revision rests.

    Events under a lost key cannot be verified, so where a key is lost, nothing is checked. Raises RecordBroken.
    """
    if current.revision == 1 or event_chain.keyring(session).lost:
        return
    code = current.organization.dla_code
    events = {
        details.get("reopening"): details
        for _, details in await authentic_events(session, code, [event_chain.Event.REOPENED])
    }
    reopenings = select(Reopening.id, Reopening.revision).where(
        Reopening.organization_code == code, Reopening.round_id == open_round.id
    )
    for reopening_id, revision in await session.execute(reopenings):
        details = events.get(reopening_id, {})
        if (details.get("round"), details.get("revision", revision)) != (open_round.fiscal_year, revision):
            raise RecordBroken(code)


def _certificate(
    current: Review, open_round: Round, officer: Officer, level: Level, now: datetime, rng: random.Random
) -> Certification:
    roster = current.roster
    return Certification(
        organization_code=current.organization.dla_code,
        round_id=open_round.id,
        revision=current.revision,
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
        spot_check=kept(current.spot_check) if level is Level.PROVINCE else None,
        **asdict(current.words),
    )


async def _announce(
    session: AsyncSession,
    actor: Officer,
    certification: Certification,
    organization: Organization,
    now: datetime,
) -> None:
    """Enqueue the actor's receipt, the notices to the organization's officers, and the refresh of the province's
    cards.
    """
    outbox.enqueue(session, NoticeKind.RECEIPT, actor.user_id, certification.id, now)
    is_lao = certification.level is Level.LAO
    kind = NoticeKind.COLLEAGUE_CERTIFIED if is_lao else NoticeKind.PROVINCE_CERTIFIED
    colleagues = [
        colleague
        for colleague in await officers_concerned(session, organization, Role.LAO)
        if colleague.id != actor.id
    ]
    await outbox.enqueue_each(
        session, kind, [colleague.user_id for colleague in colleagues], certification.id, now
    )
    arrived_id = certification.id if is_lao else None
    await card_marks.touch(session, organization.province_code, now, arrived=arrived_id)


# --- reopening, by the operator only ------------------------------------------------------------------------


async def reopen(session: AsyncSession, dla_code: str, by: str, reason: str, now: datetime) -> Reopening:
    """End an organization's current revision: the register can be changed and must be certified again.

    The register as certified is stored, to show later what changed (models/certification/changes.py). The officers
    of the organization and the province are notified, with the reason. `by` names the operator's person or office.
    Raises OperatorRefused for that name, UnknownOrganization, ReopenRefused, BadSeal.
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
    recipients = await officers_concerned(session, organization, Role.LAO, Role.PROVINCE)
    chats = [recipient.user_id for recipient in recipients]
    await outbox.enqueue_each(session, NoticeKind.REOPENED, chats, reopening.id, now)
    await card_marks.touch(session, organization.province_code, now)
    return reopening


async def _keep_register(
    session: AsyncSession, reopening: Reopening, certificates: dict[Level, Certification]
) -> bool:
    """Store the register that a reopening has just unlocked, if it still equals the certified one.

    Returns False when it does not: somebody has removed the triggers and changed the register, and any record may
    differ from what was certified.
    """
    roster = await session.get(Roster, reopening.organization_code, populate_existing=True)
    records = await load_records(session, reopening.organization_code)
    lao = certificates.get(Level.LAO)
    if roster is None or lao is None or summarize(roster, records).digest != lao.roster_digest:
        return False
    by_province = Level.PROVINCE in certificates
    await keep_certified(session, reopening.id, by_province, roster.menu_names, records)
    return True
