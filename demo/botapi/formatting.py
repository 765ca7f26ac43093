"""Texts as the real server makes them: HTML to text and entities, cleaned, trimmed, links and commands found.

Rules and error messages: td/telegram/MessageEntity.cpp (parse_html, fix_formatted_text), misc.cpp
(clean_input_string) and Client.cpp (get_formatted_text). Offsets and lengths are in UTF-16 units.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from demo.botapi.errors import ApiError, bad_request
from demo.botapi.html_text import Span, parse_html

Entity = dict[str, Any]

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
# Telegram's servers pass over those that come after (tdlib/telegram-bot-api #820, rubenlagus/TelegramBots #854).
ENTITIES_LIMIT = 100
# Checked before parsing, in bytes: a Thai letter has three of them, and tags count.
BYTE_LIMIT = 1 << 15

_DROPPED = "\r" + "".join(map(chr, range(0x2028, 0x202F))) + "\u0333\u033f\u030a"
_CLEAN = {code: " " for code in range(32) if code != 10} | {ord(char): None for char in _DROPPED}
_DIRTY = re.compile("[\x00-\x09\x0b-\x1f\u2028-\u202e\u0333\u033f\u030a]")
_INVISIBLE = re.compile(
    "[\\s\u1680\u180e\u2000-\u200f\u202e\u202f\u205f\u2800\u3000\ufffc\ufeff\u00a0\U000e0000-\U000e007f]*"
)
# Styles of one kind that touch or overlap become one; the others are kept whole.
_MERGED = frozenset({"bold", "italic", "underline", "strikethrough", "spoiler"})
_ORDER = ("blockquote", "expandable_blockquote", "bold", "italic", "underline", "strikethrough", "spoiler")
_GIVEN_BY_BOT = {*_ORDER, "code", "pre", "text_link", "text_mention", "custom_emoji", "date_time"}
_FOUND_BY_SERVER = {
    "mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bank_card_number",
}  # fmt: skip
_FOUND = re.compile(
    r"(?P<url>(?:https?://[^\s<>\"]+|(?<![\w@.])(?:[\w-]+\.)+(?:com|org|net|me|th|io)(?:/[^\s<>\"]*)?(?!\w)))"
    r"|(?P<email>(?<![\w.])[\w.+-]+@(?:[\w-]+\.)+[a-z]{2,}(?!\w))"
    r"|(?P<bot_command>(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/]))"
    r"|(?P<mention>(?<![\w@])@[A-Za-z0-9_]{3,32}(?!\w))"
    r"|(?P<hashtag>(?<![\w&])#\w*[^\W\d_]\w*)"
)


@dataclass(slots=True)
class Formatted:
    """A text and its entities, as they stand in a Message."""

    text: str
    entities: list[Entity] = field(default_factory=list)


def utf16(text: str) -> int:
    """Count UTF-16 units, in which the Bot API gives offsets."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def format_text(text: str, parse_mode: str, entities: Any, *, allow_empty: bool) -> Formatted:
    """Do what the server does to a text or caption that a bot sends."""
    if len(text) * 4 > BYTE_LIMIT and len(text.encode()) > BYTE_LIMIT:
        raise bad_request("Text is too long")
    mode = parse_mode.lower()
    spans: list[Span] = []
    if text and mode and mode != "none":
        if mode in {"markdown", "markdownv2"}:
            raise ApiError(400, f"Bad Request: the emulator does not do {parse_mode}, use HTML")
        if mode != "html":
            raise bad_request("Unsupported parse_mode")
        text, spans = parse_html(text)
    elif isinstance(entities, list):
        spans = _given_spans(text, entities)
    return _finish(text, spans, allow_empty)


def formatted_user_text(text: str) -> Formatted:
    """Do what the server does to a text that a person types: no markup, links and commands found."""
    return _finish(text, [], allow_empty=True)


def _given_spans(text: str, entities: list[Any]) -> list[Span]:
    """Read entities given as JSON; positions are turned from UTF-16 units into characters."""
    spans = []
    at: dict[int, int] = {}
    unit = 0
    for index, char in enumerate(text):
        at[unit] = index
        unit += 1 + (ord(char) > 0xFFFF)
    at[unit] = len(text)
    for entity in entities:
        if not isinstance(entity, dict):
            raise bad_request("Can't parse MessageEntity: expected an Object")
        for name in ("offset", "length", "type"):
            if name not in entity:
                raise bad_request(f"Can't parse MessageEntity: Can't find field \"{name}\"")
        for name in ("offset", "length"):
            if type(entity[name]) is not int:
                raise bad_request(f'Can\'t parse MessageEntity: Field "{name}" must be a Number')
        if entity["type"] in _FOUND_BY_SERVER:
            continue
        if entity["type"] not in _GIVEN_BY_BOT:
            raise bad_request("Can't parse MessageEntity: Unsupported type specified")
        start, end = entity["offset"], entity["offset"] + entity["length"]
        if start not in at or end not in at:
            raise bad_request(f"Entity beginning at UTF-16 offset {start} ends in a middle of a UTF-16 symbol")
        extra = {key: value for key, value in entity.items() if key not in {"offset", "length", "type"}}
        spans.append(Span(at[start], at[end], entity["type"], extra))
    return spans


