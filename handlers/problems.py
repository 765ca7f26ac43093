"""The answers to domain errors: each becomes one sentence with the next step, in this module only. Also the words
for a wait that Telegram asks for.
"""

import math
from dataclasses import replace

from markupsafe import Markup, escape

from handlers.accounts.home import show_home
from handlers.certification import confirming, lao, province
from handlers.certification.certifying import certificate_lines
from handlers.certification.ended import ended_screen
from handlers.chat.screen import Button, Screen, lines
from handlers.chat.taps.certification import LaoHistory, LaoReview, ProvinceReview
from handlers.chat.taps.province import NextWaiting
from handlers.chat.taps.remarks import AskForCorrection
from handlers.chat.taps.tap import Tap
from handlers.chat.texts import Texts, texts
from handlers.chat.turn import Right, Turn, role_right
from handlers.chat.words import home, organization_line, other_words
from models.accounts.access import NotYours
from models.accounts.account import Role
from models.accounts.pin import KeypadExpired, Purpose
from models.audit.replay import RecordBroken
from models.base.errors import DomainError
from models.certification.certify import (
    AlreadyCertified,
    ClockWrong,
    ConfirmationExpired,
    NotYetCertified,
    SelfApproval,
)
from models.certification.remark import RemarkRefused
from models.certification.review import ExplanationMissing, RosterChanged
from models.certification.spot_check import SpotCheckAltered, SpotCheckFailed, SpotCheckMissing
from models.certification.words import Words
from models.chats.conversation import Language
from models.imports.sent_roster import BaseChanged, RosterLocked
from models.organizations.organization import OrganizationEnded
from models.province.statistics import NoRoundYet
from models.register.draft import DraftGone
from models.register.roster import NoRoster
from models.remarks.explanation import NothingToExplain
from models.remarks.petition import NotLocked, PetitionPending
from models.remarks.question import MAX_OPEN, QuestionClosed, TooManyQuestions, UnknownRecord
from models.rounds.round import NoOpenRound
from models.security.row_seal import BadSeal
from models.spot_checks.spot_checking import NothingToDraw, SpotCheckEnded, SpotCheckHandedIn, SpotCheckUnfinished

# Bot API, sendMessage.text.
MOST_LETTERS = 4096


async def explain(turn: Turn, problem: DomainError) -> Screen:
    """The screen that explains a domain error, after its changes were rolled back. Raises `problem` again when it
    has no explanation here.
    """
    _ = turn.texts
    if isinstance(problem, AlreadyCertified):
        if problem.certification.officer_id == turn.officer.id:
            # Two quick taps, or a tap on an old card: show the result of the first.
            sentence = _(
                "You have certified this already: {moment}.", moment=_.moment(problem.certification.certified_at)
            )
            return (await confirming.finished(turn, problem.certification)).headed(sentence)
        return _already_certified(turn, problem)
    if (screen := _own_screen(turn, problem)) is not None:
        return screen
    if isinstance(problem, ClockWrong):
        return (await confirming.not_now(turn, problem)).headed(_clock_wrong(_))
    sentences = _sentences(_)
    if turn.lapsed is Purpose.CONFIRM:
        sentences[KeypadExpired] = confirmation_lapsed(turn)
    if type(problem) not in sentences:
        raise problem
    return (await show_home(turn)).headed(sentences[type(problem)])


def _own_screen(turn: Turn, problem: DomainError) -> Screen | None:
    """The screen of an error that is answered by the present state in place of a sentence; else None."""
    match problem:
        case RosterChanged() | ExplanationMissing():
            return _review_screen(turn, problem)
        case RosterLocked():
            return _locked(turn, problem)
        case OrganizationEnded():
            return ended_screen(turn, problem.end)
        case _:
            return None


def confirmation_lapsed(turn: Turn) -> Markup:
    """The sentence that the confirmation has expired while its keypad waited."""
    return turn.texts(
        "This confirmation has lapsed after 30 minutes. Nothing was certified. Please open the register again, "
        "check the numbers and certify."
    )


