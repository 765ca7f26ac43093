"""Questions of a province's officer to an organization, and the answers. They unlock nothing."""

from markupsafe import Markup

from handlers.chat.deleting import refused, require_deleted
from handlers.chat.drafts import await_words, draft_digest, keep_draft, subject_of, take_draft
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

# Prefixes of a draft's subject, followed by `<organization>/<about>`, `<organization>` and `<question id>`.
QUESTION, RECORD_NO, ANSWER = "question:", "record_no:", "answer:"


# --- the province asks --------------------------------------------------------------------------------------


async def choose_topic(turn: Turn, tap: AskOrganization) -> Screen:
    """ถาม อปท. (Ask the organization): ask for the question's topic. Raises the domain error of
    `require_askable`.
    """
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
    """Ask for the question's words; for a question about a record, for the record's number first."""
    await require_askable(turn.session, turn.officer, tap.organization)
    if tap.topic is Topic.RECORD:
        await_words(turn, Awaiting.RECORD_NO, f"{RECORD_NO}{tap.organization}")
        return await ask_record_no(turn)
    await_words(turn, Awaiting.QUESTION, f"{QUESTION}{tap.organization}/{tap.topic}")
    return await ask_question(turn)


async def ask_record_no(turn: Turn) -> Screen:
    """Ask for the number of the record that the question is about."""
    organization = await find_organization(turn.session, turn.officer, subject_of(turn).removeprefix(RECORD_NO))
    sentence = turn.texts("Type the <b>number of the record</b>, as the register has it.")
    return _asking(turn, organization, sentence)


async def ask_question(turn: Turn) -> Screen:
    """Ask for the question's words; with a draft, show the question before it is sent."""
    _, words = turn.texts, turn.conversation.draft
    code, _slash, about = subject_of(turn).removeprefix(QUESTION).partition("/")
    organization = await find_organization(turn.session, turn.officer, code)
    if words is None:
        return _asking(turn, organization, _question(_, about))
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
            (Button(_.plain("Send the question"), SendQuestion(code, draft_digest(turn)), Style.PRIMARY),),
            way_out(_, ProvinceReview(code)),
        ),
    )


async def take_record_no(turn: Turn, text: str) -> Screen:
    """Take the record's number, and ask for the question's words. A text that is no record's number is deleted,
    because it may be a PIN. Raises NeedsDeletion.
    """
    code = subject_of(turn).removeprefix(RECORD_NO)
    organization = await find_organization(turn.session, turn.officer, code)
    try:
        about = about_record(await find_record(turn.session, turn.officer, code, text))
    except UnknownRecord:
        require_deleted(turn)
        again = turn.texts("The register has no record with this number. Please type it again.")
        return refused(turn, _asking(turn, organization, again))
    await_words(turn, Awaiting.QUESTION, f"{QUESTION}{code}/{about}")
    return await ask_question(turn)


def _asking(turn: Turn, organization: Organization, sentence: Markup) -> Screen:
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
    """Store the typed question as the draft, and show it before it is sent."""
    return await keep_draft(turn, text, ask_question)


async def send_question(turn: Turn, tap: SendQuestion) -> Screen:
    """Send the question that was typed and shown. Raises RemarkRefused without a draft for this organization."""
    _ = turn.texts
    about, words = take_draft(turn, f"{QUESTION}{tap.organization}/", tap.digest)
    sent_question = await ask(turn.session, turn.officer, tap.organization, about, words, turn.now)
    return _sent(turn, _("✅ The question was sent."), sent_question, ProvinceReview(tap.organization))


# --- the organization answers -------------------------------------------------------------------------------


async def ask_for_answer(turn: Turn, tap: AnswerQuestion) -> Screen:
    """ตอบคำถาม (Answer the question): show the question and ask for the answer. Raises the domain error of
    `require_answerable`.
    """
    question = await require_answerable(turn.session, turn.officer, tap.question)
    await_words(turn, Awaiting.ANSWER, f"{ANSWER}{question.id}")
    return _answering(turn, question)


async def ask_answer_again(turn: Turn) -> Screen:
    """Show the question again; with a draft, the answer before it is sent."""
    _, words = turn.texts, turn.conversation.draft
    question = await require_answerable(turn.session, turn.officer, int(subject_of(turn).removeprefix(ANSWER)))
    if words is None:
        return _answering(turn, question)
    return Screen(
        lines(
            _("<b>Your answer</b>"),
            organization_line(_, question.organization),
            _("About: {subject}", subject=topic_words(_, question.about or Topic.WHOLE)),
            _("Question: {words}", words=question.body),
            "",
            words,
            "",
            _("The province's officers will read it. It cannot be taken back."),
        ),
        (
            (Button(_.plain("Send the answer"), SendAnswer(question.id, draft_digest(turn)), Style.PRIMARY),),
            way_out(_, ReadRemark(question.id)),
        ),
    )


def _answering(turn: Turn, question: Remark) -> Screen:
    _ = turn.texts
    return Screen(
        lines(
            _remark_text(_, question),
            "",
            _("Type your <b>answer</b>, in 5 to 1,000 letters. Write no names."),
        ),
        (way_out(_, ReadRemark(question.id)),),
    )


def _remark_text(_: Texts, remark: Remark) -> Markup:
    """A question or an answer: topic, author, time and words."""
    return lines(
        notice_title(_, remark),
        organization_line(_, remark.organization),
        _("About: {subject}", subject=topic_words(_, remark.about or Topic.WHOLE)),
        _("By {name} · {moment}", name=remark.author, moment=_.moment(remark.made_at)),
        "",
        remark.body,
    )


async def take_answer(turn: Turn, text: str) -> Screen:
    """Store the typed answer as the draft, and show it before it is sent."""
    return await keep_draft(turn, text, ask_answer_again)


async def send_answer(turn: Turn, tap: SendAnswer) -> Screen:
    """Send the answer that was typed and shown. Raises RemarkRefused without a draft for this question."""
    _ = turn.texts
    question, words = take_draft(turn, ANSWER, tap.digest)
    if question != str(tap.question):
        raise RemarkRefused
    sent_answer = await answer(turn.session, turn.officer, tap.question, words, turn.now)
    return _sent(turn, _("✅ The answer was sent."), sent_answer, ReadRemark(tap.question))


def _sent(turn: Turn, sentence: Markup, remark: Remark, back_to: Tap) -> Screen:
    _ = turn.texts
    about = _("About: {subject}", subject=topic_words(_, remark.about or Topic.WHOLE))
    return Screen(lines(sentence, "", about, remark.body), (way_out(_, back_to),))


# --- notices ------------------------------------------------------------------------------------------------


def notice_title(_: Texts, remark: Remark) -> Markup:
    """The notice's title, which an idle chat is sent too."""
    if remark.kind is RemarkKind.ANSWER:
        return _("💬 <b>The organization has answered</b>")
    return _("❓ <b>Question from the province</b>")


def notice_screen(_: Texts, remark: Remark) -> Screen:
    """The full notice: a question with the button to answer it, or an answer with the button to read both."""
    if remark.kind is RemarkKind.QUESTION:
        return Screen(_remark_text(_, remark), (answer_row(_, remark),))
    return Screen(_remark_text(_, remark), read_rows(_, remark))


def read_rows(_: Texts, remark: Remark) -> tuple[Row, ...]:
    """The row with the button อ่าน (Read), which opens the remark with its reply."""
    return ((Button(_.plain("Read"), ReadRemark(remark.id)),),)
