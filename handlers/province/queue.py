"""ถัดไป and ข้าม: one organization that waits after the other, without going back to the list."""

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
    """ถัดไป: the next one that waits, within what the list is narrowed to."""
    return await _go_on(turn, await load_listing(turn.session, turn.officer))


async def open_next_of_all(turn: Turn, _tap: Tap) -> Screen:
    """ถัดไป, in the whole province from now on."""
    kept = await load_listing(turn.session, turn.officer)
    kept.lift(Narrowing.ALL)
    return await _go_on(turn, kept)


async def skip(turn: Turn, tap: SkipWaiting) -> Screen:
    """ข้าม: leave this one for later."""
    await find_organization(turn.session, turn.officer, tap.organization)
    round_ = await current_round(turn.session)
    if round_ is not None:
        await note_skipped(turn.session, turn.officer, tap.organization, round_.id, turn.now)
    return await _go_on(turn, await load_listing(turn.session, turn.officer), left=tap.organization)


async def _go_on(turn: Turn, kept: Listing, left: str = "") -> Screen:
    _ = turn.texts
    # Words were a search of their own, which has ended with what it found.
    if kept.words is not None:
        kept.lift(Narrowing.WORDS)
    found = await next_waiting(turn.session, turn.officer, kept, turn.now)
    if found is None:
        return _nothing(turn, kept)
    screen = await province.show_review(turn, ProvinceReview(found.name.dla_code))
    if found.name.dla_code == left:
        return screen.headed(_("No other organization waits."))
    return screen.headed(_("You left this one for later.")) if found.was_skipped else screen


def _nothing(turn: Turn, kept: Listing) -> Screen:
    _ = turn.texts
    rows: tuple[Row, ...] = ((Button(_.plain("Status filter"), ProvinceMenu()),), (home(_),))
    if kept.is_narrowed:
        following = Button(_.plain("Next in the whole province"), NextOfAll(), Style.PRIMARY)
        return Screen(_("Within this filter no organization waits for you."), ((following,), *rows))
    return Screen(_("✅ No organization waits for you."), rows)
