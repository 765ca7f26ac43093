"""Renders text and entities as HTML, and a chat as JSON-able data for the page."""

from __future__ import annotations

from html import escape
from typing import Any

from demo.botapi.formatting import Entity
from demo.botapi.state import Chat, Message

_TAGS = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "spoiler": "tg-spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "expandable_blockquote": "blockquote expandable",
}


def to_html(text: str, entities: list[Entity]) -> str:
    """Return a text with its entities as the HTML that a bot would send."""
    units = text.encode("utf-16-le")
    marks: list[tuple[int, int, int, str]] = []
    for index, entity in enumerate(entities):
        opening, closing = _tags(entity)
        if opening:
            start, end = entity["offset"], entity["offset"] + entity["length"]
            marks.append((start, 1, index, opening))
            marks.append((end, 0, -index, closing))  # the inner one was opened last and closes first
    result = []
    position = 0
    for at, _, _, tag in sorted(marks):
        result.append(escape(units[2 * position : 2 * at].decode("utf-16-le")) + tag)
        position = at
    return "".join(result) + escape(units[2 * position :].decode("utf-16-le"))


def _tags(entity: Entity) -> tuple[str, str]:
    if entity["type"] == "text_link":
        return f'<a href="{escape(entity["url"])}">', "</a>"
    if entity["type"] == "pre" and "language" in entity:
        return f'<pre><code class="language-{escape(entity["language"])}">', "</code></pre>"
    tag = _TAGS.get(entity["type"])
    return (f"<{tag}>", f"</{tag.split()[0]}>") if tag else ("", "")


def snapshot_message(message: Message) -> dict[str, Any]:
    """Return one message as JSON-able data."""
    return {
        "id": message.id,
        "outgoing": message.outgoing,
        "sender": message.sender.first_name,
        "date": message.date,
        "edit_date": message.edit_date,
        "edits": message.edits,
        "service": message.service,
        "text": message.text,
        "entities": message.entities,
        "html": message.html,
        "document": message.content.get("document"),
        "photo": message.content.get("photo"),
        "protected": bool(message.options.get("has_protected_content")),
        "buttons": [
            [{"label": b.label, "data": b.data, "url": b.url, "style": b.style, "copies": b.copies} for b in row]
            for row in message.buttons
        ],
    }


def snapshot(chat: Chat) -> dict[str, Any]:
    """Return what a chat's screen shows now, as JSON-able data."""
    return {
        "chat": chat.json(),
        "bot_status": chat.bot_status,
        "reply_keyboard": chat.reply_keyboard,
        "messages": [snapshot_message(message) for message in chat.shown()],
    }
