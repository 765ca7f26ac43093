"""A locked LAO asks for a correction in its own words; nothing is unlocked by it (docs/contract.md, Remarks)."""

from handlers.drafts import await_words, keep_draft, take_draft
from handlers.profile import ask
from handlers.screen import Button, Screen, Style, lines
from handlers.taps import AskForCorrection, LaoReview, SendPetition, Tap
from handlers.turn import Turn
from handlers.words import organization_line, way_out
from models.conversation import Awaiting
from models.remark import petition, require_petitionable
from models.remark_table import RemarkRefused

# What a draft's subject begins with.
KIND = "petition"


async def ask_for_words(turn: Turn, _tap: AskForCorrection) -> Screen:
    """ขอแก้ไขข้อมูล: ask what is to be corrected, and why."""
    await require_petitionable(turn.session, turn.officer)
    await_words(turn, Awaiting.PETITION, KIND)
    return _question(turn)


def _question(turn: Turn) -> Screen:
    return ask(turn, "Type <b>what must be corrected and why</b>, in 5 to 1,000 letters.")


async def take_words(turn: Turn, text: str) -> Screen:
    """Show the petition before it is sent: it cannot be taken back."""
    _ = turn.texts
    try:
        words = keep_draft(turn, text)
    except RemarkRefused:
        return _question(turn).headed(_("That is too short, too long, or not in letters."))
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


async def send(turn: Turn, _tap: Tap) -> Screen:
    """Send what was typed and shown."""
    _ = turn.texts
    _subject, words = take_draft(turn, KIND)
    made = await petition(turn.session, turn.officer, words, turn.now, turn.setup.operator_chat)
    return Screen(
        lines(_("✅ The petition was sent."), "", made.body, "", _("You will be told of the decision.")),
        (way_out(_, LaoReview()),),
    )
