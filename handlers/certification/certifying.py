"""What both levels show alike: the numbers, the positions behind them, the warning, and the history."""

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
    shown: Review,
    difference_percent: int,
    now: datetime,
    notes: tuple[Markup | None, ...] = (),
) -> Markup:
    """What is known of a register; and last, directly above the buttons that certify, which organization it is and
    the numbers beside the last round's. `notes`: what a province sees besides.
    """
    roster, newest = shown.roster, shown.province or shown.lao
    return lines(
        title,
        None
        if shown.round is not None and shown.round.state is RoundState.OPEN
        else round_line(_, shown.round, now),
        _("Certification status: <b>{status}</b>", status=status_word(_, shown.status)),
        certified_by(_, newest) if newest is not None else None,
        other_words(_, newest, shown.words) if newest is not None else None,
        changes_text(_, shown.changes),
        open_line(_, shown) if shown.open_questions else None,
        *notes,
        empty_menus_line(_, roster),
        _("Data as of {moment}", moment=_.moment(roster.imported_at)),
        difference_text(_, shown, difference_percent),
        "",
        organization_line(_, shown.organization),
        numbers_text(_, shown, difference_percent),
    )


def empty_menus_line(_: Texts, roster: RosterSummary) -> Markup:
    """In how many records a menu is not filled in."""
    return _("Records with empty menus: {count:,}", count=roster.with_empty_menus)


def open_line(_: Texts, shown: Review) -> Markup:
    """How many questions the organization has not answered yet."""
    return _("❓ Questions without an answer: {count}", count=shown.open_questions)


def changes_buttons(_: Texts, shown: Review) -> tuple[Button, ...]:
    """สิ่งที่เปลี่ยน, after a reopening."""
    if shown.changes is None:
        return ()
    return (Button(_.plain("What changed"), SeeChanges(shown.organization.dla_code, 0)),)


def checking_rows(
    _: Texts, shown: Review, taps: dict[Category, Tap], *, with_changes: bool = True
) -> tuple[Row, ...]:
    """What stands behind the numbers, two buttons a row: a category that has people in it opens its positions;
    เมนูที่ยังไม่บันทึก, สิ่งที่เปลี่ยน (unless that stands elsewhere) and ข้อสังเกต, where there are any.
    """
    code = shown.organization.dla_code
    buttons = [
        Button(category_button_word(_, category), taps[category])
        for category in Category
        if shown.roster.headcount.of(category)
    ]
    if shown.roster.with_empty_menus:
        buttons.append(Button(_.plain("Empty menus"), EmptyMenus(code, 0)))
    if with_changes:
        buttons += changes_buttons(_, shown)
    if shown.remarks:
        label = _.plain("Remarks") + f" ({shown.remarks:,})"
        buttons.append(Button(f"❓ {label}" if shown.open_questions else label, Remarks(code, 0)))
    return tuple(tuple(buttons[first : first + 2]) for first in range(0, len(buttons), 2))


def no_register(_: Texts, organization: Organization, back_to: Tap, *ways: Button) -> Screen:
    """An organization of which nothing was ever imported; `ways` are how that is mended."""
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


def certificate_line(_: Texts, made: Certification) -> Markup:
    """At which level it was certified, and by whom."""
    return lines(Markup("<b>{}</b>").format(level_word(_, made)), signature(_, made))


def positions_text(_: Texts, organization: Organization, category: Category, found: PositionPage) -> Markup:
    """One page of a category's positions with how many hold each."""
    # The dash keeps the number from a position that ends in one: `พนักงานขับรถยนต์ ส 2 – 7 คน`.
    rows = [people_line(_, f"{row.position} {row.level}".strip() + " –", row.count) for row in found.rows]
    return lines(
        Markup("<b>{}</b>").format(category_word(_, category)),
        organization_line(_, organization),
        "",
        *(rows or [_("No records.")]),
    )


def warning_title(_: Texts, level: Level) -> Markup:
    """Which of the two irreversible presses it is."""
    if level is Level.LAO:
        return _("<b>⚠️ Certify at LAO level?</b>")
    return _("<b>⚠️ Certify at province level?</b>")


