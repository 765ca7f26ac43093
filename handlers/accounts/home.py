"""The screens home, welcome, help, language and log out."""

from handlers.accounts import keypad
from handlers.accounts.profile import ask_profile
from handlers.chat.screen import Button, Row, Screen, Style, lines
from handlers.chat.taps.accounts import (
    ChooseLanguage,
    EditProfile,
    Help,
    Home,
    LogIn,
    LogOut,
    LogOutNow,
    Officers,
    SetLanguage,
)
from handlers.chat.taps.certification import CertificationMenu, LaoMenu, LaoReview, ProvinceReview
from handlers.chat.taps.notices import NoticeTimes
from handlers.chat.taps.province import ProvinceMenu
from handlers.chat.taps.remarks import ReadRemark
from handlers.chat.taps.tap import Tap
from handlers.chat.texts import Texts
from handlers.chat.turn import Relinked, Turn
from handlers.chat.words import (
    back,
    changes_text,
    find_label,
    home,
    officer_line,
    organization_line,
    round_line,
    status_word,
    way_out,
)
from models.accounts.account import Account, Role
from models.certification.certificate import Status
from models.certification.changes import load_changes
from models.certification.review import own_status
from models.chats.conversation import Awaiting, Language
from models.links.link import unlink_officer
from models.notices import card_marks
from models.province.listing import Following, next_waiting, whole_list
from models.province.progress import count_statuses_in
from models.remarks.petition import open_petition
from models.remarks.question import open_questions
from models.rounds.round import RoundState, current_round


async def show_home(turn: Turn, _tap: Tap | None = None) -> Screen:
    """Show หน้าหลัก (home) in a linked chat, or the welcome in another.

    An unfinished login is continued; an idle chat asks for the PIN first.
    """
    if turn.linked is None:
        turn.conversation.awaiting = Awaiting.NOTHING
        return welcome(turn.texts)
    if not turn.linked.is_ready:
        return await _finish_login(turn)
    if turn.is_idle:
        return await keypad.unlock(turn)
    turn.conversation.await_nothing()
    if turn.officer.account.role is Role.LAO:
        return await _lao_home(turn)
    return await _province_home(turn)


async def _finish_login(turn: Turn) -> Screen:
    """Ask for what is missing of name, position and PIN, in this order."""
    if turn.officer.full_name is None or turn.officer.position is None:
        return ask_profile(turn)
    return await keypad.choose_pin(turn)


def welcome(_: Texts) -> Screen:
    """The screen of a chat that is not linked."""
    return Screen(
        _(
            "<b>Personnel data certification</b> (ก.พ.๗)\n"
            "For officers of local administrative organizations and provinces.\n\n"
            "Log in with your organization's username and password."
        ),
        (
            (Button(_.plain("Log in"), LogIn(), Style.PRIMARY),),
            (Button("ภาษา / Language", ChooseLanguage()),),
        ),
    )


async def _lao_home(turn: Turn) -> Screen:
    _, account = turn.texts, turn.officer.account
    assert account.organization is not None  # noqa: S101 - the table's check constraint
    round_, status = await own_status(turn.session, turn.own_organization)
    waiting = await open_questions(turn.session, turn.own_organization)
    petition = await open_petition(turn.session, turn.own_organization, Role.LAO)
    is_due = status is Status.UNCERTIFIED and round_ is not None and round_.state is RoundState.OPEN
    changes = None
    if is_due and round_ is not None:
        changes = await load_changes(turn.session, turn.own_organization, round_.id)
    return Screen(
        lines(
            organization_line(_, account.organization),
            officer_line(_, turn.officer),
            "",
            round_line(_, round_, turn.now),
            _("Certification status: <b>{status}</b>", status=status_word(_, status)),
            changes_text(_, changes),
            _("❓ The province waits for your answer.") if waiting else None,
            _("✉️ Your petition waits for the operator's decision.") if petition is not None else None,
        ),
        (
            *_waiting_rows(_, waiting),
            *(((Button(_.plain("LAO-level certification"), LaoReview(), Style.PRIMARY),),) if is_due else ()),
            *_home_rows(_, _.plain("Data certification"), None if is_due else Style.PRIMARY),
        ),
    )


def _waiting_rows(_: Texts, questions: list[int]) -> tuple[Row, ...]:
    """A button for the oldest unanswered question; `questions` are the ids of all, the oldest first."""
    if not questions:
        return ()
    label = "❓ " + _.plain("Answer the question") + f" ({len(questions)})"
    return ((Button(label, ReadRemark(questions[0])),),)


