"""The function that makes each kind of file."""

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
    """The content of a file of this kind. `facts` must have the type that the kind's function takes. Raises that
    function's errors.
    """
    return _MAKERS[kind](facts)
