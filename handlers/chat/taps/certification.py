"""Taps on the way to a certificate of either level, and on certificates."""

from handlers.chat.taps.tap import Tap
from models.register.roster import Category


class CertificationMenu(Tap, code="certify"):
    """ระบบรับรองข้อมูล (Data certification): the officer's menu."""


class LaoMenu(Tap, code="l"):
    """ดำเนินการ(อปท.) (Proceed, LAO)."""


class LaoReview(Tap, code="lr"):
    """รับรองข้อมูลระดับ อปท. (LAO-level certification): show the numbers to be certified."""


class LaoPositions(Tap, code="lp"):
    """The positions of one category in the officer's own register, a page at a time."""

    category: Category
    page: int


class LaoCertify(Tap, code="lc"):
    """รับรองระดับ อปท. (Certify at LAO level): show the warning. `fingerprint`: of the review shown before."""

    fingerprint: str


class LaoHistory(Tap, code="lh"):
    """ประวัติการรับรองข้อมูล (Certification history) of the officer's own organization."""

    page: int


class ProvinceReview(Tap, code="pr"):
    """🔍: show the numbers of one organization, by its dla_code."""

    organization: str


class ProvincePositions(Tap, code="pp"):
    """The positions of one category in an organization's register, a page at a time."""

    organization: str
    category: Category
    page: int


class ProvinceCertify(Tap, code="pc"):
    """รับรองระดับจังหวัด (Certify at province level): show the warning. `fingerprint`: of the review shown before."""

    organization: str
    fingerprint: str


class ProvinceHistory(Tap, code="ph"):
    """ประวัติการรับรองข้อมูล (Certification history) of an organization of the province."""

    organization: str
    page: int


class SeeCertificate(Tap, code="verify"):
    """The certificate with a verification code that was scanned while the chat was idle, after the PIN."""

    verification_code: str


class CertificatePdf(Tap, code="pdf"):
    """📄: send one certificate as a PDF."""

    certification: int


class SeeHistory(Tap, code="h"):
    """ประวัติการรับรองข้อมูล (Certification history) of an organization, from a notice that both levels get."""

    organization: str


class Confirm(Tap, code="confirm"):
    """ยืนยันการรับรอง (Confirm certification), for the confirmation with this nonce: ask for the PIN."""

    nonce: str


class SeeConfirmation(Tap, code="cf"):
    """Show the warning of the confirmation with this nonce again."""

    nonce: str


class Cancel(Tap, code="cancel"):
    """ยกเลิก (Cancel), for the confirmation with this nonce."""

    nonce: str
