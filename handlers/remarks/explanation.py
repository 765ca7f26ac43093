"""ชี้แจงส่วนต่าง (Explain the difference): the explanation that an organization must give when its numbers differ much
from the last round's.
"""

from markupsafe import Markup

from handlers.certification import lao
from handlers.certification.review_numbers import compared_lines, marked_line
from handlers.chat.drafts import await_words, draft_digest, keep_draft, subject_of, take_draft
from handlers.chat.screen import Button, Screen, Style, lines
from handlers.chat.taps.certification import LaoReview
from handlers.chat.taps.remarks import ExplainDifference, SendExplanation
from handlers.chat.turn import Turn
from handlers.chat.words import organization_line, way_out
from models.chats.conversation import Awaiting
from models.register.comparison import numbers
from models.remarks.explanation import explain, require_explainable

# Prefix of a draft's subject, which continues `<organization>/<the numbers as the officer saw them>`.
KIND = "explanation:"


async def ask_for_words(turn: Turn, _tap: ExplainDifference) -> Screen:
    """Show the numbers that differ, and ask for the explanation. Raises the domain error of
    `require_explainable`.
    """
    _, percent = turn.texts, turn.setup.demands.difference_percent
    review = await require_explainable(turn.session, turn.officer, difference_percent=percent)
    await_words(turn, Awaiting.EXPLANATION, f"{_kind(turn)}{numbers(review.roster.headcount)}")
    return Screen(
        lines(
            _("<b>Explain the difference</b>"),
            organization_line(_, review.organization),
            "",
            compared_lines(_, review, percent),
            marked_line(_, review, percent),
            "",
            _question(turn),
        ),
        (way_out(_, LaoReview()),),
    )


def _kind(turn: Turn) -> str:
    return f"{KIND}{turn.own_organization}/"


def _question(turn: Turn) -> Markup:
    return turn.texts("Type <b>why the numbers differ</b>, in 5 to 1,000 letters.")


async def ask_again(turn: Turn) -> Screen:
    """Show the question again; with a draft, the explanation before it is sent."""
    _, words = turn.texts, turn.conversation.draft
    if words is None:
        return Screen(_question(turn), (way_out(_, LaoReview()),))
    organization = turn.officer.account.organization
    assert organization is not None  # noqa: S101 - the table's check constraint
    return Screen(
        lines(
            _("<b>Explanation of the difference</b>"),
            organization_line(_, organization),
            _("About: {subject}", subject=subject_of(turn).removeprefix(_kind(turn))),
            "",
            words,
            "",
            _("Your province will read it. It stays with the certificates."),
        ),
        (
            (Button(_.plain("Send the explanation"), SendExplanation(draft_digest(turn)), Style.PRIMARY),),
            way_out(_, LaoReview()),
        ),
    )


async def take_words(turn: Turn, text: str) -> Screen:
    """Store the typed explanation as the draft, and show it before it is sent."""
    return await keep_draft(turn, text, ask_again)


async def send(turn: Turn, tap: SendExplanation) -> Screen:
    """Send the explanation that was typed and shown, so that the numbers can be certified. Raises RemarkRefused
    without a draft.
    """
    about, words = take_draft(turn, _kind(turn), tap.digest)
    await explain(
        turn.session,
        turn.officer,
        about,
        words,
        turn.now,
        difference_percent=turn.setup.demands.difference_percent,
    )
    return (await lao.show_review(turn, LaoReview())).headed(turn.texts("✅ The explanation was sent."))
