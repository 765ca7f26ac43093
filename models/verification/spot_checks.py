"""Verifies spot-checks against their events, and repeats the draws on which certificates depend."""

import json
from collections import defaultdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from models.audit.event_chain import Event
from models.certification.certificate import Certification, Level, is_live
from models.certification.changes import load_changes
from models.certification.spot_check import Basis, RecordedChecks, SpotCheck, differences, is_drawn_from
from models.register.roster import Category, PersonnelRecord
from models.rounds.round import current_round
from models.spot_checks.draw_basis import load_basis, load_incorrect
from models.verification.findings import Findings, Subject
from models.verification.record import Record


async def check_draws(session: AsyncSession, record: Record, findings: Findings) -> None:
    """Check that the draw, marks and handing in of each spot-check equal its events, and none is missing."""
    by_chain: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for event in record.in_order(Event.CERTIFIED, Event.DRAWN, Event.MARKED, Event.HANDED_IN):
        by_chain[event.chain].append((event.kind, event.details | {"at": event.at}))
    recorded = {chain: RecordedChecks(events) for chain, events in by_chain.items()}
    drawn = {number: event.chain for number, event in record.by_number(Event.DRAWN, "check").items()}
    checks = select(SpotCheck).options(selectinload(SpotCheck.items)).execution_options(populate_existing=True)
    for check in await session.scalars(checks.order_by(SpotCheck.id)):
        chain = drawn.pop(str(check.id), check.organization_code)
        events = recorded.get(check.organization_code, RecordedChecks([])).of(check)
        name = f"spot-check {check.id} of {check.organization_code}"
        if chain != check.organization_code:
            findings.add(Subject.SPOT_CHECK, f"{name}: was drawn of {chain}")
        elif events.drawn is None and not events.is_required:
            findings.leave("spot-checks")
        else:
            findings.add(Subject.SPOT_CHECK, *(f"{name}: {what}" for what in differences(check, events)))
    findings.add(
        Subject.SPOT_CHECK, *(f"spot-check {number}: was recorded and is gone" for number in sorted(drawn))
    )


async def check_certified_draws(session: AsyncSession, _record: Record, findings: Findings) -> None:
    """Repeat the draw of each live province certificate of the newest round, and compare its basis with the
    database.
    """
    newest = await current_round(session)
    if newest is None:
        return
    certificates = await session.execute(
        select(Certification, SpotCheck.basis)
        .outerjoin(
            SpotCheck,
            (SpotCheck.organization_code == Certification.organization_code)
            & (SpotCheck.round_id == Certification.round_id)
            & (SpotCheck.revision == Certification.revision),
        )
        .where(
            Certification.round_id == newest.id,
            Certification.level == Level.PROVINCE,
            Certification.spot_check.is_not(None),
            is_live(Certification),
        )
    )
    for certificate, basis in certificates.all():
        rows = await session.execute(
            select(PersonnelRecord.record_no, PersonnelRecord.category).where(
                PersonnelRecord.organization_code == certificate.organization_code
            )
        )
        register = [(record_no, category) for record_no, category in rows]
        name, certified_check = f"spot-check of certificate {certificate.code}", certificate.spot_check or ""
        if not is_drawn_from(certified_check, register):
            findings.add(Subject.SPOT_CHECK, f"{name}: its seed does not draw its sample")
        elif not await _rests_on_facts(session, certificate, json.loads(certified_check), basis, register):
            findings.add(
                Subject.SPOT_CHECK, f"{name}: is not drawn from what was found before and what has changed"
            )


async def _rests_on_facts(
    session: AsyncSession,
    certificate: Certification,
    certified_check: dict[str, Any],
    basis: str | None,
    register: list[tuple[str, Category]],
) -> bool:
    """Whether the basis of a certificate's draw agrees with the database; `basis` is the spot-check's own column.

    If a register of an ended revision cannot be decrypted now, or could not when the sample was drawn, the
    certificate's list of changed records is accepted.
    """
    if certified_check.get("rule", 1) == 1:
        return basis is None
    code, round_id = certificate.organization_code, certificate.round_id
    certified_basis, numbers = Basis.read(certified_check), {number for number, _ in register}
    current_basis = await load_basis(session, code, round_id, certificate.revision, certified_basis.size, numbers)
    if certified_basis == current_basis:
        return True
    if (certified_basis.since, certified_basis.gone) != (current_basis.since, current_basis.gone):
        return False
    changes = await load_changes(session, code, round_id)
    if certified_basis.may_all_differ == current_basis.may_all_differ and (changes is None or changes.is_known):
        return False
    # The key of a stored register was missing at the draw or is missing now.
    incorrect = await load_incorrect(session, code, round_id, current_basis.since)
    return incorrect & numbers <= set(certified_basis.incorrect)
