"""A roster that an organization's officer has sent as a file, checked and not confirmed yet (issue 6).

Sealed (models/sealing.py): it holds names, and may never be confirmed.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class RosterDraft(Base):
    """One officer's file. `base_digest` is that of the roster it was compared with, "" when there was none."""

    __tablename__ = "roster_draft"

    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"), primary_key=True)
    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"))
    file_name: Mapped[str] = mapped_column(String(255))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    base_digest: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]
