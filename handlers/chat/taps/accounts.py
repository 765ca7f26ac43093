"""Taps of logging in and out, the PIN, invitations and linked officers."""

from handlers.chat.taps.tap import Tap
from models.chats.conversation import Language


class Home(Tap, code="home"):
    """หน้าหลัก, or the welcome of a chat that is not linked."""


class LogIn(Tap, code="login"):
    """เข้าสู่ระบบ."""


class ChooseLanguage(Tap, code="languages"):
    """The two languages."""


class SetLanguage(Tap, code="language"):
    """One of the two languages."""

    language: Language


class LogOut(Tap, code="logout"):
    """ออกจากระบบ, asked first."""


class LogOutNow(Tap, code="logout!"):
    """ออกจากระบบ, confirmed."""


class Help(Tap, code="help"):
    """วิธีใช้: what the commands do and how the way goes."""


class RetypeName(Tap, code="name"):
    """Back from the position to the name, before the profile is complete."""


class EditProfile(Tap, code="profile"):
    """Say name and position again."""


class Key(Tap, code="k"):
    """One key of a keypad: its place says nothing about its digit."""

    keypad: str
    place: int


class EraseKey(Tap, code="ke"):
    """⌫: the last digit of a keypad."""

    keypad: str


class ForgotPinToConfirm(Tap, code="forgotc"):
    """ลืม PIN, before the irreversible press of the confirmation with this nonce."""

    nonce: str


class ForgotPin(Tap, code="forgot"):
    """The password instead of the PIN."""


class AcceptInvitation(Tap, code="accept"):
    """Link this chat by an invitation; who has its code may."""

    invitation: str


class Officers(Tap, code="officers"):
    """เจ้าหน้าที่ที่เชื่อมต่อ."""


class NotOurs(Tap, code="notours"):
    """A link that was announced is nobody's of ours: end it at once."""

    officer: int


class HandOver(Tap, code="hand"):
    """ส่งมอบงาน: what it does, asked first."""


class HandOverNow(Tap, code="hand!"):
    """ส่งมอบงาน, to the PIN and then a code for the successor."""
