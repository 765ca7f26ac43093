"""The commands of the chat: what is one, and their menu (Bot API, setMyCommands)."""

import re
from dataclasses import dataclass

from handlers.chat.incoming import Incoming
from handlers.chat.texts import texts
from models.accounts.pin import holds_number
from models.base.names import with_ink
from models.base.spelling import spelled
from models.certification.history import is_verification_code
from models.chats.conversation import Language
from models.links.invitation import is_code

# A link that starts a bot (Bot API, "Deep linking"), pasted instead of tapped.
_START_LINK = re.compile(r"(?:https?://)?(?:t|telegram)\.me/(\w+)\?start=([\w-]{1,64})", re.ASCII | re.IGNORECASE)

# Behind a v the ten letters of a verification code; an invitation has 22 letters.
_LINKED = re.compile(r"v([0-9A-Za-z]{10})")


@dataclass(frozen=True)
class Command:
    """A command with its code. Behind the code there may be `more` words, which say nothing."""

    name: str
    code: str = ""
    more: bool = False


def command_of(incoming: Incoming, bot_username: str) -> Command | None:
    """The command that a message is: a word behind a slash alone, or with a code that has the shape of its own.

    With other words behind it a text is no command but typed like any other: it may hold a password or a PIN. A
    message that is nothing but the bot's link with such a code is `/start` with it.
    """
    if incoming.slashed is None:
        return _pasted_link(incoming.text or "", bot_username)
    name, bot, rest = incoming.slashed
    if bot not in ("", bot_username.lower()):
        return None
    words = with_ink(spelled(rest)).split()
    if not words:
        return Command(name)
    if name == "verify" and is_verification_code("".join(words)):
        return Command(name, "".join(words))
    if name == "start" and _is_start_code(words[0]) and not holds_number(" ".join(words[1:])):
        return Command(name, words[0], more=len(words) > 1)
    return None


def _pasted_link(typed: str, bot_username: str) -> Command | None:
    link = _START_LINK.fullmatch(with_ink(spelled(typed)).strip())
    if link is None or link[1].lower() != bot_username.lower() or not _is_start_code(link[2]):
        return None
    return Command("start", link[2])


def certificate_code(typed: str | None) -> str | None:
    """The verification code that a text is and nothing else, as after a `/verify` of the menu. It has a letter: a
    number of ten digits may be anything.
    """
    code = "".join(with_ink(typed or "").split())
    return code if is_verification_code(code) and any(letter.isalpha() for letter in code) else None


def _is_start_code(word: str) -> bool:
    """Whether a word has the shape of an invitation's code, or of the one that a certificate's link bears."""
    return is_code(word) or linked_code(word) is not None


def menu() -> dict[str, list[tuple[str, str]]]:
    """(command, description) pairs by language code; `""` is for everybody else, in Thai."""

    def described(language: Language) -> list[tuple[str, str]]:
        _ = texts(language)
        return [
            ("menu", _.plain("Home")),
            ("help", _.plain("How it works")),
            ("verify", _.plain("Look a certificate up by its code")),
            ("language", "ภาษา / Language"),
            ("logout", _.plain("Log out")),
        ]

    return {"": described(Language.THAI), "en": described(Language.ENGLISH)}


def link_to(bot_username: str, code: str) -> str:
    """What a certificate's QR code opens (Bot API, "Deep linking"); empty where the bot's name is not known."""
    return f"https://t.me/{bot_username}?start=v{code}" if bot_username else ""


def linked_code(argument: str) -> str | None:
    """The verification code in what stands behind `/start`, if it is one of a certificate."""
    found = _LINKED.fullmatch(argument)
    return found[1] if found else None
