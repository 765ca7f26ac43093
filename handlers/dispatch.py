"""From an update to its answer, in one transaction: here the ways of a tap, a command, a file and a text part."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from handlers import problems, typed
from handlers.accounts import home, keypad
from handlers.chat.commands import Command, command_of, linked_code
from handlers.chat.deleting import refused, require_deleted
from handlers.chat.incoming import Incoming
from handlers.chat.proving import Attempt
from handlers.chat.screen import Evidenced, Screen
from handlers.chat.taps.accounts import EraseKey, Key
from handlers.chat.taps.certification import SeeCertificate
from handlers.chat.taps.tap import InvalidTap, unpack
from handlers.chat.turn import Handler, Proved, Relinked, Right, Setup, Turn
from handlers.chat.uploads import Upload
from handlers.routes import AFTER_PIN, COMMANDS, NAVIGATION, TAPS, WHILE_IDLE
from models.accounts.access import NotYours
from models.accounts.account import record_refusal, saw_officer
from models.accounts.pin import Purpose, leave_keypad
from models.audit.replay import RecordBroken
from models.base.errors import DomainError
from models.certification.spot_check import SpotCheckAltered
from models.chats.conversation import Conversation, Language
from models.database.engine import Session
from models.links.arrival import load_arrival
from models.links.link import announce_link
from models.notices import card_marks
from models.notices.bad_seals import report_bad_seal
from models.notices.reachability import find_again, move
from models.notices.tables import ProvinceCard
from models.security.row_seal import BadSeal


@dataclass(frozen=True)
class Reply:
    """What to show, and where: on the message that was tapped, or on a new one in place of `old_card`."""

    screen: Screen
    old_card: int | None = None
    # The message that was tapped stays as it is, as the live card and a receipt do: the screen is a new one too.
    is_below: bool = False
    # It shows what an officer may see, and must go when the chat's link has ended meanwhile.
    is_of_officer: bool = False
    language: Language = Language.THAI
    # Telegram wants nothing in the chat before, as far as the database knows.
    paused_until: datetime | None = None


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
    if incoming.move is not None:
        await move(session, *incoming.move)
    arrived = await load_arrival(session, incoming.chat_id, incoming.user_id)
    reader = arrived.officer if incoming.is_private else None
    # Whatever comes from a chat shows that it can be written to.
    was_lost = await find_again(
        session, arrived.conversation, reader, now, setup.operator_chat, lets_in=incoming.lets_in
    )
    if incoming.lets_in and incoming.is_private:
        if was_lost and reader is not None:
            await card_marks.touch_own(session, reader, now)
        return None
    if incoming.move is not None:
        return None
    turn = Turn(
        session,
        now,
        rng,
        incoming.user_id,
        arrived.conversation,
        arrived.officer,
        setup,
        attempt,
        upload,
        message_id=incoming.message_id,
        is_edit=incoming.is_edit,
        is_early=_is_early(incoming, arrived.conversation),
        is_deleted=incoming.is_deleted,
        keypad=arrived.open_keypad(now),
        lapsed=arrived.lapsed_keypad(now),
        bad_seals=arrived.bad_seals,
    )
    for row in arrived.bad_seals:
        await report_bad_seal(session, row, now, setup.operator_chat)
    command = _command(turn, incoming)
    if incoming.is_edit and (command is not None or not typed.takes_edit(turn, incoming)):
        return None
    if not incoming.is_private:
        return _private_only(turn)
    return await _answer(turn, incoming, command, arrived.card, was_lost=was_lost)


async def _answer(
    turn: Turn, incoming: Incoming, command: Command | None, live_card: ProvinceCard | None, *, was_lost: bool
) -> Reply:
    """The answer in a private chat, and what follows from it: that an officer is ready, that it has come back.

    `was_lost`: nothing could be sent to the chat before this.
    """
    session, now, conversation = turn.session, turn.now, turn.conversation
    was_ready, was_idle = turn.linked is not None and turn.linked.is_ready, turn.is_idle
    if turn.linked is not None and not was_idle:
        await saw_officer(session, turn.linked, now)
    reply = await _reply(turn, incoming, command, live_card)
    reply = replace(reply, language=conversation.language, paused_until=conversation.paused_until)
    officer = reply.screen.officer if isinstance(reply.screen, Relinked) else turn.linked
    if officer is None:
        return reply
    if officer.is_ready and not was_ready:
        await announce_link(session, officer, now)
        await card_marks.begin(session, officer, now)
    elif was_lost or (was_idle and not officer.is_idle(now)):
        # A ring of its card may be among what was lost; or the PIN was right, and the card may say all again.
        await card_marks.touch_own(session, officer, now)
    return replace(reply, is_of_officer=True)


def _is_early(incoming: Incoming, conversation: Conversation) -> bool:
    """Whether a message was sent before the newest screen was there; in a chat message ids ascend."""
    if incoming.callback_id is not None or incoming.is_edit or incoming.message_id is None:
        return False
    return incoming.message_id < (conversation.card_message_id or 0)


def _command(turn: Turn, incoming: Incoming) -> Command | None:
    command = command_of(incoming, turn.setup.bot_username)
    return command if command is not None and command.name in COMMANDS else None


async def _reply(turn: Turn, incoming: Incoming, command: Command | None, live_card: ProvinceCard | None) -> Reply:
    """The answer, and where it is shown."""
    conversation, old_card = turn.conversation, turn.conversation.card_message_id
    is_live_card = await _look(turn, incoming, live_card)
    goes_elsewhere = incoming.callback_id is not None or command is not None
    if goes_elsewhere and turn.linked is not None and turn.linked.is_ready:
        # The question for a new name is left behind; what is typed next is no answer to it.
        conversation.await_nothing()
    if _leaves_keypad(turn, incoming, command, is_live_card=is_live_card):
        # Digits still on their way must not count on it.
        await leave_keypad(turn.session, turn.officer)
        turn = replace(turn, keypad="")
    if incoming.callback_id is not None:
        if is_live_card or incoming.opens_below:
            if incoming.opens_below and old_card == incoming.message_id:
                # The message that bears the button stays, though it was the card: it is read again later.
                old_card = None
            return Reply(await _answer_tap(turn, incoming.data), old_card, is_below=True)
        if old_card != incoming.message_id:
            conversation.card_message_id = incoming.message_id
        reply = Reply(await _answer_tap(turn, incoming.data))
        if isinstance(reply.screen, Evidenced):
            # The keypad goes; what is tapped next opens below the receipt.
            conversation.card_message_id = None
        return reply
    await keypad.bar_typed(turn, incoming.typed)
    if typed.takes_document(turn, incoming):
        return Reply(await _or_refusal(turn, lambda: typed.answer_document(turn, incoming)), old_card)
    if command is not None:
        return Reply(await _or_refusal(turn, lambda: _answer_command(turn, command)), old_card)
    return Reply(await _or_refusal(turn, lambda: typed.answer_words(turn, incoming)), old_card)


def _leaves_keypad(turn: Turn, incoming: Incoming, command: Command | None, *, is_live_card: bool) -> bool:
    """Whether something else takes the place of the keypad: the answer to a command or a file, which comes below
    it, or to a button on its message that is no key.
    """
    if not turn.keypad:
        return False
    if incoming.callback_id is None:
        return command is not None or typed.takes_document(turn, incoming)
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


async def _answer_tap(turn: Turn, data: str) -> Screen:
    """A tap; and after a right PIN what it was asked for, in a savepoint of its own: a refusal there must not take
    the PIN back.
    """
    screen = await _or_refusal(turn, lambda: _tapped(turn, data))
    if not isinstance(screen, Proved):
        return screen
    pad = screen.pad
    if pad.purpose is not Purpose.UNLOCK:
        return await _or_refusal(turn, lambda: AFTER_PIN[pad.purpose](turn, pad.subject))
    return await _or_refusal(turn, lambda: _tapped(turn, pad.subject) if pad.subject else home.show_home(turn))


async def _or_refusal(turn: Turn, handle: Callable[[], Awaitable[Screen]]) -> Screen:
    """What a handler answers, in a savepoint. What a rule refuses is undone to the last letter and explained."""
    try:
        async with turn.session.begin_nested():
            return await handle()
    except DomainError as problem:
        await turn.session.refresh(turn.conversation)
        if isinstance(problem, NotYours):
            await record_refusal(turn.session, turn.linked, turn.user_id, "not yours", turn.now)
        if isinstance(problem, SpotCheckAltered):
            # Somebody has written to the database: `laocert audit verify` says what.
            await record_refusal(turn.session, turn.linked, turn.user_id, "spot-check altered", turn.now)
        if isinstance(problem, BadSeal | RecordBroken):
            await report_bad_seal(turn.session, problem.row, turn.now, turn.setup.operator_chat)
        return await problems.explain(turn, problem)


async def _tapped(turn: Turn, data: str) -> Screen:
    try:
        tap = unpack(data)
    except InvalidTap:
        return (await home.show_home(turn)).headed(turn.texts("This button is no longer in use."))
    if turn.is_idle and type(tap) not in WHILE_IDLE:
        return await keypad.unlock(turn, data)
    right, _ = entry = TAPS[type(tap)]
    screen = await _allowed(turn, type(tap).__name__, entry, tap)
    return replace(screen, is_navigation=True) if type(tap) in NAVIGATION and turn.has(right) else screen


async def _allowed(turn: Turn, name: str, entry: tuple[Right, Handler], argument: object) -> Screen:
    """Call a handler for those who have its right; that others tried is recorded."""
    right, handler = entry
    if turn.has(right):
        return await handler(turn, argument)
    await record_refusal(turn.session, turn.linked, turn.user_id, name, turn.now)
    return await problems.no_right(turn, right)


async def _answer_command(turn: Turn, command: Command) -> Screen:
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


def _private_only(turn: Turn) -> Reply | None:
    """A group is told once; registers are nobody else's business."""
    if turn.conversation.told_private_only:
        return None
    turn.conversation.told_private_only = True
    return Reply(Screen(turn.texts("I work in private chats only. Please write to me directly.")))
