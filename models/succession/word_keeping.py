"""The words (names) of older certificates: the operator stores them once, and one audit event covers them.

A certificate from before schema 0012 does not contain its organization's name. `keep_words` stores the name at
that time, together with the moment. Until then the program refuses to change the organization's name, because the
change would alter what the certificate appears to say.
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

# Rows of one INSERT, and of one fetch.
CHUNK = 1000


class WordsNotKept(DomainError):
    """A rename or move affects older certificates whose words are not stored yet."""

    def __init__(self, certificates: int) -> None:
        super().__init__(
            f"{certificates:,} certificates from before schema 0012 do not say what their organizations were"
            " called, and this would change it; keep their words first: laocert audit keep-words"
        )


@dataclass(frozen=True)
class WordsKept:
    """How many certificates had their words stored, and the stored moment; None if there were none."""

    certificates: int
    kept_at: datetime | None


def has_no_words() -> ColumnElement[bool]:
    """SQL condition: the certificate neither contains its words nor has stored ones."""
    has_stored_words = exists().where(CertificateWords.certification_id == Certification.id)
    return Certification.organization_name.is_(None) & ~has_stored_words


async def count_without_words(session: AsyncSession) -> int:
    """Count the certificates without words."""
    return await session.scalar(select(func.count()).select_from(Certification).where(has_no_words())) or 0


async def require_words_kept(
    session: AsyncSession, organizations: Collection[str], provinces: Collection[str] = ()
) -> None:
    """Check that certificates of these organizations (codes), and of those in these provinces, have their words.

    Call it before the name, type, district or province of the organizations, or the name of the provinces,
    changes. Raises WordsNotKept.
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
    """Store the current words of all certificates without words, and record them as one audit event.

    Idempotent: a second call stores only those that have none yet. Raises KeyMissing.
    """
    # A simultaneous call waits here, and then has nothing to store.
    await event_chain.hold(session, [event_chain.SYSTEM])
    rows = await session.execute(
        select(Certification.id, Organization)
        .join(Organization, Organization.dla_code == Certification.organization_code)
        .where(has_no_words())
        .order_by(Certification.id)
        .options(joinedload(Organization.province))
    )
    word_rows = [
        {"certification_id": number, "kept_at": now, **asdict(Words.of(organization))}
        for number, organization in rows
    ]
    if not word_rows:
        return WordsKept(0, None)
    for first in range(0, len(word_rows), CHUNK):
        await session.execute(insert(CertificateWords), word_rows[first : first + CHUNK])
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
    return WordsKept(len(word_rows), now)


@dataclass
class WordsDigest:
    """The number and digest of the words that were stored at one moment, as their audit event states them."""

    kept_at: datetime
    certificates: int = 0
    sha256: Any = field(default_factory=hashlib.sha256)

    @property
    def moment(self) -> str:
        """The moment as ISO 8601 in UTC, by which an event refers to its rows."""
        return self.kept_at.astimezone(UTC).isoformat()

    def add(self, row: CertificateWords) -> None:
        """Add the next certificate's words to the digest, as one line of canonical JSON."""
        words = {name: getattr(row, name) for name in ("certification_id", *Words.__dataclass_fields__)}
        self.certificates += 1
        self.sha256.update(event_chain.canonical(words).encode() + b"\n")

    @property
    def hexadecimal(self) -> str:
        """The SHA-256 of all lines, 64 hexadecimal digits."""
        digest: str = self.sha256.hexdigest()
        return digest


async def words_digests(session: AsyncSession, kept_at: datetime | None = None) -> list[WordsDigest]:
    """Return one digest for each moment at which words were stored, or for `kept_at` only.

    Each covers its words in order of the certificates' ids.
    """
    statement = select(CertificateWords).order_by(CertificateWords.certification_id)
    if kept_at is not None:
        statement = statement.where(CertificateWords.kept_at == kept_at)
    digests: dict[datetime, WordsDigest] = {}
    rows = await session.stream_scalars(statement.execution_options(yield_per=CHUNK, populate_existing=True))
    async for row in rows:
        digests.setdefault(row.kept_at, WordsDigest(row.kept_at)).add(row)
    return list(digests.values())
