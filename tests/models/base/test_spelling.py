"""One spelling for texts that look alike: what each rule joins, and what none of them touches."""

import csv
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.base.font import undrawn
from models.base.spelling import SIGNS, THAI, spelled

REAL = Path(__file__).parents[3] / "demo" / "data" / "organizations.csv"
# Each spelling beside the one that it becomes.
ODD = {
    # NIKHAHIT and SARA AA, with a tone mark before, between and behind them; NIKHAHIT too many.
    "ตําแหน่ง": "ตำแหน่ง",
    "นํ้า": "น้ำ",
    "น้ํา": "น้ำ",
    "นํา้": "น้ำ",
    "กํำ": "กำ",
    # SARA E twice.
    "เเดง": "แดง",
    "เ\u200bเดง": "แดง",
    # A tone mark, or THANTHAKHAT, before the vowel; behind the vowel that follows the consonant.
    "ท่ี": "ที่",
    "ปู่".replace("ู่", "ู่"): "ปู่",
    "ก้ัน": "กั้น",
    "สิทธ์ิ": "สิทธิ์",
    "พันธ์ุ": "พันธุ์",
    "นำ้": "น้ำ",
    "คะ่": "ค่ะ",
    "กา่": "ก่า",
    "กาะ่": "ก่าะ",
    # Marks twice.
    "ก่่": "ก่",
    "ที่ี่": "ที่",
    "สิทธิ์์": "สิทธิ์",
    "น้้ำ้": "น้ำ",
    # SARA I and NIKHAHIT.
    "กิํ": "กึ",
    "กํิ": "กึ",
    # LAKKHANGYAO where no RU is.
    "เทศบๅล": "เทศบาล",
    # What nobody sees, blanks, hyphens, wide letters.
    "สมชาย\u200bใจดี": "สมชายใจดี",
    "ก\u200c\u200d\u2060\u00ad\ufeffข": "กข",
    "นาย\u00a0ก\u2003ข\u3000ค": "นาย ก ข ค",
    "๗\u2011๘": "๗-๘",
    "ＡＢＣ－１２": "ABC-12",
    # Letters of other scripts as Unicode composes them.
    "Jose\u0301": "José",
    "e\u200d\u0301": "é",
}
AS_IT_IS = [
    *("ที่", "น้ำ", "ปู่", "กั้น", "สิทธิ์", "พันธุ์", "ก็", "เก้าอี้", "ค่ะ", "แดง", "ฯ", "ๆ", "จำ", "กึ", "ธรรม", "เอเอ"),
    # RU with LAKKHANGYAO, and the village that writes it with SARA AA.
    *("ฤๅษี", "บุฤาษี"),
    # Pali, and a language of the border: NIKHAHIT, PHINTHU, YAMAKKAN.
    *("พุทฺธํ", "สํวร", "กฺู", "ตุเม๎ห"),
    *("", " ", " ก  ข ", "José", "Somchai", "ก–ข", "½", "๑๒", "ก\nข"),
]
THAI_TEXT = st.text(st.characters(min_codepoint=0x0E01, max_codepoint=0x0E4E), max_size=12)


@pytest.mark.parametrize("odd", ODD)
def test_what_looks_alike_becomes_one_spelling(odd: str) -> None:
    assert spelled(odd) == ODD[odd]
    assert spelled(f"ก{odd}ข") == f"ก{ODD[odd]}ข"


@pytest.mark.parametrize("text", AS_IT_IS)
def test_what_is_written_right_stays_as_it_is(text: str) -> None:
    assert spelled(text) == text


@given(THAI_TEXT | st.text(max_size=12))
def test_a_text_is_spelled_once(text: str) -> None:
    once = spelled(text)
    assert spelled(once) == once
    assert unicodedata.is_normalized("NFC", once)


@given(THAI_TEXT)
def test_what_is_not_looked_at_is_as_the_rules_leave_it(text: str) -> None:
    """`spelled` goes through the rules only where something odd is found."""
    ruled = unicodedata.normalize("NFC", text)
    for rule in (*SIGNS, *THAI):
        ruled = rule.pattern.sub(rule.replacement, ruled)
    assert spelled(text) == ruled


@given(st.permutations("ิ่์"), st.sampled_from("กปฐฤ"))
def test_the_order_in_which_marks_are_typed_makes_no_other_text(marks: list[str], letter: str) -> None:
    assert spelled(letter + "".join(marks) + marks[0]) == spelled(f"{letter}ิ่์")


def test_every_rule_says_why() -> None:
    reasons = [rule.reason for rule in (*SIGNS, *THAI)]
    assert len(set(reasons)) == len(reasons) > 5
    assert all(len(reason) > 40 for reason in reasons)


def test_the_names_of_the_country_are_spelled_so() -> None:
    with REAL.open(encoding="utf-8-sig") as file:
        texts = {cell for row in csv.reader(file) for cell in row}
    assert len(texts) > 7_000
    assert {text for text in texts if spelled(text) != text or undrawn(text)} == set()
