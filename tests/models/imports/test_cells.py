"""The rules on one cell: what is tidied, what is refused and never shown, and what a national ID number is."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.imports.tabular import BadCell
from models.imports.tabular.cells import clean, holds_national_id, is_national_id
from tests.models.imports.tables import HEADER, read, refusal, to_csv


def test_blanks_digits_and_sara_am(tmp_path: Path) -> None:
    rows = [HEADER, ["\u00a0๐๗ ", "  น้ำ \u2003 ใส ๑  ", " a  b "], ["1", "นํ้า", ""]]
    rows += [["๒\u200b", "ก\u00adข", "\ufeff"]]
    assert read(to_csv(tmp_path / "a.csv", rows)) == [
        (2, ["07", "น้ำ ใส ๑", " a  b "]),
        (3, ["1", "น้ำ", "-"]),
        (4, ["2", "กข", "-"]),
    ]


def test_dashes_and_signed_numbers_are_no_formulas(tmp_path: Path) -> None:
    for text in ("-", "--", "- ไม่มี -", "-5", "+66 2 123 4567"):
        assert read(to_csv(tmp_path / "a.csv", [HEADER, ["1", text, ""]])) == [(2, ["1", text, "-"])]


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ("=1+1", "line 2, name: starts with = like a formula; "),
        (" =A1", "line 2, name: starts with = like a formula; "),
        ("+A1", "line 2, name: starts with + like a formula; "),
        ("-2+cmd|' /C calc'!A0", "line 2, name: starts with - like a formula; "),
        ("@SUM(1)", "line 2, name: starts with @ like a formula; "),
        ("＝1", "line 2, name: starts with = like a formula; "),
        ("#REF!", "line 2, name: is the error value #REF! of a spreadsheet; "),
        ("ก\nข", "line 2, name: contains a line break, which cannot be seen; "),
        ("ก\tข", "line 2, name: contains a tab, which cannot be seen; "),
        ("ก\x07", "line 2, name: contains U+0007 (a control character), which cannot be seen; "),
        ("ก\u202eข", "line 2, name: contains U+202E (RIGHT-TO-LEFT OVERRIDE), which cannot be seen; "),
        ("ก\u200eข", "line 2, name: contains U+200E (LEFT-TO-RIGHT MARK), which cannot be seen; "),
        ("ก\u2028", "line 2, name: contains U+2028 (LINE SEPARATOR), which cannot be seen; "),
        ("ก\ue000", "line 2, name: contains U+E000 (a control character), which cannot be seen; "),
        ("ก\u3164", "line 2, name: contains U+3164 (HANGUL FILLER); "),
        ("", "line 2, name: is empty; fill it in"),
        ("   ", "line 2, name: is empty; fill it in"),
        ("\u200b\ufeff\u00a0", "line 2, name: is empty; fill it in"),
        ("ก" * 31, "line 2, name: has 31 characters; shorten it to 30"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path: Path, cell: str, what: str) -> None:
    found = refusal(to_csv(tmp_path / "a.csv", [HEADER, ["1", cell, ""]]))
    assert len(found) == 1
    assert found[0].startswith(what)


def id_number(first12: str) -> str:
    """A number with the check digit that belongs to it."""
    total = sum(int(digit) * weight for digit, weight in zip(first12, range(13, 1, -1), strict=True))
    return first12 + str((11 - total % 11) % 10)


@given(st.from_regex("[1-8][0-9]{11}", fullmatch=True).filter(str.isascii))
def test_national_id_numbers_are_known_in_every_dress(first12: str) -> None:
    number = id_number(first12)
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    dashed = f"{number[0]}-{number[1:5]}-{number[5:10]}-{number[10:12]}-{number[12]}"
    thai_digits = number.translate(str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙"))
    for dressed in (number, dashed, dashed.replace("-", " "), thai_digits, f" {number} "):
        assert is_national_id(dressed)
        assert holds_national_id(f"ก {dressed} ข")
        assert not is_national_id(f"ก {dressed}")
    assert not is_national_id(wrong)
    assert not holds_national_id(wrong)
    assert not holds_national_id(number + "1")


def test_clean_never_shows_the_text_it_refuses() -> None:
    with pytest.raises(BadCell) as bad:
        clean("=secret-password", verbatim=True)
    assert "secret" not in bad.value.what + bad.value.mend
