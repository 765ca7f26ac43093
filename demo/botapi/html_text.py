"""A strict parser of the Bot API's HTML: text and the spans that its tags cover.

The grammar and every error message are those of parse_html in td/telegram/MessageEntity.cpp, where positions
are byte offsets into the text as sent.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from demo.botapi.errors import ApiError, bad_request
from demo.botapi.links import checked_url, user_link

_STYLES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "u": "underline",
    "ins": "underline",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
}
_TAGS = _STYLES.keys() | {"a", "tg-emoji", "tg-time", "pre", "code", "blockquote"}
_SPACE = " \t\r\n\0\v"
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_REFERENCE = re.compile(r"&(?:#x([0-9A-Fa-f]*)|#([0-9]*)|([A-Za-z]*));?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPECIAL = re.compile(r"[<&]")
_NAME_TOKEN = re.compile(r"[A-Za-z0-9.-]*")
_ATTRIBUTE = re.compile(r"[^ \t\r\n\0\v=>/\"']*")


class Span(NamedTuple):
    """A stretch of text, counted in characters, with the type of its entity."""

    start: int
    end: int
    type: str
    extra: dict[str, Any]


class _Open(NamedTuple):
    tag: str
    argument: str
    start: int


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.text = source + "\0"  # the original reads up to a terminating zero
        self.at = 0
        self.out: list[str] = []
        self.length = 0
        self.open: list[_Open] = []
        self.spans: list[Span] = []

    def fail(self, message: str, position: int | None = None) -> ApiError:
        where = "" if position is None else f" at byte offset {len(self.source[:position].encode())}"
        return bad_request(f"Can't parse entities: {message}{where}")

    def parse(self) -> tuple[str, list[Span]]:
        while (special := _SPECIAL.search(self.source, self.at)) is not None:
            self.emit(self.source[self.at : special.start()])
            self.at = special.start()
            if self.source[self.at] == "&":
                self.emit(self.reference())
            elif self.text[self.at + 1] == "/":
                self.end_tag()
            else:
                self.start_tag()
        self.emit(self.source[self.at :])
        if self.open:
            raise self.fail(f'Can\'t find end tag corresponding to start tag "{self.open[-1].tag}"')
        return self.decoded(), self.spans

    def decoded(self) -> str:
        text = "".join(self.out)
        if _SURROGATE.search(text):
            raise self.fail(
                "Text contains invalid Unicode characters after decoding HTML entities, "
                "check for unmatched surrogate code units"
            )
        return text

    def emit(self, text: str) -> None:
        self.out.append(text)
        self.length += len(text)

    def reference(self) -> str:
        """Decode &…; at the current place; what is unknown stays as it is written."""
        match = _REFERENCE.match(self.source, self.at)
        char = ""
        if match is not None:
            hexadecimal, decimal, name = match.groups()
            if name is not None:
                char = _NAMED.get(name, "")
            else:
                short = len(match.group().removesuffix(";")) < 10
                code = int(hexadecimal or decimal or "0", 16 if hexadecimal else 10) if short else 0
                char = chr(code) if 0 < code < 0x10FFFF else ""
        self.at = match.end() if match is not None and char else self.at + 1
        return char or "&"

    def skip_space(self) -> None:
        while self.text[self.at] in _SPACE[:4] + "\v":
            self.at += 1

    def word(self) -> str:
        start = self.at
        while self.text[self.at] not in _SPACE and self.text[self.at] != ">":
            self.at += 1
        return self.text[start : self.at].lower()

    def start_tag(self) -> None:
        begin = self.at
        self.at += 1
        tag = self.word()
        if self.text[self.at] == "\0":
            raise self.fail("Unclosed start tag", begin)
        if tag not in _TAGS:
            raise self.fail(f'Unsupported start tag "{tag}"', begin)
        argument = ""
        while self.text[self.at] != ">":
            self.skip_space()
            if self.text[self.at] == ">":
                break
            name, value = self.attribute(tag, begin)
            argument = _argument(tag, name, value, argument)
        self.at += 1
        if tag == "span" and argument != "spoiler":
            raise self.fail('Tag "span" must have class "tg-spoiler"', begin)
        self.open.append(_Open(tag, argument, self.length))

    def attribute(self, tag: str, begin: int) -> tuple[str, str | None]:
        match = _ATTRIBUTE.match(self.text, self.at)
        name = match.group() if match else ""
        if not name:
            raise self.fail(f'Empty attribute name in the tag "{tag}"', begin)
        self.at += len(name)
        self.skip_space()
        if self.text[self.at] == "=":
            self.at += 1
            self.skip_space()
            if self.text[self.at] != "\0":
                return name, self.value(begin)
        elif self.text[self.at] != "\0":
            return name, None
        raise self.fail(f'Unclosed start tag "{tag}"', begin)

    def value(self, begin: int) -> str:
        quote = self.text[self.at]
        if quote not in "\"'":
            start = self.at
            match = _NAME_TOKEN.match(self.text, start)
            self.at = match.end() if match else start
            if self.text[self.at] not in _SPACE and self.text[self.at] != ">":
                raise self.fail("Unexpected end of name token", start)
            value = self.text[start : self.at].lower()
        else:
            self.at += 1
            value = self.quoted(quote)
        if self.text[self.at] == "\0":
            raise self.fail("Unclosed start tag", begin)
        return value

    def quoted(self, quote: str) -> str:
        parts = []
        while self.text[self.at] not in {quote, "\0"}:
            if self.text[self.at] == "&":
                parts.append(self.reference())
            else:
                parts.append(self.text[self.at])
                self.at += 1
        if self.text[self.at] == quote:
            self.at += 1
        return "".join(parts)

    def end_tag(self) -> None:
        begin = self.at
        if not self.open:
            raise self.fail("Unexpected end tag", begin)
        self.at += 2
        tag = self.word()
        self.skip_space()
        if self.text[self.at] != ">":
            raise self.fail("Unclosed end tag", begin)
        opened = self.open.pop()
        if tag and tag != opened.tag:
            place = f"Unmatched end tag at byte offset {len(self.source[:begin].encode())}"
            raise self.fail(f'{place}, expected "</{opened.tag}>", found "</{tag}>"')
        self.at += 1
        if self.length > opened.start:
            self.close(opened)

    def close(self, opened: _Open) -> None:
        tag, argument, start = opened
        if tag in _STYLES:
            self.spans.append(Span(start, self.length, _STYLES[tag], {}))
        elif tag == "a":
            self.link(argument or "".join(self.out)[start:], start)
        elif tag in {"pre", "code"}:
            self.code(tag, argument, start)
        elif tag == "blockquote":
            self.spans.append(Span(start, self.length, "expandable_blockquote" if argument else "blockquote", {}))
        elif tag == "tg-emoji":
            if not argument.isdigit() or int(argument) == 0:
                raise self.fail("Invalid custom emoji identifier specified")
            self.spans.append(Span(start, self.length, "custom_emoji", {"custom_emoji_id": argument}))

    def link(self, url: str, start: int) -> None:
        user_id = user_link(url)
        if user_id is not None:
            self.spans.append(Span(start, self.length, "text_mention", {"user": {"id": user_id}}))
            return
        checked, _ = checked_url(url)
        if checked is not None:  # a bad link is left out silently, its text stays
            self.spans.append(Span(start, self.length, "text_link", {"url": checked}))

    def code(self, tag: str, argument: str, start: int) -> None:
        """Join <pre><code class="language-x"> into one entity with the language."""
        last = self.spans[-1] if self.spans else None
        other = "code" if tag == "pre" else "pre"
        if last is not None and (last.start, last.end, last.type) == (start, self.length, other):
            language = last.extra.get("language", "") if tag == "pre" else argument
            if language:
                self.spans[-1] = Span(start, self.length, "pre", {"language": language})
                return
        # The language is needed until the enclosing tag ends; alone it says nothing.
        self.spans.append(Span(start, self.length, tag, {"language": argument} if argument else {}))


def _argument(tag: str, name: str, value: str | None, argument: str) -> str:
    if tag == "blockquote" and name == "expandable":
        return "1"
    if value is None:
        return argument
    if (tag, name) in {("a", "href"), ("tg-emoji", "emoji-id")}:
        return value
    if (tag, name) == ("code", "class") and value.startswith("language-"):
        return value.removeprefix("language-")
    if (tag, name) == ("span", "class") and value.startswith("tg-"):
        return value.removeprefix("tg-")
    return argument


def parse_html(source: str) -> tuple[str, list[Span]]:
    """Give the text of some HTML and its spans, or refuse it as the real server does."""
    if "<" not in source and "&" not in source:
        return source, []
    text, spans = _Parser(source).parse()
    return text, [Span(s.start, s.end, s.type, {}) if s.type == "code" else s for s in spans]
