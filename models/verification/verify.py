"""Does everything still stand as it was recorded? What `laocert audit verify` checks."""

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

# What reading a row raises that holds what the program never writes: a word for an unknown kind, a date that is
# none.
_UNREADABLE_ROW = (LookupError, ValueError, TypeError, ArithmeticError)


async def _is_under(session: AsyncSession, row: BadRow, keys: Collection[str]) -> bool:
    """Whether a seal of a row names one of some keys."""
    (model,) = [model for model in MODELS if model.__tablename__ == row.table]  # type: ignore[attr-defined]
    table = model.core()  # type: ignore[attr-defined]
    (identity,) = identity_of(model)
    seals = select(*(table.c[sealed.into] for sealed in model.SEALS)).where(
        cast(table.c[identity], String) == row.id
    )
    return any(str(seal).partition(":")[0] in keys for found in await session.execute(seals) for seal in found)


async def _check_seals(session: AsyncSession, _record: Record, found: Findings) -> None:
    """Every row that decides has a good seal, and the one that its newest event carries."""
    seals = await check_seals(session)
    for row in seals.bad:
        if row.fault is Fault.WRONG and await _is_under(session, row, found.unknown_keys):
            # As events under a key that is not here; that there are such events is no good news already.
            found.leave("rows under a seal whose key is not here")
        else:
            found.add(Subject.SEAL, f"{row.table} {row.id}: {FAULTS[row.fault]}")
    found.leave("rows without a seal", seals.unsealed)
    found.leave("rows under a seal whose key is lost", seals.unchecked)


Check = Callable[[AsyncSession, Record, Findings], Awaitable[None]]

# In the order in which breaks are listed. Certificates come first: which of them are unrecorded says which rounds
# are older than the record.
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
    """Check the chains (up to a filed `head` too), then each kind of row against its events (docs/security.md,
    What `laocert audit verify` covers).
    """
    found = Findings()
    walk = await verify_chains(session, head)
    found.unknown_keys = walk.unknown_keys
    found.add(Subject.CHAIN, *walk.breaks)
    if not walk.fits_head:
        found.add(Subject.HEAD, f"head {head}: what was recorded before it is not as it was then")
    record, found.events = await load_record(session)
    for subject, check in CHECKS:
        try:
            await check(session, record, found)
        except _UNREADABLE_ROW:
            found.add(subject, f"{subject}: a row holds what the program never writes, and cannot be read")
    return found
