"""What was certified and what ended it: an organization's history, and certificates by their code."""

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
    """The certificates of an organization and of those from which it has come, and the reopenings that ended some
    of them; both newest first.

    `words`: what the organization is called now. Where it has left the officer's province (`has_left`), only what
    was certified there is here, and the words are those of the newest of these certificates.
    """

    dla_code: str
    words: Words
    certificates: list[Certification]
    reopenings: list[Reopening]
    has_left: bool = False

    def end_of(self, made: Certification) -> Reopening | None:
        """The reopening that ended a certificate's revision."""
        key = (made.organization_code, made.round_id, made.revision)
        ends = ((one.organization_code, one.round_id, one.revision) for one in self.reopenings)
        return next((one for one, end in zip(self.reopenings, ends, strict=True) if end == key), None)


async def load_history(session: AsyncSession, officer: Officer, dla_code: str) -> History:
    """Every revision whole, with its numbers (procedure, LAO step 3). A province that has the organization no more
    is shown what was certified there. Raises NotYours.
    """
    try:
        organization = await find_organization(session, officer, dla_code)
    except NotYours:
        if officer.account.role is not Role.PROVINCE:
            raise
        return await _history_of_province(session, officer.account, dla_code)
    return History(dla_code, Words.of(organization), *await _load(session, dla_code))


async def _history_of_province(session: AsyncSession, account: Account, dla_code: str) -> History:
    """What was certified while the organization was this province's. Raises NotYours when that is nothing."""
    certificates, reopenings = await _load(session, dla_code)
    own = [made for made in certificates if is_made_in(made, account)]
    if not own or own[0].words is None:
        raise NotYours
    revisions = {(made.organization_code, made.round_id, made.revision) for made in own}
    ends = [one for one in reopenings if (one.organization_code, one.round_id, one.revision) in revisions]
    return History(dla_code, own[0].words, own, ends, has_left=True)


async def _load(session: AsyncSession, dla_code: str) -> tuple[list[Certification], list[Reopening]]:
    made, reopened = _made_and_reopened()
    certificates = list(await session.scalars(made, {"code": dla_code}))
    # A reopening ends what was certified. By these codes PostgreSQL reads the index, and not every reopening.
    codes = sorted({one.organization_code for one in certificates})
    return certificates, list(await session.scalars(reopened, {"codes": codes})) if codes else []


@cache
def _made_and_reopened() -> tuple[Select[Certification], Select[Reopening]]:
    made = select(Certification).where(Certification.organization_code.in_(family_codes()))
    codes: BindParameter[str] = bindparam("codes", expanding=True)
    reopened = select(Reopening).where(Reopening.organization_code.in_(codes))
    return (
        made.options(
            joinedload(Certification.round),
            joinedload(Certification.kept_words),
            joinedload(Certification.organization),
        ).order_by(Certification.id.desc()),
        reopened.order_by(Reopening.id.desc()),
    )


def is_made_in(made: Certification, account: Account) -> bool:
    """Whether a certificate was made while its organization was the province's of this account."""
    words = made.words
    return account.role is Role.PROVINCE and words is not None and words.province_code == account.province_code


async def require_sight_of(session: AsyncSession, account: Account, made: Certification) -> None:
    """A certificate is seen by its organization or the one that goes on from it, by the province that has this
    organization now, and by the one in which the certificate was made. Its organization and words must be loaded.
    Raises NotYours.
    """
    if not is_made_in(made, account):
        await require_certificate_sight(session, account, made)


async def find_by_code(
    session: AsyncSession, officer: Officer, code: str
) -> tuple[Certification, Reopening | None]:
    """The certificate with a verification code, and what ended it. Raises UnknownCode, also for one that the
    officer may not see: a code tells nothing to outsiders.
    """
    made = await certificate_by_code(session, code)
    try:
        await require_sight_of(session, officer.account, made)
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
    made = await session.scalar(_certificate().where(Certification.code == tidy))
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
    """One certificate with its words, organization and round, for a notice about it."""
    return (await session.scalars(_certificate().where(Certification.id == certification_id))).one()


async def find_certification(session: AsyncSession, certification_id: int) -> Certification | None:
    """The same, where there is one."""
    return await session.scalar(_certificate().where(Certification.id == certification_id))


@cache
def _certificate() -> Select[Certification]:
    """With what its screens and papers say: its words and round; the organization, for who may see it."""
    return select(Certification).options(
        joinedload(Certification.kept_words),
        joinedload(Certification.organization),
        joinedload(Certification.round),
    )
