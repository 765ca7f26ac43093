"""The letters that names may have are those of the papers' font."""

import struct
from pathlib import Path

import pytest

from bot.papers.typesetting import FONTS
from models.base.font import undrawn, visible

# Controls, and the sign of a company: no name has them. Line ends typst makes itself.
_NO_LETTERS = {"\x00", "\r", "\uf8ff"}


def character_map(path: Path) -> set[str]:
    """The letters of a font (OpenType specification, cmap, format 4)."""
    font = path.read_bytes()
    (tables,) = struct.unpack_from(">H", font, 4)
    places = dict(struct.unpack_from(">4s4xI", font, 12 + 16 * table) for table in range(tables))
    start = places[b"cmap"]
    (subtables,) = struct.unpack_from(">H", font, start + 2)
    (offset,) = [
        place
        for platform, encoding, place in struct.iter_unpack(">HHI", font[start + 4 : start + 4 + 8 * subtables])
        if (platform, encoding) == (3, 1)
    ]
    start += offset
    version, segments = struct.unpack_from(">H4xH", font, start)
    assert version == 4
    segments //= 2
    columns = [start + 14, *(start + 16 + 2 * segments * column for column in (1, 2, 3))]
    ends, firsts, deltas, offsets = (struct.unpack_from(f">{segments}H", font, column) for column in columns)
    letters = set()
    for segment, (first, end) in enumerate(zip(firsts, ends, strict=True)):
        for code in range(first, min(end, 0xFFFE) + 1):
            glyph = code + deltas[segment]
            if offsets[segment]:
                place = columns[3] + 2 * segment + offsets[segment] + 2 * (code - first)
                (glyph,) = struct.unpack_from(">H", font, place)
            if glyph % 0x10000:
                letters.add(chr(code))
    return letters


@pytest.mark.parametrize("weight", ["Regular", "Bold"])
def test_what_papers_can_show_is_what_their_font_has(weight: str) -> None:
    letters = map(chr, range(0x110000))
    # A Thai mark follows its letter.
    drawn = {letter for letter in letters if None in (undrawn(letter), undrawn(f"ก{letter}"))}
    assert drawn == (character_map(FONTS / f"Sarabun-{weight}.ttf") - _NO_LETTERS) | {"\n"}


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("นายสุข កម្ពុជា", "ក"),
        ("อาจารย์王明", "王"),
        ("สมชาย 😀", "😀"),
        ("Иван", "И"),
        ("ບຸນມີ", "ບ"),
        # Like a MAI EK, and like a PHINTHU.
        ("ก\u030dข", "\u030d"),
        ("พ\u0323", "\u0323"),
        ("กี\u0304", "\u0304"),
        # Without a letter: typed before one, or after a blank.
        ("่สมชาย", "่"),
        ("สมชาย ์ใจดี", "์"),
        ("Aิ", "ิ"),
    ],
)
def test_the_first_letter_that_papers_cannot_show_is_named(text: str, letter: str) -> None:
    assert undrawn(text) == letter


@pytest.mark.parametrize(
    "text", ["นายสมชาย ใจดี", "José Nguyễn Đức", "ฤๅษี ๑๒ ฯลฯ", "ปลัด (รก.) – 50% ½", "x\u0304", ""]
)
def test_names_that_papers_can_show(text: str) -> None:
    assert undrawn(text) is None


def test_a_mark_is_named_on_a_circle() -> None:
    assert (visible("ក"), visible("\u030d"), visible("ิ")) == ("ក", "◌\u030d", "◌ิ")
