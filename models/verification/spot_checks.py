"""Spot-checks: draws, marks and hand-ins against their events, and what certificates rest on drawn again."""

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


async def check_draws(session: AsyncSession, record: Record, found: Findings) -> None:
    """Each check is drawn, marked and handed in as its events tell, and none is gone."""
    by_chain: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for event in record.of(Event.CERTIFIED, Event.DRAWN, Event.MARKED, Event.HANDED_IN):
        by_chain[event.chain].append((event.kind, event.details | {"at": event.at}))
    recorded = {chain: RecordedChecks(events) for chain, events in by_chain.items()}
    drawn = {number: event.chain for number, event in record.by_number(Event.DRAWN, "check").items()}
    checks = select(SpotCheck).options(selectinload(SpotCheck.items)).execution_options(populate_existing=True)
    for check in await session.scalars(checks.order_by(SpotCheck.id)):
        chain = drawn.pop(str(check.id), check.organization_code)
        events = recorded.get(check.organization_code, RecordedChecks([])).of(check)
        name = f"spot-check {check.id} of {check.organization_code}"
        if chain != check.organization_code:
            found.add(Subject.SPOT_CHECK, f"{name}: was drawn of {chain}")
        elif events.drawn is None and not events.is_required:
            found.leave("spot-checks")
        else:
            found.add(Subject.SPOT_CHECK, *(f"{name}: {what}" for what in differences(check, events)))
    found.add(Subject.SPOT_CHECK, *(f"spot-check {number}: was recorded and is gone" for number in sorted(drawn)))


async def check_certified_draws(session: AsyncSession, _record: Record, found: Findings) -> None:
    """The sample of every province's certificate that locks now is drawn again from its seed, and what it rests on
    is compared with what stands in the database.
    """
    newest = await current_round(session)
    if newest is None:
        return
    made = await session.execute(
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
    for certificate, basis in made.all():
        rows = await session.execute(
            select(PersonnelRecord.record_no, PersonnelRecord.category).where(
                PersonnelRecord.organization_code == certificate.organization_code
            )
        )
        register = [(record_no, category) for record_no, category in rows]
        name, drawn = f"spot-check of certificate {certificate.code}", certificate.spot_check or ""
        if not is_drawn_from(drawn, register):
            found.add(Subject.SPOT_CHECK, f"{name}: its seed does not draw its sample")
        elif not await _rests_on_facts(session, certificate, json.loads(drawn), basis, register):
            found.add(Subject.SPOT_CHECK, f"{name}: is not drawn from what was found before and what has changed")


async def _rests_on_facts(
    session: AsyncSession,
    certificate: Certification,
    drawn: dict[str, Any],
    basis: str | None,
    register: list[tuple[str, Category]],
) -> bool:
    """Whether what a certificate says that its draw rests on is so; `basis` stands with the draw itself.

    Where a register to compare with cannot be read now, or could not when it was drawn, the certificate's own list
    of changed records stands.
    """
    if drawn.get("rule", 1) == 1:
        return basis is None
    code, round_id = certificate.organization_code, certificate.round_id
    told, numbers = Basis.read(drawn), {number for number, _ in register}
    facts = await load_basis(session, code, round_id, certificate.revision, told.size, numbers)
    if told == facts:
        return True
    if (told.since, told.gone) != (facts.since, facts.gone):
        return False
    changes = await load_changes(session, code, round_id)
    if told.may_all_differ == facts.may_all_differ and (changes is None or changes.is_known):
        return False
    # Whoever drew, or whoever verifies now, has not the key of a register.
    incorrect = await load_incorrect(session, code, round_id, facts.since)
    return incorrect & numbers <= set(told.incorrect)
