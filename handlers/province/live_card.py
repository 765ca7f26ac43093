"""The one live card of a province's officer: how it looks, and the list behind it."""

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


def card(_: Texts, shown: Showing, now: datetime) -> Screen:
    """Numbers, the round, and the newest that wait."""
    certified = _(
        "Certified at province level: {done:,}/{total:,}",
        done=shown.counts.province_certified,
        total=shown.counts.total,
    )
    if not shown.waiting:
        title = _(
            "✅ <b>Nothing waits for you</b>",
        )
        return Screen(lines(title, round_line(_, shown.round, now), certified), message_id=shown.message_id)
    title = _("🔔 <b>Waiting for you {waiting:,}</b>", waiting=shown.waiting)
    # What stands out is the next tap: the list only when it shows more than the card.
    has_more = shown.waiting > len(shown.newest)
    first, *others = (Button(find_label(one.name), ProvinceReview(one.name.dla_code)) for one in shown.newest)
    rows: list[Row] = [(first if has_more else replace(first, style=Style.PRIMARY),), *((one,) for one in others)]
    every = _.plain("All that wait ({waiting:,})", waiting=shown.waiting)
    rows.append((Button(every, AllWaiting(), Style.PRIMARY if has_more else None),))
    return Screen(
        lines(title, round_line(_, shown.round, now), "", certified, _("Certified last:")),
        tuple(rows),
        message_id=shown.message_id,
    )


def brief_card(_: Texts, shown: Showing) -> Screen:
    """What an idle chat is told: that something waits or not, no number and no name."""
    title = (
        _("🔔 <b>Organizations wait for your certification</b>")
        if shown.waiting
        else _("✅ <b>Nothing waits for you</b>")
    )
    rows: tuple[Row, ...] = ((Button(_.plain("All that wait"), AllWaiting()),),) if shown.waiting else ()
    return Screen(lines(title, "", _("Use the bot with your PIN to see more.")), rows, message_id=shown.message_id)


def replaced_card(_: Texts) -> Screen:
    """In place of a card that is too old to be deleted."""
    return Screen(_("A newer card is below."))


async def all_waiting(turn: Turn, tap: Tap) -> Screen:
    """The whole list of those that wait, whatever it was narrowed to."""
    kept = await load_listing(turn.session, turn.officer)
    kept.lift(Narrowing.ALL)
    kept.status = Status.LAO_CERTIFIED
    return await listing.show_list(turn, tap)