def warning(_: Texts, confirmation: Confirmation, shown: Review, now: datetime) -> Screen:
    """Before the irreversible press: which organization, round and numbers, and what it means for good."""
    return Screen(
        lines(
            warning_title(_, confirmation.level),
            organization_line(_, shown.organization),
            round_line(_, shown.round, now),
            "",
            headcount_lines(_, shown.roster.headcount),
            changes_text(_, shown.changes),
            empty_menus_line(_, shown.roster) if shown.roster.with_empty_menus else None,
            open_line(_, shown) if _has_unanswered(confirmation, shown) else None,
            "",
            Markup("<b>{}</b>").format(statement(confirmation.level, _.language)),
        ),
        (
            (Button(_.plain("Confirm certification"), Confirm(confirmation.nonce), Style.DANGER),),
            (Button(_.plain("Cancel"), Cancel(confirmation.nonce)),),
        ),
    )


def _has_unanswered(confirmation: Confirmation, shown: Review) -> bool:
    """Open questions keep nobody from certifying; the province, which has asked, is reminded of them."""
    return confirmation.level is Level.PROVINCE and shown.open_questions > 0


def history_text(_: Texts, found: History, page: int) -> tuple[Markup, int, int]:
    """One page of ประวัติการรับรองข้อมูล, newest first: its text, its page and how many there are."""
    pages = max(1, -(-len(found.certificates) // CERTIFICATES_PER_PAGE))
    page = min(page, pages - 1)
    parts: list[Markup | str | None] = [
        _("<b>Certification history</b>"),
        words_line(_, found.words),
    ]
    told: set[int] = set()
    for one in found.certificates[page * CERTIFICATES_PER_PAGE : (page + 1) * CERTIFICATES_PER_PAGE]:
        ended = found.end_of(one)
        if ended is not None and ended.id not in told:
            told.add(ended.id)
            parts += ["", ended_line(_, ended)]
        if one.organization_code == found.dla_code:
            parts += ["", history_entry(_, one), other_words(_, one, found.words)]
        else:
            parts += ["", predecessor_line(_, one), history_entry(_, one), words_note(_, one)]
    if not found.certificates:
        parts += ["", _("Nothing has been certified yet.")]
    return lines(*parts), page, pages


def certificate_button(_: Texts, made: Certification) -> Button:
    """📄: a certificate as a page that can be passed on, with its level."""
    code = written_code(made.code)
    if made.level is Level.LAO:
        label = _.plain("LAO certificate {code}", code=code)
    else:
        label = _.plain("Province certificate {code}", code=code)
    return Button(f"📄 {label}", CertificatePdf(made.id))


def copy_code(_: Texts, made: Certification) -> CopyButton:
    """The verification code for the clipboard: on a phone it is tedious to type."""
    return CopyButton("📋 " + _.plain("Copy the verification code"), written_code(made.code))


def certificate_buttons(_: Texts, found: History, page: int) -> tuple[Row, ...]:
    """A button for each certificate on a page of the history."""
    shown = found.certificates[page * CERTIFICATES_PER_PAGE : (page + 1) * CERTIFICATES_PER_PAGE]
    return tuple((certificate_button(_, made),) for made in shown)


def predecessor_line(_: Texts, made: Certification) -> Markup:
    """Whose certificate it is, where the organization has come from another one."""
    name = made.organization.full_name if made.words is None else made.words.organization_name
    return _("Predecessor: {name}", name=name)


def history_entry(_: Texts, made: Certification) -> Markup:
    """One certificate in the history: what it certified, and who signed it."""
    return lines(_history_title(_, made), numbers_line(_, made), signature(_, made))


def _history_title(_: Texts, made: Certification) -> Markup:
    """The revision is named from the second one on."""
    if made.revision == 1:
        return _(
            "<b>Fiscal year B.E. {year} · {level}</b>", year=made.round.fiscal_year, level=level_word(_, made)
        )
    return _(
        "<b>Fiscal year B.E. {year}, revision {revision} · {level}</b>",
        year=made.round.fiscal_year,
        revision=made.revision,
        level=level_word(_, made),
    )


def ended_line(_: Texts, ended: Reopening) -> Markup:
    """That a revision has ended, by whom and why."""
    return _(
        "🔓 <b>Revision {revision} ended</b>\n{moment}\nBy {name}: {reason}",
        revision=ended.revision,
        moment=_.moment(ended.reopened_at),
        name=ended.by_name,
        reason=ended.reason,
    )


def numbers_line(_: Texts, made: Certification) -> Markup:
    """The certified numbers in two short lines, which break nowhere on a narrow screen."""
    return _(
        "<b>Total {total:,}</b> · officials {officials:,}\npermanent {permanent:,} · contract {contract:,}",
        officials=made.officials,
        permanent=made.permanent_employees,
        contract=made.contract_employees,
        total=made.headcount.total,
    )


def level_word(_: Texts, made: Certification) -> str:
    """The status that the certificate brought."""
    return status_word(_, made.status)
