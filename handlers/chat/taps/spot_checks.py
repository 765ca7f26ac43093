"""Taps of a spot-check."""

from handlers.chat.taps.tap import Tap
from models.certification.spot_check import Mark


class DrawSpotCheck(Tap, code="sc"):
    """สุ่มตรวจสอบ: draw the records of an organization, or go on with them."""

    organization: str


class SpotRecord(Tap, code="sr"):
    """One record of a draw, by its place."""

    organization: str
    check: int
    place: int


class MarkRecord(Tap, code="sm"):
    """ถูกต้อง or ไม่ถูกต้อง, of one record of a draw."""

    organization: str
    check: int
    place: int
    mark: Mark


class MarkDespiteEmpty(Tap, code="sme"):
    """ถูกต้อง of a record with a menu that is not filled in, after the question that names the menus."""

    organization: str
    check: int
    place: int


class SpotSummary(Tap, code="ss"):
    """The marks of a draw."""

    organization: str
    check: int


class SpotSummaryPage(Tap, code="ssp"):
    """The same of a draw with many records, a page at a time."""

    organization: str
    check: int
    page: int


class HandIn(Tap, code="sh"):
    """ส่งผลสุ่มตรวจสอบ; asked once more when something is not correct."""

    organization: str
    check: int


class HandInIncorrect(Tap, code="sh!"):
    """ส่งผลสุ่มตรวจสอบ, confirmed, with something that is not correct.

    `marks` is the fingerprint of the marks that stood on the screen.
    """

    organization: str
    check: int
    marks: str
