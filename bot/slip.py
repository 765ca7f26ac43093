"""The slip of an invitation: one page for the official letter, in Thai."""

import io
from datetime import datetime

import segno
from babel.dates import format_date

from bot import typesetting
from models.account import Account, Role
from models.round import BANGKOK, BUDDHIST_ERA

_ROLES = {Role.LAO: "รับรองข้อมูลระดับ อปท.", Role.PROVINCE: "รับรองข้อมูลระดับจังหวัด"}


def slip(account: Account, link: str, bot_username: str, made: datetime, until: datetime) -> bytes:
    """The page as PDF. The account's organization with its province, or its province, must be loaded."""
    unit, place = _unit(account)
    facts = {
        "unit": unit,
        "place": place,
        "role": _ROLES[account.role],
        "username": account.username,
        "bot": bot_username,
        "link": link,
        "qr": qr_svg(link),
        "made": long_day(made),
        "until": f"{long_day(until)} เวลา {until.astimezone(BANGKOK):%H.%M} น.",
    }
    return typesetting.pdf("slip.typ", facts)


def qr_svg(link: str) -> str:
    """A link as a QR code with its quiet zone."""
    drawn = io.BytesIO()
    segno.make(link, error="m", micro=False).save(drawn, kind="svg")
    return drawn.getvalue().decode()


def long_day(moment: datetime) -> str:
    """A day in Bangkok as letters write it: `16 พฤศจิกายน 2569`."""
    day = moment.astimezone(BANGKOK).date()
    return f"{format_date(day, 'd MMMM', locale='th')} {day.year + BUDDHIST_ERA}"


def _unit(account: Account) -> tuple[str, list[str]]:
    """The organization and the place that tells it from its namesakes, or the province."""
    organization = account.organization
    if organization is not None:
        province = organization.province.name_th
        return organization.full_name, [f"อำเภอ{organization.district_th} จังหวัด{province}"]
    assert account.province is not None  # noqa: S101 - the table's check constraint
    return f"จังหวัด{account.province.name_th}", []
