"""What is taken away: who certified what and when, a province's list, and one certificate."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from models.accounts.access import NotYours
from models.accounts.account import Officer, Role
from models.audit import event_chain
from models.certification.certificate import Certification, Level, Reopening, Status, is_live
from models.certification.history import certificate_by_code, ended_by, find_certification, require_sight_of
from models.certification.words import CertificateWords
from models.organizations.organization import Organization, full_name
from models.province.progress import is_blocked, is_counted, require_province
from models.register.roster import Headcount
from models.rounds.round import Round, current_round


@dataclass(frozen=True)
class ExportedCertification:
    """One certificate with its words, and its round's year."""

    certification: Certification
    fiscal_year: int


async def exported_certifications(
    session: AsyncSession, province_code: str | None = None
) -> AsyncIterator[ExportedCertification]:
    """All certificates of all rounds, a few at a time; or those of one province: of the organizations that it has
    now, and those that were made there.

    In order of round (newest first), province, organization in Thai dictionary order, and level.
    """
    made_in = func.coalesce(Certification.province_code, CertificateWords.province_code, "")
    statement = (
        select(Certification, Round.fiscal_year)
        .join(Organization, Organization.dla_code == Certification.organization_code)
        .join(Round, Round.id == Certification.round_id)
        .outerjoin(Certification.kept_words)
        .options(contains_eager(Certification.kept_words))
        .order_by(Round.id.desc(), made_in, Organization.sort_key, Certification.id)
    )
    if province_code is not None:
        statement = statement.where(or_(made_in == province_code, Organization.province_code == province_code))
    rows = await session.stream(statement.execution_options(yield_per=1000))
    async for row in rows:
        yield ExportedCertification(*row)


@dataclass(frozen=True)
class Signed:
    """One level of one organization's certification: who stands for it, when, and the code to look it up by."""

    officer_name: str
    officer_position: str
    certified_at: datetime
    is_late: bool
    code: str
    # What the certificate calls the organization, and since when, where it does not bear that itself.
    organization_name: str | None
    words_kept_at: datetime | None


@dataclass(frozen=True)
class ExportedOrganization:
    """One organization, as it is called now, in the newest round; what was certified is there from the LAO's
    certificate on.
    """

    dla_code: str
    type_th: str
    full_name: str
    district_th: str
    revision: int | None = None
    headcount: Headcount | None = None
    with_empty_menus: int | None = None
    roster_file: str = ""
    roster_imported_at: datetime | None = None
    lao: Signed | None = None
    province: Signed | None = None
    # Only the operator can go on with it.
    is_blocked: bool = False

    @property
    def status(self) -> Status:
        """Derived from the certificates."""
        signed = {Level.LAO: self.lao, Level.PROVINCE: self.province}
        return Status.of([level for level, by in signed.items() if by is not None])


@dataclass(frozen=True)
class ProvinceList:
    """All organizations of a province in Thai dictionary order, as they were at one moment."""

    province_code: str
    province_th: str
    province_en: str
    # None before the first round.
    fiscal_year: int | None
    as_of: datetime
    rows: tuple[ExportedOrganization, ...]


@dataclass(frozen=True)
class IssuedCertificate:
    """One certificate with its words and round, and what ended its revision."""

    made: Certification
    ended: Reopening | None
    issued_at: datetime


async def province_list(session: AsyncSession, province_code: str, now: datetime) -> ProvinceList:
    """Every organization of a province that belongs to the newest round, with its certificates that count. Four
    queries. Raises UnknownProvince.
    """
    province = await require_province(session, province_code)
    round_ = await current_round(session)
    round_id = round_.id if round_ else None
    organizations = await session.execute(
        select(
            Organization.dla_code,
            Organization.type_th,
            Organization.type_code,
            Organization.name_th,
            Organization.district_th,
            is_blocked(round_id).label("is_blocked"),
        )
        .where(Organization.province_code == province_code, is_counted(round_id))
        .order_by(Organization.sort_key)
    )
    certificates = await _live_in_province(session, province_code, round_)
    rows = tuple(
        _exported(
            (row.dla_code, row.type_th, full_name(row.type_code, row.type_th, row.name_th), row.district_th),
            certificates.get(row.dla_code, {}),
            is_blocked=row.is_blocked,
        )
        for row in organizations
    )
    fiscal_year = round_.fiscal_year if round_ else None
    return ProvinceList(province_code, province.name_th, province.name_en, fiscal_year, now, rows)


