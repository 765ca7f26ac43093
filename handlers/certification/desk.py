"""What stands beside a review of an organization that waits: who else looks at it, and ข้าม."""

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
    """The name of the colleague who looks at the same organization, if any."""

    colleague: str | None

    def screen(self, _: Texts, review: Screen) -> Screen:
        """A review, and above it who else looks."""
        if self.colleague is None:
            return review
        return review.headed(_("👁 Being checked by {name}. You may still go on.", name=self.colleague))


def skip_button(_: Texts, code: str) -> Button:
    """ข้าม: leave an organization for later."""
    return Button(_.plain("Skip"), SkipWaiting(code))


async def sit_down(turn: Turn, shown: Review) -> Desk | None:
    """Note for the others that the officer has opened an organization that waits; None where it does not wait."""
    code = shown.organization.dla_code
    if shown.status is not Status.LAO_CERTIFIED or shown.round is None or shown.round.state is not RoundState.OPEN:
        return None
    await note_opened(turn.session, turn.officer, code, shown.round.id, turn.now)
    return Desk(await colleague_at(turn.session, turn.officer, shown.round.id, code, turn.now))


def day_line(_: Texts, day: Day) -> Markup:
    """How far the province is today: `วันนี้รับรองแล้ว 12 จาก 37 แห่ง`."""
    return _("{done:,} of {total:,} today", done=day.done, total=day.total)
