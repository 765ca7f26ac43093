"""The screen of an organization that has ended: since when, by whom, and its successor."""

from markupsafe import Markup

from handlers.chat.screen import Button, Row, Screen, Style, lines
from handlers.chat.taps.certification import ProvinceHistory, ProvinceReview
from handlers.chat.taps.province import ProvinceList
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import home, organization_line, way_out
from models.accounts.account import Role
from models.organizations.organization import OrganizationEnd


def end_lines(_: Texts, end: OrganizationEnd) -> Markup:
    """The facts of the end: successor, day, author, reason and Royal Gazette."""
    return lines(
        None if end.successor is None else lines(_("It goes on as"), organization_line(_, end.successor)),
        _("In effect since {day}", day=_.day(end.effective_on)),
        _("By {name}", name=end.by_name),
        _("Reason: {reason}", reason=end.reason),
        None if end.gazette is None else _("Royal Gazette: {gazette}", gazette=end.gazette),
    )


def ended_screen(turn: Turn, end: OrganizationEnd) -> Screen:
    """The screen in place of the organization's review: it can neither be certified nor asked any more. A
    province's officer gets buttons to the history and the successor.
    """
    _ = turn.texts
    title, account = _("✕ <b>This organization has ended</b>"), turn.officer.account
    text = lines(title, organization_line(_, end.organization), "", end_lines(_, end))
    if account.role is not Role.PROVINCE:
        return Screen(text, ((home(_),),))
    rows: tuple[Row, ...] = (
        (Button(_.plain("Certification history"), ProvinceHistory(end.organization_code, 0)),),
    )
    if end.successor is not None and end.successor.province_code == account.province_code:
        successor = Button(f"🔍 {end.successor.short_name}", ProvinceReview(end.successor.dla_code), Style.PRIMARY)
        rows = ((successor,), *rows)
    return Screen(text, (*rows, way_out(_, ProvinceList())))
