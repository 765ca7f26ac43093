"""What the bot says on its own: receipts and notices about a certificate."""

from handlers.certifying import level_word, numbers_line
from handlers.screen import Button, Screen, Style, lines
from handlers.taps import LaoHistory, ProvinceReview
from handlers.texts import Texts
from handlers.words import find_label, organization_line, signature
from models.certification import Certification, Status
from models.outbox import Kind


def notice(_: Texts, kind: Kind, made: Certification) -> Screen:
    """The message of one kind about one certificate. The verification code is the reference by which somebody
    who gets it twice knows that it is the same.
    """
    titles = {
        Kind.RECEIPT: _("🧾 <b>Receipt of your certification</b>"),
        Kind.AWAITS_PROVINCE: _("🔔 <b>Waiting for your certification</b>"),
        Kind.COLLEAGUE_CERTIFIED: _("🔔 <b>Your organization has been certified</b>"),
        Kind.PROVINCE_CERTIFIED: _("✅ <b>The province has certified your organization</b>"),
    }
    text = lines(
        titles[kind],
        organization_line(_, made.organization),
        "",
        _("<b>Fiscal year {year} · {level}</b>", year=made.round.fiscal_year, level=level_word(_, made)),
        numbers_line(_, made),
        signature(_, made),
    )
    if kind is Kind.RECEIPT:
        return Screen(text)
    if kind is Kind.AWAITS_PROVINCE:
        label = find_label(made.organization.full_name, made.organization.district_th)
        return Screen(
            text,
            ((Button(label, ProvinceReview(made.organization_code, Status.LAO_CERTIFIED, 0), Style.PRIMARY),),),
        )
    return Screen(text, ((Button(_.plain("Certification history"), LaoHistory(0)),),))
