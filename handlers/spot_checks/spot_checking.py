"""สุ่มตรวจสอบ: the drawn records one by one, a mark for each, the summary, and handing it in (province step 5).

Only these screens show full names, because the officer compares them with paper records.
"""

from dataclasses import replace

from markupsafe import Markup

from handlers.accounts import keypad
from handlers.accounts.profile import ask
from handlers.certification import province
from handlers.chat.drafts import refused_words, words_typed
from handlers.chat.screen import Button, Row, Screen, Style, lines
from handlers.chat.taps.certification import ProvinceReview
from handlers.chat.taps.province import NextWaiting, ProvinceList
from handlers.chat.taps.spot_checks import (
    DrawSpotCheck,
    HandIn,
    HandInIncorrect,
    MarkDespiteEmpty,
    MarkRecord,
    SpotRecord,
    SpotSummary,
    SpotSummaryPage,
)
from handlers.chat.taps.tap import unpack
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import (
    category_word,
    headcount_lines,
    mark_word,
    masked,
    organization_line,
    pager,
    way_out,
)
from handlers.register.difference import fields_text
from models.accounts.access import find_organization
from models.accounts.pin import Purpose
from models.base.thai import shortened
from models.certification.remark import RemarkRefused
from models.certification.review import Review, review
from models.certification.spot_check import Mark, SpotCheckItem
from models.chats.conversation import Awaiting
from models.register.roster import MenuState
from models.spot_checks.spot_checking import (
    Checking,
    MarksChanged,
    MenusEmpty,
    draw,
    hand_in,
    load_checking,
    mark,
    require_ready_to_hand_in,
)

# The most characters for a record's menus, its note, and a note in the summary, to fit one message (Bot API,
# sendMessage: 4,096).
MENUS_LENGTH, NOTE_LENGTH, SUMMARY_NOTE_LENGTH = 2200, 500, 80
# The separator of menus on one line.
_BESIDE = Markup(" · ")
# The most characters for an earlier note, and the records on one page of the summary.
EARLIER_NOTE_LENGTH, RECORDS_PER_PAGE = 120, 20


async def start(turn: Turn, tap: DrawSpotCheck) -> Screen:
    """Draw a spot-check (สุ่มตรวจสอบ), or continue the existing one at the first record without a mark."""
    checking = await draw(
        turn.session,
        turn.officer,
        tap.organization,
        turn.now,
        turn.rng,
        size=turn.setup.demands.spot_check_size,
        clock_offset=turn.clock_offset,
    )
    return await _following(turn, checking, 0)


async def _following(turn: Turn, checking: Checking, place: int) -> Screen:
    """Show the next record without a mark after `place`, or the summary when all have one."""
    next_place = checking.unmarked_after(place)
    return (
        await _summary(turn, checking) if next_place is None else record_screen(turn.texts, checking, next_place)
    )


async def show_record(turn: Turn, tap: SpotRecord) -> Screen:
    """Show one drawn record."""
    checking = await load_checking(turn.session, turn.officer, tap.organization, tap.check)
    return record_screen(turn.texts, checking, tap.place)


def _neighbours(_: Texts, checking: Checking, place: int) -> Row:
    """The buttons to the previous and the next record."""
    code, check, count = checking.organization.dla_code, checking.check.id, len(checking.check.items)
    row: Row = ()
    if place > 1:
        label = "◀ " + _.plain("record {place}/{count}", place=place - 1, count=count)
        row += (Button(label, SpotRecord(code, check, place - 1)),)
    if place < count:
        label = _.plain("record {place}/{count}", place=place + 1, count=count) + " ▶"
        row += (Button(label, SpotRecord(code, check, place + 1)),)
    return row


