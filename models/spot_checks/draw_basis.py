"""Loads the basis of a spot-check's draw: everything besides the seed that determines it (rule 2)."""

from collections.abc import Collection

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.certification.changes import load_changes
from models.certification.spot_check import Basis, Mark, SpotCheck, SpotCheckItem


async def load_basis(
    session: AsyncSession, dla_code: str, round_id: int, revision: int, size: int, register: Collection[str]
) -> Basis:
    """Return the basis of a revision's draw of `size` records. `register` has the record numbers of its locked
    register.

    Marks of earlier revisions count whether or not their spot-check was handed in, so that a reopening before that
    does not discard them. A mark also follows a person whose record number has changed.
    """
    changes = await load_changes(session, dla_code, round_id) if revision > 1 else None
    if changes is None:
        return Basis(size)
    incorrect = await load_incorrect(session, dla_code, round_id, changes.revisions)
    missing = incorrect.difference(register)
    return Basis(
        size=size,
        since=changes.revisions,
        incorrect=tuple(sorted((incorrect - missing) | changes.renumbered(missing))),
        gone=tuple(sorted(missing)),
        changed=changes.changed_numbers,
        may_all_differ=changes.may_all_differ,
    )


async def load_incorrect(
    session: AsyncSession, dla_code: str, round_id: int, revisions: Collection[int]
) -> set[str]:
    """Return the numbers of the records that were marked ไม่ถูกต้อง in these revisions."""
    marked = await session.execute(_incorrect(dla_code, round_id, revisions))
    return {item.record_no for (item,) in marked}


async def load_earlier_notes(session: AsyncSession, check: SpotCheck, since: Collection[int]) -> dict[str, str]:
    """Return the notes on incorrect records of the ended revisions `since`, by record number; the newest of
    several.
    """
    marked = await session.execute(_incorrect(check.organization_code, check.round_id, since))
    return {item.record_no: item.note or "" for (item,) in marked}


def _incorrect(dla_code: str, round_id: int, revisions: Collection[int]) -> Select[SpotCheckItem]:
    """Select the records that were marked ไม่ถูกต้อง in these revisions, the earliest first."""
    return (
        select(SpotCheckItem)
        .join(SpotCheck, SpotCheck.id == SpotCheckItem.spot_check_id)
        .where(
            SpotCheck.organization_code == dla_code,
            SpotCheck.round_id == round_id,
            SpotCheck.revision.in_(revisions),
            SpotCheckItem.mark == Mark.INCORRECT,
        )
        .order_by(SpotCheck.revision, SpotCheckItem.place)
    )
