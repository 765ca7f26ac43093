"""HTML to text and entities, cleaning and trimming, as td/telegram/MessageEntity.cpp does it."""

from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.botapi.errors import ApiError
from demo.botapi.formatting import format_text, formatted_user_text
from demo.botapi.rendering import to_html


def html(text: str, *, allow_empty: bool = False):
    return format_text(text, "HTML", None, allow_empty=allow_empty)


def spans(text: str) -> list[tuple[int, int, str]]:
    return [(e["offset"], e["length"], e["type"]) for e in html(text).entities]


def refusal(text: str) -> str:
    with pytest.raises(ApiError) as caught:
        html(text)
    return caught.value.description


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        ("b", "bold"), ("strong", "bold"), ("i", "italic"), ("em", "italic"),
        ("u", "underline"), ("ins", "underline"),
        ("s", "strikethrough"), ("strike", "strikethrough"), ("del", "strikethrough"), ("tg-spoiler", "spoiler"),
        ("code", "code"), ("pre", "pre"), ("blockquote", "blockquote"),
    ],
)  # fmt: skip
def test_every_tag(tag, kind):
    assert spans(f"x <{tag}>กข</{tag}> y") == [(2, 2, kind)]


def test_nested_tags_come_outermost_first():
    assert spans("<b>one <i>two <u>three</u></i></b>") == [(0, 13, "bold"), (4, 9, "italic"), (8, 5, "underline")]


def test_offsets_are_utf16_units():
    assert spans("😀<b>😀ก</b>") == [(2, 3, "bold")]


def test_entities_and_what_is_none():
    assert html("&lt;&gt;&amp;&quot;&#65;&#x42;&#x1F600;").text == '<>&"AB😀'
    assert html("&nbsp; &copy; & &#0; &#xFFFFFFFFF;").text == "&nbsp; &copy; & &#0; &#xFFFFFFFFF;"
    assert html("a&ltb&amp").text == "a&ltb&"  # a name ends at a non-letter, with or without semicolon


def test_links():
    text = html('<a href="https://example.org/?a=1&amp;b=2">ดู</a> <a href="tg://user?id=42">เขา</a>')
    assert text.text == "ดู เขา"
    assert text.entities[0] == {
        "offset": 0,
        "length": 2,
        "type": "text_link",
        "url": "https://example.org/?a=1&b=2",
    }
    assert text.entities[1] == {"offset": 3, "length": 3, "type": "text_mention", "user": {"id": 42}}


def test_a_bad_link_is_dropped_and_its_text_stays():
    assert html('<a href="nonsense">x</a>').entities == []
    assert html('<a href="nonsense">x</a>').text == "x"


def test_pre_with_language():
    text = html('<pre><code class="language-python">x = 1</code></pre>')
    assert text.entities == [{"offset": 0, "length": 5, "type": "pre", "language": "python"}]


def test_code_excludes_styles():
    assert spans("<b>a<code>b</code>c</b>") == [(0, 1, "bold"), (1, 1, "code"), (2, 1, "bold")]


def test_touching_and_nested_styles_of_one_kind_become_one():
    assert spans("<b>a</b><b>b</b>") == [(0, 2, "bold")]
    assert spans("<b>a<b>b</b>c</b>") == [(0, 3, "bold")]


def test_expandable_blockquote_and_span_spoiler():
    assert spans("<blockquote expandable>x</blockquote>") == [(0, 1, "expandable_blockquote")]
    assert spans('<span class="tg-spoiler">x</span>') == [(0, 1, "spoiler")]


def test_an_empty_tag_and_a_blank_one_leave_no_entity():
    assert html("a<b></b><i> </i>b").entities == []


def test_text_is_trimmed_and_entities_with_it():
    text = html("  \n สวัสดี <b>x \n</b> \n ")
    assert text.text == "สวัสดี x"
    assert text.entities == [{"offset": 7, "length": 1, "type": "bold"}]


def test_blanks_at_the_start_inside_an_entity_stay():
    assert html(" <b> x</b>").text == " x"


