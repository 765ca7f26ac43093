"""Taps on the lists of a province."""

from handlers.chat.taps.tap import Tap
from models.certification.certificate import Status
from models.province.listing import Narrowing, Sorting


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


class NextWaiting(Tap, code="next"):
    """ถัดไป: the next organization that waits for the province."""


class NextOfAll(Tap, code="nextall"):
    """ถัดไป, after lifting all narrowings: nothing waits within them."""


class SkipWaiting(Tap, code="skip"):
    """ข้าม: leave an organization for later and go on with the next."""

    organization: str


class ExportList(Tap, code="export"):
    """ส่งออก: the province's list as a file."""


class SeeProgress(Tap, code="picture"):
    """ภาพความคืบหน้า of the province."""
