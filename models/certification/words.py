"""A certificate's words: what its organization was called and where it lay when it was certified.

A certificate bears them itself, from the press on. One from before schema 0012 has none: it is inserted only and
compared with its event, so its words stand in a table beside it (models/succession/word_keeping.py fills it).
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

# A type has at most 60 letters, a name 200 (models/organizations/organization.py).
NAME_LENGTH = 260


@dataclass(frozen=True)
class Words:
    """An organization as a certificate names it: type and name together as they are written, the type alone, the
    district, and the province by code and in both languages. The fields are columns of both tables.
    """

    organization_name: str
    organization_type: str
    district_th: str
    province_code: str
    province_th: str
    province_en: str

    @classmethod
    def of(cls, organization: Organization) -> "Words":
        """How an organization is called now; its province must be loaded."""
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
    """The words of a certificate that has none itself, as of the moment at which they were kept. Insert only."""

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
    # The same moment for all rows of one keeping, whose event names it.
    kept_at: Mapped[datetime]