def test_control_characters_and_direction_marks():
    assert html("a\tb\r\nc\u202ed\u2028e\x07").text == "a b\ncde"
    assert html("\u202e<b>x</b>\u202e<i>y</i>").entities == [
        {"offset": 0, "length": 1, "type": "bold"},
        {"offset": 1, "length": 1, "type": "italic"},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("ก<x>y</x>", 'Unsupported start tag "x" at byte offset 3'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("a <b", "Unclosed start tag at byte offset 2"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("1 < 2", 'Unsupported start tag "" at byte offset 2'),
        ('<a href="x', "Unclosed start tag at byte offset 0"),
        ("<a href", 'Unclosed start tag "a" at byte offset 0'),
        ("<a =x>y</a>", 'Empty attribute name in the tag "a" at byte offset 0'),
        ("<a href=x/y>z</a>", "Unexpected end of name token at byte offset 8"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("&#xd83d;", "Text contains invalid Unicode characters after decoding HTML entities, "
                     "check for unmatched surrogate code units"),
    ],
)  # fmt: skip
def test_refusals(text, message):
    assert refusal(text) == f"Bad Request: can't parse entities: {message}"


def test_an_end_tag_without_name_closes_the_last():
    assert spans("<b>x</>") == [(0, 1, "bold")]


def test_empty_texts():
    for text in ("   ", "\n\n", "<b></b>", "\u200b\u200d", "\u3000"):
        assert refusal(text) == "Bad Request: text must be non-empty"
    assert html("  ", allow_empty=True).text == ""


def test_parse_modes():
    with pytest.raises(ApiError, match="Bad Request: unsupported parse_mode"):
        format_text("x", "BBCode", None, allow_empty=False)
    with pytest.raises(ApiError, match="emulator does not do MarkdownV2"):
        format_text("x", "MarkdownV2", None, allow_empty=False)
    assert format_text("<b>x</b>", "", None, allow_empty=False).text == "<b>x</b>"
    assert format_text("<b>x</b>", "none", None, allow_empty=False).text == "<b>x</b>"


def test_the_text_as_sent_has_at_most_32768_bytes():
    with pytest.raises(ApiError, match="Bad Request: text is too long"):
        format_text("ก" * 10_923, "HTML", None, allow_empty=False)
    assert len(format_text("ก" * 10_922, "HTML", None, allow_empty=False).text) == 10_922


def test_given_entities():
    text = format_text("😀ab", "", [{"offset": 2, "length": 1, "type": "bold"}], allow_empty=False)
    assert text.entities == [{"offset": 2, "length": 1, "type": "bold"}]
    with pytest.raises(ApiError, match="can't parse MessageEntity: Can't find field \"length\""):
        format_text("a", "", [{"offset": 2, "type": "bold"}], allow_empty=False)


def test_entities_beyond_the_hundredth_are_dropped_and_their_text_stays():
    formatted = html(" ".join(f"<b>{number:03}</b>" for number in range(120)))
    assert [entity["offset"] for entity in formatted.entities] == list(range(0, 400, 4))
    assert formatted.text.endswith("118 119")
    bold = [{"type": "bold", "offset": number * 2, "length": 1} for number in range(120)]
    assert len(format_text("x " * 120, "", bold, allow_empty=False).entities) == 100
    assert len(html("#ก " * 120).entities) == 100


def test_links_commands_and_mentions_are_found():
    text = formatted_user_text("/start abc @somchai #งาน ที่ https://example.org/x, a@b.go.th และ example.com")
    units = text.text.encode("utf-16-le")
    entities = [
        (e["type"], units[2 * e["offset"] : 2 * (e["offset"] + e["length"])].decode("utf-16-le"))
        for e in text.entities
    ]
    assert entities == [
        ("bot_command", "/start"),
        ("mention", "@somchai"),
        ("hashtag", "#งาน"),
        ("url", "https://example.org/x"),
        ("email", "a@b.go.th"),
        ("url", "example.com"),
    ]


def test_nothing_is_found_in_code():
    assert spans("<code>/start https://example.org</code>") == [(0, 26, "code")]


def test_and_back_to_html():
    for source in (
        "<b>a <i>b</i></b> &lt; c",
        '<a href="https://example.org/">😀</a><code>x</code>',
        "<b><i>x</i></b>y",
    ):
        text = html(source)
        assert to_html(text.text, text.entities) == source


@given(st.text(st.sampled_from("<>/&;#x= \"'abpreguiz-\n0123ก😀\u202e\0"), max_size=40))
def test_whatever_is_sent_is_parsed_or_refused(source):
    try:
        text = html(source, allow_empty=True)
    except ApiError:
        return
    units = len(text.text.encode("utf-16-le")) // 2
    for entity in text.entities:
        assert 0 <= entity["offset"] < entity["offset"] + entity["length"] <= units


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_escaped_text_comes_through(source):
    plain = format_text(source, "", None, allow_empty=True)
    assert html(escape(source, quote=False), allow_empty=True) == plain
