"""ส่งทะเบียนเป็นไฟล์: how, the template, what a file would change, and the press that writes it."""

from collections.abc import Sequence
from dataclasses import replace

from markupsafe import Markup

from handlers.certification.lao import show_review
from handlers.chat.incoming import Document
from handlers.chat.screen import Attachment, AttachmentKind, Button, Screen, Style, known, lines
from handlers.chat.taps.certification import LaoMenu, LaoReview
from handlers.chat.taps.register import (
    DropRoster,
    RegisterTemplate,
    RosterChanges,
    SaveRoster,
    SendRegister,
    SentFile,
)
from handlers.chat.taps.tap import Tap
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.uploads import NOT_CHECKED
from handlers.chat.words import home, organization_line, pager, way_out
from handlers.register.difference import change_text, kind_word, proposal_screen
from models.base.thai import shortened
from models.chats.conversation import Language
from models.imports import sent_roster
from models.imports.sent_file import MAX_BYTES, MAX_RECORDS, require_file
from models.imports.tabular import English, ImportRefused, Problem, alike
from models.imports.tabular.problems import Alike, spans

CHANGES_PER_PAGE = 5
# Kinds of problems, and places of each.
PROBLEMS_SHOWN = 10
PLACES_SHOWN = 10
# Of what was written into a file; a name of a position has 200 letters at most.
_LONGEST = 61
# Values that are the program's own and are shown whole.
_WHOLE = ("names", "thai")
# Letters of all problems together; a message has 4,096 (Bot API, sendMessage).
_ROOM = 3000


async def explain(turn: Turn, _tap: Tap) -> Screen:
    """How a register is sent, and the template for it."""
    _ = turn.texts
    organization = await sent_roster.require_sendable(turn.session, turn.officer)
    return Screen(
        lines(
            _("<b>Send the register as a file</b>"),
            organization_line(_, organization),
            "",
            _("Send an XLSX or CSV file into this chat. You see what it changes before anything is saved."),
            _(
                "At most {size} MB and {rows:,} rows, your organization only, no national ID numbers.",
                size=MAX_BYTES >> 20,
                rows=MAX_RECORDS,
            ),
            "",
            _("The easiest way: take the template, correct it and send it back."),
        ),
        (
            (Button(_.plain("Template with the current register"), RegisterTemplate(), Style.PRIMARY),),
            way_out(_, LaoMenu()),
        ),
    )


async def template(turn: Turn, _tap: Tap) -> Screen:
    """The register as it is, as a file to fill in; it comes below the screen."""
    _ = turn.texts
    screen = await explain(turn, _tap)
    facts = await sent_roster.take_template(turn.session, turn.officer, turn.now)
    caption = lines(
        _("<b>Register to be filled in</b>"),
        facts.organization.full_name,
        _("{count:,} records", count=len(facts.records)),
        _("Write {recorded}, {none} or nothing into each menu.", recorded="มี", none="ไม่มี"),
    )
    name = f"register-{facts.organization.dla_code}.xlsx"
    toast = _.plain("The file is being made and comes below.")
    attachment = Attachment(AttachmentKind.TEMPLATE, name, known(facts, caption))
    return replace(screen, toast=toast, attachment=attachment)


async def take(turn: Turn, document: Document) -> Screen:
    """A file was sent: what it changes, or what is wrong with it. Nothing is written yet."""
    await sent_roster.require_sendable(turn.session, turn.officer)
    upload = turn.upload
    if upload is None or upload.organization != turn.own_organization:
        try:
            require_file(document.name, document.size)
        except ImportRefused as refused:
            return _refused(turn.texts, document.name, refused.problems)
        # What it was found to be before the transaction does not hold any more.
        return _refused(turn.texts, document.name, [NOT_CHECKED])
    if upload.sent is None:
        return _refused(turn.texts, document.name, upload.problems)
    return proposal_screen(
        turn.texts, await sent_roster.propose(turn.session, turn.officer, upload.sent, turn.now)
    )


async def show(turn: Turn, tap: SentFile) -> Screen:
    """What a file changes, once more."""
    found = await sent_roster.load_proposal(turn.session, turn.officer, tap.draft, turn.now)
    return proposal_screen(turn.texts, found)


