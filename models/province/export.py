"""The content of exported files: all certifications, a province's list, and a single certificate."""

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
    """One certificate with its words loaded, and the fiscal year (Buddhist Era) of its round."""

    certification: Certification
    fiscal_year: int


async def exported_certifications(
    session: AsyncSession, province_code: str | None = None
) -> AsyncIterator[ExportedCertification]:
    """Stream the certificates of all rounds, including those that no longer count.

    With `province_code`: those of organizations that belong to the province now, and those that were issued while
    the organization belonged to it. Ordered by round (newest first), province, organization (Thai dictionary
    order) and id.
    """
    issued_in = func.coalesce(Certification.province_code, CertificateWords.province_code, "")
    statement = (
        select(Certification, Round.fiscal_year)
        .join(Organization, Organization.dla_code == Certification.organization_code)
        .join(Round, Round.id == Certification.round_id)
        .outerjoin(Certification.kept_words)
        .options(contains_eager(Certification.kept_words))
        .order_by(Round.id.desc(), issued_in, Organization.sort_key, Certification.id)
    )
    if province_code is not None:
        statement = statement.where(or_(issued_in == province_code, Organization.province_code == province_code))
    rows = await session.stream(statement.execution_options(yield_per=1000))
    async for row in rows:
        yield ExportedCertification(*row)


@dataclass(frozen=True)
class Signed:
    """One level of an organization's certification: the officer, the time, and the verification code."""

    officer_name: str
    officer_position: str
    certified_at: datetime
    is_late: bool
    code: str
    # The organization's name on the certificate. `words_kept_at`: when the name was stored, for a certificate from
    # before schema 0012, which does not contain it (models/succession/word_keeping.py).
    organization_name: str | None
    words_kept_at: datetime | None


@dataclass(frozen=True)
class ExportedOrganization:
    """One organization under its current name in the newest round.

    The fields from `revision` on are set once the LAO has certified.
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
    # The spot-check failed: only the operator can continue, by reopening the organization.
    is_blocked: bool = False

    @property
    def status(self) -> Status:
        """The status, derived from the certificates."""
        signatures = {Level.LAO: self.lao, Level.PROVINCE: self.province}
        return Status.of([level for level, signed in signatures.items() if signed is not None])


@dataclass(frozen=True)
class ProvinceList:
    """All organizations of a province in Thai dictionary order, as of the moment `as_of`."""

    province_code: str
    province_th: str
    province_en: str
    # None before the first round.
    fiscal_year: int | None
    as_of: datetime
    rows: tuple[ExportedOrganization, ...]


@dataclass(frozen=True)
class IssuedCertificate:
    """One certificate with its words and round loaded, and the reopening that ended its revision, if
    any.
    """

    certificate: Certification
    ended: Reopening | None
    issued_at: datetime


async def province_list(session: AsyncSession, province_code: str, now: datetime) -> ProvinceList:
    """Return a province's organizations of the newest round, with their live certificates.

    Runs four queries, however many organizations there are. Raises UnknownProvince.
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


# One certificate as a row of the columns _SIGNED.
Signature = Row[*tuple[Any, ...]]
# Columns and not ORM objects: creating objects takes longer, and blocks the event loop for all taps.
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
    rows = await session.execute(
        select(*_SIGNED)
        .join(Organization, Organization.dla_code == Certification.organization_code)
        .outerjoin(CertificateWords, CertificateWords.certification_id == Certification.id)
        .where(
            Organization.province_code == province_code,
            Certification.round_id == round_.id,
            is_live(Certification),
        )
    )
    certificates: dict[str, dict[Level, Signature]] = {}
    for row in rows:
        certificates.setdefault(row.organization_code, {})[row.level] = row
    return certificates


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


def _signed(signature: Signature) -> Signed:
    return Signed(
        signature.officer_name,
        signature.officer_position,
        signature.certified_at,
        signature.is_late,
        signature.code,
        signature.organization_name,
        signature.kept_at,
    )


async def take_list(session: AsyncSession, officer: Officer, now: datetime) -> str:
    """Record in the audit chain that an officer exports the list of the own province, because it contains names.

    Returns the province's code, for `province_list`. Raises NotYours if the officer is not of a province.
    """
    code = officer.account.province_code
    if officer.account.role is not Role.PROVINCE or code is None:
        raise NotYours
    newest = await current_round(session)
    counted = is_counted(newest.id if newest else None)
    count = await session.scalar(select(func.count()).where(Organization.province_code == code, counted))
    details = {"what": "organizations", "organizations": count, "officer": officer.id}
    await event_chain.record(session, event_chain.Event.EXPORTED, code, now, **details)
    return code


async def take_certificate(
    session: AsyncSession, officer: Officer, certification_id: int, now: datetime
) -> IssuedCertificate:
    """Return a certificate for export, and record the export in the audit chain.

    Raises NotYours if the officer may not see the certificate, or it does not exist.
    """
    certificate = await find_certification(session, certification_id)
    if certificate is None:
        raise NotYours
    await require_sight_of(session, officer.account, certificate)
    details = {"what": "certificate", "certificate": certificate.code, "officer": officer.id}
    await event_chain.record(session, event_chain.Event.EXPORTED, certificate.organization_code, now, **details)
    return IssuedCertificate(certificate, await ended_by(session, certificate), now)


async def certificate_of_code(session: AsyncSession, code: str, now: datetime) -> IssuedCertificate:
    """Return the certificate with a verification code, for the operator. Raises UnknownCode."""
    certificate = await certificate_by_code(session, code)
    return IssuedCertificate(certificate, await ended_by(session, certificate), now)
