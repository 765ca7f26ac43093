"""Notices about a chat's link to an account: its beginning, its end, and what threatens it."""

from datetime import UTC, datetime

from markupsafe import Markup

from handlers.accounts.officers import person_line, unit_line
from handlers.chat.screen import Button, Dropped, Screen, Style, lines
from handlers.chat.taps.accounts import LogOutNow, NotOurs, Officers
from handlers.chat.texts import Texts
from handlers.chat.words import home
from handlers.notices.notice import Notice, Render, brief
from models.accounts.account import Officer
from models.accounts.throttle import TRIES
from models.links.dispute import load_dispute, load_officer
from models.notices.bad_seals import load_bad_seal
from models.notices.kind import NoticeKind
from models.notices.reachability import lost_since


async def linked(notice: Notice) -> Screen:
    """To the other officers of the account."""
    return linked_screen(notice.texts, await _officer(notice), whole=notice.is_whole)


def linked_screen(_: Texts, officer: Officer, *, whole: bool) -> Screen:
    """Who was linked. A chat that was left alone leads to the list: nobody should end a link without having seen
    whose it is.
    """
    title, unit = _("🔔 <b>A chat was linked to your account</b>"), unit_line(_, officer.account)
    see_officers = (Button(_.plain("Linked officers"), Officers()),)
    if not whole:
        return brief(_, title, unit, (see_officers,))
    about = lines(
        title, unit, "", person_line(_, officer), _("Since {moment}", moment=_.moment(officer.linked_at)), ""
    )
    if officer.unlinked_at is not None:
        return Screen(lines(about, _("That link has ended already.")), (see_officers,))
    return Screen(
        lines(about, _("Is this not one of you? Then end the link at once.")),
        ((Button(_.plain("Not one of us"), NotOurs(officer.id), Style.DANGER),),),
    )


async def unreachable(notice: Notice) -> Screen | Dropped:
    """To the other officers of the account, or to the operator when there is none."""
    _, officer = notice.texts, await _officer(notice)
    is_operator = notice.reader is None
    since = await lost_since(notice.session, officer.user_id)
    if officer.unlinked_at is not None or since is None:
        return Dropped("the chat is reachable again, or its link has ended")
    title, unit = _("⚠️ <b>Messages to an officer do not arrive</b>"), unit_line(_, officer.account)
    rows = () if is_operator else ((Button(_.plain("Linked officers"), Officers()),),)
    if not notice.is_whole:
        return brief(_, title, unit, rows)
    return Screen(
        lines(
            title,
            unit,
            "",
            person_line(_, officer),
            _("Since {moment}", moment=_.moment(since)),
            _("Account <code>{username}</code>", username=officer.account.username),
            "",
            _("The bot was blocked in that chat, or the Telegram account is no longer there."),
            _("Please ask the officer to open the bot and press Start, or end the link."),
            _unlink(officer) if is_operator else None,
        ),
        rows,
    )


async def missed(notice: Notice) -> Screen:
    """To a chat that can be written to again: one line, for what matters of it may have changed since."""
    _, count = notice.texts, notice.subject_id
    if notice.reader is None:
        about = _("🔕 Messages did not arrive in this chat for a while. Not delivered: {count}. See:", count=count)
        return Screen(lines(about, Markup("<code>laocert outbox list --state dead</code>")))
    return Screen(
        _(
            "🔕 Messages did not reach you for a while. Not delivered: {count}. Home shows how things stand now.",
            count=count,
        ),
        ((home(_),),),
    )


async def pin_blocked(notice: Notice) -> Screen:
    """To the officer: it may be somebody else who tries."""
    _, until = notice.texts, datetime.fromtimestamp(notice.subject_id, UTC)
    return Screen(
        lines(
            _("⚠️ <b>The PIN was wrong {count} times</b>", count=TRIES),
            _("It is taken again after {moment}.", moment=_.moment(until)),
            "",
            _("Was that not you? Then log this chat out, and tell {operator}.", operator=_.operator),
        ),
        ((Button(_.plain("Log out"), LogOutNow(), Style.DANGER),),),
    )


async def handed_over(notice: Notice) -> Screen:
    """To the old chat, which is not linked any more."""
    _, successor = notice.texts, await _officer(notice)
    return Screen(
        lines(
            _("🤝 <b>Your work was handed over</b>"),
            unit_line(_, successor.account),
            "",
            _("To {person}", person=person_line(_, successor)) if successor.full_name else None,
            _.moment(successor.linked_at),
            "",
            _("This chat is no longer linked. What you have certified keeps your name."),
        )
    )


async def disputed(notice: Notice) -> Screen:
    """To the operator's chat."""
    _, dispute = notice.texts, await load_dispute(notice.session, notice.subject_id)
    if dispute is None:
        raise LookupError("a notice about no officer")
    officer, colleague = dispute.officer, dispute.colleague
    return Screen(
        lines(
            _("⚠️ <b>A link was ended as nobody's</b>"),
            unit_line(_, officer.account),
            "",
            _("Account <code>{username}</code>", username=officer.account.username),
            _("Ended: {person}, officer {number}", person=person_line(_, officer), number=officer.id),
            None
            if colleague is None
            else _("Ended by: {person}, officer {number}", person=person_line(_, colleague), number=colleague.id),
            "",
            _("Somebody may know the account's password. A new one makes it worthless:"),
            Markup("<code>laocert account reset-password {}</code>").format(officer.account.username),
        )
    )


async def bad_seal(notice: Notice) -> Screen:
    """To the operator's chat."""
    _, row = notice.texts, await load_bad_seal(notice.session, notice.subject_id)
    return Screen(
        lines(
            _("🚨 <b>The database was changed outside this system</b>"),
            Markup("<code>{}</code>").format(row),
            "",
            _(
                "Somebody has written to it without the secret key. What was changed gives no right any more. "
                "Find out who can reach the database, then look at what was changed:"
            ),
            Markup("<code>laocert seal check</code>\n<code>laocert audit verify</code>"),
        )
    )


async def _officer(notice: Notice) -> Officer:
    """The officer that a notice is about."""
    officer = await load_officer(notice.session, notice.subject_id)
    if officer is None:
        raise LookupError("a notice about no officer")
    return officer


def _unlink(officer: Officer) -> Markup:
    """How the operator ends a link."""
    command = f"laocert account unlink {officer.account.username} --officer {officer.id}"
    return Markup("<code>{}</code>").format(command)


RENDERERS: dict[NoticeKind, Render] = {
    NoticeKind.LINKED: linked,
    NoticeKind.LINK_DISPUTED: disputed,
    NoticeKind.HANDED_OVER: handed_over,
    NoticeKind.UNREACHABLE: unreachable,
    NoticeKind.MISSED: missed,
    NoticeKind.PIN_BLOCKED: pin_blocked,
    NoticeKind.BAD_SEAL: bad_seal,
}
