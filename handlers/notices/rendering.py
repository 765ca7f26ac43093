"""What the bot says on its own: receipts, notices about certificates, reopenings and petitions, about links, and
because of the round's last day.

A chat that its officer has left alone may be in other hands: it is told that something waits, and no number and no
name. The officer's own receipt is always whole, and can be passed on.
"""

from datetime import UTC, datetime

from markupsafe import Markup

from handlers.accounts.officers import person_line, unit_line
from handlers.certification.certifying import level_word, numbers_line
from handlers.chat.screen import Button, Deferred, Dropped, Row, Screen, Style, lines
from handlers.chat.taps.accounts import LogOutNow, NotOurs, Officers
from handlers.chat.taps.certification import LaoHistory, LaoReview, SeeHistory
from handlers.chat.taps.remarks import SeeRemark
from handlers.chat.texts import Texts, texts
from handlers.chat.words import organization_line, signature
from handlers.notices import announcement, deadlines
from handlers.province import live_card
from handlers.remarks import petition, question
from models.accounts.account import Officer, Role
from models.accounts.throttle import TRIES
from models.certification.certificate import Certification, Reopening
from models.certification.history import load_certification, load_reopening
from models.certification.remark import Remark
from models.chats.conversation import chat_language
from models.database.engine import Session
from models.links.dispute import load_dispute, load_officer
from models.notices.outbox import Kind
from models.notices.reachability import lost_since
from models.notices.timing import quiet_until
from models.outreach.broadcast import load_broadcast
from models.remarks.petition import load_remark

# Notices that name no number and no person, or go to the operator's chat, which is no officer's.
_SAME_FOR_ALL = {Kind.BLANK, Kind.REMOVE, Kind.PIN_BLOCKED, Kind.HANDED_OVER, Kind.LINK_DISPUTED}
# What is said to many at once, and can wait for the end of an officer's quiet hours.
_CAN_WAIT = {Kind.REMINDER, Kind.BROADCAST}


async def notice(
    session: Session, kind: Kind, chat_id: int, subject_id: int, now: datetime, reader: Officer | None
) -> Screen | Dropped | Deferred:
    """The message of one kind about its subject, in the language of the chat that it goes to, and as much of it as
    the chat may show now; or that it is not to be sent, or not yet. `reader`: the officer who is linked there.

    Called in the transaction in which the message is claimed: what it says, and whether, is decided when it is
    sent.
    """
    _ = texts(await chat_language(session, chat_id))
    if kind in _SAME_FOR_ALL:
        return await _about_a_chat(_, session, kind, subject_id)
    if kind is Kind.ESCALATION:
        return await deadlines.escalation(_, session, subject_id, now)
    if kind in _CAN_WAIT:
        return await _when_it_may_ring(_, session, kind, reader, subject_id, now)
    whole = kind is Kind.RECEIPT or _is_awake(reader, now)
    if kind in (Kind.WAITING, Kind.REFRESH):
        return await live_card.card_notice(_, session, kind, chat_id, subject_id, now, whole=whole)
    return await _to_reader(_, session, kind, reader, subject_id, whole)


async def _to_reader(
    _: Texts, session: Session, kind: Kind, reader: Officer | None, subject_id: int, whole: bool
) -> Screen | Dropped:
    """What happened to a register, a question or a link; `whole`: to a chat that may show all of it."""
    if kind is Kind.LINKED:
        return _linked(_, await _officer(session, subject_id), whole)
    if kind is Kind.UNREACHABLE:
        return await _unreachable(_, session, await _officer(session, subject_id), reader, whole)
    if kind is Kind.REOPENED:
        return _reopened(_, await load_reopening(session, subject_id), reader, whole)
    if kind in (Kind.PETITIONED, Kind.PETITION_REFUSED):
        return _remark(_, await load_remark(session, subject_id), reader, whole)
    if kind in (Kind.QUESTIONED, Kind.ANSWERED):
        return _question(_, await load_remark(session, subject_id), whole)
    return _certified(_, kind, await load_certification(session, subject_id), whole)


