"""The commands of the chat: what is one, and their menu (Bot API, setMyCommands)."""

from dataclasses import dataclass

from handlers.incoming import Incoming
from handlers.texts import texts
from handlers.verifying import linked_code
from models.conversation import Language
from models.inspection import is_verification_code
from models.invitation import is_code
from models.names import with_ink
from models.pin import holds_number


@dataclass(frozen=True)
class Command:
    """A command with its code. Behind the code there may be `more` words, which say nothing."""

    name: str
    code: str = ""
    more: bool = False


def command_of(incoming: Incoming, bot_username: str) -> Command | None:
    """The command that a message is: a word behind a slash alone, or with a code that has the shape of its own.

    With other words behind it a text is no command but typed like any other: it may hold a password or a PIN.
    """
    if incoming.slashed is None:
        return None
    name, bot, rest = incoming.slashed
    if bot not in ("", bot_username.lower()):
        return None
    words = with_ink(rest).split()
    if not words:
        return Command(name)
    if name == "verify" and is_verification_code("".join(words)):
        return Command(name, "".join(words))
    is_start = name == "start" and (is_code(words[0]) or linked_code(words[0]) is not None)
    if is_start and not holds_number(" ".join(words[1:])):
        return Command(name, words[0], more=len(words) > 1)
    return None


def menu() -> dict[str, list[tuple[str, str]]]:
    """(command, description) pairs by language code; `""` is for everybody else, in Thai."""

    def described(language: Language) -> list[tuple[str, str]]:
        _ = texts(language)
        return [
            ("menu", _.plain("Home")),
            ("help", _.plain("How it works")),
            ("language", "ภาษา / Language"),
            ("logout", _.plain("Log out")),
        ]

    return {"": described(Language.THAI), "en": described(Language.ENGLISH)}
