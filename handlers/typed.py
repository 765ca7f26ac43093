"""What comes and is neither a tap nor a command: a password, an answer, a file, or something of no use."""

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
    """What is typed and is no command: a password, something beside a keypad, an answer, or of no use."""
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
        # It may be a password that was sent twice, or a login before it was asked for.
        require_deleted(turn)
        return refused(turn, await home.show_home(turn), _instead(turn, incoming))
    if incoming.text is None or not is_text:
        return await _no_text(turn, incoming)
    return await QUESTIONS[awaiting].take(turn, incoming.text)


async def _beside_keypad(turn: Turn, incoming: Incoming) -> Screen:
    """What is typed where a PIN is entered: a position that is corrected by an edit, or of no use."""
    if turn.keypad and entrance.corrects_position(turn, incoming.text):
        return await entrance.correct_position(turn, incoming.typed)
    return await keypad.refuse_text(turn, incoming.typed)


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
    question = QUESTIONS.get(awaiting)
    # The passwords are no questions of the table.
    ask_again = (question and question.ask_again) or entrance.ask_again
    return refused(turn, await ask_again(turn), sentence)


def _awaits(turn: Turn, awaiting: Awaiting) -> bool:
    """Whether the chat may still answer what it was asked: its link may have begun or ended since."""
    question = QUESTIONS.get(awaiting)
    if question is None:
        return False
    return turn.has(question.right) and (awaiting is Awaiting.USERNAME) is (turn.linked is None)


def _awaits_password(turn: Turn) -> bool:
    """Of a login, or in place of a forgotten PIN; the link may have begun or ended since it was asked for."""
    needed = Awaiting.PASSWORD if turn.linked is None else Awaiting.PASSWORD_FOR_PIN
    return turn.conversation.awaiting is needed


async def _password(turn: Turn, incoming: Incoming) -> Screen:
    """A typed password. Raises NeedsProof."""
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


def takes_document(turn: Turn, incoming: Incoming) -> bool:
    """Whether a file is looked at; where a text is asked for, it is asked for again. What is typed below it may be
    a PIN: beside a keypad it counts for a text.
    """
    if incoming.document is None or (incoming.typed and (turn.keypad or turn.is_idle)):
        return False
    is_in_login = turn.linked is not None and not turn.linked.is_ready
    return turn.conversation.awaiting is Awaiting.NOTHING and not is_in_login


async def answer_document(turn: Turn, incoming: Incoming) -> Screen:
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
