"""The rows behind the card of a province's officer and behind what an officer has chosen about notices.

The rules are in models/province/live_card.py and models/notices/timing.py. Both rows end with the officer's link.
"""

import enum
from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, ForeignKey, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.base.coverage import Coverage, not_covered
from models.base.tables import Base, text_enum


class Rhythm(enum.StrEnum):
    """How often a province's card may ring. Edits in place make no sound and go on in each of them."""

    AT_ONCE = "at_once"
    HOURLY = "hourly"
    TWICE = "twice"
    OFF = "off"


class Quiet(enum.StrEnum):
    """The hours in which nothing rings (models/notices/timing.py)."""

    NONE = "none"
    OVERNIGHT = "overnight"
    AFTER_HOURS = "after_hours"


class NoticePreference(Base):
    """What one officer has chosen."""

    COVERAGE: ClassVar[Coverage] = not_covered("when an officer wants to be told")

    __tablename__ = "notice_preference"

    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"), primary_key=True)
    rhythm: Mapped[Rhythm] = mapped_column(text_enum(Rhythm, checked=False))
    quiet: Mapped[Quiet] = mapped_column(text_enum(Quiet, checked=False))
    skips_days_off: Mapped[bool]


class ProvinceCard(Base):
    """The one live card of a province's officer: where it is, and what it has told."""

    COVERAGE: ClassVar[Coverage] = not_covered("what the live card shows is read anew each time")

    __tablename__ = "province_card"

    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"), primary_key=True)
    # Counts what has changed on it: the number in the dedupe keys of its rows in the outbox.
    changes: Mapped[int]
    # The message in the chat; None while there is none.
    message_id: Mapped[int | None] = mapped_column(BigInteger)
    # When its last new message was sent, and when it was edited last.
    rung_at: Mapped[datetime | None]
    edited_at: Mapped[datetime | None]
    # Whether the message says that something waits.
    shows_waiting: Mapped[bool]
    # The lowest certificate that the officer was not told of, and of those that the call under way tells.
    new_from: Mapped[int | None] = mapped_column(BigInteger)
    telling_from: Mapped[int | None] = mapped_column(BigInteger)
    # When it is to ring next, by the preference that held when that was decided.
    ring_at: Mapped[datetime | None]


async def drop_card_and_preference(session: AsyncSession, officer_id: int) -> None:
    """An officer's link has ended: a new one begins anew."""
    await session.execute(delete(ProvinceCard).where(ProvinceCard.officer_id == officer_id))
    await session.execute(delete(NoticePreference).where(NoticePreference.officer_id == officer_id))
