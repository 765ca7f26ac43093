"""A province's way: filter, list, review, certify, see the result (procedure, province level)."""

from dataclasses import replace

from handlers.certifying import (
    category_buttons,
    certificate_line,
    checking_rows,
    history_text,
    no_register,
    numbers_line,
    positions_text,
    review_text,
    warning,
)
from handlers.home import province_name
from handlers.screen import Button, Row, Screen, Style, lines
from handlers.taps import (
    AskOrganization,
    CertificationMenu,
    ChooseStatus,
    ProvinceCertify,
    ProvinceHistory,
    ProvinceList,
    ProvinceMenu,
    ProvincePositions,
    ProvinceReview,
    ProvinceSearch,
    Tap,
)
from handlers.texts import Texts
from handlers.turn import Turn
from handlers.words import find_label, home, organization_line, pager, round_line, status_word, way_out
from models import certification, progress, roster
from models.certification import Certification, Level, Review, Status
from models.listing import load_listing
from models.roster import Category
from models.round import RoundState, current_round


async def menu(turn: Turn, _tap: Tap) -> Screen:
    """ดำเนินการ(จังหวัด): the filter สถานภาพรับรองข้อมูล and ค้นหา (procedure, province step 3)."""
    _ = turn.texts
    listing = await load_listing(turn.session, turn.officer)
    (counts,) = await progress.count_statuses(turn.session, turn.officer.account.province_code)
    statuses: tuple[Row, ...] = tuple(
        (
            Button(
                f"{'✅ ' if status is listing.status else ''}{status_word(_, status)} ({counts.of(status):,})",
                ChooseStatus(status),
            ),
        )
        for status in Status
    )
    search = Button(_.plain("Search"), ProvinceSearch(0), Style.PRIMARY)
    return Screen(
        lines(
            _("<b>{province} province</b>", province=province_name(_, turn.officer.account)),
            round_line(_, await current_round(turn.session)),
            "",
            _("Status filter: <b>{status}</b>", status=status_word(_, listing.status)),
        ),
        (*statuses, (search,), way_out(_, CertificationMenu())),
    )


async def choose_status(turn: Turn, tap: ChooseStatus) -> Screen:
    """One of the three statuses."""
    (await load_listing(turn.session, turn.officer)).status = tap.status
    return await menu(turn, tap)


async def search(turn: Turn, tap: ProvinceSearch) -> Screen:
    """ค้นหา: the organizations with the chosen status, 🔍 at each (procedure, province step 4)."""
    (await load_listing(turn.session, turn.officer)).page = tap.page
    return await show_list(turn, tap)


async def show_list(turn: Turn, _tap: Tap) -> Screen:
    """The list, at the page where it was left."""
    _ = turn.texts
    listing = await load_listing(turn.session, turn.officer)
    found = await progress.list_organizations(turn.session, turn.officer, listing)
    listed: tuple[Row, ...] = tuple(
        (Button(find_label(row.full_name, row.district_th), ProvinceReview(row.dla_code)),) for row in found.rows
    )
    before, after = (ProvinceSearch(max(found.page + step, 0)) for step in (-1, 1))
    return Screen(
        lines(
            _("Status filter: <b>{status}</b>", status=status_word(_, listing.status)),
            _("Organizations: {total:,}", total=found.total)
            if found.total
            else _("No organization has this status."),
        ),
        (*listed, *pager(found.page, found.pages, before, after), way_out(_, ProvinceMenu())),
    )


async def show_review(turn: Turn, tap: ProvinceReview) -> Screen:
    """🔍: do the numbers match the facts? (procedure, province step 5)."""
    try:
        shown = await certification.review(turn.session, turn.officer, tap.organization)
    except roster.NoRoster:
        organization = await certification.find_organization(turn.session, turn.officer, tap.organization)
        return no_register(turn.texts, organization, ProvinceList())
    return review_screen(turn.texts, shown, turn.setup.difference_percent)


def review_screen(_: Texts, shown: Review, difference_percent: int) -> Screen:
    """The review as a screen; the button to certify is there only when it can be."""
    code = shown.organization.dla_code
    taps: dict[Category, Tap] = {category: ProvincePositions(code, category, 0) for category in Category}
    rows: tuple[Row, ...] = category_buttons(_, shown, taps) + checking_rows(_, shown)
    if shown.round is not None and shown.round.state is RoundState.OPEN:
        rows += ((Button(_.plain("Ask the organization"), AskOrganization(code)),),)
    if shown.status is Status.LAO_CERTIFIED and shown.round and shown.round.state is RoundState.OPEN:
        label = _.plain("Certify at province level")
        rows += ((Button(label, ProvinceCertify(code, shown.fingerprint), Style.PRIMARY),),)
    rows += ((Button(_.plain("Certification history"), ProvinceHistory(code, 0)),),)
    title = _("<b>Province-level review</b>")
    return Screen(review_text(_, title, shown, difference_percent), (*rows, way_out(_, ProvinceList())))


async def positions(turn: Turn, tap: ProvincePositions) -> Screen:
    """The positions of one category, a page at a time."""
    _ = turn.texts
    organization = await certification.find_organization(turn.session, turn.officer, tap.organization)
    found = await roster.list_positions(turn.session, organization.dla_code, tap.category, tap.page)
    before, after = (replace(tap, page=max(found.page + step, 0)) for step in (-1, 1))
    back_to = ProvinceReview(tap.organization)
    return Screen(
        positions_text(_, organization, tap.category, found),
        (*pager(found.page, found.pages, before, after), way_out(_, back_to)),
    )


async def ask(turn: Turn, tap: ProvinceCertify) -> Screen:
    """รับรองระดับจังหวัด: the warning that it cannot be taken back."""
    confirmation, shown = await certification.prepare_confirmation(
        turn.session,
        turn.officer,
        Level.PROVINCE,
        tap.organization,
        tap.fingerprint,
        turn.now,
        turn.rng,
        difference_percent=turn.setup.difference_percent,
    )
    return warning(turn.texts, confirmation, shown)


async def result(turn: Turn, made: Certification) -> Screen:
    """The status that must appear for the organization to be finished (procedure, province step 6)."""
    _ = turn.texts
    organization = await certification.find_organization(turn.session, turn.officer, made.organization_code)
    status = status_word(_, Status.PROVINCE_CERTIFIED)
    history_tap = ProvinceHistory(made.organization_code, 0)
    return Screen(
        lines(
            _("✅ Certification status: <b>{status}</b>", status=status),
            "",
            organization_line(_, organization),
            numbers_line(_, made),
            "",
            certificate_line(_, made),
        ),
        (
            (Button(_.plain("Search"), ProvinceSearch(0), Style.PRIMARY),),
            (Button(_.plain("Certification history"), history_tap),),
            (home(_),),
        ),
    )


async def history(turn: Turn, tap: ProvinceHistory) -> Screen:
    """ประวัติการรับรองข้อมูล of one organization."""
    _ = turn.texts
    found = await certification.history(turn.session, turn.officer, tap.organization)
    text, page, pages = history_text(_, found, tap.page)
    before, after = (replace(tap, page=max(page + step, 0)) for step in (-1, 1))
    back_to = ProvinceReview(tap.organization)
    return Screen(text, (*pager(page, pages, before, after), way_out(_, back_to)))
