"""The operator's word, as the officers read it."""

from markupsafe import Markup

from handlers.chat.screen import Screen
from handlers.chat.texts import Texts


def heading(_: Texts) -> str:
    """From whom it is."""
    return "📢 " + _.plain("Announcement from the operator")


def screen(_: Texts, body: str) -> Screen:
    """It holds no personal data, so it is whole in every chat and may be passed on. Without buttons: a tap would
    put another screen in its place.
    """
    return Screen(Markup("<b>{}</b>\n\n{}").format(heading(_), body), is_protected=False)
