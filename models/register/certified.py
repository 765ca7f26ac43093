"""Copies of registers as they were certified, stored at a reopening and deleted when the next round opens.

A locked register is itself the certified content, so certifying copies nothing. A reopening copies the register of
its one organization before anything in it can change. The copy contains personal names and is sealed
(models/security/sealing.py). models/certification/changes.py compares it with the current register.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import orjson
from sqlalchemy import ForeignKey, LargeBinary, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.audit import event_chain
from models.base.coverage import Coverage, covered
from models.base.grants import Grants
from models.base.tables import Base, BigKey
from models.register.draft import record
from models.register.roster import Record
from models.security.sealing import Seal, Unreadable


class CertifiedRegister(Base):
    """The sealed register that was certified before a reopening."""

    COVERAGE: ClassVar[Coverage] = covered(
        "reopening_id by_province sealed",
        "the digest on the certificate that the reopening has ended",
        uncovered={"id": "nothing refers to it"},
    )

    __tablename__ = "certified_register"
    __grants__ = Grants(application="SELECT", operator="SELECT, INSERT, DELETE")
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    reopening_id: Mapped[int] = mapped_column(ForeignKey("reopening.id"), unique=True)
    # Whether the province had certified the register too.
    by_province: Mapped[bool]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


@dataclass(frozen=True)
class RegisterContent:
    """A register's records, and the names of its menus in the order of the letters in `Record.menus`."""

    menu_names: tuple[str, ...]
    records: tuple[Record, ...]


async def keep_certified(
    session: AsyncSession,
    reopening_id: int,
    by_province: bool,
    menu_names: Sequence[str],
    records: Iterable[Record],
) -> None:
    """Store the sealed register of a reopening: about 5 KB for 60 records of 20 menus."""
    content = {
        # Sealed with the content and compared when it is opened, so that a row cannot be swapped for another one.
        "reopening": reopening_id,
        "by_province": by_province,
        "menus": list(menu_names),
        "records": [tuple(each) for each in records],
    }
    sealed = _seal(session).close(zlib.compress(orjson.dumps(content)))
    session.add(CertifiedRegister(reopening_id=reopening_id, by_province=by_province, sealed=sealed))
    await session.flush()


def open_certified(session: AsyncSession, reopening_id: int, row: CertifiedRegister) -> RegisterContent | None:
    """Decrypt the register of a reopening.

    Returns None if it cannot be read: its secret key is not configured, the row holds the register of another
    reopening, or the row is damaged or was changed.
    """
    try:
        content = orjson.loads(zlib.decompress(_seal(session).open(row.sealed)))
    except Unreadable:
        return None
    if (content["reopening"], content["by_province"]) != (reopening_id, row.by_province):
        return None
    return RegisterContent(tuple(content["menus"]), tuple(map(record, content["records"])))


async def forget_certified(session: AsyncSession) -> None:
    """Delete all copies. Called when a round opens: comparisons with the previous round's reopenings end."""
    await session.execute(delete(CertifiedRegister))


def _seal(session: AsyncSession) -> Seal:
    return Seal(event_chain.keyring(session), "certified register")
