"""Taps of a spot-check. `check` is the draw's id, `place` a record's index in it."""

from handlers.chat.taps.tap import Tap
from models.certification.spot_check import Mark


class DrawSpotCheck(Tap, code="sc"):
    """สุ่มตรวจสอบ (Spot-check): draw records of an organization, or go on with those drawn."""

    organization: str


class SpotRecord(Tap, code="sr"):
    """Show one record of a draw."""

    organization: str
    check: int
    place: int


class MarkRecord(Tap, code="sm"):
    """Mark one record of a draw as ถูกต้อง (Correct) or ไม่ถูกต้อง (Not correct)."""

    organization: str
    check: int
    place: int
    mark: Mark


class MarkDespiteEmpty(Tap, code="sme"):
    """Mark a record with empty menus as ถูกต้อง (Correct), after a screen that names those menus."""

    organization: str
    check: int
    place: int


class SpotSummary(Tap, code="ss"):
    """Show the marks of a draw."""

    organization: str
    check: int


class SpotSummaryPage(Tap, code="ssp"):
    """Show the marks of a draw with many records, a page at a time."""

    organization: str
    check: int
    page: int


class HandIn(Tap, code="sh"):
    """ส่งผลสุ่มตรวจสอบ (Hand in the spot-check); asks for confirmation when a record is not correct."""

    organization: str
    check: int


class HandInIncorrect(Tap, code="sh!"):
    """ส่งผลสุ่มตรวจสอบ (Hand in the spot-check), confirmed, with a record that is not correct.

    `marks` is the fingerprint of the marks that stood on the screen.
    """

    organization: str
    check: int
    marks: str
