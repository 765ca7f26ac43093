"""ถัดไป (Next) and ข้าม (Skip): from one waiting organization to the next, without returning to the list."""

from handlers.certification import province
from handlers.chat.screen import Button, Row, Screen, Style
from handlers.chat.taps.certification import ProvinceReview
from handlers.chat.taps.province import NextOfAll, ProvinceMenu, SkipWaiting
from handlers.chat.taps.tap import Tap
from handlers.chat.turn import Turn
from handlers.chat.words import home
from models.accounts.access import find_organization
from models.province.listing import Listing, Narrowing, load_listing, next_waiting
from models.province.visit import note_skipped
from models.rounds.round import current_round


async def open_next(turn: Turn, _tap: Tap) -> Screen:
    """ถัดไป (Next): the review of the next waiting organization within the filter's narrowings."""
    return await _go_on(turn, await load_listing(turn.session, turn.officer))


async def open_next_of_all(turn: Turn, _tap: Tap) -> Screen:
    """ถัดไป (Next) in the whole province: removes all narrowings first."""
    listing = await load_listing(turn.session, turn.officer)
    listing.lift(Narrowing.ALL)
    return await _go_on(turn, listing)


async def skip(turn: Turn, tap: SkipWaiting) -> Screen:
    """ข้าม (Skip): leave the tap's organization for later, and show the next. Raises NotYours."""
    await find_organization(turn.session, turn.officer, tap.organization)
    round_ = await current_round(turn.session)
    if round_ is not None:
        await note_skipped(turn.session, turn.officer, tap.organization, round_.id, turn.now)
    return await _go_on(turn, await load_listing(turn.session, turn.officer), skipped=tap.organization)


async def _go_on(turn: Turn, listing: Listing, skipped: str = "") -> Screen:
    _ = turn.texts
    # A search by typed words is separate from the filter, and ends here.
    if listing.words is not None:
        listing.lift(Narrowing.WORDS)
    following = await next_waiting(turn.session, turn.officer, listing, turn.now)
    if following is None:
        return _nothing(turn, listing)
    screen = await province.show_review(turn, ProvinceReview(following.name.dla_code))
    if following.name.dla_code == skipped:
        return screen.headed(_("No other organization waits."))
    return screen.headed(_("You left this one for later.")) if following.was_skipped else screen


def _nothing(turn: Turn, listing: Listing) -> Screen:
    _ = turn.texts
    rows: tuple[Row, ...] = ((Button(_.plain("Status filter"), ProvinceMenu()),), (home(_),))
    if listing.is_narrowed:
        following = Button(_.plain("Next in the whole province"), NextOfAll(), Style.PRIMARY)
        return Screen(_("Within this filter no organization waits for you."), ((following,), *rows))
    return Screen(_("✅ No organization waits for you."), rows)
