"""Logging in with username and password; a new officer then gives a name and a position (procedure, step 1)."""

from dataclasses import replace

from handlers.accounts import home, keypad
from handlers.accounts.profile import ask, ask_full_name, ask_position
from handlers.chat.deleting import refused, require_deleted, warned
from handlers.chat.proving import Attempt, login_keys
from handlers.chat.screen import Screen
from handlers.chat.taps.tap import Tap
from handlers.chat.turn import Relinked, Turn
from models.accounts import throttle
from models.accounts.account import (
    MAX_NAME,
    MIN_LETTERS,
    LoginCandidate,
    LoginRefused,
    NameRefused,
    NameRule,
    UsernameRefused,
    name_officer,
    name_or_position,
    record_failed_login,
    username_to_keep,
)
from models.accounts.pin import holds_number
from models.base.font import visible
from models.chats.conversation import Awaiting
from models.links.link import AlreadyLinked, link_officer


async def start_login(turn: Turn, _tap: Tap | None = None) -> Screen:
    """เข้าสู่ระบบ: ask for the username."""
    if turn.linked is not None:
        return await home.show_home(turn)
    turn.conversation.awaiting = Awaiting.USERNAME
    return ask(turn, "Type your organization's <b>username</b>.")


async def take_username(turn: Turn, text: str) -> Screen:
    """Take the typed username and ask for the password, without saying whether the account exists.

    The message is deleted, because it may be a password typed by mistake. Raises NeedsDeletion.
    """
    require_deleted(turn)
    try:
        turn.conversation.username = await username_to_keep(turn.session, text)
    except UsernameRefused:
        sentence = turn.texts("That cannot be a username. Please send the <b>username alone</b>.")
        return refused(turn, await start_login(turn), sentence)
    turn.conversation.awaiting = Awaiting.PASSWORD
    return warned(turn, _ask_password(turn))


def _ask_password(turn: Turn) -> Screen:
    return ask(turn, "Type the <b>password</b>. Your message will be deleted at once.")


async def take_password(turn: Turn, attempt: Attempt) -> Screen:
    """Take the checked password and link the chat, or refuse with the same answer for every reason."""
    username, turn.conversation.username = turn.conversation.username, None
    return keypad.warned_of_password(turn, await _linked_or_refused(turn, attempt, username or ""))


async def ask_again(turn: Turn) -> Screen:
    """Repeat the pending question after a message that is no text, such as a picture or a file."""
    awaiting = turn.conversation.awaiting
    if awaiting in (Awaiting.FULL_NAME, Awaiting.POSITION):
        return _ask_profile_again(turn)
    if awaiting is Awaiting.USERNAME:
        return await start_login(turn)
    if awaiting is Awaiting.PASSWORD:
        return _ask_password(turn)
    return keypad.ask_password_again(turn)


async def _linked_or_refused(turn: Turn, attempt: Attempt, username: str) -> Screen:
    _ = turn.texts
    if attempt.blocked_until is not None:
        screen = await start_login(turn)
        return screen.headed(keypad.blocked_sentence(turn, attempt))
    if not attempt.right or not isinstance(attempt.rests_on, LoginCandidate):
        return await _refused(turn, username, attempt)
    try:
        officer = await link_officer(turn.session, turn.user_id, attempt.rests_on, turn.now)
    except LoginRefused:
        return await _refused(turn, username, attempt)
    except AlreadyLinked:
        return await home.show_home(turn)
    await _accept_password(turn, username)
    screen = await home.show_home(replace(turn, linked=officer))
    return Relinked.of(screen.headed(_("✅ Logged in: {name}", name=officer.account.display_name)), officer)


async def _accept_password(turn: Turn, username: str) -> None:
    """After a right password, reset the account's throttle and subtract this attempt from the chat's."""
    name_key, chat_key = login_keys(turn.session, turn.user_id, username)
    await throttle.clear(turn.session, [name_key], turn.now)
    await throttle.take_back(turn.session, chat_key)


async def _refused(turn: Turn, username: str, attempt: Attempt) -> Screen:
    tries = next(iter(attempt.tries.values()), None)
    await record_failed_login(turn.session, username, turn.user_id, turn.now, tries)
    screen = await start_login(turn)
    return screen.headed(turn.texts("The username or password is not correct. Please try again."))


