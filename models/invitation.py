"""Invitations: one-time codes that link a chat without a password, and hand a link over to a successor."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.account import Account, Officer
from models.base import Base, BigKey


class Invitation(Base):
    """One code, of which only the hash is kept. With `from_officer_id` it hands that officer's link over."""

    __tablename__ = "invitation"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    from_officer_id: Mapped[int | None] = mapped_column(ForeignKey("officer.id"))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by_id: Mapped[int | None] = mapped_column(ForeignKey("officer.id"))

    account: Mapped[Account] = relationship(lazy="raise")
    from_officer: Mapped[Officer | None] = relationship(lazy="raise", foreign_keys=[from_officer_id])
    used_by: Mapped[Officer | None] = relationship(lazy="raise", foreign_keys=[used_by_id])
