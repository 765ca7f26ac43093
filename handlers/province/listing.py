"""How a province finds an organization: the filter, the list, and words that are typed.

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
# Where a list holds several statuses; told apart by their shape, not by colour.
SIGNS = {Status.UNCERTIFIED: "○", Status.LAO_CERTIFIED: "◐", Status.PROVINCE_CERTIFIED: "●"}
OPEN_QUESTION = "❓"
LOOKED_AT = "👁"
BLOCKED = "⛔"
# In place of its status.
ENDED = "✕"


# --- the filter ---------------------------------------------------------------------------------------------


async def _filter(turn: Turn) -> Listing:
    """The officer's filter. Words were a search of their own, which ends here."""
    found = await load_listing(turn.session, turn.officer)
    if found.words is not None:
        found.lift(Narrowing.WORDS)
    return found


async def menu(turn: Turn, _tap: Tap) -> Screen:
    """ดำเนินการ(จังหวัด): the filter สถานภาพรับรองข้อมูล and ค้นหา (procedure, province step 3)."""
    _ = turn.texts
    kept = await _filter(turn)
    round_, counts = await lists.count_by_status(turn.session, turn.officer, kept)
    rows: list[Row] = [
        (_choice(f"{status_word(_, status)} ({counts[status]:,})", ChooseStatus(status), status is kept.status),)
        for status in Status
    ]
    rows += _narrowing_rows(_, kept)
    rows += [(Button(_.plain("Search"), ProvinceSearch(0), Style.PRIMARY),)]
    rows += [(Button(_.plain("Progress picture"), SeeProgress()), Button(_.plain("Export"), ExportList()))]
    rows += [way_out(_, CertificationMenu())]
    return Screen(
        lines(
            _("<b>{province} province</b>", province=province_name(_, turn.officer.account)),
            round_line(_, round_, turn.now),
            "",
            _("Status filter: <b>{status}</b>", status=status_word(_, kept.status)),
            await _narrowing_line(turn, kept),
            "",
            _("Or type a part of a name or a code."),
        ),
        tuple(rows),
    )


def _narrowing_rows(_: Texts, kept: Listing) -> list[Row]:
    """Type and district, remarks and order; and a button to lift what narrows."""
    only_remarks: Tap = Lift(Narrowing.REMARKS) if kept.with_remarks else OnlyWithRemarks()
    other = Sorting.WAITING if kept.sorting is Sorting.NAME else Sorting.NAME
    rows: list[Row] = [
        (
            _choice(_.plain("Type"), ProvinceTypes(), kept.type_code is not None),
            _choice(_.plain("District"), ProvinceDistricts(0), kept.district is not None),
        ),
        (_choice(_.plain("With remarks"), only_remarks, kept.with_remarks),),
        (Button(f"↕ {sorting_word(_, kept.sorting)}", ChooseSorting(other)),),
    ]
    if kept.is_narrowed:
        rows.append((_lift_all(_),))
    return rows


def _choice(label: str, tap: Tap, is_chosen: bool) -> Button:
    return Button(f"{CHOSEN if is_chosen else ''}{label}", tap)


def _lift_all(_: Texts) -> Button:
    return Button(_.plain("Clear the filter"), Lift(Narrowing.ALL))


def sorting_word(_: Texts, sorting: Sorting) -> str:
    """The order that a list has."""
    return _.plain("By type and name") if sorting is Sorting.NAME else _.plain("Longest waiting")


async def _narrowing_line(turn: Turn, kept: Listing) -> str | None:
    """What narrows the filter, `อบต. · อ.บางพลี · มีข้อสังเกต`."""
    _ = turn.texts
    parts = [
        await lists.type_name(turn.session, turn.officer, kept),
        district_word(_, kept.district) if kept.district is not None else None,
        _.plain("With remarks") if kept.with_remarks else None,
    ]
    return " · ".join(part for part in parts if part is not None) or None


async def choose_status(turn: Turn, tap: ChooseStatus) -> Screen:
    """One of the three statuses."""
    kept = await _filter(turn)
    kept.status, kept.page = tap.status, 0
    return await menu(turn, tap)


