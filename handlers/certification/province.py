"""A province's way from the review on: certify, see the result (procedure, province steps 5 and 6)."""

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

# Of the numbers of records that are gone; a review has room for a few lines more.
GONE_LENGTH = 200


async def show_review(turn: Turn, tap: ProvinceReview) -> Screen:
    """🔍: do the numbers match the facts? (procedure, province step 5)."""
    try:
        shown = await review.review(turn.session, turn.officer, tap.organization)
    except roster.NoRoster:
        organization = await access.find_organization(turn.session, turn.officer, tap.organization)
        return no_register(turn.texts, organization, ProvinceList())
    at_desk = await desk.sit_down(turn, shown)
    return review_screen(turn.texts, shown, turn.setup.demands, turn.now, at_desk)


def review_screen(
    _: Texts, shown: Review, demands: Demands, now: datetime, at_desk: desk.Desk | None = None
) -> Screen:
    """The review as a screen; the button to certify is there only when it can be."""
    code = shown.organization.dla_code
    taps: dict[Category, Tap] = {category: ProvincePositions(code, category, 0) for category in Category}
    rows: tuple[Row, ...] = ()
    is_open = shown.round is not None and shown.round.state is RoundState.OPEN
    notes: tuple[Markup | None, ...] = ()
    are_changes_beside = False
    if shown.status is Status.LAO_CERTIFIED and is_open:
        decided = verdict(shown.spot_check, size=demands.spot_check_size, records=shown.roster.headcount.total)
        # Directly below the numbers.
        are_changes_beside = decided is not Verdict.NOT_NEEDED and _has_room(shown.spot_check)
        rows += _certifying_rows(_, shown, decided, changes_buttons(_, shown) if are_changes_beside else ())
        notes = (_verdict_line(_, decided), gone_line(_, shown.spot_check))
    rows += checking_rows(_, shown, taps, with_changes=not are_changes_beside)
    if is_open:
        ask_row: Row = (Button(_.plain("Ask the LAO"), AskOrganization(code)),)
        rows += ((*ask_row, desk.skip_button(_, code)) if at_desk is not None else ask_row,)
    rows += ((Button(_.plain("Certification history"), ProvinceHistory(code, 0)),),)
    title = _("<b>Province-level review</b>")
    text = review_text(_, title, shown, demands.difference_percent, now, notes)
    screen = Screen(text, (*rows, way_out(_, ProvinceList())))
    return screen if at_desk is None else at_desk.screen(_, screen)


def certify_button(_: Texts, shown: Review) -> Button:
    """รับรองระดับจังหวัด, bound to the register and to the marks that stand on the screen."""
    tap = ProvinceCertify(shown.organization.dla_code, shown.fingerprint(Level.PROVINCE))
    return Button(_.plain("Certify at province level"), tap, Style.PRIMARY)


def _has_room(check: SpotCheck | None) -> bool:
    """Whether a second button fits beside สุ่มตรวจสอบ with its count, (1/9) but not (1/10)."""
    return check is None or len(check.items) < 10


def _certifying_rows(_: Texts, shown: Review, decided: Verdict, beside: Row) -> tuple[Row, ...]:
    """สุ่มตรวจสอบ first; รับรองระดับจังหวัด when all is correct, or none is asked for; another way when it failed.
    `beside`: what stands in the row of สุ่มตรวจสอบ.
    """
    code, check = shown.organization.dla_code, shown.spot_check
    count = f" ({check.marked}/{len(check.items)})" if check else ""
    style = Style.PRIMARY if decided is Verdict.OPEN else None
    spot_check: Row = (Button(_.plain("Spot-check") + count, DrawSpotCheck(code), style), *beside)
    certify_row: Row = (certify_button(_, shown),)
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
    }[decided]


def _verdict_line(_: Texts, decided: Verdict) -> Markup | None:
    if decided in (Verdict.READY, Verdict.PASSED):
        return _("Spot-check: <b>✅ all correct</b>")
    if decided is Verdict.FAILED:
        return _("Spot-check: <b>❌ not all correct</b>. These figures cannot be certified.")
    return None


def gone_line(_: Texts, check: SpotCheck | None) -> Markup | None:
    """Which records were not correct before and are gone from the register, so that none of them is drawn."""
    basis = basis_of(check) if check is not None else None
    if basis is None or not basis.gone:
        return None
    numbers = ", ".join(basis.gone)
    return _(
        "⚠️ Not correct before, and not in the register any more: {numbers}",
        numbers=shortened(numbers, GONE_LENGTH),
    )


async def positions(turn: Turn, tap: ProvincePositions) -> Screen:
    """The positions of one category, a page at a time."""
    _ = turn.texts
    organization = await access.find_organization(turn.session, turn.officer, tap.organization)
    found = await roster.list_positions(turn.session, organization.dla_code, tap.category, tap.page)
    before, after = (replace(tap, page=max(found.page + step, 0)) for step in (-1, 1))
    back_to = ProvinceReview(tap.organization)
    return Screen(
        positions_text(_, organization, tap.category, found),
        (*pager(_, found.page, found.pages, before, after), way_out(_, back_to)),
    )


async def ask(turn: Turn, tap: ProvinceCertify) -> Screen:
    """รับรองระดับจังหวัด: the warning that it cannot be taken back."""
    confirmation, shown = await certify.prepare_confirmation(
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
    return warning(turn.texts, confirmation, shown, turn.now)


async def result(turn: Turn, made: Certification) -> Screen:
    """What has appeared for the organization to be finished, once more. `made` has its words loaded."""
    day = await count_day(turn.session, turn.officer, made.round_id, turn.now)
    return result_screen(turn.texts, made, day)


def result_screen(_: Texts, made: Certification, day: Day | None) -> Screen:
    """The status that must appear for the organization to be finished (procedure, province step 6). With the day
    of the officer's province it says what comes next.
    """
    status = status_word(_, Status.PROVINCE_CERTIFIED)
    history_tap = ProvinceHistory(made.organization_code, 0)
    following = (Button(_.plain("Next"), NextWaiting(), Style.PRIMARY),)
    return Screen(
        lines(
            _("✅ Certification status: <b>{status}</b>", status=status),
            "",
            certified_organization(_, made),
            numbers_line(_, made),
            "",
            signature(_, made),
            *(("", desk.day_line(_, day)) if day is not None else ()),
            _("✅ No organization waits for you.") if day is not None and not day.waiting else None,
        ),
        (
            *((following,) if day is not None and day.waiting else ()),
            (Button(_.plain("Certification history"), history_tap),),
            (certificate_button(_, made),),
            (Button(_.plain("Search"), ProvinceSearch(0)), home(_)),
        ),
    )


async def history(turn: Turn, tap: ProvinceHistory) -> Screen:
    """ประวัติการรับรองข้อมูล of one organization."""
    _ = turn.texts
    found = await load_history(turn.session, turn.officer, tap.organization)
    text, page, pages = history_text(_, found, tap.page)
    before, after = (replace(tap, page=max(page + step, 0)) for step in (-1, 1))
    back_to = ProvinceList() if found.has_left else ProvinceReview(tap.organization)
    rows = (*certificate_buttons(_, found, page), *pager(_, page, pages, before, after))
    return Screen(text, (*rows, way_out(_, back_to)))
