"""The procedure's words, and how organizations, people and numbers are written on every screen.

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
    """The status as the procedure names it; the first one is ours."""
    return {
        Status.UNCERTIFIED: _.plain("Not certified"),
        Status.LAO_CERTIFIED: _.plain("Certified at LAO level"),
        Status.PROVINCE_CERTIFIED: _.plain("Certified at province level"),
    }[status]


def category_word(_: Texts, category: Category) -> str:
    """The category as the procedure names it."""
    return {
        Category.OFFICIAL: _.plain("Officials"),
        Category.PERMANENT_EMPLOYEE: _.plain("Permanent employees"),
        Category.CONTRACT_EMPLOYEE: _.plain("Contract employees"),
    }[category]


def category_button_word(_: Texts, category: Category) -> str:
    """The same on half a row of buttons, which is short in English."""
    return {
        Category.OFFICIAL: _.plain("Officials"),
        Category.PERMANENT_EMPLOYEE: _.plain("Permanent"),
        Category.CONTRACT_EMPLOYEE: _.plain("Contract"),
    }[category]


def mark_word(_: Texts, mark: Mark) -> str:
    """What an officer found of a record."""
    return _.plain("Correct") if mark is Mark.CORRECT else _.plain("Not correct")


def back(_: Texts, to: Tap) -> Button:
    """ย้อนกลับ."""
    return Button(_.plain("Back"), to)


def home(_: Texts) -> Button:
    """หน้าหลัก."""
    return Button(_.plain("Home"), Home())


def way_out(_: Texts, to: Tap) -> Row:
    """The last row of a screen: back, and home."""
    return (back(_, to), home(_))


def pager(_: Texts, page: int, pages: int, previous: Tap, following: Tap) -> tuple[Row, ...]:
    """The row that leafs through pages, where there are several: each button names the page that it opens."""
    row: Row = ()
    if page > 0:
        row += (Button("◀ " + _.plain("page {page}/{pages}", page=page, pages=pages), previous),)
    if page < pages - 1:
        row += (Button(_.plain("page {page}/{pages}", page=page + 2, pages=pages) + " ▶", following),)
    return (row,) if row else ()


def organization_line(_: Texts, organization: Organization) -> Markup:
    """An organization as it is called now, with the district that tells it from its namesakes."""
    return words_line(_, Words.of(organization))


def words_line(_: Texts, words: Words) -> Markup:
    """The same of an organization as a certificate names it."""
    return _(
        "<b>{name}</b>\n{district}, {province}",
        name=words.organization_name,
        district=district_word(_, words.district_th),
        province=words.province_th if _.language == "th" else words.province_en,
    )


def certified_organization(_: Texts, made: Certification) -> Markup:
    """Which organization a certificate is of, in the certificate's words: never as it is called now."""
    words = made.words
    named = _("<b>Organization {code}</b>", code=made.organization_code) if words is None else words_line(_, words)
    return lines(named, words_note(_, made))


def words_note(_: Texts, made: Certification) -> Markup | None:
    """Of a certificate that does not bear its words itself: as of when they are, or that there are none."""
    if made.words is None:
        return _(
            "This certificate is from before names were kept in certificates, and its organization's was not kept "
            "yet. Please tell {operator}.",
            operator=_.operator,
        )
    if made.words_kept_at is None:
        return None
    return _(
        "Name and place as of {moment}: this certificate is from before they were kept in certificates.",
        moment=_.moment(made.words_kept_at),
    )


def other_words(_: Texts, made: Certification, words: Words) -> Markup | None:
    """Beside what an organization is called elsewhere on a screen: how the certificate names it, where that
    differs, or does not stand in the certificate itself.
    """
    if made.words is None or made.words == words:
        return words_note(_, made)
    return lines(_("In the certificate:"), certified_organization(_, made))


def district_word(_: Texts, name: str) -> str:
    """A district by its name, which is in Thai in both languages: `อ.บางพลี`, `บางพลี district`."""
    return _.plain("{name} district", name=name)


def find_label(name: ButtonName, marks: str = "") -> str:
    """🔍 and an organization, in Thai in both languages: it is what officers look for.

    Marks come first, where a narrow phone shows them.
    """
    # As a Thai finds it, in both languages: the name is in Thai.
    district = "" if name.district_th is None else f" · อ.{name.district_th}"
    return f"{marks}🔍 {name.short}{district}"


