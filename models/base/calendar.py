"""Days as Thailand counts them: Bangkok's time and the Buddhist Era."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

BANGKOK = ZoneInfo("Asia/Bangkok")
BUDDHIST_ERA = 543


def bangkok_day(moment: datetime) -> date:
    """The day that it is in Thailand at `moment`."""
    return moment.astimezone(BANGKOK).date()
