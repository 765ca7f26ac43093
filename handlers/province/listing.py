"""How a province's officer finds an organization: the filter, the list, and a search by typed words.

The filter and the list are steps 3 and 4 of the procedure, province level.
"""

from markupsafe import Markup

from handlers.accounts.home import province_name
from handlers.chat.deleting import refused, require_deleted
from handlers.chat.screen import Button, Row, Screen, Style, lines
from handlers.chat.taps.certification import CertificationMenu, ProvinceReview
from handlers.chat.taps.province import (
    ChooseDistrict,
    ChooseSorting,
    ChooseStatus,
    ChooseType,
    ExportList,
    Lift,
    OnlyWithRemarks,
    ProvinceDistricts,
    ProvinceMenu,
    ProvinceSearch,
    ProvinceTypes,
    SeeProgress,
)
from handlers.chat.taps.tap import Tap
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import district_word, find_label, home, masked, pager, round_line, status_word, way_out
from models.accounts.access import find_organization
from models.certification.certificate import Status
from models.organizations.organization import OrganizationEnd
from models.organizations.typed_name import MAX_WORDS, NoSearch
from models.province import listing as lists
from models.province.listing import (
    Choice,
    ListedOrganization,
    Listing,
    Narrowing,
    OrganizationPage,
    Sorting,
    load_listing,
)

DISTRICTS_PER_PAGE = 8
CHOSEN = "✓ "
# Signs of the statuses in a list with several; they differ in shape, not only in colour.
SIGNS = {Status.UNCERTIFIED: "○", Status.LAO_CERTIFIED: "◐", Status.PROVINCE_CERTIFIED: "●"}
OPEN_QUESTION = "❓"
LOOKED_AT = "👁"
BLOCKED = "⛔"
# In place of a status, for an organization that has ended.
ENDED = "✕"


# --- the filter ---------------------------------------------------------------------------------------------


async def _filter(turn: Turn) -> Listing:
    """The officer's stored filter. Ends a search by typed words, which is separate from the filter."""
    listing = await load_listing(turn.session, turn.officer)
    if listing.words is not None:
        listing.lift(Narrowing.WORDS)
    return listing


async def menu(turn: Turn, _tap: Tap) -> Screen:
    """ดำเนินการ(จังหวัด) (Proceed, province): the status filter and the button ค้นหา (Search) (procedure, province
    step 3).
    """
    _ = turn.texts
    listing = await _filter(turn)
    round_, counts = await lists.count_by_status(turn.session, turn.officer, listing)
    rows: list[Row] = [
        (
            _choice(
                f"{status_word(_, status)} ({counts[status]:,})", ChooseStatus(status), status is listing.status
            ),
        )
        for status in Status
    ]
    rows += _narrowing_rows(_, listing)
    rows += [(Button(_.plain("Search"), ProvinceSearch(0), Style.PRIMARY),)]
    rows += [(Button(_.plain("Progress picture"), SeeProgress()), Button(_.plain("Export"), ExportList()))]
    rows += [way_out(_, CertificationMenu())]
    return Screen(
        lines(
            _("<b>{province} province</b>", province=province_name(_, turn.officer.account)),
            round_line(_, round_, turn.now),
            "",
            _("Status filter: <b>{status}</b>", status=status_word(_, listing.status)),
            await _narrowing_line(turn, listing),
            "",
            _("Or type a part of a name or a code."),
        ),
        tuple(rows),
    )


def _narrowing_rows(_: Texts, listing: Listing) -> list[Row]:
    """Buttons for type, district, remarks and order; when the list is narrowed, one to clear the filter."""
    only_remarks: Tap = Lift(Narrowing.REMARKS) if listing.with_remarks else OnlyWithRemarks()
    other = Sorting.WAITING if listing.sorting is Sorting.NAME else Sorting.NAME
    rows: list[Row] = [
        (
            _choice(_.plain("Type"), ProvinceTypes(), listing.type_code is not None),
            _choice(_.plain("District"), ProvinceDistricts(0), listing.district is not None),
        ),
        (_choice(_.plain("With remarks"), only_remarks, listing.with_remarks),),
        (Button(f"↕ {sorting_word(_, listing.sorting)}", ChooseSorting(other)),),
    ]
    if listing.is_narrowed:
        rows.append((_lift_all(_),))
    return rows


def _choice(label: str, tap: Tap, is_chosen: bool) -> Button:
    return Button(f"{CHOSEN if is_chosen else ''}{label}", tap)


def _lift_all(_: Texts) -> Button:
    return Button(_.plain("Clear the filter"), Lift(Narrowing.ALL))


def sorting_word(_: Texts, sorting: Sorting) -> str:
    """A list's order in words."""
    return _.plain("By type and name") if sorting is Sorting.NAME else _.plain("Longest waiting")