def _clock_wrong(_: Texts) -> Markup:
    return _(
        "⚠️ The system's clock is wrong, so nothing was recorded. Please press again in a few minutes; "
        "if it stays so, tell {operator}.",
        operator=_.operator,
    )


def _changed_outside(_: Texts) -> Markup:
    return _(
        "⚠️ What this rests on was changed outside this system. Nothing was done. Please tell {operator}.",
        operator=_.operator,
    )


def _sentences(_: Texts) -> dict[type[DomainError], Markup]:
    """The sentences for errors that have no screen of their own."""
    return {
        ConfirmationExpired: _(
            "This confirmation is no longer valid. Nothing was certified. Please check the numbers again."
        ),
        NoOpenRound: _("No round is open, so nothing can be certified now."),
        NoRoundYet: _("No round has been opened yet."),
        NoRoster: _(
            "No personnel data has been imported for this organization yet. Please ask {operator}.",
            operator=_.operator,
        ),
        NotYetCertified: _("The organization has not certified yet. Please wait for its certification."),
        SelfApproval: _(
            "You certified this for the organization, so a colleague of the province must certify it."
        ),
        KeypadExpired: _("These keys are no longer in use. Please start again."),
        BaseChanged: _(
            "The register has changed since you sent the file. Nothing was saved. Please send the file again."
        ),
        DraftGone: _(
            "This file does not wait any more: it was saved, dropped or replaced by another, or a day has passed."
        ),
        NotLocked: _("Your register is not certified, so it can be corrected without a petition."),
        PetitionPending: _("Your petition waits for a decision. You will be told."),
        NothingToExplain: _("There is no difference to explain, or it is explained already."),
        TooManyQuestions: _(
            "{count} questions to this organization wait for their answers. Please wait for some of them.",
            count=MAX_OPEN,
        ),
        UnknownRecord: _("The register has no record with this number any more. Please ask again."),
        QuestionClosed: _("This question has its answer already, or its revision has ended."),
        RemarkRefused: _("There is nothing to send. Please type it again."),
        SpotCheckMissing: _(
            "Please open the organization and finish its spot-check first: every record must be marked Correct."
        ),
        SpotCheckFailed: _(
            "The spot-check found something that is not correct, so this revision cannot be certified. "
            "The organization must be opened for correction first."
        ),
        SpotCheckAltered: _(
            "⛔ This spot-check is not as it was drawn and marked. It cannot be used, and nothing was done. "
            "Please tell {operator}.",
            operator=_.operator,
        ),
        NothingToDraw: _("No spot-check is needed here. Please open the organization to certify."),
        SpotCheckEnded: _("This spot-check no longer counts. Please open the organization again."),
        SpotCheckHandedIn: _("The spot-check was handed in, so nothing in it can be changed."),
        SpotCheckUnfinished: _("Not all records are checked yet. Please open the organization and go on."),
        NotYours: _("Your account has no right to this."),
        BadSeal: _changed_outside(_),
        RecordBroken: _changed_outside(_),
    }


def _changed(turn: Turn) -> Markup:
    """The sentence that what the officer saw has changed: name, place, numbers, or the spot-check."""
    _ = turn.texts
    if turn.officer.account.role is Role.LAO:
        return _(
            "⚠️ The register, or your organization's name or place, has changed. Nothing was certified. Please "
            "check both again."
        )
    return _(
        "⚠️ The register, the spot-check, or the organization's name or place has changed since you looked. "
        "Nothing was certified. Please check all of them again."
    )


def _review_screen(turn: Turn, problem: RosterChanged | ExplanationMissing) -> Screen:
    _ = turn.texts
    if isinstance(problem, RosterChanged):
        sentence = _changed(turn)
    else:
        sentence = _("⚠️ The numbers differ too much. Please explain the difference before you certify.")
    if turn.officer.account.role is Role.LAO:
        screen = lao.review_screen(_, problem.review, turn.setup.demands, turn.now)
    else:
        screen = province.review_screen(_, problem.review, turn.setup.demands, turn.now)
    return screen.headed(sentence)


