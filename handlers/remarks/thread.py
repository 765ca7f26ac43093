"""ข้อสังเกต (Remarks): the thread of an organization's remarks in the round, which both levels read."""

from dataclasses import replace

from markupsafe import Markup

from handlers.chat.screen import Button, Row, Screen, Style, lines
from handlers.chat.taps.remarks import AnswerQuestion, ReadRemark, Remarks
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import category_word, organization_line, pager, review_tap, way_out
from models.accounts.account import Role
from models.base.thai import shortened
from models.certification.remark import Remark, RemarkKind
from models.register.roster import Category
from models.remarks.question import Topic, topic_of
from models.remarks.thread import Entry, read_entry, read_thread

# Letters of a remark, and of its author's name and position, on a page with several remarks.
MAX_BODY = 250
MAX_AUTHOR = 80


async def show(turn: Turn, tap: Remarks) -> Screen:
    """One page of the thread, newest first, with a button for each remark to read it in full. Raises NotYours."""
    _ = turn.texts
    thread = await read_thread(turn.session, turn.officer, tap.organization, tap.page)
    parts: list[Markup | str] = [_("<b>Remarks</b>"), organization_line(_, thread.organization)]
    for entry in thread.entries:
        parts += ["", _part(_, entry.said, is_short=True)]
        if entry.is_open:
            parts.append(_waiting(_))
        if entry.reply is not None:
            parts.append(_part(_, entry.reply, is_short=True))
    if not thread.entries:
        parts += ["", _("There are no remarks yet.")]
    label = _.plain("Read")
    read_buttons: Row = tuple(
        Button(
            f"❓ {label} {entry.said.id}" if entry.is_open else f"{label} {entry.said.id}",
            ReadRemark(entry.said.id),
        )
        for entry in thread.entries
    )
    before, after = (replace(tap, page=max(thread.page + step, 0)) for step in (-1, 1))
    return Screen(
        lines(*parts),
        (
            *((read_buttons,) if read_buttons else ()),
            *pager(_, thread.page, thread.pages, before, after),
            way_out(_, review_tap(turn, tap.organization)),
        ),
    )


async def read(turn: Turn, tap: ReadRemark) -> Screen:
    """One remark in full, with its reply; for an open question the organization's officer gets a button to answer.
    Raises NotYours.
    """
    _ = turn.texts
    entry = await read_entry(turn.session, turn.officer, tap.remark)
    remark = entry.said
    rows: tuple[Row, ...] = ()
    if entry.is_open and turn.officer.account.role is Role.LAO:
        rows = (answer_row(_, remark),)
    return Screen(entry_text(_, entry), (*rows, way_out(_, Remarks(remark.organization_code, 0))))


def answer_row(_: Texts, question: Remark) -> Row:
    """The row with the button ตอบคำถาม (Answer the question)."""
    return (Button(_.plain("Answer the question"), AnswerQuestion(question.id), Style.PRIMARY),)


def entry_text(_: Texts, entry: Entry) -> Markup:
    """A remark and its reply, both in full."""
    remark = entry.said
    return lines(
        organization_line(_, remark.organization),
        _("Fiscal year B.E. {year}", year=remark.round.fiscal_year),
        "",
        _part(_, remark),
        _waiting(_) if entry.is_open else None,
        *(["", _part(_, entry.reply)] if entry.reply is not None else []),
    )


def _waiting(_: Texts) -> Markup:
    return _("❓ Not answered yet")


def _part(_: Texts, remark: Remark, *, is_short: bool = False) -> Markup:
    """A remark's title, author, time and words."""
    author, body = remark.author, remark.body
    if is_short:
        author, body = shortened(author, MAX_AUTHOR), shortened(body, MAX_BODY)
    return lines(_title(_, remark), _("By {name} · {moment}", name=author, moment=_.moment(remark.made_at)), body)


def _title(_: Texts, remark: Remark) -> Markup:
    """A remark's title: `Question 12 · Officials`. An answer has no number. Revisions from 2 on are named."""
    if remark.kind is RemarkKind.DECISION:
        granted, refused = _("<b>Decision: granted</b>"), _("<b>Decision: refused</b>")
        return granted if remark.granted else refused
    if remark.kind is RemarkKind.ANSWER:
        return _("<b>Answer</b>")
    name = {
        RemarkKind.QUESTION: _.plain("Question"),
        RemarkKind.EXPLANATION: _.plain("Explanation"),
        RemarkKind.PETITION: _.plain("Petition"),
    }[remark.kind]
    title = Markup("<b>{} {}</b>").format(name, remark.id)
    about = about_word(_, remark)
    if about:
        title += Markup(" · {}").format(about)
    if remark.revision > 1:
        title += Markup(" · ") + _("revision {revision}", revision=remark.revision)
    return title


def about_word(_: Texts, remark: Remark) -> str:
    """What a remark is about: a question's topic in words, an explanation's numbers; empty for other kinds."""
    if remark.kind is RemarkKind.QUESTION and remark.about is not None:
        return topic_words(_, remark.about)
    return remark.about or ""


def topic_words(_: Texts, about: str) -> str:
    """A question's topic in words; a record by its number."""
    topic, record_no = topic_of(about)
    if topic is Topic.RECORD:
        return _.plain("Record {number}", number=record_no)
    return topic_word(_, topic)


def topic_word(_: Texts, topic: Topic) -> str:
    """A topic in words, as offered to the officer."""
    if topic is Topic.WHOLE:
        return _.plain("Whole register")
    if topic is Topic.RECORD:
        return _.plain("One record by its number")
    return category_word(_, Category(topic.value))
