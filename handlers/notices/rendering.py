"""The table of renderers for all kinds of notices, and the renderers for certificates, reopenings and remarks.

The phone of an idle officer may be in other hands. Its chat is told only that something waits, without numbers and
names. An officer's own receipt is always shown in full, and can be forwarded.
"""

from collections.abc import Mapping
from datetime import datetime

from handlers.certification.certifying import level_word, numbers_line
from handlers.certification.receipt import receipt
from handlers.chat.screen import Button, Deferred, Dropped, Row, Screen, Style, lines
from handlers.chat.taps.certification import LaoHistory, LaoReview, SeeHistory
from handlers.chat.taps.remarks import SeeRemark
from handlers.chat.texts import Texts, texts
from handlers.chat.words import certified_organization, organization_line, signature
from handlers.notices import announcement, deadlines, links, organization_end
from handlers.notices.notice import Notice, Render, brief
from handlers.province import live_card
from handlers.remarks import petition, question
from models.accounts.account import Officer, Role
from models.certification.certificate import Certification, Reopening
from models.certification.history import load_certification, load_reopening
from models.chats.conversation import chat_language
from models.database.engine import Session
from models.notices.kind import NoticeKind
from models.notices.timing import quiet_until
from models.outreach.broadcast import is_recorded, load_broadcast
from models.province.live_card import Showing
from models.remarks.petition import load_remark


async def notice(
    session: Session,
    kind: NoticeKind,
    chat_id: int,
    subject_id: int,
    now: datetime,
    reader: Officer | None,
    card: Showing | None = None,
) -> Screen | Dropped | Deferred:
    """Render a notice in its chat's language, in full or briefly for an idle chat. Returns Dropped when it must
    not be sent any more, Deferred when it must wait. Changes nothing.

    Called in the transaction that takes the notice from the outbox, so that the facts are those of the sending.
    `reader`: the officer linked to the chat. `card`: what the live card must show, for kinds that change it.
    """
    _ = texts(await chat_language(session, chat_id))
    return await RENDERERS[kind](Notice(_, session, kind, chat_id, subject_id, now, reader, card))


def require_renderers(table: Mapping[NoticeKind, Render] | None = None) -> None:
    """Raises LookupError when a kind of notice has no entry in the table (default RENDERERS). Called at the start,
    so that the program does not run without one.
    """
    missing = sorted(set(NoticeKind) - (RENDERERS if table is None else table).keys())
    if missing:
        raise LookupError(f"handlers/notices/rendering.py, RENDERERS: no entry for {', '.join(missing)}")


# --- certificates, reopenings, remarks ----------------------------------------------------------------------


async def _receipt(notice: Notice) -> Screen | Dropped:
    """An officer's own receipt, to the chat that has certified and to no other: the outbox has no seal."""
    certificate = await load_certification(notice.session, notice.subject_id)
    if certificate.user_id != notice.chat_id:
        return Dropped("the receipt is another chat's")
    return await receipt(notice.texts, notice.session, certificate, notice.reader, notice.now)


async def _certified(notice: Notice) -> Screen:
    certificate = await load_certification(notice.session, notice.subject_id)
    return certified_screen(notice.texts, notice.kind, certificate, whole=notice.is_whole)


def certified_screen(_: Texts, kind: NoticeKind, certificate: Certification, *, whole: bool) -> Screen:
    """The notice of another officer's certificate. By the verification code a reader who gets it twice sees that
    both are the same.
    """
    title = {
        NoticeKind.COLLEAGUE_CERTIFIED: _("🔔 <b>Your organization has been certified</b>"),
        NoticeKind.PROVINCE_CERTIFIED: _("✅ <b>The province has certified your organization</b>"),
    }[kind]
    unit = certified_organization(_, certificate)
    rows: tuple[Row, ...] = ((Button(_.plain("Certification history"), LaoHistory(0)),),)
    if not whole:
        return brief(_, title, unit, rows)
    year = certificate.round.fiscal_year
    return Screen(
        lines(
            title,
            unit,
            "",
            _("<b>Fiscal year B.E. {year} · {level}</b>", year=year, level=level_word(_, certificate)),
            numbers_line(_, certificate),
            signature(_, certificate),
        ),
        rows,
    )


async def _reopened(notice: Notice) -> Screen:
    reopening = await load_reopening(notice.session, notice.subject_id)
    return reopened_screen(notice.texts, reopening, notice.reader, whole=notice.is_whole)


