"""What an officer is told when a rule refuses: one sentence and the next step, translated in this one place."""

from handlers import confirming, lao, province
from handlers.certifying import certificate_line
from handlers.home import show_home
from handlers.screen import Button, Screen, lines
from handlers.taps import LaoReview, ProvinceReview, Tap
from handlers.texts import texts
from handlers.turn import Right, Turn, role_right
from handlers.words import home, organization_line
from models.account import Role
from models.base import DomainError
from models.certification import (
    AlreadyCertified,
    ConfirmationExpired,
    NotYetCertified,
    NotYours,
    RosterChanged,
    Status,
)
from models.conversation import Language
from models.remark import NotLocked, PetitionPending, RemarkRefused
from models.roster import NoRoster
from models.round import NoOpenRound


async def explain(turn: Turn, problem: DomainError) -> Screen:
    """The screen for a refusal; nothing was changed. A refusal without a sentence here is raised again."""
    _ = turn.texts
    if isinstance(problem, AlreadyCertified):
        if problem.certification.officer_id == turn.officer.id:
            # Two quick taps, or an old card: what the first press brought.
            sentence = _(
                "You have certified this already: {moment}.", moment=_.moment(problem.certification.certified_at)
            )
            return (await confirming.finished(turn, problem.certification)).headed(sentence)
        return _already_certified(turn, problem)
    if isinstance(problem, RosterChanged):
        sentence = _("⚠️ The register has changed. Nothing was certified. Please check the new numbers.")
        return _review_screen(turn, problem).headed(sentence)
    if isinstance(problem, ConfirmationExpired):
        sentence = _(
            "This confirmation is no longer valid. Nothing was certified. Please check the numbers again."
        )
    elif isinstance(problem, NoOpenRound):
        sentence = _("No round is open, so nothing can be certified now.")
    elif isinstance(problem, NoRoster):
        sentence = _("No personnel data has been imported for this organization yet. Please ask the operator.")
    elif isinstance(problem, NotYetCertified):
        sentence = _("The organization has not certified yet. Please wait for its certification.")
    elif isinstance(problem, NotLocked):
        sentence = _("Your register is not certified, so it can be corrected without a petition.")
    elif isinstance(problem, PetitionPending):
        sentence = _("Your petition waits for a decision. You will be told.")
    elif isinstance(problem, RemarkRefused):
        sentence = _("There is no petition to send. Please type it again.")
    elif isinstance(problem, NotYours):
        sentence = _("Your account has no right to this.")
    else:
        raise problem
    return (await show_home(turn)).headed(sentence)


def _review_screen(turn: Turn, problem: RosterChanged) -> Screen:
    if turn.officer.account.role is Role.LAO:
        return lao.review_screen(turn.texts, problem.review)
    tap = ProvinceReview(problem.review.organization.dla_code, Status.LAO_CERTIFIED, 0)
    return province.review_screen(turn.texts, problem.review, tap)


def _already_certified(turn: Turn, problem: AlreadyCertified) -> Screen:
    _, made = turn.texts, problem.certification
    look: Tap = (
        LaoReview()
        if turn.officer.account.role is Role.LAO
        else ProvinceReview(made.organization_code, Status.LAO_CERTIFIED, 0)
    )
    return Screen(
        lines(
            _("This has been certified already. Nothing was changed."),
            "",
            organization_line(_, problem.organization),
            certificate_line(_, made),
        ),
        ((Button(_.plain("See the numbers"), look),), (home(_),)),
    )


async def no_right(turn: Turn, needed: Right) -> Screen:
    """A button of another role, or of a chat that is no longer linked."""
    screen = await show_home(turn)
    if turn.linked is None:
        return screen.headed(turn.texts("This chat is not linked to an account. Please log in first."))
    if turn.linked.is_ready and role_right(turn.linked.account) is not needed:
        return screen.headed(turn.texts("Your account has no right to this."))
    return screen


def apology(language: Language) -> Screen:
    """After an update that failed three times; nothing of it was kept."""
    _ = texts(language)
    return Screen(_("Sorry, that did not work. Nothing was changed. Please try again from Home."), ((home(_),),))
