"""Taps on the way to a certificate, of either level."""

from handlers.chat.taps.tap import Tap
from models.register.roster import Category


class CertificationMenu(Tap, code="certify"):
    """ระบบรับรองข้อมูล."""


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


class ProvinceReview(Tap, code="pr"):
    """🔍: the numbers of one organization."""

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


class ProvinceHistory(Tap, code="ph"):
    """ประวัติการรับรองข้อมูล of an organization."""

    organization: str
    page: int


class SeeCertificate(Tap, code="verify"):
    """The certificate with a verification code, which was scanned while the chat was left alone."""

    verification_code: str


class CertificatePdf(Tap, code="pdf"):
    """📄: one certificate as a file."""

    certification: int


class SeeHistory(Tap, code="h"):
    """ประวัติการรับรองข้อมูล of an organization that both sides were told of."""

    organization: str


class Confirm(Tap, code="confirm"):
    """ยืนยันการรับรอง, of the confirmation with this nonce."""

    nonce: str


class SeeConfirmation(Tap, code="cf"):
    """The warning of the confirmation with this nonce once more."""

    nonce: str


class Cancel(Tap, code="cancel"):
    """ยกเลิก, of the confirmation with this nonce."""

    nonce: str
