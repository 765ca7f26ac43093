"""Answers messages that are neither taps nor commands: passwords, answers, files, and useless texts."""

from markupsafe import Markup

from handlers import problems
from handlers.accounts import entrance, home, keypad
from handlers.certification import verifying
from handlers.chat.commands import certificate_code
from handlers.chat.deleting import refused, require_deleted
from handlers.chat.incoming import Incoming
from handlers.chat.proving import Job, NeedsProof, forgotten_pin_keys, login_keys, typed_password
from handlers.chat.screen import Screen
from handlers.chat.taps.register import SendRegister
from handlers.chat.turn import Right, Turn
from handlers.routes import COMMANDS, DOCUMENT, QUESTIONS, SECRETS
from models.accounts.account import names_account, normalize_username
from models.accounts.pin import Purpose, holds_number
from models.chats.conversation import Awaiting


async def answer_words(turn: Turn, incoming: Incoming) -> Screen:
    """Answer a text that is no command: a password, a text beside a keypad, an answer to a question, a
    verification code, or a useless text. Raises NeedsProof, NeedsDeletion.
    """
    if _awaits_password(turn):
        return await _password(turn, incoming)
    if turn.keypad or turn.is_idle:
        return await _beside_keypad(turn, incoming)
    awaiting = turn.conversation.awaiting
    is_text = incoming.text is not None and incoming.slashed is None
    code = certificate_code(incoming.text) if is_text and awaiting is Awaiting.NOTHING else None
    if code is not None and turn.has(Right.LINKED):
        return await verifying.show_certificate(turn, code)
    if not _awaits(turn, awaiting) or (awaiting is Awaiting.NOTHING and not is_text):
        # The text may be a password that was sent twice, or a login that was typed too early.
        require_deleted(turn)
        return refused(turn, await home.show_home(turn), _instead(turn, incoming))
    if incoming.text is None or not is_text:
        return await _no_text(turn, incoming)
    return await QUESTIONS[awaiting].take(turn, incoming.text)


async def _beside_keypad(turn: Turn, incoming: Incoming) -> Screen:
    """Answer a text while a keypad is shown: an edit that corrects the typed position, or a useless text."""
    if turn.keypad and entrance.corrects_position(turn, incoming.text):
        return await entrance.correct_position(turn, incoming.typed)
    return await keypad.refuse_text(turn, incoming.typed)


def _instead(turn: Turn, incoming: Incoming) -> Markup:
    """The sentence that says what to do instead of typing a useless text."""
    _, name = turn.texts, incoming.slashed[0] if incoming.slashed else ""
    if turn.lapsed is Purpose.CONFIRM:
        return problems.confirmation_lapsed(turn)
    if turn.linked is not None and not turn.linked.is_ready:
        # The screen below is a keypad, or the question for the password.
        return _("Never type the PIN as a message.")
    if name == "start":
        return _("This invitation is not valid (any more). Please ask for a new one.")
    if name == "verify" and turn.has(Right.LINKED):
        return _("No certificate of yours has this code. Please check it letter by letter.")
    return _("Please use the buttons below.")


async def _no_text(turn: Turn, incoming: Incoming) -> Screen:
    """Ask the question again after a picture, a file or a command in place of a text. A message with typed text is
    deleted, and any message where a secret was asked for. Raises NeedsDeletion.
    """
    awaiting = turn.conversation.awaiting
    if incoming.typed or awaiting in SECRETS:
        require_deleted(turn)
    if incoming.slashed:
        sentence = turn.texts("Please answer with a text, without a slash (/) before it.")
    else:
        sentence = turn.texts("Please answer with a text.")
    question = QUESTIONS.get(awaiting)
    # Questions for passwords are not in the table.
    ask_again = (question and question.ask_again) or entrance.ask_again
    return refused(turn, await ask_again(turn), sentence)


def _awaits(turn: Turn, awaiting: Awaiting) -> bool:
    """Whether the sender may still answer the chat's question: the link may have begun or ended since."""
    question = QUESTIONS.get(awaiting)
    if question is None:
        return False
    return turn.has(question.right) and (awaiting is Awaiting.USERNAME) is (turn.linked is None)


def _awaits_password(turn: Turn) -> bool:
    """Whether the chat is asked for a password, of a login or in place of a forgotten PIN, that still applies: the
    link may have begun or ended since.
    """
    needed = Awaiting.PASSWORD if turn.linked is None else Awaiting.PASSWORD_FOR_PIN
    return turn.conversation.awaiting is needed


async def _password(turn: Turn, incoming: Incoming) -> Screen:
    """Answer a typed password. Raises NeedsProof for its check, then uses `turn.attempt`."""
    if incoming.text is None or (incoming.slashed and incoming.slashed[0] in COMMANDS):
        return await _no_text(turn, incoming)
    if turn.attempt is None:
        raise NeedsProof(await _job(turn, incoming.text))
    if turn.linked is None:
        return await entrance.take_password(turn, turn.attempt)
    return await keypad.take_password(turn, turn.attempt)


async def _job(turn: Turn, typed: str) -> Job:
    """The check of a password: of the account that the chat is linked to, or of the username before it."""
    if turn.linked is not None:
        keys = forgotten_pin_keys(turn.user_id)
        return await typed_password(turn.session, turn.linked.account.username, typed, keys)
    username = normalize_username(turn.conversation.username or "")
    return await typed_password(turn.session, username, typed, login_keys(turn.session, turn.user_id, username))


def takes_edit(turn: Turn, incoming: Incoming) -> bool:
    """Whether an edited message is answered: only while the chat is asked for a text or a PIN. Messages also
    change without their sender's doing (Bot API, Update.edited_message), so no edit is a command.
    """
    if not incoming.is_private:
        return False
    if turn.keypad or _awaits_password(turn):
        return True
    if turn.is_idle:
        return holds_number(incoming.typed)
    awaiting = turn.conversation.awaiting
    return awaiting is not Awaiting.NOTHING and _awaits(turn, awaiting)


def takes_document(turn: Turn, incoming: Incoming) -> bool:
    """Whether a message is handled as a file: when no text is asked for. Beside a keypad a file with a caption is
    handled as text, because the caption may be a PIN.
    """
    if incoming.document is None or (incoming.typed and (turn.keypad or turn.is_idle)):
        return False
    is_in_login = turn.linked is not None and not turn.linked.is_ready
    return turn.conversation.awaiting is Awaiting.NOTHING and not is_in_login


async def answer_document(turn: Turn, incoming: Incoming) -> Screen:
    """Answer a file: only LAO officers may send one, their register. A message whose caption may be a secret is
    deleted, after its file was downloaded. Raises NeedsDeletion.
    """
    right, _take = DOCUMENT
    typed = incoming.typed
    if typed and (not turn.has(right) or holds_number(typed) or await names_account(turn.session, typed)):
        require_deleted(turn)
    return refused(turn, await _file(turn, incoming))


async def _file(turn: Turn, incoming: Incoming) -> Screen:
    (right, take), document = DOCUMENT, incoming.document
    if turn.is_idle:
        # The file must be sent again after the PIN: its contents must not be shown to whoever holds the phone.
        screen = await keypad.unlock(turn, SendRegister().pack() if turn.has(right) else "")
        return screen.headed(turn.texts("Please enter the PIN, then send the file again."))
    if turn.has(right):
        return await take(turn, document)
    if turn.linked is None:
        return await problems.no_right(turn, right)
    return (await home.show_home(turn)).headed(
        turn.texts("Files are taken from officers of an organization only.")
    )
