"""Certificates and reopenings, which are only ever inserted, and the condition by which a certificate is live.

A certificate is live while no reopening has ended its revision. Status, lists and the register's lock follow from
that (models/schema/triggers.py has the same condition). The rules are in models/certification/certify.py, the data
shown before certifying in models/certification/review.py.
"""

import enum
from collections.abc import Collection
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, String, Text, UniqueConstraint, exists
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column, relationship

from models.audit.event_chain import UNRECORDED, Event
from models.audit.reading import events_since, is_older_than_record, verified_events
from models.audit.replay import RecordBroken
from models.base.coverage import Coverage, covered
from models.base.grants import Grants
from models.base.tables import Base, BigKey, text_enum
from models.certification.remark import Remark, RemarkKind
from models.certification.spot_check import SpotCheck
from models.certification.words import NAME_LENGTH, CertificateWords, Words
from models.organizations.organization import Organization
from models.register.roster import Headcount
from models.rounds.round import Round

# Crockford's base 32, which omits I, L, O and U because they are easily misread.
CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 10


def written_code(code: str) -> str:
    """Return a verification code as it is printed: `ABCDE-FGHJK`."""
    return f"{code[:5]}-{code[5:]}"


class Level(enum.StrEnum):
    """The level of a certificate: first the organization certifies, then its province."""

    LAO = "lao"
    PROVINCE = "province"


class Status(enum.StrEnum):
    """An organization's status in a round."""

    UNCERTIFIED = "uncertified"
    LAO_CERTIFIED = "lao_certified"
    PROVINCE_CERTIFIED = "province_certified"

    @classmethod
    def of(cls, levels: Collection[Level]) -> "Status":
        """Return the status of an organization with live certificates at these levels."""
        if Level.PROVINCE in levels:
            return cls.PROVINCE_CERTIFIED
        return cls.LAO_CERTIFIED if Level.LAO in levels else cls.UNCERTIFIED


