"""The tables of the live card and of an officer's notice preference.

The rules are in models/province/live_card.py and models/notices/timing.py. Both rows are deleted with the
officer's link.
"""

import enum
from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, ForeignKey, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.base.coverage import Coverage, not_covered
from models.base.grants import Grants
from models.base.tables import Base, text_enum


class Rhythm(enum.StrEnum):
    """How often a province's live card may ring. Edits make no sound and continue in every rhythm."""

    AT_ONCE = "at_once"
    HOURLY = "hourly"
    TWICE = "twice"
    OFF = "off"


class Quiet(enum.StrEnum):
    """The daily quiet hours in which nothing rings (QUIET_HOURS in models/notices/timing.py)."""

    NONE = "none"
    OVERNIGHT = "overnight"
    AFTER_HOURS = "after_hours"


class NoticePreference(Base):
    """The notice preference that one officer has chosen."""

    COVERAGE: ClassVar[Coverage] = not_covered("when an officer wants to be told")

    __tablename__ = "notice_preference"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE, DELETE", operator="SELECT, DELETE")

    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"), primary_key=True)
    rhythm: Mapped[Rhythm] = mapped_column(text_enum(Rhythm, checked=False))
    quiet: Mapped[Quiet] = mapped_column(text_enum(Quiet, checked=False))
    skips_days_off: Mapped[bool]


class ProvinceCard(Base):
    """The live card of a province officer: its message, and which news it has shown."""

    COVERAGE: ClassVar[Coverage] = not_covered("what the live card shows is read anew each time")

    __tablename__ = "province_card"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE, DELETE", operator="SELECT, INSERT, UPDATE, DELETE")

    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"), primary_key=True)
    # The card's version: incremented at each change, and part of the dedupe keys of its outbox rows.
    changes: Mapped[int]
    # The message id in the chat; None while there is no card.
    message_id: Mapped[int | None] = mapped_column(BigInteger)
    # When the last new message was sent, and when it was last edited.
    rung_at: Mapped[datetime | None]
    edited_at: Mapped[datetime | None]
    # Whether the message says that organizations wait.
    shows_waiting: Mapped[bool]
    # The lowest certificate id that is news to the officer, and the lowest that the call in progress shows.
    new_from: Mapped[int | None] = mapped_column(BigInteger)
    telling_from: Mapped[int | None] = mapped_column(BigInteger)
    # When the card will ring next, by the preference at the time of that decision.
    ring_at: Mapped[datetime | None]


async def drop_card_and_preference(session: AsyncSession, officer_id: int) -> None:
    """Delete an officer's live card and preference, because the link has ended."""
    await session.execute(delete(ProvinceCard).where(ProvinceCard.officer_id == officer_id))
    await session.execute(delete(NoticePreference).where(NoticePreference.officer_id == officer_id))