async def _narrowing_line(turn: Turn, listing: Listing) -> str | None:
    """The narrowings of the filter: `อบต. · อ.บางพลี · มีข้อสังเกต`; None without any."""
    _ = turn.texts
    parts = [
        await lists.type_name(turn.session, turn.officer, listing),
        district_word(_, listing.district) if listing.district is not None else None,
        _.plain("With remarks") if listing.with_remarks else None,
    ]
    return " · ".join(part for part in parts if part is not None) or None


async def choose_status(turn: Turn, tap: ChooseStatus) -> Screen:
    """Filter by one of the three statuses, from the first page on."""
    listing = await _filter(turn)
    listing.status, listing.page = tap.status, 0
    return await menu(turn, tap)


async def choose_type(turn: Turn, tap: ChooseType) -> Screen:
    """Narrow the list to the type of the tap's organization. Raises NotYours."""
    listing = await _filter(turn)
    listing.type_code = (await find_organization(turn.session, turn.officer, tap.organization)).type_code
    listing.page = 0
    return await menu(turn, tap)


async def choose_district(turn: Turn, tap: ChooseDistrict) -> Screen:
    """Narrow the list to the district of the tap's organization. Raises NotYours."""
    listing = await _filter(turn)
    listing.district = (await find_organization(turn.session, turn.officer, tap.organization)).district_th
    listing.page = 0
    return await menu(turn, tap)


async def only_with_remarks(turn: Turn, tap: OnlyWithRemarks) -> Screen:
    """มีข้อสังเกต (With remarks): narrow the list to organizations with remarks in the round."""
    listing = await _filter(turn)
    listing.with_remarks, listing.page = True, 0
    return await menu(turn, tap)


async def choose_sorting(turn: Turn, tap: ChooseSorting) -> Screen:
    """Set the list's order: Thai dictionary order, or longest waiting first."""
    listing = await _filter(turn)
    listing.sorting, listing.page = tap.sorting, 0
    return await menu(turn, tap)


async def lift(turn: Turn, tap: Lift) -> Screen:
    """Remove a narrowing. Ending a search by words shows the list, all others the filter."""
    listing = await load_listing(turn.session, turn.officer)
    listing.lift(tap.what)
    return await (show_list if tap.what is Narrowing.WORDS else menu)(turn, tap)


async def types(turn: Turn, _tap: Tap) -> Screen:
    """The types that organizations with the chosen status have, with their counts."""
    _ = turn.texts
    listing = await _filter(turn)
    choices = await lists.choose_types(turn.session, turn.officer, listing)
    rows = [_all(_, choices, Narrowing.TYPE, listing.type_code)]
    rows += [(_value(choice, ChooseType(choice.dla_code), listing.type_code),) for choice in choices]
    return Screen(
        _choosing(_, _("<b>Type</b>"), listing),
        (*rows, way_out(_, ProvinceMenu())),
    )


