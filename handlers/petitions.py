"""A locked LAO asks for a correction in its own words, its province for a reopening after a failed spot-check;
nothing is unlocked by it (docs/contract.md, Remarks).
"""

from dataclasses import replace

from handlers.profile import ask
from handlers.screen import Button, Screen, Style, lines
from handlers.taps import (
    AskForCorrection,
    AskForReopening,
    LaoReview,
    ProvinceReview,
    SendPetition,
    SendReopening,
    Tap,
)
from handlers.turn import Turn
from handlers.words import organization_line, way_out
from models.conversation import Awaiting
from models.remark import RemarkRefused, petition, remark_text, require_petitionable
from models.spot_checking import ask_reopening, require_reopenable


async def ask_for_words(turn: Turn, _tap: AskForCorrection) -> Screen:
    """ขอแก้ไขข้อมูล: ask what is to be corrected, and why."""
    await require_petitionable(turn.session, turn.officer)
    turn.conversation.awaiting = Awaiting.PETITION
    turn.conversation.draft = None
    return await ask_again(turn)


async def ask_again(turn: Turn) -> Screen:
    """The same question once more."""
    return ask(turn, "Type <b>what must be corrected and why</b>, in 5 to 1,000 letters.")


async def take_words(turn: Turn, text: str) -> Screen:
    """Show the petition before it is sent: it cannot be taken back."""
    _ = turn.texts
    try:
        turn.conversation.draft = remark_text(text)
    except RemarkRefused:
        return (await ask_again(turn)).headed(_("That is too short, too long, or not in letters."))
    turn.conversation.awaiting = Awaiting.NOTHING
    organization = turn.officer.account.organization
    assert organization is not None  # noqa: S101 - the table's check constraint
    return Screen(
        lines(
            _("<b>Petition for a correction</b>"),
            organization_line(_, organization),
            "",
            turn.conversation.draft,
            "",
            _("Your province and the operator will read it."),
            _("The register stays locked until the operator decides."),
        ),
        (
            (Button(_.plain("Send the petition"), SendPetition(), Style.PRIMARY),),
            way_out(_, LaoReview()),
        ),
    )


async def send(turn: Turn, _tap: Tap) -> Screen:
    """Send what was typed and shown."""
    _ = turn.texts
    words, turn.conversation.draft = turn.conversation.draft, None
    made = await petition(turn.session, turn.officer, words or "", turn.now, turn.setup.operator_chat)
    return Screen(
        lines(_("✅ The petition was sent."), "", made.body, "", _("You will be told of the decision.")),
        (way_out(_, LaoReview()),),
    )


# --- a province ---------------------------------------------------------------------------------------------


async def ask_for_reopening(turn: Turn, tap: AskForReopening) -> Screen:
    """ขอเปิดให้แก้ไข: ask for the province's own words."""
    await require_reopenable(turn.session, turn.officer, tap.organization)
    turn.conversation.awaiting = Awaiting.REOPENING
    turn.conversation.subject = tap.organization
    turn.conversation.draft = None
    return await ask_reopening_again(turn)


async def ask_reopening_again(turn: Turn) -> Screen:
    """The same question once more."""
    question = ask(turn, "Type <b>why the register must be opened</b>, in 5 to 1,000 letters.")
    cancel = Button(turn.texts.plain("Cancel"), ProvinceReview(turn.conversation.subject or ""))
    return replace(question, rows=((cancel,),))


async def take_reopening(turn: Turn, text: str) -> Screen:
    """Show the words before they are sent: they cannot be taken back."""
    _ = turn.texts
    try:
        body = remark_text(text)
    except RemarkRefused:
        sentence = _("That is too short, too long, or not in letters.")
        return (await ask_reopening_again(turn)).headed(sentence)
    code = turn.conversation.subject or ""
    standing = await require_reopenable(turn.session, turn.officer, code)
    turn.conversation.awaiting = Awaiting.NOTHING
    turn.conversation.draft = body
    return Screen(
        lines(
            _("<b>Petition for a reopening</b>"),
            organization_line(_, standing.organization),
            "",
            body,
            "",
            _("The organization and the operator will read it."),
            _("The register stays locked until the operator decides."),
        ),
        (
            (Button(_.plain("Send the petition"), SendReopening(code), Style.PRIMARY),),
            way_out(_, ProvinceReview(code)),
        ),
    )


async def send_reopening(turn: Turn, tap: SendReopening) -> Screen:
    """Send what was typed and shown about this organization."""
    _ = turn.texts
    if turn.conversation.subject != tap.organization:
        raise RemarkRefused
    words, turn.conversation.draft = turn.conversation.draft, None
    made = await ask_reopening(
        turn.session, turn.officer, tap.organization, words or "", turn.now, turn.setup.operator_chat
    )
    return Screen(
        lines(_("✅ The petition was sent."), "", made.body, "", _("You will be told of the decision.")),
        (way_out(_, ProvinceReview(tap.organization)),),
    )
