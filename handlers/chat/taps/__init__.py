"""What each button means, a module a subject. They stand in one room because screens of one subject have buttons
of another; what a tap does is in the room of its subject.
"""

from handlers.chat.taps import accounts, certification, notices, province, register, remarks, spot_checks

# All are imported with the package: `unpack` knows those that are declared.
__all__ = ["accounts", "certification", "notices", "province", "register", "remarks", "spot_checks"]
