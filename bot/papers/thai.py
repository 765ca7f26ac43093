"""How papers and tables write statuses and moments, in Thai: they are official papers whatever the chat speaks.
A moment reads as on the screens, so that paper and screen can be compared word by word.
"""

from datetime import date, datetime

from babel.dates import format_date

from models.base.calendar import BANGKOK, BUDDHIST_ERA
from models.certification.certificate import Status

STATUSES = {
    Status.UNCERTIFIED: "ยังไม่รับรอง",
    Status.LAO_CERTIFIED: "รับรองระดับ อปท.",
    Status.PROVINCE_CERTIFIED: "รับรองระดับจังหวัด",
}


def numeric_time(moment: datetime) -> str:
    """A moment as a terminal shows it: day/month/year hour:minute, Buddhist Era, in Bangkok's time."""
    local = moment.astimezone(BANGKOK)
    return f"{local:%d/%m}/{local.year + BUDDHIST_ERA} {local:%H:%M}"


def short_moment(moment: datetime) -> str:
    """A moment in Bangkok's time as the chat writes it: `16 พ.ย. 2569 09.30 น.`."""
    there = moment.astimezone(BANGKOK)
    return f"{short_day(there.date())} {there:%H.%M} น."


def short_day(day: date) -> str:
    """A day as the chat writes it: `16 พ.ย. 2569`."""
    return f"{format_date(day, 'd MMM', locale='th')} {day.year + BUDDHIST_ERA}"
