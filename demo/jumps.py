"""The jumps of the demonstration's clock, so that a visitor can watch deadlines pass."""

from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select

from bot.papers.thai import short_moment
from demo.behind import Behind
from demo.session import Session
from models.base.calendar import BANGKOK
from models.rounds.round import Round, RoundState

# The morning hour of the jumps to a day, Bangkok's time.
MORNING = time(9)
# Days before the round's closing date.
BEFORE_CLOSING = (14, 7, 3, 1, 0)


def targets(now: datetime, closes_on: date | None) -> dict[str, datetime]:
    """Return the target of each jump by name. Some may be in the past; those before the closing date need one."""
    today = now.astimezone(BANGKOK).date()
    moments = {
        "hour": now + timedelta(hours=1),
        "day": now + timedelta(days=1),
        "morning": _morning(today + timedelta(days=1)),
    }
    if closes_on is not None:
        for days in BEFORE_CLOSING:
            moments[f"closing-{days}"] = _morning(closes_on - timedelta(days=days))
    return moments


def _morning(day: date) -> datetime:
    return datetime.combine(day, MORNING, BANGKOK)


class Jumps:
    """The clock's panel on the page. The bot and the emulated Telegram use the same clock."""

    def __init__(self, session: Session, behind: Behind) -> None:
        self._session = session
        self._behind = behind
        self._closes_on: date | None = None

    async def look(self) -> None:
        """Read when the open round closes."""
        async with self._session.database.read() as session:
            self._closes_on = await session.scalar(select(Round.closes_on).where(Round.state == RoundState.OPEN))

    def value(self) -> dict[str, Any]:
        """Return for the page: the seconds by which the clock is ahead, and for each jump whether it leads
        forward.
        """
        now = self._session.clock()
        return {
            "ahead": self._session.clock.ahead.total_seconds(),
            "closes": self._closes_on.isoformat() if self._closes_on else None,
            "jumps": {name: to > now for name, to in targets(now, self._closes_on).items()},
        }

    def make(self, name: str) -> None:
        """Move the clock. Raises KeyError for an unknown jump, demo.clock.GoesBack."""
        to = targets(self._session.clock(), self._closes_on)[name]
        self._session.clock.move(to)
        self._behind.say(
            f"เลื่อนเวลาไปที่ {short_moment(to)} · บอตและ Telegram จำลองใช้เวลานี้ตั้งแต่บัดนี้",
            f"Clock moved to {short_moment(to)} · the bot and the emulated Telegram go by it from now on",
            "demo/clock.py",
        )
