"""Taps by which an officer chooses when to be disturbed."""

from handlers.chat.taps.tap import Tap
from models.notices.tables import Quiet, Rhythm


class NoticeTimes(Tap, code="notices"):
    """การแจ้งเตือน."""


class ChooseRhythm(Tap, code="nr"):
    """How often the province's card rings."""

    rhythm: Rhythm


class ChooseQuiet(Tap, code="nq"):
    """The hours in which nothing rings."""

    quiet: Quiet


class RestOnDaysOff(Tap, code="nd"):
    """Nothing rings on weekends and public holidays."""


class RingOnDaysOff(Tap, code="nd!"):
    """It rings on every day."""
