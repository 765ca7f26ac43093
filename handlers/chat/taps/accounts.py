"""Taps for logging in and out, the PIN, invitations and linked officers."""

from handlers.chat.taps.tap import Tap
from models.chats.conversation import Language


class Home(Tap, code="home"):
    """หน้าหลัก (Home); in a chat that is not linked, the welcome."""


class LogIn(Tap, code="login"):
    """เข้าสู่ระบบ (Log in): ask for the username."""


class ChooseLanguage(Tap, code="languages"):
    """ภาษา (Language): show the two languages."""


class SetLanguage(Tap, code="language"):
    """Switch the chat to this language."""

    language: Language


class LogOut(Tap, code="logout"):
    """ออกจากระบบ (Log out): ask for confirmation."""


class LogOutNow(Tap, code="logout!"):
    """ออกจากระบบ (Log out), confirmed."""


class Help(Tap, code="help"):
    """วิธีใช้ (Help): what the commands do, and the steps of certifying."""


class RetypeName(Tap, code="name"):
    """Go back from the question for the position to that for the name, before the profile is complete."""


class EditProfile(Tap, code="profile"):
    """Ask for the officer's name and position again."""


class Key(Tap, code="k"):
    """A key of a keypad, by its place. The digits are shuffled, so the place does not reveal the digit."""

    keypad: str
    place: int


class EraseKey(Tap, code="ke"):
    """⌫: erase the last digit entered on a keypad."""

    keypad: str


class ForgotPinToConfirm(Tap, code="forgotc"):
    """ลืม PIN (Forgot the PIN), on the keypad before certifying; `nonce` is the confirmation's."""

    nonce: str


class ForgotPin(Tap, code="forgot"):
    """ลืม PIN (Forgot the PIN): ask for the password instead."""


class AcceptInvitation(Tap, code="accept"):
    """Link this chat by the invitation with this code."""

    invitation: str


class Officers(Tap, code="officers"):
    """เจ้าหน้าที่ที่เชื่อมต่อ (Linked officers) of the account."""


class NotOurs(Tap, code="notours"):
    """Dispute an announced link, because its officer is unknown here: end the link at once."""

    officer: int


class HandOver(Tap, code="hand"):
    """ส่งมอบงาน (Hand over): explain it and ask for confirmation."""


class HandOverNow(Tap, code="hand!"):
    """ส่งมอบงาน (Hand over), confirmed: ask for the PIN, then show a code for the successor."""