def round_line(_: Texts, round_: Round | None, now: datetime) -> Markup:
    """The round, its last day, and how far that is: `ปีงบประมาณ 2570 · ภายใน 15 ก.ย. 2569 (เหลือ 12 วัน)`."""
    if round_ is None:
        return _("No round has been opened yet.")
    if round_.state is RoundState.CLOSED:
        return _("Fiscal year B.E. {year} · the round is closed", year=round_.fiscal_year)
    left = round_.days_left(now)
    if round_.closes_on is None or left is None:
        return _("Fiscal year B.E. {year}", year=round_.fiscal_year)
    return _(
        "Fiscal year B.E. {year} · by {day} ({left})",
        year=round_.fiscal_year,
        day=_.day(round_.closes_on),
        left=days_left_word(_, left),
    )


def days_left_word(_: Texts, days: int) -> str:
    """How many days there still are, or how many it is too late."""
    if days == 0:
        return _.plain("the last day")
    if days > 0:
        return _.plain("1 day left") if days == 1 else _.plain("{days:,} days left", days=days)
    return _.plain("1 day overdue") if days == -1 else _.plain("{days:,} days overdue", days=-days)


# Of the ended revisions that a register is compared with: more than one only after several reopenings.
_REVISIONS_SHOWN = 3


def changes_text(_: Texts, changes: Changes | None) -> Markup | None:
    """After a reopening, how much has changed since each revision that counts, a line each."""
    if changes is None:
        return None
    told = [_since_line(_, one) for one in changes.since[:_REVISIONS_SHOWN]]
    left = len(changes.since) - len(told)
    if left > 0:
        told.append(_("and since {count} earlier revisions", count=left))
    return lines(*told)


def _since_line(_: Texts, since: ChangesSince) -> Markup:
    if since.difference is None:
        return _("⚠️ Changed since revision {revision}: not known", revision=since.revision)
    return _(
        "Changed since revision {revision}: <b>{changes}</b>",
        revision=since.revision,
        changes=change_counts(_, since.difference),
    )


def change_counts(_: Texts, difference: Difference) -> str:
    """How many records have come, gone and changed: `+2 −1 ~3`; menus where they are others."""
    if difference.is_nothing:
        return _.plain("nothing")
    signs = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "−", ChangeKind.CHANGED: "~"}
    counts = " ".join(f"{sign}{difference.count(kind):,}" for kind, sign in signs.items())
    return counts + (" · " + _.plain("menus") if difference.new_menus or difference.gone_menus else "")


def headcount_lines(_: Texts, headcount: Headcount) -> Markup:
    """The three numbers behind their names, and their total."""
    rows = [(category_word(_, category), headcount.of(category)) for category in Category]
    rows.append((_.plain("Total"), headcount.total))
    return lines(*(people_line(_, name, number) for name, number in rows))


def people_line(_: Texts, name: str, count: int) -> Markup:
    """How many people of a name there are: `ข้าราชการ 12 คน`."""
    return _("{name} <b>{count:,}</b>", name=name, count=count)


def officer_line(_: Texts, officer: Officer) -> Markup:
    """The officer's name and position, as certificates will bear them."""
    return _("{name} · {position}", name=officer.full_name, position=officer.position)


# Titles that are written apart from the name.
_TITLES = {"นาย", "นาง", "นางสาว", "น.ส."}
_MASK = "•••"


def masked(name: str) -> str:
    """A person's name in a list: the first name, and of the surname its first letter, `สมชาย ใ•••`."""
    words = name.split()
    whole = words[: min(2 if words[0] in _TITLES else 1, len(words) - 1)]
    return " ".join([*whole, f"{words[len(whole)][0]}{_MASK}"])


def certified_by(_: Texts, made: Certification) -> Markup:
    """Who certified, in which position, and when."""
    return _(
        "{name} · {position}\n{moment}{late}",
        name=made.officer_name,
        position=made.officer_position,
        moment=_.moment(made.certified_at),
        late=_(" (late)") if made.is_late else "",
    )


def signature(_: Texts, made: Certification) -> Markup:
    """Who certified, in which position, when, and the code to look it up by."""
    code = _("Verification code <code>{code}</code>", code=written_code(made.code))
    return lines(certified_by(_, made), code)


def review_tap(turn: Turn, organization: str) -> Tap:
    """The review of an organization, of the officer's own side."""
    return LaoReview() if turn.officer.account.role is Role.LAO else ProvinceReview(organization)
