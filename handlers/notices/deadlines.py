"""What the bot says on its own because of the round's last day: reminders, and whom they did not reach."""

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

# Bot API, sendMessage: 1-4096 characters; tags are counted here, there they are not.
MAX_MESSAGE = 4096
# Of each province, as many as there is room for.
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
    """A reminder for an officer; `quiet`: until when it must wait. What will not be true then is never said."""
    try:
        due = await look_at(session, reminder_id, officer, quiet or now)
    except NotTrue as why:
        return Dropped(str(why))
    return Deferred(quiet) if quiet else _reminder_screen(_, due, now, whole=whole)


def _reminder_screen(_: Texts, due: Due, now: datetime, *, whole: bool) -> Screen:
    """What is to be done, and by when. A chat that was left alone is told the day, which is no secret."""
    near, last = _("⏰ <b>The closing date is near</b>"), _("⏰ <b>Today is the last day</b>")
    parts = (near if due.days_left else last, unit_line(_, due.officer.account), "", round_line(_, due.round, now))
    rows: tuple[Row, ...] = ((_way(_, due.officer),),)
    if not whole:
        return Screen(lines(*parts, "", _("Use the bot with your PIN to see more.")), rows)
    return Screen(lines(*parts, _to_do(_, due)), rows)


def _way(_: Texts, officer: Officer) -> Button:
    """Where it is done."""
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
    """To the operator's chat."""
    try:
        found = await load_escalation(session, reminder_id, now)
    except NotTrue as why:
        return Dropped(str(why))
    return escalation_screen(_, found, now)


def escalation_screen(_: Texts, found: Escalation, now: datetime) -> Screen:
    """The provinces with their counts, and the first names of each, as many as there is room for."""
    for names in range(FIRST_NAMES, 0, -1):
        screen = _escalation_with(_, found, now, names)
        if len(screen.text) <= MAX_MESSAGE:
            return screen
    return _escalation_with(_, found, now, 0)


def _escalation_with(_: Texts, found: Escalation, now: datetime, names: int) -> Screen:
    """With so many names of each province."""
    by_province = groupby((one.organization for one in found.unreached), key=lambda one: one.province)
    return Screen(
        lines(
            _("⚠️ <b>Reminders did not reach everybody</b>"),
            round_line(_, found.round, now),
            "",
            _("Not certified, and nobody there could be reminded: <b>{count:,}</b>", count=len(found.unreached)),
            *(_province_line(_, where, [one.full_name for one in there], names) for where, there in by_province),
            "",
            _("All of them, with the reason:"),
            Markup("<code>laocert status --unreached</code>"),
        )
    )


def _province_line(_: Texts, where: Province, there: list[str], names: int) -> Markup:
    """`สมุทรปราการ 12: อบต.บางปู, อบต.แพรกษา, …`."""
    name = where.name_th if _.language == "th" else where.name_en
    line = Markup("{} {:,}").format(name, len(there))
    if not names:
        return line
    more = ", …" if len(there) > names else ""
    return line + Markup(": {}{}").format(", ".join(there[:names]), more)
