"""Who of a province looks at which waiting organization, and which it has left for later (issue 6).

A courtesy between colleagues, no lock: whoever is told that somebody looks already may still go on.
"""

from datetime import datetime, timedelta

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base

# So long is an organization said to be looked at after it was opened (issue 6).
LOOKING = timedelta(minutes=10)


class Visit(Base):
    """That an officer opened an organization, the last time; and when it left it for later, if it did."""

    __tablename__ = "visit"

    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"), primary_key=True)
    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"), primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    opened_at: Mapped[datetime]
    skipped_at: Mapped[datetime | None]
