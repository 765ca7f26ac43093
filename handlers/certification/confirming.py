"""Confirming and cancelling a certification: the warning, the PIN, and the irreversible act."""

from markupsafe import Markup

from handlers.accounts import keypad
from handlers.certification import lao, province
from handlers.certification.certifying import warning, warning_title
from handlers.chat.screen import Evidenced, Screen, lines
from handlers.chat.taps.certification import (
    Cancel,
    Confirm,
    LaoHistory,
    LaoReview,
    ProvinceHistory,
    ProvinceReview,
    SeeConfirmation,
    SeeHistory,
)
from handlers.chat.turn import Turn
from handlers.chat.words import headcount_lines, organization_line
from models.accounts.account import Role
from models.accounts.pin import Purpose
from models.certification.certificate import Certification, Level
from models.certification.certify import ClockWrong, Confirmation, certify, find_confirmation, review_confirmation
from models.certification.history import load_certification
from models.certification.review import Review, review


async def confirm(turn: Turn, tap: Confirm) -> Screen:
    """ยืนยันการรับรอง (Confirm certification): ask for the PIN, under the organization and its numbers. Raises the
    domain error of `review_confirmation`.
    """
    confirmation, current_review = await _confirmation_and_review(turn, tap.nonce)
    heading = lines(
        warning_title(turn.texts, confirmation.level),
        organization_line(turn.texts, current_review.organization),
        "",
        headcount_lines(turn.texts, current_review.roster.headcount),
    )
    return await keypad.ask_pin(turn, Purpose.CONFIRM, tap.nonce, heading)


async def see_confirmation(turn: Turn, tap: SeeConfirmation) -> Screen:
    """Show the warning again, for an officer who has left the PIN's keypad. Raises as `confirm`."""
    confirmation, current_review = await _confirmation_and_review(turn, tap.nonce)
    return warning(turn.texts, confirmation, current_review, turn.now)


async def confirmed(turn: Turn, nonce: str) -> Screen:
    """Certify, after the right PIN: irreversible (procedure, LAO step 3, province step 6). Raises the domain error
    of `certify`.
    """
    language, demands = turn.conversation.language, turn.setup.demands
    certificate = await certify(
        turn.session,
        turn.officer,
        nonce,
        turn.now,
        turn.rng,
        language,
        demands=demands,
        clock_offset=turn.clock_offset,
    )
    return Evidenced(Markup(), toast=turn.texts.plain("Certified"), certificate=certificate.id)


async def finished(turn: Turn, certification: Certification) -> Screen:
    """The screen that shows the level's completion: the history, or the status at province level."""
    if certification.level is Level.LAO:
        return await lao.history(turn, LaoHistory(0))
    certificate = await load_certification(turn.session, certification.id)
    return await province.result(turn, certificate)


async def not_now(turn: Turn, problem: ClockWrong) -> Screen:
    """The screen while the clock is wrong: the warning again, so that the officer can confirm later; without a
    confirmation the review.
    """
    confirmation = problem.confirmation
    if confirmation is not None:
        return warning(
            turn.texts, confirmation, await review(turn.session, turn.officer, problem.organization_code), turn.now
        )
    if turn.officer.account.role is Role.LAO:
        return await lao.show_review(turn, LaoReview())
    return await province.show_review(turn, ProvinceReview(problem.organization_code))


async def cancel(turn: Turn, tap: Cancel) -> Screen:
    """ยกเลิก (Cancel): back to the review; nothing was certified. Raises ConfirmationExpired."""
    confirmation = await find_confirmation(turn.session, turn.officer, tap.nonce)
    if confirmation.level is Level.LAO:
        return await lao.show_review(turn, LaoReview())
    return await province.show_review(turn, ProvinceReview(confirmation.organization_code))


async def see_history(turn: Turn, tap: SeeHistory) -> Screen:
    """The history of an organization, from a notice that officers of both levels get."""
    if turn.officer.account.role is Role.LAO:
        return await lao.history(turn, LaoHistory(0))
    return await province.history(turn, ProvinceHistory(tap.organization, 0))


async def _confirmation_and_review(turn: Turn, nonce: str) -> tuple[Confirmation, Review]:
    """The confirmation with this nonce, and the review as it is now."""
    return await review_confirmation(
        turn.session,
        turn.officer,
        nonce,
        turn.now,
        demands=turn.setup.demands,
        clock_offset=turn.clock_offset,
    )
