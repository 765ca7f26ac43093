"""เมนูที่ยังไม่บันทึก (Empty menus): a register's empty menus and the records that lack them, for both levels."""

from dataclasses import replace

from markupsafe import Markup

from handlers.chat.screen import Button, Row, Screen, lines
from handlers.chat.taps.register import EmptyMenu, EmptyMenus
from handlers.chat.turn import Turn
from handlers.chat.words import masked, organization_line, pager, review_tap, way_out
from models.base.thai import shortened
from models.register.empty_menus import list_empty_menus, list_empty_records

# Letters of a button's label that Telegram shows on a phone, about.
MAX_LABEL = 40


async def show_menus(turn: Turn, tap: EmptyMenus) -> Screen:
    """The menus that are empty in some records, with the number of these records, a page at a time. Raises
    NotYours, NoRoster.
    """
    _ = turn.texts
    page = await list_empty_menus(turn.session, turn.officer, tap.organization, tap.page)
    menus: tuple[Row, ...] = tuple(
        (
            Button(
                f"📂 {shortened(menu.name, MAX_LABEL)} ({menu.count:,})",
                EmptyMenu(tap.organization, menu.place, 0),
            ),
        )
        for menu in page.rows
    )
    before, after = (replace(tap, page=max(page.page + step, 0)) for step in (-1, 1))
    return Screen(
        lines(
            _("<b>Empty menus</b>"),
            organization_line(_, page.organization),
            "",
            _("Choose a menu to see its records.") if menus else _("All menus of all records are filled in."),
        ),
        (
            *menus,
            *pager(_, page.page, page.pages, before, after),
            way_out(_, review_tap(turn, tap.organization)),
        ),
    )


async def show_records(turn: Turn, tap: EmptyMenu) -> Screen:
    """The records in which one menu is empty, a page at a time. Names are masked, as in all lists. Raises
    NotYours, NoRoster.
    """
    _ = turn.texts
    page = await list_empty_records(turn.session, turn.officer, tap.organization, tap.menu, tap.page)
    rows = [
        Markup("<code>{}</code>  {}\n{}").format(record.record_no, masked(record.full_name), record.position)
        for record in page.rows
    ]
    before, after = (replace(tap, page=max(page.page + step, 0)) for step in (-1, 1))
    return Screen(
        lines(
            Markup("<b>{}</b>").format(page.menu) if page.menu else None,
            organization_line(_, page.organization),
            _("Not filled in: {count:,} records", count=page.total),
            "",
            *(rows or [_("No records.")]),
        ),
        (
            *pager(_, page.page, page.pages, before, after),
            way_out(_, EmptyMenus(tap.organization, 0)),
        ),
    )
