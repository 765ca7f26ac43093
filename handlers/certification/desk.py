"""What stands beside a review of an organization that waits: the province's day, who else looks at it, and ข้าม."""

from dataclasses import replace

from markupsafe import Markup

from handlers.chat.screen import Button, Screen, lines
from handlers.chat.taps.province import SkipWaiting
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from models.certification.certificate import Status
from models.certification.review import Review
from models.province.progress import Day, look_around
from models.province.visit import note_opened
from models.rounds.round import RoundState


async def beside(turn: Turn, shown: Review, screen: Screen) -> Screen:
    """The review with all that, where the organization waits; that it was opened is noted for the others."""
    _, code = turn.texts, shown.organization.dla_code
    if shown.status is not Status.LAO_CERTIFIED or shown.round is None or shown.round.state is not RoundState.OPEN:
        return screen
    await note_opened(turn.session, turn.officer, code, shown.round.id, turn.now)
    day, colleague = await look_around(turn.session, turn.officer, shown.round.id, code, turn.now)
    *rows, last = screen.rows
    screen = replace(
        screen,
        text=lines(screen.text, "", day_line(_, day)),
        rows=(*rows, (Button(_.plain("Skip"), SkipWaiting(code)),), last),
    )
    if colleague is None:
        return screen
    return screen.headed(_("👁 Being checked by {name}. You may still go on.", name=colleague))


def day_line(_: Texts, day: Day) -> Markup:
    """How far the province is today: `วันนี้รับรองแล้ว 12 จาก 37 แห่ง`."""
    return _("{done:,} of {total:,} today", done=day.done, total=day.total)
