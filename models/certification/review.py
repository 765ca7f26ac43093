"""The review that an officer reads before certifying a register (procedure, LAO step 2, province step 5)."""

import hashlib
from dataclasses import astuple, dataclass
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, joinedload

from models.accounts.access import NotYours, require_sight
from models.accounts.account import Officer
from models.base.errors import DomainError
from models.certification.certificate import Certification, Level, Reopening, Status, is_live, is_open
from models.certification.changes import Changes, compare_with_ended
from models.certification.predecessors import Descent, Previous, previous_numbers, with_checks_of_family
from models.certification.remark import Remark, RemarkKind
from models.certification.spot_check import SpotCheck
from models.certification.words import Words
from models.organizations.organization import Organization, has_ended, has_predecessors, require_going_on
from models.register.certified import CertifiedRegister
from models.register.comparison import marked, numbers
from models.register.roster import (
    Category,
    Headcount,
    NoRoster,
    Roster,
    RosterSummary,
    load_records,
    summarize,
)
from models.rounds.round import Round


class ExplanationMissing(DomainError):
    """The numbers in `review` differ too much from the previous round's, and the LAO has not explained it."""

    def __init__(self, review: "Review") -> None:
        super().__init__(review.organization.dla_code)
        self.review = review


class RosterChanged(DomainError):
    """What the officer saw has changed: the register, the organization's names or place, or a spot-check's mark.

    `review` is the current state.
    """

    def __init__(self, review: "Review") -> None:
        super().__init__(review.organization.dla_code)
        self.review = review


@dataclass(frozen=True)
class Review:
    """The current state of one organization's register and certificates, which an officer reviews before
    certifying.
    """

    organization: Organization
    round: Round | None
    roster: RosterSummary
    revision: int
    lao: Certification | None
    province: Certification | None
    # The spot-check of this revision; None until it is drawn.
    spot_check: SpotCheck | None
    # The certified numbers of the newest earlier round that has any, and its fiscal year. For an organization with
    # predecessors, the sum of their numbers.
    previous: Headcount | None
    previous_year: int | None
    # The organization's explanation, in this revision, of the difference between `previous` and the current
    # numbers.
    explanation: Remark | None
    # Counts of the round: remarks except answers and decisions, and questions without an answer.
    remarks: int
    open_questions: int
    # The changes since the register was certified; None when nothing was reopened in the round.
    changes: Changes | None = None

    @property
    def status(self) -> Status:
        """The organization's status, derived from the live certificates."""
        return Status.of(
            [certification.level for certification in (self.lao, self.province) if certification is not None]
        )

    @property
    def words(self) -> Words:
        """The organization's current names and place, which a certificate will print."""
        return Words.of(self.organization)

    def marked(self, difference_percent: int) -> tuple[Category, ...]:
        """Return the categories that differ from the previous round by more than `difference_percent`."""
        return marked(self.roster.headcount, self.previous, difference_percent)

    def lacks_explanation(self, difference_percent: int) -> bool:
        """Whether the organization must still explain a difference before it can certify."""
        return self.explanation is None and bool(self.marked(difference_percent))

    def fingerprint(self, level: Level) -> str:
        """Return a digest of 16 hexadecimal digits of everything that a confirmation is bound to.

        It changes with the round, the revision, the organization's names and place, and the register; at the
        province level also with any mark of the spot-check.
        """
        round_id = self.round.id if self.round else 0
        state = f"{self.organization.dla_code}/{round_id}/{self.revision}/{self.roster.digest}"
        state += f"/{astuple(self.words)}"
        if level is Level.PROVINCE and self.spot_check is not None:
            state += f"/{self.spot_check.marks}"
        return hashlib.sha256(state.encode()).hexdigest()[:16]


async def live_certificates(
    session: AsyncSession, dla_code: str, round_: Round | None
) -> dict[Level, Certification]:
    """Return an organization's live certificates in a round, by level."""
    certificates, _ = await certificates_and_check(session, dla_code, round_)
    return certificates


@cache
def _with_checks() -> Select[*tuple[Certification, SpotCheck | None]]:
    """Select the live certificates of the organization `:code` of all rounds, each with its revision's spot-check.

    Objects already in the session are refreshed. There are two certificates a year.
    """
    return (
        select(Certification, SpotCheck)
        .outerjoin(
            SpotCheck,
            (SpotCheck.organization_code == Certification.organization_code)
            & (SpotCheck.round_id == Certification.round_id)
            & (SpotCheck.revision == Certification.revision),
        )
        .where(Certification.organization_code == bindparam("code"), is_live(Certification))
        .options(
            joinedload(SpotCheck.items), joinedload(Certification.round), joinedload(Certification.kept_words)
        )
        .execution_options(populate_existing=True)
    )


@cache
def _with_checks_of_round() -> Select[*tuple[Certification, SpotCheck | None]]:
    return _with_checks().where(Certification.round_id == bindparam("round"))


async def certificates_and_check(
    session: AsyncSession, dla_code: str, round_: Round | None
) -> tuple[dict[Level, Certification], SpotCheck | None]:
    """Return an organization's live certificates in a round, by level, and the spot-check of their revision.

    One query, which refreshes objects already in the session. Without a round, both are empty.
    """
    if round_ is None:
        return {}, None
    rows = await session.execute(_with_checks_of_round(), {"code": dla_code, "round": round_.id})
    pairs = rows.unique().all()
    return {certification.level: certification for certification, _ in pairs}, next(
        (check for _, check in pairs), None
    )


