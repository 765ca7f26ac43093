"""Parts of screens that both levels share: the review's text, positions, the warning, and the history."""

from datetime import datetime

from markupsafe import Markup

from handlers.certification.review_numbers import difference_text, numbers_text
from handlers.chat.screen import Button, CopyButton, Row, Screen, Style, lines
from handlers.chat.taps.certification import Cancel, CertificatePdf, Confirm
from handlers.chat.taps.register import EmptyMenus, SeeChanges
from handlers.chat.taps.remarks import Remarks
from handlers.chat.taps.tap import Tap
from handlers.chat.texts import Texts
from handlers.chat.words import (
    category_button_word,
    category_word,
    certified_by,
    changes_text,
    headcount_lines,
    organization_line,
    other_words,
    people_line,
    round_line,
    signature,
    status_word,
    way_out,
    words_line,
    words_note,
)
from models.certification.certificate import Certification, Level, Reopening, written_code
from models.certification.certify import Confirmation
from models.certification.history import History
from models.certification.review import Review
from models.certification.statement import statement
from models.organizations.organization import Organization
from models.register.roster import Category, PositionPage, RosterSummary
from models.rounds.round import RoundState

CERTIFICATES_PER_PAGE = 4


def review_text(
    _: Texts,
    title: Markup,
    review: Review,
    difference_percent: int,
    now: datetime,
    notes: tuple[Markup | None, ...] = (),
) -> Markup:
    """The text of a review. The organization and its numbers, beside the last round's, come last, directly above
    the button that certifies.

    `difference_percent`: the setting above which a difference is marked. `notes`: further lines for a province.
    """
    roster, newest = review.roster, review.province or review.lao
    return lines(
        title,
        None
        if review.round is not None and review.round.state is RoundState.OPEN
        else round_line(_, review.round, now),
        _("Certification status: <b>{status}</b>", status=status_word(_, review.status)),
        certified_by(_, newest) if newest is not None else None,
        other_words(_, newest, review.words) if newest is not None else None,
        changes_text(_, review.changes),
        open_line(_, review) if review.open_questions else None,
        *notes,
        empty_menus_line(_, roster),
        _("Data as of {moment}", moment=_.moment(roster.imported_at)),
        difference_text(_, review, difference_percent),
        "",
        organization_line(_, review.organization),
        numbers_text(_, review, difference_percent),
    )


def empty_menus_line(_: Texts, roster: RosterSummary) -> Markup:
    """The number of records with empty menus."""
    return _("Records with empty menus: {count:,}", count=roster.with_empty_menus)


def open_line(_: Texts, review: Review) -> Markup:
    """The number of questions that the organization has not answered."""
    return _("❓ Questions without an answer: {count}", count=review.open_questions)


def changes_buttons(_: Texts, review: Review) -> tuple[Button, ...]:
    """The button สิ่งที่เปลี่ยน (What changed), after a reopening; empty without one."""
    if review.changes is None:
        return ()
    return (Button(_.plain("What changed"), SeeChanges(review.organization.dla_code, 0)),)


def checking_rows(
    _: Texts, review: Review, taps: dict[Category, Tap], *, with_changes: bool = True
) -> tuple[Row, ...]:
    """Buttons to check the numbers, two in a row: the positions of each category with people, and, where there are
    any, เมนูที่ยังไม่บันทึก (Empty menus), สิ่งที่เปลี่ยน (What changed) and ข้อสังเกต (Remarks).

    `taps`: what each category's button sends. `with_changes`: False when What changed is in another row.
    """
    code = review.organization.dla_code
    buttons = [
        Button(category_button_word(_, category), taps[category])
        for category in Category
        if review.roster.headcount.of(category)
    ]
    if review.roster.with_empty_menus:
        buttons.append(Button(_.plain("Empty menus"), EmptyMenus(code, 0)))
    if with_changes:
        buttons += changes_buttons(_, review)
    if review.remarks:
        label = _.plain("Remarks") + f" ({review.remarks:,})"
        buttons.append(Button(f"❓ {label}" if review.open_questions else label, Remarks(code, 0)))
    return tuple(tuple(buttons[first : first + 2]) for first in range(0, len(buttons), 2))


def no_register(_: Texts, organization: Organization, back_to: Tap, *ways: Button) -> Screen:
    """The screen of an organization whose register was never imported. `ways`: buttons to send one; without them
    it refers to the operator.
    """
    return Screen(
        lines(
            organization_line(_, organization),
            "",
            _("No personnel data has been imported for this organization yet.")
            if ways
            else _(
                "No personnel data has been imported for this organization yet. Please ask {operator}.",
                operator=_.operator,
            ),
        ),
        (*((way,) for way in ways), way_out(_, back_to)),
    )


def certificate_lines(_: Texts, certificate: Certification) -> Markup:
    """A certificate's level, who certified it (name, position, time), and its verification code."""
    return lines(Markup("<b>{}</b>").format(level_word(_, certificate)), signature(_, certificate))


def positions_text(_: Texts, organization: Organization, category: Category, page: PositionPage) -> Markup:
    """One page of a category's positions, with the number of people in each."""
    # The dash separates the number from a position that ends in one: `พนักงานขับรถยนต์ ส 2 – 7 คน`.
    rows = [people_line(_, f"{row.position} {row.level}".strip() + " –", row.count) for row in page.rows]
    return lines(
        Markup("<b>{}</b>").format(category_word(_, category)),
        organization_line(_, organization),
        "",
        *(rows or [_("No records.")]),
    )


