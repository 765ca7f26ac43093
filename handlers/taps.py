"""What a button means: one frozen dataclass each, packed into callback data and back.

Packed as a code and the fields, divided by colons, an enum by its first letter. Callback data comes from
outside (anyone can forge it), so unpacking believes nothing: it yields a value of exactly the declared types or
raises InvalidTap. Rights never come from here.
"""

import enum
import re
from dataclasses import dataclass, fields
from typing import Any, ClassVar, dataclass_transform, get_type_hints

from models.certificate import Status
from models.conversation import Language
from models.difference import ChangeKind
from models.listing import Narrowing, Sorting
from models.notice_tables import Quiet, Rhythm
from models.question import Topic
from models.roster import Category
from models.spot_check import Mark

# Bot API, InlineKeyboardButton.callback_data: 1-64 bytes.
MAX_CALLBACK_DATA = 64

_TEXT = re.compile(r"[A-Za-z0-9_-]{1,24}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_BY_CODE: dict[str, type["Tap"]] = {}


class InvalidTap(ValueError):
    """Callback data that no button of ours carries."""


@dataclass_transform(frozen_default=True)
class Tap:
    """Root of all taps. Fields are int (0 or more), str (1 to 24 letters, digits, - and _) or a StrEnum whose
    members differ in their first letter: whatever they hold, it fits.

    `code` names the kind in callback data and stays the same from release to release: old cards keep their
    buttons.
    """

    code: ClassVar[str]
    _types: ClassVar[dict[str, Any]]

    def __init_subclass__(cls, code: str) -> None:
        if code in _BY_CODE:
            raise TypeError(f"code {code} is taken")
        dataclass(frozen=True)(cls)
        hints = get_type_hints(cls)
        cls.code = code
        cls._types = {field.name: hints[field.name] for field in fields(cls)}  # type: ignore[arg-type]
        _BY_CODE[code] = cls

    def pack(self) -> str:
        """The callback data. Raises ValueError when a field does not fit: that is a bug of ours."""
        data = ":".join([self.code, *(_part(getattr(self, name)) for name in self._types)])
        if len(data.encode()) > MAX_CALLBACK_DATA or unpack(data) != self:
            raise ValueError(f"{self} does not fit into callback data")
        return data


def unpack(data: str) -> Tap:
    """The tap behind callback data. Raises InvalidTap."""
    code, *parts = data.split(":")
    kind = _BY_CODE.get(code)
    if kind is None or len(parts) != len(kind._types):
        raise InvalidTap
    return kind(*(_value(hint, part) for hint, part in zip(kind._types.values(), parts, strict=True)))


def _part(value: Any) -> str:
    return value[0] if isinstance(value, enum.StrEnum) else str(value)


def _value(hint: Any, part: str) -> Any:
    if hint is int and _NUMBER.fullmatch(part):
        return int(part)
    if hint is str and _TEXT.fullmatch(part):
        return part
    if issubclass(hint, enum.StrEnum):
        for member in hint:
            if _part(member) == part:
                return member
    raise InvalidTap


def all_kinds() -> list[type[Tap]]:
    """Every declared tap, for tests that go through all of them."""
    return list(_BY_CODE.values())


# --- for everybody ------------------------------------------------------------------------------------------


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


class EditProfile(Tap, code="profile"):
    """Say name and position again."""


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


class CertificationMenu(Tap, code="certify"):
    """ระบบรับรองข้อมูล."""


# --- PIN, officers, invitations ------------------------------------------------------------------------------


class Key(Tap, code="k"):
    """One key of a keypad: its place says nothing about its digit."""

    keypad: str
    place: int


class EraseKey(Tap, code="ke"):
    """⌫: the last digit of a keypad."""

    keypad: str


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


# --- an organization's officer ------------------------------------------------------------------------------


class LaoMenu(Tap, code="l"):
    """ดำเนินการ(อปท.)."""


class LaoReview(Tap, code="lr"):
    """รับรองข้อมูลระดับ อปท.: the numbers that are about to be certified."""


class LaoPositions(Tap, code="lp"):
    """The positions of one category of the own register."""

    category: Category
    page: int


class LaoCertify(Tap, code="lc"):
    """รับรองระดับ อปท.: to the warning, with what the officer saw."""

    fingerprint: str


class LaoHistory(Tap, code="lh"):
    """ประวัติการรับรองข้อมูล."""

    page: int


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


class AskForCorrection(Tap, code="ask"):
    """ขอแก้ไขข้อมูล, of a locked register."""


class SendPetition(Tap, code="send"):
    """Send the petition that was typed and shown."""


class ExplainDifference(Tap, code="le"):
    """ชี้แจงส่วนต่าง: numbers that differ from the last round's by more than the set share."""


class SendExplanation(Tap, code="le!"):
    """Send the explanation that was typed and shown."""


class AnswerQuestion(Tap, code="an"):
    """ตอบคำถาม of the province."""

    question: int


class SendAnswer(Tap, code="an!"):
    """Send the answer that was typed and shown."""

    question: int


# --- a province's officer -----------------------------------------------------------------------------------


class ProvinceMenu(Tap, code="p"):
    """ดำเนินการ(จังหวัด): the filter สถานภาพรับรองข้อมูล as the officer left it."""


class ChooseStatus(Tap, code="pf"):
    """A status in the filter สถานภาพรับรองข้อมูล."""

    status: Status


class ProvinceTypes(Tap, code="pt"):
    """The types that the list can be narrowed to."""


class ChooseType(Tap, code="pft"):
    """Only the type of this organization."""

    organization: str


class ProvinceDistricts(Tap, code="pd"):
    """A page of the districts that the list can be narrowed to."""

    page: int


class ChooseDistrict(Tap, code="pfd"):
    """Only the district of this organization: names in Thai do not fit into callback data."""

    organization: str


class OnlyWithRemarks(Tap, code="pfr"):
    """มีข้อสังเกต: only organizations with remarks."""


class Lift(Tap, code="pfx"):
    """Lift a narrowing of the filter, or all of them."""

    what: Narrowing


class ChooseSorting(Tap, code="pfs"):
    """Thai dictionary order, or longest waiting first."""

    sorting: Sorting


class ProvinceSearch(Tap, code="ps"):
    """ค้นหา: a page of the organizations that the filter lets through."""

    page: int


class ProvinceList(Tap, code="pl"):
    """Back to the list, at the page where it was left."""


class AllWaiting(Tap, code="all"):
    """The whole list of those that wait, from the live card."""


class ProvinceReview(Tap, code="pr"):
    """🔍: the numbers of one organization."""

    organization: str


class NextWaiting(Tap, code="next"):
    """ถัดไป: the next organization that waits for the province."""


class NextOfAll(Tap, code="nextall"):
    """ถัดไป, after lifting all narrowings: nothing waits within them."""


class SkipWaiting(Tap, code="skip"):
    """ข้าม: leave an organization for later and go on with the next."""

    organization: str


class ProvincePositions(Tap, code="pp"):
    """The positions of one category of an organization's register."""

    organization: str
    category: Category
    page: int


class ProvinceCertify(Tap, code="pc"):
    """รับรองระดับจังหวัด: to the warning, with what the officer saw."""

    organization: str
    fingerprint: str


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


class SpotSummary(Tap, code="ss"):
    """The marks of a draw."""

    organization: str
    check: int


class HandIn(Tap, code="sh"):
    """ส่งผลสุ่มตรวจสอบ; asked once more when something is not correct."""

    organization: str
    check: int


class HandInIncorrect(Tap, code="sh!"):
    """ส่งผลสุ่มตรวจสอบ, confirmed, with something that is not correct."""

    organization: str
    check: int


class AskForReopening(Tap, code="pa"):
    """ขอเปิดให้แก้ไข, of an organization whose spot-check has failed."""

    organization: str


class SendReopening(Tap, code="pas"):
    """Send the words for a reopening that were typed and shown."""

    organization: str


class ProvinceHistory(Tap, code="ph"):
    """ประวัติการรับรองข้อมูล of an organization."""

    organization: str
    page: int


class ExportList(Tap, code="export"):
    """ส่งออก: the province's list as a file."""


class SeeProgress(Tap, code="picture"):
    """ภาพความคืบหน้า of the province."""


class AskOrganization(Tap, code="qa"):
    """ถาม อปท.: to what it may be about."""

    organization: str


class AskAbout(Tap, code="qt"):
    """What a question is about; to its words, or to the number of the record."""

    organization: str
    topic: Topic


class SendQuestion(Tap, code="q!"):
    """Send the question to this organization that was typed and shown."""

    organization: str


# --- either side ----------------------------------------------------------------------------------------


class SeeCertificate(Tap, code="verify"):
    """The certificate with a verification code, which was scanned while the chat was left alone."""

    verification_code: str


class CertificatePdf(Tap, code="pdf"):
    """📄: one certificate as a file."""

    certification: int


class SeeHistory(Tap, code="h"):
    """ประวัติการรับรองข้อมูล of an organization that both sides were told of."""

    organization: str


class SeeRemark(Tap, code="remark"):
    """Read a petition or the decision on it, of which a chat was told that was left alone."""

    remark: int


class Remarks(Tap, code="th"):
    """ข้อสังเกต: a page of the thread of an organization in the round."""

    organization: str
    page: int


class ReadRemark(Tap, code="rr"):
    """One remark of a thread whole, with its reply."""

    remark: int


class EmptyMenus(Tap, code="em"):
    """เมนูที่ยังไม่บันทึก of an organization's register."""

    organization: str
    page: int


class EmptyMenu(Tap, code="er"):
    """The records in which one menu is empty; `menu` is its place in the register."""

    organization: str
    menu: int
    page: int


# --- the irreversible press ---------------------------------------------------------------------------------


class Confirm(Tap, code="confirm"):
    """ยืนยันการรับรอง, of the confirmation with this nonce."""

    nonce: str


class Cancel(Tap, code="cancel"):
    """ยกเลิก, of the confirmation with this nonce."""

    nonce: str