async def choose_type(turn: Turn, tap: ChooseType) -> Screen:
    """Only organizations of a type."""
    kept = await _filter(turn)
    kept.type_code = (await find_organization(turn.session, turn.officer, tap.organization)).type_code
    kept.page = 0
    return await menu(turn, tap)


async def choose_district(turn: Turn, tap: ChooseDistrict) -> Screen:
    """Only organizations of a district."""
    kept = await _filter(turn)
    kept.district = (await find_organization(turn.session, turn.officer, tap.organization)).district_th
    kept.page = 0
    return await menu(turn, tap)


async def only_with_remarks(turn: Turn, tap: OnlyWithRemarks) -> Screen:
    """มีข้อสังเกต: only organizations with remarks in the round."""
    kept = await _filter(turn)
    kept.with_remarks, kept.page = True, 0
    return await menu(turn, tap)


async def choose_sorting(turn: Turn, tap: ChooseSorting) -> Screen:
    """Thai dictionary order, or longest waiting first."""
    kept = await _filter(turn)
    kept.sorting, kept.page = tap.sorting, 0
    return await menu(turn, tap)


async def lift(turn: Turn, tap: Lift) -> Screen:
    """Lift a narrowing; words are lifted from the list, the others from the filter."""
    kept = await load_listing(turn.session, turn.officer)
    kept.lift(tap.what)
    return await (show_list if tap.what is Narrowing.WORDS else menu)(turn, tap)


async def types(turn: Turn, _tap: Tap) -> Screen:
    """The types of organizations with the chosen status."""
    _ = turn.texts
    kept = await _filter(turn)
    found = await lists.choose_types(turn.session, turn.officer, kept)
    rows = [_all(_, found, Narrowing.TYPE, kept.type_code)]
    rows += [(_value(one, ChooseType(one.dla_code), kept.type_code),) for one in found]
    return Screen(
        _choosing(_, _("<b>Type</b>"), kept),
        (*rows, way_out(_, ProvinceMenu())),
    )


