"""A province's list of organizations: the filter that each officer has set, kept between its visits (issue 6)."""

import enum

from sqlalchemy import ForeignKey, String
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.account import Officer
from models.base import Base, text_enum
from models.certification import Status


class Sorting(enum.StrEnum):
    """Thai dictionary order, or those first that wait longest."""

    NAME = "name"
    WAITING = "waiting"


class Listing(Base):
    """What one officer's list shows: the filter สถานภาพรับรองข้อมูล and what narrows it, and the page it is at.

    None: not narrowed by that. `page` counts from 0.
    """

    __tablename__ = "listing"

    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"), primary_key=True)
    status: Mapped[Status] = mapped_column(text_enum(Status, checked=False))
    type_code: Mapped[str | None] = mapped_column(String(40))
    district: Mapped[str | None] = mapped_column(String(100))
    with_remarks: Mapped[bool]
    sorting: Mapped[Sorting] = mapped_column(text_enum(Sorting, checked=False))
    # A part of a name or code, as it was typed.
    words: Mapped[str | None] = mapped_column(String(100))
    page: Mapped[int]


async def load_listing(session: AsyncSession, officer: Officer) -> Listing:
    """The officer's list where it left it; at first those that wait for its province (docs/contract.md)."""
    found = await session.get(Listing, officer.id)
    if found is None:
        found = Listing(
            officer_id=officer.id,
            status=Status.LAO_CERTIFIED,
            with_remarks=False,
            sorting=Sorting.NAME,
            page=0,
        )
        session.add(found)
    return found