async def pin_chosen(turn: Turn, _subject: str) -> Screen:
    """Show home after the new PIN was set, which is the last step of a login."""
    return (await home.show_home(turn)).headed(turn.texts("✅ Your PIN is set."))


async def edit_profile(turn: Turn, _tap: Tap | None = None) -> Screen:
    """Ask for name and position again; existing certificates keep the old ones."""
    return ask_full_name(turn)


async def retype_name(turn: Turn, _tap: Tap) -> Screen:
    """Go back from the question for the position to that for the name."""
    return ask_full_name(turn)


async def take_full_name(turn: Turn, text: str) -> Screen:
    """Store the officer's typed name and ask for the position.

    A message that a new officer sent before the question appeared is refused and deleted: it is probably the
    password, sent again because the answer was slow. Raises NeedsDeletion.
    """
    if turn.is_early and turn.officer.full_name is None:
        require_deleted(turn)
        sentence = turn.texts("Your message came before this question. Please answer it.")
        return refused(turn, _ask_profile_again(turn), sentence)
    try:
        await name_officer(turn.session, turn.officer, turn.now, full_name=_name_typed(text))
    except NameRefused as problem:
        return _name_refused(turn, problem)
    return ask_position(turn)


async def take_position(turn: Turn, text: str) -> Screen:
    """Store the officer's typed position; a new officer then chooses the PIN.

    An edited message corrects the name instead, because the name was the previous answer.
    """
    if turn.is_edit:
        return await take_full_name(turn, text)
    try:
        await name_officer(turn.session, turn.officer, turn.now, position=_name_typed(text))
    except NameRefused as problem:
        return _name_refused(turn, problem)
    if not turn.officer.is_ready:
        turn.conversation.subject = _answered_by(turn)
    return await home.show_home(turn)


def corrects_position(turn: Turn, text: str | None) -> bool:
    """Whether an edit corrects the position: a valid one, in the message that gave it, while the first PIN is
    chosen.
    """
    if not turn.is_edit or turn.officer.is_ready or turn.conversation.subject != _answered_by(turn):
        return False
    try:
        return bool(_name_typed(text or ""))
    except NameRefused:
        return False


async def correct_position(turn: Turn, text: str) -> Screen:
    """Store the corrected position and show the keypad again."""
    await name_officer(turn.session, turn.officer, turn.now, position=_name_typed(text))
    sentence = turn.texts("Position: <b>{position}</b>", position=turn.officer.position)
    return (await keypad.show_again(turn)).headed(sentence)


def _answered_by(turn: Turn) -> str:
    return f"position:{turn.message_id}"


def _name_typed(text: str) -> str:
    """Return a typed name or position in canonical spelling.

    Raises NameRefused, also for six digits in a row (a PIN).
    """
    if holds_number(text):
        raise NameRefused(NameRule.NO_NUMBER)
    return name_or_position(text)


def _name_refused(turn: Turn, problem: NameRefused) -> Screen:
    """Say which rule the text breaks, ask again, and delete the message, which may be a PIN or a password.

    Raises NeedsDeletion.
    """
    require_deleted(turn)
    _ = turn.texts
    sentence = {
        NameRule.LETTERS: _(
            "It has fewer than {least} letters. Please type it in at most {most} letters.",
            least=MIN_LETTERS,
            most=MAX_NAME,
        ),
        NameRule.LENGTH: _("It is too long. Please type it in at most {most} letters.", most=MAX_NAME),
        NameRule.VISIBLE: _("It has pictures or characters that nobody sees. Please type it in letters only."),
        NameRule.DRAWN: _(
            "Certificates cannot show the letter “{letter}”. Please type it in Thai or Latin letters.",
            letter=visible(problem.letter),
        ),
        NameRule.NO_LINK: _("Telegram would make a link of it. Please type it without @, #, / and web addresses."),
        NameRule.NO_NUMBER: _("It has a long number. Please type it without six digits in a row."),
    }[problem.rule]
    return refused(turn, _ask_profile_again(turn), sentence)


def _ask_profile_again(turn: Turn) -> Screen:
    return ask_full_name(turn) if turn.conversation.awaiting is Awaiting.FULL_NAME else ask_position(turn)
