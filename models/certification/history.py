"""What was certified and what ended it: an organization's history, and certificates by their code."""

import re
from dataclasses import dataclass
from functools import cache

from sqlalchemy import BindParameter, Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.accounts.access import NotYours, find_organization, require_sight
from models.accounts.account import Officer
from models.base.errors import DomainError
from models.base.spelling import spelled
from models.base.thai import arabic_digits
from models.certification.certificate import Certification, Reopening
from models.organizations.organization import Organization


class UnknownCode(DomainError):
    """No certificate that the officer may see has this verification code."""


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


async def load_history(session: AsyncSession, officer: Officer, dla_code: str) -> History:
    """Every revision whole, with its numbers (procedure, LAO step 3). Raises NotYours."""
    organization = await find_organization(session, officer, dla_code)
    made, reopened = _made_and_reopened()
    certificates = await session.scalars(made, {"code": dla_code})
    reopenings = await session.scalars(reopened, {"code": dla_code})
    return History(organization, list(certificates), list(reopenings))


@cache
def _made_and_reopened() -> tuple[Select[Certification], Select[Reopening]]:
    code: BindParameter[str] = bindparam("code")
    made = select(Certification).where(Certification.organization_code == code)
    reopened = select(Reopening).where(Reopening.organization_code == code)
    return (
        made.options(joinedload(Certification.round)).order_by(Certification.id.desc()),
        reopened.order_by(Reopening.id.desc()),
    )


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


# Crockford's base 32, which has no U.
_CODE = re.compile("[0-9A-HJKMNP-TV-Z]{10}")


def is_verification_code(typed: str) -> bool:
    """Whether a text has the shape of a verification code, with or without dashes and blanks."""
    return _CODE.fullmatch(_tidy_code(typed)) is not None


def _tidy_code(typed: str) -> str:
    """In Crockford's base 32 what looks alike is alike."""
    typed = arabic_digits(spelled(typed))
    return "".join(typed.upper().replace("-", "").split()).translate(str.maketrans("OIL", "011"))


async def certificate_by_code(session: AsyncSession, code: str) -> Certification:
    """The certificate with a verification code, whoever asks. Raises UnknownCode."""
    tidy = _tidy_code(code)
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
