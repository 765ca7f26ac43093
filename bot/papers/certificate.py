"""The PDF of a certificate: one page of A4."""

import json
from datetime import datetime

from bot.papers import typesetting
from bot.papers.thai import STATUSES, short_moment, words_note
from handlers.province.export import CertificatePage
from models.base.thai import shortened
from models.certification.certificate import Reopening, written_code
from models.certification.statement import agreed_statement
from models.register.roster import Category

_CATEGORIES = {
    Category.OFFICIAL: "ข้าราชการ",
    Category.PERMANENT_EMPLOYEE: "ลูกจ้างประจำ",
    Category.CONTRACT_EMPLOYEE: "พนักงานจ้าง",
}
# Letters of a reason, or of the list of checked records, after which the page shortens it; the chat shows all.
LONGEST = 181


def pdf(page: CertificatePage) -> bytes:
    """The PDF's bytes. The QR code contains the link to verify the certificate, or its code when there is no link.

    Takes about 0.1 s of processor time: call it off the event loop.
    """
    return typesetting.pdf("certificate.typ", facts(page))


def facts(page: CertificatePage) -> dict[str, object]:
    """What the page shows, by the names that documents/certificate.typ reads."""
    issued, link = page.issued, page.link
    certificate, words = issued.certificate, issued.certificate.words
    return {
        "code": written_code(certificate.code),
        "level": STATUSES[certificate.status],
        # The name that the certificate itself bears, not the organization's present one.
        "organization": words.organization_name if words else "—",
        "place": f"อำเภอ{words.district_th} จังหวัด{words.province_th}" if words else "—",
        "words_note": words_note(has_words=words is not None, kept_at=certificate.words_kept_at),
        "dla_code": certificate.organization_code,
        "fiscal_year": str(certificate.round.fiscal_year),
        "revision": str(certificate.revision),
        "headcounts": [
            [name, f"{certificate.headcount.of(category):,}"] for category, name in _CATEGORIES.items()
        ],
        "total": f"{certificate.headcount.total:,}",
        "with_empty_menus": f"{certificate.with_empty_menus:,}",
        "data_as_of": short_moment(certificate.roster_imported_at),
        "signer": certificate.officer_name,
        "position": certificate.officer_position,
        "signed": short_moment(certificate.certified_at),
        "is_late": certificate.is_late,
        "statement": agreed_statement(certificate.statement),
        "spot_check": certificate.spot_check and _spot_check(certificate.spot_check),
        "ended": issued.ended and _ended(issued.ended),
        "issued": short_moment(issued.issued_at),
        "qr": typesetting.qr_svg(link or certificate.code),
        "qr_holds": link or certificate.code,
        "is_link": bool(link),
        "bot": link.removeprefix("https://t.me/").partition("?")[0],
    }


def _spot_check(stored: str) -> dict[str, str]:
    """The province's spot-check, from its stored JSON (models/certification/spot_check.py). It has no results:
    only a spot-check whose records are all correct can be certified.
    """
    spot_check = json.loads(stored)
    return {
        "size": f"{len(spot_check['records']):,}",
        "numbers": shortened(", ".join(record["record_no"] for record in spot_check["records"]), LONGEST),
        "at": short_moment(datetime.fromisoformat(spot_check["handed_in_at"])),
        "seed": spot_check["seed"],
    }


def _ended(ended: Reopening) -> dict[str, str]:
    return {
        "at": short_moment(ended.reopened_at),
        "by": ended.by_name,
        "reason": shortened(ended.reason, LONGEST),
    }
