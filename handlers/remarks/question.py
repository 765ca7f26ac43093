"""A province's officer asks an organization without unlocking anything, and it answers in the chat."""

from markupsafe import Markup

from handlers.chat.deleting import refused, require_deleted
from handlers.chat.drafts import await_words, keep_draft, subject_of, take_draft
from handlers.chat.screen import Button, Row, Screen, Style, lines
from handlers.chat.taps.certification import ProvinceReview
from handlers.chat.taps.remarks import (
    AnswerQuestion,
    AskAbout,
    AskOrganization,
    ReadRemark,
    SendAnswer,
    SendQuestion,
)
from handlers.chat.taps.tap import Tap
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import organization_line, way_out
from handlers.remarks.thread import answer_row, topic_word, topic_words
from models.accounts.access import find_organization
from models.certification.remark import Remark, RemarkKind, RemarkRefused
from models.chats.conversation import Awaiting
from models.organizations.organization import Organization
from models.remarks.question import (
    Topic,
    UnknownRecord,
    about_record,
    answer,
    ask,
    find_record,
    require_answerable,
    require_askable,
)

# What a draft's subject begins with; behind it: `<organization>/<about>`, `<organization>`, `<question>`.
QUESTION, RECORD_NO, ANSWER = "question:", "record_no:", "answer:"


# --- the province asks --------------------------------------------------------------------------------------


async def choose_topic(turn: Turn, tap: AskOrganization) -> Screen:
    """ถาม อปท.: what the question is about."""
    _ = turn.texts
    organization, _round = await require_askable(turn.session, turn.officer, tap.organization)
    topics: tuple[Row, ...] = tuple(
        (Button(topic_word(_, topic), AskAbout(tap.organization, topic)),) for topic in Topic
    )
    return Screen(
        lines(
            _("<b>Ask the organization</b>"),
            organization_line(_, organization),
            "",
            _("What is the question about? Nothing is unlocked by it."),
        ),
        (*topics, way_out(_, ProvinceReview(tap.organization))),
    )


async def choose_words(turn: Turn, tap: AskAbout) -> Screen:
    """The question itself; for a record its number first."""
    await require_askable(turn.session, turn.officer, tap.organization)
    if tap.topic is Topic.RECORD:
        await_words(turn, Awaiting.RECORD_NO, f"{RECORD_NO}{tap.organization}")
        return await ask_record_no(turn)
    await_words(turn, Awaiting.QUESTION, f"{QUESTION}{tap.organization}/{tap.topic}")
    return await ask_question(turn)


async def ask_record_no(turn: Turn) -> Screen:
    """Which record it is about."""
    organization = await find_organization(turn.session, turn.officer, subject_of(turn).removeprefix(RECORD_NO))
    return _asked(turn, organization, turn.texts("Type the <b>number of the record</b>, as the register has it."))


async def ask_question(turn: Turn) -> Screen:
    """Its words; when they are there, the question before it is sent."""
    _, words = turn.texts, turn.conversation.draft
    code, _slash, about = subject_of(turn).removeprefix(QUESTION).partition("/")
    organization = await find_organization(turn.session, turn.officer, code)
    if words is None:
        return _asked(turn, organization, _question(_, about))
    return Screen(
        lines(
            _("<b>Ask the organization</b>"),
            organization_line(_, organization),
            _("About: {subject}", subject=topic_words(_, about)),
            "",
            words,
            "",
            _("The organization's officers will read it. It cannot be taken back."),
        ),
        (
            (Button(_.plain("Send the question"), SendQuestion(code), Style.PRIMARY),),
            way_out(_, ProvinceReview(code)),
        ),
    )


async def take_record_no(turn: Turn, text: str) -> Screen:
    """The record that the question is about; its words come next. What is no record's number is deleted, for it
    may be a PIN. Raises NeedsDeletion.
    """
    code = subject_of(turn).removeprefix(RECORD_NO)
    organization = await find_organization(turn.session, turn.officer, code)
    try:
        about = about_record(await find_record(turn.session, turn.officer, code, text))
    except UnknownRecord:
        require_deleted(turn)
        again = turn.texts("The register has no record with this number. Please type it again.")
        return refused(turn, _asked(turn, organization, again))
    await_words(turn, Awaiting.QUESTION, f"{QUESTION}{code}/{about}")
    return await ask_question(turn)


def _asked(turn: Turn, organization: Organization, sentence: Markup) -> Screen:
    _ = turn.texts
    return Screen(
        lines(_("<b>Ask the organization</b>"), organization_line(_, organization), "", sentence),
        (way_out(_, AskOrganization(organization.dla_code)),),
    )


