"""The list of an account's linked officers, and ending a link that they do not recognize."""

from datetime import datetime, timedelta

from markupsafe import Markup

from handlers.accounts.home import province_name
from handlers.chat.screen import Button, Row, Screen, Style, lines
from handlers.chat.taps.accounts import HandOver, LogOut, NotOurs, Officers
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import home, masked, organization_line
from models.accounts.account import Account, Officer, linked_officers
from models.base.calendar import BANGKOK
from models.base.thai import shortened
from models.links.dispute import end_disputed_link, new_links

# The most officers listed, and the lengths of their names and positions, to fit one message of 4,096 characters
# (Bot API, sendMessage.text).
MAX_SHOWN = 15
MAX_NAME = 50
MAX_POSITION = 60
# The most buttons that end a link.
MAX_ENDINGS = 5
# Times longer ago than this are shown as the day only.
RECENTLY = timedelta(hours=24)


async def show(turn: Turn, _tap: Officers) -> Screen:
    """Show เจ้าหน้าที่ที่เชื่อมต่อ: the officer's own chat first, then the others, the newest link first."""
    _, own = turn.texts, turn.officer
    colleagues = [
        officer for officer in await linked_officers(turn.session, [own.account_id]) if officer.id != own.id
    ]
    colleagues.sort(key=lambda officer: -officer.id)
    new_ids = await new_links(turn.session, own, colleagues, turn.now)
    unlisted = len(colleagues) - MAX_SHOWN
    return Screen(
        lines(
            _("<b>Linked officers</b>"),
            unit_line(_, own.account),
            *(_entry(turn, officer) for officer in [own, *colleagues[:MAX_SHOWN]]),
            *(("", _("and {count:,} more", count=unlisted)) if unlisted > 0 else ()),
        ),
        (
            *((_not_ours(_, officer),) for officer in colleagues[:MAX_ENDINGS] if officer.id in new_ids),
            (Button(_.plain("Hand over"), HandOver()), Button(_.plain("Log out"), LogOut())),
            (home(_),),
        ),
    )


async def end_disputed(turn: Turn, tap: NotOurs) -> Screen:
    """ไม่ใช่คนของเรา: end a colleague's link, and tell the officer that the operator was notified."""
    _ = turn.texts
    officer, ended = await end_disputed_link(
        turn.session, turn.officer, tap.officer, turn.now, turn.setup.operator_chat
    )
    if not ended:
        return Screen(lines(_("That link has ended already."), "", person_line(_, officer)), _ways(_))
    if turn.setup.operator_chat is None:
        after = _(
            "Please tell {operator} at once: somebody may know your account's password.", operator=_.operator
        )
    else:
        after = _("The operator was told: somebody may know your account's password.")
    return Screen(lines(_("✅ <b>The link was ended.</b>"), person_line(_, officer), "", after), _ways(_))


def unit_line(_: Texts, account: Account) -> Markup:
    """Return a line with the organization or province that an account acts for."""
    if account.organization is not None:
        return organization_line(_, account.organization)
    return _("<b>{province} province</b>", province=province_name(_, account))


def person_line(_: Texts, officer: Officer) -> Markup:
    """Return a line with an officer's name and position, as far as they are known and not erased."""
    if officer.full_name is None:
        return _("(without a name)")
    if officer.position is None:
        return _("<b>{name}</b>", name=officer.full_name)
    return _("<b>{name}</b>, {position}", name=officer.full_name, position=officer.position)


def _entry(turn: Turn, officer: Officer) -> Markup:
    """Return the lines of one officer; the names of others are masked, as in every list."""
    _, own = turn.texts, officer.id == turn.officer.id
    seen = officer.last_seen_at
    return lines(
        "",
        _("{person} (this chat)", person=person_line(_, officer)) if own else _masked_line(_, officer),
        _("Since {day}", day=_day(_, officer.linked_at)),
        None if seen is None else _("Last seen {moment}", moment=_when(_, seen, turn.now)),
    )


def _masked_line(_: Texts, officer: Officer) -> Markup:
    if officer.full_name is None:
        return _("(without a name)")
    name = shortened(masked(officer.full_name), MAX_NAME)
    if officer.position is None:
        return _("<b>{name}</b>", name=name)
    return _("<b>{name}</b>, {position}", name=name, position=shortened(officer.position, MAX_POSITION))


def _not_ours(_: Texts, officer: Officer) -> Button:
    name = _.plain("(without a name)") if officer.full_name is None else masked(officer.full_name)
    return Button(f"{_.plain('Not one of us')}: {shortened(name, MAX_NAME)}", NotOurs(officer.id), Style.DANGER)


def _ways(_: Texts) -> tuple[Row, ...]:
    return ((Button(_.plain("Linked officers"), Officers()), home(_)),)


def _when(_: Texts, moment: datetime, now: datetime) -> str:
    return _.moment(moment) if now - moment < RECENTLY else _day(_, moment)


def _day(_: Texts, moment: datetime) -> str:
    return _.day(moment.astimezone(BANGKOK).date())