async def _when_it_may_ring(
    _: Texts, session: Session, kind: Kind, reader: Officer | None, subject_id: int, now: datetime
) -> Screen | Dropped | Deferred:
    """A reminder or the operator's word: not in the quiet hours of its reader."""
    if reader is None:
        return Dropped("nobody is linked to the chat")
    quiet = await quiet_until(session, reader.user_id, now)
    if kind is Kind.REMINDER:
        return await deadlines.reminder(_, session, reader, subject_id, quiet, now)
    if quiet is not None:
        return Deferred(quiet)
    return announcement.screen(_, (await load_broadcast(session, subject_id)).body)


def _is_awake(reader: Officer | None, now: datetime) -> bool:
    """Whether the officer of the chat has been there lately; the operator's chat has none and is told all."""
    return reader is None or (reader.is_ready and not reader.is_idle(now))


async def _officer(session: Session, officer_id: int) -> Officer:
    found = await load_officer(session, officer_id)
    if found is None:
        raise LookupError("a notice about no officer")
    return found


def _brief(_: Texts, title: Markup, unit: Markup, rows: tuple[Row, ...]) -> Screen:
    """What an idle chat is told."""
    return Screen(lines(title, unit, "", _("Use the bot with your PIN to see more.")), rows)


# --- certificates, reopenings, remarks ----------------------------------------------------------------------


def _certified(_: Texts, kind: Kind, made: Certification, whole: bool) -> Screen:
    """About a certificate. The verification code is the reference by which somebody who gets it twice knows that
    it is the same.
    """
    title = {
        Kind.RECEIPT: _("🧾 <b>Receipt of your certification</b>"),
        Kind.COLLEAGUE_CERTIFIED: _("🔔 <b>Your organization has been certified</b>"),
        Kind.PROVINCE_CERTIFIED: _("✅ <b>The province has certified your organization</b>"),
    }[kind]
    unit, rows = organization_line(_, made.organization), _certified_rows(_, kind, made)
    if not whole:
        return _brief(_, title, unit, rows)
    return Screen(
        lines(
            title,
            unit,
            "",
            _("<b>Fiscal year {year} · {level}</b>", year=made.round.fiscal_year, level=level_word(_, made)),
            numbers_line(_, made),
            signature(_, made),
        ),
        rows,
        is_protected=kind is not Kind.RECEIPT,
    )


def _certified_rows(_: Texts, kind: Kind, made: Certification) -> tuple[Row, ...]:
    if kind is Kind.RECEIPT:
        return ()
    return ((Button(_.plain("Certification history"), LaoHistory(0)),),)


def _reopened(_: Texts, ended: Reopening, reader: Officer | None, whole: bool) -> Screen:
    """To both sides; the organization's goes on to its register."""
    title = _("🔓 <b>The register was opened for correction</b>")
    unit = organization_line(_, ended.organization)
    rows: tuple[Row, ...] = ((Button(_.plain("Certification history"), SeeHistory(ended.organization_code)),),)
    if reader is not None and reader.account.role is Role.LAO:
        rows = ((Button(_.plain("LAO-level certification"), LaoReview(), Style.PRIMARY),), *rows)
    if not whole:
        return _brief(_, title, unit, rows)
    return Screen(
        lines(
            title,
            "",
            unit,
            _(
                "Fiscal year {year} · revision {revision} has ended",
                year=ended.round.fiscal_year,
                revision=ended.revision,
            ),
            _("By {name} · {moment}", name=ended.by_name, moment=_.moment(ended.reopened_at)),
            _("Reason: {reason}", reason=ended.reason),
            "",
            _("It must be corrected and certified anew. The old certificates stay in the history."),
        ),
        rows,
    )


