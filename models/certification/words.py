"""A certificate's words: the names and place of its organization when it was certified.

A certificate stores them in its own columns. Certificates from before schema 0012 have none, and cannot be updated
because they are insert only; a separate table has their words (models/succession/word_keeping.py fills it).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base.coverage import Coverage, covered
from models.base.grants import Grants
from models.base.tables import Base, BigKey
from models.organizations.organization import Organization

# A type has at most 60 characters and a name 200 (models/organizations/organization.py).
NAME_LENGTH = 260


@dataclass(frozen=True)
class Words:
    """An organization's names and place: full name, type, district, and the province's code and two names.

    The fields are columns of both Certification and CertificateWords.
    """

    organization_name: str
    organization_type: str
    district_th: str
    province_code: str
    province_th: str
    province_en: str

    @classmethod
    def of(cls, organization: Organization) -> "Words":
        """Return the current words of an organization, whose province must be loaded."""
        province = organization.province
        return cls(
            organization.full_name,
            organization.type_th,
            organization.district_th,
            province.code,
            province.name_th,
            province.name_en,
        )


class CertificateWords(Base):
    """The words of a certificate that has none in its own columns, as they were at `kept_at`. Insert only."""

    COVERAGE: ClassVar[Coverage] = covered(
        "certification_id organization_name organization_type district_th province_code province_th province_en"
        " kept_at",
        "the digest of all that were kept at one moment",
        uncovered={"id": "nothing refers to it"},
    )

    __tablename__ = "certificate_words"
    __grants__ = Grants(application="SELECT", operator="SELECT, INSERT")
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    certification_id: Mapped[int] = mapped_column(ForeignKey("certification.id"), unique=True)
    organization_name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    organization_type: Mapped[str] = mapped_column(String(60))
    district_th: Mapped[str] = mapped_column(String(100))
    province_code: Mapped[str] = mapped_column(String(2))
    province_th: Mapped[str] = mapped_column(String(100))
    province_en: Mapped[str] = mapped_column(String(100))
    # The same time for all rows stored in one run, whose event has it.
    kept_at: Mapped[datetime]
