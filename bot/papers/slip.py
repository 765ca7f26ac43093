"""The slip of an invitation: one page for the official letter, in Thai."""

from datetime import datetime

from bot.papers import typesetting
from bot.papers.thai import short_day, short_moment
from models.accounts.account import Account, Role
from models.base.calendar import BANGKOK

_ROLES = {Role.LAO: "รับรองข้อมูลระดับ อปท.", Role.PROVINCE: "รับรองข้อมูลระดับจังหวัด"}


def slip(
    account: Account, link: str, bot_username: str, made: datetime, until: datetime, contact: str = ""
) -> bytes:
    """The page as PDF. The account's organization with its province, or its province, must be loaded. `contact`:
    how the operator is reached.
    """
    unit, place = _unit(account)
    facts = {
        "unit": unit,
        "place": place,
        "role": _ROLES[account.role],
        "username": account.username,
        "bot": bot_username,
        "link": link,
        "qr": typesetting.qr_svg(link),
        "made": short_day(made.astimezone(BANGKOK).date()),
        "until": short_moment(until),
        "contact": contact,
    }
    return typesetting.pdf("slip.typ", facts)


def _unit(account: Account) -> tuple[str, list[str]]:
    """The organization and the place that tells it from its namesakes, or the province."""
    organization = account.organization
    if organization is not None:
        province = organization.province.name_th
        return organization.full_name, [f"อำเภอ{organization.district_th} จังหวัด{province}"]
    assert account.province is not None  # noqa: S101 - the table's check constraint
    return f"จังหวัด{account.province.name_th}", []
