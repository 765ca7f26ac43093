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


# In tables, of a certificate from before schema 0012 whose words were not kept yet.
NO_NAME = "ยังไม่ได้เก็บชื่อ"


def numeric_time(moment: datetime) -> str:
    """A moment as a terminal shows it: day/month/year hour:minute, Buddhist Era, in Bangkok's time."""
    local = moment.astimezone(BANGKOK)
    return f"{local:%d/%m}/{local.year + BUDDHIST_ERA} {local:%H:%M}"


def short_moment(moment: datetime) -> str:
    """A moment in Bangkok's time as the chat writes it: `16 พ.ย. 2569 09.30 น.`."""
    there = moment.astimezone(BANGKOK)
    return f"{short_day(there.date())} {there:%H.%M} น."


def words_note(*, has_words: bool, kept_at: datetime | None) -> str:
    """As of when a certificate's words are, where it does not bear them itself, or that it has none; empty where
    it does.
    """
    if not has_words:
        return "หลักฐานนี้ออกก่อนที่ระบบจะเก็บชื่อไว้ในหลักฐาน และยังไม่ได้เก็บชื่อของหน่วยงาน โปรดแจ้งผู้ดูแลระบบ"
    if kept_at is None:
        return ""
    return f"ชื่อและที่ตั้ง ณ {short_moment(kept_at)} เพราะหลักฐานนี้ออกก่อนที่ระบบจะเก็บไว้ในหลักฐาน"


def short_day(day: date) -> str:
    """A day as the chat writes it: `16 พ.ย. 2569`."""
    return f"{format_date(day, 'd MMM', locale='th')} {day.year + BUDDHIST_ERA}"
