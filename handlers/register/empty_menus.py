"""เมนูที่ยังไม่บันทึก: the records with empty menus, by menu, on both sides."""

from dataclasses import replace

from markupsafe import Markup

from handlers.chat.screen import Button, Row, Screen, lines
from handlers.chat.taps.register import EmptyMenu, EmptyMenus
from handlers.chat.turn import Turn
from handlers.chat.words import masked, organization_line, pager, review_tap, way_out
from models.base.thai import shortened
from models.register.empty_menus import list_empty_menus, list_empty_records

# The label of a button; Telegram shows about so much of it on a phone.
MAX_LABEL = 40


async def show_menus(turn: Turn, tap: EmptyMenus) -> Screen:
    """Each menu that is empty somewhere, with how many records lack it."""
    _ = turn.texts
    found = await list_empty_menus(turn.session, turn.officer, tap.organization, tap.page)
    menus: tuple[Row, ...] = tuple(
        (
            Button(
                f"📂 {shortened(one.name, MAX_LABEL)} ({one.count:,})", EmptyMenu(tap.organization, one.place, 0)
            ),
        )
        for one in found.rows
    )
    before, after = (replace(tap, page=max(found.page + step, 0)) for step in (-1, 1))
    return Screen(
        lines(
            _("<b>Empty menus</b>"),
            organization_line(_, found.organization),
            "",
            _("Choose a menu to see its records.") if menus else _("All menus of all records are filled in."),
        ),
        (
            *menus,
            *pager(_, found.page, found.pages, before, after),
            way_out(_, review_tap(turn, tap.organization)),
        ),
    )


async def show_records(turn: Turn, tap: EmptyMenu) -> Screen:
    """The records in which one menu is empty, a page at a time; names are masked, as in every list."""
    _ = turn.texts
    found = await list_empty_records(turn.session, turn.officer, tap.organization, tap.menu, tap.page)
    rows = [
        Markup("<code>{}</code>  {}\n{}").format(one.record_no, masked(one.full_name), one.position)
        for one in found.rows
    ]
    before, after = (replace(tap, page=max(found.page + step, 0)) for step in (-1, 1))
    return Screen(
        lines(
            Markup("<b>{}</b>").format(found.menu) if found.menu else None,
            organization_line(_, found.organization),
            _("Not filled in: {count:,} records", count=found.total),
            "",
            *(rows or [_("No records.")]),
        ),
        (
            *pager(_, found.page, found.pages, before, after),
            way_out(_, EmptyMenus(tap.organization, 0)),
        ),
    )
