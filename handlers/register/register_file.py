"""ส่งทะเบียนเป็นไฟล์ (Send the register as a file): instructions, template, what a file would change, saving."""

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
# Kinds of problems that a refusal shows, and places of each.
PROBLEMS_SHOWN = 10
PLACES_SHOWN = 10
# Letters of a value from a file after which it is shortened; the name of a position has up to 200.
_LONGEST = 61
# Values in problems that come from the program, not from the file, and are not shortened.
_WHOLE = ("names", "thai")
# Letters of all problems together; a message takes 4,096 (Bot API, sendMessage).
_ROOM = 3000


async def explain(turn: Turn, _tap: Tap) -> Screen:
    """Explain how to send the register, and offer the template. Raises RosterLocked, NotYours."""
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
    """Send the template with the present register, as a file below the screen. Raises RosterLocked, NotYours."""
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
    """Answer a sent file: show what it would change, or what is wrong with it. The register is not changed yet.

    Raises RosterLocked, NotYours.
    """
    await sent_roster.require_sendable(turn.session, turn.officer)
    upload = turn.upload
    if upload is None or upload.organization != turn.own_organization:
        try:
            require_file(document.name, document.size)
        except ImportRefused as refusal:
            return _refused(turn.texts, document.name, refusal.problems)
        # The check before the transaction was for another organization, or did not run.
        return _refused(turn.texts, document.name, [NOT_CHECKED])
    if upload.sent is None:
        return _refused(turn.texts, document.name, upload.problems)
    return proposal_screen(
        turn.texts, await sent_roster.propose(turn.session, turn.officer, upload.sent, turn.now)
    )


async def show(turn: Turn, tap: SentFile) -> Screen:
    """Show again what a sent file would change. Raises the domain error of a file that has lapsed."""
    proposal = await sent_roster.load_proposal(turn.session, turn.officer, tap.draft, turn.now)
    return proposal_screen(turn.texts, proposal)


async def changes(turn: Turn, tap: RosterChanges) -> Screen:
    """The records that a sent file would add, remove or change, a page at a time. Raises as `show`."""
    _ = turn.texts
    proposal = await sent_roster.load_proposal(turn.session, turn.officer, tap.draft, turn.now)
    record_changes = proposal.difference.of(tap.kind)
    pages = max(1, -(-len(record_changes) // CHANGES_PER_PAGE))
    page = min(tap.page, pages - 1)
    before, after = (replace(tap, page=max(page + step, 0)) for step in (-1, 1))
    page_changes = record_changes[page * CHANGES_PER_PAGE : (page + 1) * CHANGES_PER_PAGE]
    return Screen(
        lines(
            Markup("<b>{}</b>").format(kind_word(_, tap.kind, len(record_changes))),
            organization_line(_, proposal.organization),
            *(part for change in page_changes for part in ("", change_text(_, change))),
        ),
        (*pager(_, page, pages, before, after), way_out(_, SentFile(tap.draft))),
    )


async def save(turn: Turn, tap: SaveRoster) -> Screen:
    """บันทึกทะเบียน (Save the register): replace the register by the file's. Raises as `show`."""
    _ = turn.texts
    saved = await sent_roster.save(turn.session, turn.officer, tap.draft, turn.now)
    screen = await show_review(turn, LaoReview())
    return screen.headed(_("✅ <b>The register was saved</b>: {count:,} records.", count=len(saved.sent.records)))


async def drop(turn: Turn, tap: DropRoster) -> Screen:
    """ยกเลิก (Cancel): drop the sent file; the register stays as it is."""
    await sent_roster.cancel(turn.session, turn.officer, tap.draft, turn.now)
    screen = await explain(turn, SendRegister())
    return screen.headed(turn.texts("The file was dropped. The register is as before."))


# --- what is wrong with it ----------------------------------------------------------------------------------


def _refused(_: Texts, name: str, problems: Sequence[Problem]) -> Screen:
    """The refusal of a file: the first kinds of problems with their places and how to fix them, and the number of
    further problems.
    """
    kind_lines: list[Markup] = []
    more = len(problems)
    for kind in alike(problems)[:PROBLEMS_SHOWN]:
        line = _kind_line(_, kind)
        if sum(map(len, kind_lines)) + len(line) > _ROOM:
            break
        kind_lines.append(line)
        more -= kind.count
    return Screen(
        lines(
            _("⚠️ <b>The file was not taken.</b> The register is as before."),
            _("📄 {file}", file=shortened(name, _LONGEST)) if name else None,
            "",
            *kind_lines,
            _("and {count:,} more problems", count=more) if more else None,
            "",
            _("Please mend this and send the file again."),
        ),
        ((Button(_.plain("Send the register as a file"), SendRegister()),), (home(_),)),
    )


def _kind_line(_: Texts, kind: Alike) -> Markup:
    """One kind of problem (models/imports/tabular/problems.py) in the chat's language: places, problem and fix."""
    place = "; ".join(_places(_, kind))
    what = _translated(_, kind.first.what)
    if not kind.has_one_text:
        what = _("{what} (line {line}; the others are alike)", what=what, line=kind.first.line)
    sentence = _("{what}; {mend}", what=what, mend=_translated(_, kind.first.mend))
    return Markup("• <b>{}</b>: {}").format(place, sentence) if place else Markup("• {}").format(sentence)


def _places(_: Texts, kind: Alike) -> list[str]:
    """The first places of one kind of problem, a text for each column, and the number of further places."""
    places: list[str] = []
    room = PLACES_SHOWN
    for column, numbers in kind.places.items():
        if not room:
            break
        lines = [line for line in numbers[:room] if line is not None]
        line_text = _.plain("line {line}", line=spans(lines)) if lines else ""
        place = ", ".join(part for part in (line_text, _translated(_, column)) if part)
        places += [place] if place else []
        room -= min(room, len(numbers))
    more = kind.count - PLACES_SHOWN
    return [*places, _.plain("and {count:,} more places", count=more)] if more > 0 and places else places


def _translated(_: Texts, text: object) -> str:
    """A problem's text in the chat's language. Values from the file are not translated, only shortened."""
    if not isinstance(text, English):
        return shortened(str(text or ""), _LONGEST)
    values = {
        name: value if isinstance(value, int) else str(value) if name in _WHOLE else _translated(_, value)
        for name, value in text.values.items()
    }
    if "operator" in values:
        values["operator"] = _.operator
    if "thai" in values and _.language is Language.THAI:
        # Names of columns: a Thai text shows the Thai ones only, an English text both.
        values["names"] = values["thai"]
    return _.plain(text.template, **values)
