"""The yearly round: opened and closed by the operator, one at a time.

What that ends, and how a closing is undone: models/operator/closing.py.
"""

import enum
from datetime import date, datetime
from functools import cache
from typing import ClassVar

from sqlalchemy import Date, Index, Select, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.audit import event_chain
from models.audit.row_seal import require_good_seal
from models.base.calendar import BUDDHIST_ERA, bangkok_day
from models.base.coverage import Coverage, covered
from models.base.errors import DomainError
from models.base.tables import Base, BigKey, text_enum
from models.notices import card_marks
from models.register.certified import forget_certified
from models.security.row_seal import Sealed, SealedRow

FISCAL_YEARS = range(2500, 2700)


class RoundState(enum.StrEnum):
    """Open: organizations can be certified. Closed: nothing can; its locks stay until the next one opens."""

    OPEN = "open"
    CLOSED = "closed"


class RoundRefused(DomainError):
    """A round cannot be opened, closed or reopened so; the message says why and how to mend it."""


class NoOpenRound(DomainError):
    """Nothing can be certified outside an open round."""


class Round(SealedRow, Base):
    """One yearly run. The newest one's certificates are the ones that lock."""

    COVERAGE: ClassVar[Coverage] = covered(
        "id fiscal_year state closes_on opened_at closed_at",
        "the events of the round",
        sealed="id fiscal_year state closes_on opened_at closed_at",
    )

    __tablename__ = "round"
    __table_args__ = (
        Index(
            "uq_round_open",
            "state",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    # Buddhist Era: 2570 runs from 1 October 2569 to 30 September 2570.
    fiscal_year: Mapped[int] = mapped_column(unique=True)
    state: Mapped[RoundState] = mapped_column(text_enum(RoundState))
    # The deadline that people are reminded of, the last day in Bangkok's time; what comes after is late.
    closes_on: Mapped[date | None] = mapped_column(Date)
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]

    SEALS: ClassVar[tuple[Sealed, ...]] = (
        Sealed(("fiscal_year", "state", "closes_on", "opened_at", "closed_at")),
    )

    @property
    def recorded_in(self) -> str | None:
        """What belongs to no organization and no province."""
        return event_chain.SYSTEM

    def days_left(self, moment: datetime) -> int | None:
        """Days from `moment` to the last day, both as Bangkok counts them: 0 on it, less than 0 after it; None
        without a last day.
        """
        return None if self.closes_on is None else (self.closes_on - bangkok_day(moment)).days

    def is_late(self, moment: datetime) -> bool:
        """Whether a certification at `moment` comes after the last day."""
        left = self.days_left(moment)
        return left is not None and left < 0


async def current_round(session: AsyncSession) -> Round | None:
    """The newest round, open or closed: the one whose certificates count."""
    return await session.scalar(_newest())


@cache
def _newest() -> Select[Round]:
    return select(Round).order_by(Round.id.desc()).limit(1)


async def hold_newest_round(session: AsyncSession) -> Round | None:
    """The newest round as it is now. Until the transaction ends nobody else opens, closes or reopens a round, and
    what would be inserted for this one (certificates, reopenings, remarks) waits.
    """
    # First: before the first round there is no row to lock.
    await event_chain.hold(session, [event_chain.SYSTEM])
    return await session.scalar(_newest().with_for_update().execution_options(populate_existing=True))


async def require_open_round(session: AsyncSession) -> Round:
    """The open round, kept from being closed for the rest of the transaction. Raises NoOpenRound, and BadSeal for
    one that somebody without the secret key has written.
    """
    found = await session.scalar(_open())
    if found is None:
        raise NoOpenRound
    await require_good_seal(session, found)
    return found


@cache
def _open() -> Select[Round]:
    return select(Round).where(Round.state == RoundState.OPEN).with_for_update(read=True)


def require_openable(newest: Round | None, fiscal_year: int, closes_on: date | None, now: datetime) -> None:
    """Refuse the round of a fiscal year (Buddhist Era) after the newest one.

    Raises RoundRefused when that is open, the year is not later than its year, not Buddhist, or the deadline has
    passed.
    """
    if fiscal_year not in FISCAL_YEARS:
        hint = (
            f"; did you mean {fiscal_year + BUDDHIST_ERA}?" if fiscal_year + BUDDHIST_ERA in FISCAL_YEARS else ""
        )
        raise RoundRefused(f"fiscal year {fiscal_year} is not a Buddhist year{hint}")
    if newest is not None and newest.state is RoundState.OPEN:
        raise RoundRefused(f"round {newest.fiscal_year} is open; close it first: laocert round close")
    if newest is not None and fiscal_year <= newest.fiscal_year:
        raise RoundRefused(f"round {newest.fiscal_year} was already held; open a later fiscal year")
    if closes_on is not None and closes_on < bangkok_day(now):
        raise RoundRefused(f"the closing date {closes_on} has passed; give a day from today on")


async def open_round(session: AsyncSession, fiscal_year: int, closes_on: date | None, now: datetime) -> Round:
    """Open the round of a fiscal year (Buddhist Era); the locks of the one before end, and what was kept of its
    reopened registers is erased.

    Raises RoundRefused for the reasons of require_openable.
    """
    require_openable(await hold_newest_round(session), fiscal_year, closes_on, now)
    opened = Round(fiscal_year=fiscal_year, state=RoundState.OPEN, closes_on=closes_on, opened_at=now)
    session.add(opened)
    await session.flush()
    await forget_certified(session)
    await event_chain.record(
        session,
        event_chain.Event.ROUND_OPENED,
        event_chain.SYSTEM,
        now,
        fiscal_year=fiscal_year,
        closes_on=closes_on,
        round=opened.id,
    )
    await card_marks.touch_all(session, now)
    return opened


def require_closable(newest: Round | None) -> Round:
    """The newest round, if it is open. Raises RoundRefused."""
    if newest is None:
        raise RoundRefused("no round is open; open one: laocert round open --fiscal-year 2570")
    if newest.state is not RoundState.OPEN:
        raise RoundRefused(f"no round is open; round {newest.fiscal_year} is closed, see: laocert round list")
    return newest


async def close_round(session: AsyncSession, now: datetime) -> Round:
    """Close the open round; what is certified stays locked until the next one opens.

    Raises RoundRefused when none is open.
    """
    closed = require_closable(await hold_newest_round(session))
    closed.state, closed.closed_at = RoundState.CLOSED, now
    await session.flush()
    await event_chain.record(
        session, event_chain.Event.ROUND_CLOSED, event_chain.SYSTEM, now, fiscal_year=closed.fiscal_year
    )
    await card_marks.touch_all(session, now)
    return closed


async def list_rounds(session: AsyncSession) -> list[Round]:
    """All rounds, newest first."""
    return list(await session.scalars(select(Round).order_by(Round.id.desc())))


def parse_closing_date(text_: str) -> date:
    """A day as YYYY-MM-DD in the Christian or the Buddhist year. Raises RoundRefused."""
    try:
        year, month, day = (int(part) for part in text_.split("-"))
        return date(year - BUDDHIST_ERA if year in FISCAL_YEARS else year, month, day)
    except ValueError:
        raise RoundRefused(f"{text_} is not a day; write YYYY-MM-DD, for example 2570-09-15") from None
