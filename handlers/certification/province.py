"""Screens of the province level: review, certifying and the result (procedure, province steps 5 and 6)."""

from dataclasses import replace
from datetime import datetime

from markupsafe import Markup

from handlers.certification import desk
from handlers.certification.certifying import (
    certificate_button,
    certificate_buttons,
    changes_buttons,
    checking_rows,
    history_text,
    no_register,
    numbers_line,
    positions_text,
    review_text,
    warning,
)
from handlers.chat.screen import Button, Row, Screen, Style, lines
from handlers.chat.taps.certification import ProvinceCertify, ProvinceHistory, ProvincePositions, ProvinceReview
from handlers.chat.taps.province import NextWaiting, ProvinceList, ProvinceSearch
from handlers.chat.taps.remarks import AskForReopening, AskOrganization
from handlers.chat.taps.spot_checks import DrawSpotCheck
from handlers.chat.taps.tap import Tap
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import certified_organization, home, pager, signature, status_word, way_out
from models.accounts import access
from models.base.thai import shortened
from models.certification import certify, review
from models.certification.certificate import Certification, Level, Status
from models.certification.certify import Demands
from models.certification.history import load_history
from models.certification.review import Review
from models.certification.spot_check import SpotCheck, Verdict, basis_of, verdict
from models.province.progress import Day, count_day
from models.register import roster
from models.register.roster import Category
from models.rounds.round import RoundState

# Letters of the list of records that are gone from the register; a review has room for a few more lines.
GONE_LENGTH = 200


async def show_review(turn: Turn, tap: ProvinceReview) -> Screen:
    """🔍: the review, in which the officer checks the numbers (procedure, province step 5). Raises NotYours,
    OrganizationEnded.
    """
    try:
        current_review = await review.review(turn.session, turn.officer, tap.organization)
    except roster.NoRoster:
        organization = await access.find_organization(turn.session, turn.officer, tap.organization)
        return no_register(turn.texts, organization, ProvinceList())
    at_desk = await desk.sit_down(turn, current_review)
    return review_screen(turn.texts, current_review, turn.setup.demands, turn.now, at_desk)


def review_screen(
    _: Texts, current_review: Review, demands: Demands, now: datetime, at_desk: desk.Desk | None = None
) -> Screen:
    """The review as a screen. It has the button to certify only when that is possible. `at_desk`: for a waiting
    organization.
    """
    code = current_review.organization.dla_code
    taps: dict[Category, Tap] = {category: ProvincePositions(code, category, 0) for category in Category}
    rows: tuple[Row, ...] = ()
    is_open = current_review.round is not None and current_review.round.state is RoundState.OPEN
    notes: tuple[Markup | None, ...] = ()
    are_changes_beside = False
    if current_review.status is Status.LAO_CERTIFIED and is_open:
        spot_check_verdict = verdict(
            current_review.spot_check, size=demands.spot_check_size, records=current_review.roster.headcount.total
        )
        # The first rows, directly below the numbers.
        are_changes_beside = spot_check_verdict is not Verdict.NOT_NEEDED and _has_room(current_review.spot_check)
        rows += _certifying_rows(
            _, current_review, spot_check_verdict, changes_buttons(_, current_review) if are_changes_beside else ()
        )
        notes = (_verdict_line(_, spot_check_verdict), gone_line(_, current_review.spot_check))
    rows += checking_rows(_, current_review, taps, with_changes=not are_changes_beside)
    if is_open:
        ask_row: Row = (Button(_.plain("Ask the LAO"), AskOrganization(code)),)
        rows += ((*ask_row, desk.skip_button(_, code)) if at_desk is not None else ask_row,)
    rows += ((Button(_.plain("Certification history"), ProvinceHistory(code, 0)),),)
    title = _("<b>Province-level review</b>")
    text = review_text(_, title, current_review, demands.difference_percent, now, notes)
    screen = Screen(text, (*rows, way_out(_, ProvinceList())))
    return screen if at_desk is None else at_desk.screen(_, screen)


def certify_button(_: Texts, current_review: Review) -> Button:
    """The button รับรองระดับจังหวัด (Certify at province level), with the fingerprint of the register and the
    spot-check marks on the screen.
    """
    tap = ProvinceCertify(current_review.organization.dla_code, current_review.fingerprint(Level.PROVINCE))
    return Button(_.plain("Certify at province level"), tap, Style.PRIMARY)


def _has_room(check: SpotCheck | None) -> bool:
    """Whether a second button fits beside สุ่มตรวจสอบ (Spot-check) with its count: beside (1/9), but not (1/10)."""
    return check is None or len(check.items) < 10


