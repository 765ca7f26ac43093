"""The review of one organization's register before it is certified (procedure, LAO step 2, province step 5)."""

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
    """The numbers differ from the last round's by more than the set share, and the LAO has not said why.

    `review` holds them.
    """

    def __init__(self, review: "Review") -> None:
        super().__init__(review.organization.dla_code)
        self.review = review


class RosterChanged(DomainError):
    """The register, what its organization is called or where it lies, or for the province a mark of its
    spot-check, is not what the officer saw; `review` holds what is there now.
    """

    def __init__(self, review: "Review") -> None:
        super().__init__(review.organization.dla_code)
        self.review = review


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
    # What was certified in the newest earlier round in which anything was, and that round's fiscal year; of an
    # organization that goes on from others, what they certified together.
    previous: Headcount | None
    previous_year: int | None
    # What the organization has said, in this revision, of the difference between them and these very numbers.
    explanation: Remark | None
    # Of the round's thread: all but answers and decisions; and the questions that wait for an answer.
    remarks: int
    open_questions: int
    # Since the register was certified; None where nothing was reopened in the round.
    changes: Changes | None = None

    @property
    def status(self) -> Status:
        """Derived from the certificates."""
        return Status.of([made.level for made in (self.lao, self.province) if made is not None])

    @property
    def words(self) -> Words:
        """What the organization is called and where it lies: what a certificate of this review will bear."""
        return Words.of(self.organization)

    def marked(self, difference_percent: int) -> tuple[Category, ...]:
        """The categories that differ from the last round's by more than the set share."""
        return marked(self.roster.headcount, self.previous, difference_percent)

    def lacks_explanation(self, difference_percent: int) -> bool:
        """Whether the organization must say why its numbers differ before it certifies them."""
        return self.explanation is None and bool(self.marked(difference_percent))

    def fingerprint(self, level: Level) -> str:
        """16 letters that change with the round, the revision, the words that the certificate will bear, or
        anything in the register; for the province with any mark of the spot-check too.
        """
        round_id = self.round.id if self.round else 0
        seen = f"{self.organization.dla_code}/{round_id}/{self.revision}/{self.roster.digest}"
        seen += f"/{astuple(self.words)}"
        if level is Level.PROVINCE and self.spot_check is not None:
            seen += f"/{self.spot_check.marks}"
        return hashlib.sha256(seen.encode()).hexdigest()[:16]


async def live_certificates(
    session: AsyncSession, dla_code: str, round_: Round | None
) -> dict[Level, Certification]:
    """The certificates that count for an organization in a round, by level."""
    certificates, _ = await certificates_and_check(session, dla_code, round_)
    return certificates


