"""One certificate as a page of A4."""

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
# Letters that a reason, or the numbers of records, may take of the page; they are whole in the chat.
LONGEST = 181


def pdf(page: CertificatePage) -> bytes:
    """The page; the QR code holds the verification code alone where there is no link.

    Takes about 0.1 s: call it off the event loop.
    """
    return typesetting.pdf("certificate.typ", facts(page))


def facts(page: CertificatePage) -> dict[str, object]:
    """What the page says."""
    issued, link = page.issued, page.link
    made, words = issued.made, issued.made.words
    return {
        "code": written_code(made.code),
        "level": STATUSES[made.status],
        # In the words of the certificate: never as the organization is called now.
        "organization": words.organization_name if words else "—",
        "place": f"อำเภอ{words.district_th} จังหวัด{words.province_th}" if words else "—",
        "words_note": words_note(has_words=words is not None, kept_at=made.words_kept_at),
        "dla_code": made.organization_code,
        "fiscal_year": str(made.round.fiscal_year),
        "revision": str(made.revision),
        "headcounts": [[name, f"{made.headcount.of(category):,}"] for category, name in _CATEGORIES.items()],
        "total": f"{made.headcount.total:,}",
        "with_empty_menus": f"{made.with_empty_menus:,}",
        "data_as_of": short_moment(made.roster_imported_at),
        "signer": made.officer_name,
        "position": made.officer_position,
        "signed": short_moment(made.certified_at),
        "is_late": made.is_late,
        "statement": agreed_statement(made.statement),
        "spot_check": made.spot_check and _spot_check(made.spot_check),
        "ended": issued.ended and _ended(issued.ended),
        "issued": short_moment(issued.issued_at),
        "qr": typesetting.qr_svg(link or made.code),
        "qr_holds": link or made.code,
        "is_link": bool(link),
        "bot": link.removeprefix("https://t.me/").partition("?")[0],
    }


def _spot_check(kept: str) -> dict[str, str]:
    """What the province checked before: only what was all correct is ever certified
    (models/certification/spot_check.py).
    """
    told = json.loads(kept)
    return {
        "size": f"{len(told['records']):,}",
        "numbers": shortened(", ".join(one["record_no"] for one in told["records"]), LONGEST),
        "at": short_moment(datetime.fromisoformat(told["handed_in_at"])),
        "seed": told["seed"],
    }


def _ended(ended: Reopening) -> dict[str, str]:
    return {
        "at": short_moment(ended.reopened_at),
        "by": ended.by_name,
        "reason": shortened(ended.reason, LONGEST),
    }
