"""สิ่งที่เปลี่ยน: how a reopened register differs from what was certified, for both sides, in all and by record."""

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

# Of up to seven lines each, a screen of 360 x 740 pixels shows all of them (tests/handlers/widths.py).
CHANGES_PER_PAGE = 3


async def show_changes(turn: Turn, tap: SeeChanges) -> Screen:
    """The numbers then and now, and what has come, gone and changed; a page for each revision that counts."""
    return _overview(turn, await see_changes(turn.session, turn.officer, tap.organization), tap)


def _overview(turn: Turn, found: RegisterChanges, tap: SeeChanges) -> Screen:
    _, head = turn.texts, _head(turn.texts, found)
    ways = way_out(_, review_tap(turn, tap.organization))
    if found.changes is None:
        return Screen(lines(*head, _("Nothing was reopened in this round.")), (ways,))
    revisions = len(found.changes.since)
    place = min(tap.place, revisions - 1)
    since = found.changes.since[place]
    before, after = (replace(tap, place=max(place + step, 0)) for step in (-1, 1))
    leafing = pager(_, place, revisions, before, after)
    if since.difference is None:
        return Screen(lines(*head, _since(_, since), "", _unknown(_)), (*leafing, ways))
    buttons = kind_buttons(_, since.difference, lambda kind: ChangedRecords(tap.organization, place, kind, 0))
    return Screen(lines(*head, _since(_, since), "", _what(_, since.difference)), (*buttons, *leafing, ways))


def _head(_: Texts, found: RegisterChanges) -> tuple[Markup | str, ...]:
    return _("<b>What changed after the reopening</b>"), organization_line(_, found.organization), ""


def _since(_: Texts, since: ChangesSince) -> Markup:
    return _("Revision {revision}, as it was certified → now", revision=since.revision)


def _what(_: Texts, difference: Difference) -> Markup:
    if difference.is_nothing:
        return _("✅ No difference: the register is as it was certified.")
    return lines(numbers_lines(_, difference), menus_lines(_, difference))


def _unknown(_: Texts) -> Markup:
    return _(
        "⚠️ The register that was certified is not known any more, so what has changed cannot be shown. The "
        "spot-check draws more of all records instead."
    )


async def show_records(turn: Turn, tap: ChangedRecords) -> Screen:
    """The records of one kind, a page at a time; names are masked, as in every list."""
    _ = turn.texts
    found = await see_changes(turn.session, turn.officer, tap.organization)
    since = found.changes.since if found.changes is not None else ()
    difference = since[tap.place].difference if tap.place < len(since) else None
    if difference is None:
        # An old button: what it was about has ended.
        return _overview(turn, found, SeeChanges(tap.organization, tap.place))
    listed = difference.of(tap.kind)
    pages = max(1, -(-len(listed) // CHANGES_PER_PAGE))
    page = min(tap.page, pages - 1)
    before, after = (replace(tap, page=max(page + step, 0)) for step in (-1, 1))
    shown = listed[page * CHANGES_PER_PAGE : (page + 1) * CHANGES_PER_PAGE]
    return Screen(
        lines(
            Markup("<b>{}</b>").format(kind_word(_, tap.kind, len(listed))),
            organization_line(_, found.organization),
            _since(_, since[tap.place]),
            *(part for change in shown for part in ("", change_text(_, change))),
        ),
        (*pager(_, page, pages, before, after), way_out(_, SeeChanges(tap.organization, tap.place))),
    )