async def current_revision(session: AsyncSession, dla_code: str, round_: Round) -> int:
    """Return the number of the organization's current revision: 1 plus the number of reopenings in the round."""
    ended = select(func.count()).where(Reopening.organization_code == dla_code, Reopening.round_id == round_.id)
    return 1 + (await session.scalar(ended) or 0)


async def own_status(session: AsyncSession, dla_code: str) -> tuple[Round | None, Status]:
    """Return the newest round, if any, and an organization's status in it."""
    rows = (await session.execute(_round_and_levels(), {"code": dla_code})).all()
    return (rows[0][0] if rows else None), Status.of({level for _, level in rows})


@cache
def _round_and_levels() -> Select[*tuple[Any, ...]]:
    """Select the newest round, with a row for each live certificate's level of the organization, or one without a
    level.
    """
    certification = Certification
    counts = (
        (certification.organization_code == bindparam("code"))
        & (certification.round_id == Round.id)
        & is_live(certification)
    )
    return (
        select(Round, certification.level)
        .outerjoin(certification, counts)
        .where(Round.id == select(func.max(Round.id)).scalar_subquery())
    )


async def review(session: AsyncSession, officer: Officer, dla_code: str) -> Review:
    """Load an organization's review in the newest round, in three queries.

    Raises NotYours, also for an unknown organization, OrganizationEnded, NoRoster, and BadSeal when the
    organization's row was changed without the secret key.
    """
    rows = (await session.execute(_organization_and_round(), {"code": dla_code})).all()
    if not rows:
        raise NotYours
    organization, round_, roster, remarks, open_questions, last_explanation, is_over, has_come, *_ = rows[0]
    await require_sight(session, officer.account, organization)
    if is_over:
        await require_going_on(session, dla_code)
    if roster is None:
        raise NoRoster(dla_code)
    ended = [
        (revision, reopening_id, stored_register)
        for *_, revision, reopening_id, stored_register in rows
        if revision is not None
    ]
    records = await load_records(session, dla_code)
    summary, revision = summarize(roster, records), len(ended) + 1
    live, check, previous = await _now_and_before(session, dla_code, round_, has_come=has_come)
    is_current = (
        last_explanation is not None
        and last_explanation.revision == revision
        and last_explanation.about == numbers(summary.headcount)
    )
    return Review(
        organization=organization,
        round=round_,
        roster=summary,
        revision=revision,
        lao=live.get(Level.LAO),
        province=live.get(Level.PROVINCE),
        spot_check=check,
        previous=previous.headcount if previous else None,
        previous_year=previous.fiscal_year if previous else None,
        explanation=last_explanation if is_current else None,
        remarks=remarks,
        open_questions=open_questions,
        changes=compare_with_ended(session, ended, roster.menu_names, records),
    )


@cache
def _organization_and_round() -> Select[*tuple[Any, ...]]:
    """Select what a review needs besides records and certificates.

    The columns are the organization, the newest round, the roster, the counts of remarks and of open questions,
    the last explanation, whether the organization has ended and whether it has predecessors; then the number of an
    ended revision, the id of its reopening, and its stored register. Remarks and revisions are those of the newest
    round. There is one row for each ended revision, or one row without a revision.
    """
    dla_code: BindParameter[str] = bindparam("code")
    newest = select(func.max(Round.id)).scalar_subquery()
    thread = (Remark.organization_code == dla_code) & (Remark.round_id == newest)
    explanation, ended = aliased(Remark), aliased(Reopening)
    last_explanation_id = (
        select(func.max(Remark.id)).where(thread, Remark.kind == RemarkKind.EXPLANATION).scalar_subquery()
    )
    counts = (
        select(func.count()).where(thread, Remark.answers_id.is_(None)),
        select(func.count()).where(thread, is_open(Remark)),
    )
    states = has_ended(Organization.dla_code), has_predecessors(Organization.dla_code)
    return (
        select(
            Organization,
            Round,
            Roster,
            *(count.scalar_subquery() for count in counts),
            explanation,
            *states,
            ended.revision,
            ended.id,
            CertifiedRegister,
        )
        .select_from(Organization)
        .outerjoin(Round, Round.id == newest)
        .outerjoin(Roster, Roster.organization_code == Organization.dla_code)
        .outerjoin(explanation, explanation.id == last_explanation_id)
        .outerjoin(ended, (ended.organization_code == dla_code) & (ended.round_id == newest))
        .outerjoin(CertifiedRegister, CertifiedRegister.reopening_id == ended.id)
        .where(Organization.dla_code == dla_code)
        .options(joinedload(Organization.province))
        .execution_options(populate_existing=True)
    )


async def _now_and_before(
    session: AsyncSession, dla_code: str, round_: Round | None, *, has_come: bool
) -> tuple[dict[Level, Certification], SpotCheck | None, Previous | None]:
    """Return the live certificates in a round by level, their spot-check, and the numbers of an earlier round.

    `has_come` says that the organization has predecessors, whose earlier numbers are added.
    """
    if round_ is None:
        return {}, None, None
    if has_come:
        rows = (await session.execute(with_checks_of_family(), {"code": dla_code})).unique().all()
        descents = {Descent(*row[:4]) for row in rows if row[1] is not None}
        certificates = [(row[4], row[5]) for row in rows if row[4] is not None]
    else:
        descents = set()
        certificates = list((await session.execute(_with_checks(), {"code": dla_code})).unique().all())
    previous = previous_numbers(
        dla_code, list(descents), [certification for certification, _ in certificates], round_.id
    )
    of_round = [
        (certification, check)
        for certification, check in certificates
        if certification.round_id == round_.id and certification.organization_code == dla_code
    ]
    return (
        {certification.level: certification for certification, _ in of_round},
        next((check for _, check in of_round), None),
        previous,
    )
