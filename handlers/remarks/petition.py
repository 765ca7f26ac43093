"""A locked LAO asks for a correction in its own words, its province for a reopening after a failed spot-check;
nothing is unlocked by it (docs/contract.md, Remarks).
"""

from dataclasses import replace

from markupsafe import Markup

from handlers.accounts.profile import ask
from handlers.certification import lao, province
from handlers.chat.drafts import await_words, keep_draft, subject_of, take_draft
from handlers.chat.screen import Button, Row, Screen, Style, lines
from handlers.chat.taps.certification import LaoReview, ProvinceReview
from handlers.chat.taps.remarks import (
    AskForCorrection,
    AskForReopening,
    ReadRemark,
    Remarks,
    SeeRemark,
    SendPetition,
    SendReopening,
)
from handlers.chat.taps.tap import Tap
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import home, organization_line, way_out
from handlers.remarks import thread
from models.accounts.account import Role
from models.certification.remark import Remark, RemarkKind, RemarkRefused
from models.chats.conversation import Awaiting
from models.remarks.petition import PetitionPending, find_remark, petition, require_petitionable
from models.spot_checks.spot_checking import ask_reopening, require_reopenable

# What a draft's subject begins with; behind the second one the organization.
KIND, REOPENING = "petition", "reopening:"


async def ask_for_words(turn: Turn, _tap: AskForCorrection) -> Screen:
    """ขอแก้ไขข้อมูล: ask what is to be corrected, and why."""
    try:
        await require_petitionable(turn.session, turn.officer)
    except PetitionPending:
        return (await lao.show_review(turn, LaoReview())).headed(_pending(turn.texts))
    await_words(turn, Awaiting.PETITION, KIND)
    return await ask_again(turn)


async def ask_again(turn: Turn) -> Screen:
    """The same question once more, or the petition before it is sent: it cannot be taken back."""
    words = turn.conversation.draft
    if words is None:
        return ask(turn, "Type <b>what must be corrected and why</b>, in 5 to 1,000 letters.")
    _ = turn.texts
    organization = turn.officer.account.organization
    assert organization is not None  # noqa: S101 - the table's check constraint
    return Screen(
        lines(
            _("<b>Petition for a correction</b>"),
            organization_line(_, organization),
            "",
            words,
            "",
            _("Your province and the operator will read it."),
            _("The register stays locked until the operator decides."),
        ),
        (
            (Button(_.plain("Send the petition"), SendPetition(), Style.PRIMARY),),
            way_out(_, LaoReview()),
        ),
    )


async def take_words(turn: Turn, text: str) -> Screen:
    """What must be corrected, shown before it is sent."""
    return await keep_draft(turn, text, ask_again)


async def send(turn: Turn, _tap: Tap) -> Screen:
    """Send what was typed and shown."""
    _ = turn.texts
    _subject, words = take_draft(turn, KIND)
    made = await petition(turn.session, turn.officer, words, turn.now, turn.setup.operator_chat)
    return Screen(
        lines(_("✅ The petition was sent."), "", made.body, "", _("You will be told of the decision.")),
        (way_out(_, LaoReview()),),
    )


def _pending(_: Texts) -> Markup:
    return _("Your petition waits for a decision. You will be told.")


# --- a province ---------------------------------------------------------------------------------------------


async def ask_for_reopening(turn: Turn, tap: AskForReopening) -> Screen:
    """ขอเปิดให้แก้ไข: ask for the province's own words."""
    try:
        await require_reopenable(turn.session, turn.officer, tap.organization)
    except PetitionPending:
        # The organization stays on the screen: an officer has several.
        return (await province.show_review(turn, ProvinceReview(tap.organization))).headed(_pending(turn.texts))
    await_words(turn, Awaiting.REOPENING, f"{REOPENING}{tap.organization}")
    return await ask_reopening_again(turn)


async def ask_reopening_again(turn: Turn) -> Screen:
    """The same question once more, or the words before they are sent: they cannot be taken back."""
    _, words, code = turn.texts, turn.conversation.draft, subject_of(turn).removeprefix(REOPENING)
    if words is None:
        question = ask(turn, "Type <b>why the register must be opened</b>, in 5 to 1,000 letters.")
        return replace(question, rows=((Button(_.plain("Cancel"), ProvinceReview(code)),),))
    checkable = await require_reopenable(turn.session, turn.officer, code)
    return Screen(
        lines(
            _("<b>Petition for a reopening</b>"),
            organization_line(_, checkable.organization),
            "",
            words,
            "",
            _("The organization and the operator will read it."),
            _("The register stays locked until the operator decides."),
        ),
        (
            (Button(_.plain("Send the petition"), SendReopening(code), Style.PRIMARY),),
            way_out(_, ProvinceReview(code)),
        ),
    )


async def take_reopening(turn: Turn, text: str) -> Screen:
    """Why the register must be opened, shown before it is sent."""
    return await keep_draft(turn, text, ask_reopening_again)


async def send_reopening(turn: Turn, tap: SendReopening) -> Screen:
    """Send what was typed and shown about this organization."""
    _ = turn.texts
    organization, words = take_draft(turn, REOPENING)
    if organization != tap.organization:
        raise RemarkRefused
    made = await ask_reopening(turn.session, turn.officer, organization, words, turn.now, turn.setup.operator_chat)
    return Screen(
        lines(_("✅ The petition was sent."), "", made.body, "", _("You will be told of the decision.")),
        (way_out(_, ProvinceReview(tap.organization)),),
    )


# --- what others are told ------------------------------------------------------------------------------------


async def see_remark(turn: Turn, tap: SeeRemark) -> Screen:
    """อ่าน: what a chat that was left alone was not told."""
    made = await find_remark(turn.session, turn.officer, tap.remark)
    if made.kind not in (RemarkKind.PETITION, RemarkKind.DECISION):
        return await thread.read(turn, ReadRemark(made.id))
    return Screen(notice_text(turn.texts, made), (thread_row(turn.texts, made), (home(turn.texts),)))


def thread_row(_: Texts, made: Remark) -> Row:
    """ข้อสังเกต, from where it goes on to the review."""
    return (Button(_.plain("Remarks"), Remarks(made.organization_code, 0), Style.PRIMARY),)


def how_to_decide(made: Remark) -> Markup | None:
    """What the operator does with a petition."""
    if made.kind is not RemarkKind.PETITION:
        return None
    command = f"laocert petition decide {made.id} --grant|--refuse --by NAME --reason TEXT"
    return Markup("\n<code>{}</code>").format(command)


def notice_title(_: Texts, made: Remark) -> Markup:
    """What an idle chat is told, too."""
    if made.kind is RemarkKind.PETITION and made.side is Role.PROVINCE:
        return _("✉️ <b>The province asks that a register be opened for correction</b>")
    if made.kind is RemarkKind.PETITION:
        return _("✉️ <b>An organization asks for a correction</b>")
    return _("✉️ <b>The petition for a correction was refused</b>")


def notice_text(_: Texts, made: Remark) -> Markup:
    """A petition, or the decision that refused one."""
    return lines(
        notice_title(_, made),
        "",
        organization_line(_, made.organization),
        _("Fiscal year B.E. {year}", year=made.round.fiscal_year),
        _("By {name} · {moment}", name=made.author, moment=_.moment(made.made_at)),
        _("Reason: {reason}", reason=made.body),
        "",
        _("The operator decides; nothing is unlocked until then.")
        if made.kind is RemarkKind.PETITION
        else _("The register stays locked."),
    )