def _already_certified(turn: Turn, problem: AlreadyCertified) -> Screen:
    _, certificate = turn.texts, problem.certification
    is_lao = turn.officer.account.role is Role.LAO
    look: Tap = LaoReview() if is_lao else ProvinceReview(certificate.organization_code)
    following = () if is_lao else ((Button(_.plain("Next"), NextWaiting()),),)
    return Screen(
        lines(
            _("This has been certified already. Nothing was changed."),
            "",
            organization_line(_, problem.organization),
            certificate_lines(_, certificate),
            other_words(_, certificate, Words.of(problem.organization)),
        ),
        ((Button(_.plain("See the numbers"), look),), *following, (home(_),)),
    )


def _locked(turn: Turn, problem: RosterLocked) -> Screen:
    """The answer to a file for a certified register: the certificate, and the button to ask for a correction."""
    _ = turn.texts
    return Screen(
        lines(
            _("🔒 <b>The register is certified, so no file is taken.</b> Nothing was changed."),
            "",
            organization_line(_, problem.organization),
            certificate_lines(_, problem.certification),
            other_words(_, problem.certification, Words.of(problem.organization)),
        ),
        (
            (Button(_.plain("Ask for a correction"), AskForCorrection()),),
            (Button(_.plain("Certification history"), LaoHistory(0)),),
            (home(_),),
        ),
    )


def _distrusted(turn: Turn) -> Markup:
    """What the chat's link rests on was changed outside the program."""
    _ = turn.texts
    if any(row.startswith("account:") for row in turn.bad_seals):
        return _(
            "⚠️ Your account was changed outside this system, so it gives no right. Please tell {operator}.",
            operator=_.operator,
        )
    return _("⚠️ This chat's link was changed outside this system, so it no longer counts. Please log in again.")


async def no_right(turn: Turn, needed: Right) -> Screen:
    """The answer to a tap or command without the right that it needs: of another role, or in an unlinked chat."""
    screen = await show_home(turn)
    if turn.linked is None and turn.bad_seals:
        return screen.headed(_distrusted(turn))
    if turn.linked is None:
        return screen.headed(turn.texts("This chat is not linked to an account. Please log in first."))
    if turn.linked.is_ready and role_right(turn.linked.account) is not needed:
        return screen.headed(turn.texts("Your account has no right to this."))
    return screen


def apology(language: Language) -> Screen:
    """The apology for an update that was set aside after three failures and changed nothing."""
    _ = texts(language)
    return Screen(_("Sorry, that did not work. Nothing was changed. Please try again from Home."), ((home(_),),))


def not_shown(language: Language) -> Screen:
    """What comes in place of a screen that Telegram refuses. The update is committed, and whether its handler
    changed something is not known here: so it says neither that it counts nor that it does not.
    """
    _ = texts(language)
    return Screen(
        _(
            "Sorry, the answer could not be shown. What you did may have taken effect. Please look from Home"
            " before you do it again."
        ),
        ((home(_),),),
    )


def result_below(language: Language) -> Screen:
    """The screen into which a used keypad is edited that cannot be deleted."""
    _ = texts(language)
    return Screen(_("👇 The result is below."))


def wait_toast(language: Language, seconds: float) -> str:
    """The toast for a tap whose screen waits for the chat's rate limit; empty for less than a second."""
    if seconds < 1:
        return ""
    return texts(language).plain(
        "Telegram asks to wait. The screen comes in {seconds} s.", seconds=math.ceil(seconds)
    )


def plain(screen: Screen) -> Screen:
    """A screen that Telegram refused as malformed, as plain text, cut to the length of a message."""
    words = screen.text.replace(Markup("\n"), Markup("&#10;")).striptags()
    return replace(screen, text=escape(words[:MOST_LETTERS]), apart=None, attachment=None)


def no_file(language: Language) -> Screen:
    """The apology for a promised file that could not be made."""
    _ = texts(language)
    return Screen(_("Sorry, the file could not be made. Please ask for it again."))
