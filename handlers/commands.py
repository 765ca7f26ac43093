"""The commands menu of the chat (Bot API, setMyCommands)."""

from handlers.texts import texts
from models.conversation import Language


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