async def districts(turn: Turn, tap: ProvinceDistricts) -> Screen:
    """The districts that have organizations with the chosen status, with their counts, a page at a time."""
    _ = turn.texts
    listing = await _filter(turn)
    choices = await lists.choose_districts(turn.session, turn.officer, listing)
    pages = max(1, -(-len(choices) // DISTRICTS_PER_PAGE))
    page = min(tap.page, pages - 1)
    rows = [_all(_, choices, Narrowing.DISTRICT, listing.district)]
    rows += [
        (_value(choice, ChooseDistrict(choice.dla_code), listing.district),)
        for choice in choices[page * DISTRICTS_PER_PAGE : (page + 1) * DISTRICTS_PER_PAGE]
    ]
    before, after = (ProvinceDistricts(max(page + step, 0)) for step in (-1, 1))
    return Screen(
        _choosing(_, _("<b>District</b>"), listing),
        (*rows, *pager(_, page, pages, before, after), way_out(_, ProvinceMenu())),
    )


def _choosing(_: Texts, title: Markup, listing: Listing) -> Markup:
    """The text above the choices: a title, and the chosen status, to which the counts refer."""
    return lines(title, _("Status filter: <b>{status}</b>", status=status_word(_, listing.status)))


def _all(_: Texts, choices: list[Choice], what: Narrowing, chosen: str | None) -> Row:
    label = _.plain("All ({total:,})", total=sum(choice.count for choice in choices))
    return (_choice(label, Lift(what), chosen is None),)


def _value(choice: Choice, tap: Tap, chosen: str | None) -> Button:
    return _choice(f"{choice.name} ({choice.count:,})", tap, choice.value == chosen)


# --- the list -----------------------------------------------------------------------------------------------


async def search(turn: Turn, tap: ProvinceSearch) -> Screen:
    """ค้นหา (Search): a page of the organizations that match the filter, each with a 🔍 button (procedure, province
    step 4).
    """
    (await load_listing(turn.session, turn.officer)).page = tap.page
    return await show_list(turn, tap)


async def show_list(turn: Turn, _tap: Tap) -> Screen:
    """The list, at the page that the officer left."""
    listing = await load_listing(turn.session, turn.officer)
    return await _list(turn, listing, await lists.search(turn.session, turn.officer, listing, turn.now))


async def take_words(turn: Turn, text: str) -> Screen:
    """Search by the words that a province's officer types without being asked: a part of a name or a code. Words
    that match nothing are deleted, because they may be a password or a PIN. Raises NeedsDeletion.
    """
    _ = turn.texts
    listing = await load_listing(turn.session, turn.officer)
    try:
        matches = await lists.type_words(turn.session, turn.officer, listing, text, turn.now)
    except NoSearch:
        return _instead(
            turn,
            _("To find an organization, type a part of its name or code, at most {most} letters.", most=MAX_WORDS),
        )
    if not matches.total:
        return _instead(turn, _("No organization of your province has this in its name or code."))
    return await _list(turn, listing, matches)


def _instead(turn: Turn, sentence: Markup) -> Screen:
    """The answer to words that match nothing; it offers the filter. Raises NeedsDeletion."""
    require_deleted(turn)
    _ = turn.texts
    rows = ((Button(_.plain("Status filter"), ProvinceMenu(), Style.PRIMARY),), (home(_),))
    return refused(turn, Screen(sentence, rows))


async def _list(turn: Turn, listing: Listing, matches: OrganizationPage) -> Screen:
    _ = turn.texts
    organization_rows = [
        (Button(find_label(row.name, _marks(listing, row)), ProvinceReview(row.name.dla_code)),)
        for row in matches.rows
    ]
    before, after = (ProvinceSearch(max(matches.page + step, 0)) for step in (-1, 1))
    rows: list[Row] = [*organization_rows, *pager(_, matches.page, matches.pages, before, after)]
    if listing.words is not None:
        rows.append((Button(_.plain("End this search"), Lift(Narrowing.WORDS)),))
        heading: list[Markup | str | None] = [_("Search: <b>{words}</b> · all statuses", words=listing.words)]
    else:
        if listing.is_narrowed and not matches.total:
            rows.append((_lift_all(_),))
        heading = [
            _("Status filter: <b>{status}</b>", status=status_word(_, listing.status)),
            await _narrowing_line(turn, listing),
        ]
    return Screen(
        lines(*heading, _total(_, listing, matches), *_legend(_, listing, matches)),
        (*rows, way_out(_, ProvinceMenu())),
    )


def _marks(listing: Listing, row: ListedOrganization) -> str:
    """The signs before 🔍: the status in a list with several, and one mark, because a button has room for only
    one: blocked until the operator acts, being checked by a colleague, or with an open question. An ended
    organization has a sign of its own.
    """
    if row.end is not None:
        return ENDED
    marks = {
        BLOCKED: row.is_blocked,
        LOOKED_AT: row.looker is not None,
        OPEN_QUESTION: row.has_open_question,
    }
    first = next((mark for mark, is_so in marks.items() if is_so), "")
    return (SIGNS[row.status] if listing.words is not None else "") + first


def _ended(_: Texts, end: OrganizationEnd) -> Markup:
    """The line that an organization has ended, with its successor if it has one."""
    name = end.organization.full_name
    if end.successor is None:
        return _("✕ {organization} has been closed", organization=name)
    return _("✕ {organization} goes on as {successor}", organization=name, successor=end.successor.full_name)


def _total(_: Texts, listing: Listing, matches: OrganizationPage) -> Markup:
    if matches.total:
        total = _("Organizations: {total:,}", total=matches.total)
        return total + f" · {sorting_word(_, listing.sorting)}"
    if listing.is_narrowed:
        return _("No organization is within this filter.")
    return _("No organization has this status.")


def _legend(_: Texts, listing: Listing, matches: OrganizationPage) -> list[Markup | str]:
    """The meaning of the signs on this page, and which colleague checks what, with masked names."""
    legend: list[Markup | str] = []
    if listing.words is not None:
        statuses = {row.status for row in matches.rows if row.end is None}
        legend += [f"{SIGNS[status]} {status_word(_, status)}" for status in Status if status in statuses]
    legend += [_ended(_, row.end) for row in matches.rows if row.end is not None]
    if any(row.is_blocked for row in matches.rows):
        legend.append(_("⛔ the spot-check failed: waits until the operator opens it"))
    if any(row.has_open_question for row in matches.rows):
        legend.append(_("❓ a question waits for its answer"))
    legend += [
        _("👁 {organization}: {name} is checking", organization=row.name.full, name=masked(row.looker))
        for row in matches.rows
        if row.looker is not None
    ]
    return ["", *legend] if legend else []