def _certifying_rows(
    _: Texts, current_review: Review, spot_check_verdict: Verdict, beside: Row
) -> tuple[Row, ...]:
    """The rows with the next step: the spot-check first; certifying when all records are correct or no spot-check
    is needed; after a failed one the next organization, and a petition for a reopening.

    `beside`: buttons in the row of the spot-check.
    """
    code, check = current_review.organization.dla_code, current_review.spot_check
    count = f" ({check.marked}/{len(check.items)})" if check else ""
    style = Style.PRIMARY if spot_check_verdict is Verdict.OPEN else None
    spot_check: Row = (Button(_.plain("Spot-check") + count, DrawSpotCheck(code), style), *beside)
    certify_row: Row = (certify_button(_, current_review),)
    return {
        Verdict.NOT_NEEDED: (certify_row,),
        Verdict.OPEN: (spot_check,),
        Verdict.READY: (certify_row, spot_check),
        Verdict.PASSED: (certify_row, spot_check),
        Verdict.FAILED: (
            (Button(_.plain("Next"), NextWaiting(), Style.PRIMARY),),
            spot_check,
            (Button(_.plain("Ask for a reopening"), AskForReopening(code)),),
        ),
    }[spot_check_verdict]


def _verdict_line(_: Texts, spot_check_verdict: Verdict) -> Markup | None:
    if spot_check_verdict in (Verdict.READY, Verdict.PASSED):
        return _("Spot-check: <b>✅ all correct</b>")
    if spot_check_verdict is Verdict.FAILED:
        return _("Spot-check: <b>❌ not all correct</b>. These figures cannot be certified.")
    return None


def gone_line(_: Texts, check: SpotCheck | None) -> Markup | None:
    """The records that were not correct in an earlier spot-check and are no longer in the register, so that they
    cannot be drawn again; None without any.
    """
    basis = basis_of(check) if check is not None else None
    if basis is None or not basis.gone:
        return None
    numbers = ", ".join(basis.gone)
    return _(
        "⚠️ Not correct before, and not in the register any more: {numbers}",
        numbers=shortened(numbers, GONE_LENGTH),
    )


async def positions(turn: Turn, tap: ProvincePositions) -> Screen:
    """The positions of one category in an organization's register, a page at a time. Raises NotYours."""
    _ = turn.texts
    organization = await access.find_organization(turn.session, turn.officer, tap.organization)
    position_page = await roster.list_positions(turn.session, organization.dla_code, tap.category, tap.page)
    before, after = (replace(tap, page=max(position_page.page + step, 0)) for step in (-1, 1))
    back_to = ProvinceReview(tap.organization)
    return Screen(
        positions_text(_, organization, tap.category, position_page),
        (*pager(_, position_page.page, position_page.pages, before, after), way_out(_, back_to)),
    )


async def ask(turn: Turn, tap: ProvinceCertify) -> Screen:
    """รับรองระดับจังหวัด (Certify at province level): the warning that it is final. Raises the domain error of
    `prepare_confirmation`.
    """
    confirmation, current_review = await certify.prepare_confirmation(
        turn.session,
        turn.officer,
        Level.PROVINCE,
        tap.organization,
        tap.fingerprint,
        turn.now,
        turn.rng,
        demands=turn.setup.demands,
        clock_offset=turn.clock_offset,
    )
    return warning(turn.texts, confirmation, current_review, turn.now)


async def result(turn: Turn, certificate: Certification) -> Screen:
    """The result of certifying at province level, with today's progress.

    `certificate.kept_words` must be loaded: it is `lazy="raise"`.
    """
    day = await count_day(turn.session, turn.officer, certificate.round_id, turn.now)
    return result_screen(turn.texts, certificate, day)


def result_screen(_: Texts, certificate: Certification, day: Day | None) -> Screen:
    """The status that completes an organization (procedure, province step 6). `day`: today's progress of the
    officer's province, with the button to the next organization; None leaves both out.
    """
    status = status_word(_, Status.PROVINCE_CERTIFIED)
    history_tap = ProvinceHistory(certificate.organization_code, 0)
    following = (Button(_.plain("Next"), NextWaiting(), Style.PRIMARY),)
    return Screen(
        lines(
            _("✅ Certification status: <b>{status}</b>", status=status),
            "",
            certified_organization(_, certificate),
            numbers_line(_, certificate),
            "",
            signature(_, certificate),
            *(("", desk.day_line(_, day)) if day is not None else ()),
            _("✅ No organization waits for you.") if day is not None and not day.waiting else None,
        ),
        (
            *((following,) if day is not None and day.waiting else ()),
            (Button(_.plain("Certification history"), history_tap),),
            (certificate_button(_, certificate),),
            (Button(_.plain("Search"), ProvinceSearch(0)), home(_)),
        ),
    )


async def history(turn: Turn, tap: ProvinceHistory) -> Screen:
    """ประวัติการรับรองข้อมูล (Certification history) of one organization. Raises NotYours."""
    _ = turn.texts
    organization_history = await load_history(turn.session, turn.officer, tap.organization)
    text, page, pages = history_text(_, organization_history, tap.page)
    before, after = (replace(tap, page=max(page + step, 0)) for step in (-1, 1))
    back_to = ProvinceList() if organization_history.has_left else ProvinceReview(tap.organization)
    rows = (*certificate_buttons(_, organization_history, page), *pager(_, page, pages, before, after))
    return Screen(text, (*rows, way_out(_, back_to)))
