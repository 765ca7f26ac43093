"""The live card of a province's officer: its screens, and the list that it opens."""

from dataclasses import replace
from datetime import datetime

from handlers.chat.screen import Button, Row, Screen, Style, lines
from handlers.chat.taps.certification import ProvinceReview
from handlers.chat.taps.province import AllWaiting
from handlers.chat.taps.tap import Tap
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import find_label, round_line
from handlers.province import listing
from models.certification.certificate import Status
from models.province.listing import Narrowing, load_listing
from models.province.live_card import Showing


def card(_: Texts, showing: Showing, now: datetime) -> Screen:
    """The full live card: the counts, the round, and the newest waiting organizations."""
    certified = _(
        "Certified at province level: {done:,}/{total:,}",
        done=showing.counts.province_certified,
        total=showing.counts.total,
    )
    if not showing.waiting:
        title = _(
            "✅ <b>Nothing waits for you</b>",
        )
        return Screen(lines(title, round_line(_, showing.round, now), certified), message_id=showing.message_id)
    title = _("🔔 <b>Waiting for you {waiting:,}</b>", waiting=showing.waiting)
    # The coloured button is the likely next tap: the list when it has more than the card, else the first.
    has_more = showing.waiting > len(showing.newest)
    first, *others = (
        Button(find_label(organization.name), ProvinceReview(organization.name.dla_code))
        for organization in showing.newest
    )
    primary = first if has_more else replace(first, style=Style.PRIMARY)
    rows: list[Row] = [(primary,), *((button,) for button in others)]
    label = _.plain("All that wait ({waiting:,})", waiting=showing.waiting)
    rows.append((Button(label, AllWaiting(), Style.PRIMARY if has_more else None),))
    return Screen(
        lines(title, round_line(_, showing.round, now), "", certified, _("Certified last:")),
        tuple(rows),
        message_id=showing.message_id,
    )


def brief_card(_: Texts, showing: Showing) -> Screen:
    """The live card for an idle chat: whether organizations wait, without numbers and names."""
    title = (
        _("🔔 <b>Organizations wait for your certification</b>")
        if showing.waiting
        else _("✅ <b>Nothing waits for you</b>")
    )
    rows: tuple[Row, ...] = ((Button(_.plain("All that wait"), AllWaiting()),),) if showing.waiting else ()
    return Screen(
        lines(title, "", _("Use the bot with your PIN to see more.")), rows, message_id=showing.message_id
    )


def replaced_card(_: Texts) -> Screen:
    """The screen into which an old card is edited that is too old to be deleted."""
    return Screen(_("A newer card is below."))


async def all_waiting(turn: Turn, tap: Tap) -> Screen:
    """The whole list of waiting organizations, with all narrowings removed."""
    list_filter = await load_listing(turn.session, turn.officer)
    list_filter.lift(Narrowing.ALL)
    list_filter.status = Status.LAO_CERTIFIED
    return await listing.show_list(turn, tap)
