"""A roster that an organization's officer has sent as a file, checked and not confirmed yet.

Sealed (models/security/sealing.py): it holds names, and may never be confirmed.
"""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import orjson
from sqlalchemy import ForeignKey, LargeBinary, String, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.audit import event_chain
from models.base.clocks import is_past
from models.base.coverage import Coverage, not_covered
from models.base.errors import DomainError
from models.base.tables import Base
from models.register.roster import Category, Record
from models.security.sealing import Seal, Unreadable

# So long can a file be confirmed.
KEPT = timedelta(hours=24)


class DraftGone(DomainError):
    """The file was saved or cancelled, another one has taken its place, or it is older than a day."""


@dataclass(frozen=True)
class SentRoster:
    """A checked file. `notes` are what a reader of it does not see, such as hidden rows: texts as JSON, packed by
    models/imports/tabular/problems.py.
    """

    file_name: str
    menu_names: tuple[str, ...]
    records: tuple[Record, ...]
    notes: tuple[Any, ...] = ()


def record(values: Sequence[str]) -> Record:
    """A record from its texts."""
    number, full_name, category, position, level, menus = values
    return Record(number, full_name, Category(category), position, level, menus)


class RosterDraft(Base):
    """One officer's file. `base_digest` is that of the roster it was compared with, "" when there was none."""

    COVERAGE: ClassVar[Coverage] = not_covered(
        "a file that waits for a day; its officer sees what it would change before it is saved"
    )

    __tablename__ = "roster_draft"

    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"), primary_key=True)
    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"))
    file_name: Mapped[str] = mapped_column(String(255))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    base_digest: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]

    @property
    def key(self) -> str:
        """16 letters by which buttons name this file and no later one; they say nothing of what is in it."""
        return hashlib.sha256(self.sealed).hexdigest()[:16]


async def keep_draft(
    session: AsyncSession, officer_id: int, dla_code: str, sent: SentRoster, base_digest: str, now: datetime
) -> RosterDraft:
    """Keep an officer's file, in place of the one before."""
    facts: dict[str, object] = {"menus": sent.menu_names, "records": list(map(tuple, sent.records))}
    if sent.notes:
        facts["notes"] = sent.notes
    inside = zlib.compress(orjson.dumps(facts))
    draft = RosterDraft(
        officer_id=officer_id,
        organization_code=dla_code,
        file_name=sent.file_name,
        sealed=_seal(session).close(inside),
        base_digest=base_digest,
        made_at=now,
    )
    draft = await session.merge(draft)
    await session.flush()
    return draft


async def load_draft(
    session: AsyncSession, officer_id: int, key: str, now: datetime
) -> tuple[RosterDraft, SentRoster]:
    """An officer's file and what is in it. Raises DraftGone."""
    draft = await session.get(RosterDraft, officer_id, populate_existing=True)
    if draft is None or draft.key != key or is_past(draft.made_at, KEPT, now):
        raise DraftGone
    try:
        found = orjson.loads(zlib.decompress(_seal(session).open(draft.sealed)))
    except Unreadable:
        # Its secret key is in use no more.
        raise DraftGone from None
    records = tuple(map(record, found["records"]))
    # Files that were kept before notes were have none.
    return draft, SentRoster(draft.file_name, tuple(found["menus"]), records, tuple(found.get("notes", ())))


async def drop_draft(session: AsyncSession, officer_id: int) -> None:
    """Erase an officer's file: it was used or cancelled, or the link has ended."""
    await session.execute(delete(RosterDraft).where(RosterDraft.officer_id == officer_id))


async def forget_old_drafts(session: AsyncSession, now: datetime) -> None:
    """Erase what nobody can confirm any more."""
    await session.execute(delete(RosterDraft).where(~RosterDraft.made_at.between(now - KEPT, now + KEPT)))


def _seal(session: AsyncSession) -> Seal:
    return Seal(event_chain.keyring(session), "roster draft")
