"""Screens of the LAO level: reviewing the numbers, certifying, and the history (procedure, LAO level)."""

from datetime import datetime

from handlers.certification.certifying import (
    certificate_buttons,
    checking_rows,
    history_text,
    no_register,
    positions_text,
    review_text,
    warning,
)
from handlers.chat.screen import Button, Row, Screen, Style, lines
from handlers.chat.taps.certification import (
    CertificationMenu,
    LaoCertify,
    LaoHistory,
    LaoMenu,
    LaoPositions,
    LaoReview,
)
from handlers.chat.taps.register import SendRegister
from handlers.chat.taps.remarks import AskForCorrection, ExplainDifference
from handlers.chat.taps.tap import Tap
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import organization_line, pager, round_line, status_word, way_out
from models.accounts import access
from models.certification import certify, review
from models.certification.certificate import Level, Status
from models.certification.certify import Demands
from models.certification.history import load_history
from models.certification.review import Review
from models.register import roster
from models.register.roster import Category
from models.rounds.round import RoundState


async def menu(turn: Turn, _tap: Tap) -> Screen:
    """ดำเนินการ(อปท.) (Proceed, LAO): the status of the officer's organization, and what can be done."""
    _ = turn.texts
    organization = turn.officer.account.organization
    assert organization is not None  # noqa: S101 - the table's check constraint
    round_, status = await review.own_status(turn.session, turn.own_organization)
    file = Button(_.plain("Send the register as a file"), SendRegister())
    return Screen(
        lines(
            organization_line(_, organization),
            "",
            round_line(_, round_, turn.now),
            _("Certification status: <b>{status}</b>", status=status_word(_, status)),
        ),
        (
            (Button(_.plain("LAO-level certification"), LaoReview(), Style.PRIMARY),),
            (Button(_.plain("Certification history"), LaoHistory(0)),),
            *(((file,),) if status is Status.UNCERTIFIED else ()),
            way_out(_, CertificationMenu()),
        ),
    )


async def show_review(turn: Turn, _tap: LaoReview) -> Screen:
    """รับรองข้อมูลระดับ อปท. (LAO-level certification): the review of the recorded numbers (procedure, LAO step 2)."""
    try:
        current_review = await review.review(turn.session, turn.officer, turn.own_organization)
    except roster.NoRoster:
        organization = await access.find_organization(turn.session, turn.officer, turn.own_organization)
        _ = turn.texts
        file = Button(_.plain("Send the register as a file"), SendRegister(), Style.PRIMARY)
        return no_register(_, organization, LaoMenu(), file)
    return review_screen(turn.texts, current_review, turn.setup.demands, turn.now)


def review_screen(_: Texts, current_review: Review, demands: Demands, now: datetime) -> Screen:
    """The review as a screen. It has the button to certify only when that is possible; while an explanation is
    missing, the button to give it.
    """
    taps: dict[Category, Tap] = {category: LaoPositions(category, 0) for category in Category}
    # The first row, directly below the numbers.
    rows: tuple[Row, ...] = ()
    if (
        current_review.status is Status.UNCERTIFIED
        and current_review.round is not None
        and current_review.round.state is RoundState.OPEN
    ):
        rows += ((_step(_, current_review, demands),),)
    rows += checking_rows(_, current_review, taps)
    if current_review.status is Status.UNCERTIFIED:
        rows += ((Button(_.plain("Send the register as a file"), SendRegister()),),)
    else:
        rows += ((Button(_.plain("Certification history"), LaoHistory(0)),),)
        rows += ((Button(_.plain("Ask for a correction"), AskForCorrection()),),)
    title = _("<b>LAO-level certification</b>")
    return Screen(
        review_text(_, title, current_review, demands.difference_percent, now), (*rows, way_out(_, LaoMenu()))
    )


def _step(_: Texts, current_review: Review, demands: Demands) -> Button:
    """The button of the next step: explaining a large difference, else certifying."""
    if current_review.lacks_explanation(demands.difference_percent):
        return Button(_.plain("Explain the difference"), ExplainDifference(), Style.PRIMARY)
    return Button(
        _.plain("Certify at LAO level"), LaoCertify(current_review.fingerprint(Level.LAO)), Style.PRIMARY
    )


async def positions(turn: Turn, tap: LaoPositions) -> Screen:
    """The positions of one category in the officer's own register, a page at a time."""
    _ = turn.texts
    organization = await access.find_organization(turn.session, turn.officer, turn.own_organization)
    position_page = await roster.list_positions(turn.session, organization.dla_code, tap.category, tap.page)
    before, after = (LaoPositions(tap.category, max(position_page.page + step, 0)) for step in (-1, 1))
    return Screen(
        positions_text(_, organization, tap.category, position_page),
        (*pager(_, position_page.page, position_page.pages, before, after), way_out(_, LaoReview())),
    )


async def ask(turn: Turn, tap: LaoCertify) -> Screen:
    """รับรองระดับ อปท. (Certify at LAO level): the warning that nothing can be edited or recorded afterwards.
    Raises the domain error of `prepare_confirmation`.
    """
    confirmation, current_review = await certify.prepare_confirmation(
        turn.session,
        turn.officer,
        Level.LAO,
        turn.own_organization,
        tap.fingerprint,
        turn.now,
        turn.rng,
        demands=turn.setup.demands,
        clock_offset=turn.clock_offset,
    )
    return warning(turn.texts, confirmation, current_review, turn.now)


async def history(turn: Turn, tap: LaoHistory) -> Screen:
    """ประวัติการรับรองข้อมูล (Certification history) of the officer's organization. A new entry completes the LAO level
    (procedure, LAO step 3).
    """
    _ = turn.texts
    own_history = await load_history(turn.session, turn.officer, turn.own_organization)
    text, page, pages = history_text(_, own_history, tap.page)
    before, after = LaoHistory(max(page - 1, 0)), LaoHistory(page + 1)
    rows = (*certificate_buttons(_, own_history, page), *pager(_, page, pages, before, after))
    return Screen(text, (*rows, way_out(_, LaoMenu())))