def reopened_screen(_: Texts, reopening: Reopening, reader: Officer | None, *, whole: bool) -> Screen:
    """The notice of a reopening for both levels; an LAO officer gets a button to the review."""
    title = _("🔓 <b>The register was opened for correction</b>")
    unit = organization_line(_, reopening.organization)
    rows: tuple[Row, ...] = ((Button(_.plain("Certification history"), SeeHistory(reopening.organization_code)),),)
    if reader is not None and reader.account.role is Role.LAO:
        rows = ((Button(_.plain("LAO-level certification"), LaoReview(), Style.PRIMARY),), *rows)
    if not whole:
        return brief(_, title, unit, rows)
    return Screen(
        lines(
            title,
            "",
            unit,
            _(
                "Fiscal year B.E. {year} · revision {revision} has ended",
                year=reopening.round.fiscal_year,
                revision=reopening.revision,
            ),
            _("By {name} · {moment}", name=reopening.by_name, moment=_.moment(reopening.reopened_at)),
            _("Reason: {reason}", reason=reopening.reason),
            "",
            _("It must be corrected and certified anew. The old certificates stay in the history."),
        ),
        rows,
    )


async def _petitioned(notice: Notice) -> Screen:
    """A petition or its refusal. Officers get a button to the thread, the operator the command to decide."""
    _, remark = notice.texts, await load_remark(notice.session, notice.subject_id)
    if notice.reader is None:
        return Screen(lines(petition.notice_text(_, remark), petition.how_to_decide(remark)))
    if notice.is_whole:
        return Screen(petition.notice_text(_, remark), (petition.thread_row(_, remark),))
    rows = ((Button(_.plain("Read"), SeeRemark(remark.id)),),)
    return brief(_, petition.notice_title(_, remark), organization_line(_, remark.organization), rows)


async def _questioned(notice: Notice) -> Screen:
    """A question, for the organization's officers; or its answer, for the province's."""
    _, remark = notice.texts, await load_remark(notice.session, notice.subject_id)
    if notice.is_whole:
        return question.notice_screen(_, remark)
    title, rows = question.notice_title(_, remark), question.read_rows(_, remark)
    return brief(_, title, organization_line(_, remark.organization), rows)


# --- the round's closing date, and announcements -------------------------------------------------------------


async def _reminder(notice: Notice) -> Screen | Dropped | Deferred:
    """A reminder, deferred to the end of the reader's quiet hours."""
    if notice.reader is None:
        return Dropped("nobody is linked to the chat")
    quiet = await quiet_until(notice.session, notice.reader.user_id, notice.now)
    return await deadlines.reminder(
        notice.texts,
        notice.session,
        notice.reader,
        notice.subject_id,
        quiet,
        notice.now,
        whole=notice.is_whole,
    )


async def _escalation(notice: Notice) -> Screen | Dropped:
    return await deadlines.escalation(notice.texts, notice.session, notice.subject_id, notice.now)


async def _broadcast(notice: Notice) -> Screen | Dropped | Deferred:
    """An announcement, deferred to the end of the reader's quiet hours; dropped unless the record tells of it."""
    if notice.reader is None:
        return Dropped("nobody is linked to the chat")
    quiet = await quiet_until(notice.session, notice.reader.user_id, notice.now)
    if quiet is not None:
        return Deferred(quiet)
    broadcast = await load_broadcast(notice.session, notice.subject_id)
    if not await is_recorded(notice.session, broadcast):
        return Dropped("no event tells of the announcement, or of these words")
    return announcement.screen(notice.texts, broadcast.body)


# --- edits and deletions of sent messages --------------------------------------------------------------------


async def _blank(notice: Notice) -> Screen:
    return Screen(notice.texts("This chat is no longer linked; what stood here was taken away."))


async def _card(notice: Notice) -> Screen | Dropped:
    """The live card, as an edit or a new message; brief for an idle chat."""
    if notice.card is None:
        return Dropped("nothing to show on the card")
    if notice.is_whole:
        return live_card.card(notice.texts, notice.card, notice.now)
    return live_card.brief_card(notice.texts, notice.card)


async def _replaced_card(notice: Notice) -> Screen:
    return live_card.replaced_card(notice.texts)


RENDERERS: dict[NoticeKind, Render] = links.RENDERERS | {
    NoticeKind.RECEIPT: _receipt,
    NoticeKind.COLLEAGUE_CERTIFIED: _certified,
    NoticeKind.PROVINCE_CERTIFIED: _certified,
    NoticeKind.REOPENED: _reopened,
    NoticeKind.PETITIONED: _petitioned,
    NoticeKind.PETITION_REFUSED: _petitioned,
    NoticeKind.QUESTIONED: _questioned,
    NoticeKind.ANSWERED: _questioned,
    NoticeKind.REMINDER: _reminder,
    NoticeKind.ESCALATION: _escalation,
    NoticeKind.ORGANIZATION_ENDED: organization_end.ended,
    NoticeKind.BROADCAST: _broadcast,
    NoticeKind.BLANK: _blank,
    NoticeKind.WAITING: _card,
    NoticeKind.REFRESH: _card,
    NoticeKind.REMOVE: _replaced_card,
}
