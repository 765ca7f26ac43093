"""Registers as they were certified, kept from a reopening to the next round to be compared with.

While a register is locked it is itself what was certified, so nothing is copied at the press. A reopening copies
the register of its one organization, before anything in it can change. Sealed (models/security/sealing.py): it
holds names. What differs from it is worked out in models/certification/changes.py.
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
from models.base.tables import Base, BigKey
from models.register.draft import record
from models.register.roster import Record
from models.security.sealing import Seal, Unreadable


class CertifiedRegister(Base):
    """The register that a reopening has ended. Inserted with the reopening, deleted when the next round opens."""

    COVERAGE: ClassVar[Coverage] = covered(
        "reopening_id by_province sealed",
        "the digest on the certificate that the reopening has ended",
        uncovered={"id": "nothing refers to it"},
    )

    __tablename__ = "certified_register"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    reopening_id: Mapped[int] = mapped_column(ForeignKey("reopening.id"), unique=True)
    # Whether the province had certified it too.
    by_province: Mapped[bool]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


@dataclass(frozen=True)
class RegisterContent:
    """What a register held: its records, and the names of its menus in the order of the records' letters."""

    menu_names: tuple[str, ...]
    records: tuple[Record, ...]


async def keep_certified(
    session: AsyncSession,
    reopening_id: int,
    by_province: bool,
    menu_names: Sequence[str],
    records: Iterable[Record],
) -> None:
    """Keep a register that a reopening ends. Some 5 KB for 60 records of 20 menus."""
    content = {
        # A row's seal opens in that row only: nobody can put the register of another reopening in its place.
        "reopening": reopening_id,
        "by_province": by_province,
        "menus": list(menu_names),
        "records": [tuple(one) for one in records],
    }
    sealed = _seal(session).close(zlib.compress(orjson.dumps(content)))
    session.add(CertifiedRegister(reopening_id=reopening_id, by_province=by_province, sealed=sealed))
    await session.flush()


def open_certified(session: AsyncSession, reopening_id: int, kept: CertifiedRegister) -> RegisterContent | None:
    """What a reopening has kept; None where it cannot be read: its secret key is not here, or somebody has put
    something else in its place.
    """
    try:
        content = orjson.loads(zlib.decompress(_seal(session).open(kept.sealed)))
    except Unreadable:
        return None
    if (content["reopening"], content["by_province"]) != (reopening_id, kept.by_province):
        return None
    return RegisterContent(tuple(content["menus"]), tuple(map(record, content["records"])))


async def forget_certified(session: AsyncSession) -> None:
    """Erase all of it: a round has opened, and what the one before it locked and reopened is of the past."""
    await session.execute(delete(CertifiedRegister))


def _seal(session: AsyncSession) -> Seal:
    return Seal(event_chain.keyring(session), "certified register")
