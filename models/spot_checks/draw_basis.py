"""What the draw of a spot-check rests on besides its seed, as it stands in the database (rule 2)."""

from collections.abc import Collection

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.certification.changes import load_changes
from models.certification.spot_check import Basis, Mark, SpotCheck, SpotCheckItem


async def load_basis(
    session: AsyncSession, dla_code: str, round_id: int, revision: int, size: int, register: Collection[str]
) -> Basis:
    """What the revision's draw of `size` rests on, while its register, with these numbers, is locked.

    Marks count whether or not their check was handed in: a reopening that came first takes none of them away. Nor
    does another number for the same person.
    """
    changes = await load_changes(session, dla_code, round_id) if revision > 1 else None
    if changes is None:
        return Basis(size)
    incorrect = await load_incorrect(session, dla_code, round_id, changes.revisions)
    gone = incorrect.difference(register)
    return Basis(
        size=size,
        since=changes.revisions,
        incorrect=tuple(sorted((incorrect - gone) | changes.renumbered(gone))),
        gone=tuple(sorted(gone)),
        changed=changes.changed_numbers,
        may_all_differ=changes.may_all_differ,
    )


async def load_incorrect(
    session: AsyncSession, dla_code: str, round_id: int, revisions: Collection[int]
) -> set[str]:
    """The numbers of the records that were marked ไม่ถูกต้อง in these revisions."""
    marked = await session.execute(_incorrect(dla_code, round_id, revisions))
    return {item.record_no for (item,) in marked}


async def load_earlier_notes(session: AsyncSession, check: SpotCheck, since: Collection[int]) -> dict[str, str]:
    """What was not correct in the ended revisions that count, by record number; of several notes the newest."""
    marked = await session.execute(_incorrect(check.organization_code, check.round_id, since))
    return {item.record_no: item.note or "" for (item,) in marked}


def _incorrect(dla_code: str, round_id: int, revisions: Collection[int]) -> Select[SpotCheckItem]:
    """The records that were marked ไม่ถูกต้อง in these revisions, the earliest first."""
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
