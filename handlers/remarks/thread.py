"""ข้อสังเกต: the thread of remarks of an organization in the round, as both sides read it."""

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

# Of a text and of an author's name and position on a page of several.
MAX_BODY = 250
MAX_AUTHOR = 80


async def show(turn: Turn, tap: Remarks) -> Screen:
    """One page of the thread, newest first; each remark opens whole."""
    _ = turn.texts
    found = await read_thread(turn.session, turn.officer, tap.organization, tap.page)
    parts: list[Markup | str] = [_("<b>Remarks</b>"), organization_line(_, found.organization)]
    for entry in found.entries:
        parts += ["", _part(_, entry.said, is_short=True)]
        if entry.is_open:
            parts.append(_waiting(_))
        if entry.reply is not None:
            parts.append(_part(_, entry.reply, is_short=True))
    if not found.entries:
        parts += ["", _("There are no remarks yet.")]
    label = _.plain("Read")
    opened: Row = tuple(
        Button(f"❓ {label} {one.said.id}" if one.is_open else f"{label} {one.said.id}", ReadRemark(one.said.id))
        for one in found.entries
    )
    before, after = (replace(tap, page=max(found.page + step, 0)) for step in (-1, 1))
    return Screen(
        lines(*parts),
        (
            *((opened,) if opened else ()),
            *pager(_, found.page, found.pages, before, after),
            way_out(_, review_tap(turn, tap.organization)),
        ),
    )


async def read(turn: Turn, tap: ReadRemark) -> Screen:
    """One remark whole, with what answered it; the organization can answer a question that is open."""
    _ = turn.texts
    entry = await read_entry(turn.session, turn.officer, tap.remark)
    said = entry.said
    rows: tuple[Row, ...] = ()
    if entry.is_open and turn.officer.account.role is Role.LAO:
        rows = (answer_row(_, said),)
    return Screen(entry_text(_, entry), (*rows, way_out(_, Remarks(said.organization_code, 0))))


def answer_row(_: Texts, question: Remark) -> Row:
    """ตอบคำถาม."""
    return (Button(_.plain("Answer the question"), AnswerQuestion(question.id), Style.PRIMARY),)


def entry_text(_: Texts, entry: Entry) -> Markup:
    """A remark and its reply, each whole."""
    said = entry.said
    return lines(
        organization_line(_, said.organization),
        _("Fiscal year B.E. {year}", year=said.round.fiscal_year),
        "",
        _part(_, said),
        _waiting(_) if entry.is_open else None,
        *(["", _part(_, entry.reply)] if entry.reply is not None else []),
    )


def _waiting(_: Texts) -> Markup:
    return _("❓ Not answered yet")


def _part(_: Texts, said: Remark, *, is_short: bool = False) -> Markup:
    """What kind of remark it is and about what, who made it and when, and its words."""
    author, body = said.author, said.body
    if is_short:
        author, body = shortened(author, MAX_AUTHOR), shortened(body, MAX_BODY)
    return lines(_title(_, said), _("By {name} · {moment}", name=author, moment=_.moment(said.made_at)), body)


def _title(_: Texts, said: Remark) -> Markup:
    """`Question 12 · Officials`; an answer bears no number of its own. The revision is named from the second one
    on.
    """
    if said.kind is RemarkKind.DECISION:
        granted, refused = _("<b>Decision: granted</b>"), _("<b>Decision: refused</b>")
        return granted if said.granted else refused
    if said.kind is RemarkKind.ANSWER:
        return _("<b>Answer</b>")
    name = {
        RemarkKind.QUESTION: _.plain("Question"),
        RemarkKind.EXPLANATION: _.plain("Explanation"),
        RemarkKind.PETITION: _.plain("Petition"),
    }[said.kind]
    title = Markup("<b>{} {}</b>").format(name, said.id)
    about = about_word(_, said)
    if about:
        title += Markup(" · {}").format(about)
    if said.revision > 1:
        title += Markup(" · ") + _("revision {revision}", revision=said.revision)
    return title


def about_word(_: Texts, said: Remark) -> str:
    """What a remark is about, in words; the numbers themselves of an explanation."""
    if said.kind is RemarkKind.QUESTION and said.about is not None:
        return topic_words(_, said.about)
    return said.about or ""


def topic_words(_: Texts, about: str) -> str:
    """What a question is about."""
    topic, record_no = topic_of(about)
    if topic is Topic.RECORD:
        return _.plain("Record {number}", number=record_no)
    return topic_word(_, topic)


def topic_word(_: Texts, topic: Topic) -> str:
    """A topic that an officer chooses from."""
    if topic is Topic.WHOLE:
        return _.plain("Whole register")
    if topic is Topic.RECORD:
        return _.plain("One record by its number")
    return category_word(_, Category(topic.value))
