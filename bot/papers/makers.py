"""How the bytes of each kind of file are made from its facts."""

from collections.abc import Callable
from typing import Any

from bot.papers import certificate, picture, province_list, template
from handlers.chat.screen import AttachmentKind

_MAKERS: dict[AttachmentKind, Callable[[Any], bytes]] = {
    AttachmentKind.PROGRESS: picture.png,
    AttachmentKind.PROVINCE_LIST: province_list.xlsx,
    AttachmentKind.CERTIFICATE: certificate.pdf,
    AttachmentKind.TEMPLATE: template.xlsx,
}


def make(kind: AttachmentKind, facts: object) -> bytes:
    """The file. Raises what its maker raises."""
    return _MAKERS[kind](facts)