def _remark(_: Texts, made: Remark, reader: Officer | None, whole: bool) -> Screen:
    """A petition or its refusal: to the officers with the way to the thread, to the operator with the command."""
    if reader is None:
        return Screen(lines(petition.notice_text(_, made), petition.how_to_decide(made)))
    if whole:
        return Screen(petition.notice_text(_, made), (petition.thread_row(_, made),))
    rows = ((Button(_.plain("Read"), SeeRemark(made.id)),),)
    return _brief(_, petition.notice_title(_, made), organization_line(_, made.organization), rows)


def _question(_: Texts, said: Remark, whole: bool) -> Screen:
    """A question to the organization, or its answer to the province."""
    if whole:
        return question.notice_screen(_, said)
    title, rows = question.notice_title(_, said), question.read_rows(_, said)
    return _brief(_, title, organization_line(_, said.organization), rows)


# --- links --------------------------------------------------------------------------------------------------


def _linked(_: Texts, officer: Officer, whole: bool) -> Screen:
    """To the other officers of the account. A chat that was left alone leads to the list: nobody should end a link
    without having seen whose it is.
    """
    title, unit = _("🔔 <b>A chat was linked to your account</b>"), unit_line(_, officer.account)
    if not whole:
        return _brief(_, title, unit, ((Button(_.plain("Linked officers"), Officers()),),))
    about = lines(
        title, unit, "", person_line(_, officer), _("Since {moment}", moment=_.moment(officer.linked_at)), ""
    )
    if officer.unlinked_at is not None:
        row = (Button(_.plain("Linked officers"), Officers()),)
        return Screen(lines(about, _("That link has ended already.")), (row,))
    return Screen(
        lines(about, _("Is this not one of you? Then end the link at once.")),
        ((Button(_.plain("Not one of us"), NotOurs(officer.id), Style.DANGER),),),
    )


async def _unreachable(
    _: Texts, session: Session, officer: Officer, reader: Officer | None, whole: bool
) -> Screen | Dropped:
    """To the other officers of the account, or to the operator when there is none."""
    since = await lost_since(session, officer.user_id)
    if officer.unlinked_at is not None or since is None:
        return Dropped("the chat is reachable again, or its link has ended")
    title, unit = _("⚠️ <b>Messages to an officer do not arrive</b>"), unit_line(_, officer.account)
    rows = () if reader is None else ((Button(_.plain("Linked officers"), Officers()),),)
    if not whole:
        return _brief(_, title, unit, rows)
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
            _unlink(officer) if reader is None else None,
        ),
        rows,
    )


def _unlink(officer: Officer) -> Markup:
    """How the operator ends a link."""
    command = f"laocert account unlink {officer.account.username} --officer {officer.id}"
    return Markup("<code>{}</code>").format(command)


async def _about_a_chat(_: Texts, session: Session, kind: Kind, subject_id: int) -> Screen:
    """About the chat that it goes to; or to the operator."""
    if kind is Kind.BLANK:
        return Screen(_("This chat is no longer linked; what stood here was taken away."))
    if kind is Kind.REMOVE:
        return live_card.replaced_card(_)
    if kind is Kind.PIN_BLOCKED:
        return _pin_blocked(_, datetime.fromtimestamp(subject_id, UTC))
    if kind is Kind.HANDED_OVER:
        return _handed_over(_, await _officer(session, subject_id))
    return await _disputed(_, session, subject_id)


def _pin_blocked(_: Texts, until: datetime) -> Screen:
    """To the officer: it may be somebody else who tries."""
    return Screen(
        lines(
            _("⚠️ <b>The PIN was wrong {count} times</b>", count=TRIES),
            _("It is taken again after {moment}.", moment=_.moment(until)),
            "",
            _("Was that not you? Then log this chat out, and tell the operator."),
        ),
        ((Button(_.plain("Log out"), LogOutNow(), Style.DANGER),),),
    )


def _handed_over(_: Texts, successor: Officer) -> Screen:
    """To the old chat, which is not linked any more."""
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


async def _disputed(_: Texts, session: Session, officer_id: int) -> Screen:
    """To the operator's chat."""
    found = await load_dispute(session, officer_id)
    if found is None:
        raise LookupError("a notice about no officer")
    officer, colleague = found.officer, found.colleague
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
