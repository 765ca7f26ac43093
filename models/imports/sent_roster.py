"""An organization's officer sends its register as a file: compared, kept, and written only when it says so.

Before the organization certifies; after that nothing in its register can be edited or recorded any more
(procedure, LAO step 2).
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.access import NotYours, find_organization
from models.accounts.account import Officer
from models.audit import event_chain
from models.base.errors import DomainError
from models.certification.certificate import Certification, Level
from models.certification.review import live_certificates
from models.organizations.organization import Organization, lock_organization
from models.register.difference import Difference, aligned, compare, respelled
from models.register.draft import RosterDraft, SentRoster, drop_draft, keep_draft, load_draft
from models.register.roster import PersonnelRecord, Record, Roster, load_records, summarize
from models.rounds.round import current_round


class RosterLocked(DomainError):
    """The register is certified: a file is not taken."""

    def __init__(self, organization: Organization, certification: Certification) -> None:
        super().__init__(organization.dla_code)
        self.organization = organization
        self.certification = certification


class BaseChanged(DomainError):
    """The register is not the one any more that the file was compared with."""


@dataclass(frozen=True)
class Proposal:
    """A file beside the register as it is now. `draft` is None when it changes nothing."""

    organization: Organization
    sent: SentRoster
    difference: Difference
    draft: RosterDraft | None


@dataclass(frozen=True)
class RosterTemplate:
    """What a file to fill in is made of: the register as it is, or nothing but its columns."""

    organization: Organization
    menu_names: tuple[str, ...]
    records: tuple[Record, ...]


@dataclass(frozen=True)
class _Register:
    """The register at this moment; `digest` is "" when there is none."""

    menu_names: tuple[str, ...]
    records: list[Record]
    digest: str


async def require_sendable(session: AsyncSession, officer: Officer) -> Organization:
    """The organization whose register the officer may send. Raises NotYours, RosterLocked."""
    organization = await find_organization(session, officer, officer.account.organization_code or "")
    locked = (await live_certificates(session, organization.dla_code, await current_round(session))).get(Level.LAO)
    if locked is not None:
        raise RosterLocked(organization, locked)
    return organization


async def propose(session: AsyncSession, officer: Officer, sent: SentRoster, now: datetime) -> Proposal:
    """Compare a checked file with the register and keep it, unless it changes nothing; one kept before is dropped.

    Raises NotYours, RosterLocked.
    """
    organization = await require_sendable(session, officer)
    register = await _register(session, organization.dla_code)
    sent = aligned(respelled(sent, register.menu_names, register.records), register.menu_names)
    difference = compare(register.menu_names, register.records, sent)
    await drop_draft(session, officer.id)
    if difference.is_nothing and register.digest:
        return Proposal(organization, sent, difference, None)
    draft = await keep_draft(session, officer.id, organization.dla_code, sent, register.digest, now)
    return Proposal(organization, sent, difference, draft)


async def load_proposal(session: AsyncSession, officer: Officer, key: str, now: datetime) -> Proposal:
    """A file that waits to be confirmed. Raises NotYours, RosterLocked, DraftGone, BaseChanged."""
    organization = await require_sendable(session, officer)
    draft, sent = await load_draft(session, officer.id, key, now)
    if draft.organization_code != organization.dla_code:
        raise NotYours
    register = await _register(session, organization.dla_code)
    if register.digest != draft.base_digest:
        raise BaseChanged
    difference = compare(register.menu_names, register.records, sent)
    return Proposal(organization, sent, difference, draft)


async def save(session: AsyncSession, officer: Officer, key: str, now: datetime) -> Proposal:
    """Put the file in the register's place, whole, as an import of personnel does.

    Raises NotYours, RosterLocked, DraftGone, BaseChanged: one may have certified or imported since.
    """
    code = officer.account.organization_code or ""
    await lock_organization(session, code)
    saved = await load_proposal(session, officer, key, now)
    await _replace(session, code, saved.sent, now)
    await drop_draft(session, officer.id)
    told = {"what": "personnel", "file": saved.sent.file_name, "officer": officer.id}
    await event_chain.record(session, event_chain.Event.IMPORTED, code, now, **told)
    return saved


async def _replace(session: AsyncSession, code: str, sent: SentRoster, now: datetime) -> None:
    await session.execute(delete(PersonnelRecord).where(PersonnelRecord.organization_code == code))
    roster = Roster(
        organization_code=code, file_name=sent.file_name, imported_at=now, menu_names=list(sent.menu_names)
    )
    await session.merge(roster)
    await session.flush()
    rows = [{"organization_code": code, **record._asdict()} for record in sent.records]
    await session.execute(insert(PersonnelRecord), rows)


async def cancel(session: AsyncSession, officer: Officer, key: str, now: datetime) -> None:
    """Forget a file that waits to be confirmed. Raises DraftGone."""
    await load_draft(session, officer.id, key, now)
    await drop_draft(session, officer.id)


async def take_template(session: AsyncSession, officer: Officer, now: datetime) -> RosterTemplate:
    """The register as a file to fill in, recorded because names go out with it. Raises NotYours."""
    organization = await find_organization(session, officer, officer.account.organization_code or "")
    register = await _register(session, organization.dla_code)
    told = {"what": "register", "records": len(register.records), "officer": officer.id}
    await event_chain.record(session, event_chain.Event.EXPORTED, organization.dla_code, now, **told)
    return RosterTemplate(organization, register.menu_names, tuple(sorted(register.records)))


async def _register(session: AsyncSession, dla_code: str) -> _Register:
    roster = await session.get(Roster, dla_code, populate_existing=True)
    if roster is None:
        return _Register((), [], "")
    records = await load_records(session, dla_code)
    return _Register(tuple(roster.menu_names), records, summarize(roster, records).digest)
