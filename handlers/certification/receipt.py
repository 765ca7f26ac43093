"""The receipt of a certification: its result, and the officer's lasting evidence.

It is a new message that can be forwarded and that no tap overwrites: what its buttons open comes below it.
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
    _: Texts, session: Session, certificate: Certification, reader: Officer | None, now: datetime
) -> Screen:
    """The receipt for the chat to which `reader` is linked. The certificate's words and round must be loaded."""
    is_own = reader is not None and reader.is_ready and reader.id == certificate.officer_id
    day = None
    if reader is not None and is_own and certificate.level is Level.PROVINCE:
        day = await count_day(session, reader, certificate.round_id, now)
    return receipt_screen(_, certificate, day, is_own=is_own)


def receipt_screen(_: Texts, certificate: Certification, day: Day | None, *, is_own: bool) -> Screen:
    """The result under the heading that the procedure requires (LAO step 3, province step 6).

    `is_own`: the reader is the officer who certified and is still linked; only then the receipt has buttons. By
    the verification code a reader who gets the receipt twice sees that both are the same.
    """
    screen = _lao_receipt(_, certificate) if certificate.level is Level.LAO else result_screen(_, certificate, day)
    *rows, home_row = opening_below(screen.rows)
    return replace(
        screen,
        text=lines(screen.text, "", _("🧾 Receipt of your certification")),
        rows=(*rows, (copy_code(_, certificate),), home_row) if is_own else (),
        is_protected=False,
    )


def _lao_receipt(_: Texts, certificate: Certification) -> Screen:
    """The receipt at LAO level: the history's new entry."""
    rows: tuple[Row, ...] = (
        (Button(_.plain("Certification history"), LaoHistory(0)),),
        (certificate_button(_, certificate),),
        (home(_),),
    )
    return Screen(
        lines(
            _("✅ <b>Certified.</b> The register is locked."),
            "",
            _("<b>Certification history</b>"),
            certified_organization(_, certificate),
            "",
            history_entry(_, certificate),
        ),
        rows,
    )
