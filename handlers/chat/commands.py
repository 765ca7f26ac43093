"""The chat's commands: how a message is recognized as one, and the command menu (Bot API, setMyCommands)."""

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

# A deep link to a bot (Bot API, "Deep linking"), sent as a message instead of tapped.
_START_LINK = re.compile(r"(?:https?://)?(?:t|telegram)\.me/(\w+)\?start=([\w-]{1,64})", re.ASCII | re.IGNORECASE)

# A deep link's argument for a certificate: v and the ten letters of a verification code. An invitation's has 22.
_LINKED = re.compile(r"v([0-9A-Za-z]{10})")


@dataclass(frozen=True)
class Command:
    """A command with its argument `code`, empty without one. `more`: further words follow, which are ignored."""

    name: str
    code: str = ""
    more: bool = False


def command_of(incoming: Incoming, bot_username: str) -> Command | None:
    """The command that a message consists of; None for any other text.

    A command stands alone, or has the one argument that it takes: `/verify` a verification code, `/start` an
    invitation's or certificate's code. With other words the message is ordinary text, because it may contain a
    password or a PIN. A message that is only a deep link to this bot counts as `/start` with the link's code.
    """
    if incoming.slashed is None:
        return _pasted_link(incoming.text or "", bot_username)
    name, bot, argument = incoming.slashed
    if bot not in ("", bot_username.lower()):
        return None
    words = with_ink(spelled(argument)).split()
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
    """The verification code that a text consists of, as officers send after `/verify`; None for any other text.

    A code without a letter does not count: a number of ten digits may be anything.
    """
    code = "".join(with_ink(typed or "").split())
    return code if is_verification_code(code) and any(letter.isalpha() for letter in code) else None


def _is_start_code(word: str) -> bool:
    """Whether a word has the shape of an invitation's code or of a certificate link's argument."""
    return is_code(word) or linked_code(word) is not None


def menu() -> dict[str, list[tuple[str, str]]]:
    """The command menu: (command, description) pairs by language code. `""` holds the Thai menu for all languages
    without their own.
    """

    def pairs(language: Language) -> list[tuple[str, str]]:
        _ = texts(language)
        return [
            ("menu", _.plain("Home")),
            ("help", _.plain("How it works")),
            ("verify", _.plain("Look a certificate up by its code")),
            ("language", "ภาษา / Language"),
            ("logout", _.plain("Log out")),
        ]

    return {"": pairs(Language.THAI), "en": pairs(Language.ENGLISH)}


def link_to(bot_username: str, code: str) -> str:
    """The deep link in a certificate's QR code (Bot API, "Deep linking"); empty without a username."""
    return f"https://t.me/{bot_username}?start=v{code}" if bot_username else ""


def linked_code(argument: str) -> str | None:
    """The verification code in the argument of `/start`; None when it is not that of a certificate's link."""
    match = _LINKED.fullmatch(argument)
    return match[1] if match else None
