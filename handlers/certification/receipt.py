"""The receipt of a certification: the result of the irreversible press, and the officer's evidence for good.

A new message that can be passed on and that nothing overwrites. What its buttons open comes below it.
"""

from dataclasses import replace
from datetime import datetime

from handlers.certification.certifying import certificate_button, copy_code, history_entry
from handlers.certification.province import result_screen
from handlers.chat.screen import Button, Row, Screen, lines, opening_below
from handlers.chat.taps.certification import LaoHistory
from handlers.chat.texts import Texts
from handlers.chat.words import certified_organization, home
from models.accounts.account import Officer
from models.certification.certificate import Certification, Level
from models.database.engine import Session
from models.province.progress import Day, count_day


async def receipt(
    _: Texts, session: Session, made: Certification, reader: Officer | None, now: datetime
) -> Screen:
    """The receipt for its chat, where `reader` is linked. `made` has its words and round loaded."""
    is_own = reader is not None and reader.is_ready and reader.id == made.officer_id
    day = None
    if reader is not None and is_own and made.level is Level.PROVINCE:
        day = await count_day(session, reader, made.round_id, now)
    return receipt_screen(_, made, day, is_own=is_own)


def receipt_screen(_: Texts, made: Certification, day: Day | None, *, is_own: bool) -> Screen:
    """The result under the heading that the procedure wants (LAO step 3, province step 6).

    The way on is there for the officer who has certified, as long as its chat is linked (`is_own`). The
    verification code is the reference by which somebody who gets the receipt twice knows that it is the same.
    """
    screen = _lao_receipt(_, made) if made.level is Level.LAO else result_screen(_, made, day)
    *rows, home_row = opening_below(screen.rows)
    return replace(
        screen,
        text=lines(screen.text, "", _("🧾 Receipt of your certification")),
        rows=(*rows, (copy_code(_, made),), home_row) if is_own else (),
        is_protected=False,
    )


def _lao_receipt(_: Texts, made: Certification) -> Screen:
    """ประวัติการรับรองข้อมูล with its new entry."""
    rows: tuple[Row, ...] = (
        (Button(_.plain("Certification history"), LaoHistory(0)),),
        (certificate_button(_, made),),
        (home(_),),
    )
    return Screen(
        lines(
            _("✅ <b>Certified.</b> The register is locked."),
            "",
            _("<b>Certification history</b>"),
            certified_organization(_, made),
            "",
            history_entry(_, made),
        ),
        rows,
    )
