"""The procedure's words, and the parts of screens that show organizations, people and numbers.

Buttons keep the source procedure's words to the letter (docs/contract.md, What the chat says).
"""

from datetime import datetime

from markupsafe import Markup

from handlers.chat.screen import Button, Row, lines
from handlers.chat.taps.accounts import Home
from handlers.chat.taps.certification import LaoReview, ProvinceReview
from handlers.chat.taps.tap import Tap
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from models.accounts.account import Officer, Role
from models.certification.certificate import Certification, Status, written_code
from models.certification.changes import Changes, ChangesSince
from models.certification.spot_check import Mark
from models.certification.words import Words
from models.organizations.organization import Organization
from models.province.progress import ButtonName
from models.register.difference import ChangeKind, Difference
from models.register.roster import Category, Headcount
from models.rounds.round import Round, RoundState


def status_word(_: Texts, status: Status) -> str:
    """A status in the procedure's words; the procedure has none for UNCERTIFIED."""
    return {
        Status.UNCERTIFIED: _.plain("Not certified"),
        Status.LAO_CERTIFIED: _.plain("Certified at LAO level"),
        Status.PROVINCE_CERTIFIED: _.plain("Certified at province level"),
    }[status]


def category_word(_: Texts, category: Category) -> str:
    """A category in the procedure's words."""
    return {
        Category.OFFICIAL: _.plain("Officials"),
        Category.PERMANENT_EMPLOYEE: _.plain("Permanent employees"),
        Category.CONTRACT_EMPLOYEE: _.plain("Contract employees"),
    }[category]


def category_button_word(_: Texts, category: Category) -> str:
    """A category's name for a button of half a row; the English one is shortened."""
    return {
        Category.OFFICIAL: _.plain("Officials"),
        Category.PERMANENT_EMPLOYEE: _.plain("Permanent"),
        Category.CONTRACT_EMPLOYEE: _.plain("Contract"),
    }[category]


def mark_word(_: Texts, mark: Mark) -> str:
    """The result of spot-checking a record."""
    return _.plain("Correct") if mark is Mark.CORRECT else _.plain("Not correct")


def back(_: Texts, to: Tap) -> Button:
    """The button ย้อนกลับ (Back)."""
    return Button(_.plain("Back"), to)


def home(_: Texts) -> Button:
    """The button หน้าหลัก (Home)."""
    return Button(_.plain("Home"), Home())


def way_out(_: Texts, to: Tap) -> Row:
    """A screen's last row: Back and Home."""
    return (back(_, to), home(_))


def pager(_: Texts, page: int, pages: int, previous: Tap, following: Tap) -> tuple[Row, ...]:
    """The row with buttons to the previous and the following page, each with the number of the page that it opens.
    Empty for a single page. `page` counts from 0.
    """
    row: Row = ()
    if page > 0:
        row += (Button("◀ " + _.plain("page {page}/{pages}", page=page, pages=pages), previous),)
    if page < pages - 1:
        row += (Button(_.plain("page {page}/{pages}", page=page + 2, pages=pages) + " ▶", following),)
    return (row,) if row else ()


def organization_line(_: Texts, organization: Organization) -> Markup:
    """An organization's present name, with district and province, because names are not unique."""
    return words_line(_, Words.of(organization))


def words_line(_: Texts, words: Words) -> Markup:
    """Name, district and province, as a certificate bears them."""
    return _(
        "<b>{name}</b>\n{district}, {province}",
        name=words.organization_name,
        district=district_word(_, words.district_th),
        province=words.province_th if _.language == "th" else words.province_en,
    )


def certified_organization(_: Texts, certificate: Certification) -> Markup:
    """A certificate's organization under the name that the certificate bears, not its present one."""
    words = certificate.words
    name_lines = (
        _("<b>Organization {code}</b>", code=certificate.organization_code)
        if words is None
        else words_line(_, words)
    )
    return lines(name_lines, words_note(_, certificate))


def words_note(_: Texts, certificate: Certification) -> Markup | None:
    """The note that an older certificate has no name of its organization, or since when; None for one that was
    issued with it.
    """
    if certificate.words is None:
        return _(
            "This certificate is from before names were kept in certificates, and its organization's was not kept "
            "yet. Please tell {operator}.",
            operator=_.operator,
        )
    if certificate.words_kept_at is None:
        return None
    return _(
        "Name and place as of {moment}: this certificate is from before they were kept in certificates.",
        moment=_.moment(certificate.words_kept_at),
    )


def other_words(_: Texts, certificate: Certification, words: Words) -> Markup | None:
    """The organization's name on the certificate, when it differs from `words`, the name shown elsewhere on the
    screen; else only the note about an older certificate, if any.
    """
    if certificate.words is None or certificate.words == words:
        return words_note(_, certificate)
    return lines(_("In the certificate:"), certified_organization(_, certificate))


def district_word(_: Texts, name: str) -> str:
    """A district; its name is in Thai in both languages: `อ.บางพลี`, `บางพลี district`."""
    return _.plain("{name} district", name=name)


