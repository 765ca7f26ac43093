"""Which handler answers what, and with which right: the table of the whole conversation."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handlers import confirming, entrance, home, lao, petitions, problems, province, taps, verifying
from handlers.entrance import LoginAttempt
from handlers.incoming import Incoming
from handlers.screen import Screen
from handlers.taps import InvalidTap, Tap, unpack
from handlers.turn import Right, Turn
from models.account import active_officer, record_refusal
from models.base import DomainError
from models.certification import NotYours
from models.conversation import Awaiting, load_conversation
from models.database import Session

Handler = Callable[[Turn, Any], Awaitable[Screen]]
Step = Callable[[Turn, str], Awaitable[Screen]]

TAPS: dict[type[Tap], tuple[Right, Handler]] = {
    taps.Home: (Right.ANYONE, home.show_home),
    taps.LogIn: (Right.ANYONE, entrance.start_login),
    taps.ChooseLanguage: (Right.ANYONE, home.choose_language),
    taps.SetLanguage: (Right.ANYONE, home.set_language),
    taps.LogOut: (Right.LINKED, home.ask_logout),
    # Also for one who has not said its name yet: it may have logged in to the wrong account.
    taps.LogOutNow: (Right.ANYONE, home.log_out),
    taps.EditProfile: (Right.LINKED, entrance.edit_profile),
    taps.CertificationMenu: (Right.LINKED, home.certification_menu),
    taps.LaoMenu: (Right.LAO, lao.menu),
    taps.LaoReview: (Right.LAO, lao.show_review),
    taps.LaoPositions: (Right.LAO, lao.positions),
    taps.LaoCertify: (Right.LAO, lao.ask),
    taps.LaoHistory: (Right.LAO, lao.history),
    taps.AskForCorrection: (Right.LAO, petitions.ask_for_words),
    taps.SendPetition: (Right.LAO, petitions.send),
    taps.ProvinceMenu: (Right.PROVINCE, province.menu),
    taps.ProvinceSearch: (Right.PROVINCE, province.search),
    taps.ProvinceReview: (Right.PROVINCE, province.show_review),
    taps.ProvincePositions: (Right.PROVINCE, province.positions),
    taps.ProvinceCertify: (Right.PROVINCE, province.ask),
    taps.ProvinceHistory: (Right.PROVINCE, province.history),
    taps.SeeHistory: (Right.LINKED, confirming.see_history),
    taps.Confirm: (Right.LINKED, confirming.confirm),
    taps.Cancel: (Right.LINKED, confirming.cancel),
}

# Each is called with what stands behind the command.
COMMANDS: dict[str, tuple[Right, Handler]] = {
    "start": (Right.ANYONE, home.show_home),
    "menu": (Right.ANYONE, home.show_home),
    "help": (Right.ANYONE, home.show_help),
    "language": (Right.ANYONE, home.choose_language),
    "logout": (Right.ANYONE, home.log_out),
    "verify": (Right.LINKED, verifying.show_certificate),
}

# The texts that are asked for, but for the password: that one is checked before the transaction.
STEPS: dict[Awaiting, Step] = {
    Awaiting.USERNAME: entrance.take_username,
    Awaiting.FULL_NAME: entrance.take_full_name,
    Awaiting.POSITION: entrance.take_position,
    Awaiting.PETITION: petitions.take_words,
}


@dataclass(frozen=True)
class Reply:
    """What to show, and where: on the message that was tapped, or on a new one in place of `old_card`."""

    screen: Screen
    old_card: int | None = None


async def respond(
    session: Session,
    incoming: Incoming,
    attempt: LoginAttempt | None,
    now: datetime,
    rng: random.Random,
    operator_chat: int | None = None,
) -> Reply | None:
    """Answer one update inside its transaction; None when there is nothing to say."""
    conversation = await load_conversation(session, incoming.chat_id)
    linked = await active_officer(session, incoming.user_id)
    turn = Turn(session, now, rng, incoming.user_id, conversation, linked, operator_chat)
    if not incoming.is_private:
        return _private_only(turn)
    old_card = conversation.card_message_id
    goes_elsewhere = incoming.callback_id is not None or incoming.command in COMMANDS
    if goes_elsewhere and linked is not None and linked.is_ready:
        # The question for a new name is left behind; what is typed next is no answer to it.
        conversation.awaiting = Awaiting.NOTHING
    if incoming.callback_id is not None:
        conversation.card_message_id = incoming.message_id
        return Reply(await _answer(turn, lambda: _tapped(turn, incoming.data)))
    return Reply(await _answer(turn, lambda: _typed(turn, incoming, attempt)), old_card)


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
    return await _allowed(turn, type(tap).__name__, TAPS[type(tap)], tap)


async def _allowed(turn: Turn, name: str, entry: tuple[Right, Handler], argument: object) -> Screen:
    """Call a handler for those who have its right; that others tried is recorded."""
    right, handler = entry
    if turn.has(right):
        return await handler(turn, argument)
    await record_refusal(turn.session, turn.linked, turn.user_id, name, turn.now)
    return await problems.no_right(turn, right)


async def _typed(turn: Turn, incoming: Incoming, attempt: LoginAttempt | None) -> Screen:
    command = COMMANDS.get(incoming.command or "")
    if command is not None:
        return await _allowed(turn, incoming.command or "", command, incoming.arguments)
    awaiting = turn.conversation.awaiting
    if awaiting is Awaiting.PASSWORD and attempt is not None and turn.linked is None:
        return await entrance.take_password(turn, attempt)
    step = STEPS.get(awaiting)
    # A name is asked of an officer, a username of a chat that is not linked; the link may have ended meanwhile.
    if step is not None and (awaiting is Awaiting.USERNAME) is (turn.linked is None):
        if incoming.text is None or incoming.command is not None:
            return await entrance.ask_again(turn)
        return await step(turn, incoming.text)
    if awaiting is Awaiting.PASSWORD and turn.linked is None:
        return await entrance.ask_again(turn)
    return (await home.show_home(turn)).headed(turn.texts("Please use the buttons below."))


def _private_only(turn: Turn) -> Reply | None:
    """A group is told once; registers are nobody else's business."""
    if turn.conversation.told_private_only:
        return None
    turn.conversation.told_private_only = True
    return Reply(Screen(turn.texts("I work in private chats only. Please write to me directly.")))