class Certification(Base):
    """A certificate: the certified numbers, their organization, and the officer who certified. Insert only."""

    COVERAGE: ClassVar[Coverage] = covered(
        "id organization_code round_id revision level officials permanent_employees contract_employees"
        " with_empty_menus roster_digest roster_file roster_imported_at officer_id officer_name officer_position"
        " user_id account_username statement audit_head code is_late certified_at spot_check organization_name"
        " organization_type district_th province_code province_th province_en",
        "its event, which holds all of it; the statement's text by a digest",
    )

    __tablename__ = "certification"
    __grants__ = Grants(application="SELECT, INSERT", operator="SELECT")
    __table_args__ = (
        UniqueConstraint("organization_code", "round_id", "revision", "level"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"))
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"), index=True)
    revision: Mapped[int]
    level: Mapped[Level] = mapped_column(text_enum(Level))
    officials: Mapped[int]
    permanent_employees: Mapped[int]
    contract_employees: Mapped[int]
    with_empty_menus: Mapped[int]
    roster_digest: Mapped[str] = mapped_column(String(64))
    roster_file: Mapped[str] = mapped_column(String(255))
    roster_imported_at: Mapped[datetime]
    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"))
    officer_name: Mapped[str] = mapped_column(String(200))
    officer_position: Mapped[str] = mapped_column(String(200))
    user_id: Mapped[int] = mapped_column(BigInteger)
    account_username: Mapped[str] = mapped_column(String(64))
    # The name of the statement that the officer agreed to: level, version and language (statement.py).
    statement: Mapped[str] = mapped_column(String(40))
    # The hash of the last event in the organization's audit chain before the certificate.
    audit_head: Mapped[str] = mapped_column(String(64))
    code: Mapped[str] = mapped_column(String(CODE_LENGTH), unique=True)
    is_late: Mapped[bool]
    certified_at: Mapped[datetime]
    # For the province level: seed, sample, marks and times of the spot-check as JSON (spot_check.py).
    spot_check: Mapped[str | None] = mapped_column(Text)
    # The organization's names and place when the officer certified; empty in certificates from before schema 0012.
    # Use the property `words`, which covers both.
    organization_name: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    organization_type: Mapped[str | None] = mapped_column(String(60))
    district_th: Mapped[str | None] = mapped_column(String(100))
    province_code: Mapped[str | None] = mapped_column(String(2))
    province_th: Mapped[str | None] = mapped_column(String(100))
    province_en: Mapped[str | None] = mapped_column(String(100))

    # The organization as it is now. The names on the certificate are in `words`.
    organization: Mapped[Organization] = relationship(lazy="raise")
    round: Mapped[Round] = relationship(lazy="raise")
    kept_words: Mapped[CertificateWords | None] = relationship(lazy="raise", viewonly=True)

    @property
    def words(self) -> Words | None:
        """The organization's names and place on the certificate.

        For a certificate from before schema 0012 they come from CertificateWords; None while that row is missing.
        """
        source = self if self.organization_name is not None else self.kept_words
        return None if source is None else Words(*(getattr(source, field.name) for field in fields(Words)))

    @property
    def words_kept_at(self) -> datetime | None:
        """When the row of CertificateWords was stored; None for a certificate that has its own words, or has
        none.
        """
        if self.organization_name is not None or self.kept_words is None:
            return None
        return self.kept_words.kept_at

    @property
    def headcount(self) -> Headcount:
        """The certified numbers by category."""
        return Headcount(self.officials, self.permanent_employees, self.contract_employees)

    @property
    def status(self) -> Status:
        """The organization's status after this certificate."""
        return Status.of([self.level])


class Reopening(Base):
    """Ends a revision: its certificates stay in the history, and the register can be changed again.

    Insert only.
    """

    COVERAGE: ClassVar[Coverage] = covered(
        "id organization_code round_id revision by_name reason reopened_at", "its event"
    )

    __tablename__ = "reopening"
    __grants__ = Grants(application="SELECT", operator="SELECT, INSERT")
    __table_args__ = (
        UniqueConstraint("organization_code", "round_id", "revision"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"))
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    # The revision that ended.
    revision: Mapped[int]
    by_name: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    reopened_at: Mapped[datetime]

    organization: Mapped[Organization] = relationship(lazy="raise")
    round: Mapped[Round] = relationship(lazy="raise")


def is_live(model: type[Certification] | type[Remark] | type[SpotCheck]) -> ColumnElement[bool]:
    """An SQL condition on rows of a revision: no reopening has ended the revision."""
    return ~exists().where(
        Reopening.organization_code == model.organization_code,
        Reopening.round_id == model.round_id,
        Reopening.revision == model.revision,
    )


@cache
def _answers() -> type[Remark]:
    return aliased(Remark)


def is_open(question: type[Remark]) -> ColumnElement[bool]:
    """An SQL condition on remarks of the newest round: a question of a live revision without an answer."""
    answer = _answers()
    answered = exists().where(answer.answers_id == question.id)
    return (question.kind == RemarkKind.QUESTION) & is_live(question) & ~answered


def snapshot(certification: Certification) -> dict[str, str]:
    """Return all non-null columns of a certificate as text, for its event and for comparison with that event
    later.

    Null columns are omitted, so that migrations can add columns.
    """
    columns = {column.key: getattr(certification, column.key) for column in Certification.__table__.columns}
    return {
        key: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
        for key, value in columns.items()
        if value is not None
    }


async def events_since_certified(
    session: AsyncSession, lao: Certification, opened_at: datetime
) -> list[tuple[str, dict[str, Any]]]:
    """Return the verified events of an organization from that of its certificate `lao` on, as `verified_events`.

    The province acts on nothing but this certificate, so it must equal its event. A certificate from before there
    was a record has none: it is accepted in a round that was opened, at `opened_at`, before the record began.
    Raises RecordBroken.
    """
    certified, chain = snapshot(lao), lao.organization_code
    events = await events_since(
        session, chain, Event.CERTIFIED, lambda details: details.get("certificate") == certified
    )
    if events is not None:
        return events
    if lao.audit_head == UNRECORDED and await is_older_than_record(session, chain, opened_at):
        return await verified_events(session, chain)
    raise RecordBroken(chain)
