"""Taps for the times at which notices may ring."""

from handlers.chat.taps.tap import Tap
from models.notices.tables import Quiet, Rhythm


class NoticeTimes(Tap, code="notices"):
    """การแจ้งเตือน (Notices): show the chat's settings."""


class ChooseRhythm(Tap, code="nr"):
    """Choose how often the province's live card rings."""

    rhythm: Rhythm


class ChooseQuiet(Tap, code="nq"):
    """Choose the hours in which nothing rings."""

    quiet: Quiet


class RestOnDaysOff(Tap, code="nd"):
    """Let nothing ring on weekends and public holidays."""


class RingOnDaysOff(Tap, code="nd!"):
    """Let notices ring on every day."""
