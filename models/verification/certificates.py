"""Certificates, the statements that they agree to, and the words that were kept for older ones."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import SYSTEM, UNRECORDED, Event
from models.certification.certificate import Certification, snapshot
from models.certification.statement import statement_digest
from models.certification.words import CertificateWords
from models.rounds.round import Round
from models.succession.word_keeping import count_without_words, words_digests
from models.verification.findings import Findings, Subject
from models.verification.record import Record, Told


async def check_certificates(session: AsyncSession, record: Record, found: Findings) -> None:
    """Each certificate has its event and is what that says, and none is gone."""
    recorded = _certified(record)
    opened_years = {str(event.details.get("fiscal_year")) for event in record.of(Event.ROUND_OPENED)}
    seen = set()
    rows = await session.execute(select(Certification, Round.fiscal_year).join(Round).order_by(Certification.id))
    for certificate, fiscal_year in rows:
        found.certificates += 1
        seen.add(str(certificate.id))
        event = recorded.get(str(certificate.id))
        name = f"certificate {certificate.code} of {certificate.organization_code}"
        if event is None and certificate.audit_head == UNRECORDED and str(fiscal_year) not in opened_years:
            found.unrecorded.append(certificate.code)
            if certificate.organization_name is not None:
                found.add(Subject.CERTIFICATE, f"{name}: is older than the words that it bears")
        elif event is None:
            found.add(Subject.CERTIFICATE, f"{name}: no event records it")
        elif event.details["certificate"] != snapshot(certificate):
            found.add(Subject.CERTIFICATE, f"{name}: is not what was certified")
    gone = sorted(recorded.keys() - seen)
    found.add(Subject.CERTIFICATE, *(f"certificate {number}: was recorded and is gone" for number in gone))
    check_statements(record, found)


def _certified(record: Record) -> dict[str, Told]:
    """The events of certificates by the certificate's number."""
    recorded = {}
    for event in record.of(Event.CERTIFIED):
        certificate = event.details.get("certificate")
        if isinstance(certificate, dict) and "id" in certificate:
            recorded[str(certificate["id"])] = event
    return recorded


def check_statements(record: Record, found: Findings) -> None:
    """What this program shows as the text that was agreed to must be the text that was on the screen then."""
    for number, event in sorted(_certified(record).items()):
        name, digest = event.details["certificate"].get("statement", ""), event.details.get("statement_sha256")
        if digest is None:
            found.leave("statements of certificates")
        elif digest != statement_digest(str(name)):
            found.add(
                Subject.STATEMENT, f"certificate {number}: this program has other words for the statement {name}"
            )


async def check_words(session: AsyncSession, record: Record, found: Findings) -> None:
    """What was kept for older certificates: all that the events tell of, nothing else, and for none that bears
    words itself.
    """
    found.without_words = await count_without_words(session)
    kept: dict[str, dict[str, Any]] = {}
    for digest in await words_digests(session):
        moment = digest.moment
        kept[moment] = {"kept_at": moment, "certificates": digest.certificates, "digest": digest.hexadecimal}
    # The later of two at one moment tells all.
    recorded = {
        str(event.details.get("kept_at")): event.details
        for event in record.of(Event.WORDS_KEPT)
        if event.chain == SYSTEM
    }
    for moment in sorted(kept.keys() | recorded.keys()):
        row, event = kept.get(moment), recorded.get(moment)
        if row is None or event is None or any(event.get(name) != value for name, value in row.items()):
            found.add(
                Subject.WORDS,
                f"words of certificates, kept at {moment}: the rows and their event do not agree",
            )
    beside = await session.scalars(
        select(Certification.code)
        .join(CertificateWords, CertificateWords.certification_id == Certification.id)
        .where(Certification.organization_name.is_not(None))
        .order_by(Certification.id)
    )
    found.add(
        Subject.WORDS, *(f"certificate {code}: others stand beside the words that it bears" for code in beside)
    )
