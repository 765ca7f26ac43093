"""An organization's history of certificates and reopenings, and certificates by their verification code."""

import re
from dataclasses import dataclass
from functools import cache

from sqlalchemy import BindParameter, Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.accounts.access import NotYours, find_organization
from models.accounts.account import Account, Officer, Role
from models.base.errors import DomainError
from models.base.spelling import spelled
from models.base.thai import arabic_digits
from models.certification.certificate import Certification, Reopening
from models.certification.predecessors import family_codes, require_certificate_sight
from models.certification.words import Words
from models.organizations.organization import Organization


class UnknownCode(DomainError):
    """No certificate that the officer may see has this verification code."""


@dataclass(frozen=True)
class History:
    """The certificates of an organization and its predecessors, and the reopenings that ended some; newest first.

    `words` are the organization's current names and place. If the organization has left the officer's province
    (`has_left`), the history has only the certificates made there, and `words` are those of the newest one.
    """

    dla_code: str
    words: Words
    certificates: list[Certification]
    reopenings: list[Reopening]
    has_left: bool = False

    def end_of(self, certification: Certification) -> Reopening | None:
        """Return the reopening that ended a certificate's revision; None when it is live."""
        key = (certification.organization_code, certification.round_id, certification.revision)
        ends = (
            (reopening.organization_code, reopening.round_id, reopening.revision) for reopening in self.reopenings
        )
        return next((reopening for reopening, end in zip(self.reopenings, ends, strict=True) if end == key), None)


async def load_history(session: AsyncSession, officer: Officer, dla_code: str) -> History:
    """Return the history with all revisions and their numbers (procedure, LAO step 3).

    A province that the organization has left gets only the certificates made while it belonged there. Raises
    NotYours when the officer may see neither.
    """
    try:
        organization = await find_organization(session, officer, dla_code)
    except NotYours:
        if officer.account.role is not Role.PROVINCE:
            raise
        return await _history_of_province(session, officer.account, dla_code)
    return History(dla_code, Words.of(organization), *await _load(session, dla_code))


async def _history_of_province(session: AsyncSession, account: Account, dla_code: str) -> History:
    """Return the certificates made while the organization belonged to this province.

    Raises NotYours if there are none.
    """
    certificates, reopenings = await _load(session, dla_code)
    own = [certification for certification in certificates if is_made_in(certification, account)]
    if not own or own[0].words is None:
        raise NotYours
    revisions = {
        (certification.organization_code, certification.round_id, certification.revision) for certification in own
    }
    ends = [
        reopening
        for reopening in reopenings
        if (reopening.organization_code, reopening.round_id, reopening.revision) in revisions
    ]
    return History(dla_code, own[0].words, own, ends, has_left=True)


async def _load(session: AsyncSession, dla_code: str) -> tuple[list[Certification], list[Reopening]]:
    certifications_query, reopenings_query = _made_and_reopened()
    certificates = list(await session.scalars(certifications_query, {"code": dla_code}))
    # Only certified organizations can have reopenings. With their codes PostgreSQL uses the index.
    codes = sorted({certification.organization_code for certification in certificates})
    return certificates, list(await session.scalars(reopenings_query, {"codes": codes})) if codes else []


@cache
def _made_and_reopened() -> tuple[Select[Certification], Select[Reopening]]:
    certifications_query = select(Certification).where(Certification.organization_code.in_(family_codes()))
    codes: BindParameter[str] = bindparam("codes", expanding=True)
    reopenings_query = select(Reopening).where(Reopening.organization_code.in_(codes))
    return (
        certifications_query.options(
            joinedload(Certification.round),
            joinedload(Certification.kept_words),
            joinedload(Certification.organization),
        ).order_by(Certification.id.desc()),
        reopenings_query.order_by(Reopening.id.desc()),
    )


def is_made_in(certification: Certification, account: Account) -> bool:
    """Whether this is a province's account and the certificate was made while its organization belonged to it."""
    words = certification.words
    return account.role is Role.PROVINCE and words is not None and words.province_code == account.province_code


async def require_sight_of(session: AsyncSession, account: Account, certification: Certification) -> None:
    """Check that an account may see a certificate, whose organization and words must be loaded.

    It may be seen by its organization or the successor, by the province to which that one belongs now, and by the
    province in which the certificate was made. Raises NotYours.
    """
    if not is_made_in(certification, account):
        await require_certificate_sight(session, account, certification)


async def find_by_code(
    session: AsyncSession, officer: Officer, code: str
) -> tuple[Certification, Reopening | None]:
    """Return the certificate with a verification code, and the reopening that ended it, if any.

    Raises UnknownCode, also when the officer may not see the certificate, so that outsiders learn nothing.
    """
    certification = await certificate_by_code(session, code)
    try:
        await require_sight_of(session, officer.account, certification)
    except NotYours:
        raise UnknownCode from None
    return certification, await ended_by(session, certification)


# Crockford's base 32, which has no U.
_CODE = re.compile("[0-9A-HJKMNP-TV-Z]{10}")


def is_verification_code(typed: str) -> bool:
    """Whether a text has the shape of a verification code, with or without dashes and blanks."""
    return _CODE.fullmatch(_tidy_code(typed)) is not None


def _tidy_code(typed: str) -> str:
    """Normalize a typed code: Crockford's base 32 reads O as 0, and I and L as 1."""
    typed = arabic_digits(spelled(typed))
    return "".join(typed.upper().replace("-", "").split()).translate(str.maketrans("OIL", "011"))


async def certificate_by_code(session: AsyncSession, code: str) -> Certification:
    """Return the certificate with a verification code, without checking any access right. Raises UnknownCode."""
    tidy = _tidy_code(code)
    certification = await session.scalar(_certificate().where(Certification.code == tidy))
    if certification is None:
        raise UnknownCode(f"no certificate has the code {code}; check it letter by letter")
    return certification


async def ended_by(session: AsyncSession, certification: Certification) -> Reopening | None:
    """Return the reopening that ended a certificate's revision; None when it is live."""
    return await session.scalar(
        select(Reopening).where(
            Reopening.organization_code == certification.organization_code,
            Reopening.round_id == certification.round_id,
            Reopening.revision == certification.revision,
        )
    )


async def load_reopening(session: AsyncSession, reopening_id: int) -> Reopening:
    """Return a reopening, which must exist, with organization, province and round, for a notice about it."""
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
    """Return a certificate, which must exist, with words, organization and round, for a notice about it."""
    return (await session.scalars(_certificate().where(Certification.id == certification_id))).one()


async def find_certification(session: AsyncSession, certification_id: int) -> Certification | None:
    """Return a certificate with words, organization and round; None for an unknown id."""
    return await session.scalar(_certificate().where(Certification.id == certification_id))


@cache
def _certificate() -> Select[Certification]:
    """Select certificates with words and round, for screens and PDFs, and organization, for the access check."""
    return select(Certification).options(
        joinedload(Certification.kept_words),
        joinedload(Certification.organization),
        joinedload(Certification.round),
    )
