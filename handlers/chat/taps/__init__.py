"""The tap that each button sends, in one module for each subject. They share a room because screens of one subject
have buttons of another. The handler of a tap is in its subject's room.
"""

from handlers.chat.taps import accounts, certification, notices, province, register, remarks, spot_checks

# The package imports all of them, because `unpack` knows only taps that are declared.
__all__ = ["accounts", "certification", "notices", "province", "register", "remarks", "spot_checks"]
