"""Statuses and times in Thai, for PDFs and tables: these are official papers, whatever the chat's language. Times
are written as on the screens, so that paper and screen can be compared word by word.
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


# In tables, for a certificate older than schema 0012 whose organization's name has not been added yet.
NO_NAME = "ยังไม่ได้เก็บชื่อ"


def numeric_time(moment: datetime) -> str:
    """A time for the terminal: `16/11/2569 09:30`, in the Buddhist Era and Bangkok's time."""
    local = moment.astimezone(BANGKOK)
    return f"{local:%d/%m}/{local.year + BUDDHIST_ERA} {local:%H:%M}"


def short_moment(moment: datetime) -> str:
    """A time in Bangkok as the chat writes it: `16 พ.ย. 2569 09.30 น.`."""
    local = moment.astimezone(BANGKOK)
    return f"{short_day(local.date())} {local:%H.%M} น."


def words_note(*, has_words: bool, kept_at: datetime | None) -> str:
    """The note about the organization's name on a certificate: that an older certificate has none, or was given it
    at `kept_at`; empty for one that was issued with it.
    """
    if not has_words:
        return "หลักฐานนี้ออกก่อนที่ระบบจะเก็บชื่อไว้ในหลักฐาน และยังไม่ได้เก็บชื่อของหน่วยงาน โปรดแจ้งผู้ดูแลระบบ"
    if kept_at is None:
        return ""
    return f"ชื่อและที่ตั้ง ณ {short_moment(kept_at)} เพราะหลักฐานนี้ออกก่อนที่ระบบจะเก็บไว้ในหลักฐาน"


def short_day(day: date) -> str:
    """A day as the chat writes it: `16 พ.ย. 2569`, in the Buddhist Era."""
    return f"{format_date(day, 'd MMM', locale='th')} {day.year + BUDDHIST_ERA}"
