"""The handler of each tap of this room, and the right that it needs (handlers/dispatch.py)."""

from handlers.chat.taps.notices import ChooseQuiet, ChooseRhythm, NoticeTimes, RestOnDaysOff, RingOnDaysOff
from handlers.chat.taps.tap import Tap
from handlers.chat.turn import Handler, Right
from handlers.notices import timing

TAPS: dict[type[Tap], tuple[Right, Handler]] = {
    NoticeTimes: (Right.LINKED, timing.show),
    ChooseRhythm: (Right.PROVINCE, timing.choose_rhythm),
    ChooseQuiet: (Right.LINKED, timing.choose_quiet),
    RestOnDaysOff: (Right.LINKED, timing.rest_on_days_off),
    RingOnDaysOff: (Right.LINKED, timing.ring_on_days_off),
}

# Taps whose handlers change nothing.
NAVIGATION: set[type[Tap]] = {NoticeTimes}
