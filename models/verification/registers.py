"""Verifies locked registers, those of ended organizations, and those stored by reopenings."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import PURPOSE, Event, keyring
from models.certification.certificate import Certification, Level, Reopening, is_live
from models.register.certified import CertifiedRegister, RegisterContent, open_certified
from models.register.roster import NoRoster, Roster, load_summary, register_digest, register_origin, summarize
from models.rounds.round import current_round
from models.verification.findings import Findings, Subject
from models.verification.record import Record


async def check_locked(session: AsyncSession, _record: Record, findings: Findings) -> None:
    """Check that each locked register still has the digest, file and import time of its certificate."""
    newest = await current_round(session)
    if newest is None:
        return
    locked = await session.scalars(
        select(Certification).where(
            Certification.round_id == newest.id, Certification.level == Level.LAO, is_live(Certification)
        )
    )
    for certificate in locked.all():
        findings.rosters += 1
        code = certificate.organization_code
        current: tuple[str, str, datetime] | None = None
        try:
            summary = await load_summary(session, code)
        except NoRoster:
            pass
        else:
            current = summary.digest, summary.file_name, summary.imported_at
        if current != (certificate.roster_digest, certificate.roster_file, certificate.roster_imported_at):
            findings.add(
                Subject.REGISTER, f"roster of {code}: is not what certificate {certificate.code} certified"
            )


async def check_ended(session: AsyncSession, record: Record, findings: Findings) -> None:
    """Check that the register of each ended organization is unchanged since the end."""
    for event in sorted(record.of(Event.ENDED), key=lambda event: event.chain):
        code = event.chain
        findings.rosters += 1
        origin = await register_origin(session, code)
        is_same = await register_digest(session, code) == event.details.get("roster_digest")
        if not is_same or origin != event.details.get("roster_origin", origin):
            findings.add(Subject.REGISTER, f"roster of {code}: is not what it was when the organization ended")


async def check_kept(session: AsyncSession, record: Record, findings: Findings) -> None:
    """Check that each register stored by a reopening in the newest round has the digest of its certificate.

    There must be no stored registers of older rounds.
    """
    newest = await current_round(session)
    if newest is None:
        return
    recorded = record.by_number(Event.REOPENED, "reopening")
    stored = {row.reopening_id: row for row in await session.scalars(select(CertifiedRegister))}
    reopenings = await session.execute(
        select(Reopening.id, Certification.roster_digest)
        .join(
            Certification,
            (Certification.organization_code == Reopening.organization_code)
            & (Certification.round_id == Reopening.round_id)
            & (Certification.revision == Reopening.revision),
        )
        .where(Reopening.round_id == newest.id, Certification.level == Level.LAO)
    )
    for number, digest in reopenings.all():
        row, event = stored.pop(number, None), recorded.get(str(number))
        if row is None or event is None:
            # models/verification/remarks.py checks whether the reopening must have a stored register.
            continue
        content = open_certified(session, number, row)
        if content is None and keyring(session).key(PURPOSE, event.key_id) is None:
            findings.leave("registers kept by reopenings, for want of their key")
        elif content is None or _digest(content) != digest:
            findings.add(Subject.REGISTER, f"register kept by reopening {number}: is not what was kept")
    findings.add(
        Subject.REGISTER,
        *(f"register kept by reopening {number}: belongs to no round that goes on" for number in sorted(stored)),
    )


def _digest(content: RegisterContent) -> str:
    """Return the digest of a stored register, computed as for a certificate."""
    return summarize(Roster(file_name="", menu_names=list(content.menu_names)), content.records).digest
