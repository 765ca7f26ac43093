"""The list of all checks of `laocert audit verify`, and the function that runs them."""

from collections.abc import Awaitable, Callable, Collection

from sqlalchemy import String, cast, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import verify_chains
from models.operator.seal_check import FAULTS, BadRow, Fault, check_seals
from models.operator.sealing import MODELS
from models.security.row_seal import identity_of
from models.verification import (
    certificates,
    links,
    organizations,
    registers,
    remarks,
    rounds,
    spot_checks,
)
from models.verification.findings import Findings, Subject
from models.verification.record import Record, load_record

# The exceptions that reading a tampered row can raise, such as for an unknown kind or an invalid date.
_UNREADABLE_ROW = (LookupError, ValueError, TypeError, ArithmeticError)


async def _is_under(session: AsyncSession, row: BadRow, keys: Collection[str]) -> bool:
    """Whether a seal of a row is under one of the given keys."""
    (model,) = [model for model in MODELS if model.__tablename__ == row.table]  # type: ignore[attr-defined]
    table = model.core()  # type: ignore[attr-defined]
    (identity,) = identity_of(model)
    seals = select(*(table.c[sealed.into] for sealed in model.SEALS)).where(
        cast(table.c[identity], String) == row.id
    )
    return any(
        str(seal).partition(":")[0] in keys for row_seals in await session.execute(seals) for seal in row_seals
    )


async def _check_seals(session: AsyncSession, _record: Record, findings: Findings) -> None:
    """Check that every sealed row has a good seal, equal to that in its newest event."""
    seals = await check_seals(session)
    for row in seals.bad:
        if row.fault is Fault.WRONG and await _is_under(session, row, findings.unknown_keys):
            # Only counted, because the events under the same missing key already fail the verification.
            findings.leave("rows under a seal whose key is not here")
        else:
            findings.add(Subject.SEAL, f"{row.table} {row.id}: {FAULTS[row.fault]}")
    findings.leave("rows without a seal", seals.unsealed)
    findings.leave("rows under a seal whose key is lost", seals.unchecked)


Check = Callable[[AsyncSession, Record, Findings], Awaitable[None]]

# In the order in which breaks are listed. Certificates come first, because check_rounds uses the unrecorded ones
# to tell which rounds are older than the record.
CHECKS: tuple[tuple[Subject, Check], ...] = (
    (Subject.CERTIFICATE, certificates.check_certificates),
    (Subject.WORDS, certificates.check_words),
    (Subject.REOPENING, remarks.check_reopenings),
    (Subject.REMARK, remarks.check_remarks),
    (Subject.BROADCAST, remarks.check_broadcasts),
    (Subject.ROUND, rounds.check_rounds),
    (Subject.ORGANIZATION, organizations.check_ends),
    (Subject.ORGANIZATION, organizations.check_successions),
    (Subject.ORGANIZATION, organizations.check_descriptions),
    (Subject.REGISTER, registers.check_locked),
    (Subject.REGISTER, registers.check_ended),
    (Subject.REGISTER, registers.check_kept),
    (Subject.SPOT_CHECK, spot_checks.check_draws),
    (Subject.SPOT_CHECK, spot_checks.check_certified_draws),
    (Subject.OFFICER, links.check_officers),
    (Subject.INVITATION, links.check_invitations),
    (Subject.SEAL, _check_seals),
)


async def verify(session: AsyncSession, head: str | None = None) -> Findings:
    """Verify the chains and each kind of row against its events (docs/security.md, What `laocert audit verify`
    covers).

    With a filed `head`, also check that the events before it are unchanged.
    """
    findings = Findings()
    walk = await verify_chains(session, head)
    findings.unknown_keys = walk.unknown_keys
    findings.add(Subject.CHAIN, *walk.breaks)
    if not walk.fits_head:
        findings.add(Subject.HEAD, f"head {head}: what was recorded before it is not as it was then")
    record, findings.events = await load_record(session)
    for subject, check in CHECKS:
        try:
            await check(session, record, findings)
        except _UNREADABLE_ROW:
            findings.add(subject, f"{subject}: a row holds what the program never writes, and cannot be read")
    return findings
