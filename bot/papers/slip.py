"""The PDF slip of an invitation: one page in Thai to enclose with the official letter."""

from datetime import datetime

from bot.papers import typesetting
from bot.papers.thai import short_day, short_moment
from models.accounts.account import Account, Role
from models.base.calendar import BANGKOK

_ROLES = {Role.LAO: "รับรองข้อมูลระดับ อปท.", Role.PROVINCE: "รับรองข้อมูลระดับจังหวัด"}


def slip(
    account: Account, link: str, bot_username: str, made_at: datetime, until: datetime, contact: str = ""
) -> bytes:
    """The PDF's bytes. `account.organization.province`, or `account.province`, must be loaded. The link was made
    at `made_at` and expires at `until`; `contact` is how to reach the operator.
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
        "made": short_day(made_at.astimezone(BANGKOK).date()),
        "until": short_moment(until),
        "contact": contact,
    }
    return typesetting.pdf("slip.typ", facts)


def _unit(account: Account) -> tuple[str, list[str]]:
    """The organization's name, and its place, because names are not unique; or the province's name."""
    organization = account.organization
    if organization is not None:
        province = organization.province.name_th
        return organization.full_name, [f"อำเภอ{organization.district_th} จังหวัด{province}"]
    assert account.province is not None  # noqa: S101 - the table's check constraint
    return f"จังหวัด{account.province.name_th}", []