# The columns below of one certificate.
Signature = Row[*tuple[Any, ...]]
# As columns: objects take longer, and every tap waits meanwhile.
_SIGNED = (
    Certification.organization_code,
    Certification.level,
    Certification.revision,
    Certification.officials,
    Certification.permanent_employees,
    Certification.contract_employees,
    Certification.with_empty_menus,
    Certification.roster_file,
    Certification.roster_imported_at,
    Certification.officer_name,
    Certification.officer_position,
    Certification.certified_at,
    Certification.is_late,
    Certification.code,
    func.coalesce(Certification.organization_name, CertificateWords.organization_name).label("organization_name"),
    CertificateWords.kept_at,
)


async def _live_in_province(
    session: AsyncSession, province_code: str, round_: Round | None
) -> dict[str, dict[Level, Signature]]:
    if round_ is None:
        return {}
    made = await session.execute(
        select(*_SIGNED)
        .join(Organization, Organization.dla_code == Certification.organization_code)
        .outerjoin(CertificateWords, CertificateWords.certification_id == Certification.id)
        .where(
            Organization.province_code == province_code,
            Certification.round_id == round_.id,
            is_live(Certification),
        )
    )
    found: dict[str, dict[Level, Signature]] = {}
    for one in made:
        found.setdefault(one.organization_code, {})[one.level] = one
    return found


def _exported(
    organization: tuple[str, str, str, str], certificates: dict[Level, Signature], *, is_blocked: bool
) -> ExportedOrganization:
    lao, province = certificates.get(Level.LAO), certificates.get(Level.PROVINCE)
    if lao is None:
        return ExportedOrganization(*organization)
    return ExportedOrganization(
        *organization,
        revision=lao.revision,
        headcount=Headcount(lao.officials, lao.permanent_employees, lao.contract_employees),
        with_empty_menus=lao.with_empty_menus,
        roster_file=lao.roster_file,
        roster_imported_at=lao.roster_imported_at,
        lao=_signed(lao),
        province=_signed(province) if province is not None else None,
        is_blocked=is_blocked,
    )


def _signed(made: Signature) -> Signed:
    return Signed(
        made.officer_name,
        made.officer_position,
        made.certified_at,
        made.is_late,
        made.code,
        made.organization_name,
        made.kept_at,
    )


async def take_list(session: AsyncSession, officer: Officer, now: datetime) -> str:
    """Record that an officer takes the list of its own province, for names go out with it; whose list that is, for
    `province_list`. Raises NotYours.
    """
    code = officer.account.province_code
    if officer.account.role is not Role.PROVINCE or code is None:
        raise NotYours
    newest = await current_round(session)
    counted = is_counted(newest.id if newest else None)
    count = await session.scalar(select(func.count()).where(Organization.province_code == code, counted))
    told = {"what": "organizations", "organizations": count, "officer": officer.id}
    await event_chain.record(session, event_chain.Event.EXPORTED, code, now, **told)
    return code


async def take_certificate(
    session: AsyncSession, officer: Officer, certification_id: int, now: datetime
) -> IssuedCertificate:
    """One certificate that the officer may see, recorded like a list. Raises NotYours, also where none is."""
    made = await find_certification(session, certification_id)
    if made is None:
        raise NotYours
    await require_sight_of(session, officer.account, made)
    told = {"what": "certificate", "certificate": made.code, "officer": officer.id}
    await event_chain.record(session, event_chain.Event.EXPORTED, made.organization_code, now, **told)
    return IssuedCertificate(made, await ended_by(session, made), now)


async def certificate_of_code(session: AsyncSession, code: str, now: datetime) -> IssuedCertificate:
    """The certificate with a verification code, for the operator. Raises UnknownCode."""
    made = await certificate_by_code(session, code)
    return IssuedCertificate(made, await ended_by(session, made), now)
