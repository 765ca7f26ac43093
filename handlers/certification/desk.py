"""Additions to the review of a waiting organization: the colleague who is checking it too, and the button ข้าม
(Skip).
"""

from dataclasses import dataclass

from markupsafe import Markup

from handlers.chat.screen import Button, Screen
from handlers.chat.taps.province import SkipWaiting
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from models.certification.certificate import Status
from models.certification.review import Review
from models.province.progress import Day, colleague_at
from models.province.visit import note_opened
from models.rounds.round import RoundState


@dataclass(frozen=True)
class Desk:
    """The name of the colleague who has the same organization open, if any."""

    colleague: str | None

    def screen(self, _: Texts, review: Screen) -> Screen:
        """The review, under a line that names the colleague."""
        if self.colleague is None:
            return review
        return review.headed(_("👁 Being checked by {name}. You may still go on.", name=self.colleague))


def skip_button(_: Texts, code: str) -> Button:
    """The button ข้าม (Skip), which leaves an organization for later."""
    return Button(_.plain("Skip"), SkipWaiting(code))


async def sit_down(turn: Turn, review: Review) -> Desk | None:
    """Record for the colleagues that the officer has opened a waiting organization. None when it does not wait."""
    code = review.organization.dla_code
    if (
        review.status is not Status.LAO_CERTIFIED
        or review.round is None
        or review.round.state is not RoundState.OPEN
    ):
        return None
    await note_opened(turn.session, turn.officer, code, review.round.id, turn.now)
    return Desk(await colleague_at(turn.session, turn.officer, review.round.id, code, turn.now))


def day_line(_: Texts, day: Day) -> Markup:
    """The province's progress today: `วันนี้รับรองแล้ว 12 จาก 37 แห่ง`."""
    return _("{done:,} of {total:,} today", done=day.done, total=day.total)
