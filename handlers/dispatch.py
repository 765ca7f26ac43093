"""Which handler answers what, and with which right: the table of the whole conversation."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from markupsafe import Markup

from handlers import problems
from handlers.accounts import entrance, home, invitation, keypad, officers
from handlers.certification import confirming, lao, province, verifying
from handlers.chat.commands import Command, command_of, linked_code
from handlers.chat.deleting import refused, require_deleted
from handlers.chat.incoming import Incoming
from handlers.chat.proving import Attempt, NeedsProof, typed_password
from handlers.chat.screen import Screen
from handlers.chat.taps.accounts import (
    AcceptInvitation,
    ChooseLanguage,
    EditProfile,
    EraseKey,
    ForgotPin,
    HandOver,
    HandOverNow,
    Home,
    Key,
    LogIn,
    LogOut,
    LogOutNow,
    NotOurs,
    Officers,
    SetLanguage,
)
from handlers.chat.taps.certification import (
    Cancel,
    CertificatePdf,
    CertificationMenu,
    Confirm,
    LaoCertify,
    LaoHistory,
    LaoMenu,
    LaoPositions,
    LaoReview,
    ProvinceCertify,
    ProvinceHistory,
    ProvincePositions,
    ProvinceReview,
    SeeCertificate,
    SeeHistory,
)
from handlers.chat.taps.notices import ChooseQuiet, ChooseRhythm, NoticeTimes, RestOnDaysOff, RingOnDaysOff
from handlers.chat.taps.province import (
    AllWaiting,
    ChooseDistrict,
    ChooseSorting,
    ChooseStatus,
    ChooseType,
    ExportList,
    Lift,
    NextOfAll,
    NextWaiting,
    OnlyWithRemarks,
    ProvinceDistricts,
    ProvinceList,
    ProvinceMenu,
    ProvinceSearch,
    ProvinceTypes,
    SeeProgress,
    SkipWaiting,
)
from handlers.chat.taps.register import (
    DropRoster,
    EmptyMenu,
    EmptyMenus,
    RegisterTemplate,
    RosterChanges,
    SaveRoster,
    SendRegister,
    SentFile,
)
from handlers.chat.taps.remarks import (
    AnswerQuestion,
    AskAbout,
    AskForCorrection,
    AskForReopening,
    AskOrganization,
    ExplainDifference,
    ReadRemark,
    Remarks,
    SeeRemark,
    SendAnswer,
    SendExplanation,
    SendPetition,
    SendQuestion,
    SendReopening,
)
from handlers.chat.taps.spot_checks import (
    DrawSpotCheck,
    HandIn,
    HandInIncorrect,
    MarkRecord,
    SpotRecord,
    SpotSummary,
)
from handlers.chat.taps.tap import InvalidTap, Tap, unpack
from handlers.chat.turn import Right, Setup, Turn
from handlers.chat.uploads import Upload
from handlers.notices import timing
from handlers.province import export, listing, live_card, queue
from handlers.register import empty_menus, register_file
from handlers.remarks import explanation, petition, question, thread
from handlers.spot_checks import spot_checking
from models.accounts.access import NotYours
from models.accounts.account import names_account, record_refusal, saw_officer
from models.accounts.pin import Purpose, holds_number, leave_keypad
from models.base.errors import DomainError
from models.chats.conversation import Awaiting, Conversation
from models.database.engine import Session
from models.links.arrival import load_arrival
from models.links.link import announce_link
from models.notices import card_marks
from models.notices.reachability import find_again
from models.notices.tables import ProvinceCard

Handler = Callable[[Turn, Any], Awaitable[Screen]]
Step = Callable[[Turn, str], Awaitable[Screen]]

TAPS: dict[type[Tap], tuple[Right, Handler]] = {
    Home: (Right.ANYONE, home.show_home),
    LogIn: (Right.ANYONE, entrance.start_login),
    ChooseLanguage: (Right.ANYONE, home.choose_language),
    SetLanguage: (Right.ANYONE, home.set_language),
    LogOut: (Right.LINKED, home.ask_logout),
    # Also for one who has not said its name yet: it may have logged in to the wrong account.
    LogOutNow: (Right.ANYONE, home.log_out),
    Key: (Right.OFFICER, keypad.press),
    EraseKey: (Right.OFFICER, keypad.erase),
    ForgotPin: (Right.OFFICER, keypad.forgot),
    AcceptInvitation: (Right.ANYONE, invitation.accept),
    Officers: (Right.LINKED, officers.show),
    NotOurs: (Right.LINKED, officers.end_disputed),
    HandOver: (Right.LINKED, invitation.ask_hand_over),
    HandOverNow: (Right.LINKED, invitation.ask_pin),
    NoticeTimes: (Right.LINKED, timing.show),
    ChooseRhythm: (Right.PROVINCE, timing.choose_rhythm),
    ChooseQuiet: (Right.LINKED, timing.choose_quiet),
    RestOnDaysOff: (Right.LINKED, timing.rest_on_days_off),
    RingOnDaysOff: (Right.LINKED, timing.ring_on_days_off),
    EditProfile: (Right.LINKED, entrance.edit_profile),
    CertificationMenu: (Right.LINKED, home.certification_menu),
    LaoMenu: (Right.LAO, lao.menu),
    LaoReview: (Right.LAO, lao.show_review),
    LaoPositions: (Right.LAO, lao.positions),
    LaoCertify: (Right.LAO, lao.ask),
    LaoHistory: (Right.LAO, lao.history),
    SendRegister: (Right.LAO, register_file.explain),
    RegisterTemplate: (Right.LAO, register_file.template),
    RosterChanges: (Right.LAO, register_file.changes),
    SentFile: (Right.LAO, register_file.show),
    SaveRoster: (Right.LAO, register_file.save),
    DropRoster: (Right.LAO, register_file.drop),
    AskForCorrection: (Right.LAO, petition.ask_for_words),
    SendPetition: (Right.LAO, petition.send),
    ExplainDifference: (Right.LAO, explanation.ask_for_words),
    SendExplanation: (Right.LAO, explanation.send),
    AnswerQuestion: (Right.LAO, question.ask_for_answer),
    SendAnswer: (Right.LAO, question.send_answer),
    ProvinceMenu: (Right.PROVINCE, listing.menu),
    ChooseStatus: (Right.PROVINCE, listing.choose_status),
    ProvinceTypes: (Right.PROVINCE, listing.types),
    ChooseType: (Right.PROVINCE, listing.choose_type),
    ProvinceDistricts: (Right.PROVINCE, listing.districts),
    ChooseDistrict: (Right.PROVINCE, listing.choose_district),
    OnlyWithRemarks: (Right.PROVINCE, listing.only_with_remarks),
    Lift: (Right.PROVINCE, listing.lift),
    ChooseSorting: (Right.PROVINCE, listing.choose_sorting),
    ProvinceSearch: (Right.PROVINCE, listing.search),
    ProvinceList: (Right.PROVINCE, listing.show_list),
    AllWaiting: (Right.PROVINCE, live_card.all_waiting),
    ProvinceReview: (Right.PROVINCE, province.show_review),
    NextWaiting: (Right.PROVINCE, queue.open_next),
    NextOfAll: (Right.PROVINCE, queue.open_next_of_all),
    SkipWaiting: (Right.PROVINCE, queue.skip),
    ProvincePositions: (Right.PROVINCE, province.positions),
    ProvinceCertify: (Right.PROVINCE, province.ask),
    DrawSpotCheck: (Right.PROVINCE, spot_checking.start),
    SpotRecord: (Right.PROVINCE, spot_checking.show_record),
    MarkRecord: (Right.PROVINCE, spot_checking.mark_record),
    SpotSummary: (Right.PROVINCE, spot_checking.show_summary),
    HandIn: (Right.PROVINCE, spot_checking.ask_hand_in),
    HandInIncorrect: (Right.PROVINCE, spot_checking.hand_in_incorrect),
    AskForReopening: (Right.PROVINCE, petition.ask_for_reopening),
    SendReopening: (Right.PROVINCE, petition.send_reopening),
    ProvinceHistory: (Right.PROVINCE, province.history),
    ExportList: (Right.PROVINCE, export.export_list),
    SeeProgress: (Right.PROVINCE, export.see_progress),
    CertificatePdf: (Right.LINKED, export.certificate_pdf),
    SeeCertificate: (Right.LINKED, verifying.see_certificate),
    AskOrganization: (Right.PROVINCE, question.choose_topic),
    AskAbout: (Right.PROVINCE, question.choose_words),
    SendQuestion: (Right.PROVINCE, question.send_question),
    Remarks: (Right.LINKED, thread.show),
    ReadRemark: (Right.LINKED, thread.read),
    EmptyMenus: (Right.LINKED, empty_menus.show_menus),
    EmptyMenu: (Right.LINKED, empty_menus.show_records),
    SeeHistory: (Right.LINKED, confirming.see_history),
    SeeRemark: (Right.LINKED, petition.see_remark),
    Confirm: (Right.LINKED, confirming.confirm),
    Cancel: (Right.LINKED, confirming.cancel),
}

# Each is called with what stands behind the command.
COMMANDS: dict[str, tuple[Right, Handler]] = {
    "start": (Right.ANYONE, verifying.start),
    "menu": (Right.ANYONE, home.show_home),
    "help": (Right.ANYONE, home.show_help),
    "language": (Right.ANYONE, home.choose_language),
    "logout": (Right.ANYONE, home.log_out),
    "verify": (Right.LINKED, verifying.show_certificate),
}

# The texts that are asked for, but for passwords: those are checked before the transaction. A province's officer
# searches by typing when it is asked for nothing.
STEPS: dict[Awaiting, tuple[Right, Step]] = {
    Awaiting.USERNAME: (Right.ANYONE, entrance.take_username),
    Awaiting.FULL_NAME: (Right.OFFICER, entrance.take_full_name),
    Awaiting.POSITION: (Right.OFFICER, entrance.take_position),
    Awaiting.PETITION: (Right.LAO, petition.take_words),
    Awaiting.NOTHING: (Right.PROVINCE, listing.take_words),
    Awaiting.NOTE: (Right.PROVINCE, spot_checking.take_note),
    Awaiting.REOPENING: (Right.PROVINCE, petition.take_reopening),
    Awaiting.EXPLANATION: (Right.LAO, explanation.take_words),
    Awaiting.ANSWER: (Right.LAO, question.take_answer),
    Awaiting.RECORD_NO: (Right.PROVINCE, question.take_record_no),
    Awaiting.QUESTION: (Right.PROVINCE, question.take_question),
}

# Whatever comes where one of these is asked for is deleted: a picture may show a password, too.
SECRETS = {Awaiting.USERNAME, Awaiting.PASSWORD, Awaiting.PASSWORD_FOR_PIN}

# Where something else than a text came, the question once more; without an entry it is one of the login's.
AGAIN: dict[Awaiting, Callable[[Turn], Awaitable[Screen]]] = {
    Awaiting.PETITION: petition.ask_again,
    Awaiting.NOTE: spot_checking.ask_note_again,
    Awaiting.REOPENING: petition.ask_reopening_again,
    Awaiting.EXPLANATION: explanation.ask_again,
    Awaiting.ANSWER: question.ask_answer_again,
    Awaiting.RECORD_NO: question.ask_record_no,
    Awaiting.QUESTION: question.ask_question,
}

# A file or a picture, where no text is asked for.
DOCUMENT: tuple[Right, Handler] = (Right.LAO, register_file.take)

# What a right PIN leads to; the officer is linked, as the keypad was its own.
AFTER_PIN: dict[Purpose, Step] = {
    Purpose.SET: entrance.pin_chosen,
    Purpose.CONFIRM: confirming.confirmed,
    Purpose.HAND_OVER: invitation.hand_over,
}

# What a chat may still do that was left alone for 12 hours: give the PIN, or leave.
WHILE_IDLE: set[type[Tap] | str] = {
    Key,
    EraseKey,
    ForgotPin,
    AcceptInvitation,
    LogOut,
    LogOutNow,
    "logout",
}


@dataclass(frozen=True)
class Reply:
    """What to show, and where: on the message that was tapped, or on a new one in place of `old_card`."""

    screen: Screen
    old_card: int | None = None
    # The message that was tapped is the live card, which stays as it is: the screen is a new one too.
    is_below: bool = False
    # It shows what an officer may see, and must go when the chat's link has ended meanwhile.
    is_of_officer: bool = False


async def respond(
    session: Session,
    incoming: Incoming,
    attempt: Attempt | None,
    now: datetime,
    rng: random.Random,
    setup: Setup,
    upload: Upload | None = None,
) -> Reply | None:
    """Answer one update inside its transaction; None when there is nothing to say.

    Raises NeedsProof when a password or PIN must be checked first: roll back, check, come again with `attempt`.
    Raises NeedsDeletion when the message must be deleted first: roll back, delete, come again with `is_deleted`.
    """
    arrived = await load_arrival(session, incoming.chat_id, incoming.user_id)
    conversation, linked = arrived.conversation, arrived.officer
    await find_again(session, conversation, now)
    if incoming.is_return:
        return None
    turn = Turn(
        session,
        now,
        rng,
        incoming.user_id,
        conversation,
        linked,
        setup,
        attempt,
        upload,
        message_id=incoming.message_id,
        is_edit=incoming.is_edit,
        is_early=_is_early(incoming, conversation),
        is_deleted=incoming.is_deleted,
        keypad=arrived.open_keypad(now),
        lapsed=arrived.lapsed_keypad(now),
    )
    command = _command(turn, incoming)
    if incoming.is_edit and (command is not None or not _takes_edit(turn, incoming)):
        return None
    if not incoming.is_private:
        return _private_only(turn)
    was_ready, was_idle = linked is not None and linked.is_ready, turn.is_idle
    if linked is not None and not turn.is_idle:
        await saw_officer(session, linked, now)
    reply = replace(await _reply(turn, incoming, command, arrived.card), is_of_officer=turn.linked is not None)
    if turn.linked is not None and turn.linked.is_ready and not was_ready:
        await announce_link(session, turn.linked, now)
        await card_marks.begin(session, turn.linked, now)
    elif turn.linked is not None and was_idle and not turn.is_idle:
        # The PIN was right: its card may say all again.
        await card_marks.touch_own(session, turn.linked, now)
    return reply


def _is_early(incoming: Incoming, conversation: Conversation) -> bool:
    """Whether a message was sent before the newest screen was there; in a chat message ids ascend."""
    if incoming.callback_id is not None or incoming.is_edit or incoming.message_id is None:
        return False
    return incoming.message_id < (conversation.card_message_id or 0)


def _takes_edit(turn: Turn, incoming: Incoming) -> bool:
    """Whether an edited message is taken for an answer: where a text is asked for, or a PIN. Messages also change
    without their sender's doing (Bot API, Update.edited_message), so that no edit is a command.
    """
    if not incoming.is_private:
        return False
    if turn.keypad or _awaits_password(turn):
        return True
    if turn.is_idle:
        return holds_number(incoming.typed)
    awaiting = turn.conversation.awaiting
    return awaiting is not Awaiting.NOTHING and _awaits(turn, awaiting)


def _command(turn: Turn, incoming: Incoming) -> Command | None:
    command = command_of(incoming, turn.setup.bot_username)
    return command if command is not None and command.name in COMMANDS else None


async def _reply(turn: Turn, incoming: Incoming, command: Command | None, live_card: ProvinceCard | None) -> Reply:
    conversation, linked = turn.conversation, turn.linked
    old_card = conversation.card_message_id
    is_live_card = await _look(turn, incoming, live_card)
    goes_elsewhere = incoming.callback_id is not None or command is not None
    if goes_elsewhere and linked is not None and linked.is_ready:
        # The question for a new name is left behind; what is typed next is no answer to it.
        conversation.await_nothing()
    if _leaves_keypad(turn, incoming, command, is_live_card=is_live_card):
        # Digits still on their way must not count on it.
        await leave_keypad(turn.session, turn.officer)
        turn.keypad = ""
    if is_live_card:
        return Reply(await _answer_and_go_on(turn, incoming.data), old_card, is_below=True)
    if incoming.callback_id is not None:
        if old_card != incoming.message_id:
            conversation.card_message_id = incoming.message_id
        return Reply(await _answer_and_go_on(turn, incoming.data))
    await keypad.bar_typed(turn, incoming.typed)
    if _takes_document(turn, incoming):
        return Reply(await _answer(turn, lambda: _document(turn, incoming)), old_card)
    if command is not None:
        return Reply(await _answer(turn, lambda: _commanded(turn, command)), old_card)
    return Reply(await _answer(turn, lambda: _words(turn, incoming)), old_card)


def _leaves_keypad(turn: Turn, incoming: Incoming, command: Command | None, *, is_live_card: bool) -> bool:
    """Whether something else takes the place of the keypad: the answer to a command or a file, which comes below
    it, or to a button on its message that is no key.
    """
    if not turn.keypad:
        return False
    if incoming.callback_id is None:
        return command is not None or _takes_document(turn, incoming)
    is_its_message = incoming.message_id == turn.conversation.card_message_id
    return (is_its_message or is_live_card) and not _is_key(incoming.data)


def _is_key(data: str) -> bool:
    try:
        return isinstance(unpack(data), Key | EraseKey)
    except InvalidTap:
        return False


async def _look(turn: Turn, incoming: Incoming, live_card: ProvinceCard | None) -> bool:
    """Note that a province's officer has looked, unless its phone may be in other hands; whether it tapped on its
    live card.
    """
    if live_card is None or turn.linked is None or not turn.linked.is_ready:
        return False
    tapped = incoming.message_id if incoming.callback_id is not None else None
    return await card_marks.look(turn.session, turn.linked, live_card, tapped, turn.now, is_idle=turn.is_idle)


async def _answer_and_go_on(turn: Turn, data: str) -> Screen:
    """A tap; and after a right PIN what it was asked for, in a step of its own: a refusal there must not take the
    PIN back.
    """
    screen = await _answer(turn, lambda: _tapped(turn, data))
    pad = turn.proved
    if pad is None:
        return screen
    if pad.purpose is Purpose.UNLOCK:
        return await _answer(turn, lambda: _tapped(turn, pad.subject) if pad.subject else home.show_home(turn))
    return await _answer(turn, lambda: AFTER_PIN[pad.purpose](turn, pad.subject))


async def _answer(turn: Turn, handle: Callable[[], Awaitable[Screen]]) -> Screen:
    """Run a handler; what a rule refuses is undone to the last letter and explained."""
    try:
        async with turn.session.begin_nested():
            return await handle()
    except DomainError as problem:
        await turn.session.refresh(turn.conversation)
        if isinstance(problem, NotYours):
            await record_refusal(turn.session, turn.linked, turn.user_id, "not yours", turn.now)
        return await problems.explain(turn, problem)


async def _tapped(turn: Turn, data: str) -> Screen:
    try:
        tap = unpack(data)
    except InvalidTap:
        return (await home.show_home(turn)).headed(turn.texts("This button is no longer in use."))
    if turn.is_idle and type(tap) not in WHILE_IDLE:
        return await keypad.unlock(turn, data)
    return await _allowed(turn, type(tap).__name__, TAPS[type(tap)], tap)


async def _allowed(turn: Turn, name: str, entry: tuple[Right, Handler], argument: object) -> Screen:
    """Call a handler for those who have its right; that others tried is recorded."""
    right, handler = entry
    if turn.has(right):
        return await handler(turn, argument)
    await record_refusal(turn.session, turn.linked, turn.user_id, name, turn.now)
    return await problems.no_right(turn, right)


async def _commanded(turn: Turn, command: Command) -> Screen:
    # An invitation of its own account is the way back in without the PIN.
    scanned = linked_code(command.code) if command.name == "start" else None
    is_invited = command.name == "start" and command.code and not scanned
    if command.more:
        require_deleted(turn)
    if turn.is_idle and command.name not in WHILE_IDLE and not is_invited:
        screen = await keypad.unlock(turn, SeeCertificate(scanned).pack() if scanned else "")
    else:
        screen = await _allowed(turn, command.name, COMMANDS[command.name], command.code)
    return refused(turn, screen)


async def _words(turn: Turn, incoming: Incoming) -> Screen:
    """What is typed and is no command: a password, something beside a keypad, an answer, or of no use."""
    if _awaits_password(turn):
        return await _password(turn, incoming)
    if turn.keypad and entrance.corrects_position(turn, incoming.text):
        return await entrance.correct_position(turn, incoming.typed)
    if turn.keypad or turn.is_idle:
        return await keypad.refuse_text(turn, incoming.typed)
    awaiting = turn.conversation.awaiting
    is_text = incoming.text is not None and incoming.slashed is None
    if not _awaits(turn, awaiting) or (awaiting is Awaiting.NOTHING and not is_text):
        # It may be a password that was sent twice, or a login before it was asked for.
        require_deleted(turn)
        return refused(turn, await home.show_home(turn), _instead(turn, incoming))
    if incoming.text is None or not is_text:
        return await _no_text(turn, incoming)
    _right, step = STEPS[awaiting]
    return await step(turn, incoming.text)


def _instead(turn: Turn, incoming: Incoming) -> Markup:
    """What to do instead of typing what is of no use."""
    _, name = turn.texts, incoming.slashed[0] if incoming.slashed else ""
    if turn.lapsed is Purpose.CONFIRM:
        return problems.confirmation_lapsed(turn)
    if turn.linked is not None and not turn.linked.is_ready:
        # Below is a keypad, or the question for the password.
        return _("Never type the PIN as a message.")
    if name == "start":
        return _("This invitation is not valid (any more). Please ask for a new one.")
    if name == "verify" and turn.has(Right.LINKED):
        return _("No certificate of yours has this code. Please check it letter by letter.")
    return _("Please use the buttons below.")


async def _no_text(turn: Turn, incoming: Incoming) -> Screen:
    """A picture, a file or a command where a text is asked for: the question once more. What was typed with it
    is deleted, and anything where a secret is asked for. Raises NeedsDeletion.
    """
    awaiting = turn.conversation.awaiting
    if incoming.typed or awaiting in SECRETS:
        require_deleted(turn)
    if incoming.slashed:
        sentence = turn.texts("Please answer with a text, without a slash (/) before it.")
    else:
        sentence = turn.texts("Please answer with a text.")
    return refused(turn, await AGAIN.get(awaiting, entrance.ask_again)(turn), sentence)


def _awaits(turn: Turn, awaiting: Awaiting) -> bool:
    """Whether the chat may still answer what it was asked: its link may have begun or ended since."""
    if awaiting not in STEPS:
        return False
    right, _step = STEPS[awaiting]
    return turn.has(right) and (awaiting is Awaiting.USERNAME) is (turn.linked is None)


def _takes_document(turn: Turn, incoming: Incoming) -> bool:
    """Whether a file is looked at; where a text is asked for, it is asked for again. What is typed below it may be
    a PIN: beside a keypad it counts for a text.
    """
    if incoming.document is None or (incoming.typed and (turn.keypad or turn.is_idle)):
        return False
    is_in_login = turn.linked is not None and not turn.linked.is_ready
    return turn.conversation.awaiting is Awaiting.NOTHING and not is_in_login


async def _document(turn: Turn, incoming: Incoming) -> Screen:
    """A file: the register of an organization's officer, from everybody else none is taken. A caption is of no
    use; it is deleted with its file, which has been fetched, where it may be a secret. Raises NeedsDeletion.
    """
    right, _take = DOCUMENT
    typed = incoming.typed
    if typed and (not turn.has(right) or holds_number(typed) or await names_account(turn.session, typed)):
        require_deleted(turn)
    return refused(turn, await _file(turn, incoming))


async def _file(turn: Turn, incoming: Incoming) -> Screen:
    (right, take), document = DOCUMENT, incoming.document
    if turn.is_idle:
        # It must be sent again: what was fetched for an idle chat would be shown to whoever holds the phone.
        screen = await keypad.unlock(turn, SendRegister().pack() if turn.has(right) else "")
        return screen.headed(turn.texts("Please enter the PIN, then send the file again."))
    if turn.has(right):
        return await take(turn, document)
    if turn.linked is None:
        return await problems.no_right(turn, right)
    return (await home.show_home(turn)).headed(
        turn.texts("Files are taken from officers of an organization only.")
    )


def _awaits_password(turn: Turn) -> bool:
    """Of a login, or in place of a forgotten PIN; the link may have begun or ended since it was asked for."""
    needed = Awaiting.PASSWORD if turn.linked is None else Awaiting.PASSWORD_FOR_PIN
    return turn.conversation.awaiting is needed


async def _password(turn: Turn, incoming: Incoming) -> Screen:
    """A typed password. Raises NeedsProof."""
    if incoming.text is None or (incoming.slashed and incoming.slashed[0] in COMMANDS):
        return await _no_text(turn, incoming)
    if turn.attempt is None:
        username = turn.linked.account.username if turn.linked else turn.conversation.username or ""
        raise NeedsProof(await typed_password(turn.session, turn.user_id, username, incoming.text))
    if turn.linked is None:
        return await entrance.take_password(turn, turn.attempt)
    return await keypad.take_password(turn, turn.attempt)


def _private_only(turn: Turn) -> Reply | None:
    """A group is told once; registers are nobody else's business."""
    if turn.conversation.told_private_only:
        return None
    turn.conversation.told_private_only = True
    return Reply(Screen(turn.texts("I work in private chats only. Please write to me directly.")))
