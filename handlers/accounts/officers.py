"""The officers of an account: who is linked, and the end of a link that is nobody's of theirs."""

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

# Room for all their lines in one message of 4,096 characters (Bot API, sendMessage.text).
MAX_SHOWN = 15
MAX_NAME = 50
MAX_POSITION = 60
# A label of three words still fits on a phone.
MAX_ENDINGS = 5
# What was longer ago is shown by its day.
RECENTLY = timedelta(hours=24)


async def show(turn: Turn, _tap: Officers) -> Screen:
    """เจ้าหน้าที่ที่เชื่อมต่อ: the account's chats, the own one first, then the one that was linked last."""
    _, own = turn.texts, turn.officer
    colleagues = [one for one in await linked_officers(turn.session, [own.account_id]) if one.id != own.id]
    colleagues.sort(key=lambda one: -one.id)
    new = await new_links(turn.session, own, colleagues, turn.now)
    left = len(colleagues) - MAX_SHOWN
    return Screen(
        lines(
            _("<b>Linked officers</b>"),
            unit_line(_, own.account),
            *(_entry(turn, one) for one in [own, *colleagues[:MAX_SHOWN]]),
            *(("", _("and {count:,} more", count=left)) if left > 0 else ()),
        ),
        (
            *((_not_ours(_, one),) for one in colleagues[:MAX_ENDINGS] if one.id in new),
            (Button(_.plain("Hand over"), HandOver()), Button(_.plain("Log out"), LogOut())),
            (home(_),),
        ),
    )


async def end_disputed(turn: Turn, tap: NotOurs) -> Screen:
    """ไม่ใช่คนของเรา: end the link at once, whoever it is."""
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
    """The organization or province that an account acts for."""
    if account.organization is not None:
        return organization_line(_, account.organization)
    return _("<b>{province} province</b>", province=province_name(_, account))


def person_line(_: Texts, officer: Officer) -> Markup:
    """An officer's name and position, as far as it has said them and has not been forgotten."""
    if officer.full_name is None:
        return _("(without a name)")
    if officer.position is None:
        return _("<b>{name}</b>", name=officer.full_name)
    return _("<b>{name}</b>, {position}", name=officer.full_name, position=officer.position)


def _entry(turn: Turn, officer: Officer) -> Markup:
    """One chat: names of others are masked, as in every list."""
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
