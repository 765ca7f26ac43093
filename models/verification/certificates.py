"""Verifies certificates, the statements they refer to, and the words stored for older certificates."""

from collections import defaultdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import SYSTEM, UNRECORDED, Event
from models.certification.certificate import Certification, Level, snapshot
from models.certification.statement import statement_digest
from models.certification.words import CertificateWords
from models.rounds.round import Round
from models.succession.word_keeping import count_without_words, words_digests
from models.verification.findings import Findings, Subject
from models.verification.record import Record, Told


async def check_certificates(session: AsyncSession, record: Record, findings: Findings) -> None:
    """Check that each certificate equals its event, that none is missing, and that each of a province follows one
    of the organization by another person.
    """
    recorded = _certified(record)
    opened_years = {str(event.details.get("fiscal_year")) for event in record.of(Event.ROUND_OPENED)}
    stored_ids = set()
    signers: dict[tuple[str, int, int], dict[str, Certification]] = defaultdict(dict)
    rows = await session.execute(select(Certification, Round.fiscal_year).join(Round).order_by(Certification.id))
    for certificate, fiscal_year in rows:
        findings.certificates += 1
        stored_ids.add(str(certificate.id))
        revision = certificate.organization_code, certificate.round_id, certificate.revision
        signers[revision][certificate.level] = certificate
        event = recorded.get(str(certificate.id))
        name = f"certificate {certificate.code} of {certificate.organization_code}"
        if event is None and certificate.audit_head == UNRECORDED and str(fiscal_year) not in opened_years:
            findings.unrecorded.append(certificate.code)
            if certificate.organization_name is not None:
                findings.add(Subject.CERTIFICATE, f"{name}: is older than the words that it bears")
        elif event is None:
            findings.add(Subject.CERTIFICATE, f"{name}: no event records it")
        elif event.details["certificate"] != snapshot(certificate):
            findings.add(Subject.CERTIFICATE, f"{name}: is not what was certified")
    for certificates in signers.values():
        lao, province = certificates.get(Level.LAO), certificates.get(Level.PROVINCE)
        if province is None:
            continue
        name = f"certificate {province.code} of {province.organization_code}"
        if lao is None:
            findings.add(Subject.CERTIFICATE, f"{name}: the organization has not certified what its province has")
        elif lao.user_id == province.user_id:
            findings.add(Subject.CERTIFICATE, f"{name}: the same person certified for the organization")
    missing_ids = sorted(recorded.keys() - stored_ids)
    findings.add(
        Subject.CERTIFICATE, *(f"certificate {number}: was recorded and is gone" for number in missing_ids)
    )
    check_statements(record, findings)


def _certified(record: Record) -> dict[str, Told]:
    """Return the events of certificates by the certificate's id."""
    recorded = {}
    for event in record.of(Event.CERTIFIED):
        certificate = event.details.get("certificate")
        if isinstance(certificate, dict) and "id" in certificate:
            recorded[str(certificate["id"])] = event
    return recorded


def check_statements(record: Record, findings: Findings) -> None:
    """Check that this program's text of each certificate's statement has the recorded digest."""
    for number, event in sorted(_certified(record).items()):
        name, digest = event.details["certificate"].get("statement", ""), event.details.get("statement_sha256")
        if digest is None:
            findings.leave("statements of certificates")
        elif digest != statement_digest(str(name)):
            findings.add(
                Subject.STATEMENT, f"certificate {number}: this program has other words for the statement {name}"
            )


async def check_words(session: AsyncSession, record: Record, findings: Findings) -> None:
    """Check the words stored for older certificates.

    They must equal the recorded digests, and no certificate that has words of its own may have a row there.
    """
    findings.without_words = await count_without_words(session)
    stored: dict[str, dict[str, Any]] = {}
    for digest in await words_digests(session):
        kept_at = digest.moment
        stored[kept_at] = {"kept_at": kept_at, "certificates": digest.certificates, "digest": digest.hexadecimal}
    # Of two events with the same time, the later one covers all rows.
    recorded = {
        str(event.details.get("kept_at")): event.details
        for event in record.of(Event.WORDS_KEPT)
        if event.chain == SYSTEM
    }
    for kept_at in sorted(stored.keys() | recorded.keys()):
        row, event = stored.get(kept_at), recorded.get(kept_at)
        if row is None or event is None or any(event.get(name) != value for name, value in row.items()):
            findings.add(
                Subject.WORDS,
                f"words of certificates, kept at {kept_at}: the rows and their event do not agree",
            )
    codes_with_own_words = await session.scalars(
        select(Certification.code)
        .join(CertificateWords, CertificateWords.certification_id == Certification.id)
        .where(Certification.organization_name.is_not(None))
        .order_by(Certification.id)
    )
    findings.add(
        Subject.WORDS,
        *(f"certificate {code}: others stand beside the words that it bears" for code in codes_with_own_words),
    )
