"""The words of older certificates: kept once, by the operator, and covered by one event.

A certificate from before schema 0012 does not say what its organization was called. What the organization is
called when the words are kept stands for it from then on, with that moment. Until then nothing stands for it, and
what its organization is called cannot be changed by the program: the change would be in the words.
"""

import hashlib
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.audit import event_chain
from models.base.errors import DomainError
from models.certification.certificate import Certification
from models.certification.words import CertificateWords, Words
from models.organizations.organization import Organization

# Codes of one IN, and rows of one INSERT.
CHUNK = 1000


class WordsNotKept(DomainError):
    """Something is to be renamed or moved whose older certificates do not keep their words yet."""

    def __init__(self, certificates: int) -> None:
        super().__init__(
            f"{certificates:,} certificates from before schema 0012 do not say what their organizations were"
            " called, and this would change it; keep their words first: laocert audit keep-words"
        )


@dataclass(frozen=True)
class WordsKept:
    """How many certificates had their words kept, and the moment that stands with them; None where none had to."""

    certificates: int
    kept_at: datetime | None


def has_no_words() -> ColumnElement[bool]:
    """A condition on certificates: neither do they bear words, nor were any kept for them."""
    kept = exists().where(CertificateWords.certification_id == Certification.id)
    return Certification.organization_name.is_(None) & ~kept


async def count_without_words(session: AsyncSession) -> int:
    """How many certificates have no words."""
    return await session.scalar(select(func.count()).select_from(Certification).where(has_no_words())) or 0


async def require_words_kept(
    session: AsyncSession, organizations: Collection[str], provinces: Collection[str] = ()
) -> None:
    """Before the name, type, district or province of these organizations is changed, or the name of these
    provinces. Raises WordsNotKept.
    """
    if not organizations and not provinces:
        return
    rows = await session.execute(
        select(Organization.dla_code, Organization.province_code, func.count())
        .join(Certification, Certification.organization_code == Organization.dla_code)
        .where(has_no_words())
        .group_by(Organization.dla_code, Organization.province_code)
    )
    changed, renamed = set(organizations), set(provinces)
    if count := sum(count for code, province, count in rows if code in changed or province in renamed):
        raise WordsNotKept(count)


async def keep_words(session: AsyncSession, now: datetime) -> WordsKept:
    """Keep what the organizations of all certificates without words are called now, and record it as one event.

    Done again, it keeps those that have come since, or nothing. Raises KeyMissing.
    """
    # Whoever else keeps words waits here, and finds nothing left.
    await event_chain.hold(session, [event_chain.SYSTEM])
    rows = await session.execute(
        select(Certification.id, Organization)
        .join(Organization, Organization.dla_code == Certification.organization_code)
        .where(has_no_words())
        .order_by(Certification.id)
        .options(joinedload(Organization.province))
    )
    kept = [
        {"certification_id": number, "kept_at": now, **asdict(Words.of(organization))}
        for number, organization in rows
    ]
    if not kept:
        return WordsKept(0, None)
    for first in range(0, len(kept), CHUNK):
        await session.execute(insert(CertificateWords), kept[first : first + CHUNK])
    (digest,) = await words_digests(session, now)
    await event_chain.record(
        session,
        event_chain.Event.WORDS_KEPT,
        event_chain.SYSTEM,
        now,
        kept_at=digest.moment,
        certificates=digest.certificates,
        digest=digest.hexadecimal,
    )
    return WordsKept(len(kept), now)


@dataclass
class WordsDigest:
    """What an event says of the words that were kept at one moment."""

    kept_at: datetime
    certificates: int = 0
    sha256: Any = field(default_factory=hashlib.sha256)

    @property
    def moment(self) -> str:
        """By which the rows are found that an event tells of."""
        return self.kept_at.astimezone(UTC).isoformat()

    def add(self, row: CertificateWords) -> None:
        """The words of the next certificate: JSON of one form, on a line of its own."""
        words = {name: getattr(row, name) for name in ("certification_id", *Words.__dataclass_fields__)}
        self.certificates += 1
        self.sha256.update(event_chain.canonical(words).encode() + b"\n")

    @property
    def hexadecimal(self) -> str:
        """SHA-256 of all lines: 64 letters."""
        digest: str = self.sha256.hexdigest()
        return digest


async def words_digests(session: AsyncSession, kept_at: datetime | None = None) -> list[WordsDigest]:
    """Of all words that were kept, or of those of one moment: a digest for each moment, over the words in order of
    their certificates.
    """
    statement = select(CertificateWords).order_by(CertificateWords.certification_id)
    if kept_at is not None:
        statement = statement.where(CertificateWords.kept_at == kept_at)
    digests: dict[datetime, WordsDigest] = {}
    rows = await session.stream_scalars(statement.execution_options(yield_per=CHUNK, populate_existing=True))
    async for row in rows:
        digests.setdefault(row.kept_at, WordsDigest(row.kept_at)).add(row)
    return list(digests.values())