async def changes(turn: Turn, tap: RosterChanges) -> Screen:
    """The records that come, go or change, a page at a time."""
    _ = turn.texts
    found = await sent_roster.load_proposal(turn.session, turn.officer, tap.draft, turn.now)
    listed = found.difference.of(tap.kind)
    pages = max(1, -(-len(listed) // CHANGES_PER_PAGE))
    page = min(tap.page, pages - 1)
    before, after = (replace(tap, page=max(page + step, 0)) for step in (-1, 1))
    shown = listed[page * CHANGES_PER_PAGE : (page + 1) * CHANGES_PER_PAGE]
    return Screen(
        lines(
            Markup("<b>{}</b>").format(kind_word(_, tap.kind, len(listed))),
            organization_line(_, found.organization),
            *(part for change in shown for part in ("", change_text(_, change))),
        ),
        (*pager(_, page, pages, before, after), way_out(_, SentFile(tap.draft))),
    )


async def save(turn: Turn, tap: SaveRoster) -> Screen:
    """บันทึกทะเบียน: the file takes the register's place."""
    _ = turn.texts
    saved = await sent_roster.save(turn.session, turn.officer, tap.draft, turn.now)
    screen = await show_review(turn, LaoReview())
    return screen.headed(_("✅ <b>The register was saved</b>: {count:,} records.", count=len(saved.sent.records)))


async def drop(turn: Turn, tap: DropRoster) -> Screen:
    """ยกเลิก: the register stays as it is."""
    await sent_roster.cancel(turn.session, turn.officer, tap.draft, turn.now)
    screen = await explain(turn, SendRegister())
    return screen.headed(turn.texts("The file was dropped. The register is as before."))


# --- what is wrong with it ----------------------------------------------------------------------------------


def _refused(_: Texts, name: str, problems: Sequence[Problem]) -> Screen:
    """Why a file is not taken: the first kinds of problems, where they are and how each is mended, and how many
    more problems there are.
    """
    shown: list[Markup] = []
    left = len(problems)
    for kind in alike(problems)[:PROBLEMS_SHOWN]:
        line = _kind_line(_, kind)
        if sum(map(len, shown)) + len(line) > _ROOM:
            break
        shown.append(line)
        left -= kind.count
    return Screen(
        lines(
            _("⚠️ <b>The file was not taken.</b> The register is as before."),
            _("📄 {file}", file=shortened(name, _LONGEST)) if name else None,
            "",
            *shown,
            _("and {count:,} more problems", count=left) if left else None,
            "",
            _("Please mend this and send the file again."),
        ),
        ((Button(_.plain("Send the register as a file"), SendRegister()),), (home(_),)),
    )


def _kind_line(_: Texts, kind: Alike) -> Markup:
    """Things to mend that are alike, as models/imports/tabular/problems.py says them, in the chat's language."""
    place = "; ".join(_places(_, kind))
    what = _said(_, kind.first.what)
    if not kind.has_one_text:
        what = _("{what} (line {line}; the others are alike)", what=what, line=kind.first.line)
    said = _("{what}; {mend}", what=what, mend=_said(_, kind.first.mend))
    return Markup("• <b>{}</b>: {}").format(place, said) if place else Markup("• {}").format(said)


def _places(_: Texts, kind: Alike) -> list[str]:
    """The first places of problems that are alike, a text for each column, and how many more there are."""
    places: list[str] = []
    room = PLACES_SHOWN
    for column, numbers in kind.places.items():
        if not room:
            break
        lines = [line for line in numbers[:room] if line is not None]
        told = _.plain("line {line}", line=spans(lines)) if lines else ""
        place = ", ".join(part for part in (told, _said(_, column)) if part)
        places += [place] if place else []
        room -= min(room, len(numbers))
    left = kind.count - PLACES_SHOWN
    return [*places, _.plain("and {count:,} more places", count=left)] if left > 0 and places else places


def _said(_: Texts, text: object) -> str:
    """A text about a file in the chat's language; what was in the file stays as it is, if not as long."""
    if not isinstance(text, English):
        return shortened(str(text or ""), _LONGEST)
    values = {
        name: value if isinstance(value, int) else str(value) if name in _WHOLE else _said(_, value)
        for name, value in text.values.items()
    }
    if "operator" in values:
        values["operator"] = _.operator
    if "thai" in values and _.language is Language.THAI:
        # The names of columns: English and Thai for who reads English, Thai alone for who reads Thai.
        values["names"] = values["thai"]
    return _.plain(text.template, **values)
