"""Taps on an organization's register: sending it as a file, its empty menus, and its changes."""

from handlers.chat.taps.tap import Tap
from models.register.difference import ChangeKind


class SendRegister(Tap, code="file"):
    """ส่งทะเบียนเป็นไฟล์ (Send the register as a file): explain how, and offer the template."""


class RegisterTemplate(Tap, code="template"):
    """Send the template with the present register."""


class RosterChanges(Tap, code="fc"):
    """The records that a sent file would add, remove or change, a page at a time; `draft` is the file's key."""

    draft: str
    kind: ChangeKind
    page: int


class SentFile(Tap, code="fs"):
    """Return to the summary of what a sent file would change."""

    draft: str


class SaveRoster(Tap, code="f!"):
    """บันทึกทะเบียน (Save the register) from the file that was shown."""

    draft: str


class DropRoster(Tap, code="fx"):
    """ยกเลิก (Cancel): drop the file that was shown."""

    draft: str


class EmptyMenus(Tap, code="em"):
    """เมนูที่ยังไม่บันทึก (Empty menus) of an organization's register."""

    organization: str
    page: int


class EmptyMenu(Tap, code="er"):
    """The records in which one menu is empty; `menu` is the menu's index in the register."""

    organization: str
    menu: int
    page: int


class SeeChanges(Tap, code="ch"):
    """สิ่งที่เปลี่ยน (What changed) in an organization's register since it was certified. `place` is the index of the
    ended revision that is compared, from 0, newest first.
    """

    organization: str
    place: int


class ChangedRecords(Tap, code="cr"):
    """The records that were added, removed or changed since a revision was certified, a page at a time."""

    organization: str
    place: int
    kind: ChangeKind
    page: int