@cache
def _with_checks() -> Select[*tuple[Certification, SpotCheck | None]]:
    """The live certificates of the organization `code` of all rounds, each with the spot-check of its revision, as
    they are now in the database. Two certificates a year.
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
    """The certificates that count for an organization in a round, by level, and the spot-check of their revision;
    in one query, as they are now in the database.
    """
    if round_ is None:
        return {}, None
    rows = await session.execute(_with_checks_of_round(), {"code": dla_code, "round": round_.id})
    found = rows.unique().all()
    return {made.level: made for made, _ in found}, next((check for _, check in found), None)


async def current_revision(session: AsyncSession, dla_code: str, round_: Round) -> int:
    """1, and one more for each reopening in the round."""
    ended = select(func.count()).where(Reopening.organization_code == dla_code, Reopening.round_id == round_.id)
    return 1 + (await session.scalar(ended) or 0)


async def own_status(session: AsyncSession, dla_code: str) -> tuple[Round | None, Status]:
    """The newest round and how far an organization is in it."""
    rows = (await session.execute(_round_and_levels(), {"code": dla_code})).all()
    return (rows[0][0] if rows else None), Status.of({level for _, level in rows})


@cache
def _round_and_levels() -> Select[*tuple[Any, ...]]:
    """The newest round, a row for each level at which an organization is certified in it, or one without."""
    made = Certification
    counts = (made.organization_code == bindparam("code")) & (made.round_id == Round.id) & is_live(made)
    return (
        select(Round, made.level)
        .outerjoin(made, counts)
        .where(Round.id == select(func.max(Round.id)).scalar_subquery())
    )


async def review(session: AsyncSession, officer: Officer, dla_code: str) -> Review:
    """What the register holds now, who has certified it in the newest round, and what it is compared with.

    Raises NotYours, also for an unknown organization, OrganizationEnded, and NoRoster. Three queries.
    """
    rows = (await session.execute(_organization_and_round(), {"code": dla_code})).all()
    if not rows:
        raise NotYours
    organization, round_, roster, remarks, open_questions, said, is_over, has_come, *_ = rows[0]
    await require_sight(session, officer.account, organization)
    if is_over:
        await require_going_on(session, dla_code)
    if roster is None:
        raise NoRoster(dla_code)
    ended = [(revision, reopening_id, kept) for *_, revision, reopening_id, kept in rows if revision is not None]
    records = await load_records(session, dla_code)
    summary, revision = summarize(roster, records), len(ended) + 1
    now, check, before = await _now_and_before(session, dla_code, round_, has_come=has_come)
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
        previous_year=before.fiscal_year if before else None,
        explanation=said if answers else None,
        remarks=remarks,
        open_questions=open_questions,
        changes=compare_with_ended(session, ended, roster.menu_names, records),
    )


@cache
def _organization_and_round() -> Select[*tuple[Any, ...]]:
    """An organization, the newest round, its register's import, its remarks, open questions, and what it explained
    last; whether it has ended, and whether it goes on from others; then a revision of it that has ended, the
    reopening, and what was kept of the register. All but the two are of that round. A row for each ended revision,
    and one without where there is none.
    """
    dla_code: BindParameter[str] = bindparam("code")
    newest = select(func.max(Round.id)).scalar_subquery()
    thread = (Remark.organization_code == dla_code) & (Remark.round_id == newest)
    said, ended = aliased(Remark), aliased(Reopening)
    last_said = select(func.max(Remark.id)).where(thread, Remark.kind == RemarkKind.EXPLANATION).scalar_subquery()
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
            said,
            *states,
            ended.revision,
            ended.id,
            CertifiedRegister,
        )
        .select_from(Organization)
        .outerjoin(Round, Round.id == newest)
        .outerjoin(Roster, Roster.organization_code == Organization.dla_code)
        .outerjoin(said, said.id == last_said)
        .outerjoin(ended, (ended.organization_code == dla_code) & (ended.round_id == newest))
        .outerjoin(CertifiedRegister, CertifiedRegister.reopening_id == ended.id)
        .where(Organization.dla_code == dla_code)
        .options(joinedload(Organization.province))
        .execution_options(populate_existing=True)
    )


async def _now_and_before(
    session: AsyncSession, dla_code: str, round_: Round | None, *, has_come: bool
) -> tuple[dict[Level, Certification], SpotCheck | None, Previous | None]:
    """The certificates that count in a round, by level, with their spot-check; and the numbers of the newest
    earlier round with any. `has_come`: the organization goes on from others, whose numbers are among these.
    """
    if round_ is None:
        return {}, None, None
    if has_come:
        rows = (await session.execute(with_checks_of_family(), {"code": dla_code})).unique().all()
        descents = {Descent(*row[:4]) for row in rows if row[1] is not None}
        made = [(row[4], row[5]) for row in rows if row[4] is not None]
    else:
        descents = set()
        made = list((await session.execute(_with_checks(), {"code": dla_code})).unique().all())
    before = previous_numbers(dla_code, list(descents), [one for one, _ in made], round_.id)
    now = [(one, check) for one, check in made if one.round_id == round_.id and one.organization_code == dla_code]
    return {one.level: one for one, _ in now}, next((check for _, check in now), None), before