async def _province_home(turn: Turn) -> Screen:
    _, account = turn.texts, turn.officer.account
    round_ = await current_round(turn.session)
    (counts,) = await count_statuses_in(turn.session, round_, account.province_code)
    following = None
    if counts.waiting and round_ is not None and round_.state is RoundState.OPEN:
        following = await next_waiting(turn.session, turn.officer, whole_list(turn.officer), turn.now)
    count = f" ({counts.waiting:,})" if counts.waiting else ""
    return Screen(
        lines(
            _("<b>{province} province</b>", province=province_name(_, account)),
            officer_line(_, turn.officer),
            "",
            round_line(_, round_, turn.now),
            _("Waiting for you: <b>{waiting:,}</b>", waiting=counts.waiting),
            _("⛔ Waiting for the operator: {blocked:,}", blocked=counts.blocked) if counts.blocked else None,
            _("Certified by you: {done:,} of {total:,}", done=counts.province_certified, total=counts.total),
        ),
        (
            *(_next_rows(following) if following is not None else ()),
            *_home_rows(_, _.plain("Data certification") + count, Style.PRIMARY if following is None else None),
        ),
    )


def _next_rows(following: Following) -> tuple[Row, ...]:
    """A button that opens the next waiting organization directly, without the filter screen."""
    return ((Button(find_label(following.name), ProvinceReview(following.name.dla_code), Style.PRIMARY),),)


def province_name(_: Texts, account: Account) -> str:
    """Return the name of a province account's province in the chat's language."""
    assert account.province is not None  # noqa: S101 - the table's check constraint
    return account.province.name_th if _.language is Language.THAI else account.province.name_en


def _home_rows(_: Texts, certification: str, style: Style | None) -> tuple[tuple[Button, ...], ...]:
    return (
        (Button(certification, CertificationMenu(), style),),
        (Button(_.plain("Linked officers"), Officers()),),
        (Button(_.plain("Edit name and position"), EditProfile()),),
        (Button(_.plain("Notifications"), NoticeTimes()), Button("ภาษา / Language", ChooseLanguage())),
        (Button(_.plain("How it works"), Help()), Button(_.plain("Log out"), LogOut())),
    )


async def certification_menu(turn: Turn, _tap: Tap) -> Screen:
    """Show ระบบรับรองข้อมูล with the one level at which the officer's account may certify (procedure, step 2)."""
    _ = turn.texts
    if turn.officer.account.role is Role.LAO:
        level = Button(_.plain("Proceed (LAO)"), LaoMenu(), Style.PRIMARY)
    else:
        level = Button(_.plain("Proceed (province)"), ProvinceMenu(), Style.PRIMARY)
    return Screen(
        lines(
            _("<b>Data certification</b>"),
            _(
                "The organization certifies its number of officials, permanent employees and contract employees "
                "first. Then its province certifies."
            ),
        ),
        ((level,), (home(_),)),
    )


async def choose_language(turn: Turn, _tap: Tap | None = None) -> Screen:
    """Offer the two languages, each named in itself."""
    return Screen(
        turn.texts("Choose a language."),
        (
            (Button("ไทย", SetLanguage(Language.THAI)), Button("English", SetLanguage(Language.ENGLISH))),
            (back(turn.texts, Home()),),
        ),
    )


async def set_language(turn: Turn, tap: SetLanguage) -> Screen:
    """Set the chat's language and show home."""
    turn.conversation.language = tap.language
    if turn.linked is not None:
        await card_marks.touch_own(turn.session, turn.linked, turn.now)
    return await show_home(turn)


async def ask_logout(turn: Turn, _tap: Tap) -> Screen:
    """Ask for confirmation, because logging in again needs the password."""
    _ = turn.texts
    return Screen(
        _("Log out? You will need the username and password to come back, and get no notices until then."),
        ((Button(_.plain("Log out"), LogOutNow(), Style.DANGER),), way_out(_, Home())),
    )


async def log_out(turn: Turn, tap: Tap | str) -> Screen:
    """End this chat's link and show the welcome."""
    if turn.linked is None:
        return await show_home(turn)
    # The tapped card is edited into the welcome. After a command the welcome is a new message, and the card is
    # blanked.
    own_card = turn.conversation.card_message_id if isinstance(tap, Tap) else None
    await unlink_officer(turn.session, turn.linked, turn.now, but=own_card)
    turn.conversation.awaiting = Awaiting.NOTHING
    return Relinked.of(welcome(turn.texts).headed(turn.texts("You are logged out.")), None)


async def show_help(turn: Turn, _tap: Tap | None = None) -> Screen:
    """Show how the procedure works and what the commands do."""
    _ = turn.texts
    return Screen(
        _(
            "<b>How it works</b>\n"
            "1. Log in with your organization's username and password.\n"
            "2. Check the numbers and certify. A certified register cannot be changed.\n"
            "3. The province checks and certifies in turn; you are told.\n\n"
            "/menu home\n/verify ABCDE-FGHJK a certificate by its code\n/language ภาษา\n/logout log out\n\n"
            "Questions? Ask {operator}.",
            operator=_.operator,
        ),
        ((home(_),),),
    )
