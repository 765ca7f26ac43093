"""The upgrade of an อบต. to a เทศบาลตำบล with a new code in the middle of a round, as happens every year."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from demo.last_round import OPERATOR, write_successions
from models.base.calendar import bangkok_day
from models.database.engine import Database
from models.imports.successions import succeed_from_file
from models.organizations.organization import Organization, OrganizationEnd
from models.succession.decision import decision

_BEFORE, _AFTER, _AFTER_TH = "subdistrict_admin_org", "subdistrict_municipality", "เทศบาลตำบล"


async def find_upgradable(session: AsyncSession, preferred: Sequence[str]) -> Organization | None:
    """Return the อบต. to upgrade next: the last of the codes `preferred` that can be upgraded, or else any; None
    if there is none. An อบต. cannot be upgraded if a เทศบาลตำบล has the same name.
    """
    ended = select(OrganizationEnd.organization_code)
    active = list(
        await session.scalars(
            select(Organization).where(Organization.dla_code.not_in(ended)).order_by(Organization.dla_code)
        )
    )
    used_names = {organization.name_th for organization in active if organization.type_code == _AFTER}
    upgradable = {
        organization.dla_code: organization
        for organization in active
        if organization.type_code == _BEFORE and organization.name_th not in used_names
    }
    first = next((code for code in reversed(preferred) if code in upgradable), next(iter(upgradable), None))
    return None if first is None else upgradable[first]


async def upgrade(database: Database, folder: Path, organization: Organization, now: datetime) -> str:
    """Upgrade an อบต. to a เทศบาลตำบล, and return its new code. Raises ImportRefused."""
    async with database.read() as session:
        codes = set(await session.scalars(select(Organization.dla_code)))
    # The first digit stands for the type, the next two for the province, the next two for the district.
    place = f"5{organization.dla_code[1:5]}"
    code = next(code for number in range(1, 100) if (code := f"{place}{number:02}") not in codes)
    path = folder / f"upgrade-{organization.dla_code}.csv"
    words = [organization.name_th, _AFTER_TH, organization.district_th, organization.province_code]
    write_successions(path, [[organization.dla_code, code, "upgrade", *words]])
    reason = "ประกาศกระทรวงมหาดไทย เรื่อง การเปลี่ยนแปลงฐานะเป็นเทศบาลตำบล (ตัวอย่าง)"
    await succeed_from_file(database, path, decision(OPERATOR, reason, None, bangkok_day(now), now), now)
    return code