def _finish(text: str, spans: list[Span], allow_empty: bool) -> Formatted:
    if _DIRTY.search(text):
        text, spans = _clean(text, spans)
    text, spans = _trim(text, _settle(spans, text))
    if _INVISIBLE.fullmatch(text):
        if not allow_empty:
            raise bad_request("Text must be non-empty")
        return Formatted("")
    spans = _with_found(text, spans)
    if not spans:
        return Formatted(text)
    return Formatted(text, _to_entities(text, spans[:ENTITIES_LIMIT]))


def _clean(text: str, spans: list[Span]) -> tuple[str, list[Span]]:
    """Replace control characters by blanks and drop what disturbs a chat's direction or lines."""
    if not spans:
        return text.translate(_CLEAN), spans
    position = [0]
    for char in text:
        position.append(position[-1] + (char not in _DROPPED))
    moved = [Span(position[s.start], position[s.end], s.type, s.extra) for s in spans]
    return text.translate(_CLEAN), moved


def _settle(spans: list[Span], text: str) -> list[Span]:
    """Join styles that touch, cut them out of code, and drop what covers only blanks."""
    if not spans:
        return spans
    code = [span for span in spans if span.type in {"code", "pre"}]
    result = list(code)
    for kind in dict.fromkeys(span.type for span in spans if span not in code):
        same = sorted((s for s in spans if s.type == kind), key=lambda s: (s.start, -s.end))
        if kind in _MERGED:
            result += _cut(_join(same), code)
        else:
            result += _outermost(same)
    result = [s for s in result if s.end > s.start and (s in code or text[s.start : s.end].strip())]
    return sorted(result, key=_position)


def _position(span: Span) -> tuple[int, int, int]:
    return span.start, -span.end, _ORDER.index(span.type) if span.type in _ORDER else len(_ORDER)


def _join(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end), span.type, span.extra)
        else:
            joined.append(span)
    return joined


def _outermost(spans: list[Span]) -> list[Span]:
    outermost: list[Span] = []
    for span in spans:
        if not outermost or span.start >= outermost[-1].end:
            outermost.append(span)
    return outermost


def _cut(spans: list[Span], code: list[Span]) -> list[Span]:
    pieces: list[Span] = []
    for span in spans:
        inside = [c for c in code if c.start < span.end and c.end > span.start]
        edges = [span.start, *(edge for c in sorted(inside, key=_position) for edge in (c.start, c.end)), span.end]
        for start, end in list(pairwise(edges))[::2]:
            if start < end:
                pieces.append(Span(start, end, span.type, span.extra))
    return pieces


def _trim(text: str, spans: list[Span]) -> tuple[str, list[Span]]:
    end = len(text.rstrip(" \n"))
    limit = min([end, *(span.start for span in spans)])
    start = limit - len(text[:limit].lstrip(" \n"))
    if start == 0 and end == len(text):
        return text, spans
    trimmed = [Span(s.start - start, min(s.end, end) - start, s.type, s.extra) for s in spans if s.start < end]
    return text[start:end], trimmed


def _with_found(text: str, spans: list[Span]) -> list[Span]:
    if not any(char in text for char in "/@#."):
        return spans
    solid = [span for span in spans if span.type in {"code", "pre", "text_link", "text_mention"}]
    detected = []
    for match in _FOUND.finditer(text):
        start, end = match.span()
        if match.lastgroup == "url":
            end = start + len(match.group().rstrip(".,;:!?)'»”"))
        if not any(s.start < end and s.end > start for s in solid):
            detected.append(Span(start, end, match.lastgroup or "", {}))
    return sorted(spans + detected, key=_position) if detected else spans


def _to_entities(text: str, spans: list[Span]) -> list[Entity]:
    plain = len(text) == utf16(text)
    entities = []
    for span in spans:
        start = span.start if plain else utf16(text[: span.start])
        length = span.end - span.start if plain else utf16(text[span.start : span.end])
        entities.append({"offset": start, "length": length, "type": span.type, **span.extra})
    return entities