def warning_title(_: Texts, level: Level) -> Markup:
    """The warning's title for this level."""
    if level is Level.LAO:
        return _("<b>⚠️ Certify at LAO level?</b>")
    return _("<b>⚠️ Certify at province level?</b>")


def warning(_: Texts, confirmation: Confirmation, review: Review, now: datetime) -> Screen:
    """The screen before the irreversible press: organization, round, numbers, the statement that the officer
    agrees to, and the buttons to confirm and to cancel.
    """
    return Screen(
        lines(
            warning_title(_, confirmation.level),
            organization_line(_, review.organization),
            round_line(_, review.round, now),
            "",
            headcount_lines(_, review.roster.headcount),
            changes_text(_, review.changes),
            empty_menus_line(_, review.roster) if review.roster.with_empty_menus else None,
            open_line(_, review) if _has_unanswered(confirmation, review) else None,
            "",
            Markup("<b>{}</b>").format(statement(confirmation.level, _.language)),
        ),
        (
            (Button(_.plain("Confirm certification"), Confirm(confirmation.nonce), Style.DANGER),),
            (Button(_.plain("Cancel"), Cancel(confirmation.nonce)),),
        ),
    )


def _has_unanswered(confirmation: Confirmation, review: Review) -> bool:
    """Whether to remind the province of its unanswered questions, which do not prevent certifying."""
    return confirmation.level is Level.PROVINCE and review.open_questions > 0


def history_text(_: Texts, history: History, page: int) -> tuple[Markup, int, int]:
    """One page of ประวัติการรับรองข้อมูล (Certification history), newest first: its text, the number of the page
    that is shown (from 0), and the number of pages.
    """
    pages = max(1, -(-len(history.certificates) // CERTIFICATES_PER_PAGE))
    page = min(page, pages - 1)
    parts: list[Markup | str | None] = [
        _("<b>Certification history</b>"),
        words_line(_, history.words),
    ]
    listed_reopenings: set[int] = set()
    for certificate in history.certificates[page * CERTIFICATES_PER_PAGE : (page + 1) * CERTIFICATES_PER_PAGE]:
        reopening = history.end_of(certificate)
        if reopening is not None and reopening.id not in listed_reopenings:
            listed_reopenings.add(reopening.id)
            parts += ["", ended_line(_, reopening)]
        entry = history_entry(_, certificate)
        if certificate.organization_code == history.dla_code:
            parts += ["", entry, other_words(_, certificate, history.words)]
        else:
            parts += ["", predecessor_line(_, certificate), entry, words_note(_, certificate)]
    if not history.certificates:
        parts += ["", _("Nothing has been certified yet.")]
    return lines(*parts), page, pages


def certificate_button(_: Texts, certificate: Certification) -> Button:
    """The 📄 button that sends a certificate as a PDF; its label has the level and the code."""
    code = written_code(certificate.code)
    if certificate.level is Level.LAO:
        label = _.plain("LAO certificate {code}", code=code)
    else:
        label = _.plain("Province certificate {code}", code=code)
    return Button(f"📄 {label}", CertificatePdf(certificate.id))


def copy_code(_: Texts, certificate: Certification) -> CopyButton:
    """The button that copies the verification code to the clipboard."""
    return CopyButton("📋 " + _.plain("Copy the verification code"), written_code(certificate.code))


def certificate_buttons(_: Texts, history: History, page: int) -> tuple[Row, ...]:
    """A row with the PDF button of each certificate on a page of the history."""
    page_certificates = history.certificates[page * CERTIFICATES_PER_PAGE : (page + 1) * CERTIFICATES_PER_PAGE]
    return tuple((certificate_button(_, certificate),) for certificate in page_certificates)


def predecessor_line(_: Texts, certificate: Certification) -> Markup:
    """The line that a certificate is of a predecessor of the organization, with its name."""
    name = certificate.organization.full_name if certificate.words is None else certificate.words.organization_name
    return _("Predecessor: {name}", name=name)


def history_entry(_: Texts, certificate: Certification) -> Markup:
    """One certificate in the history: round and level, numbers, and signature."""
    return lines(_history_title(_, certificate), numbers_line(_, certificate), signature(_, certificate))


def _history_title(_: Texts, certificate: Certification) -> Markup:
    """Round and level; revisions after the first are named."""
    if certificate.revision == 1:
        return _(
            "<b>Fiscal year B.E. {year} · {level}</b>",
            year=certificate.round.fiscal_year,
            level=level_word(_, certificate),
        )
    return _(
        "<b>Fiscal year B.E. {year}, revision {revision} · {level}</b>",
        year=certificate.round.fiscal_year,
        revision=certificate.revision,
        level=level_word(_, certificate),
    )


def ended_line(_: Texts, reopening: Reopening) -> Markup:
    """The line that a revision has ended: when, by whom and why."""
    return _(
        "🔓 <b>Revision {revision} ended</b>\n{moment}\nBy {name}: {reason}",
        revision=reopening.revision,
        moment=_.moment(reopening.reopened_at),
        name=reopening.by_name,
        reason=reopening.reason,
    )


def numbers_line(_: Texts, certificate: Certification) -> Markup:
    """The certified numbers in two lines that fit a narrow screen."""
    return _(
        "<b>Total {total:,}</b> · officials {officials:,}\npermanent {permanent:,} · contract {contract:,}",
        officials=certificate.officials,
        permanent=certificate.permanent_employees,
        contract=certificate.contract_employees,
        total=certificate.headcount.total,
    )


def level_word(_: Texts, certificate: Certification) -> str:
    """The status that the certificate gives its organization, in words."""
    return status_word(_, certificate.status)
