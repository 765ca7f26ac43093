"""Who certified what and when, as rows for a spreadsheet."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.certification import Certification
from models.organization import Organization, Province
from models.round import Round


@dataclass(frozen=True)
class ExportedCertification:
    """One certificate and what it is about."""

    certification: Certification
    organization: Organization
    province: Province
    fiscal_year: int


async def exported_certifications(
    session: AsyncSession, province_code: str | None = None
) -> AsyncIterator[ExportedCertification]:
    """All certificates of all rounds, or of one province's organizations, a few at a time.

    In order of round (newest first), province, organization in Thai dictionary order, and level.
    """
    statement = (
        select(Certification, Organization, Province, Round.fiscal_year)
        .join(Organization, Organization.dla_code == Certification.organization_code)
        .join(Province, Province.code == Organization.province_code)
        .join(Round, Round.id == Certification.round_id)
        .order_by(Round.id.desc(), Province.code, Organization.sort_key, Certification.id)
    )
    if province_code is not None:
        statement = statement.where(Province.code == province_code)
    rows = await session.stream(statement.execution_options(yield_per=1000))
    async for row in rows:
        yield ExportedCertification(*row)
