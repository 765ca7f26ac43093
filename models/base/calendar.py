"""The calendar of Thailand: Bangkok's time zone and the Buddhist Era."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

BANGKOK = ZoneInfo("Asia/Bangkok")
# Years of the Buddhist Era = Gregorian years + 543.
BUDDHIST_ERA = 543


def bangkok_day(moment: datetime) -> date:
    """Return the calendar day in Bangkok at `moment`, which must be aware."""
    return moment.astimezone(BANGKOK).date()
