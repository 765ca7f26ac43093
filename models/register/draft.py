"""Drafts: rosters that an organization's officer has sent as a file, checked but not confirmed yet.

A draft is sealed (models/security/sealing.py): it contains personal names, and the officer may never confirm it.
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
from models.base.grants import Grants
from models.base.tables import Base
from models.register.roster import Category, Record
from models.security.sealing import Seal, Unreadable

# How long the officer can confirm a draft.
KEPT = timedelta(hours=24)


class DraftGone(DomainError):
    """The draft was saved or cancelled, a later file replaced it, it is older than KEPT, or its key is unknown."""


@dataclass(frozen=True)
class SentRoster:
    """The content of a checked file.

    `notes` are findings that a reader of the file does not see, such as hidden rows, as JSON values packed by
    models/imports/tabular/problems.py.
    """

    file_name: str
    menu_names: tuple[str, ...]
    records: tuple[Record, ...]
    notes: tuple[Any, ...] = ()


def record(values: Sequence[str]) -> Record:
    """Build a Record from its six texts, in the order of its fields. Raises ValueError for an unknown category."""
    number, full_name, category, position, level, menus = values
    return Record(number, full_name, Category(category), position, level, menus)


class RosterDraft(Base):
    """One officer's draft. `base_digest` is the digest of the roster that it was compared with; "" if none
    existed.
    """

    COVERAGE: ClassVar[Coverage] = not_covered(
        "a file that waits for a day; its officer sees what it would change before it is saved"
    )

    __tablename__ = "roster_draft"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE, DELETE", operator="SELECT, DELETE")

    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"), primary_key=True)
    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"))
    file_name: Mapped[str] = mapped_column(String(255))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    base_digest: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]

    @property
    def key(self) -> str:
        """16 hexadecimal digits by which buttons name this draft and no later one. They reveal nothing of its
        content.
        """
        return hashlib.sha256(self.sealed).hexdigest()[:16]


async def keep_draft(
    session: AsyncSession, officer_id: int, dla_code: str, sent: SentRoster, base_digest: str, now: datetime
) -> RosterDraft:
    """Store an officer's draft, replacing an earlier one."""
    content: dict[str, object] = {"menus": sent.menu_names, "records": list(map(tuple, sent.records))}
    if sent.notes:
        content["notes"] = sent.notes
    plaintext = zlib.compress(orjson.dumps(content))
    draft = RosterDraft(
        officer_id=officer_id,
        organization_code=dla_code,
        file_name=sent.file_name,
        sealed=_seal(session).close(plaintext),
        base_digest=base_digest,
        made_at=now,
    )
    draft = await session.merge(draft)
    await session.flush()
    return draft


async def load_draft(
    session: AsyncSession, officer_id: int, key: str, now: datetime
) -> tuple[RosterDraft, SentRoster]:
    """Return an officer's draft and its content. Raises DraftGone."""
    draft = await session.get(RosterDraft, officer_id, populate_existing=True)
    if draft is None or draft.key != key or is_past(draft.made_at, KEPT, now):
        raise DraftGone
    try:
        content = orjson.loads(zlib.decompress(_seal(session).open(draft.sealed)))
    except Unreadable:
        # The secret key that sealed it is no longer configured.
        raise DraftGone from None
    records = tuple(map(record, content["records"]))
    # Drafts of a version before notes existed have no such entry.
    return draft, SentRoster(draft.file_name, tuple(content["menus"]), records, tuple(content.get("notes", ())))


async def drop_draft(session: AsyncSession, officer_id: int) -> None:
    """Delete an officer's draft: it was saved or cancelled, or the officer's link has ended."""
    await session.execute(delete(RosterDraft).where(RosterDraft.officer_id == officer_id))


async def forget_old_drafts(session: AsyncSession, now: datetime) -> None:
    """Delete the drafts that have expired."""
    await session.execute(delete(RosterDraft).where(~RosterDraft.made_at.between(now - KEPT, now + KEPT)))


def _seal(session: AsyncSession) -> Seal:
    return Seal(event_chain.keyring(session), "roster draft")