def record_screen(_: Texts, checking: Checking, place: int) -> Screen:
    """The screen of one record, with the state of its menus and the buttons of the two marks."""
    item, code, check = checking.item(place), checking.organization.dla_code, checking.check
    rows: tuple[Row, ...] = ()
    if check.handed_in_at is None:
        rows += (_mark_buttons(_, checking, item),)
    neighbours = _neighbours(_, checking, place)
    rows += (neighbours,) if neighbours else ()
    if check.marked:
        rows += ((Button(_.plain("Summary"), SpotSummary(code, check.id)),),)
    return Screen(
        lines(
            _("<b>Spot-check {place} of {count}</b>", place=place, count=len(check.items)),
            organization_line(_, checking.organization),
            "",
            _person(_, checking, item),
            _since_certified(_, checking, item),
            "",
            _menus(_, checking, place),
            "",
            _("Result: {mark}", mark=_mark_line(_, item)),
            _note(item, NOTE_LENGTH),
        ),
        (*rows, way_out(_, ProvinceReview(code))),
    )


def _mark_buttons(_: Texts, checking: Checking, item: SpotCheckItem) -> Row:
    """The buttons of the two marks, without colours when a menu is empty, so that neither is suggested."""
    is_complete = not checking.menus(item.place, MenuState.EMPTY)
    correct, incorrect = ("✅ " + mark_word(_, Mark.CORRECT)), ("❌ " + mark_word(_, Mark.INCORRECT))
    return (
        Button(correct, _mark_tap(checking, item, Mark.CORRECT), Style.SUCCESS if is_complete else None),
        Button(incorrect, _mark_tap(checking, item, Mark.INCORRECT), Style.DANGER if is_complete else None),
    )


def _mark_tap(checking: Checking, item: SpotCheckItem, new_mark: Mark) -> MarkRecord:
    return MarkRecord(checking.organization.dla_code, checking.check.id, item.place, new_mark)


def _person(_: Texts, checking: Checking, item: SpotCheckItem) -> Markup:
    """The person's full name, record number, category, position and level."""
    record = checking.records[item.record_no]
    return lines(
        Markup("<b>{}</b>").format(record.full_name),
        _("Record no. <code>{number}</code>", number=record.record_no),
        Markup("{}").format(category_word(_, record.category)),
        Markup("{}").format(f"{record.position} {record.level}".strip()),
    )


def _since_certified(_: Texts, checking: Checking, item: SpotCheckItem) -> Markup | None:
    """After a reopening, the earlier note on an incorrect record and its changes since it was certified; else
    None.
    """
    if checking.basis is None:
        return None
    parts: list[Markup | str] = []
    if item.record_no in checking.basis.incorrect:
        note = " ".join(checking.earlier_notes.get(item.record_no, "").split())
        parts += ["", _("⚠️ <b>Not correct before</b>"), shortened(note, EARLIER_NOTE_LENGTH)]
    change = checking.changes.of_record(item.record_no) if checking.changes is not None else None
    if change is not None:
        parts += ["", _("<b>Changed since it was certified</b>"), fields_text(_, change, whole_names=True)]
    return lines(*parts) if parts else None


def _menus(_: Texts, checking: Checking, place: int) -> Markup:
    """All menus of a record grouped by state, empty ones first."""
    states = (MenuState.EMPTY, MenuState.RECORDED, MenuState.NONE)
    return lines(*(part for state in states for part in _menus_in(_, checking, place, state)))


