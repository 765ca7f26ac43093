"""Taps on an organization's register: its file, and its empty menus."""

from handlers.chat.taps.tap import Tap
from models.register.difference import ChangeKind


class SendRegister(Tap, code="file"):
    """ส่งทะเบียนเป็นไฟล์: how, and the template."""


class RegisterTemplate(Tap, code="template"):
    """The register as a file to fill in."""


class RosterChanges(Tap, code="fc"):
    """The records that a file adds, removes or changes, a page at a time."""

    draft: str
    kind: ChangeKind
    page: int


class SentFile(Tap, code="fs"):
    """Back to what a file changes in all."""

    draft: str


class SaveRoster(Tap, code="f!"):
    """บันทึกทะเบียน, of the file that was shown."""

    draft: str


class DropRoster(Tap, code="fx"):
    """ยกเลิก, of the file that was shown."""

    draft: str


class EmptyMenus(Tap, code="em"):
    """เมนูที่ยังไม่บันทึก of an organization's register."""

    organization: str
    page: int


class EmptyMenu(Tap, code="er"):
    """The records in which one menu is empty; `menu` is its place in the register."""

    organization: str
    menu: int
    page: int


class SeeChanges(Tap, code="ch"):
    """สิ่งที่เปลี่ยน in an organization's register since it was certified; `place` counts the ended revisions that are
    compared with, from 0, the newest first.
    """

    organization: str
    place: int


class ChangedRecords(Tap, code="cr"):
    """The records that have come, gone or changed since a revision was certified, a page at a time."""

    organization: str
    place: int
    kind: ChangeKind
    page: int
