"""What the bot says on its own: receipts, and notices about certificates, reopenings and petitions."""

from handlers.certifying import level_word, numbers_line
from handlers.screen import Button, Screen, Style, lines
from handlers.taps import LaoHistory, ProvinceReview, SeeHistory
from handlers.texts import Texts, texts
from handlers.words import find_label, organization_line, signature
from models.certification import Certification, Reopening, Status, load_certification, load_reopening
from models.conversation import chat_language
from models.database import Session
from models.outbox import Kind
from models.remark import Remark, load_remark


async def notice(session: Session, kind: Kind, chat_id: int, subject_id: int) -> Screen:
    """The message of one kind about its subject, in the language of the chat that it goes to."""
    _ = texts(await chat_language(session, chat_id))
    if kind is Kind.REOPENED:
        return _reopened(_, await load_reopening(session, subject_id))
    if kind in (Kind.PETITIONED, Kind.PETITION_REFUSED):
        return _remark(_, kind, await load_remark(session, subject_id))
    return _certified(_, kind, await load_certification(session, subject_id))


def _certified(_: Texts, kind: Kind, made: Certification) -> Screen:
    """About a certificate. The verification code is the reference by which somebody who gets it twice knows that
    it is the same.
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


def _reopened(_: Texts, ended: Reopening) -> Screen:
    """To both sides."""
    return Screen(
        lines(
            _("🔓 <b>The register was opened for correction</b>"),
            "",
            organization_line(_, ended.organization),
            _(
                "Fiscal year {year} · revision {revision} has ended",
                year=ended.round.fiscal_year,
                revision=ended.revision,
            ),
            _("By {name} · {moment}", name=ended.by_name, moment=_.moment(ended.reopened_at)),
            _("Reason: {reason}", reason=ended.reason),
            "",
            _("It must be corrected and certified anew. The old certificates stay in the history."),
        ),
        ((Button(_.plain("Certification history"), SeeHistory(ended.organization_code)),),),
    )


def _remark(_: Texts, kind: Kind, made: Remark) -> Screen:
    if kind is Kind.PETITIONED:
        title = _("✉️ <b>An organization asks for a correction</b>")
        after = _("The operator decides; nothing is unlocked until then.")
    else:
        title = _("✉️ <b>The petition for a correction was refused</b>")
        after = _("The register stays locked.")
    return Screen(
        lines(
            title,
            "",
            organization_line(_, made.organization),
            _("Fiscal year {year}", year=made.round.fiscal_year),
            _("By {name} · {moment}", name=made.author, moment=_.moment(made.made_at)),
            _("Reason: {reason}", reason=made.body),
            "",
            after,
        )
    )