def find_label(name: ButtonName, marks: str = "") -> str:
    """The label of an organization's 🔍 button, in Thai in both languages, because names are in Thai.

    `marks` come first, where a narrow phone shows them.
    """
    # The abbreviation for district in Thai too, beside the Thai name.
    district = "" if name.district_th is None else f" · อ.{name.district_th}"
    return f"{marks}🔍 {name.short}{district}"


def round_line(_: Texts, round_: Round | None, now: datetime) -> Markup:
    """The round, its closing date and the days left: `ปีงบประมาณ 2570 · ภายใน 15 ก.ย. 2569 (เหลือ 12 วัน)`."""
    if round_ is None:
        return _("No round has been opened yet.")
    if round_.state is RoundState.CLOSED:
        return _("Fiscal year B.E. {year} · the round is closed", year=round_.fiscal_year)
    days_left = round_.days_left(now)
    if round_.closes_on is None or days_left is None:
        return _("Fiscal year B.E. {year}", year=round_.fiscal_year)
    return _(
        "Fiscal year B.E. {year} · by {day} ({left})",
        year=round_.fiscal_year,
        day=_.day(round_.closes_on),
        left=days_left_word(_, days_left),
    )


def days_left_word(_: Texts, days: int) -> str:
    """The days left until the closing date, or overdue when `days` is negative."""
    if days == 0:
        return _.plain("the last day")
    if days > 0:
        return _.plain("1 day left") if days == 1 else _.plain("{days:,} days left", days=days)
    return _.plain("1 day overdue") if days == -1 else _.plain("{days:,} days overdue", days=-days)


# Ended revisions that a screen compares with; there is more than one only after several reopenings.
_REVISIONS_SHOWN = 3


def changes_text(_: Texts, changes: Changes | None) -> Markup | None:
    """The number of changes since each ended revision, a line each; None without a reopening."""
    if changes is None:
        return None
    parts = [_since_line(_, since) for since in changes.since[:_REVISIONS_SHOWN]]
    more = len(changes.since) - len(parts)
    if more > 0:
        parts.append(_("and since {count} earlier revisions", count=more))
    return lines(*parts)


def _since_line(_: Texts, since: ChangesSince) -> Markup:
    if since.difference is None:
        return _("⚠️ Changed since revision {revision}: not known", revision=since.revision)
    return _(
        "Changed since revision {revision}: <b>{changes}</b>",
        revision=since.revision,
        changes=change_counts(_, since.difference),
    )


def change_counts(_: Texts, difference: Difference) -> str:
    """The numbers of records added, removed and changed: `+2 −1 ~3`, with `menus` when the menus differ."""
    if difference.is_nothing:
        return _.plain("nothing")
    signs = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "−", ChangeKind.CHANGED: "~"}
    counts = " ".join(f"{sign}{difference.count(kind):,}" for kind, sign in signs.items())
    return counts + (" · " + _.plain("menus") if difference.new_menus or difference.gone_menus else "")


def headcount_lines(_: Texts, headcount: Headcount) -> Markup:
    """The number of people in each category, and the total, a line each."""
    rows = [(category_word(_, category), headcount.of(category)) for category in Category]
    rows.append((_.plain("Total"), headcount.total))
    return lines(*(people_line(_, name, number) for name, number in rows))


def people_line(_: Texts, name: str, count: int) -> Markup:
    """A name with a number of people: `ข้าราชการ 12 คน`."""
    return _("{name} <b>{count:,}</b>", name=name, count=count)


def officer_line(_: Texts, officer: Officer) -> Markup:
    """The officer's name and position, as they will be on certificates."""
    return _("{name} · {position}", name=officer.full_name, position=officer.position)


# Titles that are written with a blank before the name.
_TITLES = {"นาย", "นาง", "นางสาว", "น.ส."}
_MASK = "•••"


def masked(name: str) -> str:
    """A person's name for a list: title and first name, and the surname's first letter: `สมชาย ใ•••`."""
    words = name.split()
    unmasked = words[: min(2 if words[0] in _TITLES else 1, len(words) - 1)]
    return " ".join([*unmasked, f"{words[len(unmasked)][0]}{_MASK}"])


def certified_by(_: Texts, certificate: Certification) -> Markup:
    """The signer's name and position, the time, and whether it was after the closing date."""
    return _(
        "{name} · {position}\n{moment}{late}",
        name=certificate.officer_name,
        position=certificate.officer_position,
        moment=_.moment(certificate.certified_at),
        late=_(" (late)") if certificate.is_late else "",
    )


def signature(_: Texts, certificate: Certification) -> Markup:
    """The signer's name and position, the time, and the certificate's verification code."""
    code = _("Verification code <code>{code}</code>", code=written_code(certificate.code))
    return lines(certified_by(_, certificate), code)


def review_tap(turn: Turn, organization: str) -> Tap:
    """The tap that opens a review: an LAO's of its own organization, a province's of the one with this code."""
    return LaoReview() if turn.officer.account.role is Role.LAO else ProvinceReview(organization)
