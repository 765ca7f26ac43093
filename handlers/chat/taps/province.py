"""Taps on a province's lists, its queue and its exports."""

from handlers.chat.taps.tap import Tap
from models.certification.certificate import Status
from models.province.listing import Narrowing, Sorting


class ProvinceMenu(Tap, code="p"):
    """ดำเนินการ(จังหวัด) (Proceed, province): the status filter as the officer left it."""


class ChooseStatus(Tap, code="pf"):
    """Choose a status in the filter สถานภาพรับรองข้อมูล."""

    status: Status


class ProvinceTypes(Tap, code="pt"):
    """Show the types of organization that the list can be narrowed to."""


class ChooseType(Tap, code="pft"):
    """Narrow the list to the type of this organization."""

    organization: str


class ProvinceDistricts(Tap, code="pd"):
    """Show a page of the districts that the list can be narrowed to."""

    page: int


class ChooseDistrict(Tap, code="pfd"):
    """Narrow the list to the district of this organization; Thai names do not fit into callback data."""

    organization: str


class OnlyWithRemarks(Tap, code="pfr"):
    """มีข้อสังเกต (With remarks): narrow the list to organizations with remarks."""


class Lift(Tap, code="pfx"):
    """Remove one narrowing of the filter, or all."""

    what: Narrowing


class ChooseSorting(Tap, code="pfs"):
    """Choose the list's order: Thai dictionary order, or longest waiting first."""

    sorting: Sorting


class ProvinceSearch(Tap, code="ps"):
    """ค้นหา (Search): show a page of the organizations that match the filter."""

    page: int


class ProvinceList(Tap, code="pl"):
    """Return to the list, at the page that the officer left."""


class AllWaiting(Tap, code="all"):
    """Show the whole list of waiting organizations, from the live card."""


class NextWaiting(Tap, code="next"):
    """ถัดไป (Next): the next organization that waits for the province."""


class NextOfAll(Tap, code="nextall"):
    """ถัดไป (Next) after removing all narrowings, within which nothing waits."""


class SkipWaiting(Tap, code="skip"):
    """ข้าม (Skip): leave an organization for later and go on with the next."""

    organization: str


class ExportList(Tap, code="export"):
    """ส่งออก (Export): send the province's list as a spreadsheet."""


class SeeProgress(Tap, code="picture"):
    """ภาพความคืบหน้า (Progress picture): send the province's progress as a picture."""
