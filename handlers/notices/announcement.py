"""The notice of an operator's announcement."""

from markupsafe import Markup

from handlers.chat.screen import Screen
from handlers.chat.texts import Texts


def heading(_: Texts) -> str:
    """The announcement's heading, which names its author."""
    return "📢 " + _.plain("Announcement from the operator")


def screen(_: Texts, body: str) -> Screen:
    """The announcement. It contains no personal data, so every chat gets it in full and may forward it. It has no
    buttons, because a tap would replace it by another screen.
    """
    return Screen(Markup("<b>{}</b>\n\n{}").format(heading(_), body), is_protected=False)
