"""The register that an organization's officer sends as a file: compared, stored as a draft, and written once the
officer confirms it.

Only before the organization certifies: afterwards its register cannot change (procedure, LAO step 2).
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
    """The register is certified and locked, so no file is accepted. Carries the organization and its
    certificate.
    """

    def __init__(self, organization: Organization, certification: Certification) -> None:
        super().__init__(organization.dla_code)
        self.organization = organization
        self.certification = certification


class BaseChanged(DomainError):
    """The register has changed since the file was compared with it."""


@dataclass(frozen=True)
class Proposal:
    """A sent file and its difference from the current register. `draft` is None if the file changes nothing."""

    organization: Organization
    sent: SentRoster
    difference: Difference
    draft: RosterDraft | None


@dataclass(frozen=True)
class RosterTemplate:
    """The content of a file to fill in: the current register; without records if there is none."""

    organization: Organization
    menu_names: tuple[str, ...]
    records: tuple[Record, ...]


@dataclass(frozen=True)
class _Register:
    """The current register. `digest` is "" if there is none."""

    menu_names: tuple[str, ...]
    records: list[Record]
    digest: str


async def require_sendable(session: AsyncSession, officer: Officer) -> Organization:
    """Return the officer's organization, whose register the officer may send.

    Raises NotYours if the officer is not of an organization, RosterLocked.
    """
    organization = await find_organization(session, officer, officer.account.organization_code or "")
    locked = (await live_certificates(session, organization.dla_code, await current_round(session))).get(Level.LAO)
    if locked is not None:
        raise RosterLocked(organization, locked)
    return organization


async def propose(session: AsyncSession, officer: Officer, sent: SentRoster, now: datetime) -> Proposal:
    """Compare a checked file with the register, and store it as the officer's draft unless it changes nothing.

    An earlier draft is deleted. Raises NotYours, RosterLocked.
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
    """Load the officer's draft with this key, for confirmation.

    Raises NotYours, RosterLocked, DraftGone, BaseChanged.
    """
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
    """Replace the whole register by the officer's draft, as an import of personnel does, and delete the draft.

    Raises NotYours, RosterLocked, DraftGone, BaseChanged; OrganizationEnded, UnknownOrganization.
    """
    code = officer.account.organization_code or ""
    await lock_organization(session, code)
    saved = await load_proposal(session, officer, key, now)
    await _replace(session, code, saved.sent, now)
    await drop_draft(session, officer.id)
    details = {"what": "personnel", "file": saved.sent.file_name, "officer": officer.id}
    await event_chain.record(session, event_chain.Event.IMPORTED, code, now, **details)
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
    """Delete the officer's draft with this key. Raises DraftGone."""
    await load_draft(session, officer.id, key, now)
    await drop_draft(session, officer.id)


async def take_template(session: AsyncSession, officer: Officer, now: datetime) -> RosterTemplate:
    """Return the register as a file to fill in, and record the export in the audit chain, because it has names.

    Raises NotYours if the officer is not of an organization.
    """
    organization = await find_organization(session, officer, officer.account.organization_code or "")
    register = await _register(session, organization.dla_code)
    details = {"what": "register", "records": len(register.records), "officer": officer.id}
    await event_chain.record(session, event_chain.Event.EXPORTED, organization.dla_code, now, **details)
    return RosterTemplate(organization, register.menu_names, tuple(sorted(register.records)))


async def _register(session: AsyncSession, dla_code: str) -> _Register:
    roster = await session.get(Roster, dla_code, populate_existing=True)
    if roster is None:
        return _Register((), [], "")
    records = await load_records(session, dla_code)
    return _Register(tuple(roster.menu_names), records, summarize(roster, records).digest)
