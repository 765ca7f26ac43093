"""Notices about the round's closing date: reminders, and the report of organizations that they did not reach."""

from datetime import datetime
from itertools import groupby

from markupsafe import Markup

from handlers.accounts.officers import unit_line
from handlers.chat.screen import Button, Deferred, Dropped, Row, Screen, Style, lines
from handlers.chat.taps.certification import LaoReview
from handlers.chat.taps.province import AllWaiting
from handlers.chat.texts import Texts
from handlers.chat.words import round_line
from models.accounts.account import Officer, Role
from models.database.engine import Session
from models.organizations.organization import Province
from models.outreach.reminder import Due, NotTrue, look_at
from models.outreach.unreached import Escalation, load_escalation

# Bot API, sendMessage: 1-4096 characters after parsing. Here the tags are counted too, which is on the safe side.
MAX_MESSAGE = 4096
# Names that the report lists for each province at most.
FIRST_NAMES = 3


async def reminder(
    _: Texts,
    session: Session,
    officer: Officer,
    reminder_id: int,
    quiet: datetime | None,
    now: datetime,
    *,
    whole: bool,
) -> Screen | Dropped | Deferred:
    """A reminder for an officer. `quiet`: the end of the quiet hours, until which it is deferred; None sends it
    now.

    Dropped when the reminder is not true (any more) at that time. `whole`: the chat may show all of it.
    """
    try:
        due = await look_at(session, reminder_id, officer, quiet or now)
    except NotTrue as reason:
        return Dropped(str(reason))
    return Deferred(quiet) if quiet else _reminder_screen(_, due, now, whole=whole)


def _reminder_screen(_: Texts, due: Due, now: datetime, *, whole: bool) -> Screen:
    """What the officer must do, and by when. An idle chat is sent only the date, which is public."""
    near, last = _("⏰ <b>The closing date is near</b>"), _("⏰ <b>Today is the last day</b>")
    parts = (near if due.days_left else last, unit_line(_, due.officer.account), "", round_line(_, due.round, now))
    rows: tuple[Row, ...] = ((_way(_, due.officer),),)
    if not whole:
        return Screen(lines(*parts, "", _("Use the bot with your PIN to see more.")), rows)
    return Screen(lines(*parts, _to_do(_, due)), rows)


def _way(_: Texts, officer: Officer) -> Button:
    """The button that leads to the work."""
    if officer.account.role is Role.LAO:
        return Button(_.plain("LAO-level certification"), LaoReview(), Style.PRIMARY)
    return Button(_.plain("See those that wait"), AllWaiting(), Style.PRIMARY)


def _to_do(_: Texts, due: Due) -> Markup:
    if due.officer.account.role is Role.LAO:
        return _("Your organization has not certified yet. Please check the numbers and certify.")
    if due.waiting == 1:
        return _("1 organization waits for you to check and certify.")
    return _("{count:,} organizations wait for you to check and certify.", count=due.waiting)


async def escalation(_: Texts, session: Session, reminder_id: int, now: datetime) -> Screen | Dropped:
    """The report for the operator's chat; Dropped when it is not true (any more)."""
    try:
        report = await load_escalation(session, reminder_id, now)
    except NotTrue as reason:
        return Dropped(str(reason))
    return escalation_screen(_, report, now)


def escalation_screen(_: Texts, report: Escalation, now: datetime) -> Screen:
    """The provinces with their counts, each with its first organizations, as many as the message has room for."""
    for names_shown in range(FIRST_NAMES, 0, -1):
        screen = _escalation_with(_, report, now, names_shown)
        if len(screen.text) <= MAX_MESSAGE:
            return screen
    return _escalation_with(_, report, now, 0)


def _escalation_with(_: Texts, report: Escalation, now: datetime, names_shown: int) -> Screen:
    """The report with so many names for each province."""
    by_province = groupby(
        (unreached.organization for unreached in report.unreached),
        key=lambda organization: organization.province,
    )
    return Screen(
        lines(
            _("⚠️ <b>Reminders did not reach everybody</b>"),
            round_line(_, report.round, now),
            "",
            _("Not certified, and nobody there could be reminded: <b>{count:,}</b>", count=len(report.unreached)),
            *(
                _province_line(_, province, [organization.full_name for organization in group], names_shown)
                for province, group in by_province
            ),
            "",
            _("All of them, with the reason:"),
            Markup("<code>laocert status --unreached</code>"),
        )
    )


def _province_line(_: Texts, province: Province, organizations: list[str], names_shown: int) -> Markup:
    """A province with its count and first organizations: `สมุทรปราการ 12: อบต.บางปู, อบต.แพรกษา, …`."""
    name = province.name_th if _.language == "th" else province.name_en
    line = Markup("{} {:,}").format(name, len(organizations))
    if not names_shown:
        return line
    more = ", …" if len(organizations) > names_shown else ""
    return line + Markup(": {}{}").format(", ".join(organizations[:names_shown]), more)
