"""The thread of an organization's remarks in the newest round, as both sides see it."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from models.accounts.access import find_organization
from models.accounts.account import Officer
from models.certification.certificate import is_open
from models.certification.remark import Remark
from models.organizations.organization import Organization
from models.remarks.petition import find_remark
from models.remarks.question import is_waiting
from models.rounds.round import Round

# With both texts truncated, so many entries fit a message and a phone's screen.
ENTRIES_PER_PAGE = 3


@dataclass(frozen=True)
class Entry:
    """A question, explanation or petition (`remark`), with its answer or decision if there is one.

    `is_open`: it is a question that can still be answered.
    """

    remark: Remark
    reply: Remark | None
    is_open: bool


@dataclass(frozen=True)
class ThreadPage:
    """One page of a thread, newest first; `page` counts from 0."""

    organization: Organization
    entries: list[Entry]
    page: int
    pages: int


async def read_thread(session: AsyncSession, officer: Officer, dla_code: str, page: int) -> ThreadPage:
    """Return one page of an organization's thread, newest first. `page` counts from 0, and is clamped.

    Raises NotYours if the officer may not see the organization.
    """
    organization = await find_organization(session, officer, dla_code)
    newest = select(func.max(Round.id)).scalar_subquery()
    thread = (Remark.organization_code == dla_code) & (Remark.round_id == newest) & Remark.answers_id.is_(None)
    total = await session.scalar(select(func.count()).where(thread)) or 0
    pages = max(1, -(-total // ENTRIES_PER_PAGE))
    page = min(max(page, 0), pages - 1)
    reply = aliased(Remark)
    rows = await session.execute(
        select(Remark, reply, is_open(Remark))
        .outerjoin(reply, reply.answers_id == Remark.id)
        .where(thread)
        .order_by(Remark.id.desc())
        .limit(ENTRIES_PER_PAGE)
        .offset(page * ENTRIES_PER_PAGE)
    )
    return ThreadPage(organization, [Entry(*row) for row in rows], page, pages)


async def read_entry(session: AsyncSession, officer: Officer, remark_id: int) -> Entry:
    """Return the entry that a remark of any round belongs to, whether as the remark or as its reply.

    Raises NotYours if the remark is unknown or the officer may not see its organization.
    """
    remark = await find_remark(session, officer, remark_id)
    if remark.answers_id is not None:
        remark = await find_remark(session, officer, remark.answers_id)
    reply = await session.scalar(select(Remark).where(Remark.answers_id == remark.id))
    return Entry(remark, reply, await is_waiting(session, remark.id))
