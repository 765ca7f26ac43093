"""The irreversible press, and the way back from it."""

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
    """ยืนยันการรับรอง: what and how many is certified once more, and the PIN."""
    asked, shown = await _asked_and_shown(turn, tap.nonce)
    heading = lines(
        warning_title(turn.texts, asked.level),
        organization_line(turn.texts, shown.organization),
        "",
        headcount_lines(turn.texts, shown.roster.headcount),
    )
    return await keypad.ask_pin(turn, Purpose.CONFIRM, tap.nonce, heading)


async def see_confirmation(turn: Turn, tap: SeeConfirmation) -> Screen:
    """The warning once more, from a PIN that was not entered after all."""
    asked, shown = await _asked_and_shown(turn, tap.nonce)
    return warning(turn.texts, asked, shown, turn.now)


async def confirmed(turn: Turn, nonce: str) -> Screen:
    """After the PIN: the one act that cannot be taken back (procedure, LAO step 3, province step 6)."""
    language, demands = turn.conversation.language, turn.setup.demands
    made = await certify(
        turn.session,
        turn.officer,
        nonce,
        turn.now,
        turn.rng,
        language,
        demands=demands,
        clock_offset=turn.clock_offset,
    )
    return Evidenced(Markup(), toast=turn.texts.plain("Certified"), certificate=made.id)


async def finished(turn: Turn, made: Certification) -> Screen:
    """What has appeared for the level to be finished: the history, or the province's status."""
    if made.level is Level.LAO:
        return await lao.history(turn, LaoHistory(0))
    certificate = await load_certification(turn.session, made.id)
    return await province.result(turn, certificate)


async def not_now(turn: Turn, problem: ClockWrong) -> Screen:
    """The clock is wrong: the warning as it stood, which can be confirmed once more; else the numbers."""
    confirmation = problem.confirmation
    if confirmation is not None:
        return warning(
            turn.texts, confirmation, await review(turn.session, turn.officer, problem.organization_code), turn.now
        )
    if turn.officer.account.role is Role.LAO:
        return await lao.show_review(turn, LaoReview())
    return await province.show_review(turn, ProvinceReview(problem.organization_code))


async def cancel(turn: Turn, tap: Cancel) -> Screen:
    """ยกเลิก: back to the numbers, nothing was certified."""
    asked = await find_confirmation(turn.session, turn.officer, tap.nonce)
    if asked.level is Level.LAO:
        return await lao.show_review(turn, LaoReview())
    return await province.show_review(turn, ProvinceReview(asked.organization_code))


async def see_history(turn: Turn, tap: SeeHistory) -> Screen:
    """The history of an organization, from a notice that went to both sides."""
    if turn.officer.account.role is Role.LAO:
        return await lao.history(turn, LaoHistory(0))
    return await province.history(turn, ProvinceHistory(tap.organization, 0))


async def _asked_and_shown(turn: Turn, nonce: str) -> tuple[Confirmation, Review]:
    """The confirmation that was asked for, and the numbers as they stand now."""
    return await review_confirmation(
        turn.session,
        turn.officer,
        nonce,
        turn.now,
        demands=turn.setup.demands,
        clock_offset=turn.clock_offset,
    )