def _question(_: Texts, about: str) -> Markup:
    return lines(
        _("About: {subject}", subject=topic_words(_, about)),
        _("Type your <b>question</b>, in 5 to 1,000 letters. Write no names."),
    )


async def take_question(turn: Turn, text: str) -> Screen:
    """The question, shown before it is sent."""
    return await keep_draft(turn, text, ask_question)


async def send_question(turn: Turn, tap: SendQuestion) -> Screen:
    """Send what was typed and shown."""
    _ = turn.texts
    about, words = take_draft(turn, f"{QUESTION}{tap.organization}/")
    made = await ask(turn.session, turn.officer, tap.organization, about, words, turn.now)
    return _sent(turn, _("✅ The question was sent."), made, ProvinceReview(tap.organization))


# --- the organization answers -------------------------------------------------------------------------------


async def ask_for_answer(turn: Turn, tap: AnswerQuestion) -> Screen:
    """ตอบคำถาม: the question once more, and the words for its answer."""
    asked = await require_answerable(turn.session, turn.officer, tap.question)
    await_words(turn, Awaiting.ANSWER, f"{ANSWER}{asked.id}")
    return _answering(turn, asked)


async def ask_answer_again(turn: Turn) -> Screen:
    """The same question once more, or the answer before it is sent."""
    _, words = turn.texts, turn.conversation.draft
    asked = await require_answerable(turn.session, turn.officer, int(subject_of(turn).removeprefix(ANSWER)))
    if words is None:
        return _answering(turn, asked)
    return Screen(
        lines(
            _("<b>Your answer</b>"),
            organization_line(_, asked.organization),
            _("About: {subject}", subject=topic_words(_, asked.about or Topic.WHOLE)),
            _("Question: {words}", words=asked.body),
            "",
            words,
            "",
            _("The province's officers will read it. It cannot be taken back."),
        ),
        (
            (Button(_.plain("Send the answer"), SendAnswer(asked.id), Style.PRIMARY),),
            way_out(_, ReadRemark(asked.id)),
        ),
    )


def _answering(turn: Turn, asked: Remark) -> Screen:
    _ = turn.texts
    return Screen(
        lines(
            _told(_, asked),
            "",
            _("Type your <b>answer</b>, in 5 to 1,000 letters. Write no names."),
        ),
        (way_out(_, ReadRemark(asked.id)),),
    )


def _told(_: Texts, said: Remark) -> Markup:
    """A question or an answer: about what, who wrote it and when, and its words."""
    return lines(
        notice_title(_, said),
        organization_line(_, said.organization),
        _("About: {subject}", subject=topic_words(_, said.about or Topic.WHOLE)),
        _("By {name} · {moment}", name=said.author, moment=_.moment(said.made_at)),
        "",
        said.body,
    )


async def take_answer(turn: Turn, text: str) -> Screen:
    """The answer, shown before it is sent."""
    return await keep_draft(turn, text, ask_answer_again)


async def send_answer(turn: Turn, tap: SendAnswer) -> Screen:
    """Send what was typed and shown."""
    _ = turn.texts
    question, words = take_draft(turn, ANSWER)
    if question != str(tap.question):
        raise RemarkRefused
    made = await answer(turn.session, turn.officer, tap.question, words, turn.now)
    return _sent(turn, _("✅ The answer was sent."), made, ReadRemark(tap.question))


def _sent(turn: Turn, sentence: Markup, made: Remark, back_to: Tap) -> Screen:
    _ = turn.texts
    about = _("About: {subject}", subject=topic_words(_, made.about or Topic.WHOLE))
    return Screen(lines(sentence, "", about, made.body), (way_out(_, back_to),))


# --- what the other side is told ----------------------------------------------------------------------------


def notice_title(_: Texts, said: Remark) -> Markup:
    """What an idle chat is told, too."""
    if said.kind is RemarkKind.ANSWER:
        return _("💬 <b>The organization has answered</b>")
    return _("❓ <b>Question from the province</b>")


def notice_screen(_: Texts, said: Remark) -> Screen:
    """The whole notice: the question with a way to answer, or the answer with a way to both."""
    if said.kind is RemarkKind.QUESTION:
        return Screen(_told(_, said), (answer_row(_, said),))
    return Screen(_told(_, said), read_rows(_, said))


def read_rows(_: Texts, said: Remark) -> tuple[Row, ...]:
    """อ่าน."""
    return ((Button(_.plain("Read"), ReadRemark(said.id)),),)
