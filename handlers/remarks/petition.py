"""Petitions: an LAO with a locked register asks for a correction, a province for a reopening after a failed
spot-check. A petition itself unlocks nothing (docs/contract.md, Remarks).
"""

from dataclasses import replace

from markupsafe import Markup

from handlers.accounts.profile import ask
from handlers.certification import lao, province
from handlers.chat.drafts import await_words, draft_digest, keep_draft, subject_of, take_draft
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
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import home, organization_line, way_out
from handlers.remarks import thread
from models.accounts.account import Role
from models.certification.remark import Remark, RemarkKind, RemarkRefused
from models.chats.conversation import Awaiting
from models.remarks.petition import PetitionPending, find_remark, petition, require_petitionable
from models.spot_checks.spot_checking import ask_reopening, require_reopenable

# Prefixes of a draft's subject; REOPENING is followed by the organization.
KIND, REOPENING = "petition", "reopening:"


async def ask_for_words(turn: Turn, _tap: AskForCorrection) -> Screen:
    """ขอแก้ไขข้อมูล (Ask for a correction): ask what must be corrected, and why.

    Raises NotYours, NotLocked; PetitionPending is shown above the review.
    """
    try:
        await require_petitionable(turn.session, turn.officer)
    except PetitionPending:
        return (await lao.show_review(turn, LaoReview())).headed(_pending(turn.texts))
    await_words(turn, Awaiting.PETITION, KIND)
    return await ask_again(turn)


async def ask_again(turn: Turn) -> Screen:
    """Show the question again; with a draft, the petition before it is sent: it cannot be withdrawn."""
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
            (Button(_.plain("Send the petition"), SendPetition(draft_digest(turn)), Style.PRIMARY),),
            way_out(_, LaoReview()),
        ),
    )


async def take_words(turn: Turn, text: str) -> Screen:
    """Store the typed petition as the draft, and show it before it is sent."""
    return await keep_draft(turn, text, ask_again)


async def send(turn: Turn, tap: SendPetition) -> Screen:
    """Send the petition that was typed and shown. Raises RemarkRefused without a draft."""
    _ = turn.texts
    _subject, words = take_draft(turn, KIND, tap.digest)
    sent_petition = await petition(turn.session, turn.officer, words, turn.now, turn.setup.operator_chat)
    return Screen(
        lines(_("✅ The petition was sent."), "", sent_petition.body, "", _("You will be told of the decision.")),
        (way_out(_, LaoReview()),),
    )


def _pending(_: Texts) -> Markup:
    return _("Your petition waits for a decision. You will be told.")


# --- a province ---------------------------------------------------------------------------------------------


async def ask_for_reopening(turn: Turn, tap: AskForReopening) -> Screen:
    """ขอเปิดให้แก้ไข (Ask for a reopening): ask for the reason. Raises the domain error of `require_reopenable`,
    except PetitionPending, which is shown.
    """
    try:
        await require_reopenable(turn.session, turn.officer, tap.organization)
    except PetitionPending:
        # Shown with the organization, because a province's officer deals with several.
        return (await province.show_review(turn, ProvinceReview(tap.organization))).headed(_pending(turn.texts))
    await_words(turn, Awaiting.REOPENING, f"{REOPENING}{tap.organization}")
    return await ask_reopening_again(turn)


async def ask_reopening_again(turn: Turn) -> Screen:
    """Show the question again; with a draft, the petition before it is sent: it cannot be withdrawn."""
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
            (Button(_.plain("Send the petition"), SendReopening(code, draft_digest(turn)), Style.PRIMARY),),
            way_out(_, ProvinceReview(code)),
        ),
    )


async def take_reopening(turn: Turn, text: str) -> Screen:
    """Store the typed reason as the draft, and show it before it is sent."""
    return await keep_draft(turn, text, ask_reopening_again)


async def send_reopening(turn: Turn, tap: SendReopening) -> Screen:
    """Send the petition that was typed and shown. Raises RemarkRefused without a draft about this organization."""
    _ = turn.texts
    organization, words = take_draft(turn, REOPENING, tap.digest)
    if organization != tap.organization:
        raise RemarkRefused
    sent_petition = await ask_reopening(
        turn.session, turn.officer, organization, words, turn.now, turn.setup.operator_chat
    )
    return Screen(
        lines(_("✅ The petition was sent."), "", sent_petition.body, "", _("You will be told of the decision.")),
        (way_out(_, ProvinceReview(tap.organization)),),
    )


# --- notices -------------------------------------------------------------------------------------------------


async def see_remark(turn: Turn, tap: SeeRemark) -> Screen:
    """อ่าน (Read): show a remark in full, of which an idle chat was sent only the title."""
    remark = await find_remark(turn.session, turn.officer, tap.remark)
    if remark.kind not in (RemarkKind.PETITION, RemarkKind.DECISION):
        return await thread.read(turn, ReadRemark(remark.id))
    return Screen(notice_text(turn.texts, remark), (thread_row(turn.texts, remark), (home(turn.texts),)))


def thread_row(_: Texts, remark: Remark) -> Row:
    """The row with the button ข้อสังเกต (Remarks), which opens the thread of the remark's organization."""
    return (Button(_.plain("Remarks"), Remarks(remark.organization_code, 0), Style.PRIMARY),)


def how_to_decide(remark: Remark) -> Markup | None:
    """The command with which the operator decides a petition; None for another remark."""
    if remark.kind is not RemarkKind.PETITION:
        return None
    command = f"laocert petition decide {remark.id} --grant|--refuse --by NAME --reason TEXT"
    return Markup("\n<code>{}</code>").format(command)


def notice_title(_: Texts, remark: Remark) -> Markup:
    """The notice's title, which an idle chat is sent too."""
    if remark.kind is RemarkKind.PETITION and remark.side is Role.PROVINCE:
        return _("✉️ <b>The province asks that a register be opened for correction</b>")
    if remark.kind is RemarkKind.PETITION:
        return _("✉️ <b>An organization asks for a correction</b>")
    return _("✉️ <b>The petition for a correction was refused</b>")


def notice_text(_: Texts, remark: Remark) -> Markup:
    """The notice of a petition, or of the decision that refused one."""
    return lines(
        notice_title(_, remark),
        "",
        organization_line(_, remark.organization),
        _("Fiscal year B.E. {year}", year=remark.round.fiscal_year),
        _("By {name} · {moment}", name=remark.author, moment=_.moment(remark.made_at)),
        _("Reason: {reason}", reason=remark.body),
        "",
        _("The operator decides; nothing is unlocked until then.")
        if remark.kind is RemarkKind.PETITION
        else _("The register stays locked."),
    )
