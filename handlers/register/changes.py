"""สิ่งที่เปลี่ยน (What changed): how a reopened register differs from its certified state, in total and by record, for
both levels.
"""

from dataclasses import replace

from markupsafe import Markup

from handlers.chat.screen import Screen, lines
from handlers.chat.taps.register import ChangedRecords, SeeChanges
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import organization_line, pager, review_tap, way_out
from handlers.register.difference import change_text, kind_buttons, kind_word, menus_lines, numbers_lines
from models.certification.changes import ChangesSince, RegisterChanges, see_changes
from models.register.difference import Difference

# Records on a page. Each has up to seven lines; a phone of 360 x 740 pixels shows three
# (tests/handlers/widths.py).
CHANGES_PER_PAGE = 3


async def show_changes(turn: Turn, tap: SeeChanges) -> Screen:
    """The numbers when certified and now, and the counts of changed records; one page for each ended revision.

    Raises NotYours for an organization that the officer may not see.
    """
    return _overview(turn, await see_changes(turn.session, turn.officer, tap.organization), tap)


def _overview(turn: Turn, register: RegisterChanges, tap: SeeChanges) -> Screen:
    _, head = turn.texts, _head(turn.texts, register)
    last_row = way_out(_, review_tap(turn, tap.organization))
    if register.changes is None:
        return Screen(lines(*head, _("Nothing was reopened in this round.")), (last_row,))
    revisions = len(register.changes.since)
    place = min(tap.place, revisions - 1)
    since = register.changes.since[place]
    before, after = (replace(tap, place=max(place + step, 0)) for step in (-1, 1))
    pager_rows = pager(_, place, revisions, before, after)
    if since.difference is None:
        return Screen(lines(*head, _since(_, since), "", _unknown(_)), (*pager_rows, last_row))
    buttons = kind_buttons(_, since.difference, lambda kind: ChangedRecords(tap.organization, place, kind, 0))
    text = lines(*head, _since(_, since), "", _differences(_, since.difference))
    return Screen(text, (*buttons, *pager_rows, last_row))


def _head(_: Texts, register: RegisterChanges) -> tuple[Markup | str, ...]:
    return _("<b>What changed after the reopening</b>"), organization_line(_, register.organization), ""


def _since(_: Texts, since: ChangesSince) -> Markup:
    return _("Revision {revision}, as it was certified → now", revision=since.revision)


def _differences(_: Texts, difference: Difference) -> Markup:
    if difference.is_nothing:
        return _("✅ No difference: the register is as it was certified.")
    return lines(numbers_lines(_, difference), menus_lines(_, difference))


def _unknown(_: Texts) -> Markup:
    return _(
        "⚠️ The register that was certified is not known any more, so what has changed cannot be shown. The "
        "spot-check draws more of all records instead."
    )


async def show_records(turn: Turn, tap: ChangedRecords) -> Screen:
    """The records with one kind of change, a page at a time, with masked names. Raises NotYours."""
    _ = turn.texts
    register = await see_changes(turn.session, turn.officer, tap.organization)
    since = register.changes.since if register.changes is not None else ()
    difference = since[tap.place].difference if tap.place < len(since) else None
    if difference is None:
        # A button of an old card, whose comparison is no longer made.
        return _overview(turn, register, SeeChanges(tap.organization, tap.place))
    changes = difference.of(tap.kind)
    pages = max(1, -(-len(changes) // CHANGES_PER_PAGE))
    page = min(tap.page, pages - 1)
    before, after = (replace(tap, page=max(page + step, 0)) for step in (-1, 1))
    page_changes = changes[page * CHANGES_PER_PAGE : (page + 1) * CHANGES_PER_PAGE]
    return Screen(
        lines(
            Markup("<b>{}</b>").format(kind_word(_, tap.kind, len(changes))),
            organization_line(_, register.organization),
            _since(_, since[tap.place]),
            *(part for change in page_changes for part in ("", change_text(_, change))),
        ),
        (*pager(_, page, pages, before, after), way_out(_, SeeChanges(tap.organization, tap.place))),
    )