async def districts(turn: Turn, tap: ProvinceDistricts) -> Screen:
    """The districts of organizations with the chosen status, a page at a time."""
    _ = turn.texts
    kept = await _filter(turn)
    found = await lists.choose_districts(turn.session, turn.officer, kept)
    pages = max(1, -(-len(found) // DISTRICTS_PER_PAGE))
    page = min(tap.page, pages - 1)
    rows = [_all(_, found, Narrowing.DISTRICT, kept.district)]
    rows += [
        (_value(one, ChooseDistrict(one.dla_code), kept.district),)
        for one in found[page * DISTRICTS_PER_PAGE : (page + 1) * DISTRICTS_PER_PAGE]
    ]
    before, after = (ProvinceDistricts(max(page + step, 0)) for step in (-1, 1))
    return Screen(
        _choosing(_, _("<b>District</b>"), kept),
        (*rows, *pager(_, page, pages, before, after), way_out(_, ProvinceMenu())),
    )


def _choosing(_: Texts, title: Markup, kept: Listing) -> Markup:
    """The counts beside the values are of the chosen status."""
    return lines(title, _("Status filter: <b>{status}</b>", status=status_word(_, kept.status)))


def _all(_: Texts, found: list[Choice], what: Narrowing, chosen: str | None) -> Row:
    label = _.plain("All ({total:,})", total=sum(one.count for one in found))
    return (_choice(label, Lift(what), chosen is None),)


def _value(one: Choice, tap: Tap, chosen: str | None) -> Button:
    return _choice(f"{one.name} ({one.count:,})", tap, one.value == chosen)


# --- the list -----------------------------------------------------------------------------------------------


async def search(turn: Turn, tap: ProvinceSearch) -> Screen:
    """ค้นหา: the organizations that the filter lets through, 🔍 at each (procedure, province step 4)."""
    (await load_listing(turn.session, turn.officer)).page = tap.page
    return await show_list(turn, tap)


async def show_list(turn: Turn, _tap: Tap) -> Screen:
    """The list, at the page where it was left."""
    kept = await load_listing(turn.session, turn.officer)
    return await _list(turn, kept, await lists.search(turn.session, turn.officer, kept, turn.now))


async def take_words(turn: Turn, text: str) -> Screen:
    """What a province's officer types without being asked for anything: a part of a name or a code. What finds
    nothing is deleted, for it may be a password or a PIN. Raises NeedsDeletion.
    """
    _ = turn.texts
    kept = await load_listing(turn.session, turn.officer)
    try:
        found = await lists.type_words(turn.session, turn.officer, kept, text, turn.now)
    except NoSearch:
        return _instead(
            turn,
            _("To find an organization, type a part of its name or code, at most {most} letters.", most=MAX_WORDS),
        )
    if not found.total:
        return _instead(turn, _("No organization of your province has this in its name or code."))
    return await _list(turn, kept, found)


def _instead(turn: Turn, sentence: Markup) -> Screen:
    """Words that find nothing: the filter finds."""
    require_deleted(turn)
    _ = turn.texts
    rows = ((Button(_.plain("Status filter"), ProvinceMenu(), Style.PRIMARY),), (home(_),))
    return refused(turn, Screen(sentence, rows))


async def _list(turn: Turn, kept: Listing, found: OrganizationPage) -> Screen:
    _ = turn.texts
    listed = [
        (Button(find_label(row.name, _marks(kept, row)), ProvinceReview(row.name.dla_code)),) for row in found.rows
    ]
    before, after = (ProvinceSearch(max(found.page + step, 0)) for step in (-1, 1))
    rows: list[Row] = [*listed, *pager(_, found.page, found.pages, before, after)]
    if kept.words is not None:
        rows.append((Button(_.plain("End this search"), Lift(Narrowing.WORDS)),))
        heading: list[Markup | str | None] = [_("Search: <b>{words}</b> · all statuses", words=kept.words)]
    else:
        if kept.is_narrowed and not found.total:
            rows.append((_lift_all(_),))
        heading = [
            _("Status filter: <b>{status}</b>", status=status_word(_, kept.status)),
            await _narrowing_line(turn, kept),
        ]
    return Screen(
        lines(*heading, _total(_, kept, found), *_legend(_, kept, found)),
        (*rows, way_out(_, ProvinceMenu())),
    )


def _marks(kept: Listing, row: ListedOrganization) -> str:
    """What stands before 🔍: the status where the list has several, and one mark, for a button has room for no
    more: that only the operator can go on, a colleague's look, or an open question. Or that it has ended.
    """
    if row.end is not None:
        return ENDED
    marks = {
        BLOCKED: row.is_blocked,
        LOOKED_AT: row.looker is not None,
        OPEN_QUESTION: row.has_open_question,
    }
    first = next((mark for mark, is_so in marks.items() if is_so), "")
    return (SIGNS[row.status] if kept.words is not None else "") + first


def _ended(_: Texts, end: OrganizationEnd) -> Markup:
    """Which one has ended, and as which other it goes on."""
    name = end.organization.full_name
    if end.successor is None:
        return _("✕ {organization} has been closed", organization=name)
    return _("✕ {organization} goes on as {successor}", organization=name, successor=end.successor.full_name)


def _total(_: Texts, kept: Listing, found: OrganizationPage) -> Markup:
    if found.total:
        total = _("Organizations: {total:,}", total=found.total)
        return total + f" · {sorting_word(_, kept.sorting)}"
    if kept.is_narrowed:
        return _("No organization is within this filter.")
    return _("No organization has this status.")


def _legend(_: Texts, kept: Listing, found: OrganizationPage) -> list[Markup | str]:
    """What the marks of this page mean, and who looks at what; persons are masked in a list."""
    told: list[Markup | str] = []
    if kept.words is not None:
        shown = {row.status for row in found.rows if row.end is None}
        told += [f"{SIGNS[status]} {status_word(_, status)}" for status in Status if status in shown]
    told += [_ended(_, row.end) for row in found.rows if row.end is not None]
    if any(row.is_blocked for row in found.rows):
        told.append(_("⛔ the spot-check failed: waits until the operator opens it"))
    if any(row.has_open_question for row in found.rows):
        told.append(_("❓ a question waits for its answer"))
    told += [
        _("👁 {organization}: {name} is checking", organization=row.name.full, name=masked(row.looker))
        for row in found.rows
        if row.looker is not None
    ]
    return ["", *told] if told else []