def _menus_in(_: Texts, checking: Checking, place: int, state: MenuState) -> list[Markup]:
    """The menus of a record in one state, below a heading with their number; nothing if there are none.

    Empty menus have a line each. The others share a line, so that the person's name stays visible on a phone.
    """
    room = max(MENUS_LENGTH // max(len(checking.menu_names), 1) - len(_BESIDE), 2)
    names = checking.menus(place, state)
    title = {
        MenuState.EMPTY: _("⚠️ <b>Not filled in</b>"),
        MenuState.RECORDED: _("☑️ <b>Recorded</b>"),
        MenuState.NONE: _("➖ <b>Nothing to record</b>"),
    }[state]
    heading = Markup("{} ({})").format(title, len(names))
    if not names:
        return []
    separator = Markup("\n") if state is MenuState.EMPTY else _BESIDE
    return [heading, separator.join(shortened(name, room) for name in names)]


def _mark_line(_: Texts, item: SpotCheckItem) -> Markup:
    if item.mark is None:
        return _("not checked yet")
    return Markup("{} {}").format("✅" if item.mark is Mark.CORRECT else "❌", mark_word(_, item.mark))


def _note(item: SpotCheckItem, length: int) -> Markup | None:
    """The item's note, truncated to `length` characters; None without a note."""
    return Markup("{}").format(shortened(" ".join(item.note.split()), length)) if item.note else None


# --- marking ------------------------------------------------------------------------------------------------


async def mark_record(turn: Turn, tap: MarkRecord) -> Screen:
    """Mark a record ถูกต้อง at once, or ask for a note before marking it ไม่ถูกต้อง.

    A record with an empty menu is confirmed first.
    """
    if tap.mark is Mark.INCORRECT:
        checking = await load_checking(turn.session, turn.officer, tap.organization, tap.check)
        return _ask_note(turn, checking, tap)
    try:
        return await _mark_correct(turn, tap, despite_empty_menus=False)
    except MenusEmpty as problem:
        return empty_menus_screen(turn.texts, problem.checking, tap.place)


async def mark_despite_empty(turn: Turn, tap: MarkDespiteEmpty) -> Screen:
    """Mark a record with empty menus ถูกต้อง, after the confirmation that names them."""
    return await _mark_correct(turn, tap, despite_empty_menus=True)


async def _mark_correct(turn: Turn, tap: MarkRecord | MarkDespiteEmpty, *, despite_empty_menus: bool) -> Screen:
    checking = await mark(
        turn.session,
        turn.officer,
        tap.organization,
        tap.check,
        tap.place,
        Mark.CORRECT,
        None,
        turn.now,
        despite_empty_menus=despite_empty_menus,
        clock_offset=turn.clock_offset,
    )
    return await _following(turn, checking, tap.place)


def empty_menus_screen(_: Texts, checking: Checking, place: int) -> Screen:
    """The confirmation before a record with empty menus is marked ถูกต้อง; it names the menus."""
    item, code, check = checking.item(place), checking.organization.dla_code, checking.check
    anyway = Button(_.plain("Correct, though not filled in"), MarkDespiteEmpty(code, check.id, place))
    incorrect = Button("❌ " + mark_word(_, Mark.INCORRECT), _mark_tap(checking, item, Mark.INCORRECT))
    return Screen(
        lines(
            _("<b>Spot-check {place} of {count}</b>", place=place, count=len(check.items)),
            organization_line(_, checking.organization),
            "",
            _person(_, checking, item),
            "",
            *_menus_in(_, checking, place, MenuState.EMPTY),
            "",
            _("<b>These menus are not filled in. Is the record correct all the same?</b>"),
        ),
        ((anyway,), (incorrect,), way_out(_, SpotRecord(code, check.id, place))),
    )


def _ask_note(turn: Turn, checking: Checking, tap: MarkRecord) -> Screen:
    turn.conversation.awaiting = Awaiting.NOTE
    turn.conversation.subject = tap.pack()
    question = ask(turn, "Type <b>what is not correct</b>, in 5 to 1,000 letters, without names.")
    cancel = Button(turn.texts.plain("Cancel"), SpotRecord(tap.organization, tap.check, tap.place))
    return replace(question, rows=((cancel,),)).headed(_person(turn.texts, checking, checking.item(tap.place)))


async def take_note(turn: Turn, text: str) -> Screen:
    """Take the typed note, and mark the record that was asked about ไม่ถูกต้อง. Raises RemarkRefused for any other
    mark.
    """
    tap = _noted(turn)
    try:
        checking = await mark(
            turn.session,
            turn.officer,
            tap.organization,
            tap.check,
            tap.place,
            tap.mark,
            words_typed(text),
            turn.now,
            clock_offset=turn.clock_offset,
        )
    except RemarkRefused as problem:
        return refused_words(turn, await ask_note_again(turn), problem)
    turn.conversation.awaiting = Awaiting.NOTHING
    return await _following(turn, checking, tap.place)


async def ask_note_again(turn: Turn) -> Screen:
    """Repeat the question for the note. Raises RemarkRefused as `take_note`."""
    return await mark_record(turn, _noted(turn))


def _noted(turn: Turn) -> MarkRecord:
    """The mark that the note is for, from the chat's row, which has no seal: a note never makes a record ถูกต้อง."""
    tap = unpack(turn.conversation.subject or "")
    if not isinstance(tap, MarkRecord):
        raise TypeError("a note is asked for about a record only")
    if tap.mark is not Mark.INCORRECT:
        raise RemarkRefused
    return tap


# --- summary and handing in
# ------------------------------------------------------------------------------------------------


async def show_summary(turn: Turn, tap: SpotSummary) -> Screen:
    """Show the first page of the summary."""
    return await _summary(turn, await load_checking(turn.session, turn.officer, tap.organization, tap.check))


async def show_summary_page(turn: Turn, tap: SpotSummaryPage) -> Screen:
    """Show another page of the summary."""
    checking = await load_checking(turn.session, turn.officer, tap.organization, tap.check)
    return await _summary(turn, checking, tap.page)


async def _summary(turn: Turn, checking: Checking, page: int = 0) -> Screen:
    """Show a page of the summary; if every record is correct, with the current numbers and the button to
    certify.
    """
    current_review = None
    if checking.check.is_all_correct:
        current_review = await review(turn.session, turn.officer, checking.organization.dla_code)
    return summary_screen(turn.texts, checking, current_review, page)


def summary_screen(_: Texts, checking: Checking, current_review: Review | None, page: int = 0) -> Screen:
    """The screen of a summary page: records with marks, and the possible next step.

    `current_review` is the organization's review when every record is correct, else None.
    """
    code, check = checking.organization.dla_code, checking.check
    pages = max(1, -(-len(check.items) // RECORDS_PER_PAGE))
    page = min(page, pages - 1)
    before, after = (SpotSummaryPage(code, check.id, max(page + step, 0)) for step in (-1, 1))
    listed = [
        lines(
            Markup("{} · <code>{}</code> {}").format(
                _mark_line(_, item), item.record_no, masked(checking.records[item.record_no].full_name)
            ),
            _note(item, SUMMARY_NOTE_LENGTH),
        )
        for item in check.items[page * RECORDS_PER_PAGE : (page + 1) * RECORDS_PER_PAGE]
    ]
    rows: tuple[Row, ...] = pager(_, page, pages, before, after)
    if current_review is not None:
        rows += ((province.certify_button(_, current_review),),)
    elif check.handed_in_at is None and check.marked == len(check.items):
        rows += ((Button(_.plain("Hand in the spot-check"), HandIn(code, check.id), Style.PRIMARY),),)
    if check.handed_in_at is not None and check.incorrect:
        rows += (_next_row(_),)
    rows += ((Button(_.plain("See the records"), SpotRecord(code, check.id, 1)),),)
    return Screen(
        lines(
            _("<b>Spot-check: summary</b>"),
            "",
            *listed,
            province.gone_line(_, check),
            "",
            _what_follows(_, checking),
            "",
            organization_line(_, checking.organization),
            headcount_lines(_, current_review.roster.headcount) if current_review is not None else None,
        ),
        (*rows, way_out(_, ProvinceReview(code))),
    )


def _next_row(_: Texts) -> Row:
    """The button ถัดไป to the next waiting organization; the failed one now waits for the operator."""
    return (Button(_.plain("Next"), NextWaiting(), Style.PRIMARY),)


def _what_follows(_: Texts, checking: Checking) -> Markup:
    check = checking.check
    if check.handed_in_at is not None:
        return _("Handed in: {moment}", moment=_.moment(check.handed_in_at))
    if check.marked < len(check.items):
        return _("Checked: {marked} of {count}", marked=check.marked, count=len(check.items))
    if check.incorrect:
        return _failing(_, checking)
    return _("All are correct. Certifying hands the spot-check in; until then every mark can be changed.")


def _failing(_: Texts, checking: Checking) -> Markup:
    return _(
        "Not correct: {count}. Once it is handed in these figures <b>cannot be certified</b>, and no result can "
        "be changed. The operator is asked to open the register, with your notes as the reason.",
        count=len(checking.check.incorrect),
    )


async def ask_hand_in(turn: Turn, tap: HandIn) -> Screen:
    """Ask for confirmation before a spot-check with incorrect records is handed in (ส่งผลสุ่มตรวจสอบ).

    If a colleague has meanwhile marked all records correct, the summary is shown, because certifying hands it in.
    """
    _ = turn.texts
    checking = await load_checking(turn.session, turn.officer, tap.organization, tap.check)
    if checking.check.is_all_correct:
        return await _summary(turn, checking)
    checking = await require_ready_to_hand_in(turn.session, turn.officer, tap.organization, tap.check)
    handing_in = HandInIncorrect(tap.organization, tap.check, checking.check.fingerprint)
    return Screen(
        lines(_hand_in_title(_), organization_line(_, checking.organization), "", _failing(_, checking)),
        (
            (Button(_.plain("Hand in the spot-check"), handing_in, Style.DANGER),),
            (Button(_.plain("Cancel"), SpotSummary(tap.organization, tap.check)),),
        ),
    )


def _hand_in_title(_: Texts) -> Markup:
    return _("<b>⚠️ Hand in the spot-check?</b>")


async def confirm_hand_in(turn: Turn, tap: HandInIncorrect) -> Screen:
    """After the confirmation, ask for the PIN, below what is handed in (docs/adr/0088).

    If a mark has changed since, or all are correct now, the summary is shown instead.
    """
    _ = turn.texts
    try:
        checking = await require_ready_to_hand_in(
            turn.session, turn.officer, tap.organization, tap.check, tap.marks, clock_offset=turn.clock_offset
        )
    except MarksChanged:
        return await _marks_changed(turn, tap)
    check = checking.check
    if check.is_all_correct:
        return await _summary(turn, checking)
    count = _("Not correct: {count} of {total}", count=len(check.incorrect), total=len(check.items))
    heading = lines(_hand_in_title(_), organization_line(_, checking.organization), "", count)
    return await keypad.ask_pin(turn, Purpose.HAND_IN, tap.pack(), heading)


async def hand_in_incorrect(turn: Turn, subject: str) -> Screen:
    """After the PIN, hand the spot-check in, which also petitions the operator for a reopening.

    `subject` is the callback data of the press for which the PIN was asked. If a mark has changed since, the
    summary is shown instead.
    """
    _, tap = turn.texts, unpack(subject)
    if not isinstance(tap, HandInIncorrect):
        raise TypeError("this PIN is asked for by HandInIncorrect only")
    try:
        petition = await hand_in(
            turn.session,
            turn.officer,
            tap.organization,
            tap.check,
            turn.now,
            turn.setup.operator_chat,
            marks=tap.marks,
            clock_offset=turn.clock_offset,
        )
    except MarksChanged:
        return await _marks_changed(turn, tap)
    if petition is None:
        raise TypeError("these marks are not all correct: ask_hand_in has looked")
    failed = await find_organization(turn.session, turn.officer, tap.organization)
    return Screen(
        lines(
            organization_line(_, failed),
            "",
            _("⛔ The spot-check was handed in. These figures cannot be certified."),
            "",
            _("The operator was asked to open the register:"),
            petition.body,
            "",
            _("You will be told of the decision."),
        ),
        (_next_row(_), way_out(_, ProvinceList())),
    )


async def _marks_changed(turn: Turn, tap: HandInIncorrect) -> Screen:
    """Show the current summary, and say that a mark has changed and nothing was handed in."""
    checking = await load_checking(turn.session, turn.officer, tap.organization, tap.check)
    sentence = turn.texts(
        "⚠️ A result was changed meanwhile. Nothing was handed in. Please check the results again."
    )
    return (await _summary(turn, checking)).headed(sentence)
