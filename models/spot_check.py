"""สุ่มตรวจสอบ: a seeded draw of an organization's records, each marked (procedure, province step 5).

One draw for each revision, shared by all officers of the province: whoever could draw again could choose.
"""

import enum
from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, BigKey, text_enum


class Mark(enum.StrEnum):
    """What an officer found: ถูกต้อง or ไม่ถูกต้อง."""

    CORRECT = "correct"
    INCORRECT = "incorrect"


class SpotCheck(Base):
    """The draw of one revision. `seed` (hexadecimal) and the locked register give the sample."""

    __tablename__ = "spot_check"
    __table_args__ = (UniqueConstraint("organization_code", "round_id", "revision"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"))
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    revision: Mapped[int]
    # Who drew.
    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"))
    seed: Mapped[str] = mapped_column(String(64))
    drawn_at: Mapped[datetime]
    handed_in_at: Mapped[datetime | None]

    items: Mapped[list["SpotCheckItem"]] = relationship(lazy="raise", order_by="SpotCheckItem.place")


class SpotCheckItem(Base):
    """One drawn record; `place` counts from 1. A mark can be changed until the check is handed in."""

    __tablename__ = "spot_check_item"
    __table_args__ = (UniqueConstraint("spot_check_id", "record_no"),)

    spot_check_id: Mapped[int] = mapped_column(ForeignKey("spot_check.id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    record_no: Mapped[str] = mapped_column(String(40))
    mark: Mapped[Mark | None] = mapped_column(text_enum(Mark, checked=False))
    # What is not correct.
    note: Mapped[str | None] = mapped_column(Text)
    marked_at: Mapped[datetime | None]
    # Who marked it last.
    officer_id: Mapped[int | None] = mapped_column(ForeignKey("officer.id"))
